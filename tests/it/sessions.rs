//! Sessions: whose they are, how long they last, what they hold; and what is known of the user with them.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Host, Site, Visitor, on_go, serve};

/// Changes the session as the query asks: `?set=key&value=json`, `?delete=key`; answers with all values.
const STORE: &str = r#"
    export default async function ({ session, url }) {
      const query = url.searchParams;
      if (query.has("set")) {
        const done = await session.set(query.get("set"), JSON.parse(query.get("value"))).then(() => null, (e) => e.name);
        if (done !== null) return done;
      }
      if (query.has("delete")) await session.delete(query.get("delete"));
      return await session.json();
    }"#;

fn with_store(path: &Path) -> Site {
    Site::new().file("handler.js", STORE).arg("--session-store").arg(path.to_str().expect("a path"))
}

/// Runs a test with each store.
pub(super) fn each(handler: &str, test: impl Fn(&Host)) {
    test(&serve(handler));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sessions.sqlite");
    let path = path.to_str().expect("a path");
    test(&Site::new().file("handler.js", handler).arg("--session-store").arg(path).serve());
}

// -- How many there are -------------------------------------------------------------------------------

#[test]
fn sessions_of_one_address_do_not_push_out_those_of_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sessions.sqlite");
    for site in [Site::new().file("handler.js", STORE), with_store(&path)] {
        let host = site.arg("--trust-proxy=127.0.0.1").arg("--max-session-bytes=64KiB").serve();
        let set = |from: &str| host.request("GET", "/?set=a&value=1").header("x-forwarded-for", from).send();
        let ann = set("192.0.2.1");
        let cookie = ann.header("set-cookie").and_then(|set| set.split(';').next()).expect("a cookie");
        for _ in 0..200 {
            assert_eq!(set("192.0.2.2").status, 200);
        }
        let again = host.request("GET", "/").header("cookie", cookie).send();
        assert_eq!(again.json(), json!({ "a": 1 }));
        host.log.contains("sessions were removed, because all hold more than 65536 bytes");
    }
}

// -- Whose it is --------------------------------------------------------------------------------------

#[test]
fn the_cookie_is_signed_and_kept_from_scripts() {
    each(STORE, |host| {
        let answer = host.get("/?set=a&value=1");

        let set = answer.header("set-cookie").expect("a session cookie");
        let (value, attributes) = set.split_once(';').expect("attributes");
        let (id, mac) = value.strip_prefix("__sessid=").and_then(|it| it.split_once('.')).expect("id.mac");
        let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(id.len() == 32 && mac.len() == 64 && is_hex(id) && is_hex(mac), "{set}");
        assert_eq!(attributes, " Path=/; HttpOnly; SameSite=Lax; Max-Age=2592000");
    });
}

#[test]
fn a_session_lasts_from_request_to_request() {
    each(STORE, |host| {
        let (mut one, mut other) = (Visitor::new(host), Visitor::new(host));
        one.get("/?set=a&value=1");
        other.get("/?set=a&value=2");

        let again = one.get("/?set=b&value=[null,{}]");

        assert_eq!(again.json(), json!({ "a": 1, "b": [null, {}] }));
        // The cookie is as good as new.
        assert_eq!(again.header("set-cookie"), None);
        assert_eq!(other.get("/").json(), json!({ "a": 2 }));
        assert_eq!(one.get("/?delete=a").json(), json!({ "b": [null, {}] }));
    });
}

#[test]
fn without_a_value_there_is_no_session() {
    each(STORE, |host| {
        let answer = host.get("/");

        assert_eq!((answer.json(), answer.header("set-cookie")), (json!({}), None));
    });
}

#[test]
fn a_forged_cookie_is_no_session() {
    each(STORE, |host| {
        let mut visitor = Visitor::new(host);
        visitor.get("/?set=a&value=1");
        let cookie = visitor.cookie.clone().expect("a cookie");
        let (id, mac) = cookie.split_once('.').expect("a signature");
        let other_mac: String = mac.chars().rev().collect();

        for forged in [
            id.to_owned(),
            format!("{id}."),
            format!("{id}.{other_mac}"),
            format!("__sessid=0123456789abcdef0123456789abcdef.{mac}"),
            "__sessid=chosen".to_owned(),
        ] {
            let read = host.request("GET", "/").header("cookie", &forged).send();
            let write = host.request("GET", "/?set=b&value=2").header("cookie", &forged).send();

            assert_eq!(read.json(), json!({}), "{forged}");
            // What is written gets a session of its own, never the one that was named: no fixation.
            assert_eq!(write.json(), json!({ "b": 2 }), "{forged}");
            let fresh = write.session_cookie().expect("a new session");
            assert!(!fresh.starts_with(id) && !fresh.contains("chosen"), "{fresh}");
        }
        assert_eq!(visitor.get("/").json(), json!({ "a": 1 }));
        assert!(!host.log.text().contains(mac), "{}", host.log.text());
    });
}

#[test]
fn a_key_makes_cookies_good_on_other_hosts_and_no_others() {
    let keyed = |key: &str| Site::new().file("handler.js", STORE).arg("--session-key").arg(key).serve();
    let (one, stranger) = (keyed("a key of sixteen"), keyed("another key than that"));
    let mut visitor = Visitor::new(&one);
    visitor.get("/?set=a&value=1");
    let cookie = visitor.cookie.expect("a cookie");

    let elsewhere = stranger.request("GET", "/?set=b&value=2").header("cookie", &cookie).send();
    let short = Site::new().file("handler.js", STORE).arg("--session-key").arg("short").run("serve");

    assert_ne!(elsewhere.session_cookie(), None);
    assert_eq!(short.code, Some(1));
    assert!(short.stderr.contains("16 bytes"), "{}", short.output());
}

#[test]
fn cookies_can_be_kept_from_travelling_without_tls() {
    let host = Site::new().file("handler.js", STORE).arg("--secure-cookies").serve();

    let answer = host.get("/?set=a&value=1");

    assert!(answer.header("set-cookie").expect("a session cookie").ends_with("; Secure"));
}

#[test]
fn a_line_is_joined_by_its_session_only() {
    let host = serve(&on_go("await event.session.set('a', 1); event.waitUntil(go); return 'live';"));
    let answer = host.get("/");
    let cookie = answer.session_cookie().expect("a session cookie");
    let (id, _) = cookie.split_once('.').expect("a signature");
    let dial = |cookie: &str| host.dial(&answer.line_path()).header("cookie", cookie).connect();

    assert_eq!(host.dial(&answer.line_path()).connect().err(), Some(403));
    assert_eq!(dial(id).err(), Some(403));
    assert!(dial(&cookie).is_ok());
}

// -- How long it lasts, and how much it holds ---------------------------------------------------------

#[test]
fn a_restarted_host_knows_the_sessions_of_its_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sessions.sqlite");
    let cookie = {
        let host = with_store(&path).serve();
        host.get("/?set=a&value=1").session_cookie().expect("a cookie")
    };

    let host = with_store(&path).serve();
    let answer = host.request("GET", "/").header("cookie", &cookie).send();

    assert_eq!(answer.json(), json!({ "a": 1 }));
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&path.metadata().expect("a file").permissions()) & 0o777,
        0o600
    );
}

#[test]
fn a_session_that_is_used_is_renewed_once_a_day() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sessions.sqlite");
    let host = with_store(&path).serve();
    let mut visitor = Visitor::new(&host);
    visitor.get("/?set=a&value=1");
    let first = visitor.cookie.clone();
    let age = |days: u32| {
        let file = rusqlite::Connection::open(&path).expect("the host's file");
        file.busy_timeout(crate::support::PATIENCE).expect("a timeout");
        let sql = "UPDATE liveline_sessions SET renewed = unixepoch() - ?";
        assert_eq!(file.execute(sql, [days * 86_400 + 60]).expect("an update"), 1);
    };

    age(1);
    let renewed = visitor.get("/");
    let after = visitor.get("/");
    age(30);
    let expired = visitor.get("/");

    // The same cookie, for a whole month again.
    assert_eq!((renewed.json(), visitor.cookie.clone()), (json!({ "a": 1 }), first));
    assert!(renewed.header("set-cookie").is_some_and(|set| set.contains("Max-Age=2592000")), "{renewed:?}");
    assert_eq!(after.header("set-cookie"), None);
    assert_eq!(expired.json(), json!({}));
}

#[test]
fn a_session_holds_64_kibibytes() {
    let fill = r#"
        export default async function ({ session, user }) {
          await session.set("big", "x".repeat(40_000));
          const errors = [];
          await user.set("big", "x".repeat(40_000)).catch((error) => errors.push(error.name));
          await session.set("undefined", undefined);
          await session.set("function", () => 1).catch((error) => errors.push(error.name));
          return { errors, keys: [await session.keys(), await user.keys()] };
        }"#;
    each(fill, |host| {
        let answer = host.get("/").json();

        assert_eq!(answer, json!({ "errors": ["QuotaExceededError", "TypeError"], "keys": [["big"], []] }));
    });
}

#[test]
fn no_key_is_special() {
    each(STORE, |host| {
        let mut visitor = Visitor::new(host);
        for key in ["__proto__", "constructor", "toString", "a/b", "%27%22;"] {
            visitor.get(&format!("/?set={key}&value={{%22polluted%22:true}}"));
        }

        let all = visitor.get("/");

        let keys: Vec<_> = all.json().as_object().expect("values").keys().cloned().collect();
        assert_eq!(keys, ["'\";", "__proto__", "a/b", "constructor", "toString"]);
        assert_eq!(all.json()["__proto__"], json!({ "polluted": true }));
    });
    let polluted = serve(
        r#"export default async ({ session }) => {
          await session.set("__proto__", { polluted: true });
          await session.patch(JSON.parse('{"__proto__":{"polluted":true}}'));
          await session.json();
          return { polluted: ({}).polluted ?? null };
        }"#,
    );
    assert_eq!(polluted.get("/").json(), json!({ "polluted": null }));
}

#[test]
fn a_session_cannot_begin_after_the_answer() {
    let host = serve(&on_go(
        r#"
        event.respondWith("answered", { done: false });
        await go;
        return await event.session.set("a", 1).then(() => "kept", (error) => error.name);"#,
    ));

    let (_, mut line) = host.open("/");
    line.send("go", Value::Null);

    assert_eq!(line.expect_body(), json!("InvalidStateError"));
}

// -- One map for all ----------------------------------------------------------------------------------

#[test]
fn session_user_and_cookies_are_the_same_kind_of_map() {
    let handler = r#"
        export default async function (event) {
          const store = event[event.url.searchParams.get("of")];
          const seen = [];
          const stop = store.subscribe((change) => seen.push(`${change.type} ${change.key} ${change.value}`));
          const one = new Promise((resolve) => store.subscribe("b", resolve, { once: true }));
          await store.set("a", "1");
          await store.patch({ b: "2", c: "3" });
          const before = [
            await store.get("a"), await store.get("z") ?? null, await store.has("b"), await store.keys(),
            await store.values(), await store.entries(), await store.count(), await store.json(),
          ];
          const deleted = [await store.delete("a"), await store.delete("a")];
          await store.patch({ d: "4" }, { replace: true });
          const after = await store.json();
          await store.clear();
          const { value } = await one;
          while (seen.length < 8) await new Promise((resolve) => setTimeout(resolve, 1));
          stop();
          await store.set("unheard", "5");
          return { before, deleted, after, count: await store.count(), value, seen };
        }"#;
    each(handler, |host| {
        for of in ["session", "user", "cookies"] {
            let answer = host.get(&format!("/?of={of}")).json();

            let all = json!({ "a": "1", "b": "2", "c": "3" });
            let entries = json!([["a", "1"], ["b", "2"], ["c", "3"]]);
            let before = json!(["1", null, true, ["a", "b", "c"], ["1", "2", "3"], entries, 3, all]);
            assert_eq!(answer["before"], before, "{of}");
            assert_eq!(answer["deleted"], json!([true, false]), "{of}");
            assert_eq!((&answer["after"], &answer["count"]), (&json!({ "d": "4" }), &json!(1)), "{of}");
            assert_eq!(answer["value"], "2", "{of}");
            let seen = json!([
                "set a 1",
                "set b 2",
                "set c 3",
                "delete a undefined",
                "delete b undefined",
                "delete c undefined",
                "set d 4",
                "delete d undefined"
            ]);
            assert_eq!(answer["seen"], seen, "{of}");
        }
    });
}

#[test]
fn a_subscriber_is_called_for_requests_in_other_isolates() {
    let handler = r#"
        const me = crypto.randomUUID();
        export async function GET(event) {
          await event.session.set("began", true);
          event.session.subscribe("said", ({ value }) => event.client.postMessage([value, me]));
          event.waitUntilNavigate();
          return me;
        }
        export async function POST({ session, request }) {
          await session.set("said", await request.text());
          return me;
        }"#;
    let host = Site::new().file("handler.js", handler).arg("--workers").arg("2").serve();
    let answer = host.get("/");
    let cookie = answer.session_cookie().expect("a session");
    let mut line = host.dial(&answer.line_path()).header("cookie", &cookie).connect().expect("a line");
    line.handshake();
    // Connections go to the worker with the fewest, so it is the other's turn after one that stays.
    let mut busy = Vec::new();

    let say = |text: String| {
        let answer = host.request("POST", "/").header("cookie", &cookie).body(text).send();
        answer.text().to_owned()
    };
    let mut said = 0;
    let other = loop {
        let who = say(said.to_string());
        let heard = line.expect("message");
        assert_eq!(heard, json!([said.to_string(), answer.text()]));
        if who != answer.text() {
            break who;
        }
        said += 1;
        assert!(said < 1000, "one worker answers everything");
        busy.push(host.connect());
    };
    drop(busy);

    assert_ne!(other, answer.text());
}
