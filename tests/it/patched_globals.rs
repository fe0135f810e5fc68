//! A handler that replaces built-ins breaks itself, and neither the host nor the exchanges of others.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Host, Site};

/// Replaces every function and accessor that can be reached from the global object, prototypes of generators and
/// iterators included, by a function that throws. It uses nothing but what it took before.
const PATCH: &str = r#"
const { defineProperty, getOwnPropertyDescriptor, getPrototypeOf, ownKeys } = Reflect;
const { species } = Symbol;
const promises = Promise.prototype;
const seen = new Set();
const [isSeen, see] = [seen.has.bind(seen), seen.add.bind(seen)];
const hidden = [
  function* () {}.prototype, async function* () {}.prototype, async function () {}, [][Symbol.iterator](),
  new Map()[Symbol.iterator](), new Set()[Symbol.iterator](), ""[Symbol.iterator](), "".matchAll(/a/g), new Headers().keys(),
];
const found = [globalThis];
let length = 1;
const meet = (value) => {
  const isObject = (typeof value === "object" && value !== null) || typeof value === "function";
  if (!isObject || isSeen(value)) return;
  see(value);
  found[length] = value;
  length += 1;
};
for (const object of hidden) meet(object);
const Replaced = RangeError;
const broken = function () { throw new Replaced("this was replaced"); };
let count = 0;

function patchAll() {
  see(globalThis);
  for (let i = 0; i < length; i++) {
    meet(getPrototypeOf(found[i]));
    const keys = ownKeys(found[i]);
    for (let k = 0; k < keys.length; k++) {
      const property = getOwnPropertyDescriptor(found[i], keys[k]);
      if (property.get === undefined) meet(property.value);
    }
  }
  for (let i = 0; i < length; i++) {
    const keys = ownKeys(found[i]);
    for (let k = 0; k < keys.length; k++) {
      // Every `await` looks these up. To pin them would cost all code V8's short ways with arrays and promises.
      if (keys[k] === species || (found[i] === promises && keys[k] === "constructor")) continue;
      const property = getOwnPropertyDescriptor(found[i], keys[k]);
      const isAccessor = property.get !== undefined || property.set !== undefined;
      if (!isAccessor && typeof property.value !== "function") continue;
      if (property.configurable) {
        if (isAccessor) defineProperty(found[i], keys[k], { get: broken, set: broken, configurable: true });
        else defineProperty(found[i], keys[k], { value: broken, configurable: true, writable: true });
        count += 1;
      } else if (property.writable) {
        found[i][keys[k]] = broken;
        count += 1;
      }
    }
  }
}

export default () => {
  patchAll();
  return count;
};
"#;

/// What the others take before, each for its own use.
const TAKEN: &str = r#"
const call = Function.prototype.call;
export const take = (method) => call.bind(method);
export const { Error: E, Promise: P, Response: R, ReadableStream: Stream, Uint8Array: Bytes, setTimeout: wait } = globalThis;
export const json = R.json.bind(R);
export const listen = take(EventTarget.prototype.addEventListener);
export const bodyOf = take(Request.prototype.json);
export const resolved = P.resolve.bind(P);
"#;

fn site() -> Site {
    let handler = |code: &str| {
        format!("import * as $ from \"../lib/taken.js\";\nimport Observer from \"@webqit/observer\";\n{code}")
    };
    Site::new()
        .file("lib/taken.js", TAKEN)
        .file("patch/handler.js", PATCH)
        .file("data/handler.js", handler("export default () => ({ ok: true, list: [1, { two: [2] }] });"))
        .file("text/handler.js", handler(r#"export default () => "text";"#))
        .file("late/handler.js", handler("export default async () => { await null; return { late: true }; };"))
        .file("promise/handler.js", handler("export default () => $.resolved({ promised: true });"))
        .file("timer/handler.js", handler(r#"export default async () => { await new $.P((r) => { $.wait(r, 1); }); return "waited"; };"#))
        .file(
            "response/handler.js",
            handler(r#"export default () => new $.R("made", { status: 201, headers: { "x-made": "yes" } });"#),
        )
        .file("json/handler.js", handler("export default () => $.json({ json: 1 });"))
        .file(
            "stream/handler.js",
            handler(
                r#"const Controller = ReadableStreamDefaultController.prototype;
                const [enqueue, close] = [$.take(Controller.enqueue), $.take(Controller.close)];
                export default () => new $.R(new $.Stream({
                  start(controller) { enqueue(controller, new $.Bytes(3)); close(controller); },
                }));"#,
            ),
        )
        .file(
            "part/handler.js",
            handler(
                r#"const bytes = new TextEncoder().encode("0123456789");
                const Controller = ReadableStreamDefaultController.prototype;
                const [enqueue, close] = [$.take(Controller.enqueue), $.take(Controller.close)];
                const headers = { "accept-ranges": "bytes", "content-length": "10" };
                export default () => new $.R(new $.Stream({
                  start(controller) { enqueue(controller, bytes); close(controller); },
                }), { headers });"#,
            ),
        )
        .file("along/handler.js", handler(r#"export default (event) => event.redirectWith("/taken", { said: "hi" });"#))
        .file("taken/handler.js", handler(r#"export default (event) => event.thread.consume("said");"#))
        .file("body/handler.js", handler("export const POST = async (event) => ({ got: await $.bodyOf(event.request) });"))
        .file("fail/handler.js", handler(r#"export default () => { throw new $.E("thrown after the patch"); };"#))
        .file("reject/handler.js", handler(r#"export default async () => { throw new $.E("rejected after the patch"); };"#))
        .file("nest/handler.js", handler("export default async (event, next) => ({ from: await next() });"))
        .file("nest/inner/handler.js", handler("export default () => ({ inner: 1 });").replace("../lib", "../../lib"))
        .file("away/handler.js", handler(r#"export default (event, next) => next("/text");"#))
        .file("redirect/handler.js", handler(r#"export default (event) => event.redirect("/text");"#))
        .file("public/file.txt", "a file")
        .file("cookies/handler.js", handler(r#"export default async (event) => { await event.cookies.set("c", "1"); return await event.cookies.json(); };"#))
        .file(
            "session/handler.js",
            handler(r#"export default async (event) => {
              const times = (await event.session.get("times") ?? 0) + 1;
              await event.session.set("times", times);
              return { times };
            };"#),
        )
        .file(
            "sql/handler.js",
            handler(
                r#"import { client } from "liveline:sql";
                const query = client.query.bind(client);
                export default async () => {
                  await query("CREATE TABLE IF NOT EXISTS t (a)");
                  await query("INSERT INTO t VALUES (?)", [1]);
                  return (await query("SELECT a FROM t")).rows;
                };"#,
            ),
        )
        .file("page/page.html", r##"<title>p</title><h1 render="#text: data.title.toUpperCase(); %big: data.big">Wait</h1>"##)
        .file("page/handler.js", handler(r#"export default () => ({ title: "tea & cake", big: true });"#))
        .file(
            "live/handler.js",
            handler(
                r#"export default async (event) => {
                  const go = new $.P((r) => event.client.addEventListener("go", r));
                  event.respondWith({ n: 1, list: [1] }, { done: false });
                  await go;
                  await event.respondWith({ n: 2, list: [1] }, async (state, signal) => {
                    state.n = 3;
                    await null;
                    Observer.set(state.list, 0, "new");
                  }, { done: false });
                  event.respondWith({ n: 4 });
                };"#,
            ),
        )
        .file("generator/handler.js", handler("export default async function* () { yield { n: 1 }; yield { n: 2 }; }"))
        .file(
            "talk/handler.js",
            handler(
                r#"export default async (event) => {
                  const hello = new $.P((r) => event.client.addEventListener("hello", r));
                  event.client.postMessage("welcome", { type: "greeting" });
                  const { data } = await hello;
                  const answer = await event.client.postRequest({ heard: data });
                  const dialog = await event.user.confirm("Sure?");
                  return { answer: answer.data, sure: dialog.data };
                };"#,
            ),
        )
        .file(
            "channel/handler.js",
            handler(
                r#"export default (event) => {
                  event.client.enterChannel("room", { resolveData: (data) => ({ said: data }) });
                  event.waitUntilNavigate();
                  return "in";
                };"#,
            ),
        )
        .file(
            "socket/handler.js",
            handler(
                r#"const Pair = WebSocketPair, accept = $.take(WebSocket.prototype.accept);
                export default () => {
                  const { 0: client, 1: server } = new Pair();
                  $.listen(server, "message", (event) => server.send(`echo ${event.data}`));
                  accept(server);
                  return new $.R(null, { status: 101, webSocket: client });
                };"#,
            ),
        )
}

/// A host whose isolate a handler has spoiled.
fn spoiled() -> Host {
    let host = site().serve();
    let patched = host.get("/patch").json();
    assert!(patched.as_u64() > Some(1_000), "{patched} built-ins were replaced");
    host
}

#[test]
fn plain_answers_of_others_are_as_before() {
    let host = spoiled();

    assert_eq!(host.get("/data").json(), json!({ "ok": true, "list": [1, { "two": [2] }] }));
    assert_eq!(host.get("/text").text(), "text");
    assert_eq!(host.get("/late").json(), json!({ "late": true }));
    assert_eq!(host.get("/promise").json(), json!({ "promised": true }));
    assert_eq!(host.get("/timer").text(), "waited");
    assert_eq!(host.get("/json").json(), json!({ "json": 1 }));
    let made = host.get("/response");
    assert_eq!((made.status, made.text(), made.header("x-made")), (201, "made", Some("yes")));
    assert_eq!(host.get("/stream").text(), "\0\0\0");
    let part = host.request("GET", "/part").header("range", "bytes=2-5").send();
    assert_eq!((part.status, part.text()), (206, "2345"));
    let posted = host.request("POST", "/body").json(&json!({ "a": 1 })).send();
    assert_eq!(posted.json(), json!({ "got": { "a": 1 } }));
}

#[test]
fn steps_files_and_redirects_of_others_are_as_before() {
    let host = spoiled();

    assert_eq!(host.get("/nest/inner").json(), json!({ "from": { "inner": 1 } }));
    assert_eq!(host.get("/away").text(), "text");
    assert_eq!(host.get("/file.txt").text(), "a file");
    assert_eq!(host.get("/nothing").status, 404);
    let redirect = host.get("/redirect");
    assert_eq!((redirect.status, redirect.header("location")), (302, Some("/text")));
    let along = host.get("/along");
    let taken = along.header("location").expect("a redirect");
    let cookie = along.header("set-cookie").and_then(|cookie| cookie.split(';').next()).unwrap_or_default();
    assert_eq!(host.request("GET", taken).header("cookie", cookie).send().text(), "hi");
    assert_eq!(host.request("DELETE", "/body").send().header("allow"), Some("POST"));
}

#[test]
fn errors_of_other_handlers_are_logged_as_before() {
    let host = spoiled();

    assert_eq!(host.get("/fail").status, 500);
    host.log.next("thrown after the patch");
    assert_eq!(host.get("/reject").status, 500);
    host.log.next("rejected after the patch");
}

#[test]
fn what_is_stored_for_others_is_as_before() {
    let host = spoiled();

    let cookies = host.get("/cookies");
    assert_eq!(cookies.json(), json!({ "c": "1" }));
    let first = host.get("/session");
    let cookie = first.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a session");
    let second = host.request("GET", "/session").header("cookie", cookie).send();
    assert_eq!([first.json(), second.json()], [json!({ "times": 1 }), json!({ "times": 2 })]);
    assert_eq!(host.get("/sql").json(), json!([{ "a": 1 }]));
}

#[test]
fn pages_of_others_are_as_before() {
    let host = spoiled();

    let page = host.request("GET", "/page").header("accept", "text/html").send();

    assert!(page.text().contains("TEA &amp; CAKE</h1>"), "{page:?}");
    assert!(page.text().contains(r#"class="big""#), "{page:?}");
}

#[test]
fn states_of_others_go_on_as_before() {
    let host = spoiled();

    let (answer, mut line) = host.open("/live");
    assert_eq!(answer.json(), json!({ "n": 1, "list": [1] }));
    line.send("go", Value::Null);
    assert_eq!(line.expect_body(), json!({ "n": 2, "list": [1] }));
    let changed: Vec<_> = (0..2).map(|_| line.next_frame()).collect();
    assert!(changed.iter().all(|frame| frame.kind.ends_with(".mutate")), "{changed:?}");
    assert_eq!(line.expect_body(), json!({ "n": 4 }));
    line.done();

    let (answer, mut line) = host.open("/generator");
    assert_eq!(answer.json(), json!({ "n": 1 }));
    assert_eq!(line.expect_body(), json!({ "n": 2 }));
    line.done();
}

#[test]
fn conversations_of_others_are_as_before() {
    let host = spoiled();

    let (_, mut line) = host.open("/talk");
    assert_eq!(line.expect("greeting"), "welcome");
    line.send("hello", json!({ "a": [1] }));
    let question = line.next_frame();
    assert_eq!(question.message, json!({ "heard": { "a": [1] } }));
    line.reply(&question, json!("an answer"));
    let dialog = line.next_frame();
    assert_eq!((dialog.kind.as_str(), &dialog.message), ("confirm", &json!({ "message": "Sure?" })));
    line.reply(&dialog, json!(true));
    assert_eq!(line.expect_body(), json!({ "answer": "an answer", "sure": true }));
    line.done();
}

#[test]
fn channels_of_others_are_as_before() {
    let host = spoiled();

    let (_, mut one) = host.open("/channel");
    let (_, mut two) = host.open("/channel");
    one.send("room:message", json!("hi"));

    assert_eq!(two.expect("room:message"), json!({ "said": "hi" }));
}

#[test]
fn sockets_of_others_are_as_before() {
    let host = spoiled();

    let (mut socket, _) = host.dial("/socket").upgrade().expect("it opens");
    socket.send(Message::text("hello")).expect("it takes a message");

    assert_eq!(socket.read().expect("it answers"), Message::text("echo hello"));
}

#[test]
fn sockets_to_other_servers_are_as_before() {
    let upstream = site().serve();
    let dial = format!(
        r#"const fetched = fetch, headers = {{ upgrade: "websocket" }};
        export default () => fetched("http://{}/socket", {{ headers }});"#,
        upstream.address()
    );
    let host = site().file("far/handler.js", &dial).serve();
    host.get("/patch");
    let (mut socket, _) = host.dial("/far").upgrade().expect("it opens");
    socket.send(Message::text("hello")).expect("it takes a message");

    assert_eq!(socket.read().expect("it answers"), Message::text("echo hello"));
}

/// `concat()` takes an array as one item, or takes another object apart, if the object says so.
#[test]
fn lists_are_joined_whatever_is_spreadable() {
    let host = site()
        .file(
            "spread/handler.js",
            "export default () => { Array.prototype[Symbol.isConcatSpreadable] = false; return 'done'; };",
        )
        .file(
            "deep/handler.js",
            r#"export default (event) => event.respondWith({ a: { b: [1] } }, async (state) => {
              await new Promise((resolve) => event.client.addEventListener("go", resolve));
              state.a.b[0] = 2;
              return { done: true };
            }, { done: false });"#,
        )
        .serve();
    host.get("/spread");

    let (answer, mut line) = host.open("/deep");
    assert_eq!(answer.json(), json!({ "a": { "b": [1] } }));
    line.send("go", Value::Null);

    let change = line.next_frame();
    assert!(change.kind.ends_with(".mutate"), "{change:?}");
    assert_eq!(change.message[0]["path"], json!(["a", "b", "0"]), "{change:?}");
}

#[test]
fn three_famous_methods_may_be_replaced_while_exchanges_are_live() {
    let host = site()
        .file(
            "famous/handler.js",
            r#"export default () => {
              JSON.stringify = () => { throw 1; };
              Promise.prototype.then = () => { throw 2; };
              Map.prototype.get = () => { throw 3; };
              Array.prototype[Symbol.iterator] = () => { throw 4; };
              return "done";
            };"#,
        )
        .serve();
    let (_, mut line) = host.open("/live");

    assert_eq!(host.get("/famous").text(), "done");

    line.send("go", Value::Null);
    assert_eq!(line.expect_body(), json!({ "n": 2, "list": [1] }));
    assert_eq!(host.get("/late").json(), json!({ "late": true }));
}

/// Packages give a stream an iterator of their own, which code may do to one object and not to all.
#[test]
fn an_instance_may_have_its_own_iterator() {
    let host = Site::new()
        .file(
            "handler.js",
            r#"
            class Numbers extends ReadableStream {}
            Numbers.prototype[Symbol.asyncIterator] = async function* () { yield "subclass"; };
            const own = (object, name) => {
              const kind = name === "asyncIterator" ? async function* () { yield "own"; } : function* () { yield "own"; };
              object[Symbol[name]] = kind;
              return object;
            };
            const all = async (iterable) => {
              const items = [];
              for await (const item of iterable) items.push(item);
              return items;
            };
            const source = { start(controller) { controller.enqueue("inherited"); controller.close(); } };
            export default async () => {
              const frozen = Object.freeze(new Headers());
              const refused = [];
              for (const object of [Headers.prototype, frozen]) {
                try { object[Symbol.iterator] = () => {}; } catch (error) { refused.push(error.name); }
              }
              return {
                streams: [
                  await all(own(new ReadableStream(), "asyncIterator")),
                  await all(own(new TransformStream().readable, "asyncIterator")),
                  await all(new Numbers()),
                  await all(new ReadableStream(source)),
                ],
                lists: [
                  await all(own(new Headers({ a: "1" }), "iterator")),
                  await all(own(new URLSearchParams("a=1"), "iterator")),
                  await all(own(new FormData(), "iterator")),
                  await all(new Headers({ a: "1" })),
                ],
                keys: Object.keys(own(new Headers(), "iterator")),
                refused,
              };
            };"#,
        )
        .serve();

    let expected = json!({
        "streams": [["own"], ["own"], ["subclass"], ["inherited"]],
        "lists": [["own"], ["own"], ["own"], [["a", "1"]]],
        "keys": [],
        "refused": ["TypeError", "TypeError"],
    });
    assert_eq!(host.get("/").json(), expected);
}

/// What a handler adds to all objects is in none that the host makes for others.
#[test]
fn what_is_added_to_object_prototype_is_no_option() {
    let host = Site::new()
        .file(
            "handler.js",
            r#"
            export default async function (event, next) {
              if (next.stepname === "add") {
                const added = { __proto__: null, value: "added", configurable: true, writable: true };
                for (const name of ["status", "headers", "value", "get", "set", "signal"]) {
                  Object.defineProperty(Object.prototype, name, added);
                }
                return "added";
              }
              if (next.stepname === "body") return await event.request.json();
              if (next.stepname === "moved") return event.redirect("/elsewhere");
              return await next();
            }"#,
        )
        .file("states/handler.js", "export default async function* () { yield { n: 1 }; yield { n: 2 }; }")
        .serve();
    assert_eq!(host.get("/add").text(), "added");

    assert_eq!(host.request("POST", "/body").body(r#"{"a":1}"#).send().text(), r#"{"a":1}"#);
    let moved = host.get("/moved");
    assert_eq!((moved.status, moved.header("location")), (302, Some("/elsewhere")));
    let (answer, mut line) = host.open("/states");
    assert_eq!((answer.status, answer.text()), (200, r#"{"n":1}"#));
    assert_eq!(line.expect("response.replace")["body"], json!({ "n": 2 }));
}

/// Frameworks replace the global Response by a class whose objects make the Response behind them when it is needed.
#[test]
fn responses_of_a_derived_class_are_answers() {
    let host = Site::new()
        .file(
            "handler.js",
            r#"
            const Plain = globalThis.Response;
            class Derived {
              constructor(body, init) { this.make = () => this.made ??= new Plain(body, init); }
              clone() { return this.make().clone(); }
            }
            for (const name of ["body", "headers", "status", "statusText"]) {
              Object.defineProperty(Derived.prototype, name, { get() { return this.make()[name]; } });
            }
            Object.setPrototypeOf(Derived, Plain);
            Object.setPrototypeOf(Derived.prototype, Plain.prototype);
            Object.defineProperty(globalThis, "Response", { value: Derived });
            export default (event, next) => {
              switch (next.stepname) {
                case "empty": return Object.create(Plain.prototype);
                case "later": return Promise.resolve(new Response("later"));
                case "stream": return new Response(new Blob(["a stream"]).stream());
                default: return new Response("derived", { status: 201, headers: { "x-a": "1" } });
              }
            };"#,
        )
        .serve();

    let answer = host.get("/");
    assert_eq!((answer.status, answer.header("x-a"), answer.text()), (201, Some("1"), "derived"));
    assert_eq!(host.get("/later").text(), "later");
    assert_eq!(host.get("/stream").text(), "a stream");
    assert_eq!(host.get("/empty").status, 500);
    host.log.next("The result is no Response, though it has the prototype of one.");
}

/// The same for Headers: what their iterator gives counts.
#[test]
fn headers_of_a_derived_class_are_read_by_their_iterator() {
    let host = Site::new()
        .file(
            "handler.js",
            r#"
            const headers = Object.create(Headers.prototype);
            Object.defineProperty(headers, Symbol.iterator, { value: function* () { yield ["x-a", "1"]; } });
            export default () => [
              new Headers(headers).get("x-a"),
              new Request("http://x", { headers }).headers.get("x-a"),
              new Response("", { headers }).headers.get("x-a"),
              new Response("", { headers: new Headers({ "x-a": "2" }) }).headers.get("x-a"),
            ];"#,
        )
        .serve();

    assert_eq!(host.get("/").json(), json!(["1", "1", "1", "2"]));
}
