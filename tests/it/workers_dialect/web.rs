//! What Workers have of the web in their own way. The scripts `web-*` of the oracle compare more of it with workerd.

use serde_json::json;

use super::worker;

/// The code that writes a body runs to its end, and nobody reports that its client is gone.
#[test]
fn the_body_of_an_answer_to_head_is_read_and_not_sent() {
    let host = worker(
        "",
        "const seen = [];
         const encoded = (text) => new TextEncoder().encode(text);
         export default { fetch(request, env, ctx) {
           switch (new URL(request.url).pathname) {
             case '/written': {
               let chunks = 0;
               return new Response(new ReadableStream({
                 async pull(controller) {
                   await new Promise((done) => setTimeout(done, 0));
                   seen.push(chunks);
                   chunks++ < 2 ? controller.enqueue(encoded('x')) : controller.close();
                 },
                 cancel() { seen.push('cancelled'); },
               }, { highWaterMark: 0 }));
             }
             case '/piped': {
               const { readable, writable } = new TransformStream();
               const writer = writable.getWriter();
               ctx.waitUntil((async () => { await writer.write(encoded('x')); await writer.close(); seen.push('closed'); })());
               return new Response(readable);
             }
             case '/endless':
               return new Response(new ReadableStream({
                 pull(controller) { controller.enqueue(new Uint8Array(1024 * 1024)); },
                 cancel() { seen.push('cancelled'); },
               }));
             case '/failing':
               return new Response(new ReadableStream({ pull() { seen.push('failed'); throw new Error('of the body'); } }));
             default:
               return Response.json(seen);
           }
         } };",
    )
    .serve();
    let seen = |path: &str, all: serde_json::Value| {
        let answer = host.request("HEAD", path).send();
        assert_eq!((answer.status, answer.text()), (200, ""), "{path}");
        host.until("/", |answer| answer.json() == all);
    };

    seen("/written", json!([0, 1, 2]));
    seen("/piped", json!([0, 1, 2, "closed"]));
    seen("/endless", json!([0, 1, 2, "closed", "cancelled"]));
    seen("/failing", json!([0, 1, 2, "closed", "cancelled", "failed"]));

    assert!(!host.log.text().contains("ERROR"), "{}", host.log.text());
}

#[test]
fn headers_are_utf_8() {
    let host = worker(
        "",
        "export default { async fetch(request) {
           const { headers, url } = request;
           if (new URL(url).pathname === '/sent') {
             return new Response([...headers.get('X-Text')].length, { headers: { 'X-Text': '\u{e9}\u{65e5}\u{1f600}', Location: '/\u{e9}' } });
           }
           const answer = await fetch(new URL('/sent', url), { headers: { 'X-Text': '\u{e9}\u{65e5}' } });
           const both = new Headers([['a', '\u{65e5}']]);
           both.append('a', '\u{e9}');
           return Response.json([headers.get('X-Text'), await answer.text(), answer.headers.get('X-Text'), both.get('a')]);
         } };",
    )
    .serve();

    let head = "GET /sent HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Text: \u{e9}\u{65e5}\r\n\r\n";
    let answer = host.raw(head.as_bytes());
    assert!(answer.contains("x-text: \u{e9}\u{65e5}\u{1f600}\r\n"), "{answer}");
    assert!(answer.contains("location: /%C3%A9\r\n") && answer.ends_with('2'), "{answer}");

    let head = "GET / HTTP/1.1\r\nConnection: close\r\nX-Text: \u{e9}\u{65e5}\r\n";
    let answer = host.raw(format!("{head}Host: {}\r\n\r\n", host.address()).as_bytes());
    let all = "[\"\u{e9}\u{65e5}\",\"2\",\"\u{e9}\u{65e5}\u{1f600}\",\"\u{65e5}, \u{e9}\"]";
    assert!(answer.ends_with(all), "{answer}");
    // Bytes that are no UTF-8.
    let answer = host.raw(b"GET /sent HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Text: \xe9\r\n\r\n");
    assert!(answer.ends_with('1'), "{answer}");
}

#[test]
fn methods_are_known_in_any_case() {
    let host = worker(
        "",
        "export default { async fetch({ method, url }) {
           if (new URL(url).pathname === '/method') return new Response(method);
           const of = async (method) => (await fetch(new URL('/method', url), { method })).text();
           return Response.json([await of('patch'), new Request(url, { method: 'Propfind' }).method, new Request(url, { method: 'own' }).method]);
         } };",
    )
    .serve();

    assert_eq!(host.get("/").json(), json!(["PATCH", "PROPFIND", "own"]));
}

#[test]
fn bodies_are_encoded_as_their_headers_say() {
    let host = worker(
        "durable_objects.bindings = [{ name = \"O\", class_name = \"O\" }]\n",
        "import { DurableObject } from 'cloudflare:workers';
         const text = 'encoded '.repeat(20);
         const gzip = (init) => new Response(text, { ...init, headers: { 'Content-Encoding': 'gzip', 'Content-Length': '160' } });
         const kinds = { '/': () => gzip(), '/manual': () => gzip({ encodeBody: 'manual' }) };
         export class O extends DurableObject { fetch(request) { return kinds[new URL(request.url).pathname](); } }
         export default { async fetch(request, env) {
           const { pathname } = new URL(request.url);
           if (pathname === '/read') return Response.json((await (await fetch(new URL('/', request.url))).text()).length);
           if (pathname.startsWith('/object')) {
             return env.O.getByName('x').fetch(new URL(pathname.slice('/object'.length) || '/', request.url));
           }
           return kinds[pathname]();
         } };",
    )
    .serve();

    for path in ["/", "/object"] {
        let answer = host.get(path);
        assert_eq!(answer.header("content-encoding"), Some("gzip"), "{path}");
        assert_eq!((answer.header("content-length"), &answer.body[..2]), (None, &b"\x1f\x8b"[..]), "{path}");
    }
    for path in ["/manual", "/object/manual"] {
        let answer = host.get(path);
        assert_eq!(answer.header("content-encoding"), Some("gzip"), "{path}");
        assert!(answer.text().starts_with("encoded "), "{path}");
    }
    assert_eq!(host.get("/read").json(), json!(160));
}

#[test]
fn streams_of_a_known_length_say_it() {
    let host = worker(
        "",
        "const fixed = () => {
           const { readable, writable } = new FixedLengthStream(3);
           const writer = writable.getWriter();
           writer.write(new TextEncoder().encode('abc'));
           writer.close();
           return readable;
         };
         const kinds = {
           '/fixed': () => new Response(fixed(), { headers: { 'X-A': 'a' } }),
           '/blob': () => new Response(new Blob(['abc'])),
           '/chunks': () => new Response(new ReadableStream({ start(it) {
             for (const chunk of [new Uint8Array([97]).buffer, new Uint16Array([0x6262]), new DataView(new ArrayBuffer(1)), 'c']) it.enqueue(chunk);
             it.close();
           } })),
           '/length': ({ headers }) => new Response(headers.get('Content-Length')),
           '/sent': ({ url }) => fetch(new URL('/length', url), { method: 'POST', body: fixed() }),
           '/unknown': () => new Response(new ReadableStream({ start(it) { it.enqueue(new Uint8Array(3)); it.close(); } })),
         };
         export default { fetch: (request) => kinds[new URL(request.url).pathname](request) };",
    )
    .serve();

    for path in ["/fixed", "/blob"] {
        for method in ["GET", "HEAD"] {
            assert_eq!(
                host.request(method, path).send().header("content-length"),
                Some("3"),
                "{method} {path}"
            );
        }
    }
    assert_eq!(host.get("/fixed").text(), "abc");
    assert_eq!(host.get("/chunks").text(), "abb\0c");
    assert_eq!(host.get("/sent").text(), "3");
    assert_eq!(host.get("/unknown").header("content-length"), None);
}

#[test]
fn a_script_without_exports_listens_for_requests() {
    let host = worker(
        "[vars]\nNAME = \"x\"\n[[kv_namespaces]]\nbinding = \"KV\"\nid = \"k\"\n",
        "const NAMED = NAME;
         addEventListener('fetch', (event) => {
           const { pathname } = new URL(event.request.url);
           if (pathname === '/none') return;
           event.respondWith(answer(event, pathname));
           if (pathname === '/twice') event.respondWith(new Response('again'));
         });
         async function answer(event, pathname) {
           if (pathname === '/a') event.waitUntil(KV.put('path', pathname));
           return new Response(`${event.type} ${NAMED} ${event.request.method} ${await KV.get('path')}`);
         }
         addEventListener('scheduled', (event) => event.waitUntil(KV.put('path', `at ${event.cron}`)));",
    )
    .dev();

    host.until("/a", |answer| answer.text() == "fetch x GET /a");
    assert_eq!(host.get("/none").status, 500);
    assert_eq!(host.get("/twice").status, 500);
    assert_eq!(host.get("/cdn-cgi/handler/scheduled?cron=*+*+*+*+*").status, 200);
    host.until("/stored", |answer| answer.text() == "fetch x GET at * * * * *");
}
