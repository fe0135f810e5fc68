//! Sessions: whose they are, how long they last, what they hold; and what is known of the user with them.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Answer, Host, Site, on_go, serve};

/// Does to the session what the query says: `?set=key&value=json`, `?delete=key`; answers with all values.
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

/// A visitor: a browser with its cookies, as far as sessions go.
struct Visitor<'h> {
    host: &'h Host,
    cookie: Option<String>,
}

impl<'h> Visitor<'h> {
    fn new(host: &'h Host) -> Self {
        Visitor { host, cookie: None }
    }

    #[track_caller]
    fn get(&mut self, path: &str) -> Answer {
        let mut request = self.host.request("GET", path);
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let answer = request.send();
        if let Some(cookie) = session_cookie(&answer) {
            self.cookie = Some(cookie);
        }
        answer
    }
}

/// The `name=value` of the session cookie that an answer sets.
fn session_cookie(answer: &Answer) -> Option<String> {
    let set = answer.all("set-cookie").into_iter().find(|cookie| cookie.starts_with("__sessid="))?;
    set.split(';').next().map(str::to_owned)
}

fn with_store(path: &Path) -> Site {
    Site::new().file("handler.js", STORE).arg("--session-store").arg(path.to_str().expect("a path"))
}

/// Runs a test with each store.
fn each(handler: &str, test: impl Fn(&Host)) {
    test(&serve(handler));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sessions.sqlite");
    let path = path.to_str().expect("a path");
    test(&Site::new().file("handler.js", handler).arg("--session-store").arg(path).serve());
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
            let fresh = session_cookie(&write).expect("a new session");
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

    assert_ne!(session_cookie(&elsewhere), None);
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
    let cookie = session_cookie(&answer).expect("a session cookie");
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
        session_cookie(&host.get("/?set=a&value=1")).expect("a cookie")
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
fn a_subscriber_hears_of_other_requests_in_other_isolates() {
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
    let cookie = session_cookie(&answer).expect("a session");
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

// -- The user -----------------------------------------------------------------------------------------

/// A root that says where to sign in, and routes that need to know who asks.
const ACCOUNTS: &str = r#"
    export default async function (event, next) {
      event.user.defineHandler("id", "/sign-in");
      event.user.defineHandler("role", () => "guest");
      event.user.defineHandler("plan", () => new Response("pay first", { status: 402 }));
      if (next.stepname === "sign-in") {
        await event.user.set("id", event.url.searchParams.get("as"));
        return { isSignedIn: await event.user.isSignedIn() };
      }
      if (next.stepname === "sign-out") return (await event.user.signOut(), await event.user.isSignedIn());
      if (next.stepname === "plan") return await event.user.require("plan");
      if (next.stepname === "unknown") return await event.user.require("unknown").catch((error) => error.name);
      return await next();
    }"#;

#[test]
fn what_is_required_is_there_or_its_handler_answers() {
    let site = Site::new().file("handler.js", ACCOUNTS).file(
        "account/handler.js",
        "export default async ({ user }) => {
           const [id, role] = await user.signIn('role');
           return { id, role, same: await user.require(['id'], (id) => id + '!') };
         };",
    );
    let host = site.serve();
    let mut visitor = Visitor::new(&host);

    let stranger = visitor.get("/account");
    let signed_in = visitor.get("/sign-in?as=ada");
    let known = visitor.get("/account");
    let plan = visitor.get("/plan");
    let unknown = visitor.get("/unknown");
    let signed_out = visitor.get("/sign-out");

    assert_eq!((stranger.status, stranger.header("location")), (302, Some("/sign-in")));
    assert_eq!(signed_in.json(), json!({ "isSignedIn": true }));
    assert_eq!(known.json(), json!({ "id": "ada", "role": "guest", "same": "ada!" }));
    assert_eq!((plan.status, plan.text()), (402, "pay first"));
    assert_eq!(unknown.text(), "NotFoundError");
    assert_eq!(signed_out.json(), Value::Bool(false));
    assert_eq!(visitor.get("/account").status, 302);
}

#[test]
fn signing_in_elsewhere_is_heard() {
    let handler = r#"
        export async function GET(event) {
          await event.session.set("began", true);
          const stop = await event.user.isSignedIn((is) => event.client.postMessage(is));
          event.client.addEventListener("stop", stop);
          event.waitUntilNavigate();
          return "live";
        }
        export async function POST({ user }) {
          await user.set("id", 7);
          await user.signOut();
          return await user.json();
        }"#;
    let host = serve(handler);
    let answer = host.get("/");
    let cookie = session_cookie(&answer).expect("a session");
    let mut line = host.dial(&answer.line_path()).header("cookie", &cookie).connect().expect("a line");
    line.handshake();

    let after = host.request("POST", "/").header("cookie", &cookie).send().json();

    assert_eq!(after, json!({}));
    // The first message came before the answer.
    assert_eq!((line.expect("message"), line.expect_body()), (json!(false), json!("live")));
    assert_eq!((line.expect("message"), line.expect("message")), (json!(true), json!(false)));
}

// -- A new id -----------------------------------------------------------------------------------------

/// `/?set=a` begins a session, `/?in=ID` signs in, `/?renew` asks for a new id; all tell what is known.
const SIGN_IN: &str = r#"
    export default async function ({ session, user, url }) {
      const query = url.searchParams;
      if (query.has("set")) await session.set("cart", query.get("set"));
      if (query.has("in")) await user.set("id", query.get("in"));
      if (query.has("out")) await user.signOut();
      const renewed = query.has("renew") ? await session.regenerate() : undefined;
      return { cart: await session.get("cart"), user: await user.get("id"), id: session.sessionID, renewed };
    }"#;

/// An attacker that has a session of their own gives its cookie to a victim, who then signs in (session fixation).
#[test]
fn a_session_gets_a_new_id_at_sign_in() {
    each(SIGN_IN, |host| {
        let mut victim = Visitor::new(host);
        victim.get("/?set=tea");
        let planted = victim.cookie.clone().expect("a session");

        let signed_in = victim.get("/?in=ann").json();

        assert_ne!(victim.cookie.as_ref(), Some(&planted), "the answer sets another cookie");
        assert_eq!((&signed_in["cart"], &signed_in["user"]), (&json!("tea"), &json!("ann")));
        let again = victim.get("/").json();
        assert_eq!(
            (&again["cart"], &again["user"], &again["id"]),
            (&json!("tea"), &json!("ann"), &signed_in["id"])
        );
        let attacker = host.request("GET", "/").header("cookie", &planted).send().json();
        assert_eq!(
            (&attacker["cart"], &attacker["user"]),
            (&Value::Null, &Value::Null),
            "the old id is nobody's"
        );
    });
}

#[test]
fn only_another_user_makes_a_new_id() {
    each(SIGN_IN, |host| {
        let mut visitor = Visitor::new(host);
        visitor.get("/?in=ann");
        let first = visitor.cookie.clone();

        visitor.get("/?in=ann");
        assert_eq!(visitor.cookie, first, "the same user is signed in already");
        visitor.get("/?in=bob");
        assert_ne!(visitor.cookie, first);
    });
}

#[test]
fn a_session_is_renewed_when_its_handler_says_so() {
    each(SIGN_IN, |host| {
        let mut visitor = Visitor::new(host);
        assert_eq!(visitor.get("/?renew").json()["renewed"], Value::Null, "there is none");
        visitor.get("/?set=tea");
        let old = visitor.cookie.clone().expect("a session");

        let renewed = visitor.get("/?renew").json();

        assert_eq!((&renewed["renewed"], &renewed["cart"]), (&renewed["id"], &json!("tea")));
        assert!(
            visitor
                .cookie
                .as_ref()
                .is_some_and(|cookie| cookie.contains(renewed["id"].as_str().expect("an id")))
        );
        let with_old = host.request("GET", "/").header("cookie", &old).send().json();
        assert_eq!(with_old["cart"], Value::Null);
    });
}

/// Another tab of who signs in: its line, its handler and its subscription go on.
#[test]
fn what_is_open_goes_on_when_the_session_gets_a_new_id() {
    let live = r#"
        export async function GET(event) {
          await event.session.set("seen", 1);
          event.user.isSignedIn((is) => event.client.postMessage({ is }));
          event.client.addEventListener("set", async (e) => {
            await event.session.set("note", e.data);
            event.client.postMessage({ set: await event.session.get("note"), id: event.session.sessionID });
          });
          event.waitUntilNavigate();
          return {};
        }"#;
    let site = || Site::new().file("live/handler.js", live).file("in/handler.js", SIGN_IN);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sessions.sqlite");
    for host in [site().serve(), site().arg("--session-store").arg(path.to_str().expect("a path")).serve()] {
        let tab = host.get("/live");
        let old = session_cookie(&tab).expect("a session");
        let mut line = host.join(&tab);
        let waiting = host.request("GET", "/live").header("cookie", &old).send();
        assert_eq!(line.expect("message"), json!({ "is": false }));

        let signed_in = host.request("GET", "/in?in=ann").header("cookie", &old).send();

        let new = session_cookie(&signed_in).expect("a new id");
        assert_eq!(line.expect("message"), json!({ "is": true }));
        line.set_cookie(&new);
        line.send("set", json!("kept"));
        assert_eq!(line.expect("message"), json!({ "set": "kept", "id": signed_in.json()["id"] }));
        // Its line was offered before, and is joined by who has the session now; the old cookie joins nothing.
        let dial = || host.dial(&waiting.line_path());
        assert_eq!(dial().header("cookie", &old).connect().err(), Some(403));
        assert!(dial().header("cookie", &new).connect().is_ok());
    }
}

/// No answer could tell the client of a new id, so that stays as it is.
#[test]
fn on_a_line_the_id_stays() {
    let host = serve(&on_go(
        r#"await event.session.set("a", 1);
        (async () => {
          await go;
          await event.user.set("id", 7);
          const refused = await event.session.regenerate().catch((e) => e.name);
          event.client.postMessage({ user: await event.user.get("id"), refused });
        })();
        event.waitUntilNavigate();
        return {};"#,
    ));
    let answer = host.get("/");
    let mut line = host.join(&answer);

    line.send("go", Value::Null);

    assert_eq!(line.expect("message"), json!({ "user": 7, "refused": "InvalidStateError" }));
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
