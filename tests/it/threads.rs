//! `event.thread` and `event.redirectWith()`: values that a redirect hands to the request that follows it.

use serde_json::{Value, json};

use crate::support::{Answer, Host, serve};

/// `/save` redirects with values, `/read` gives them, `/keep` gives them and keeps them.
const THREADS: &str = r#"
    const all = async ({ thread }) => {
      const values = {};
      for (const key of await thread.keys()) values[key] = await thread.get(key, true);
      return values;
    };
    export default async function (event, next) {
      switch (next.stepname) {
        case "save":
          event.redirectWith("/read?from=save#end", { status: "Saved", rows: [1, 2] }, Number(event.url.query.status ?? 302));
          return;
        case "keep":
          await event.thread.extend();
          return await all(event);
        case "consume":
          return [await event.thread.consume("rows"), await event.thread.get("rows") ?? null, await event.thread.has("status")];
        case "away":
          return event.redirectWith("https://example.com/", {});
        default:
          return await all(event);
      }
    }"#;

/// What `/save` answered: where it leads, without the fragment, and the session's cookie.
fn saved(host: &Host, path: &str) -> (Answer, String, String) {
    let answer = host.get(path);
    let location = answer.header("location").unwrap_or_else(|| panic!("no redirect: {answer:?}")).to_owned();
    let cookie = answer.session();
    (answer, location.split('#').next().unwrap_or_default().to_owned(), cookie)
}

fn with(host: &Host, path: &str, cookie: &str) -> Value {
    host.request("GET", path).header("cookie", cookie).send().json()
}

#[test]
fn a_redirect_hands_values_to_the_request_that_follows_it_once() {
    let host = serve(THREADS);

    let (answer, location, cookie) = saved(&host, "/save?n=1");

    assert_eq!((answer.status, answer.is_live()), (302, false));
    assert!(
        answer
            .header("location")
            .is_some_and(|it| it.starts_with("/read?from=save&_thread=") && it.ends_with("#end"))
    );
    let expected = json!({ "back": ["/save?n=1"], "status": ["Saved"], "rows": [[1, 2]] });
    assert_eq!(with(&host, &location, &cookie), expected);
    assert_eq!(with(&host, &location, &cookie), json!({}), "a reload finds nothing");
    assert_eq!(saved(&host, "/save?status=303").0.status, 303);
}

#[test]
fn a_thread_that_is_extended_is_there_for_one_request_more() {
    let host = serve(THREADS);
    let (_, location, cookie) = saved(&host, "/save");
    let keep = location.replace("/read", "/keep");

    for _ in 0..2 {
        assert_eq!(with(&host, &keep, &cookie)["status"], json!(["Saved"]));
    }
    assert_eq!(with(&host, &location, &cookie)["status"], json!(["Saved"]));
    assert_eq!(with(&host, &location, &cookie), json!({}));
}

#[test]
fn a_value_of_a_thread_is_taken_out() {
    let host = serve(THREADS);
    let (_, location, cookie) = saved(&host, "/save");

    assert_eq!(with(&host, &location.replace("/read", "/consume"), &cookie), json!([[1, 2], null, true]));
}

#[test]
fn a_thread_is_its_visitors_alone() {
    let host = serve(THREADS);
    let (_, location, _) = saved(&host, "/save");
    let (_, _, stranger) = saved(&host, "/save");

    assert_eq!(with(&host, &location, &stranger), json!({}));
    assert_eq!(host.get(&location).json(), json!({}));
    assert_eq!(host.get("/read?_thread=../../x").json(), json!({}));
}

#[test]
fn a_session_keeps_so_many_threads() {
    let host = serve(THREADS);
    let (_, first, cookie) = saved(&host, "/save");
    let mut last = String::new();
    for _ in 0..16 {
        let answer = host.request("GET", "/save").header("cookie", &cookie).send();
        last = answer.header("location").and_then(|it| it.split('#').next()).expect("a redirect").to_owned();
    }

    assert_eq!(with(&host, &first, &cookie), json!({}));
    assert_eq!(with(&host, &last, &cookie)["status"], json!(["Saved"]));
}

#[test]
fn redirect_with_leads_to_this_site_alone() {
    let host = serve(THREADS);

    assert_eq!(host.get("/away").status, 500);
    host.log.next("redirectWith() leads to this site alone; use redirect()");
}

#[test]
fn a_status_of_a_thread_is_the_handlers_to_show() {
    let host = serve(THREADS);
    let (_, location, cookie) = saved(&host, "/save");

    let answer = host.request("GET", &location).header("cookie", &cookie).send();

    assert!(!answer.is_live(), "no message follows: {answer:?}");
    assert_eq!(answer.json()["status"], json!(["Saved"]));
}
