//! `@webqit/fetch-plus` beyond LiveResponse: headers as structures, bodies of any type, forms as JSON. The first four
//! suites are what the package's own tests ask for.

use serde_json::{Value, json};

use crate::support::{Host, Site, serve};

/// What a handler makes of this body, with everything that the package exports at hand.
fn made(body: &str) -> Value {
    let host = serving(body);
    let answer = host.get("/");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn serving(body: &str) -> Host {
    serve(&format!(
        r#"import {{ FormDataPlus, HeadersPlus, RequestPlus, ResponsePlus, fetchPlus, LiveResponse, Observer }}
             from "@webqit/fetch-plus";
           export default async function (event) {{ {body} }}"#
    ))
}

// -- Headers ------------------------------------------------------------------------------------------

#[test]
fn cookies_are_lists_of_objects() {
    let value = made(
        r#"const headers = new HeadersPlus({ Cookie: "name=value; name2=value2" });
           const answer = new HeadersPlus();
           answer.append("Set-Cookie", "session=123; Secure; Path=/; Max-Age=60; HttpOnly; SameSite=Lax");
           answer.append("Set-Cookie", { name: "b", value: "2", secure: true, maxAge: 5, sameSite: "strict", domain: undefined });
           const many = new HeadersPlus();
           many.set("Set-Cookie", [{ name: "x", value: 1 }, "y=2"]);
           many.set("Cookie", [{ name: "x", value: 1 }, { name: "y", value: 2 }]);
           return [headers.get("cookie", true), answer.get("set-cookie", true), answer.getSetCookie()[1], many.getSetCookie(),
             many.get("cookie"), headers.get("cookie"), new HeadersPlus().get("cookie", true)];"#,
    );

    let set = json!([
        { "name": "session", "value": "123", "secure": true, "path": "/", "maxAge": 60, "httpOnly": true, "sameSite": "Lax" },
        { "name": "b", "value": "2", "secure": true, "maxAge": 5, "sameSite": "strict" },
    ]);
    let expected = json!([
        [{ "name": "name", "value": "value" }, { "name": "name2", "value": "value2" }], set,
        "b=2; Secure; Max-Age=5; SameSite=strict", ["x=1", "y=2"], "x=1; y=2", "name=value; name2=value2", [],
    ]);
    assert_eq!(value, expected);
}

#[test]
fn ranges_are_lists_of_bounds() {
    let value = made(
        r#"const [a, b, c, d] = new HeadersPlus({ Range: "bytes=0-499, 500-999, -200, 900-" }).get("Range", true);
           const headers = new HeadersPlus();
           headers.set("Range", [[0, 500], [null, 7]]);
           const arrays = headers.get("range");
           headers.set("Range", ["0-5", "bytes=7-8"]);
           const texts = headers.get("range");
           headers.set("Content-Range", ["0-100", "1000"]);
           let error = null;
           try { headers.set("Content-Range", ["100"]); } catch (caught) { error = caught.name; }
           return [a, b, c, d, String(c), a.canResolveAgainst(0, 1000), a.canResolveAgainst(500, 1000), a.canResolveAgainst(0, 400),
             b.canResolveAgainst(0, 400), a.resolveAgainst(400), c.resolveAgainst(1000), d.resolveAgainst(1000), arrays, texts,
             headers.get("content-range"), headers.get("content-range", true), error];"#,
    );

    let expected = json!([
        [0, 499],
        [500, 999],
        [null, 200],
        [900, null],
        "-200",
        true,
        false,
        true,
        false,
        [0, 399],
        [800, 999],
        [900, 999],
        "bytes=0-500, -7",
        "bytes=0-5, 7-8",
        "bytes 0-100/1000",
        ["0-100", "1000"],
        "TypeError",
    ]);
    assert_eq!(value, expected);
}

#[test]
fn what_a_client_accepts_is_matched() {
    let value = made(
        r#"const accept = new HeadersPlus({ Accept: "*/*;q=0.8, text/html, application/xml;q=0.9, image/*;q=0" }).get("Accept", true);
           const few = new HeadersPlus({ Accept: "text/html, application/json;q=0.9" }).get("Accept", true);
           const headers = new HeadersPlus();
           headers.set("Accept", [["text/html", 1], ["image/*", 0.8]]);
           return [accept, String(accept), accept.match("text/html"), accept.match("application/xml"), accept.match("font/woff"),
             accept.match("image/png"), few.match("image/png"), headers.get("accept"), new HeadersPlus().get("accept", true)];"#,
    );

    let expected = json!([
        [["text/html", 1], ["application/xml", 0.9], ["*/*", 0.8], ["image/*", 0]],
        "*/*;q=0.8, text/html, application/xml;q=0.9, image/*;q=0",
        1,
        0.9,
        0.8,
        0,
        0,
        "text/html,image/*;q=0.8",
        null,
    ]);
    assert_eq!(value, expected);
}

#[test]
fn headers_that_are_there_get_the_methods() {
    let value = made(
        r#"const request = new Request("http://example.com");
           const before = request instanceof RequestPlus;
           RequestPlus.upgradeInPlace(request);
           request.headers.set("Range", "bytes=0-100");
           const response = new Response("body");
           ResponsePlus.upgradeInPlace(response);
           const headers = new Headers({ cookie: "a=1" });
           HeadersPlus.upgradeInPlace(headers);
           return [before, request instanceof RequestPlus, request.headers instanceof Headers, request.headers instanceof HeadersPlus,
             request.headers.get("Range", true), response instanceof ResponsePlus, response.headers instanceof HeadersPlus,
             request.clone() instanceof RequestPlus, response.clone() instanceof ResponsePlus, headers.get("cookie", true)];"#,
    );

    let cookies = json!([{ "name": "a", "value": "1" }]);
    assert_eq!(value, json!([false, true, true, true, [[0, 100]], true, true, true, true, cookies]));
}

#[test]
fn received_headers_are_the_same_before_and_after_they_are_listed() {
    let host = serving(
        r#"const { headers } = event.request;
           const thrown = (act) => { try { act(); return null; } catch (error) { return error.name; } };
           const read = () => [headers.get("X-One"), headers.get("x-one"), headers.get("x-two"), headers.get("x-absent"),
             headers.get("x-empty"), headers.get("x-list"), headers.get({ toString: () => "x-one" }), headers.get(1),
             thrown(() => headers.get("not a name")), thrown(() => headers.get("")), thrown(() => headers.get("\u{100}")),
             thrown(() => headers.get()), headers.get("cookie", true), headers.has("x-one"), headers.has("x-absent")];
           const before = read();
           const listed = [...headers].filter(([name]) => name.startsWith("x-") && name !== "x-accept-live");
           const after = read();
           const { request } = event;
           const shape = [request instanceof Request, request.constructor.name, headers instanceof Headers, headers.constructor.name,
             Object.getPrototypeOf(headers) === HeadersPlus.prototype, Object.getPrototypeOf(request) === RequestPlus.prototype,
             event.request === request, request.headers === headers, Object.keys(headers), Object.keys(request)];
           const guard = ["set", "append", "delete"].map((name) => thrown(() => headers[name]("x-one", "2")));
           const copy = new Headers(headers);
           copy.set("x-one", "changed");
           copy.set("X-New", "new");
           copy.append("x-new", "newer");
           copy.set("x-two", "changed");
           const other = new Request(request, { headers: { "x-one": "other" } });
           const foreign = thrown(() => HeadersPlus.prototype.get.call({}, "x-one"));
           return { before, same: JSON.stringify(before) === JSON.stringify(after), listed, shape, guard,
             copy: [...copy].filter(([name]) => name.startsWith("x-") && name !== "x-accept-live"), kept: headers.get("x-one"),
             clone: request.clone().headers.get("x-one"), other: other.headers.get("x-one"), foreign };"#,
    );
    let fields = [
        ("X-One", "1"),
        ("x-list", "a"),
        ("cookie", "c=d"),
        ("x-two", "2"),
        ("X-List", "b"),
        ("x-empty", ""),
    ];
    let request =
        fields.iter().fold(host.request("GET", "/"), |request, (name, value)| request.header(name, value));

    let value = request.send().json();

    let cookies = json!([{ "name": "c", "value": "d" }]);
    let before = json!([
        "1",
        "1",
        "2",
        null,
        "",
        "a, b",
        "1",
        null,
        "TypeError",
        "TypeError",
        "TypeError",
        null,
        cookies,
        true,
        false
    ]);
    assert_eq!(value["before"], before);
    assert_eq!(value["same"], true);
    assert_eq!(value["listed"], json!([["x-empty", ""], ["x-list", "a, b"], ["x-one", "1"], ["x-two", "2"]]));
    assert_eq!(
        value["shape"],
        json!([true, "RequestPlus", true, "HeadersPlus", true, true, true, true, [], []])
    );
    assert_eq!(value["guard"], json!(["TypeError", "TypeError", "TypeError"]));
    assert_eq!(
        value["copy"],
        json!([
            ["x-empty", ""],
            ["x-list", "a, b"],
            ["x-new", "new, newer"],
            ["x-one", "changed"],
            ["x-two", "changed"]
        ])
    );
    assert_eq!(
        json!([value["kept"], value["clone"], value["other"], value["foreign"]]),
        json!(["1", "1", "other", "TypeError"])
    );
}

// -- Bodies -------------------------------------------------------------------------------------------

#[test]
fn a_body_is_read_by_its_type() {
    let value = made(
        r#"const read = async (type, body = "{\"a\":1}") => {
             const result = await new ResponsePlus(body, { headers: type ? { "Content-Type": type } : {} }).any();
             return Object.prototype.toString.call(result).slice(8, -1);
           };
           const kinds = {};
           for (const type of ["application/json", "application/ld+json; charset=utf-8", "text/csv", "application/xml", "image/svg+xml",
             "application/javascript", "image/png", "application/pdf", "application/octet-stream", "odd/type"]) kinds[type] = await read(type);
           kinds["application/x-www-form-urlencoded"] = await read("application/x-www-form-urlencoded", "a=1");
           kinds.none = await read(null, new Uint8Array([1]));
           kinds.empty = await new ResponsePlus(null).any();
           return kinds;"#,
    );

    let expected = json!({
        "application/json": "Object", "application/ld+json; charset=utf-8": "Object", "text/csv": "String",
        "application/xml": "String", "image/svg+xml": "Blob", "application/javascript": "String", "image/png": "Blob",
        "application/pdf": "Blob", "application/octet-stream": "Uint8Array", "odd/type": "Uint8Array",
        "application/x-www-form-urlencoded": "FormData", "none": "Uint8Array", "empty": null,
    });
    assert_eq!(value, expected);
}

#[test]
fn forms_and_json_are_read_as_each_other() {
    let value = made(
        r#"const data = { foo: "bar", prefs: [1, 2], loves_it: true, nothing: null };
           const json = () => new ResponsePlus(JSON.stringify(data), { headers: { "Content-Type": "application/json" } });
           const form = await json().any({ to: "formData" });
           const url = { method: "POST", body: "a=1&b[c]=x", headers: { "Content-Type": "application/x-www-form-urlencoded" } };
           let error = null;
           try { await new ResponsePlus("x", { headers: { "Content-Type": "text/plain" } }).any({ to: "json" }); }
           catch (caught) { error = caught.message; }
           return [await form.json(), form instanceof FormDataPlus, await new RequestPlus("http://x/", url).any({ to: "json" }),
             await json().any({ to: "text" }), (await json().any({ to: "bytes" })).length, error];"#,
    );

    let data = json!({ "foo": "bar", "prefs": [1, 2], "loves_it": true, "nothing": null });
    assert_eq!(value[0], data);
    assert_eq!((&value[1], &value[2]), (&json!(true), &json!({ "a": 1, "b": { "c": "x" } })));
    assert_eq!(value[3].as_str().map(|text| serde_json::from_str::<Value>(text).expect("JSON")), Some(data));
    assert!(value[5].as_str().is_some_and(|error| error.contains("text/plain")), "{value}");
}

#[test]
fn a_body_is_read_again_where_it_is_remembered() {
    let value = made(
        r#"const options = { headers: { "Content-Type": "application/json" } };
           const response = new ResponsePlus('{"a":[1]}', options);
           const first = await response.any({ memo: true });
           first.a.push(2);
           const again = [await response.any({ memo: true }), await response.any({ memo: true, to: "text" }),
             (await response.any({ memo: true, to: "formData" })).get("a[0]")];
           response.forget();
           let error = null;
           try { await response.any({ memo: true }); } catch (caught) { error = caught.name; }
           const given = RequestPlus.from("http://x/", { method: "POST", body: { b: 1 }, memo: true });
           return [again, error, await given.any({ memo: true }), await given.any({ memo: true })];"#,
    );

    assert_eq!(value, json!([[{ "a": [1] }, "{\"a\":[1]}", "1"], "TypeError", { "b": 1 }, { "b": 1 }]));
}

#[test]
fn any_takes_no_other_options() {
    let value = made(
        r#"const errors = [];
           for (const options of [{ to: "xml" }, { too: "json" }]) {
             try { await new ResponsePlus("x").any(options); } catch (error) { errors.push(error.message); }
           }
           return errors;"#,
    );

    assert!(
        value[0].as_str().is_some_and(|text| text.contains("\"xml\"") && text.contains("formData")),
        "{value}"
    );
    assert!(
        value[1].as_str().is_some_and(|text| text.contains("\"too\"") && text.contains("memo")),
        "{value}"
    );
}

#[test]
fn messages_are_made_of_data() {
    let value = made(
        r#"const head = (message) => [message.headers.get("content-type")?.split(/[;=]/)[0] ?? null, message.headers.get("content-length")];
           const post = (body) => RequestPlus.from("http://x/", { method: "POST", body });
           async function* rows() { yield { n: 1 }; yield "two\n"; }
           return [
             head(ResponsePlus.from({ a: 1 })), head(ResponsePlus.from("hell\u00f6")), head(ResponsePlus.from(new TextEncoder().encode("hello"))),
             head(ResponsePlus.from(new Blob(["hello"], { type: "text/plain" }))), head(post(new FormData())),
             head(post({ name: "J", avatars: { one: new Blob(["x"], { type: "image/png" }) }, yes: true })), head(post(new Uint8Array(10))),
             head(ResponsePlus.from(null)), await ResponsePlus.from(rows()).text(),
             ResponsePlus.from("x", { status: 201, headers: { "content-type": "text/html" } }).headers.get("content-type"),
             ResponsePlus.from("x", { status: 201 }).status,
           ];"#,
    );

    let expected = json!([
        ["application/json", "7"],
        ["text/plain", "6"],
        ["application/octet-stream", "5"],
        ["text/plain", "5"],
        ["multipart/form-data", null],
        ["multipart/form-data", null],
        ["application/octet-stream", "10"],
        [null, null],
        "{\"n\":1}\ntwo\n",
        "text/html",
        201,
    ]);
    assert_eq!(value, expected);
}

#[test]
fn a_request_is_copied_with_changes() {
    let value = made(
        r#"const request = new Request("http://x/y", { method: "POST", body: "words", headers: { "x-a": "1" } });
           const { url, headers, body, method } = await RequestPlus.copy(request);
           const get = await RequestPlus.copy(request, { method: "GET" });
           const other = await RequestPlus.copy(request, { body: "new" });
           return [url, headers.get("x-a"), new TextDecoder().decode(body), method, get.method, get.body, other.body,
             other.headers.get("content-type"), await request.text()];"#,
    );

    assert_eq!(value, json!(["http://x/y", "1", "words", "POST", "GET", null, "new", null, "words"]));
}

// -- Forms --------------------------------------------------------------------------------------------

#[test]
fn forms_are_trees() {
    let value = made(
        r#"const form = new FormDataPlus();
           for (const [name, field] of [["name", "Alice"], ["age", "30"], ["zip", "00501"], ["skills[0]", "JS"], ["skills[]", "Testing"],
             ["user[address][city]", "New York"], ["tag", "a"], ["tag", "b"], ["__proto__[x]", "1"]]) form.append(name, field);
           form.append("motion", new Blob(["true"], { type: "application/json" }));
           form.append("avatar", new Blob(["x"], { type: "image/png" }));
           const { result, isDirectlySerializable } = await form.json({ meta: true });
           const isFile = result.avatar instanceof Blob;
           delete result.avatar;
           return [Object.entries(result), isFile, isDirectlySerializable, {}.x ?? null];"#,
    );

    let entries = json!([
        ["name", "Alice"], ["age", 30], ["zip", "00501"], ["skills", ["JS", "Testing"]],
        ["user", { "address": { "city": "New York" } }], ["tag", ["a", "b"]], ["__proto__", { "x": 1 }], ["motion", true],
    ]);
    assert_eq!(value, json!([entries, true, false, null]));
}

#[test]
fn trees_are_forms() {
    let value = made(
        r#"const tree = { name: "Alice", age: 30, when: new Date(0), gone: undefined, no: false, none: null, skills: { primary: ["JS", "C"] } };
           const { result, isDirectlySerializable } = FormDataPlus.json(tree, { meta: true });
           const literal = FormDataPlus.json({ yes: true }, { encodeLiterals: false }).get("yes");
           return [[...result.keys()], result.get("skills[primary][1]"), result.get("no") instanceof Blob, literal,
             await result.json(), isDirectlySerializable];"#,
    );

    let keys = json!(["name", "age", "when", "no", "none", "skills[primary][0]", "skills[primary][1]"]);
    let back = json!({
        "name": "Alice", "age": 30, "when": "1970-01-01T00:00:00.000Z", "no": false, "none": null,
        "skills": { "primary": ["JS", "C"] }
    });
    assert_eq!(value, json!([keys, "C", true, "true", back, true]));
}

// -- fetchPlus and the event --------------------------------------------------------------------------

#[test]
fn fetch_plus_reads_any_body_and_may_ask_for_a_line() {
    let upstream = serve(
        r#"export default (event) => ResponsePlus.from({ live: event.request.headers.get("x-accept-live") }, { headers: { "x-own": "1" } });
           import { ResponsePlus } from "@webqit/fetch-plus";"#,
    );
    let address = format!("http://{}/", upstream.address());
    let value = made(&format!(
        r#"const response = await fetchPlus("{address}", {{ live: true, headers: {{ "x-a": "1" }} }});
           return [response instanceof ResponsePlus, await response.any(), response.headers.get("x-own")];"#
    ));

    assert_eq!(value, json!([true, { "live": "*" }, "1"]));
}

#[test]
fn the_events_request_reads_any_body() {
    let host = Site::new()
        .file("handler.js", r#"export default async function (event, next) { return next.stepname ? next() : next({ redirect: "/to" }); }"#)
        .file(
            "to/handler.js",
            r#"import { RequestPlus } from "@webqit/fetch-plus";
               export default async ({ request, spawn }) => [request instanceof RequestPlus, await request.clone().any({ to: "json" }),
                 await (await request.formData()).json(), request.headers.get("cookie", true)];"#,
        )
        .serve();
    let form = ("content-type", "application/x-www-form-urlencoded");

    for path in ["/to", "/"] {
        let request = host.request("POST", path).header(form.0, form.1).header("cookie", "a=b");

        let answer = request.body("n=1&o[p]=q").send();

        let tree = json!({ "n": 1, "o": { "p": "q" } });
        assert_eq!(answer.json(), json!([true, tree, tree, [{ "name": "a", "value": "b" }]]), "{path}");
    }
}

#[test]
fn a_body_that_cannot_be_read_is_its_clients_fault() {
    let host = serving("return await event.request.any({ memo: event.url.query.memo === '1' });");

    for path in ["/", "/?memo=1"] {
        let request = host.request("POST", path).header("content-type", "application/json");

        assert_eq!(request.body("{no").send().status, 400, "{path}");
    }
}

#[test]
fn a_handler_answers_with_what_it_made() {
    let answer =
        serving("return ResponsePlus.from({ a: 1 }, { status: 201, headers: { 'x-b': '2' } });").get("/");

    assert_eq!((answer.status, answer.header("x-b"), answer.json()), (201, Some("2"), json!({ "a": 1 })));
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

/// A proxy passes the request that it received on as the `init` of its own, and a response likewise.
#[test]
fn requests_and_responses_are_inits_too() {
    let host = Site::new()
        .file(
            "handler.js",
            r#"
            import { RequestPlus, ResponsePlus, fetchPlus } from "@webqit/fetch-plus";
            export default async function (event, next) {
              if (next.stepname) return await next();
              const made = () => new Request("http://other.invalid/", { method: "PUT", body: "made", headers: { "x-a": "1" } });
              const target = new URL("/origin", event.url).href;
              const all = [
                fetch(target, made()), fetch(new URL(target), made()), fetch(new Request(target, made())),
                fetch(new Request(target, made()), { method: "PATCH" }), fetchPlus(target, made()),
                fetch(RequestPlus.from(target, made())),
              ];
              const response = ResponsePlus.from({ a: 1 }, new Response("x", { status: 418, headers: { "x-b": "2" } }));
              return {
                sent: await Promise.all(all.map(async (answer) => (await answer).text())),
                made: [response.status, response.headers.get("x-b"), await response.text()],
              };
            }"#,
        )
        .file(
            "origin/handler.js",
            r#"export default async ({ request }) =>
              [request.method, request.headers.get("x-a"), request.headers.get("content-type"), await request.text()].join(" ");"#,
        )
        .serve();

    let put = "PUT 1 text/plain;charset=UTF-8 made";
    let patch = "PATCH 1 text/plain;charset=UTF-8 made";
    let expected = json!({ "sent": [put, put, put, patch, put, put], "made": [418, "2", r#"{"a":1}"#] });
    assert_eq!(host.get("/").json(), expected);
}
