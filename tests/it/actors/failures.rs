//! What goes wrong with actors harms nothing else.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::{call, connect, get, rooms, rooms_of, text};
use crate::support::Site;
use crate::websockets::closed;

#[test]
fn errors_come_to_the_caller() {
    let host = rooms(
        r#"fail() { throw new RangeError("out of range"); }
        own() { throw Object.assign(new Error("own"), { code: "E_OWN" }); }
        fine() { return "fine"; }"#,
    )
    .serve();

    assert_eq!(
        call(&host, "a", "fail", &json!([])),
        json!({ "name": "RangeError", "message": "out of range", "remote": true })
    );
    assert_eq!(get(&host, "fine"), "fine");
}

#[test]
fn an_object_that_cannot_be_made_is_made_anew_with_the_next_call() {
    let host = rooms_of(
        1,
        r#"constructor(ctx, env) {
          super(ctx, env);
          if (made % 2 === 1) throw new Error(`attempt ${made}`);
        }
        hi() { return made; }"#,
    )
    .serve();

    assert_eq!(call(&host, "a", "hi", &json!([]))["message"], "attempt 1");
    assert_eq!(get(&host, "hi"), 2);
}

#[test]
fn abort_drops_what_was_not_stored_and_the_object() {
    let host = rooms(
        r#"lose() { this.ctx.storage.kv.put("lost", 1); this.ctx.abort("no more"); }
        async wait() { console.error("waits"); await new Promise(() => {}); }
        kept() { return this.ctx.storage.kv.get("lost") ?? null; }"#,
    )
    .serve();

    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| call(&host, "a", "wait", &json!([])));
        host.log.next("waits");
        assert_eq!(call(&host, "a", "lose", &json!([]))["message"], "no more");
        assert_eq!(waiting.join().unwrap()["message"], "no more");
    });
    assert_eq!(get(&host, "kept"), json!(null));
}

#[test]
fn a_loop_that_does_not_end_resets_its_actor_only() {
    let host = rooms_of(
        1,
        r#"spin() { while (true); }
        async late() { await new Promise((resolve) => setTimeout(resolve, 1)); while (true); }
        async stored() { await this.ctx.storage.put("a", 1); while (true); }
        fine() { return made; }"#,
    )
    .arg("--cpu-timeout=300ms")
    .serve();
    assert_eq!(get(&host, "fine"), 1);

    for (n, way) in ["spin", "late", "stored"].into_iter().enumerate() {
        let answer = call(&host, "a", way, &json!([]));
        assert!(answer["message"].as_str().unwrap().contains("CPU time limit"), "{way}: {answer}");
        assert_eq!(get(&host, "fine"), n + 2, "{way}");
    }
}

#[test]
fn messages_that_wait_for_an_object_that_is_reset_are_for_the_next_one() {
    let host = rooms_of(
        1,
        r#"fetch() {
          const [client, server] = Object.values(new WebSocketPair());
          this.ctx.acceptWebSocket(server);
          return new Response(null, { status: 101, webSocket: client });
        }
        webSocketMessage(socket, message) {
          if (message === "spin") while (true);
          if (message === "abort") this.ctx.abort("no more");
          socket.send(`${made}: ${message}`);
        }"#,
    )
    .arg("--cpu-timeout=300ms")
    .serve();
    let mut socket = connect(&host);
    for message in ["hello", "spin", "one", "two", "abort", "three"] {
        socket.send(Message::text(message)).unwrap();
    }
    for expected in ["1: hello", "2: one", "2: two", "3: three"] {
        assert_eq!(text(&mut socket), expected);
    }
}

#[test]
fn a_socket_whose_message_no_object_can_handle_closes() {
    let host = rooms_of(
        1,
        r#"constructor(ctx, env) {
          super(ctx, env);
          if (made > 1) throw new Error("no table");
        }
        fetch() {
          const [client, server] = Object.values(new WebSocketPair());
          this.ctx.acceptWebSocket(server);
          return new Response(null, { status: 101, webSocket: client });
        }
        webSocketMessage(socket, message) { this.ctx.abort(message); }"#,
    )
    .serve();
    let mut socket = connect(&host);
    for message in ["abort", "lost"] {
        socket.send(Message::text(message)).unwrap();
    }
    assert_eq!(closed(&mut socket), (1011, "the object did not handle a message".to_owned()));
}

#[test]
fn a_damaged_file_is_an_error_of_its_actor() {
    let host = rooms(
        r#"async put() { await this.ctx.storage.put("n", 1); return this.ctx.id.toString(); }
        async n() { return this.ctx.storage.get("n"); }"#,
    )
    .serve();
    let id = get(&host, "put");
    assert_eq!(call(&host, "b", "put", &json!([]))["value"].as_str().unwrap().len(), 64);
    let host = host.restart("TERM");
    let file = host.site.path(&format!(".liveline/actors/Room/{}.sqlite", id.as_str().unwrap()));
    // The log of the database has whole pages, which would mend it.
    for ending in ["sqlite-wal", "sqlite-shm"] {
        let _ = std::fs::remove_file(file.with_extension(ending));
    }
    std::fs::write(&file, "this is no database, and long enough to have a header of one ".repeat(20))
        .unwrap();
    let host = host.restart("KILL");

    let answer = call(&host, "a", "n", &json!([]));

    let message = answer["message"].as_str().unwrap();
    assert!(message.contains(".sqlite") && message.contains("damaged"), "{answer}");
    assert_eq!(call(&host, "b", "n", &json!([])), json!({ "value": 1 }));
}

#[test]
fn handlers_do_not_reach_the_files_of_actors() {
    let site = Site::new().file(
        "handler.js",
        r#"import { readFile } from "node:fs/promises";
        import { Actor, actors } from "liveline:actors";
        const rooms = actors("Room", class extends Actor {
          async put() { await this.ctx.storage.put("n", 1); return this.ctx.id.toString(); }
        });
        export default async () => {
          const id = await rooms.getByName("a").put();
          try { return (await readFile(`.liveline/actors/Room/${id}.sqlite`)).length; }
          catch (error) { return `${error.code} ${error.message}`; }
        };"#,
    );
    let host = site.serve();

    let answer = host.get("/").text().to_owned();

    assert!(answer.contains("is refused"), "{answer}");
}

#[test]
fn two_classes_cannot_have_one_name() {
    let site = Site::new().file(
        "handler.js",
        r#"import { Actor, actors } from "liveline:actors";
        actors("Room", class extends Actor {});
        actors("Room", class extends Actor {});
        export default () => "";"#,
    );

    let check = site.run("check");

    assert!(check.output().contains("There are two classes of actors named Room"), "{}", check.output());
}

#[test]
fn an_error_of_an_actor_is_logged_with_its_place_there() {
    let host = Site::new()
        .file(
            "rooms.js",
            r#"import { Actor, actors } from "liveline:actors";
            export const rooms = actors("Room", class extends Actor {
              fail() {
                throw new RangeError("out of range");
              }
            });"#,
        )
        .file(
            "handler.js",
            r#"import { rooms } from "./rooms.js";
            export default async () => await rooms.getByName("a").fail();"#,
        )
        .serve();

    assert_eq!(host.get("/").status, 500);

    host.log.next("RangeError: out of range");
    host.log.next("rooms.js:4:23");
}
