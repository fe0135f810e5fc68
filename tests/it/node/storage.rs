//! `AsyncLocalStorage`: a store lasts as long as the code that was started in it, lines included, and is never seen by
//! the code of another visitor.

use std::collections::BTreeSet;

use serde_json::json;

use super::answer_of;
use crate::support::serve;

const STORAGE: &str = r#"import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";"#;

#[test]
fn a_store_is_kept_across_every_way_to_go_on() {
    let answer = answer_of(
        &format!(
            r#"{STORAGE} import fs from "node:fs"; import net from "node:net"; import zlib from "node:zlib"; import crypto from "node:crypto"; import {{ EventEmitter }} from "node:events"; import {{ setTimeout as later }} from "node:timers/promises";
            const storage = new AsyncLocalStorage();"#
        ),
        r#"
        return await storage.run("the store", async () => {
          const lost = [];
          const check = (name) => { if (storage.getStore() !== "the store") lost.push(name); };
          const call = (name, start) => new Promise((done) => start(() => { check(name); done(); }));
          await wait(1); check("await");
          await later(1); check("timers/promises");
          await call("setTimeout", (done) => setTimeout(done, 1));
          await call("nextTick", (done) => process.nextTick(done));
          await call("setImmediate", (done) => setImmediate(done));
          await call("queueMicrotask", (done) => queueMicrotask(done));
          await call("fs", (done) => fs.stat(".", done));
          await call("zlib", (done) => zlib.gzip("x", done));
          await call("scrypt", (done) => crypto.scrypt("a", "b", 8, { N: 2 }, done));
          await call("randomBytes", (done) => crypto.randomBytes(8, done));
          await fetch("data:,x"); check("fetch");
          async function* generator() { check("generator"); yield 1; await wait(1); check("generator after await"); yield 2; }
          for await (const _ of generator()) check("for await");
          const emitter = new EventEmitter();
          await call("emitter", (done) => { emitter.on("x", done); setTimeout(() => emitter.emit("x"), 1); });
          const server = net.createServer((socket) => socket.pipe(socket)).listen(0, "127.0.0.1");
          await call("listening", (done) => server.on("listening", done));
          const socket = net.connect(server.address().port, "127.0.0.1");
          await call("connect", (done) => socket.on("connect", done));
          await call("data", (done) => { socket.once("data", done); socket.write("x"); });
          await call("end", (done) => { socket.once("end", done); socket.end(); });
          server.close();
          const resource = new AsyncResource("test");
          storage.exit(() => { if (storage.getStore() !== undefined) lost.push("exit"); resource.runInAsyncScope(check, null, "resource"); });
          storage.run("inner", () => { if (storage.getStore() !== "inner") lost.push("inner"); });
          check("after inner");
          return lost;
        });"#,
    );

    assert_eq!(answer, json!([]));
}

#[test]
fn a_store_lasts_as_long_as_the_line_and_belongs_to_one_visitor() {
    let host = serve(&format!(
        r#"{STORAGE}
        const storage = new AsyncLocalStorage();
        export default (event) => storage.run(event.url.searchParams.get("name"), () => {{
          const send = (type) => event.client.postMessage([type, storage.getStore() ?? null], {{ type: "seen" }});
          event.respondWith({{ name: storage.getStore() }}, {{ done: false }});
          event.client.addEventListener("ask", async () => {{
            send("message");
            await null;
            send("await");
            setTimeout(() => send("timer"), 1);
          }});
          event.client.addEventListener("question", async () => {{
            await event.client.postRequest("?", {{ type: "question" }});
            send("reply");
          }});
        }});"#
    ));

    let mut lines: Vec<_> =
        ["a", "b", "c"].into_iter().map(|name| (name, host.open(&format!("/?name={name}")).1)).collect();

    // Twice, so that the messages of each come between those of the others.
    for _ in 0..2 {
        for (_, line) in &mut lines {
            line.send("ask", json!(null));
        }
        for (name, line) in &mut lines {
            for way in ["message", "await", "timer"] {
                assert_eq!(line.expect("seen"), json!([way, name]), "{}", line.transcript());
            }
        }
    }
    for (name, line) in &mut lines {
        line.send("question", json!(null));
        let question = line.next_frame();
        line.reply(&question, json!("!"));
        assert_eq!(line.expect("seen"), json!(["reply", name]));
    }
}

#[test]
fn no_store_is_seen_by_another_request() {
    let host = serve(&format!(
        r#"{STORAGE}
        const storage = new AsyncLocalStorage();
        const seen = [];
        export default async (event, next) => {{
          if (next.stepname === "seen") return {{ seen, here: storage.getStore() ?? null }};
          seen.push(storage.getStore() ?? null);
          storage.enterWith(event.url.searchParams.get("name"));
          await new Promise((done) => setImmediate(done));
          return {{ mine: storage.getStore() }};
        }}"#
    ));

    let names: BTreeSet<String> = (0..8).map(|n| format!("visitor {n}")).collect();
    std::thread::scope(|scope| {
        for name in &names {
            let host = &host;
            scope.spawn(move || {
                let path = format!("/?name={}", name.replace(' ', "%20"));
                assert_eq!(host.get(&path).json(), json!({ "mine": name }));
            });
        }
    });

    let nothing = vec![json!(null); names.len()];
    assert_eq!(host.get("/seen").json(), json!({ "seen": nothing, "here": null }));
}
