//! Applications that are written for Cloudflare's Workers and Durable Objects.
//!
//! | module | what it tests |
//! |---|---|
//! | `alarms` | alarms outlive the process, and are tried again |
//! | `chat` | an application of two classes (`chat/`): rooms that hibernate, a backlog, a limiter |
//! | `crowd` | a thousand clients in one room |
//! | `database` | D1 |
//! | `feed` | the seed's event streams and streamed HTML |
//! | `hibernation` | sockets that outlive their object's instance |
//! | `room` | the seed's chat room |
//! | `storage` | what an object keeps |
//!
//! `seed/` has the seed's files as they were published. What else is recorded of the real system stands in
//! `tests/oracle/workers`.

mod alarms;
mod chat;
mod crowd;
mod database;
mod feed;
mod hibernation;
mod room;
mod storage;

use std::net::TcpStream;

use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocket};

use crate::support::{Host, Site};
use crate::websockets::{closed, frame, next};

/// What the seed's wrangler configuration leaves to the application: its name and its database.
const HEAD: &str = r#"name = "my-app"
compatibility_date = "2026-11-01"

[[d1_databases]]
binding = "DB"
database_name = "chat"
database_id = "00000000-0000-4000-8000-000000000000"

"#;

/// The second class of the configuration, which the seed does not have; it also shows how many sessions a room has.
const USER_PRESENCE: &str = r#"
import { ChatRoom } from "./ChatRoom.js";

const chat = ChatRoom.prototype.fetch;
ChatRoom.prototype.fetch = function (request) {
  if (new URL(request.url).pathname === "/size") return Response.json({ size: this.sessions.size });
  return chat.call(this, request);
};

export class UserPresence {
  constructor(state) {
    this.state = state;
  }
  fetch() {
    return new Response("present");
  }
}
"#;

/// Makes the tables, counts messages, inserts notifications, and asks a room for its size.
const PROBE: &str = r#"
export default async function probe(request, { env }) {
  const { searchParams } = new URL(request.url);
  switch (searchParams.get("what")) {
    case "tables":
      await env.DB.exec("CREATE TABLE messages (room_id TEXT, user_id TEXT, content TEXT, timestamp INTEGER)");
      await env.DB.exec("CREATE TABLE notifications (id INTEGER PRIMARY KEY, user_id TEXT, message TEXT, created_at TEXT DEFAULT (datetime('now')))");
      return Response.json("made");
    case "messages":
      return Response.json((await env.DB.prepare("SELECT * FROM messages").all()).results);
    case "notify":
      return Response.json((await env.DB.prepare("INSERT INTO notifications (user_id, message) VALUES (?, ?)").bind(searchParams.get("user"), searchParams.get("text")).run()).success);
    case "size": {
      const room = env.CHAT_ROOM.get(env.CHAT_ROOM.idFromName(searchParams.get("room")));
      return room.fetch("http://localhost/size");
    }
    default:
      return new Response("what?", { status: 400 });
  }
}
"#;

/// The seed's application, with what it needs besides.
fn seed() -> Site {
    Site::new()
        .file("wrangler.toml", [HEAD, include_str!("seed/wrangler.toml")].concat())
        .file("functions/api/chat.js", include_str!("seed/functions/api/chat.js"))
        .file("functions/api/live-feed.js", include_str!("seed/functions/api/live-feed.js"))
        .file("durable-objects/ChatRoom.js", include_str!("seed/durable-objects/ChatRoom.js"))
        .file("components/LiveDashboard.js", include_str!("seed/components/LiveDashboard.js"))
        .file("components/LiveMetrics.js", include_str!("seed/components/LiveMetrics.js"))
        .file("durable-objects/UserPresence.js", USER_PRESENCE)
        .file("functions/api/probe.js", PROBE)
}

/// The seed's application, running, with its tables.
#[track_caller]
fn served_seed() -> Host {
    let host = seed().serve();
    assert_eq!(host.get("/api/probe?what=tables").json(), "made");
    host
}

/// A Worker of one module with one class, `Room`, that keeps its data in SQLite. The binding is `ROOM`.
fn worker(module: &str) -> Site {
    let configuration = r#"{
      "name": "worker",
      "main": "main.js",
      "compatibility_date": "2026-11-01",
      "durable_objects": { "bindings": [{ "name": "ROOM", "class_name": "Room" }] },
      "migrations": [{ "tag": "v1", "new_sqlite_classes": ["Room"] }]
    }"#;
    Site::new().file("wrangler.jsonc", configuration).file("main.js", module)
}

/// A client's WebSocket.
struct Client(WebSocket<TcpStream>);

impl Client {
    #[track_caller]
    fn open(host: &Host, path: &str) -> Self {
        match host.dial(path).upgrade() {
            Ok((socket, _)) => Self(socket),
            Err(status) => panic!("{path} is refused with {status}"),
        }
    }

    #[track_caller]
    fn send(&mut self, text: impl Into<String>) {
        self.0.send(Message::text(text.into())).expect("the host reads");
    }

    #[track_caller]
    fn send_json(&mut self, value: &Value) {
        self.send(value.to_string());
    }

    /// The text of the next message.
    #[track_caller]
    fn text(&mut self) -> String {
        match next(&mut self.0) {
            Some(Message::Text(text)) => text.to_string(),
            other => panic!("{other:?} instead of text"),
        }
    }

    /// The next message, parsed.
    #[track_caller]
    fn json(&mut self) -> Value {
        let text = self.text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The code and reason of the end, which comes next.
    #[track_caller]
    fn closed(&mut self) -> (u16, String) {
        closed(&mut self.0)
    }

    #[track_caller]
    fn close(&mut self, code: u16, reason: &'static str) {
        let close: CloseFrame = frame(code, reason);
        self.0.close(Some(close)).expect("a close frame is sent");
    }

    /// Ends the connection with a reset and without a close frame.
    fn reset(self) {
        let stream = self.0.get_ref();
        socket2::SockRef::from(stream).set_linger(Some(std::time::Duration::ZERO)).expect("an option is set");
    }
}
