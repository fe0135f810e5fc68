// A room: everybody in it receives what the others write.

export class ChatRoom {
  sessions = new Set();

  constructor(state, env) {
    this.state = state;
    this.env = env;
  }

  async fetch() {
    const [client, server] = Object.values(new WebSocketPair());
    server.accept();
    this.sessions.add(server);
    server.addEventListener("message", (event) => this.receive(event.data, server));
    server.addEventListener("close", () => {
      this.sessions.delete(server);
      this.count();
    });
    this.count();
    return new Response(null, { status: 101, webSocket: client });
  }

  async receive(text, sender) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return sender.send(JSON.stringify({ type: "error", error: "This is no JSON." }));
    }
    const { user = "somebody", content = "" } = message;
    await this.env.DB.exec("CREATE TABLE IF NOT EXISTS messages (room TEXT, user TEXT, content TEXT, at INTEGER)");
    const insert = this.env.DB.prepare("INSERT INTO messages VALUES (?, ?, ?, ?)");
    await insert.bind(this.state.id.name, user, content, Date.now()).run();
    this.broadcast({ type: "message", user, content });
  }

  count() {
    this.broadcast({ type: "people", people: this.sessions.size });
  }

  broadcast(message) {
    const text = JSON.stringify(message);
    for (const session of this.sessions) session.send(text);
  }
}
