//! The files of pages.

use super::site;

#[test]
fn scripts_and_styles_have_their_types_and_are_revalidated() {
    let worker = "self.onmessage = ({ data }) => self.postMessage(data);";
    let host = site()
        .file("public/services/websocket-client.js", "export class WebSocketClient {}")
        .file("public/components/pan-bus.mjs", "export const bus = {};")
        .file("public/workers/data-processor.js", worker)
        .file("public/page.css", "body {}")
        .serve();
    for (path, kind) in [
        ("/services/websocket-client.js", "text/javascript"),
        ("/components/pan-bus.mjs", "text/javascript"),
        ("/workers/data-processor.js", "text/javascript"),
        ("/page.css", "text/css"),
    ] {
        let answer = host.request("HEAD", path).send();
        assert_eq!(answer.status, 200, "{path}");
        let found = answer.header("content-type").unwrap_or_default();
        assert!(found.starts_with(kind), "{path}: {found}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
    let path = "/workers/data-processor.js";
    let tag = host.get(path).header("etag").expect("a tag").to_owned();
    assert_eq!(host.request("GET", path).header("if-none-match", &tag).send().status, 304);
    let part = host.request("GET", path).header("range", "bytes=0-3").send();
    assert_eq!((part.status, part.text()), (206, "self"));
}
