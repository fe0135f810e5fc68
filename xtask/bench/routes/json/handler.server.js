// About one kilobyte of JSON, made for each request.
const list = () => Array.from({ length: 24 }, (_, id) => ({ id, title: `Entry ${id} of a list`, on: true }));

export function GET(event) {
  return { path: event.url.pathname, name: event.request.headers.get("x-name"), list: list() };
}
