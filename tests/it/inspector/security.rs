//! Who may attach, and who is warned.

use super::{debugger_address, pausing, targets};
use crate::support::{Dial, Request, Site};

#[test]
fn pages_of_other_sites_cannot_reach_it() {
    let host = pausing().arg("--inspect=0").serve();
    let address = debugger_address(&host);
    let id = targets(address)[0]["id"].as_str().expect("an id").to_owned();

    for path in ["/json", "/json/list", "/json/version", &format!("/{id}")] {
        let ask = || Request::new(address, "GET", path);
        assert_eq!(ask().header("host", "attacker.example").send().status, 403, "{path}");
        assert_eq!(ask().header("origin", "https://attacker.example").send().status, 403, "{path}");
        assert_eq!(ask().header("origin", "null").send().status, 403, "{path}");
    }
    let dial = || Dial::new(address, &format!("/{id}"));
    assert_eq!(dial().header("host", "attacker.example").upgrade().err(), Some(403));
    assert_eq!(dial().header("origin", "http://localhost:3000").upgrade().err(), Some(403));
    assert!(dial().header("origin", "devtools://devtools").upgrade().is_ok());
}

#[test]
fn a_target_has_to_be_known() {
    let host = pausing().arg("--inspect=0").serve();
    let address = debugger_address(&host);
    let unknown = "/00000000-0000-4000-8000-000000000000";

    assert_eq!(Dial::new(address, unknown).upgrade().err(), Some(404));
    assert_eq!(Request::new(address, "GET", "/").send().status, 404);
    let version = Request::new(address, "GET", "/json/version").send().json();
    assert!(version["Browser"].as_str().is_some_and(|name| name.starts_with("liveline/")), "{version}");
    let target = &targets(address)[0];
    assert_eq!(
        Request::new(address, "GET", &format!("/{}", target["id"].as_str().expect("an id"))).send().status,
        400
    );
}

#[test]
fn a_list_has_the_authority_of_its_request() {
    let host = pausing().arg("--inspect=0").serve();
    let address = debugger_address(&host);

    let list = Request::new(address, "GET", "/json").header("host", "localhost:1234").send().json();

    let url = list[0]["webSocketDebuggerUrl"].as_str().expect("a URL");
    assert!(url.starts_with("ws://localhost:1234/"), "{url}");
}

#[test]
fn a_server_warns_of_its_debugger() {
    let host = pausing().arg("--inspect=0").serve();
    host.log.next("every program on this machine can run code in this server");

    let host = pausing().arg("--inspect=0.0.0.0:0").dev();
    host.log.next("other machines can reach the debugger");

    let host = pausing().arg("--inspect=0").dev();
    assert!(!host.log.text().contains("WARN"), "{}", host.log.text());
}

#[test]
fn a_handler_cannot_debug_itself() {
    let host = Site::new()
        .file(
            "handler.js",
            r#"
            import inspector from "node:inspector";
            const thrown = (f) => { try { f(); return "nothing"; } catch (error) { return error.message; } };
            export default () => [thrown(() => new inspector.Session().connect()), thrown(() => inspector.open(0))];
            "#,
        )
        .serve();

    let errors = host.get("/").json();

    for error in errors.as_array().expect("a list") {
        assert!(
            error.as_str().is_some_and(|error| error.contains("start liveline with --inspect")),
            "{errors}"
        );
    }
}

#[test]
fn an_address_that_is_taken_is_an_error() {
    let host = pausing().arg("--inspect=0").serve();
    let address = debugger_address(&host);

    let second = pausing().arg(&format!("--inspect={address}")).run("serve");

    assert_eq!(second.code, Some(1));
    assert!(second.stderr.contains(&format!("debuggers cannot attach at {address}: ")), "{}", second.stderr);
    assert!(second.stderr.contains("choose another address with --inspect="), "{}", second.stderr);
}
