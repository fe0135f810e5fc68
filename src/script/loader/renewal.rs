//! Code that is loaded again in the isolate that runs the code before: which modules keep their instances.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Loader, importer_of};
use crate::ext::packages;
use crate::script::instances::{Digest, Instances, with_importers};
use crate::script::sources::Sources;

/// What the loader had before code was loaded again, for the case that this fails.
pub(in crate::script) struct Before {
    sources: Arc<Sources>,
    instances: Instances,
    imports: HashMap<PathBuf, Vec<PathBuf>>,
}

impl Loader {
    /// The code has loaded: keeps what the settings contained that its modules were found by.
    pub(in crate::script) fn settle(&self) {
        *self.settings.borrow_mut() = self.settings_now();
    }

    /// What every file contains now that decides where modules are found and how they are compiled.
    fn settings_now(&self) -> BTreeMap<PathBuf, Option<Digest>> {
        let own = self.access.project().join("package.json");
        let files = self.modules.configs().into_iter().chain(self.modules.manifests()).chain([own]);
        files.map(|file| (file.clone(), Digest::now(&file))).collect()
    }

    /// Prepares for code that is loaded again: the modules whose text and imports have not changed keep their instances.
    /// `required` has the files that each CommonJS module requires.
    ///
    /// Returns the files whose modules get new instances. `None` if a fresh isolate is needed, because settings or
    /// packages have changed.
    pub(in crate::script) fn renew(
        &self,
        sources: Arc<Sources>,
        required: &[[PathBuf; 2]],
    ) -> Option<(Before, HashSet<PathBuf>)> {
        if *self.settings.borrow() != self.settings_now() {
            return None;
        }
        self.modules.look_again();
        let old = self.sources.borrow().clone();
        let mut changed: HashSet<PathBuf> = HashSet::new();
        for (file, digest) in old.digests() {
            if Digest::now(&file) != Some(digest) {
                if packages::holds(&file) {
                    return None;
                }
                changed.insert(file);
            }
        }
        // A file that was added may be what an import means from now on.
        for ((specifier, referrer), url) in old.all_resolved() {
            if let Some(importer) = importer_of(&referrer)
                && !packages::holds(&importer)
                && !self.modules.resolve(&specifier, &referrer).is_ok_and(|now| now == url)
            {
                changed.insert(importer);
            }
        }
        let before = Before {
            sources: old.clone(),
            instances: self.instances.borrow().clone(),
            imports: self.imports.borrow().clone(),
        };
        let mut edges = before.imports.clone();
        for [importer, imported] in required {
            edges.entry(importer.clone()).or_default().push(imported.clone());
        }
        with_importers(&mut changed, &edges);
        let load = self.loads.get() + 1;
        self.loads.set(load);
        self.instances.borrow_mut().renew(&changed, load);
        self.imports.borrow_mut().retain(|importer, _| !changed.contains(importer));
        sources.carry_on(&old, |file| !changed.contains(file), |_| true);
        self.load_from(sources);
        Some((before, changed))
    }

    /// The code did not load: the code before is imported again.
    pub(in crate::script) fn restore(&self, before: Before) {
        let Before { sources, instances, imports } = before;
        *self.instances.borrow_mut() = instances;
        *self.imports.borrow_mut() = imports;
        self.load_from(sources);
    }

    /// The text of a module, which knows the file's own URL even if the engine has another one for its instance.
    pub(super) fn with_own_url(&self, file: &Path, text: String) -> String {
        match deno_core::ModuleSpecifier::from_file_path(file) {
            Ok(url) if self.instances.borrow().has_renewed(file) => {
                liveline_compiler::environment::with_url(file, text, url.as_str())
            }
            _ => text,
        }
    }
}
