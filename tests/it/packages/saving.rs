use super::package;
use crate::support::Site;

#[test]
fn a_saved_file_that_is_required_answers() {
    let host = Site::new()
        .file("lib/text.cjs", "module.exports = require('./deeper.js').text;")
        .file("lib/deeper.js", "exports.text = 'old';")
        .file("handler.js", "import text from './lib/text.cjs';\nexport default () => text;")
        .dev();
    assert_eq!(host.get("/").text(), "old");

    host.site.write("lib/deeper.js", "exports.text = 'new';");

    host.until("/", |answer| answer.text() == "new");
}

#[test]
fn a_file_of_a_package_that_changes_answers() {
    let host = package(Site::new(), "text", "module.exports = require('./part');")
        .file("node_modules/text/part.js", "module.exports = 'old';")
        .file("routes/handler.js", "import text from 'text';\nexport default () => text;")
        .serving("routes")
        .dev();
    assert_eq!(host.get("/").text(), "old");

    host.site.write("node_modules/text/part.js", "module.exports = 'new';");

    host.until("/", |answer| answer.text() == "new");
}
