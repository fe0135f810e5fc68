//! Packages of `node_modules`, and CommonJS: what loads, what it exports, and the errors of what does not load.
//!
//! | module | what it tests |
//! |---|---|
//! | `common_js` | `require()`, its variables, and cycles |
//! | `errors` | missing packages and files, errors while packages load, native addons |
//! | `exports` | what ES modules import of CommonJS ones, and the reverse |
//! | `handlers` | handlers that are CommonJS themselves |
//! | `layouts` | where packages are found, and which file of a package |
//! | `limits` | what `require()` may not read |
//! | `saving` | changes of required files |

mod common_js;
mod errors;
mod exports;
mod handlers;
mod layouts;
mod limits;
mod saving;

use crate::support::Site;

/// A site with a package of one file, `index.js`.
fn package(site: Site, name: &str, index: &str) -> Site {
    site.file(&format!("node_modules/{name}/package.json"), format!(r#"{{ "name": "{name}" }}"#))
        .file(&format!("node_modules/{name}/index.js"), index)
}
