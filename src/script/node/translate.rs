//! CommonJS modules for `import`: an ES module that requires the file and exports what the file exports.
//!
//! As in Node, `default` is `module.exports`, and the names are those that the text shows, because they have to be known
//! before the file runs.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use liveline_compiler::common_js::{self, Exports};

use crate::script::modules::Modules;

/// The ES module for a CommonJS file with these exports. Needs an absolute path.
pub(in crate::script) fn translated(modules: &Modules, file: &Path, exports: Exports) -> String {
    let mut names = BTreeSet::new();
    collect(modules, file, exports, &mut names, &mut HashSet::from([file.to_owned()]));
    names.remove("default");
    names.remove("module.exports");
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut module = format!(
        "import Module, {{ createRequire }} from \"node:module\";\n\
         const isMain = globalThis[Symbol.for(\"liveline:is-main\")]({file});\n\
         const exported = isMain ? Module._load({file}, null, true) : createRequire({file})({file});\n\
         export default exported;\n\
         export {{ exported as \"module.exports\" }};\n",
        file = quoted(&file.to_string_lossy())
    );
    if !names.is_empty() {
        // A getter may throw until the package is set up.
        module.push_str(
            "const all = exported ?? {}, get = (name) => { try { return all[name]; } catch {} };\n",
        );
    }
    for (number, name) in names.iter().enumerate() {
        let name = quoted(name);
        module.push_str(&format!("const _{number} = get({name});\nexport {{ _{number} as {name} }};\n"));
    }
    module
}

/// Collects the names that a file exports, with those of the modules that it passes on. A module that is not to be
/// found adds none: whether it is needed shows when the file runs.
fn collect(
    modules: &Modules,
    file: &Path,
    exports: Exports,
    names: &mut BTreeSet<String>,
    seen: &mut HashSet<PathBuf>,
) {
    names.extend(exports.names);
    for other in exports.others {
        let Some(other) = modules.required(&other, file).filter(|other| seen.insert(other.clone())) else {
            continue;
        };
        let Ok(source) = std::fs::read_to_string(&other) else { continue };
        let exports = common_js::exports(&other, &source, modules.declared(&other))
            .unwrap_or_else(|| common_js::exports_of_esm(&other, &source));
        collect(modules, &other, exports, names, seen);
    }
}
