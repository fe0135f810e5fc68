//! Pages: what a browser that asks for HTML gets at a route.

use serde_json::{Value, json};

use crate::support::{Answer, Host, Site};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";

const PAGE: &str = r##"<!DOCTYPE html><html><head><title>T</title></head>
<body><h1 render="#text: data?.title">Wait</h1>
<ul render="#items: (m) of data?.list / 'm'"><template def="m"><li render="#text: m"></li></template></ul>
</body></html>"##;

/// A page at the root, and a handler there with this body.
fn at_root(body: &str) -> Site {
    Site::new()
        .file("page.html", PAGE)
        .file("handler.js", format!("export default async (event, next) => {{ {body} }}"))
}

/// What a browser gets.
#[track_caller]
fn browse(host: &Host, path: &str) -> Answer {
    host.request("GET", path).header("accept", BROWSER).send()
}

#[track_caller]
fn assert_page(answer: &Answer) {
    assert_eq!(answer.header("content-type"), Some("text/html;charset=UTF-8"), "{answer:?}");
    assert_eq!(answer.header("vary"), Some("Accept"), "{answer:?}");
    assert!(answer.text().starts_with("<!DOCTYPE html><html><head><meta name="), "{answer:?}");
}

/// The state as the page carries it, before any parsing.
#[track_caller]
fn state(answer: &Answer) -> &str {
    let (_, rest) =
        answer.text().split_once(r#"<script rel="hydration" type="application/json">"#).expect("a state");
    rest.strip_suffix("</script></body></html>").unwrap_or_else(|| panic!("not at the end: {answer:?}"))
}

#[test]
fn a_browser_gets_the_page_with_its_state() {
    let host = at_root("return { title: 'Tea & <b>', list: ['a', 'b'] };").serve();

    let answer = browse(&host, "/");

    assert_eq!(answer.status, 200);
    assert_page(&answer);
    let html = answer.text();
    assert!(
        html.contains(
            r#"<head><meta name="liveline-page" content="/"><script src="/app.js"></script><title>"#
        ),
        "{html}"
    );
    assert!(html.contains(r##"<h1 render="#text: data?.title">Tea &amp; &lt;b&gt;</h1>"##), "{html}");
    assert!(html.contains(r#"data-key="0">a</li>"#) && html.contains(r#"data-key="1">b</li>"#), "{html}");
    assert_eq!(state(&answer), r#"{"title":"Tea & \u003cb>","list":["a","b"]}"#);
    assert_eq!(answer.header("cache-control"), None);
    assert!(!html.contains("X-Live-Session"), "{html}");
}

#[test]
fn programs_get_what_they_ask_for() {
    let host = at_root("return { title: 'x' };").serve();
    for (accept, html) in [
        (None, false),
        (Some("*/*"), false),
        (Some("application/json"), false),
        (Some("application/json, text/html;q=0.9"), false),
        (Some("text/html;q=0"), false),
        (Some("text/html"), true),
        (Some("text/html;q=0.9, application/json;q=0.8"), true),
        (Some(BROWSER), true),
    ] {
        let request = host.request("GET", "/");
        let answer = match accept {
            Some(accept) => request.header("accept", accept).send(),
            None => request.send(),
        };

        let kind = if html { "text/html;charset=UTF-8" } else { "application/json" };
        assert_eq!(answer.header("content-type"), Some(kind), "{accept:?}");
        assert_eq!(answer.header("vary"), Some("Accept"), "{accept:?}");
        assert_eq!(answer.header("x-live-page"), Some("/"), "{accept:?}");
        if !html {
            assert_eq!(answer.json(), json!({ "title": "x" }), "{accept:?}");
        }
    }
    // A form of a page without JavaScript is answered with a page as well.
    let posted = host.request("POST", "/").header("accept", BROWSER).send();
    assert_eq!(posted.header("content-type"), Some("text/html;charset=UTF-8"));
    assert!(posted.text().contains(r#"data-method="POST">{"title":"x"}</script>"#), "{posted:?}");
    assert_eq!(host.request("POST", "/").send().json(), json!({ "title": "x" }));
}

#[test]
fn status_and_headers_of_the_state_are_the_page_s() {
    let host = at_root(
        "event.cookies.set('seen', '1'); return new LiveResponse({ title: 'Gone' }, { status: 404, headers: { 'X-A': 'b' } });",
    )
    .serve();

    let answer = browse(&host, "/");

    assert_eq!((answer.status, answer.header("x-a")), (404, Some("b")));
    assert_eq!(answer.header("vary"), Some("Accept"));
    assert!(answer.header("set-cookie").is_some_and(|cookie| cookie.starts_with("seen=1")), "{answer:?}");
    assert!(answer.text().contains(r#"data-status="404">{"title":"Gone"}</script>"#), "{answer:?}");
}

#[test]
fn every_kind_of_data_is_a_state() {
    for (body, expected) in [
        ("return 'text </script>';", r#""text \u003c/script>""#),
        ("return 5;", "5"),
        ("return null;", "null"),
        ("", "null"),
        ("return ['\\u2028'];", r#"["\u2028"]"#),
        ("return { '<!--': '<script>' };", r#"{"\u003c!--":"\u003cscript>"}"#),
        ("return Response.json({ a: 1 });", r#"{"a":1}"#),
        ("await event.respondWith({ a: 2 });", r#"{"a":2}"#),
        ("return { at: new Date(0), no: undefined };", r#"{"at":"1970-01-01T00:00:00.000Z"}"#),
    ] {
        let host = at_root(body).serve();

        let answer = browse(&host, "/");

        assert_page(&answer);
        assert_eq!(state(&answer), expected, "{body}");
    }
}

#[test]
fn a_state_cannot_leave_its_place() {
    let attack = "</script></title><script>alert(1)</script><!-- \"'><img src=x onerror=alert(1)>";
    let host =
        at_root(&format!("const x = {attack:?}; return {{ title: x, list: [x, {{ [x]: x }}] }};")).serve();

    let answer = browse(&host, "/");

    let html = answer.text();
    assert_eq!(html.matches("<script").count(), 2, "the app's and the state's: {html}");
    assert_eq!(html.matches("</script").count(), 2, "{html}");
    assert!(!html.contains("<img"), "{html}");
    let state: Value = serde_json::from_str(state(&answer)).expect("JSON");
    assert_eq!(state["title"], json!(attack));
}

#[test]
fn answers_with_a_body_of_their_own_pass() {
    for (body, kind, text) in [
        (
            "return new Response('<p>mine', { headers: { 'content-type': 'text/html' } });",
            "text/html",
            "<p>mine",
        ),
        ("return new Response('plain');", "text/plain;charset=UTF-8", "plain"),
        (
            "return new Response(new Uint8Array([60]), { headers: { 'content-type': 'image/png' } });",
            "image/png",
            "<",
        ),
        (
            "return new LiveResponse('<svg/>', { headers: { 'content-type': 'image/svg+xml' } });",
            "image/svg+xml",
            "<svg/>",
        ),
        (
            "return new Response('{', { headers: { 'content-type': 'application/json' } });",
            "application/json",
            "{",
        ),
    ] {
        let host = at_root(body).serve();

        let answer = browse(&host, "/");

        assert_eq!((answer.header("content-type"), answer.text()), (Some(kind), text), "{body}");
    }
}

#[test]
fn redirects_and_empty_answers_pass() {
    for (body, status) in [
        ("return Response.redirect(new URL('/b', event.url));", 302),
        ("return event.redirect('/b');", 302),
        ("return new LiveResponse(null, { status: 303, headers: { Location: '/b' } });", 303),
        ("return new Response(null, { status: 204 });", 204),
        ("return new LiveResponse(null, { status: 204 });", 204),
    ] {
        let host = at_root(body).serve();

        let answer = browse(&host, "/");

        assert_eq!((answer.status, answer.text()), (status, ""), "{body}");
        assert_eq!(answer.header("location").is_some(), status != 204, "{body}");
    }
}

#[test]
fn static_files_behind_a_handler_pass() {
    let host = at_root("if (next.stepname) return next(); return {};").file("public/a.css", "a{}").serve();

    let answer = browse(&host, "/a.css");
    assert_eq!((answer.text(), answer.header("x-live-page"), answer.header("vary")), ("a{}", None, None));
    assert_eq!(browse(&host, "/none").status, 404);
    assert_eq!(browse(&host, "/page.html").status, 404);
}

#[test]
fn a_live_page_begins_with_the_address_of_its_line() {
    let host = at_root("event.waitUntilNavigate(); return { list: ['a'] };").serve();

    let answer = browse(&host, "/");

    assert_page(&answer);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let address = answer.header("x-live-session").expect("live");
    let meta = format!(r#"<head><meta name="X-Live-Session" content="{address}"><meta name="liveline-page""#);
    assert!(answer.text().contains(&meta), "{answer:?}");
    assert_eq!(state(&answer), r#"{"list":["a"]}"#);
    host.join(&answer);
}

#[test]
fn a_first_change_after_the_page_is_a_delta_of_its_state() {
    let host = at_root(
        r#"const go = new Promise((r) => event.client.addEventListener("go", r, { once: true }));
        event.respondWith({ list: [] }, async ($data) => { await go; $data.list.push("a"); });"#,
    )
    .serve();
    let answer = browse(&host, "/");
    assert_eq!(state(&answer), r#"{"list":[]}"#);

    let mut line = host.join(&answer);
    line.send("go", json!(null));

    assert_eq!(line.next_frame().kind, "initial_response.mutate");
}

#[test]
fn a_message_first_is_a_202_with_the_page_as_written() {
    let host = at_root("event.client.postMessage({ progress: 1 }); await new Promise(() => {});").serve();

    let answer = browse(&host, "/");

    assert_eq!(answer.status, 202);
    assert_page(&answer);
    let html = answer.text();
    assert!(html.contains(r#"<head><meta name="X-Live-Session" content="socket:///.liveline/"#), "{html}");
    assert!(html.contains(r##"<h1 render="#text: data?.title">Wait</h1>"##), "{html}");
    assert!(html.contains(r#"data-status="202">null</script></body></html>"#), "{html}");
    assert_eq!(host.join(&answer).next_frame().message, json!({ "progress": 1 }));
}

#[test]
fn head_is_the_page_without_its_body() {
    let host = at_root("return { title: 'x' };").serve();
    let length = browse(&host, "/").body.len().to_string();

    let answer = host.request("HEAD", "/").header("accept", BROWSER).send();

    assert_eq!((answer.status, answer.text()), (200, ""));
    assert_eq!(answer.header("content-type"), Some("text/html;charset=UTF-8"));
    assert_eq!(answer.header("content-length"), Some(&*length));
}

#[test]
fn the_nearest_page_upwards_is_taken() {
    let says = "export default (event, next) => next.stepname ? next() : ({ title: 'x' });";
    let host = Site::new()
        .file("app/handler.js", says)
        .file("app/index.html", "<p>root")
        .file("app/shop/page.html", "<p>shop")
        .file("app/shop/index.html", "<p>not this one")
        .file("app/shop/-/handler.js", says)
        .file("app/shop/-/deep/handler.js", says)
        .file("app/shop/-/deep/index.html", "<p>deep")
        .file("app/news/handler.js", says)
        .file("app/caf\u{e9}/handler.js", says)
        .file("app/caf\u{e9}/page.html", "<p>caf\u{e9}")
        .file("index.html", "<p>outside")
        .file("public/index.html", "<p>static")
        .serve();
    for (path, paragraph, id) in [
        ("/", "<p>root</p>", "/"),
        ("/news", "<p>root</p>", "/"),
        ("/shop/7", "<p>shop</p>", "/shop"),
        ("/shop/7/deep", "<p>deep</p>", "/shop/-/deep"),
        ("/caf%C3%A9", "<p>caf\u{e9}</p>", "/caf%C3%A9"),
    ] {
        let answer = browse(&host, path);

        assert!(answer.text().contains(paragraph), "{path}: {answer:?}");
        assert_eq!(answer.header("x-live-page"), Some(id), "{path}");
        assert!(answer.text().contains(&format!(r#"<meta name="liveline-page" content="{id}">"#)), "{path}");
        assert_eq!(host.get(path).header("x-live-page"), Some(id), "{path}");
    }
}

#[test]
fn without_a_page_a_browser_gets_json_as_ever() {
    let host = Site::new().file("handler.js", "export default () => ({ a: 1 });").serve();

    let answer = browse(&host, "/");

    assert_eq!(answer.json(), json!({ "a": 1 }));
    assert_eq!((answer.header("vary"), answer.header("x-live-page")), (None, None));
}

#[test]
fn a_page_that_no_handler_answers_is_shown_without_a_state() {
    let host = Site::new()
        .file("app/handler.js", "export default (event, next) => next();")
        .file("app/post/handler.js", "export const POST = () => ({ title: 'posted' });")
        .file("app/post/page.html", PAGE)
        .file("app/alone/index.html", PAGE)
        .file("app/bare/handler.js", "export const POST = () => 1;")
        .file("app/file/page.html", PAGE)
        .file("public/file/index.html", "from public")
        .serve();

    for path in ["/post", "/post/", "/alone"] {
        let answer = browse(&host, path);
        assert_eq!((answer.status, state(&answer)), (200, "null"), "{path}");
        assert_page(&answer);
        assert!(answer.text().contains(r##"<h1 render="#text: data?.title"></h1>"##), "{answer:?}");
        assert_eq!(answer.header("x-live-session"), None);
    }
    assert_eq!(browse(&host, "/file/").text(), "from public");
    assert_eq!(browse(&host, "/bare").status, 405);
    for nowhere in ["/alone/below", "/nowhere"] {
        assert_eq!(browse(&host, nowhere).status, 404, "{nowhere}");
    }
    // Programs get what there is for them.
    assert_eq!((host.get("/post").status, host.get("/alone").status), (405, 404));
    assert_eq!(host.request("POST", "/post").send().json(), json!({ "title": "posted" }));
}

#[test]
fn a_page_needs_no_handler_anywhere() {
    let host = Site::new()
        .file("app/page.html", PAGE)
        .file("app/handler.client.js", "export default () => 1;")
        .file("app/a/b/page.html", PAGE)
        .serve();

    for path in ["/", "/a/b"] {
        let answer = browse(&host, path);
        assert_eq!((answer.status, state(&answer)), (200, "null"), "{path}");
        assert_eq!(answer.header("x-live-page"), Some(path));
        let head = host.request("HEAD", path).header("accept", BROWSER).send();
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
    }
    for nowhere in ["/a", "/a/b/c", "/b"] {
        assert_eq!(browse(&host, nowhere).status, 404, "{nowhere}");
    }
    assert_eq!((host.get("/").status, host.get("/a/b").status), (404, 404));
}

#[test]
fn the_chat_s_markup_is_a_page_and_its_items_are_there() {
    let markup = r##"<div>
  Welcome to chat!
  <ul render="#items: (m) of data?.messageTrail / 'message'">
    <template def="message" scoped>
      <li
        class="chat-message"
        render="#text: m.event || m.message; ~type: m.user && 'incoming' || 'outgoing';"
      ></li>
    </template>
  </ul>
  <style scoped>.chat-message[type="incoming"] > b { color: teal }</style>
</div>"##;
    let trail = "[{ message: 'Beginning of chat...' }, { message: 'Hi', user: 'Ann' }, { event: 'leaves', user: 'Ann' }]";
    let host = Site::new()
        .file("page.html", markup)
        .file("handler.js", format!("export default () => ({{ messageTrail: {trail} }});"))
        .serve();

    let answer = browse(&host, "/");

    assert_page(&answer);
    let html = answer.text();
    for (key, kind, text) in
        [(0, "outgoing", "Beginning of chat..."), (1, "incoming", "Hi"), (2, "incoming", "leaves")]
    {
        assert!(html.contains(&format!(r#" data-key="{key}" type="{kind}">{text}</li>"#)), "{html}");
    }
    assert!(html.contains(r#"[type="incoming"] > b { color: teal }</style>"#), "{html}");
}

#[test]
fn an_app_script_of_the_page_stays_the_only_one() {
    for script in
        [r#"<script type="module" src="/app.mjs"></script>"#, r#"<script defer src="./app.js?v=2"></script>"#]
    {
        let host = Site::new()
            .file("page.html", format!("<head>{script}</head>"))
            .file("handler.js", "export default () => ({});")
            .serve();

        assert_eq!(browse(&host, "/").text().matches("<script").count(), 2, "{script}");
    }
}

#[test]
fn an_edited_page_is_shown() {
    let host = Site::new().file("app/handler.js", "export default () => ({ a: 1 });").dev();
    let until = |wish: &str| {
        loop {
            host.log.next("reloaded");
            if browse(&host, "/").text().contains(wish) {
                return;
            }
        }
    };
    assert_eq!(browse(&host, "/").json(), json!({ "a": 1 }));

    host.site.write("app/page.html", "<p>first");
    until("<p>first</p>");
    host.site.write("app/page.html", "<p>second");
    until("<p>second</p>");
    host.site.remove("app/page.html");
    until(r#"{"a":1}"#);
}

#[test]
fn serve_shows_the_page_that_it_loaded() {
    let host = at_root("return { title: 'x' };").serve();
    let before = browse(&host, "/");
    host.site.remove("page.html");

    assert_eq!(host.get("/").json(), json!({ "title": "x" }));
    let after = browse(&host, "/");

    assert_eq!((after.status, after.text()), (200, before.text()));
}

#[test]
fn a_binding_that_fails_is_logged_once_and_shows_nothing() {
    let host = Site::new()
        .file("page.html", r##"<p render="#text: data.a.b">x</p><i render="~title: data.t">y</i>"##)
        .file("handler.js", "export default () => ({ t: 1 });")
        .serve();

    for _ in 0..2 {
        let answer = browse(&host, "/");
        assert!(answer.text().contains(r##"<p render="#text: data.a.b"></p>"##), "{answer:?}");
        assert!(answer.text().contains(r#" title="1">y</i>"#), "{answer:?}");
    }

    host.log.next("there is no `b` of undefined");
    assert_eq!(host.log.text().matches("ERROR").count(), 1, "{}", host.log.text());
    host.log.contains("page.html");
}

#[test]
fn in_dev_a_browser_is_shown_the_error() {
    let host = Site::new()
        .file(
            "handler.js",
            "export default () => {\n  const tag = \"<b>\";\n  throw new Error(tag + \" & boom\");\n};\n",
        )
        .dev();

    let answer = browse(&host, "/");

    assert_eq!((answer.status, answer.header("content-type")), (500, Some("text/html;charset=UTF-8")));
    let html = answer.text();
    assert!(html.contains("&lt;b&gt; &amp; boom"), "{html}");
    assert!(html.contains("handler.js:3:9"), "{html}");
    assert!(html.contains("const tag = &quot;&lt;b&gt;&quot;;"), "{html}");
    assert!(!html.contains("<b> "), "{html}");
}

#[test]
fn a_browser_is_shown_that_there_is_nothing() {
    let host = Site::new()
        .file("app/handler.js", "export default (event, next) => next();")
        .file("public/there.txt", "there")
        .serve();

    let answer = browse(&host, "/nowhere");

    assert_eq!(answer.status, 404);
    assert_eq!(answer.header("content-type"), Some("text/html;charset=UTF-8"));
    assert!(answer.text().contains("<h1>Not Found</h1><p>There is no such page here.</p>"), "{answer:?}");
    let program = host.get("/nowhere");
    assert_eq!((program.status, program.body.len()), (404, 0));
}

#[test]
fn in_serve_a_browser_is_shown_that_there_was_one() {
    let host = at_root("throw new Error('secret boom');").serve();

    let answer = browse(&host, "/");

    assert_eq!((answer.status, answer.header("content-type")), (500, Some("text/html;charset=UTF-8")));
    assert!(answer.text().contains("<h1>Internal Server Error</h1>"), "{answer:?}");
    assert!(!answer.text().contains("secret") && !answer.text().contains("handler.js"), "{answer:?}");
    assert_eq!(host.get("/").text().trim(), "Internal Server Error");
}

/// Handlers are held to the same: `modules.rs`.
#[cfg(unix)]
#[test]
fn a_page_that_is_a_link_out_of_the_project_is_refused() {
    let elsewhere = Site::new().file("secret.html", "<p>secret</p>");
    let site = || {
        Site::new().file("app/handler.js", "export default () => 1;").file("shared/page.html", "<p>own</p>")
    };
    let linked = |to: &std::path::Path| {
        let site = site();
        std::os::unix::fs::symlink(to, site.path("app/page.html")).expect("a link");
        site
    };

    let refused = linked(&elsewhere.path("secret.html")).run("check");

    assert_eq!(refused.code, Some(1), "{}", refused.output());
    assert!(
        refused.stderr.contains("page.html") && refused.stderr.contains("outside of the project"),
        "{}",
        refused.output()
    );
    let inside = linked(std::path::Path::new("../shared/page.html")).serve();
    let shown = inside.request("GET", "/").header("accept", "text/html").send();
    assert!(shown.text().contains("own"), "{shown:?}");
}
