use crate::support::Site;

#[test]
fn handlers_may_be_common_js() {
    let host = Site::new()
        .file("lib/name.js", "exports.name = 'lib';")
        .file("a/handler.js", "module.exports = () => 'function';")
        .file("b/handler.server.cjs", "const { name } = require('../lib/name');\nexports.GET = () => name;")
        .file("c/handler.server.js", "module.exports = { POST: () => 'post', GET() { return 'get'; } };")
        .file("d/handler.cjs", "module.exports = { default: () => 'default', csrf: false };")
        .file(
            "e/handler.cjs",
            "const handlers = {};\nhandlers['GE' + 'T'] = () => 'made';\nmodule.exports = handlers;",
        )
        .serve();

    let texts = ["/a", "/b", "/c", "/d", "/e"].map(|path| host.get(path).text().to_owned());

    assert_eq!(texts, ["function", "lib", "get", "default", "made"]);
    assert_eq!(host.request("POST", "/b").send().status, 405);
}

#[test]
fn their_routes_are_listed_as_far_as_their_text_shows() {
    let site = Site::new()
        .file("a/handler.cjs", "exports.GET = () => 1; exports.POST = () => 2;")
        // It does not load.
        .file("b/handler.cjs", "require('nothing');\nmodule.exports = { PUT() {} };");

    let listed = site.run("routes").output();

    assert!(listed.contains("GET") && listed.contains("POST"), "{listed}");
    assert!(listed.contains("Cannot find module 'nothing'"), "{listed}");
}

#[test]
fn what_common_js_handlers_export_is_checked() {
    let site = Site::new().file("handler.cjs", "exports.get = () => 1;");

    let checked = site.run("check");

    assert_eq!(checked.code, Some(1), "{}", checked.output());
    assert!(checked.output().contains("did you mean `GET`?"), "{}", checked.output());
    assert!(checked.output().contains("handler.cjs:1:9"), "{}", checked.output());
}

#[test]
fn a_package_that_declares_es_modules_is_believed() {
    let site = Site::new()
        .file("package.json", r#"{ "type": "module" }"#)
        .file("handler.js", "module.exports = () => 1;");

    let checked = site.run("check").output();

    assert!(checked.contains("module is not defined") && checked.contains("`.cjs`"), "{checked}");
}

#[test]
fn a_stack_of_common_js_has_the_lines_of_its_source() {
    let host = Site::new()
        .file("lib/fail.cjs", "\n\nmodule.exports = function fail() {\n  throw new Error('below');\n};\n")
        .file("lib/typed.cts", "interface A {\n  a: number;\n}\nexport = function fail(): A {\n  throw new Error('typed');\n};\n")
        .file("a/handler.js", "import fail from '../lib/fail.cjs';\nexport default () => fail();")
        .file("b/handler.cjs", "const fail = require('../lib/typed.cts');\nmodule.exports = () => fail();")
        .dev();

    let said = ["/a", "/b"].map(|path| host.get(path).text().to_owned());

    assert!(said[0].contains("lib/fail.cjs:4:9") && said[0].contains("a/handler.js:2"), "{}", said[0]);
    assert!(said[1].contains("lib/typed.cts:5") && said[1].contains("b/handler.cjs:2"), "{}", said[1]);
}

#[test]
fn browsers_get_no_common_js() {
    let checked = Site::new().file("handler.client.cjs", "module.exports = () => 1;").run("check").output();

    assert!(checked.contains("is CommonJS, and browsers import ES modules"), "{checked}");
}
