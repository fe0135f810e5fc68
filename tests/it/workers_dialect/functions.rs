//! Files of `functions/`.

use std::io::{Read as _, Write as _};

use serde_json::json;

use crate::support::Site;

fn functions(files: &[(&str, &str)]) -> Site {
    files.iter().fold(Site::new(), |site, (path, text)| site.file(&format!("functions/{path}"), text))
}

#[test]
fn a_function_answers_the_url_of_its_path_for_all_methods() {
    let host = functions(&[
        ("api/chat.js", "export default async (request, context) => new Response(`${request.method} ${typeof context.env}`);"),
        ("index.js", "export default (request) => new Response('root');"),
    ])
    .serve();

    for method in ["GET", "PUT", "DELETE"] {
        assert_eq!(host.request(method, "/api/chat").send().text(), format!("{method} object"));
    }
    assert_eq!(host.get("/").text(), "root");
    assert_eq!(host.get("/api/chat/").text(), "GET object");
    assert_eq!(host.get("/api/other").status, 404);
}

#[test]
fn exports_of_pages_answer_their_methods_with_parameters() {
    let host = functions(&[
        (
            "rooms/[room].ts",
            "export const onRequestGet = ({ params, functionPath }: any) => Response.json({ params, functionPath });
             export const onRequestPost = [async ({ next }: any) => new Response(`<${await (await next()).text()}>`),
               () => new Response('posted')];",
        ),
        ("rooms/list.js", "export const onRequest = () => new Response('list');"),
        ("files/[[path]].js", "export const onRequest = ({ params }) => Response.json(params.path);"),
    ])
    .serve();

    let answer = host.get("/rooms/a%20b");
    assert_eq!(answer.json(), json!({ "params": { "room": "a b" }, "functionPath": "/rooms/:room" }));
    assert_eq!(host.request("POST", "/rooms/7").send().text(), "<posted>");
    assert_eq!(host.get("/rooms/list").text(), "list");
    assert_eq!(host.get("/files/a/b.txt").json(), json!(["a", "b.txt"]));
    assert_eq!(host.get("/files").json(), json!([]));
    let refused = host.request("PUT", "/rooms/7").send();
    assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, POST")));
    assert_eq!(host.request("HEAD", "/rooms/7").send().status, 200);
}

#[test]
fn middleware_runs_before_functions_and_files() {
    let host = functions(&[
        (
            "_middleware.js",
            "export const onRequest = async (context) => {
               context.data.order = ['outer'];
               const response = await context.next();
               const own = new Response(response.body, response);
               own.headers.set('x-outer', '1');
               return own;
             };",
        ),
        (
            "api/_middleware.js",
            "export const onRequestGet = ({ data, next }) => { data.order.push('inner'); return next(); };",
        ),
        ("api/order.js", "export default (request, { data }) => Response.json(data.order);"),
    ])
    .file("public/note.txt", "a file")
    .serve();

    let answer = host.get("/api/order");
    assert_eq!((answer.json(), answer.header("x-outer")), (json!(["outer", "inner"]), Some("1")));
    let file = host.get("/note.txt");
    assert_eq!((file.text(), file.header("x-outer")), ("a file", Some("1")));
}

#[test]
fn paths_of_pages_that_are_no_file_show_the_first_page_or_that_of_the_error() {
    let site = || {
        functions(&[
            ("api/thing.js", "export const onRequest = () => new Response('thing');"),
            (
                "_middleware.js",
                "export const onRequest = async ({ next, request }) => {
                   const moved = new URL(request.url).searchParams.get('to');
                   const response = await (moved === null ? next() : next(moved));
                   return new Response(`[${await response.text()}]`, response);
                 };",
            ),
        ])
        .file("public/index.html", "first page")
        .file("public/about.html", "about")
    };
    let host = site().serve();
    for (path, text) in [
        ("/", "[first page]"),
        ("/some/where", "[first page]"),
        ("/about", "[about]"),
        ("/api/thing", "[thing]"),
        ("/some/where?to=/about", "[about]"),
        ("/some/where?to=about", "[first page]"),
    ] {
        let answer = host.get(path);
        assert_eq!((answer.status, answer.text()), (200, text), "{path}");
    }
    let host = site().file("public/404.html", "not there").serve();
    let missing = host.get("/some/where");
    assert_eq!((missing.status, missing.text()), (404, "[not there]"));
}

#[test]
fn what_is_no_response_is_an_error_in_its_file() {
    let host = functions(&[
        ("nothing.js", "export default (request, context) => {};"),
        ("throws.js", "export default (request, context) => missing();"),
        ("fine.js", "export default (request) => new Response('fine');"),
    ])
    .dev();

    let nothing = host.get("/nothing");
    assert_eq!(nothing.status, 500);
    assert!(nothing.text().contains("functions/nothing.js answers GET with undefined"), "{}", nothing.text());
    let throws = host.get("/throws");
    assert!(throws.text().contains("missing is not defined"), "{}", throws.text());
    assert!(throws.text().contains("functions/throws.js:1"), "{}", throws.text());
    assert_eq!(host.get("/fine").text(), "fine");
}

#[test]
fn the_directive_decides_between_dialects() {
    let handler = "export default (request, context) => new Response(typeof context.env);";
    // The names of both dialects fit, and the evidence is the same.
    let tied = "// by its name and its parameters\nexport default (request, context) => 1;";
    let found = Site::new().file("functions/handler.js", tied).run("check");
    assert_eq!(found.code, Some(1), "{}", found.output());
    assert!(
        found.stderr.contains("write `// dialect: webflo` or `// dialect: workers`"),
        "{}",
        found.output()
    );

    let host = Site::new().file("functions/handler.js", format!("// dialect: workers\n{handler}")).serve();
    assert_eq!(host.get("/handler").text(), "object");
}

#[test]
fn a_handler_of_express_is_explained() {
    let found =
        functions(&[("api.js", "export default function (request, response) { response.send('x'); }")])
            .run("check");

    assert_eq!(found.code, Some(1), "{}", found.output());
    assert!(found.stderr.contains("looks like a handler of Express"), "{}", found.output());
}

#[test]
fn jsx_is_compiled_in_files_of_javascript() {
    let host = functions(&[(
        "page.js",
        "/** @jsx h */
         const h = (name, props, ...children) => `<${name}${props?.id ? ` id=\"${props.id}\"` : ''}>${children.join('')}</${name}>`;
         export default function Page(request) {
           return new Response(<main id=\"m\"><h1>Live</h1></main>, { headers: { 'Content-Type': 'text/html' } });
         }",
    )])
    .serve();

    assert_eq!(host.get("/page").text(), "<main id=\"m\"><h1>Live</h1></main>");
}

#[test]
fn a_stream_knows_that_its_client_left() {
    let host = functions(&[
        (
            "feed.js",
            "globalThis.seen = [];
             export default function (request) {
               return new Response(new ReadableStream({
                 start(controller) {
                   const interval = setInterval(() => controller.enqueue(new TextEncoder().encode('data: x\\n\\n')), 5);
                   request.signal.addEventListener('abort', () => { clearInterval(interval); seen.push('abort'); });
                 },
                 cancel() { seen.push('cancel'); },
               }), { headers: { 'Content-Type': 'text/event-stream', Connection: 'keep-alive', 'Transfer-Encoding': 'chunked' } });
             }",
        ),
        ("seen.js", "export default () => Response.json(globalThis.seen);"),
        (
            "whole.js",
            "export default (request) => { request.signal.addEventListener('abort', () => seen.push('too much')); return new Response('x'); }",
        ),
    ])
    .serve();
    assert_eq!(host.get("/whole").text(), "x");

    let mut stream = host.connect();
    stream.write_all(b"GET /feed HTTP/1.1\r\nHost: x\r\n\r\n").expect("a request");
    let mut bytes = [0; 256];
    let count = stream.read(&mut bytes).expect("an answer");
    let head = String::from_utf8_lossy(&bytes[..count]).to_lowercase();
    assert!(head.contains("text/event-stream") && !head.contains("keep-alive"), "{head}");
    drop(stream);

    let answer = host.until("/seen", |answer| answer.json().as_array().is_some_and(|seen| seen.len() >= 2));
    assert_eq!(answer.json(), json!(["abort", "cancel"]));
}

#[test]
fn what_is_waited_for_outlives_the_answer() {
    let host = functions(&[
        (
            "later.js",
            "export default (request, context) => {
               context.waitUntil((async () => { await new Promise((done) => setTimeout(done, 20)); globalThis.isDone = true; })());
               return new Response('now');
             };",
        ),
        ("done.js", "export default () => Response.json(globalThis.isDone ?? false);"),
    ])
    .serve();

    assert_eq!(host.get("/later").text(), "now");
    host.until("/done", |answer| answer.json() == json!(true));
}
