//! `event.cookies`: what is read of a request, and what its answer sets.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Answer, Host, serve};

/// Makes the calls of a request, `[method, ...arguments]` one by one. Returns each result or error, and all cookies.
const JAR: &str = r#"
    const revive = (value) => value === "(NaN)" ? NaN : value === "(Infinity)" ? Infinity
      : typeof value === "string" && value.startsWith("(Date)") ? new Date(value.slice(6)) : value;
    export default async function (event) {
      const calls = event.request.method === "POST" ? JSON.parse(await event.request.text(), (_, v) => revive(v)) : [];
      const results = [];
      for (const [method, ...args] of calls) {
        try { results.push(await event.cookies[method](...args) ?? null); } catch (e) { results.push(`${e.name}: ${e.message}`); }
      }
      return { results, all: await event.cookies.json(), header: event.request.headers.get("cookie") };
    }"#;

/// What the answer to these calls sets, and what they gave.
#[track_caller]
fn call(host: &Host, cookies: &str, calls: &Value) -> (Vec<String>, Vec<Value>) {
    let answer = host.request("POST", "/").header("cookie", cookies).json(calls).send();
    let set = answer.all("set-cookie").into_iter().map(str::to_owned).collect();
    (set, answer.json()["results"].as_array().expect("results").clone())
}

#[track_caller]
fn set(host: &Host, arguments: Value) -> String {
    let mut call_ = vec![json!("set")];
    call_.extend(arguments.as_array().expect("arguments").iter().cloned());
    let (set, results) = call(host, "", &json!([call_]));
    assert_eq!(results, [Value::Null], "{arguments}");
    assert_eq!(set.len(), 1, "{arguments}: {set:?}");
    set.into_iter().next().expect("a cookie")
}

fn read(answer: &Answer) -> Value {
    answer.json()["all"].clone()
}

#[test]
fn cookies_are_read_whatever_stands_beside_them() {
    let host = serve(JAR);
    for (header, all) in [
        ("a=1; b=2", json!({ "a": "1", "b": "2" })),
        ("a=1;b=2;;c=3;", json!({ "a": "1", "b": "2", "c": "3" })),
        ("k=Gc9PQ==--e67; e=", json!({ "k": "Gc9PQ==--e67", "e": "" })),
        ("nameless; =empty; a=1", json!({ "a": "1" })),
        ("a=100%; b=%C3%BC%20; c=%zz; d=%ff", json!({ "a": "100%", "b": "\u{fc} ", "c": "%zz", "d": "%ff" })),
        ("a=\"b=c\"; d=\"", json!({ "a": "b=c", "d": "\"" })),
        ("a=first; a=second", json!({ "a": "first" })),
        ("__proto__=1; constructor=2", json!({ "__proto__": "1", "constructor": "2" })),
        ("a=\u{fc}; b=1", json!({ "a": "\u{fc}", "b": "1" })),
    ] {
        assert_eq!(read(&host.request("GET", "/").header("cookie", header).send()), all, "{header}");
    }
}

#[test]
fn cookies_in_several_fields_are_one_list() {
    let host = serve(JAR);
    let answer = host
        .request("GET", "/")
        .header("cookie", "a=1; b=2")
        .header("cookie", "c=3")
        .header("cookie", "a=4")
        .send();
    assert_eq!(answer.json()["header"], "a=1; b=2; c=3; a=4");
    assert_eq!(read(&answer), json!({ "a": "1", "b": "2", "c": "3" }));
}

#[test]
fn a_session_is_found_in_any_field() {
    let host = serve(
        "export default async (event) => { const n = (await event.session.get('n') ?? 0) + 1; await event.session.set('n', n); return { n }; }",
    );
    let cookie = host.get("/").session();
    for before in ["a=1", "__sessid=planted", "broken", "a=\u{fc}"] {
        let answer = host.request("GET", "/").header("cookie", before).header("cookie", &cookie).send();
        assert!(answer.json()["n"].as_u64() > Some(1), "{before}: {answer:?}");
    }
}

#[test]
fn a_cookie_has_the_attributes_that_it_is_given() {
    let host = serve(JAR);
    for (arguments, header) in [
        (json!(["a", "b"]), "a=b; SameSite=Lax; Path=/"),
        (json!(["a", 7]), "a=7; SameSite=Lax; Path=/"),
        (json!(["a", ""]), "a=; SameSite=Lax; Path=/"),
        (json!(["a", "\u{fc}; x=\"y\", %"]), "a=%C3%BC%3B%20x%3D%22y%22%2C%20%25; SameSite=Lax; Path=/"),
        (
            json!(["a", { "value": "b", "path": "/x y", "domain": "example.org", "maxAge": 9.9, "httpOnly": true, "secure": true, "sameSite": "Strict" }]),
            "a=b; HttpOnly; SameSite=Strict; Secure; Path=/x y; Domain=example.org; Max-Age=9",
        ),
        (json!([{ "name": "a", "value": "b", "sameSite": "lax" }]), "a=b; SameSite=Lax; Path=/"),
        (json!(["a", "b", { "maxAge": -1 }]), "a=b; SameSite=Lax; Path=/; Max-Age=-1"),
        (
            json!(["a", "b", { "domain": ".Example.org", "path": null, "maxAge": null }]),
            "a=b; SameSite=Lax; Path=/; Domain=Example.org",
        ),
        (
            json!(["a", { "value": "b", "expires": "(Date)2030-01-02T03:04:05.678Z" }]),
            "a=b; SameSite=Lax; Path=/; Expires=Wed, 02 Jan 2030 03:04:05 GMT",
        ),
        (
            json!(["a", { "value": "b", "expires": "Wed, 02 Jan 2030 03:04:05 GMT" }]),
            "a=b; SameSite=Lax; Path=/; Expires=Wed, 02 Jan 2030 03:04:05 GMT",
        ),
        (
            json!(["a", { "value": "b", "expires": 0 }]),
            "a=b; SameSite=Lax; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        ),
        // What its other attributes and its name promise.
        (json!(["a", { "value": "b", "sameSite": "none" }]), "a=b; SameSite=None; Secure; Path=/"),
        (
            json!(["a", { "value": "b", "partitioned": true }]),
            "a=b; SameSite=None; Partitioned; Secure; Path=/",
        ),
        (
            json!(["a", { "value": "b", "partitioned": true, "sameSite": "Strict" }]),
            "a=b; SameSite=Strict; Partitioned; Secure; Path=/",
        ),
        (json!(["__Host-a", "b"]), "__Host-a=b; SameSite=Lax; Secure; Path=/"),
        (
            json!(["__Secure-a", { "value": "b", "domain": "example.org", "path": "/x" }]),
            "__Secure-a=b; SameSite=Lax; Secure; Path=/x; Domain=example.org",
        ),
        (json!(["__hOsT-a", "b"]), "__hOsT-a=b; SameSite=Lax; Secure; Path=/"),
        (json!(["__Http-a", "b"]), "__Http-a=b; HttpOnly; SameSite=Lax; Secure; Path=/"),
    ] {
        assert_eq!(set(&host, arguments.clone()), header, "{arguments}");
    }
}

#[test]
fn a_cookie_that_browsers_would_drop_is_an_error_with_the_reason() {
    let host = serve(JAR);
    for (arguments, why) in [
        (json!(["a b", "c"]), "cannot name a cookie"),
        (json!(["", "c"]), "cannot name a cookie"),
        (json!(["a;b", "c"]), "cannot name a cookie"),
        (json!(["\u{fc}", "c"]), "cannot name a cookie"),
        (json!([{ "value": "c" }]), "cannot name a cookie"),
        (json!(["a", {}]), "needs a value"),
        (json!(["a", { "value": { "b": "c" } }]), "needs a value"),
        (json!(["a", "b".repeat(4096)]), "is too long"),
        (json!(["a", { "value": "b", "path": "x" }]), "cannot have the path"),
        (json!(["a", { "value": "b", "path": "" }]), "cannot have the path"),
        (json!(["a", { "value": "b", "path": "/; HttpOnly" }]), "cannot have the path"),
        (json!(["a", { "value": "b", "path": "/\r\nX: y" }]), "cannot have the path"),
        (json!(["a", { "value": "b", "path": "/\u{fc}" }]), "cannot have the path"),
        (json!(["a", { "value": "b", "domain": "a;b" }]), "cannot have the domain"),
        (json!(["a", { "value": "b", "domain": "https://example.org" }]), "cannot have the domain"),
        (json!(["a", { "value": "b", "domain": "example.org:8080" }]), "cannot have the domain"),
        (json!(["a", { "value": "b", "domain": "" }]), "cannot have the domain"),
        (json!(["a", { "value": "b", "maxAge": "(NaN)" }]), "needs a maxAge"),
        (json!(["a", { "value": "b", "maxAge": "(Infinity)" }]), "needs a maxAge"),
        (json!(["a", { "value": "b", "maxAge": "a day" }]), "needs a maxAge"),
        (json!(["a", { "value": "b", "expires": "(Date)never" }]), "needs an expires"),
        (json!(["a", { "value": "b", "expires": "tomorrow" }]), "needs an expires"),
        (json!(["a", { "value": "b", "expires": 1e300 }]), "needs an expires"),
        (json!(["a", { "value": "b", "sameSite": "Whatever" }]), "cannot have the sameSite"),
        (json!(["a", { "value": "b", "sameSite": true }]), "cannot have the sameSite"),
        (json!(["a", { "value": "b", "sameSite": "None", "secure": false }]), "because its sameSite is None"),
        (json!(["a", { "value": "b", "partitioned": true, "secure": false }]), "because it is partitioned"),
        (json!(["__Host-a", { "value": "b", "secure": false }]), "because its name begins with __Host-"),
        (json!(["__Host-a", { "value": "b", "path": "/x" }]), "has the path \"/\" and no domain"),
        (
            json!(["__host-a", { "value": "b", "domain": "example.org" }]),
            "because its name begins with __host-",
        ),
        (json!(["__Secure-a", { "value": "b", "secure": false }]), "because its name begins with __Secure-"),
        (json!(["__Http-a", { "value": "b", "httpOnly": false }]), "has to be httpOnly"),
        (
            json!(["__Host-Http-a", { "value": "b", "path": "/x" }]),
            "because its name begins with __Host-Http-",
        ),
        (json!(["a", { "value": "b", "httponly": true }]), "has no \"httponly\""),
        (json!(["a", { "value": "b", "priority": "High" }]), "has no \"priority\""),
        (json!(["a", "b", "c"]), "options are an object"),
    ] {
        let mut one = vec![json!("set")];
        one.extend(arguments.as_array().expect("arguments").iter().cloned());
        let (set, results) = call(&host, "", &json!([one, ["set", "other", "1"]]));
        let error = results[0].as_str().unwrap_or_else(|| panic!("{arguments} was set: {set:?}"));
        assert!(error.starts_with("TypeError: ") && error.contains(why), "{arguments}: {error}");
        // And nothing of it is sent.
        assert_eq!(set, ["other=1; SameSite=Lax; Path=/"], "{arguments}");
    }
}

#[test]
fn a_cookie_is_deleted_where_it_is() {
    let host = serve(JAR);
    for (arguments, header) in [
        (json!(["a"]), "a=; SameSite=Lax; Path=/; Max-Age=0"),
        (json!([{ "name": "a" }]), "a=; SameSite=Lax; Path=/; Max-Age=0"),
        (
            json!([{ "name": "a", "path": "/x", "domain": "example.org" }]),
            "a=; SameSite=Lax; Path=/x; Domain=example.org; Max-Age=0",
        ),
        (json!(["a", { "path": "/x" }]), "a=; SameSite=Lax; Path=/x; Max-Age=0"),
        (
            json!([{ "name": "a", "partitioned": true }]),
            "a=; SameSite=None; Partitioned; Secure; Path=/; Max-Age=0",
        ),
        // Without Secure browsers would keep these.
        (json!(["__Host-a"]), "__Host-a=; SameSite=Lax; Secure; Path=/; Max-Age=0"),
        (
            json!([{ "name": "__Secure-a", "domain": "example.org" }]),
            "__Secure-a=; SameSite=Lax; Secure; Path=/; Domain=example.org; Max-Age=0",
        ),
        (json!(["__Http-a"]), "__Http-a=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0"),
    ] {
        let mut one = vec![json!("delete")];
        one.extend(arguments.as_array().expect("arguments").iter().cloned());
        let (set, results) =
            call(&host, "a=1; __Host-a=1; __Secure-a=1; __Http-a=1", &json!([one, ["get", "a"]]));
        assert_eq!((set.as_slice(), &results[0]), (&[header.to_owned()][..], &json!(true)), "{arguments}");
    }
    let (_, results) = call(
        &host,
        "",
        &json!([["delete", "a"], ["delete", { "name": "a", "path": "x" }], ["delete", "a b"]]),
    );
    assert_eq!(results[0], json!(false));
    for error in &results[1..] {
        assert!(error.as_str().is_some_and(|error| error.starts_with("TypeError: ")), "{error}");
    }
}

#[test]
fn cookies_of_one_name_may_be_in_several_places() {
    let host = serve(JAR);
    let (set, _) = call(
        &host,
        "",
        &json!([
            ["set", "a", "1"],
            ["set", { "name": "a", "value": "2", "path": "/x" }],
            ["set", "a", "3"],
            ["set", { "name": "a", "value": "4", "partitioned": true }],
        ]),
    );
    assert_eq!(
        set,
        [
            "a=2; SameSite=Lax; Path=/x",
            "a=3; SameSite=Lax; Path=/",
            "a=4; SameSite=None; Partitioned; Secure; Path=/",
        ]
    );
    // To delete it takes them all back.
    let calls = json!([["set", { "name": "a", "value": "2", "path": "/x", "domain": "example.org" }], ["set", "a", null], ["delete", "a"]]);
    let (set, results) = call(&host, "", &calls);
    assert_eq!(
        set,
        ["a=; SameSite=Lax; Path=/; Max-Age=0", "a=; SameSite=Lax; Path=/x; Domain=example.org; Max-Age=0"]
    );
    assert!(results[1].as_str().is_some_and(|error| error.contains("needs a value")), "{results:?}");
}

#[test]
fn every_text_comes_back_as_it_was() {
    let host = serve(JAR);
    for value in [
        "",
        " ",
        "a;b",
        "\u{fc}",
        "q\"",
        "\"q\"",
        "a,b",
        "100%",
        "%41",
        "a\\b",
        "=",
        "\r\n\0",
        "\u{1f600}",
        "{\"a\":[1]}",
    ] {
        let cookie = set(&host, json!(["v", value]));
        let pair = cookie.split(';').next().expect("a pair");
        assert_eq!(
            read(&host.request("GET", "/").header("cookie", pair).send()),
            json!({ "v": value }),
            "{cookie}"
        );
    }
}

#[test]
fn all_of_them_as_a_list() {
    let host = serve(JAR);
    let calls = json!([["set", "c", "3"], ["getAll"], ["getAll", "c"], ["getAll", { "name": "a" }], ["getAll", "none"]]);
    let (_, results) = call(&host, "a=1; b=2", &calls);
    assert_eq!(
        results[1..],
        [
            json!([{ "name": "a", "value": "1" }, { "name": "b", "value": "2" }, { "name": "c", "value": "3" }]),
            json!([{ "name": "c", "value": "3" }]),
            json!([{ "name": "a", "value": "1" }]),
            json!([]),
        ]
    );
}

#[test]
fn a_client_that_keeps_cookies_sees_what_was_meant() {
    // curl keeps them as browsers do, where it is there.
    if Command::new("curl").arg("--version").output().is_err() {
        return;
    }
    let host = serve(
        r#"export default async function (event, next) {
             if (next.stepname === "set") {
               await event.cookies.set("plain", "1");
               await event.cookies.set({ name: "deep", value: "1", path: "/deep" });
               return "set";
             }
             if (next.stepname === "delete") {
               await event.cookies.delete("plain");
               await event.cookies.delete({ name: "deep", path: "/deep" });
               return "deleted";
             }
             return await event.cookies.json();
           }"#,
    );
    let urls = ["set", "deep/seen", "seen", "delete", "deep/seen"]
        .map(|path| format!("http://{}/{path}", host.address()));
    let output =
        Command::new("curl").args(["-s", "-b", "", "-w", "\n"]).args(urls).output().expect("curl runs");
    let said = String::from_utf8(output.stdout).expect("a text");
    let said: Vec<_> = said.lines().collect();
    assert_eq!(said, ["set", r#"{"deep":"1","plain":"1"}"#, r#"{"plain":"1"}"#, "deleted", "{}"]);
}

#[test]
fn a_cookie_set_before_a_message_is_in_the_202() {
    let host = serve(
        r#"
        export default async (event) => {
          await event.cookies.set("a", "1");
          event.client.postMessage("first");
        };"#,
    );

    let answer = host.get("/");

    assert_eq!(answer.status, 202);
    assert!(answer.all("set-cookie").iter().any(|cookie| cookie.starts_with("a=1;")), "{answer:?}");
}

#[test]
fn undefined_as_the_value_deletes_also_with_options() {
    let host = serve(
        "export default async ({ cookies }) => {
           await cookies.set('a', undefined, { path: '/x' });
           return [await cookies.has('a')];
         };",
    );

    let answer = host.request("GET", "/").header("cookie", "a=1").send();

    assert_eq!(answer.header("set-cookie"), Some("a=; SameSite=Lax; Path=/x; Max-Age=0"));
    assert_eq!(answer.json(), json!([false]));
}
