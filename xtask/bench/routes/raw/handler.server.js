// A WebSocket without a line: says back what it hears.
export function GET() {
  const { 0: client, 1: server } = new WebSocketPair();
  server.accept();
  server.addEventListener("message", (e) => server.send(e.data));
  return new Response(null, { status: 101, webSocket: client });
}
