//! Forms: what handlers read of them, and that none costs more than it should.

use serde_json::{Value, json};

use crate::support::{Answer, Host, Site, serve};

/// Returns the entries of a form: `[name, text]` or `[name, filename, type, text]`. On `/clone` it reads a copy, on
/// `/caught` it handles what is wrong itself, on `/response` it reads the form as another server's answer.
const HANDLER: &str = r#"
    const entry = async ([name, value]) =>
      typeof value === "string" ? [name, value] : [name, value.name, value.type, await value.text()];
    const read = async (body) => Promise.all([...await body.formData()].map(entry));
    export default async (event, next) => {
      const { request } = event;
      switch (next.stepname) {
        case "clone": return read(request.clone());
        case "again": return read(new Request(request, { headers: request.headers }));
        case "caught": return read(request).catch((error) => `${error.name}: ${error.message}`);
        case "response": return read(new Response(await request.arrayBuffer(), { headers: request.headers }));
        case "twice": await request.text(); return read(request);
        default: return read(request);
      }
    };"#;

const MULTIPART: &str = "multipart/form-data; boundary=b";
const URLENCODED: &str = "application/x-www-form-urlencoded";

#[track_caller]
fn send(host: &Host, path: &str, kind: &str, body: impl Into<Vec<u8>>) -> Answer {
    let body: Vec<u8> = body.into();
    host.request("POST", path).plain().header("content-type", kind).body(body).send()
}

fn field(head: &str, value: &str) -> String {
    format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n")
}

#[track_caller]
fn reads(host: &Host, kind: &str, body: impl Into<Vec<u8>>, entries: &Value) {
    let body: Vec<u8> = body.into();
    for path in ["/", "/clone", "/again", "/response"] {
        let answer = send(host, path, kind, body.clone());
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_eq!(answer.json(), *entries, "{path} {:?}", String::from_utf8_lossy(&body));
    }
}

#[test]
fn a_multipart_form_is_read_as_browsers_mean_it() {
    let host = serve(HANDLER);
    for (fields, entries) in [
        (String::new(), json!([])),
        (field("name=\"a\"", "1") + &field("name=\"a\"", "2"), json!([["a", "1"], ["a", "2"]])),
        (field("name=\"a\"", "x\r\ny\n"), json!([["a", "x\r\ny\n"]])),
        (
            field("name=\"%22q%0D%0A\"; filename=\"a;b.txt\"", "é"),
            json!([["\"q\r\n", "a;b.txt", "text/plain", "é"]]),
        ),
        (field("name=\"f\"; filename=\"C:\\dir\\x\"", ""), json!([["f", "C:\\dir\\x", "text/plain", ""]])),
        (field("name=\"f\"; filename*=UTF-8''x", "v"), json!([["f", "v"]])),
        (field("name=\"_charset_\"", "iso-8859-1"), json!([["_charset_", "iso-8859-1"]])),
        (
            field("name=\"f\"; filename=\"\"\r\nContent-Type: application/octet-stream", ""),
            json!([["f", "", "application/octet-stream", ""]]),
        ),
        (field("name=\"t\"\r\nContent-Type: text/plain; charset=utf-16", "ü"), json!([["t", "ü"]])),
    ] {
        reads(&host, MULTIPART, fields + "--b--\r\n", &entries);
    }
    let bytes =
        [b"--b\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n", &b"\xff\xfe\x80x"[..], b"\r\n--b--"];
    reads(&host, MULTIPART, bytes.concat(), &json!([["n", "\u{fffd}\u{fffd}\u{fffd}x"]]));
}

#[test]
fn an_urlencoded_form_is_read_as_browsers_mean_it() {
    let host = serve(HANDLER);
    for (body, entries) in [
        ("", json!([])),
        ("&&&", json!([])),
        ("a=1&a=+%2B&%C3%A4=%FF&b", json!([["a", "1"], ["a", " +"], ["ä", "\u{fffd}"], ["b", ""]])),
    ] {
        reads(&host, URLENCODED, body, &entries);
    }
}

#[test]
fn what_a_client_sends_as_no_form_is_the_clients_mistake() {
    let host = serve(HANDLER);
    let whole = field("name=\"n\"", "v");
    for (kind, body) in [
        (MULTIPART, String::new()),
        (MULTIPART, "hello".into()),
        (MULTIPART, whole.clone()),
        (MULTIPART, whole.clone() + "--b"),
        (MULTIPART, whole.replace("form-data", "attachment") + "--b--"),
        (MULTIPART, "--b\r\n\r\nnameless\r\n--b--".into()),
        ("multipart/form-data", whole.clone() + "--b--"),
        ("multipart/form-data; boundary=", whole + "--b--"),
        ("application/json", "{}".into()),
    ] {
        for path in ["/", "/clone"] {
            let answer = send(&host, path, kind, body.clone());
            assert_eq!(answer.status, 400, "{kind} {body:?} {answer:?}");
            assert!(answer.text().starts_with("The request's form could not be read: "), "{answer:?}");
        }
        let caught = send(&host, "/caught", kind, body.clone());
        assert!(
            caught.status == 200 && caught.text().starts_with("TypeError: "),
            "{kind} {body:?} {caught:?}"
        );
    }
    assert!(!host.log.text().contains("ERROR"), "a stranger's form is told to nobody");
}

#[test]
fn what_a_client_sends_as_no_json_is_the_clients_mistake() {
    let host = serve("export default async ({ request }) => ({ got: await request.json() });");
    for body in ["", "{", "{\"a\":1}}", "\u{feff}", "undefined", "NaN"] {
        let answer = send(&host, "/", "application/json", body);
        assert_eq!(answer.status, 400, "{body:?} {answer:?}");
        assert!(answer.text().starts_with("The request's body is not JSON: "), "{answer:?}");
    }
    assert_eq!(send(&host, "/", "application/json", "[1]").json(), json!({ "got": [1] }));
    assert!(!host.log.text().contains("ERROR"), "a stranger's body is told to nobody");
}

#[test]
fn a_body_that_the_handler_made_is_the_handlers_mistake() {
    let host = serve(
        r#"export default async ({ request }, next) => {
          const made = (type, body) => new Request("http://x/", { method: "POST", headers: { "content-type": type }, body });
          switch (next.stepname) {
            case "json": return await made("application/json", "{bad").json();
            case "form": return await made("multipart/form-data; boundary=b", "bad").formData();
            case "changed": return await new Request(request, { body: "{bad" }).json();
            case "passed": return await new Request(new Request(request)).clone().json();
          }
        };"#,
    );
    for (path, status) in [("/json", 500), ("/form", 500), ("/changed", 500), ("/passed", 400)] {
        let answer = send(&host, path, "application/json", "{also bad");
        assert_eq!(answer.status, status, "{path}: {answer:?}");
    }
}

#[test]
fn a_form_that_the_handler_reads_twice_is_the_handlers_mistake() {
    let host = serve(HANDLER);
    assert_eq!(send(&host, "/twice", URLENCODED, "a=1").status, 500);
    assert_eq!(send(&host, "/response", MULTIPART, "another server's").status, 500);
}

#[test]
fn a_form_of_very_many_parts_is_refused_before_it_costs_anything() {
    let host = serve(HANDLER);
    let empty = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n";
    for (kind, body) in [
        (MULTIPART, empty.repeat(180_000) + "--b--\r\n"),
        (MULTIPART, "--b\r\n\r\n\r\n".repeat(900_000) + "--b--\r\n"),
        (MULTIPART, "\r\n--b-".repeat(1_600_000)),
        (MULTIPART, "\r\n--b ".repeat(1_600_000)),
        (MULTIPART, "--b\r\n".to_owned() + &"x: y\r\n".repeat(1_600_000)),
        (URLENCODED, "a&".repeat(5_000_000)),
        (URLENCODED, "&".repeat(10_000_000)),
    ] {
        let shown = &body[..40];
        let answer = send(&host, "/", kind, body.clone());
        assert!(matches!(answer.status, 400 | 413) || answer.json() == json!([]), "{shown:?}: {answer:?}");
    }
    let log = host.log.text();
    assert!(!log.contains("without yielding") && !log.contains("ERROR"), "{log}");
}

#[test]
fn the_bound_on_parts_is_exact_and_has_a_flag() {
    let host = Site::new().file("handler.js", HANDLER).arg("--max-form-parts=3").serve();
    let forms = |count: usize| {
        let multipart = field("name=\"a\"", "").repeat(count) + "--b--";
        [(MULTIPART, multipart), (URLENCODED, vec!["a"; count].join("&"))]
    };
    for (kind, body) in forms(3) {
        assert_eq!(send(&host, "/", kind, body).status, 200);
    }
    for (kind, body) in forms(4) {
        let answer = send(&host, "/", kind, body.clone());
        assert_eq!(answer.status, 413, "{answer:?}");
        assert!(answer.text().contains("--max-form-parts"), "{answer:?}");
        assert!(send(&host, "/caught", kind, body).text().starts_with("QuotaExceededError: "));
    }
}
