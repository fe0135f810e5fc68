//! TypeScript and JSX as people write them: imports, settings, JSX, and files that are imported with a type.

mod data;
mod jsx;
mod resolution;
mod settings;
mod syntax;

use crate::support::Site;

/// What `check` prints about a site that cannot load.
#[track_caller]
fn complaint(site: &Site) -> String {
    let checked = site.run("check");
    assert_eq!(checked.code, Some(1), "{}", checked.output());
    checked.output()
}

/// Asserts that `check` finds nothing.
#[track_caller]
fn assert_fine(site: &Site) {
    let checked = site.run("check");
    assert_eq!(checked.code, Some(0), "{}", checked.output());
}

/// A package whose elements are objects with its name.
trait WithPackage {
    fn package_for_jsx(self, name: &str, path: &str) -> Self;
}

impl WithPackage for Site {
    fn package_for_jsx(self, name: &str, path: &str) -> Site {
        let folder = format!("node_modules/{name}");
        self.file(&format!("{folder}/package.json"), r#"{ "type": "module", "exports": { "./*": "./*.js" } }"#).file(
            &format!("{folder}/{path}.js"),
            format!(
                "export const jsx = (tag, props) => ({{ by: {name:?}, tag, ...props }}); export const jsxs = jsx; \
                 export const Fragment = 'fragment';"
            ),
        )
    }
}
