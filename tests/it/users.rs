//! The user of a session: routes that need one, signing in and out, and the new id of the session.

use serde_json::{Value, json};

use super::sessions::each;
use crate::support::{Site, Visitor, on_go, serve};

/// A root that names the sign-in page, and routes that need a user.
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
fn signing_in_elsewhere_calls_subscribers() {
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
    let cookie = answer.session_cookie().expect("a session");
    let mut line = host.dial(&answer.line_path()).header("cookie", &cookie).connect().expect("a line");
    line.handshake();

    let after = host.request("POST", "/").header("cookie", &cookie).send().json();

    assert_eq!(after, json!({}));
    // The first message came before the answer.
    assert_eq!((line.expect("message"), line.expect_body()), (json!(false), json!("live")));
    assert_eq!((line.expect("message"), line.expect("message")), (json!(true), json!(false)));
}

// -- A new id -----------------------------------------------------------------------------------------

/// `/?set=a` begins a session, `/?in=ID` signs in, `/?renew` asks for a new id; each returns the user that is known.
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
fn a_session_is_renewed_when_its_handler_asks_for_it() {
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
        let old = tab.session_cookie().expect("a session");
        let mut line = host.join(&tab);
        let waiting = host.request("GET", "/live").header("cookie", &old).send();
        assert_eq!(line.expect("message"), json!({ "is": false }));

        let signed_in = host.request("GET", "/in?in=ann").header("cookie", &old).send();

        let new = signed_in.session_cookie().expect("a new id");
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

/// No answer could carry a new id to the client, so the id stays the same.
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
