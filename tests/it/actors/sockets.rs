//! The sockets of actors.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::{connect, get, rooms, text};
use crate::support::{Host, Site};
use crate::websockets::{closed, next};

/// A room that sends each message to all its other sockets.
const CHAT: &str = r#"sockets = new Set(); closes = [];
    fetch() {
      const [client, server] = Object.values(new WebSocketPair());
      server.accept();
      this.sockets.add(server);
      server.addEventListener("message", ({ data }) => {
        if (data === "bye") return server.close(1009, "too much");
        for (const socket of this.sockets) if (socket !== server) socket.send(data);
      });
      server.addEventListener("close", ({ code, reason, wasClean }) => {
        this.sockets.delete(server);
        this.closes.push([code, reason, wasClean]);
      });
      server.send("welcome");
      return new Response(null, { status: 101, webSocket: client });
    }
    state() { return { made: this.made, sockets: this.sockets.size, closes: this.closes }; }"#;

/// What the room has seen, once it has seen so many ends.
#[track_caller]
fn closes(host: &Host, count: usize) -> Value {
    loop {
        let state = get(host, "state");
        if state["closes"].as_array().unwrap().len() >= count {
            return state;
        }
    }
}

#[test]
fn sockets_meet_in_their_actor_whatever_worker_has_their_connections() {
    let host = rooms(CHAT).serve();
    let mut sockets: Vec<_> = (0..6).map(|_| connect(&host)).collect();
    for socket in &mut sockets {
        assert_eq!(text(socket), "welcome");
    }

    for n in 0..10 {
        sockets[0].send(Message::text(format!("message {n}"))).unwrap();
    }

    for socket in &mut sockets[1..] {
        for n in 0..10 {
            assert_eq!(text(socket), format!("message {n}"));
        }
    }
    sockets[1].send(Message::text("back")).unwrap();
    assert_eq!(text(&mut sockets[0]), "back");
}

#[test]
fn an_actor_receives_the_end_of_a_socket() {
    let host = rooms(CHAT).serve();
    let (mut one, mut two, mut three) = (connect(&host), connect(&host), connect(&host));
    for socket in [&mut one, &mut two, &mut three] {
        assert_eq!(text(socket), "welcome");
    }

    let frame = CloseFrame { code: CloseCode::Library(4001), reason: "enough".into() };
    one.close(Some(frame)).unwrap();
    assert_eq!(closed(&mut one), (4001, "enough".to_owned()));
    assert_eq!(closes(&host, 1)["closes"], json!([[4001, "enough", true]]));

    two.send(Message::text("bye")).unwrap();
    assert_eq!(closed(&mut two), (1009, "too much".to_owned()));

    drop(three);
    let state = closes(&host, 3);
    assert_eq!(state["closes"][2][0], 1006, "{state}");
    assert_eq!((&state["sockets"], &state["made"]), (&json!(0), &json!(1)));
}

#[test]
fn a_socket_as_the_body_of_a_request_is_joined_with_the_actors() {
    let site = Site::new().arg("--workers=2").file(
        "handler.js",
        format!(
            r#"import {{ Actor, actors }} from "liveline:actors";
            const rooms = actors("Room", class extends Actor {{ {CHAT} }});
            export default async function () {{
              const [client, server] = Object.values(new WebSocketPair());
              await rooms.getByName("r").fetch("http://localhost/websocket", {{
                headers: {{ Upgrade: "websocket" }},
                body: server,
              }});
              return new Response(null, {{ status: 101, webSocket: client }});
            }}"#
        ),
    );
    let host = site.serve();
    let (mut one, mut two) = (connect(&host), connect(&host));
    assert_eq!((text(&mut one), text(&mut two)), ("welcome".into(), "welcome".into()));

    one.send(Message::text("hi")).unwrap();

    assert_eq!(text(&mut two), "hi");
    two.close(None).unwrap();
    assert_eq!(closed(&mut two).0, 1005);
}

#[test]
fn a_handler_can_be_the_client_of_an_actors_socket() {
    let site = Site::new().arg("--workers=2").file(
        "handler.js",
        r#"import { Actor, actors } from "liveline:actors";
        const rooms = actors("Room", class extends Actor {
          fetch() {
            const [client, server] = Object.values(new WebSocketPair());
            server.accept();
            server.addEventListener("message", ({ data }) => {
              server.send(typeof data === "string" ? data.toUpperCase() : new Uint8Array(data).map((byte) => byte * 2));
            });
            server.addEventListener("close", ({ code }) => { this.code = code; });
            return new Response(null, { status: 101, webSocket: client });
          }
          async closed() {
            while (this.code === undefined) await new Promise((resolve) => setTimeout(resolve, 0));
            return this.code;
          }
        });
        export default async () => {
          const room = rooms.getByName("r");
          const { webSocket, status } = await room.fetch("http://x/", { headers: { Upgrade: "websocket" } });
          const received = [];
          webSocket.accept();
          webSocket.addEventListener("message", ({ data }) => received.push(data));
          webSocket.send("one");
          webSocket.send(new Uint8Array([1, 2]));
          while (received.length < 2) await new Promise((resolve) => setTimeout(resolve, 0));
          webSocket.close(3001, "done");
          return { status, text: received[0], bytes: [...new Uint8Array(received[1])], code: await room.closed() };
        };"#,
    );
    let host = site.serve();

    let answer = host.get("/").json();

    assert_eq!(answer, json!({ "status": 101, "text": "ONE", "bytes": [2, 4], "code": 3001 }));
}

/// A room whose sockets the host holds while it is not in memory.
const HIBERNATING: &str = r#"static limit = 1;
    constructor(ctx, env) {
      super(ctx, env);
      ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
    }
    fetch(request) {
      const user = new URL(request.url).searchParams.get("user");
      const [client, server] = Object.values(new WebSocketPair());
      this.ctx.acceptWebSocket(server, [user, "all"]);
      server.serializeAttachment({ user });
      server.send("welcome");
      return new Response(null, { status: 101, webSocket: client });
    }
    webSocketMessage(socket, message) {
      const { user } = socket.deserializeAttachment();
      const data = typeof message === "string" ? message : message.byteLength;
      for (const each of this.ctx.getWebSockets("all")) {
        each.send(JSON.stringify({ made, user, data, tags: this.ctx.getTags(each), name: this.ctx.id.name }));
      }
    }
    webSocketClose(socket, code, reason, wasClean) {
      const { user } = socket.deserializeAttachment();
      console.error(`closed ${user} ${code} ${reason} ${wasClean}`);
      socket.close(code, "echo");
    }
    count() { return [made, this.ctx.getWebSockets().length, this.ctx.getWebSockets("b").length]; }"#;

fn joined(host: &Host, user: &str) -> tokio_tungstenite::tungstenite::WebSocket<std::net::TcpStream> {
    let path = format!("/ws?user={user}");
    let mut socket = host.dial(&path).upgrade().unwrap_or_else(|status| panic!("refused with {status}")).0;
    assert_eq!(text(&mut socket), "welcome");
    socket
}

#[test]
fn sockets_outlive_the_object_that_accepted_them() {
    let host = rooms(HIBERNATING).arg("--actor-idle=50ms").arg("--metrics=127.0.0.1:0").serve();
    let (mut a, mut b) = (joined(&host, "a"), joined(&host, "b"));
    let hibernating = |figures: &crate::support::Figures| {
        figures.get("liveline_actors", &[("state", "hibernating")]) == 1.
            && figures.get("liveline_actors", &[("state", "alive")]) == 0.
    };
    host.until_figures(hibernating);

    a.send(Message::text("ping")).unwrap();
    assert_eq!(text(&mut a), "pong");
    host.until_figures(hibernating);
    a.send(Message::binary(vec![1, 2, 3])).unwrap();

    let mut message = |socket: &mut _, tag: &str| {
        let mut message: Value = serde_json::from_str(&text(socket)).unwrap();
        // More often if the object has hibernated between the two joins.
        assert!(message["made"].take().as_u64().unwrap() >= 2, "it was made again");
        assert_eq!(
            message,
            json!({ "made": null, "user": "a", "data": 3, "tags": [tag, "all"], "name": "a" })
        );
    };
    message(&mut a, "a");
    message(&mut b, "b");
    let frame = CloseFrame { code: CloseCode::Library(3001), reason: "left".into() };
    b.close(Some(frame)).unwrap();
    assert_eq!(closed(&mut b), (3001, "left".to_owned()));
    host.log.next("closed b 3001 left true");
    while get(&host, "count")[1] != 1 {}
    assert_eq!(get(&host, "count")[2], 0);
}

#[test]
fn a_room_has_as_many_sockets_and_messages_as_its_application_allows() {
    let site = Site::new().file(
        "handler.js",
        format!(
            r#"import {{ Actor, actors }} from "liveline:actors";
            const rooms = actors("Room", class extends Actor {{ {CHAT} }}, {{ maxSockets: 2, messageRate: 5 }});
            export default (event) => rooms.getByName("r").fetch(event.request);"#
        ),
    );
    let host = site.serve();
    let (mut one, mut two) = (connect(&host), connect(&host));
    assert_eq!((text(&mut one), text(&mut two)), ("welcome".into(), "welcome".into()));

    assert_eq!(host.dial("/ws").upgrade().map(drop), Err(503));
    for n in 0..6 {
        one.send(Message::text(format!("{n}"))).unwrap();
    }

    for n in 0..5 {
        assert_eq!(text(&mut two), n.to_string());
    }
    assert!(text(&mut one).contains("MESSAGE_RATE_LIMIT"));
    two.close(None).unwrap();
    assert!(matches!(next(&mut two), None | Some(Message::Close(_))));
}
