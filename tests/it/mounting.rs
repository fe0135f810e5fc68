//! Applications of Node's `(req, res)` kind, which a handler exports as `nodeHandler`. Those of Express and others are
//! in `tests/npm/mounting.test.mjs`.

use serde_json::json;

use crate::support::{Host, Site, read_until};

fn mounted(application: &str) -> Host {
    Site::new().file("handler.js", application).serve()
}

#[test]
fn an_application_answers_below_its_folder() {
    let application = r#"
        export const nodeHandler = (req, res) => {
          const { method, url, originalUrl, baseUrl, headers, socket } = req;
          res.setHeader("content-type", "application/json");
          res.setHeader("set-cookie", ["a=1", "b=2"]);
          const agent = headers["x-agent"], { remoteAddress, encrypted } = socket;
          res.end(JSON.stringify({ method, url, originalUrl, baseUrl, agent, remoteAddress, encrypted }));
        };"#;
    let host = Site::new().file("shop/-/handler.js", application).serve();

    let answer = host.request("GET", "/shop/7/items/8?q=1").header("X-Agent", "me").send();

    let expected = json!({
        "method": "GET", "url": "/items/8?q=1", "originalUrl": "/shop/7/items/8?q=1", "baseUrl": "/shop/7",
        "agent": "me", "remoteAddress": "127.0.0.1", "encrypted": false,
    });
    assert_eq!(answer.json(), expected);
    assert_eq!(answer.all("set-cookie"), ["a=1", "b=2"]);
    assert_eq!(host.get("/shop/7?q=1").json()["url"], "/?q=1");
}

#[test]
fn a_body_streams_through_an_application() {
    let host = mounted("export const nodeHandler = (req, res) => void req.pipe(res);");
    let body = "0123456789".repeat(200_000);

    let answer = host.request("POST", "/").body(body.clone()).send();

    assert!(answer.text() == body, "{} bytes came back", answer.text().len());
}

#[test]
fn what_an_application_passes_on_goes_to_deeper_handlers_and_files() {
    let host = Site::new()
        .file(
            "a/handler.js",
            r#"export const nodeHandler = (req, res, next) => {
                 if (req.url === "/own") return res.end("own");
                 res.setHeader("x-passed", "1");
                 next();
               };"#,
        )
        .file("a/deep/handler.js", "export default () => new Response('deep')")
        .file("a/data/handler.js", "export default () => ({ data: true })")
        .file("public/a/file.txt", "a file")
        .serve();

    assert_eq!(host.get("/a/own").text(), "own");
    let deep = host.get("/a/deep");
    assert_eq!((deep.text(), deep.header("x-passed")), ("deep", Some("1")));
    assert_eq!(host.get("/a/data").json(), json!({ "data": true }));
    assert_eq!(host.get("/a/file.txt").text(), "a file");
    assert_eq!(host.get("/a/nothing").status, 404);
}

#[test]
fn an_export_of_a_method_comes_before_the_application() {
    let host = mounted(
        "export const nodeHandler = (req, res) => res.end('application'); export const POST = () => 'export';",
    );

    assert_eq!(host.get("/").text(), "application");
    assert_eq!(host.request("POST", "/").send().text(), "export");
}

#[test]
fn an_error_of_an_application_is_shown_in_development() {
    let host = Site::new()
        .file(
            "handler.js",
            "export const nodeHandler = (req, res) => {\n  throw new Error('on purpose');\n};",
        )
        .dev();

    let answer = host.request("GET", "/").header("Accept", "text/html").send();

    assert_eq!(answer.status, 500);
    assert!(
        answer.text().contains("on purpose") && answer.text().contains("handler.js:2"),
        "{}",
        answer.text()
    );
}

#[test]
fn an_error_with_a_status_of_the_client_is_that_answer() {
    let host = mounted(
        "export const nodeHandler = (req, res, next) => next(Object.assign(new Error('no'), { status: 403 }));",
    );

    assert_eq!(host.get("/").status, 403);
}

#[test]
fn a_client_that_leaves_closes_the_request_and_the_answer() {
    let host = mounted(
        r#"const ends = [];
           export const nodeHandler = (req, res) => {
             if (req.url === "/ends") return res.end(ends.join());
             req.on("close", () => ends.push("req"));
             res.on("close", () => ends.push("res"));
             res.write("begun");
           };"#,
    );
    let mut client = host.begin("GET", "/");
    read_until(&mut client, "begun");

    drop(client);

    host.until("/ends", |answer| answer.text().contains("req") && answer.text().contains("res"));
}

#[test]
fn a_node_handler_that_is_no_function_is_reported() {
    let site = Site::new().file("handler.js", "export const nodeHandler = { listen() {} };");

    let checked = site.run("check");

    assert_eq!(checked.code, Some(1));
    assert!(checked.output().contains("nodeHandler"), "{}", checked.output());
    assert!(checked.output().contains("app.callback()"), "{}", checked.output());
}

#[test]
fn routes_list_an_application_for_every_method() {
    let listed =
        Site::new().file("a/handler.js", "export const nodeHandler = (req, res) => res.end();").run("routes");

    let output = listed.output();
    let line = output.lines().find(|line| line.contains("/a")).unwrap_or_else(|| panic!("{output}"));
    assert!(line.contains('*'), "{output}");
}
