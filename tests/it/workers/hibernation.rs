//! Sockets that outlive their object's instance: check RW-B2.

use serde_json::json;

use super::{Client, worker};
use crate::support::{Host, Site};

/// A room that counts how often it was constructed.
const ROOM: &str = r#"
import { DurableObject } from "cloudflare:workers";

export class Room extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
    ctx.storage.kv.put("constructions", (ctx.storage.kv.get("constructions") ?? 0) + 1);
  }
  fetch(request) {
    if (request.headers.get("upgrade") !== "websocket") {
      return Response.json({ constructions: this.ctx.storage.kv.get("constructions"), sockets: this.ctx.getWebSockets().length });
    }
    const [client, server] = Object.values(new WebSocketPair());
    const name = new URL(request.url).searchParams.get("name");
    this.ctx.acceptWebSocket(server, [name]);
    server.serializeAttachment({ name, messages: 0 });
    return new Response(null, { status: 101, webSocket: client });
  }
  webSocketMessage(socket, text) {
    if (text.startsWith("to ")) {
      const [, name, message] = text.split(" ");
      for (const other of this.ctx.getWebSockets(name)) other.send(message);
      return;
    }
    const attachment = socket.deserializeAttachment();
    attachment.messages += 1;
    socket.serializeAttachment(attachment);
    socket.send(JSON.stringify({ ...attachment, tags: this.ctx.getTags(socket), constructions: this.ctx.storage.kv.get("constructions") }));
  }
  async webSocketClose(socket, code, reason) {
    this.ctx.storage.kv.put("closed", `${code} ${reason} of ${socket.deserializeAttachment().name}`);
    for (const other of this.ctx.getWebSockets()) if (other !== socket) other.send(this.ctx.storage.kv.get("closed"));
  }
}

export default {
  fetch: (request, env) => env.ROOM.getByName("room").fetch(request),
};
"#;

/// With objects that leave memory after a tenth of a second without events.
fn quick() -> Site {
    worker(ROOM).arg("--actor-idle").arg("100ms")
}

/// Waits until the object has been in memory for one more time than so far; each look would wake it, so a client's
/// message looks.
#[track_caller]
fn hibernated(host: &Host) {
    host.log.next("hibernates");
}

#[test]
fn a_hibernating_object_is_constructed_again_by_a_message() {
    let host = quick().arg("--log").arg("debug").serve();
    let mut one = Client::open(&host, "/?name=one");
    let mut two = Client::open(&host, "/?name=two");
    one.send("first");
    assert_eq!(one.json(), json!({ "name": "one", "messages": 1, "tags": ["one"], "constructions": 1 }));

    hibernated(&host);
    // An automatic answer wakes nobody.
    one.send("ping");
    assert_eq!(one.text(), "pong");
    one.send("second");
    assert_eq!(one.json(), json!({ "name": "one", "messages": 2, "tags": ["one"], "constructions": 2 }));
    one.send("to two hello");
    assert_eq!(two.text(), "hello");

    hibernated(&host);
    two.close(1000, "bye");
    assert_eq!(one.text(), "1000 bye of two");
    assert_eq!(host.get("/").json()["constructions"], 3);
}

#[test]
fn a_hot_reload_keeps_sockets_and_attachments() {
    let host = worker(ROOM).dev();
    let mut one = Client::open(&host, "/?name=one");
    one.send("first");
    assert_eq!(one.json()["messages"], 1);

    host.site.write("main.js", ROOM.replace("messages += 1", "messages += 100"));
    host.log.next("reloaded");
    // The object moves at a quiet moment, so the first message after the save may meet the old code.
    let mut last = 1;
    loop {
        one.send("again");
        let messages = one.json()["messages"].as_u64().expect("a count");
        match messages - last {
            1 => last = messages,
            100 => break,
            other => panic!("{other} more"),
        }
    }
    assert_eq!(host.get("/").json()["sockets"], 1);
}
