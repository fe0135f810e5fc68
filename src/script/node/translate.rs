//! CommonJS modules for `import`: an ES module that requires the file and exports what the file exports.
//!
//! As in Node, `default` is `module.exports`, and the names are those that the text shows, because they have to be known
//! before the file runs.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use liveline_compiler::common_js::{self, Exports};
use oxc_resolver::{ResolveOptions, Resolver};

/// Writes ES modules in place of CommonJS ones.
pub(in crate::script) struct Translator {
    /// Resolves what CommonJS modules require.
    required: Resolver,
}

impl Default for Translator {
    fn default() -> Translator {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Translator {
            required: Resolver::new(ResolveOptions {
                condition_names: names(&["node", "require", "module-sync", "default"]),
                main_fields: names(&["main"]),
                extensions: names(&[".js", ".json", ".cjs", ".node"]),
                builtin_modules: true,
                ..ResolveOptions::default()
            }),
        }
    }
}

impl Translator {
    /// The ES module for a CommonJS file with these exports. Needs an absolute path.
    pub(in crate::script) fn module(&self, file: &Path, exports: Exports) -> String {
        let mut names = BTreeSet::new();
        self.collect(file, exports, &mut names, &mut HashSet::from([file.to_owned()]));
        names.remove("default");
        names.remove("module.exports");
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let mut module = format!(
            "import {{ createRequire }} from \"node:module\";\n\
             const exported = createRequire(import.meta.url)({});\n\
             const all = exported ?? {{}};\n\
             export default exported;\n\
             export {{ exported as \"module.exports\" }};\n",
            quoted(&file.to_string_lossy())
        );
        for (number, name) in names.iter().enumerate() {
            let name = quoted(name);
            module.push_str(&format!("const _{number} = all[{name}];\nexport {{ _{number} as {name} }};\n"));
        }
        module
    }

    /// Collects the names that a file exports, with those of the modules that it passes on. A module that is not to be
    /// found adds none: whether it is needed shows when the file runs.
    fn collect(
        &self,
        file: &Path,
        exports: Exports,
        names: &mut BTreeSet<String>,
        seen: &mut HashSet<PathBuf>,
    ) {
        names.extend(exports.names);
        let Some(folder) = file.parent() else { return };
        for other in exports.others {
            let Ok(found) = self.required.resolve(folder, &other) else { continue };
            let other = found.full_path();
            if !seen.insert(other.clone()) {
                continue;
            }
            let Ok(source) = std::fs::read_to_string(&other) else { continue };
            let exports = common_js::exports(&other, &source)
                .unwrap_or_else(|| common_js::exports_of_esm(&other, &source));
            self.collect(&other, exports, names, seen);
        }
    }
}
