//! `liveline dev`, the host's half: the messages to open pages, which pages of other sites do not receive. The pages'
//! half is in tests/browser/dev-*.test.mjs.

use std::net::TcpStream;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocket;

use crate::support::{Answer, Host, Request, Site};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const SCRIPT: &str = "<script src=\"/.liveline/dev/page.js\"";

/// A handler that returns a text.
fn says(text: &str) -> String {
    format!("export default (event, next) => next.stepname ? next() : {text:?};\n")
}

fn origin(host: &Host) -> String {
    format!("http://{}", host.address())
}

/// The messages to an open page.
struct News(WebSocket<TcpStream>);

impl News {
    #[track_caller]
    fn of(host: &Host) -> News {
        let connected = host.dial("/.liveline/dev").header("origin", &origin(host)).upgrade();
        News(connected.expect("a page may listen").0)
    }

    #[track_caller]
    fn next(&mut self) -> Value {
        loop {
            match self.0.read().expect("a message") {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?} is no news"),
            }
        }
    }

    /// The next of a type that is as wished. Editors and systems may save in several steps.
    #[track_caller]
    fn until(&mut self, kind: &str, wish: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.next();
            if message["type"] == kind && wish(&message) {
                return message;
            }
        }
    }
}

/// What a browser gets that goes to a path.
fn browse(host: &Host, path: &str) -> Request {
    host.request("GET", path)
        .header("accept", BROWSER)
        .header("sec-fetch-dest", "document")
        .header("sec-fetch-mode", "navigate")
}

// -- code that does not load -----------------------------------------------------------------------------------------

#[test]
fn broken_code_at_the_start_is_the_answer_at_once() {
    let mut host = Site::new().file("handler.js", "export default () => {\n  const x = ;\n};\n").begin_dev();
    host.ready();

    let page = browse(&host, "/a/b").send();
    assert_eq!(page.status, 500);
    assert_eq!(page.header("content-type"), Some("text/html;charset=UTF-8"));
    for part in ["SyntaxError", "handler.js:2", "const x = ", SCRIPT] {
        assert!(page.text().contains(part), "{part} is not in {page:?}");
    }
    let text = host.request("GET", "/").plain().send();
    assert!(
        text.status == 500 && text.text().contains("SyntaxError") && text.text().contains("handler.js:2"),
        "{text:?}"
    );
    let json = host.request("POST", "/x").header("accept", "application/json").send().json();
    assert_eq!(json["error"]["line"], 2, "{json}");

    host.site.write("handler.js", says("mended"));
    host.until("/", |answer| answer.text() == "mended");
}

#[test]
fn all_that_is_broken_at_the_start_is_shown() {
    let mut host = Site::new()
        .file("a/handler.js", "export default (")
        .file("b/handler.ts", "export default = 1;")
        .begin_dev();
    host.ready();

    let page = browse(&host, "/").send();

    assert!(page.text().contains("a/handler.js") && page.text().contains("b/handler.ts"), "{page:?}");
}

#[test]
fn the_answer_names_code_that_waits_at_the_start() {
    let mut host = Site::new()
        .file(
            "handler.js",
            "export default () => 1;\nawait new Promise(() => setInterval(() => {}, 1000));\n",
        )
        .begin_dev();
    host.ready();

    let page = browse(&host, "/").send();
    assert_eq!(page.status, 500);
    assert!(page.text().contains("handler.js:2") && page.text().contains("top-level await"), "{page:?}");

    host.site.write("handler.js", says("mended"));
    host.until("/", |answer| answer.text() == "mended");
}

#[test]
fn answers_of_the_old_code_show_that_the_new_does_not_load() {
    let host = Site::new().file("handler.js", says("old")).dev();
    assert_eq!(host.get("/").header("x-liveline-stale"), None);

    host.site.write("handler.js", "export default () => {");
    host.log.next("reload failed");

    let answer = host.until("/", |answer| answer.header("x-liveline-stale").is_some());
    let stale = answer.header("x-liveline-stale").unwrap_or_default();
    assert!(
        answer.text() == "old" && stale.contains("SyntaxError") && stale.contains("handler.js:1"),
        "{answer:?}"
    );
    host.site.write("handler.js", says("new"));
    host.until("/", |answer| answer.text() == "new" && answer.header("x-liveline-stale").is_none());
}

// -- the script ------------------------------------------------------------------------------------------------------

fn pages() -> Site {
    Site::new()
        .file("app/handler.js", "export default (event, next) => next.stepname ? next() : ({ a: 1 });")
        .file("app/page.html", "<!doctype html><html><head><title>T</title></head><body><p render='#text: data.a'></p></body></html>")
        .file("app/html/handler.js", "export default () => new Response('<!doctype html><p>own', { headers: { 'Content-Type': 'text/html' } });")
        .file(
            "app/bits/handler.js",
            r#"export default () => new Response(new ReadableStream({
              start(c) { for (const bit of ["<!doctype html><html><head>", "<title>T</title>"]) c.enqueue(new TextEncoder().encode(bit)); c.close(); },
            }), { headers: { "Content-Type": "text/html" } });"#,
        )
        .file("app/throws/handler.js", "export default () => { throw new Error('thrown'); };")
        .file(
            "app/strict/handler.js",
            r#"export default () => new Response("<!doctype html><p>own", {
              headers: { "Content-Type": "text/html", "Content-Security-Policy": "default-src 'none'; script-src 'nonce-abc' 'strict-dynamic'" },
            });"#,
        )
        .file("public/file.html", "<!doctype html><html lang=en><head><title>File</title></head></html>")
        .file("public/data.json", "{}")
}

#[test]
fn every_page_has_the_script_in_dev() {
    let host = pages().dev();

    for path in ["/", "/html", "/bits", "/throws", "/strict", "/file.html", "/none"] {
        let page = browse(&host, path).send();
        assert_eq!(page.text().matches(SCRIPT).count(), 1, "{path}: {page:?}");
    }
    let page = browse(&host, "/file.html").send();
    assert!(page.text().starts_with(&format!("<!doctype html><html lang=en><head>{SCRIPT}")), "{page:?}");
    assert_eq!(host.get("/.liveline/dev/page.js").status, 200);
}

#[test]
fn what_is_no_page_for_a_browser_has_no_script() {
    let host = pages().dev();
    let assert_none = |answer: Answer| assert!(!answer.text().contains("/.liveline/dev"), "{answer:?}");

    assert_none(host.get("/file.html"));
    assert_none(browse(&host, "/data.json").send());
    // A part of a page that a script asked for.
    let fetched = |path| {
        host.request("GET", path)
            .header("accept", "text/html")
            .header("sec-fetch-dest", "empty")
            .header("sec-fetch-mode", "cors")
    };
    assert_none(fetched("/html").send());
    assert_none(fetched("/file.html").send());
}

#[test]
fn in_serve_there_is_nothing_of_it() {
    let host = pages().serve();

    for path in ["/", "/html", "/bits", "/throws", "/file.html", "/none"] {
        let page = browse(&host, path).send();
        assert!(!page.text().contains("liveline/dev"), "{path}: {page:?}");
    }
    for path in ["/.liveline/dev", "/.liveline/dev/page.js"] {
        assert_eq!(host.get(path).status, 404, "{path}");
    }
    let open = host
        .request("POST", "/.liveline/dev/open")
        .header("origin", &origin(&host))
        .json(&json!({ "place": "x" }))
        .send();
    assert!(matches!(open.status, 403 | 404), "{open:?}");
    assert!(host.dial("/.liveline/dev").header("origin", &origin(&host)).upgrade().is_err());
}

#[test]
fn a_policy_allows_the_script() {
    let host = pages().dev();

    let page = browse(&host, "/strict").send();

    assert!(page.text().contains(" nonce=\"abc\"></script>"), "{page:?}");
    let policy = page.header("content-security-policy").unwrap_or_default();
    let own = format!("connect-src 'self' ws://{0} wss://{0}", host.address());
    assert!(
        policy.starts_with("default-src 'none'; script-src 'nonce-abc' 'strict-dynamic'; ")
            && policy.ends_with(&own),
        "{policy}"
    );
}

#[test]
fn a_browser_that_has_the_page_without_the_script_gets_it_anew() {
    let host = pages().dev();
    let plain = host.get("/file.html");
    let tag = |answer: &Answer| answer.header("etag").map(str::to_owned).expect("a tag");
    let again = |tag: &str| browse(&host, "/file.html").header("if-none-match", tag).send();

    let page = again(&tag(&plain));
    assert_eq!(page.status, 200);
    assert_ne!(tag(&page), tag(&plain));

    let same = again(&tag(&page));
    assert_eq!((same.status, tag(&same)), (304, tag(&page)));
    // After a save it is another page: the script in it would take it for that of before.
    host.site.write("public/other.css", "p {}");
    let mut news = News::of(&host);
    if news.next()["saves"] == json!(0) {
        news.until("saved", |_| true);
    }
    assert_eq!(again(&tag(&page)).status, 200);
    assert_eq!(plain.header("content-length"), Some(plain.body.len().to_string().as_str()));
}

// -- messages to pages ---------------------------------------------------------------------------------------------

#[test]
fn a_page_receives_the_routes_that_a_save_changes() {
    let host = Site::new()
        .file("package.json", "{}")
        .file("app/handler.js", says("root"))
        .file("app/a/handler.js", "import { b } from './lib.js'; export default () => b;")
        .file("app/a/lib.js", "export { b } from './more.js';")
        .file("app/a/more.js", "export const b = 1;")
        .file("app/c/handler.client.js", "import './client-lib.js'; export default () => 1;")
        .file("app/c/client-lib.js", "1;")
        .file("app/c/page.html", "<p>page</p>")
        .file("app/d/handler.worker.js", "export default () => 1;")
        .dev();
    let mut news = News::of(&host);
    let hello = news.next();
    assert_eq!((&hello["type"], &hello["errors"], &hello["saves"]), (&json!("hello"), &json!([]), &json!(0)));

    let nothing = json!({ "all": false, "server": [], "pages": [], "client": [], "worker": [], "files": [] });
    for (file, text, part, pattern) in [
        ("app/a/more.js", "export const b = 2;", "server", "/a"),
        ("app/handler.js", &*says("new"), "server", "/"),
        ("app/c/client-lib.js", "2;", "client", "/c"),
        ("app/c/page.html", "<p>new</p>", "pages", "/c"),
        ("app/d/handler.worker.js", "export default () => 2;", "worker", "/d"),
        ("app/e/handler.js", "export default () => 3;", "server", "/e"),
    ] {
        host.site.write(file, text);
        let told = news.until("saved", |message| message["what"][part] != json!([]));
        let mut expected = nothing.clone();
        expected[part] = json!([pattern]);
        assert_eq!(told["what"], expected, "{file}");
    }
    host.site.remove("app/e/handler.js");
    news.until("saved", |message| message["what"]["server"] == json!(["/e"]));
}

#[test]
fn a_page_receives_files_of_public_also_while_the_code_is_broken() {
    let host = Site::new().file("app/handler.js", says("x")).file("public/a b/style.css", "p {}").dev();
    let mut news = News::of(&host);
    host.site.write("app/handler.js", "export default () => {");
    let broken = news.until("broken", |_| true);
    assert!(broken["errors"][0]["message"].as_str().is_some_and(|it| it.contains("SyntaxError")), "{broken}");

    host.site.write("public/a b/style.css", "p { color: red }");

    let told = news.until("saved", |_| true);
    assert_eq!(told["what"]["files"], json!(["/a%20b/style.css"]));
    assert_eq!(told["keepsErrors"], json!(true));
}

#[test]
fn a_page_that_opens_later_receives_what_is_broken() {
    let host = Site::new().file("handler.js", says("x")).dev();
    host.site.write("handler.js", "export default () => {\n  const y = ;\n};\n");
    host.log.next("reload failed");

    let mut news = News::of(&host);
    let hello = news.next();
    let error = if hello["errors"] == json!([]) { news.until("broken", |_| true) } else { hello };
    let error = &error["errors"][0];

    assert_eq!(
        (error["line"].as_u64(), &error["excerpt"][1]),
        (Some(2), &json!([2, "  const y = ;"])),
        "{error}"
    );
    host.site.write("handler.js", says("mended"));
    news.until("saved", |_| true);
    assert_eq!(News::of(&host).next()["errors"], json!([]));
}

#[test]
fn a_page_receives_errors_of_requests_of_lines_and_of_others() {
    let host = Site::new()
        .file("thrown/handler.ts", "type A = string;\n\nexport default (): A => {\n  throw new Error('in a request');\n};\n")
        .file(
            "line/handler.js",
            "export default (event) => {\n  event.client.addEventListener('go', () => { throw new Error('on a line'); });\n  event.waitUntilNavigate();\n  return 1;\n};\n",
        )
        .file("later/handler.js", "export default (event) => { Promise.reject(new Error('nobody handles it')); return 1; };")
        .dev();
    let mut news = News::of(&host);
    news.next();

    assert_eq!(host.get("/thrown").status, 500);
    let told = news.until("failure", |_| true)["failure"].clone();
    assert_eq!((&told["method"], &told["path"]), (&json!("GET"), &json!("/thrown")));
    let error = &told["error"];
    assert_eq!((&error["message"], &error["line"]), (&json!("Error: in a request"), &json!(4)), "{error}");

    let (_, mut line) = host.open("/line");
    line.send("go", Value::Null);
    news.until("failure", |it| it["failure"]["error"]["message"] == "Error: on a line");

    host.get("/later");
    news.until("failure", |it| it["failure"]["error"]["message"] == "Error: nobody handles it");
    let hello = News::of(&host).next();
    assert_eq!(hello["failures"].as_array().map(Vec::len), Some(3), "{hello}");
}

#[test]
fn listening_pages_hold_up_neither_a_reload_nor_the_end() {
    let mut host = Site::new().file("handler.js", says("0")).dev();
    let mut news: Vec<News> = (0..20).map(|_| News::of(&host)).collect();

    for n in 1..=12 {
        host.site.write("handler.js", says(&n.to_string()));
        host.until("/", |answer| answer.text() == n.to_string());
    }
    for page in &mut news {
        page.until("saved", |_| true);
    }

    host.signal("TERM");
    assert_eq!(host.ended(), Some(0));
}

// -- who else --------------------------------------------------------------------------------------------------------

#[test]
fn pages_of_other_sites_receive_nothing() {
    let host = Site::new().file("handler.js", says("x")).dev();
    let own = origin(&host);

    let dial = || host.dial("/.liveline/dev");
    for refused in [
        dial().upgrade(),
        dial().header("origin", "http://evil.example").upgrade(),
        dial().header("origin", "null").upgrade(),
        dial().header("origin", "http://127.0.0.1:1").upgrade(),
        dial().header("origin", &own).header("sec-fetch-site", "cross-site").upgrade(),
    ] {
        assert_eq!(refused.err(), Some(403));
    }
    assert_eq!(host.request("GET", "/.liveline/dev").header("host", "evil.example").send().status, 421);
    assert_eq!(host.get("/.liveline/dev").status, 426);
}

/// A site whose editor writes its arguments into a file.
#[cfg(unix)]
fn edited() -> (Site, String) {
    use std::os::unix::fs::PermissionsExt as _;

    let site = Site::new()
        .file("site/package.json", "{}")
        .file("site/app/handler.js", says("x"))
        .file("secret.txt", "secret")
        .file("editor.sh", "#!/bin/sh\necho \"$@\" > \"$(dirname \"$0\")/opened.new\"\nmv \"$(dirname \"$0\")/opened.new\" \"$(dirname \"$0\")/opened\"\n")
        .serving("site");
    let editor = site.path("editor.sh");
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).expect("a program");
    let editor = editor.display().to_string();
    (site, editor)
}

#[cfg(unix)]
#[test]
fn the_editor_opens_files_of_the_project_for_pages_of_the_site() {
    let (site, editor) = edited();
    let path = std::env::var("PATH").unwrap_or_default();
    let executable = crate::support::executable();
    let host = site.run_by(&executable, &[("LIVELINE_EDITOR", &*editor), ("PATH", &*path)]).dev();
    let file = host.site.path("site/app/handler.js").canonicalize().expect("a file").display().to_string();
    let place = format!("{file}:3:7");
    let ask = |place: &str| {
        host.request("POST", "/.liveline/dev/open")
            .header("origin", &origin(&host))
            .json(&json!({ "place": place }))
    };

    assert_eq!(ask(&place).send().status, 204);
    // What it writes is there when the program has run.
    let opened = host.site.path("opened");
    host.until("/", |_| opened.exists());
    let told = std::fs::read_to_string(&opened).expect("what the editor was told");
    assert!(told.contains(&file), "{told}");
    std::fs::remove_file(&opened).expect("it is there");

    let secret = host.site.path("secret.txt").display().to_string();
    let up = format!("{}/../secret.txt", host.site.path("site").display());
    for outside in [secret.as_str(), up.as_str(), "/etc/passwd", "", "--version", "none.js"] {
        let refused = ask(outside).send();
        assert_eq!(refused.status, 501, "{outside}: {refused:?}");
    }
    let refuse = |request: Request| assert_eq!(request.send().status, 403);
    let foreign = |origin: &str| {
        host.request("POST", "/.liveline/dev/open").header("origin", origin).json(&json!({ "place": place }))
    };
    refuse(foreign("http://evil.example"));
    refuse(foreign("null"));
    refuse(host.request("POST", "/.liveline/dev/open").json(&json!({ "place": place })));
    refuse(ask(&place).header("sec-fetch-site", "same-site"));
    let form = host
        .request("POST", "/.liveline/dev/open")
        .header("origin", &origin(&host))
        .header("content-type", "text/plain");
    assert_eq!(form.body(json!({ "place": place }).to_string()).send().status, 400);
    assert_eq!(
        host.request("GET", "/.liveline/dev/open").header("origin", &origin(&host)).send().status,
        404
    );
    assert!(!opened.exists(), "one of them was opened");
}

#[cfg(unix)]
#[test]
fn without_an_editor_the_answer_names_the_variable() {
    let executable = crate::support::executable();
    for (environment, told) in [(vec![], "LIVELINE_EDITOR"), (vec![("EDITOR", "vim")], "terminal")] {
        let (site, _) = edited();
        let host = site.run_by(&executable, &environment).dev();
        let place = host.site.path("site/app/handler.js").display().to_string();

        let asked = host.request("POST", "/.liveline/dev/open").header("origin", &origin(&host));
        let answer = asked.json(&json!({ "place": place })).send();

        assert!(answer.status == 501 && answer.text().contains(told), "{answer:?}");
    }
}

#[test]
fn frames_of_the_browser_lead_to_what_was_written() {
    let host = Site::new()
        .file(
            "app/handler.client.ts",
            "type A = string;\n\n\nexport default (): A => {\n  throw new Error('x');\n};\n",
        )
        .file("public/plain.js", "one\ntwo\n")
        .dev();
    let module = host.get("/.liveline/client/handler.client.ts");
    let line = 1 + module.text().lines().position(|line| line.contains("throw")).expect("the compiled line");
    let frames = json!({ "frames": [
        { "path": "/.liveline/client/handler.client.ts", "line": line, "column": 5 },
        { "path": "/plain.js", "line": 2, "column": 1 },
        { "path": "/../app/handler.client.ts", "line": 1, "column": 1 },
        { "path": "/app/handler.client.ts", "line": 1, "column": 1 },
    ] });

    let ask = |origin: &str| {
        host.request("POST", "/.liveline/dev/source").header("origin", origin).json(&frames).send()
    };
    let found = ask(&origin(&host)).json();

    assert_eq!((&found[0]["line"], &found[1]["line"]), (&json!(5), &json!(2)), "{found}");
    assert!(found[0]["file"].as_str().is_some_and(|file| file.ends_with("handler.client.ts")), "{found}");
    assert_eq!((&found[2], &found[3]), (&Value::Null, &Value::Null));
    assert_eq!(ask("http://evil.example").status, 403);
}

// -- links -----------------------------------------------------------------------------------------------------------

#[cfg(unix)]
#[test]
fn a_module_that_is_a_link_is_watched_where_it_leads() {
    let host = Site::new()
        .file("package.json", "{}")
        .file("real/text.js", "export const text = 'old';")
        .file("shared/more/other.js", "export const other = 'old';")
        .file("routes/handler.js", "import { text } from './lib/text.js'; import { other } from './more/other.js'; export default () => text + ' ' + other;")
        .link("middle/text.js", "real/text.js")
        .link("routes/lib/text.js", "middle/text.js")
        .link("routes/more", "shared/more")
        .serving("routes")
        .dev();
    assert_eq!(host.get("/").text(), "old old");

    host.site.write("real/text.js", "export const text = 'new';");
    host.until("/", |answer| answer.text() == "new old");

    host.site.write("shared/more/other.js", "export const other = 'new';");
    host.until("/", |answer| answer.text() == "new new");

    // As many editors save.
    host.site.write("real/text.js.tmp", "export const text = 'third';");
    host.site.rename("real/text.js.tmp", "real/text.js");
    host.until("/", |answer| answer.text() == "third new");

    // And the link itself leads elsewhere.
    host.site.write("real/other.js", "export const text = 'fourth';");
    host.site.remove("middle/text.js");
    std::os::unix::fs::symlink(host.site.path("real/other.js"), host.site.path("middle/text.js"))
        .expect("a link");
    host.until("/", |answer| answer.text() == "fourth new");
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    let site =
        Site::new().file("handler.js", "export function get() { return 1; }").file("page/other.js", "");
    let host = site.dev();
    let warning = host.log.next("warning: `get` answers no requests: methods are written in capitals");
    assert!(!warning.contains("error"), "{warning}");
    host.log.next("--> handler.js:1:17");
    host.log.next("help: did you mean `GET`?");

    let page = browse(&host, "/").send();
    assert_eq!(page.status, 404);
    assert!(page.text().contains("`get` answers no requests"), "{}", page.text());

    host.site.write("hander.js", "export default () => 1;");
    host.log.next("warning: `hander.js` is ignored");
    let known = host.log.text();
    assert_eq!(known.matches("`get` answers no requests").count(), 1, "{known}");

    host.site.write("handler.js", "export function GET() { return 1; }");
    host.log.next("reloaded in");
    assert_eq!(host.get("/").text(), "1");
}

#[test]
fn an_empty_folder_says_what_to_write() {
    let host = Site::new().dev();
    host.log.next("warning: there is nothing to serve");
    host.log.next("handler.js");
}

#[test]
fn what_json_leaves_out_of_a_result_is_a_warning() {
    let handler = r#"
        const later = async () => 1;
        export default (event, next) => {
          switch (next.stepname) {
            case "promise": return { user: { name: later() } };
            case "map": return { list: [1, new Map([[1, 2]])] };
            case "error": return { error: new Error("lost") };
            case "later": return (async function* () { yield { n: 1 }; yield { blob: new Blob(["x"]) }; })();
            case "own": return { model: new (class { lost = new Map([[1, 2]]); toJSON() { return "own"; } })() };
            case "fine": return { when: new Date(0), none: {}, list: [], get later() { return 1; } };
          }
        };"#;
    let host = Site::new().file("handler.js", handler).dev();

    assert_eq!(host.get("/promise").text(), r#"{"user":{"name":{}}}"#);
    host.log.next("The handler's result has a Promise at $.user.name, which JSON writes as {}: `await` it.");
    host.get("/fine");
    assert_eq!(host.get("/own").text(), r#"{"model":"own"}"#);
    host.get("/promise");
    assert_eq!(host.get("/map").text(), r#"{"list":[1,{}]}"#);
    host.log.next("a Map at $.list[1]");
    host.get("/error");
    host.log.next("an Error at $.error");
    let log = host.log.text();
    assert_eq!(log.matches("which JSON writes as {}").count(), 3, "{log}");
    let (_, mut line) = host.open("/later");
    assert_eq!(line.expect_body(), json!({ "blob": {} }));
    line.done();
    host.log.next("a Blob at $.blob");
}
