//! Routes: how they are registered, what handlers get, and what becomes of their results.

use serde_json::json;

use super::{failure, post, script, until};
use crate::support::Site;

#[test]
fn arguments_of_register_come_in_any_order() {
    let host = script(
        "register('/a', 'a', 'GET');
         register('/b', 'b');
         register('/c', function () { return 'c'; });
         register('POST', '/d', d);
         register('/e', () => 'e', 'put');
         register('/post', 'post', 'POST');
         register('/g', 'POST', () => 'g');
         function post() { return 'post'; }
         function a() { return 'a'; }
         const b = () => 'b';
         async function d() { await null; return 'd'; }",
    )
    .serve();
    for (method, path) in [
        ("GET", "/a"),
        ("GET", "/b"),
        ("GET", "/c"),
        ("POST", "/d"),
        ("PUT", "/e"),
        ("POST", "/post"),
        ("POST", "/g"),
    ] {
        let answer = host.request(method, path).send();
        assert_eq!((answer.status, answer.text()), (200, &path[1..]));
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=UTF-8"));
    }
}

#[test]
fn handlers_may_be_imported() {
    let host = Site::new()
        .file(
            "scripts/main.js",
            "import { imported } from './server/handlers.js';
             register('/imported', 'imported');",
        )
        .file("scripts/server/handlers.js", "export function imported() { writeLog('here'); return 'yes'; }")
        .serve();
    assert_eq!(host.get("/imported").text(), "yes");
    host.prints("here");
}

#[test]
fn of_two_registrations_of_a_route_the_last_one_counts() {
    let host = Site::new()
        .file(
            "scripts/a.js",
            "register('/x', () => 'a'); register('/y', () => 'first'); register('/y', () => 'second');",
        )
        .file("scripts/b.js", "register('/x', 'b'); function b() { return 'b'; }")
        .serve();
    host.log.contains("scripts/b.js: the route GET /x was registered for a function, as scripts/a.js has registered it, too");
    assert_eq!(host.get("/x").text(), "b");
    assert_eq!(host.get("/y").text(), "second");
}

#[test]
fn a_handler_that_does_not_exist_is_named() {
    let host = script("register('/x', 'absent'); function other() {}").serve();
    host.log.contains("the handler \"absent\" of GET /x does not exist");
    let answer = host.get("/x");
    assert_eq!(answer.status, 500);
    failure(&answer);
    host.log.contains("scripts/main.js has no function named \"absent\"; it declares other");
}

#[test]
fn forms_are_objects_of_strings() {
    let host = script(
        "register('/form', (req) => ({ form: req.form, query: req.query, body: req.body }), 'POST');
         register('/destructured', (req) => { const { a } = req.form; return String(a); }, 'POST');",
    )
    .serve();
    let sent = post(&host, "/form?q=1&q=2", "a=1&b=x+y%2Bz&a=2").json();
    assert_eq!(sent["form"], json!({ "a": "2", "b": "x y+z" }));
    assert_eq!(sent["query"], json!({ "q": "2" }));
    assert_eq!(sent["body"], "a=1&b=x+y%2Bz&a=2");

    let multipart = "--B\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
        --B\r\ncontent-disposition: form-data; name=\"f\"; filename=\"t.txt\"\r\ncontent-type: text/plain\r\n\r\nhi\r\n--B--\r\n";
    let sent = host
        .request("POST", "/form")
        .header("content-type", "multipart/form-data; boundary=B")
        .body(multipart)
        .send();
    assert_eq!(sent.json()["form"], json!({ "a": "1" }));

    let sent = host.request("POST", "/form").json(&json!({ "a": 1 })).send().json();
    assert_eq!((&sent["form"], &sent["body"]), (&json!({}), &json!("{\"a\":1}")));
    assert_eq!(host.request("POST", "/destructured").json(&json!({})).send().text(), "undefined");
    assert_eq!(host.request("POST", "/destructured").send().text(), "undefined");
}

#[test]
fn uploaded_files_are_base64() {
    let host = script(
        "function init() { routeRegistry.registerRoute('/upload', 'upload', 'POST'); }
         function upload(context) {
           const [{ field, filename, contentType, data, size }] = context.request.files;
           return ResponseBuilder.json({ field, filename, contentType, data, size });
         }",
    )
    .serve();
    let multipart = "--B\r\ncontent-disposition: form-data; name=\"f\"; filename=\"t.bin\"\r\ncontent-type: image/x\r\n\r\nhi!\r\n--B--\r\n";
    let answer = host
        .request("POST", "/upload")
        .header("content-type", "multipart/form-data; boundary=B")
        .body(multipart)
        .send();
    let expected =
        json!({ "field": "f", "filename": "t.bin", "contentType": "image/x", "data": "aGkh", "size": 3 });
    assert_eq!(answer.json(), expected);
}

#[test]
fn a_context_is_a_request_too() {
    let host = script(
        "function init(context) {
           writeLog(context.kind, context.scriptName, context.isStartup);
           routeRegistry.registerRoute('/users/:id/posts/:post', 'show', 'GET', { summary: 'a post' });
           routeRegistry.registerRoute('/files/*', 'file');
         }
         function show(context) {
           const { request, kind, invocationId, args } = context;
           return { status: 201, headers: { 'x-id': request.params.id }, contentType: 'application/json',
             body: JSON.stringify([kind, request.method, request.path, request.params.post, args.q,
               request.headers['x-a'], request.auth.isAuthenticated, invocationId.length, context.path]) };
         }
         function file(context) { return context.request.params['*']; }",
    )
    .serve();
    host.prints("init scripts/main.js true");
    let answer = host.request("GET", "/users/a%20b/posts/7?q=1").header("x-a", "b").send();
    assert_eq!((answer.status, answer.header("x-id")), (201, Some("a b")));
    let path = "/users/a%20b/posts/7";
    assert_eq!(answer.json(), json!(["httpRoute", "GET", path, "7", "1", "b", false, 36, path]));
    assert_eq!(host.get("/files/a/b.txt").text(), "a/b.txt");
    assert_eq!(host.get("/users/1").status, 404);
}

#[test]
fn results_become_answers() {
    let host = script(
        "register('/object', () => ({ a: 1 }));
         register('/list', () => [1, 2]);
         register('/nothing', () => {});
         register('/body', () => ({ body: 'b' }));
         register('/data', () => ({ status: 202, body: { a: 1 } }));
         register('/html', () => ({ status: 200, body: '<p>', contentType: 'text/html' }));
         register('/base64', () => ({ status: 200, bodyBase64: 'aGkh', contentType: 'image/png' }));
         register('/redirect', () => ResponseBuilder.redirect('/list'));
         register('/none', () => ResponseBuilder.noContent());
         register('/error', () => ResponseBuilder.error(418, 'teapot'));
         register('/response', () => new Response('r', { status: 203 }));
         register('/status', () => ({ status: 'fine' }));",
    )
    .serve();
    let of = |path: &str| {
        let answer = host.get(path);
        let kind = answer.header("content-type").unwrap_or_default().to_owned();
        (answer.status, kind, answer.text().to_owned())
    };
    let is = |status: u16, kind: &str, text: &str| (status, kind.to_owned(), text.to_owned());
    let text = "text/plain; charset=UTF-8";
    assert_eq!(of("/object"), is(200, "application/json", "{\"a\":1}"));
    assert_eq!(of("/list"), is(200, "application/json", "[1,2]"));
    assert_eq!(of("/nothing").0, 204);
    assert_eq!(of("/body"), is(200, text, "b"));
    assert_eq!(of("/data"), is(202, "application/json", "{\"a\":1}"));
    assert_eq!(of("/html"), is(200, "text/html", "<p>"));
    assert_eq!(of("/base64"), is(200, "image/png", "hi!"));
    assert_eq!(of("/none").0, 204);
    assert_eq!(of("/error"), is(418, "application/json", "{\"error\":\"teapot\"}"));
    assert_eq!((of("/response").0, of("/response").2), (203, "r".to_owned()));
    assert_eq!(of("/status").0, 500);
    let redirect = host.get("/redirect");
    assert_eq!((redirect.status, redirect.header("location")), (302, Some("/list")));
}

#[test]
fn other_paths_and_methods_are_errors_in_json() {
    let host =
        script("register('/x', () => 'x', 'POST'); register('/y', () => 'y'); registerWebStream('/s');")
            .file("public/page.html", "<p>page</p>")
            .serve();
    let missing = host.get("/absent");
    assert_eq!(missing.status, 404);
    let error = failure(&missing);
    assert_eq!(
        (&error["code"], &error["path"], &error["method"]),
        (&json!("NOT_FOUND"), &json!("/absent"), &json!("GET"))
    );

    let wrong = host.get("/x");
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("OPTIONS, POST")));
    assert_eq!(failure(&wrong)["code"], "METHOD_NOT_ALLOWED");
    let stream = host.request("POST", "/s").send();
    assert_eq!((stream.status, stream.header("allow")), (405, Some("GET, HEAD, OPTIONS")));

    let head = host.request("HEAD", "/y").send();
    assert_eq!((head.status, head.text()), (200, ""));
    let options = host.request("OPTIONS", "/y").send();
    assert_eq!((options.status, options.header("allow")), (204, Some("GET, HEAD, OPTIONS")));
    assert_eq!(host.get("/page.html").text(), "<p>page</p>");
    assert_eq!(host.get("/main.js").status, 404);
    assert_eq!(host.get("/scripts/main.js").status, 404);
}

#[test]
fn state_of_a_script_lasts() {
    let host = script("let n = 0; register('/count', () => String(++n));").arg("--workers").arg("1").serve();
    for n in 1..=3 {
        assert_eq!(host.get("/count").text(), n.to_string());
    }
}

#[test]
fn a_handler_that_does_not_end_is_stopped() {
    let host = script(
        "register('/loop', () => { while (true) {} });
         register('/memory', () => { const all = []; while (true) all.push(new Array(100000).fill(all.length)); });
         register('/fine', () => 'fine');",
    )
    .arg("--cpu-timeout")
    .arg("500ms")
    .serve();
    assert_eq!(host.get("/loop").status, 500);
    assert_eq!(host.get("/fine").text(), "fine");
    let full = host.get("/memory").status;
    assert!(full >= 500, "{full}");
    until("the host answers again", || host.get("/fine").text() == "fine");
}

#[test]
fn jsx_is_text() {
    let host = Site::new()
        .file(
            "scripts/page.tsx",
            "function Item({ name, children }: { name: string; children?: unknown }) {
               return <li class=\"item\" title={name}>{name}: {children}</li>;
             }
             function page() {
               const items = ['a', '<b>'];
               return ResponseBuilder.html(<html><body style={{ fontSize: '12px' }}>
                 <>{items.map((name) => <Item name={name}>{1 + 1}</Item>)}</><br/><input disabled value='\"'/></body></html>);
             }
             register('/page', page);",
        )
        .file("scripts/plain.js", "register('/plain', () => ResponseBuilder.html(<p className=\"x\">{[1, null, 'a & b']}</p>));")
        .serve();
    let html = host.get("/page");
    assert_eq!(html.header("content-type"), Some("text/html; charset=UTF-8"));
    assert_eq!(
        html.text(),
        "<html><body style=\"font-size:12px;\"><li class=\"item\" title=\"a\">a: 2</li>\
         <li class=\"item\" title=\"&lt;b&gt;\">&lt;b&gt;: 2</li><br><input disabled value=\"&quot;\"></body></html>"
    );
    assert_eq!(host.get("/plain").text(), "<p class=\"x\">1a &amp; b</p>");
}

#[test]
fn names_of_scripts_are_theirs_alone() {
    let host = Site::new()
        .file("scripts/a.js", "register('/a', () => typeof globalThis.register + typeof globalThis.h);")
        .file(
            "scripts/b.js",
            "// dialect: aiwebengine\nconst test = 'own', h = 'own';\nregister('/b', () => test + h);",
        )
        .serve();
    assert_eq!(host.get("/a").text(), "undefinedundefined");
    assert_eq!(host.get("/b").text(), "ownown");
}

#[test]
fn missing_parts_of_aiwebengine_are_named() {
    let host = script(
        "register('/db', () => database.query('t'));
         register('/fn', () => { try { upsertAsset('a'); } catch (error) { return error.message; } });",
    )
    .serve();
    assert_eq!(host.get("/db").status, 500);
    host.log.contains(
        "database.query() does not exist on this host: import { openDatabase } from \"liveline:sql\"",
    );
    assert_eq!(
        host.get("/fn").text(),
        "upsertAsset() does not exist on this host: put the file into public/."
    );
}
