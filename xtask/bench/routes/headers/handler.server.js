// Reads eight headers, and answers with eight.
export function GET({ request }) {
  const headers = new Headers();
  for (let index = 1; index <= 8; index++) {
    headers.set(`x-out-${index}`, request.headers.get(`x-in-${index}`));
  }
  return new Response("headers", { headers });
}
