//! Plain `handler.js` in browsers: where the file or the project says so, and nowhere else, because what browsers run
//! they can read.

use crate::support::{Host, Site};

const HANDLER: &str = "export default () => ({ secret: 'of the server' });";

/// What the page's script and the service worker's know of handlers, and whether the plain one can be read.
fn of_browsers(site: Site) -> (bool, bool, bool) {
    let host = site.serve();
    let names = |path: &str| host.get(path).text().contains("/.liveline/client/handler.js");
    let is_read = host.get("/.liveline/client/handler.js").status == 200;
    (names("/app.js"), names("/.liveline/worker.js"), is_read)
}

fn webflo() -> Site {
    Site::new().file("package.json", r#"{ "dependencies": { "@webqit/webflo": "^1" } }"#)
}

#[test]
fn a_plain_handler_is_the_server_s_alone() {
    for package in ["{}", r#"{ "dependencies": { "webflo": "1" }, "name": "@webqit/webflo" }"#, "no JSON"] {
        let site = Site::new().file("package.json", package).file("app/handler.js", HANDLER);
        assert_eq!(of_browsers(site), (false, false, false), "{package}");
    }
}

#[test]
fn a_directive_makes_a_file_universal() {
    for said in ["\"use universal\";", "// first a comment\n'use universal'\n"] {
        let site = Site::new().file("app/handler.js", format!("{said}{HANDLER}"));
        assert_eq!(of_browsers(site), (true, true, true), "{said}");
    }
    let site = Site::new().file("app/handler.js", format!("{HANDLER} 'use universal';"));
    assert_eq!(of_browsers(site), (false, false, false));
}

#[test]
fn in_a_project_of_webflo_every_plain_handler_is_universal() {
    let plain = || webflo().file("app/handler.js", HANDLER);
    assert_eq!(of_browsers(plain()), (true, true, true));
    let settings = r#"{ "capabilities": { "service_worker": false } }"#;
    assert_eq!(of_browsers(plain().file(".webqit/webflo/client.json", settings)), (true, false, true));
    assert_eq!(of_browsers(webflo().file("app/handler.server.js", HANDLER)), (false, false, false));
    let kept = webflo().file("app/handler.js", format!("'use server';{HANDLER}"));
    assert_eq!(of_browsers(kept), (false, false, false));
    let own = plain().file("app/handler.client.js", "export default (event, next) => next();");
    assert_eq!(of_browsers(own), (false, true, true), "the page has a handler of its own");
}

#[test]
fn the_host_logs_that_browsers_get_source() {
    let host = webflo().file("app/handler.js", HANDLER).serve();

    host.log.next("browsers get the source of ");

    host.log.contains("name it handler.server.js to keep it");
}

#[test]
fn a_universal_handler_cannot_bring_the_server_s_modules() {
    let checked = webflo()
        .file("app/handler.js", "import './secret/handler.server.js'; export default () => 1;")
        .file("app/secret/handler.server.js", HANDLER)
        .run("check");

    assert_eq!(checked.code, Some(1), "{}", checked.output());
    assert!(checked.output().contains("whose source no browser gets"), "{}", checked.output());
}

#[test]
fn a_service_worker_finds_pages_without_a_state() {
    let site = || {
        Site::new()
            .file("app/handler.js", "export default (event, next) => next.stepname ? next() : { secret: 1 };")
            .file("app/page.html", "<p><?{ data.secret }?>")
    };
    let host = site()
        .file("app/handler.worker.js", "export default (event, next) => next();")
        .file("app/shop/handler.js", "export default () => ({ secret: 2 });")
        .file("app/shop/page.html", "<i render='#text: data.secret'>as written</i>")
        .serve();

    let blank = |host: &Host, path: &str| host.get(&format!("/.liveline/blank{path}"));

    let root = blank(&host, "/");
    assert_eq!((root.status, root.header("x-live-page")), (200, Some("/")), "{root:?}");
    assert!(
        root.text().contains("<p><!--?{ data.secret }?-->") && root.text().contains(">null</script>"),
        "{root:?}"
    );
    assert!(blank(&host, "/shop/7").text().contains("as written"));
    assert_eq!(host.request("POST", "/.liveline/blank/").send().status, 405);
    // Without a service worker there are none.
    let none = site().serve();
    assert_eq!(blank(&none, "/").status, 404);
}
