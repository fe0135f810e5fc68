//! Webflo's parts of the event: re-routes with changes, threads, waits with an end, and errors that name what
//! to use instead of what is not there.

use serde_json::{Value, json};

use crate::support::{Host, Site, handler, observed, serve};

/// A handler whose query parameter `do` picks one of these bodies; what a body throws is its answer.
fn choosing(bodies: &[(&str, &str)]) -> String {
    let cases: String =
        bodies.iter().map(|(name, body)| format!("{name:?}: async () => {{ {body} }},\n")).collect();
    handler(&format!(
        "const bodies = {{ {cases} }};
         const {{ filename }} = this;
         try {{ return await bodies[event.url.searchParams.get('do')](); }} catch (error) {{ return error.message; }}"
    ))
}

// -- next() and fetch() -------------------------------------------------------------------------------

/// Returns the request that it received.
const ECHO: &str = r#"
    export default async function (event, next) {
      if (next.stepname) return await next();
      const { method, headers } = event.request;
      const body = event.request.body === null ? null : await event.request.text();
      return { at: this.pathname, query: event.url.search, method, kind: headers.get("x-kind"), body };
    }"#;

fn rerouting(body: &str) -> Host {
    Site::new()
        .file("a/handler.js", format!("export default async function (event, next, fetch) {{ {body} }}"))
        .file("a/b/handler.js", ECHO)
        .file("c/handler.js", ECHO)
        .serve()
}

fn post(host: &Host, path: &str) -> Value {
    host.request("POST", path).header("x-kind", "first").body("words").send().json()
}

#[test]
fn next_leads_elsewhere_with_changes_of_the_request() {
    let host = rerouting(
        r#"return await next({ redirect: "/c?q=1", with: { method: "PUT", headers: { "x-kind": "second" }, body: "new" } });"#,
    );

    let echo = post(&host, "/a/b");

    assert_eq!(
        echo,
        json!({ "at": "/c", "query": "?q=1", "method": "PUT", "kind": "second", "body": "new" })
    );
}

#[test]
fn next_takes_what_is_not_changed_from_the_request() {
    let host = rerouting(r#"return await next({ redirect: "/c" });"#);

    let echo = post(&host, "/a/b");

    assert_eq!(echo, json!({ "at": "/c", "query": "", "method": "POST", "kind": "first", "body": "words" }));
}

#[test]
fn next_goes_on_with_changes_alone() {
    let host = rerouting(r#"return await next({ with: { method: "PATCH", body: "changed" } });"#);

    let echo = post(&host, "/a/b?page=2");

    assert_eq!(
        echo,
        json!({ "at": "/a/b", "query": "?page=2", "method": "PATCH", "kind": "first", "body": "changed" })
    );
}

#[test]
fn next_takes_a_request_as_what_to_change() {
    let host = rerouting(
        r#"return await next("/c", new Request(event.url, { method: "PUT", headers: { "x-kind": "other" }, body: "b" }));"#,
    );

    assert_eq!(
        post(&host, "/a"),
        json!({ "at": "/c", "query": "", "method": "PUT", "kind": "other", "body": "b" })
    );
}

#[test]
fn fetch_takes_paths_from_where_the_handler_stands() {
    for (target, at, query) in [
        ("./b?x=1", "/a/b", "?x=1"),
        ("b", "/a/b", ""),
        ("../c", "/c", ""),
        ("/c?y", "/c", "?y"),
        ("/a/b", "/a/b", ""),
    ] {
        let host =
            rerouting(&format!("if (next.stepname) return await next(); return await fetch({target:?});"));

        let echo = post(&host, "/a");

        let expected = json!({ "at": at, "query": query, "method": "GET", "kind": null, "body": null });
        assert_eq!(echo, expected, "{target}");
    }
}

#[test]
fn fetch_sends_its_arguments() {
    let host = rerouting(r#"return await fetch("./b", { method: "POST", body: "own" });"#);

    assert_eq!(
        host.get("/a").json(),
        json!({ "at": "/a/b", "query": "", "method": "POST", "kind": null, "body": "own" })
    );
}

#[test]
fn a_handler_knows_its_file() {
    let site =
        Site::new().file("a/-/handler.server.js", "export default function () { return this.filename }");
    let file = site.path("a/-/handler.server.js");

    assert_eq!(
        site.serve().get("/a/x").text(),
        file.canonicalize().expect("the file is there").to_string_lossy()
    );
}

// -- The URL ------------------------------------------------------------------------------------------

#[test]
fn a_url_is_segments_and_a_tree_of_parameters() {
    let body = "const { segments, dirname, basename, query } = event.url;
        return { segments, dirname, basename, query, isUrl: event.url instanceof URL };";
    let site = Site::new()
        .file("-/handler.js", handler("return await next()"))
        .file("-/-/handler.js", handler(body));
    let host = site.serve();

    let parts = host
        .get("/shop/tea%20pots?page=2&tag=a&tag=b&user[name]=Ann&user[ids][]=1&user[ids][]=2&x=%C3%B6")
        .json();

    let query = json!({ "page": "2", "tag": ["a", "b"], "user": { "name": "Ann", "ids": ["1", "2"] }, "x": "\u{f6}" });
    let expected = json!({
        "segments": ["shop", "tea%20pots"], "dirname": "/shop", "basename": "tea%20pots", "query": query, "isUrl": true
    });
    assert_eq!(parts, expected);
}

#[test]
fn a_url_follows_what_is_set_and_its_parts_are_not_changed() {
    let host = serve(&choosing(&[
        (
            "set",
            "event.url.searchParams.set('a', '1'); event.url.pathname = '/p/q'; return [event.url.query, event.url.segments];",
        ),
        ("query", "event.url.query.a = 1; return 'changed';"),
        ("segments", "event.url.segments.push('a'); return 'changed';"),
    ]));

    assert_eq!(host.get("/?do=set").json(), json!([{ "do": "set", "a": "1" }, ["p", "q"]]));
    for part in ["query", "segments"] {
        assert_ne!(host.get(&format!("/?do={part}")).text(), "changed", "{part}");
    }
}

#[test]
fn a_query_reaches_no_prototype_and_makes_no_huge_list() {
    let host =
        serve(&handler("return [JSON.stringify(event.url.query).length, {}.x ?? null, [].x ?? null];"));

    for query in [
        "__proto__[x]=1",
        "constructor[prototype][x]=1",
        "a[__proto__][x]=1",
        "a[4294967294]=1",
        "a[999999999][]=1",
    ] {
        let answer = host.get(&format!("/?{query}")).json();

        assert!(answer[0].as_u64().is_some_and(|length| length < 100), "{query}: {answer}");
        assert_eq!((&answer[1], &answer[2]), (&Value::Null, &Value::Null), "{query}");
    }
}

// -- waitUntil ----------------------------------------------------------------------------------------

#[test]
fn a_wait_ends_with_its_time() {
    let host = serve(&handler("event.waitUntil(new Promise(() => {}), 1); return 'here';"));

    let (answer, mut line) = host.open("/");

    assert_eq!(answer.text(), "here");
    line.done();
}

#[test]
fn a_wait_asks_its_callback_when_its_time_is_over() {
    let body = "event.waitUntil(new Promise(() => {}), 1, (happened, resolve) => {
          event.client.postMessage(happened.type);
          resolve();
        });
        return 'here';";
    let host = serve(&handler(body));

    let (_, mut line) = host.open("/");

    assert_eq!(line.expect("message"), "timeout");
    line.done();
}

#[test]
fn a_wait_goes_on_until_its_callback_ends_it() {
    let body =
        "event.waitUntil(go, 1, (happened) => event.client.postMessage(happened.type)); return 'here';";
    let host = serve(&crate::support::on_go(body));

    let (_, mut line) = host.open("/");
    assert_eq!(line.expect("message"), "timeout");
    line.send("go", Value::Null);

    line.done();
}

#[test]
fn a_wait_calls_back_for_navigations() {
    let body = "event.waitUntil(new Promise(() => {}), null, (happened, resolve) => {
          if (happened.type !== 'navigate') return;
          happened.preventDefault();
          event.client.postMessage(happened.data.pathname);
          resolve();
        });
        return 'here';";
    let host = serve(&handler(body));

    let (_, mut line) = host.open("/");
    line.navigate("/elsewhere");

    assert_eq!(line.expect("message"), "/elsewhere");
    line.done();
}

#[test]
fn a_wait_calls_back_for_another_user_and_for_the_end() {
    let host = serve(&observed(
        "if (next.stepname === 'in') return await event.user.set('id', 'ann');
         await event.session.set('here', true);
         event.waitUntil(new Promise(() => {}), undefined, ({ type, data }) => {
           seen.push([type, data ?? null]);
           event.client.postMessage(type);
         });
         return 'here';",
    ));
    let answer = host.request("GET", "/").header("x-accept-live", "*").send();
    let cookie = answer.session();
    let mut line = host.dial(&answer.line_path()).header("cookie", &cookie).connect().expect("a line");
    line.handshake();
    host.request("GET", "/in").header("cookie", &cookie).send();

    assert_eq!(line.expect("message"), "user");
    line.close();

    let seen = host.until("/seen", |answer| answer.text().contains("\"abort\""));
    let seen = seen.json();
    assert!(seen["seen"].as_array().is_some_and(|seen| seen.contains(&json!(["user", "ann"]))), "{seen}");
}

#[test]
fn a_wait_that_its_callback_rejects_is_logged() {
    let body = "event.waitUntil(new Promise(() => {}), 1, (happened, resolve, reject) => reject(new Error('enough')));
        return 'here';";
    let host = serve(&handler(body));

    let (_, mut line) = host.open("/");

    host.log.next("enough");
    line.done();
}

// -- Members and options that do not exist ----------------------------------------------------------------------

#[test]
fn options_that_do_not_exist_are_errors() {
    let cases = [
        ("respondWith", "await event.respondWith(1, { staus: 201 });", "\"staus\""),
        ("liveResponse", "LiveResponse.from(1, { Done: false });", "\"Done\""),
        ("redirect", "await event.redirect('/x', { code: 301 });", "\"code\""),
        ("postMessage", "event.client.postMessage(1, { tpye: 'x' });", "\"tpye\""),
        ("nested", "event.client.postMessage(1, { wqEventOptions: { kind: 'x' } });", "\"kind\""),
        (
            "transfer",
            "event.client.postMessage(1, { transfer: [new MessageChannel().port1] });",
            "postRequest()",
        ),
        ("transferables", "event.client.postMessage(1, [new ArrayBuffer(1)]);", "postRequest()"),
        ("postRequest", "await event.client.postRequest(1, { timeout: 5 });", "\"timeout\""),
        ("confirm", "await event.user.confirm('Sure?', { label: 'OK' });", "\"label\""),
        ("enterChannel", "event.client.enterChannel('c', { resolveMessage: (it) => it });", "resolveData"),
        ("channel", "event.client.enterChannel('c').channel.postMessage(1, { live: true });", "\"live\""),
        ("next", "await next({ url: '/x' });", "redirect, with"),
        ("nextInit", "await next('/x', { methd: 'PUT' });", "\"methd\""),
        ("nextWith", "await next({ redirect: '/x', with: { live: true } });", "LiveResponse.from"),
        ("nextLive", "await next({ redirect: '/x', live: true });", "LiveResponse.from"),
        ("nextNothing", "await next(undefined, { method: 'PUT' });", "{ redirect, with }"),
        ("nextNumber", "await next(5);", "a path, a URL, a Request"),
        ("spawn", "event.spawn({ session: null, user: {} });", "request, url"),
        ("wait", "await event.waitUntil(async () => {});", "call the function"),
        ("waitTime", "await event.waitUntil(Promise.resolve(), '5s');", "milliseconds"),
        ("waitCallback", "await event.waitUntil(Promise.resolve(), 5, {});", "is a function"),
        ("patch", "await event.session.patch({}, { merge: true });", "\"merge\""),
        ("subscribe", "event.session.subscribe('a', () => {}, { scope: 1 });", "\"scope\""),
        ("require", "await event.session.require('a', { nulls: true });", "\"nulls\""),
        ("defineHandler", "event.user.defineHandler('id', { url: '/login' });", "a URL or a function"),
        ("redirectWith", "await event.redirectWith('/x');", "an object of values"),
    ];
    let bodies: Vec<_> = cases.iter().map(|(name, body, _)| (*name, *body)).collect();
    let host = serve(&choosing(&bodies));

    for (name, body, told) in cases {
        let answer = host.get(&format!("/?do={name}"));

        assert!(answer.text().contains(told), "{body}: {answer:?}");
    }
}

#[test]
fn options_of_others_that_mean_nothing_are_taken() {
    let host = serve(&choosing(&[
        ("transfer", "event.client.postMessage(1, { transfer: [] }); return 'fine';"),
        ("list", "event.client.postMessage(1, []); return 'fine';"),
        ("undefined", "event.client.postMessage(1, { what: undefined }); return 'fine';"),
        ("response", "return new Response(null, { status: 202 }).status === 202 && 'fine';"),
        (
            "init",
            "const made = LiveResponse.from('x', new Response('y', { status: 201 })); return made.status === 201 ? 'fine' : made.status;",
        ),
    ]));

    for name in ["transfer", "list", "undefined", "response", "init"] {
        let answer = host.request("GET", &format!("/?do={name}")).plain().send();

        assert_eq!(answer.text(), "fine", "{name}");
    }
}

#[test]
fn members_that_do_not_exist_are_errors_that_name_the_replacement() {
    let cases = [
        ("event.sdk", "event.user"),
        ("event.stream", "generator"),
        ("event.poll", "setInterval()"),
        ("event.lifeCycleComplete", "event.readyState"),
        ("event.storage", "event.session"),
        ("event.realtime", "event.client"),
        ("event.with", "event.spawn"),
        ("event.client.broadcast", "enterChannel(id)"),
        ("event.client.channel", "enterChannel(id)"),
        ("event.client.relay", "next()"),
        ("event.client.query", "postRequest"),
        ("event.client.projectMutations", "live: true"),
        ("event.client.portID", "no public name"),
    ];
    let bodies: Vec<_> =
        cases.iter().map(|(member, _)| (*member, format!("return String({member});"))).collect();
    let bodies: Vec<_> = bodies.iter().map(|(member, body)| (*member, body.as_str())).collect();
    let host = serve(&choosing(&bodies));

    for (member, instead) in cases {
        let answer = host.get(&format!("/?do={member}"));

        assert!(answer.text().contains(&format!("{member} does not exist")), "{member}: {answer:?}");
        assert!(answer.text().contains(instead), "{member}: {answer:?}");
    }
}

#[test]
fn the_state_of_the_page_is_empty_on_the_server() {
    assert_eq!(serve(&handler("return event.state;")).get("/").text(), "{}");
}

#[test]
fn an_event_is_extended_as_it_is_spawned() {
    let host = serve(&handler("return event.extend({ url: '/x' }).url.pathname;"));

    assert_eq!(host.get("/").text(), "/x");
}

#[test]
fn exports_that_nothing_calls_are_logged() {
    let host =
        serve("export const GET = () => 'here'; export function SETUP() {} export function render() {}");

    assert_eq!(host.get("/").text(), "here");
    host.log.next("exports SETUP(), which nothing calls");
    host.log.next("exports render(), which nothing calls");
}

#[test]
fn respond_with_resolves_to_nothing() {
    let host = serve(&handler("return [String(await event.respondWith(1, { done: false }))];"));

    let (_, mut line) = host.open("/");

    assert_eq!(line.expect_body(), json!(["undefined"]));
}

#[test]
fn retry_after_is_a_header_like_others() {
    let host = serve("export default () => Response.json({}, { headers: { 'Retry-After': '1' } });");

    let answer = host.get("/");

    assert_eq!((answer.header("retry-after"), answer.is_live()), (Some("1"), false));
}

// -- The user, for pages ------------------------------------------------------------------------------

#[test]
fn pages_learn_what_is_known_of_their_user() {
    let site = Site::new().file(
        "account/handler.js",
        handler(
            "if (next.stepname === 'out') return await event.user.signOut();
         await event.user.patch({ id: 'ann', name: 'Ann' });
         await event.session.set('secret', 1);
         return 'in';",
        ),
    );
    let host = site.serve();
    let cookie = host.get("/account/in").session();
    let user = |cookie: &str| host.request("GET", "/.liveline/user").header("cookie", cookie).send();

    let answer = user(&cookie);

    assert_eq!(answer.json(), json!({ "id": "ann", "name": "Ann" }));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(host.get("/.liveline/user").json(), json!({}), "a stranger is nobody");
    host.request("GET", "/account/out").header("cookie", &cookie).send();
    assert_eq!(user(&cookie).json(), json!({}));
}
