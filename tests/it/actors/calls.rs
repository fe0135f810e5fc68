//! Requests to actors, and calls of their methods.

use serde_json::json;

use super::{call, get, rooms, value};
use crate::support::Site;

#[test]
fn a_name_always_meets_the_same_object() {
    let host = rooms("n = 0; add(k) { return this.n += k; } whose() { return this.ctx.id.name; }").serve();

    // Each request has a connection of its own, so both workers call.
    for n in 1..=6 {
        assert_eq!(value(&host, "add", &json!([2])), 2 * n);
    }
    assert_eq!(call(&host, "b", "add", &json!([5])), json!({ "value": 5 }));
    assert_eq!(get(&host, "whose"), "a");
}

/// A visitor's request that is passed on is answered with the redirect; one of the handler's own follows it.
#[test]
fn redirects_of_an_object_are_for_whom_the_request_is() {
    let host = rooms(
        r#"async fetch(request) {
          const { pathname, searchParams } = new URL(request.url);
          if (pathname !== "/fetch") return new Response(`${request.method} ${pathname} ${await request.text()}`);
          const status = Number(searchParams.get("status"));
          return new Response(null, { status, headers: { location: "/end" } });
        }"#,
    )
    .serve();

    for status in [303, 307] {
        let answer = host.request("POST", &format!("/fetch?status={status}")).body("sent").send();
        assert_eq!((answer.status, answer.header("location")), (status, Some("/end")));
    }
    let site = Site::new().file(
        "handler.js",
        r#"import { Actor, actors } from "liveline:actors";
        const rooms = actors("Room", class extends Actor {
          async fetch(request) {
            if (request.url.endsWith("/end")) {
              const names = ["content-type", "content-language", "content-encoding", "content-location", "x-other"];
              const kept = names.filter((name) => request.headers.has(name));
              return new Response(`${request.method} ${await request.text()} ${kept}`);
            }
            return new Response(null, { status: Number(request.url.slice(-3)), headers: { location: "/end" } });
          }
        });
        const headers = {
          "content-type": "text/a", "content-language": "en", "content-encoding": "a", "content-location": "/", "x-other": "1",
        };
        export default async ({ url }) => {
          const { method, status } = url.query;
          const init = { method, body: "sent", headers };
          const response = await rooms.getByName("a").fetch(`http://x/${status}`, init);
          return [response.redirected, response.url, await response.text()];
        };"#,
    );
    let host = site.serve();
    let all = "content-type,content-language,content-encoding,content-location,x-other";
    for (method, status, end) in
        [("PUT", 307, format!("PUT sent {all}")), ("POST", 302, format!("GET  {all}"))]
    {
        let answer = host.get(&format!("/?method={method}&status={status}"));
        assert_eq!(answer.json(), json!([true, "http://x/end", end]));
    }
}

#[test]
fn a_request_and_its_answer_pass_with_their_bodies() {
    let host = rooms(
        r#"async fetch(request) {
          const { pathname } = new URL(request.url);
          if (pathname === "/fetch/stream") {
            return new Response(request.body, { status: 201, headers: { "x-method": request.method } });
          }
          const body = await request.text();
          return Response.json({ pathname, body, header: request.headers.get("x-one") });
        }"#,
    )
    .serve();

    let answer = host.request("POST", "/fetch/x").header("x-one", "1").body("hello").send();
    assert_eq!(answer.json(), json!({ "pathname": "/fetch/x", "body": "hello", "header": "1" }));

    let long = "0123456789".repeat(50_000);
    let answer = host.request("PUT", "/fetch/stream").body(long.clone()).send();
    assert_eq!((answer.status, answer.header("x-method")), (201, Some("PUT")));
    assert!(answer.text() == long, "{} bytes", answer.text().len());
}

#[test]
fn calls_of_one_stub_keep_their_order() {
    let site = Site::new().arg("--workers=2").file(
        "handler.js",
        r#"import { Actor, actors } from "liveline:actors";
        const logs = actors("Log", class extends Actor {
          lines = [];
          async add(line) { this.lines.push(line); await null; return this.lines.length; }
          all() { return this.lines; }
        });
        export default async (event) => {
          const log = logs.getByName("one");
          const counts = await Promise.all(Array.from({ length: 50 }, (_, i) => log.add(i)));
          return { counts, lines: await log.all() };
        };"#,
    );
    let host = site.serve();

    let answer = host.get("/").json();

    assert_eq!(answer["lines"], json!((0..50).collect::<Vec<_>>()));
    assert_eq!(answer["counts"], json!((1..=50).collect::<Vec<_>>()));
}

#[test]
fn values_are_copied_and_functions_and_targets_are_called_where_they_are() {
    let site = Site::new().arg("--workers=2").file(
        "handler.js",
        r#"import { Actor, actors, RpcTarget } from "liveline:actors";
        class Item extends RpcTarget {
          #n; own = 1;
          constructor(n) { super(); this.#n = n; }
          value() { return this.#n; }
        }
        const rooms = actors("Room", class extends Actor {
          item(n) { return new Item(n); }
          copy(value) { value.list.push("there"); return value; }
          each(callback) { return callback(6); }
          get label() { return "a label"; }
          stream() { return new Blob(["str", "eam"]).stream(); }
          cut() { return { inner: { item: new Item(9) }, when: new Date(5), map: new Map([[1, new Set([2])]]) }; }
        });
        const failure = async (promise) => { try { await promise; return "none"; } catch (e) { return `${e.name}: ${e.message}`; } };
        export default async () => {
          const room = rooms.getByName("one");
          const list = ["here"];
          const copied = await room.copy({ list });
          const cut = await room.cut();
          return {
            copied: copied.list, list,
            item: await (await room.item(7)).value(),
            pipelined: await room.item(8).value(),
            own: await failure((await room.item(1)).own),
            called: await room.each((x) => x * 7),
            label: await room.label,
            stream: await new Response(await room.stream()).text(),
            cut: [await cut.inner.item.value(), cut.when.getTime(), cut.map.get(1).has(2)],
            missing: await failure(room.nothing()),
            constructed: await failure(room.constructor()),
            symbol: await failure(room.copy(Symbol("no"))),
            instance: await failure(room.copy(new (class Own {})())),
          };
        };"#,
    );
    let host = site.serve();

    let answer = host.get("/").json();

    assert_eq!(answer["copied"], json!(["here", "there"]), "{answer}");
    assert_eq!(answer["list"], json!(["here"]));
    assert_eq!((&answer["item"], &answer["pipelined"]), (&json!(7), &json!(8)));
    assert_eq!(answer["called"], 42);
    assert_eq!(answer["label"], "a label");
    assert_eq!(answer["stream"], "stream");
    assert_eq!(answer["cut"], json!([9, 5, true]));
    let none = |name: &str| format!("TypeError: The RPC receiver does not implement the method \"{name}\".");
    assert_eq!(answer["own"], none("own"));
    assert_eq!(answer["missing"], none("nothing"));
    assert_eq!(
        answer["constructed"],
        "TypeError: 'constructor' is a reserved method and cannot be called over RPC."
    );
    assert!(answer["symbol"].as_str().unwrap().starts_with("DataCloneError: "), "{answer}");
    assert_eq!(
        answer["instance"],
        "DataCloneError: Could not serialize object of type \"Own\". This type does not support serialization."
    );
}

#[test]
fn ids_belong_to_one_class() {
    let site = Site::new().file(
        "handler.js",
        r#"import { Actor, actors } from "liveline:actors";
        const one = actors("One", class extends Actor {}), two = actors("Two", class extends Actor {});
        const failure = (work) => { try { work(); return "none"; } catch (e) { return `${e.name}: ${e.message}`; } };
        export default () => {
          const id = one.idFromName("x"), unique = one.newUniqueId();
          return {
            text: id.toString(), name: id.name, again: id.equals(one.idFromName("x")),
            parsed: one.idFromString(id.toString()).equals(id), other: unique.equals(one.newUniqueId()),
            unnamed: one.idFromString(unique.toString()).name ?? null,
            foreign: failure(() => two.idFromString(id.toString())), short: failure(() => one.idFromString("ab")),
            given: failure(() => two.get(id)), text_given: failure(() => one.get(id.toString())),
          };
        };"#,
    );
    let host = site.serve();

    let answer = host.get("/").json();

    assert_eq!(answer["text"].as_str().unwrap().len(), 64);
    assert_eq!(answer["name"], "x");
    assert_eq!(
        (&answer["again"], &answer["parsed"], &answer["other"]),
        (&json!(true), &json!(true), &json!(false))
    );
    assert_eq!(answer["unnamed"], json!(null));
    assert!(answer["foreign"].as_str().unwrap().contains("belongs to another class than Two"), "{answer}");
    assert_eq!(answer["short"], "TypeError: Invalid Durable Object ID: must be 64 hex digits");
    assert!(answer["given"].as_str().unwrap().contains("not valid for this namespace"), "{answer}");
    assert!(answer["text_given"].as_str().unwrap().contains("not of type 'DurableObjectId'"), "{answer}");
}

#[test]
fn other_events_wait_while_an_object_blocks_them() {
    let host = rooms(
        r#"constructor(ctx, env) {
          super(ctx, env);
          ctx.blockConcurrencyWhile(async () => {
            await new Promise((resolve) => setTimeout(resolve, 20));
            this.ready = true;
          });
        }
        async next() {
          const n = (await this.ctx.storage.get("n")) ?? 0;
          await this.ctx.storage.put("n", n + 1);
          return [this.ready, n];
        }"#,
    )
    .serve();

    let answers: Vec<_> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..8).map(|_| scope.spawn(|| get(&host, "next"))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });

    let mut numbers: Vec<_> = answers.iter().map(|answer| answer[1].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..8).collect::<Vec<_>>());
    assert!(answers.iter().all(|answer| answer[0] == true), "{answers:?}");
}
