//! What packages state about the kind of their files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use liveline_compiler::common_js::Declared;

use crate::ext::packages;

/// The nearest `package.json` of each folder, as far as it states the kind of files. Each is read once.
#[derive(Default)]
pub(super) struct Declarations(Mutex<HashMap<PathBuf, Declared>>);

/// The one line of a `package.json` that is of interest here.
#[derive(serde::Deserialize)]
struct Manifest {
    #[serde(default, rename = "type")]
    kind: serde_json::Value,
}

impl Declarations {
    /// What the package of a file states.
    pub(super) fn of(&self, file: &Path) -> Declared {
        file.parent().map_or(Declared::Nothing, |folder| self.of_folder(folder))
    }

    /// Every `package.json` that was looked for.
    pub(super) fn manifests(&self) -> Vec<PathBuf> {
        let folders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        folders.keys().map(|folder| folder.join("package.json")).collect()
    }

    fn of_folder(&self, folder: &Path) -> Declared {
        let known =
            |folder: &Path| self.0.lock().unwrap_or_else(PoisonError::into_inner).get(folder).copied();
        let mut passed = Vec::new();
        let mut declared = Declared::Nothing;
        for folder in folder.ancestors() {
            if folder.ends_with(packages::FOLDER) {
                declared = Declared::Package;
                break;
            }
            if let Some(found) = known(folder) {
                declared = found;
                break;
            }
            passed.push(folder);
            if let Ok(text) = std::fs::read(folder.join("package.json")) {
                let kind = serde_json::from_slice::<Manifest>(&text).map(|manifest| manifest.kind);
                let is_installed = packages::holds(folder);
                declared = match kind {
                    Ok(kind) if kind == "module" => Declared::Module,
                    _ if is_installed => Declared::Package,
                    _ => Declared::Nothing,
                };
                break;
            }
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(passed.into_iter().map(|folder| (folder.to_owned(), declared)));
        declared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_package_counts() {
        let project = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = project.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        };
        write("package.json", r#"{ "type": "commonjs" }"#);
        write("es/package.json", r#"{ "type": "module" }"#);
        write("node_modules/plain/package.json", "{}");
        write("node_modules/es/package.json", r#"{ "type": "module" }"#);
        write("node_modules/es/cjs/package.json", r#"{ "type": "commonjs" }"#);
        let declarations = Declarations::default();
        let of = |path: &str| declarations.of(&project.path().join(path));
        // Each twice: the second answer is a kept one.
        for _ in 0..2 {
            assert_eq!(of("a/b/handler.js"), Declared::Nothing);
            assert_eq!(of("es/a/b.js"), Declared::Module);
            assert_eq!(of("node_modules/plain/lib/a.js"), Declared::Package);
            assert_eq!(of("node_modules/es/lib/a.js"), Declared::Module);
            assert_eq!(of("node_modules/es/cjs/a.js"), Declared::Package);
            assert_eq!(of("node_modules/none/a.js"), Declared::Package);
        }
    }
}
