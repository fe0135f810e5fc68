// About one kilobyte of JSON, made for each request.
export function GET(event) {
  const name = event.request.headers.get("x-name");
  return { path: event.url.pathname, name, list: Array.from({ length: 24 }, (_, id) => ({ id, title: `Entry ${id} of the list`, on: true })) };
}
