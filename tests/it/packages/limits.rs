use serde_json::json;

use crate::support::Site;

/// `require()` of these, one after another: the name and the message of each error.
fn attempts(calls: &[&str]) -> String {
    let attempts: Vec<_> = calls.iter().map(|call| format!("attempt(() => {call})")).collect();
    format!(
        "import {{ createRequire }} from 'node:module';\nconst require = createRequire(import.meta.url);\n\
         const attempt = (f) => {{ try {{ return `${{f()}}`; }} catch (error) {{ return error.message; }} }};\n\
         export default () => [{}];",
        attempts.join(", ")
    )
}

#[test]
fn files_outside_of_the_project_cannot_be_required() {
    let site = Site::new()
        .file("site/package.json", "{}")
        .file("stranger.js", "module.exports = 'stranger';")
        .file("other/node_modules/pkg/index.js", "module.exports = 'package of others';")
        .file("node_modules/near/package.json", "{}")
        .file(
            "node_modules/near/index.js",
            "exports.out = () => require('../../stranger.js'); exports.near = 'near';",
        )
        .serving("site");
    let stranger = site.path("stranger.js").canonicalize().expect("it was written");
    let absolute = format!("require({:?})", stranger.to_string_lossy());
    let others = format!("createRequire({:?})('pkg')", site.path("other/x.js").to_string_lossy());
    let calls = [
        "require('../stranger.js')",
        &absolute,
        &others,
        "require('/etc/hostname')",
        "require('near').out()",
    ];
    let host = site.file("site/handler.js", attempts(&calls)).serve();

    for said in host.get("/").json().as_array().expect("a list of messages") {
        assert!(said.as_str().is_some_and(|said| said.contains("is outside of the project")), "{said}");
    }
}

#[cfg(unix)]
#[test]
fn links_of_the_project_do_not_lead_out_of_it() {
    let host = Site::new()
        .file("site/package.json", "{}")
        .file("stranger.js", "module.exports = 'stranger';")
        .link("site/linked.js", "stranger.js")
        .file("site/handler.js", attempts(&["require('./linked.js')"]))
        .serving("site")
        .serve();

    let said = host.get("/").text().to_owned();

    assert!(said.contains("outside of the project"), "{said}");
}

#[test]
fn packages_above_the_project_are_no_border() {
    let host = Site::new()
        .file("site/package.json", "{}")
        .file("node_modules/near/package.json", "{}")
        .file("node_modules/near/index.js", "module.exports = require('./part');")
        .file("node_modules/near/part.json", r#"["part"]"#)
        .file("site/handler.js", attempts(&["require('near')"]))
        .serving("site")
        .serve();

    assert_eq!(host.get("/").json(), json!(["part"]));
}
