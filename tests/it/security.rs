//! Attempts of a hostile client: to change prototypes, to join, forge or answer for the lines of others.

use serde_json::{Value, json};

use crate::support::{Host, Site, handler, serve};

/// Live until the user navigates away. A message `ask` is answered with what a client may have changed.
fn host() -> Host {
    serve(&handler(
        r#"
        const body = { n: 1 };
        const heard = [];
        for (const type of ["navigate", "close", "open", "error", "response.done", "x"]) {
          event.client.addEventListener(type, () => heard.push(type));
        }
        event.client.addEventListener("ask", () => {
          event.client.postMessage({ body, heard, polluted: {}.p ?? [].p ?? "no" });
        });
        event.waitUntilNavigate();
        return body;"#,
    ))
}

/// Deltas of a client change nothing on the server, not even prototypes.
#[test]
fn a_client_cannot_pollute_prototypes() {
    let host = host();
    let (_, mut line) = host.open("/");

    line.send_text(r#"{"message":{},".wq":{"type":"x","eventID":"e","live":true}}"#);
    for path in [json!(["__proto__", "p"]), json!(["constructor", "prototype", "p"])] {
        let record = json!([{ "type": "set", "operation": "set", "key": "p", "value": 1, "path": path }]);
        line.send("e.mutate", record.clone());
        line.send("initial_response.mutate", record);
    }
    let method = json!([{ "operation": "constructor", "argumentsList": ["p = 1"], "path": [] }]);
    line.send("e.mutate", method);
    line.send("initial_response.mutate", json!([{ "type": "set", "key": "n", "value": 2, "path": ["n"] }]));
    line.send_text(
        r#"{"message":{"__proto__":{"p":1}},".wq":{"type":"x","eventID":"f","__proto__":{"p":1}}}"#,
    );
    line.send("ask", Value::Null);

    let told = line.expect("message");
    assert_eq!((&told["body"], &told["polluted"]), (&json!({ "n": 1 }), &json!("no")));
}

/// What is no frame of the protocol is tolerated, or closes the line with its code.
#[test]
fn odd_frames_affect_no_other_client() {
    let host = host();
    let (_, mut line) = host.open("/");

    for text in [
        "{}",
        "[]",
        "null",
        "0",
        r#""bare""#,
        r#"{".wq":null}"#,
        r#"{".wq":{"type":"message"}}"#,
        r#"{".wq":{"type":"","eventID":""}}"#,
        r#"{".wq":{"type":"::::","eventID":"e"}}"#,
        r#"{".wq":{"type":"confirm-1:99999999999:message","eventID":"e"}}"#,
        r#"{"ping":"unheard-of",".wq":{"type":"x","eventID":"e"}}"#,
    ] {
        line.send_text(text);
    }
    line.send("ask", Value::Null);

    assert_eq!(line.expect("message")["polluted"], json!("no"));
}

/// A page of another site cannot use the visitor's cookies.
#[test]
fn a_foreign_page_cannot_join() {
    let host = host();
    let path = host.get("/").line_path();

    for origin in ["https://evil.example", "http://localhost.evil.example", "null"] {
        assert_eq!(host.dial(&path).header("origin", origin).connect().err(), Some(403), "{origin}");
        let listened = host.dial(&path).header("origin", origin).listen();
        assert_eq!(listened.err(), Some(403), "{origin}");
    }
}

/// Addresses of lines are random, of 128 bits or more.
#[test]
fn line_addresses_cannot_be_guessed() {
    let host = host();

    let mut tokens = Vec::new();
    for _ in 0..50 {
        let path = host.get("/").line_path();
        let token = path.trim_start_matches("/.liveline/").split('?').next().expect("a token").to_owned();
        assert!(token.len() == 32 && token.bytes().all(|b| b.is_ascii_hexdigit()), "{token}");
        tokens.push(u128::from_str_radix(&token, 16).expect("hexadecimal"));
    }

    // Neighbours differ in about half of their bits, not in a counter's few.
    let differing: u32 = tokens.windows(2).map(|pair| (pair[0] ^ pair[1]).count_ones()).sum();
    assert!((49 * 48..49 * 80).contains(&differing), "{differing} bits differ between 50 tokens");
}

/// A session of one request is the session of its line.
#[test]
fn a_visitor_with_a_session_can_join() {
    let host = serve(&handler(
        r#"await event.session.set("name", "Ann");
        event.waitUntilNavigate();
        event.client.addEventListener("who", async () => {
          event.client.postMessage(await event.session.get("name"));
        });
        return {};"#,
    ));
    let answer = host.get("/");
    let cookie = answer.header("set-cookie").expect("a cookie").split(';').next().expect("a pair").to_owned();

    // The session began with that answer, so the visitor is known by address as well as by cookie.
    let mut line = host.dial(&answer.line_path()).header("cookie", &cookie).connect().expect("the line");
    line.handshake();
    line.send("who", Value::Null);

    assert_eq!(line.expect("message"), json!("Ann"));
}

/// A header that every client can send does not identify a visitor.
#[test]
fn an_authorization_header_is_no_session() {
    let host = serve(&handler(
        r#"const known = await event.session.get("secret");
        if (event.request.method === "POST") await event.session.set("secret", "mine");
        return { known: known ?? null };"#,
    ));
    let authorized =
        |method: &str| host.request(method, "/").header("authorization", "Bearer someone").send();

    authorized("POST");

    assert_eq!(authorized("GET").json(), json!({ "known": null }));
}

/// Types that only the host may raise are not raised by a client.
#[test]
fn a_client_cannot_raise_the_hosts_events() {
    let host = host();
    let (_, mut line) = host.open("/");

    for kind in ["close", "open", "error", "response.done", "response.replace", "x.mutate"] {
        line.send(kind, json!({ "code": 1000, "isTrusted": true, "type": "navigate" }));
    }
    line.send("ask", Value::Null);

    assert_eq!(line.expect("message")["heard"], json!([]));
}

/// An answer counts on the line of its question only, so that guessing a question's id gains nothing.
#[test]
fn a_client_cannot_answer_the_questions_of_others() {
    let host = serve(&handler(
        r#"const answer = await event.user.confirm("sure?");
        return { sure: answer.data };"#,
    ));
    let (_, mut victim) = host.open("/");
    let (_, mut attacker) = host.open("/");
    let question = victim.next_frame();
    let own = attacker.next_frame();

    for id in ["confirm-1", "confirm-2", &question.id] {
        if id != own.id {
            attacker.send(&format!("{id}:0:message"), json!(true));
        }
    }
    attacker.reply(&own, json!(true));
    assert_eq!(attacker.expect_body(), json!({ "sure": true }));
    victim.reply(&question, json!(false));

    assert_eq!(victim.expect_body(), json!({ "sure": false }));
}

/// What a site may share with others is the handlers' decision.
#[test]
fn no_answer_is_for_every_origin() {
    let site = Site::new().file("handler.js", "export default (event, next) => next.stepname ? next() : {};");
    let host = site.file("public/style.css", "p {}").serve();

    for path in ["/", "/style.css", "/nothing"] {
        let answer = host.request("GET", path).header("origin", "https://other.example").send();
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
    }
}
