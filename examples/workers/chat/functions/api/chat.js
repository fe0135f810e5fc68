// A WebSocket goes to the object of its room; GET returns what was written there.

export default async function chat(request, { env }) {
  const room = new URL(request.url).searchParams.get("room") ?? "lobby";
  if (request.headers.get("Upgrade") === "websocket") return open(env.CHAT_ROOM.getByName(room));
  if (request.method !== "GET") return new Response("Method not allowed", { status: 405 });
  await env.DB.exec("CREATE TABLE IF NOT EXISTS messages (room TEXT, user TEXT, content TEXT, at INTEGER)");
  const select = env.DB.prepare("SELECT user, content, at FROM messages WHERE room = ? ORDER BY at DESC LIMIT 50");
  const { results } = await select.bind(room).all();
  return Response.json(results.reverse());
}

/** The client gets one end of a pair; the other one travels to the room as the body of a request. */
async function open(room) {
  const [client, server] = Object.values(new WebSocketPair());
  await room.fetch("http://room/websocket", { headers: { Upgrade: "websocket" }, body: server });
  return new Response(null, { status: 101, webSocket: client });
}
