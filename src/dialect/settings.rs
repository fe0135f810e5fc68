//! What the configuration of a project decides besides its routes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use fast_glob::glob_match;

use super::ScriptScope;
use crate::ext::packages;
use crate::router::PrivateFiles;

/// The settings of a project, for its isolates.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// What the JavaScript halves of dialects get before any handler is loaded: JSON, by the dialect's name.
    pub scripts: Vec<(&'static str, String)>,
    /// What imports of files that hold no code mean; the first rule that fits decides.
    pub files: Vec<FileRule>,
    /// What imports mean by other names: specifiers, and those that stand for them.
    pub aliases: BTreeMap<String, String>,
    /// Whether JSX is compiled in plain files of JavaScript, too.
    pub has_jsx: bool,
    /// Whether an application answers every address: the host's scripts for pages have none at the root.
    pub is_application: bool,
    /// Whether imports of packages mean what they provide for Workers, and not for Node.
    pub is_for_workers: bool,
    /// Files in the folder of static files that are not served.
    pub private: PrivateFiles,
    /// Names that some files find without an import.
    pub scope: Option<ScriptScope>,
    /// The files that the settings were read from. A change of one of them loads the code again.
    pub sources: BTreeSet<PathBuf>,
}

/// What imports of some files mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileRule {
    /// Patterns of paths relative to `root`.
    pub globs: Vec<String>,
    /// The folder that the patterns begin in.
    pub root: PathBuf,
    /// What the default export of a matching file is.
    pub kind: FileKind,
}

/// What the default export of a file that holds no code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FileKind {
    /// A string.
    Text,
    /// An `ArrayBuffer`.
    Data,
    /// What its JSON stands for.
    Json,
    /// A `WebAssembly.Module`.
    Wasm,
    /// Code, which ends the search: the file is no exception.
    Code,
}

impl Settings {
    /// Adds those of another dialect.
    pub(super) fn extend(&mut self, more: Settings) {
        self.scripts.extend(more.scripts);
        self.files.extend(more.files);
        self.aliases.extend(more.aliases);
        self.has_jsx |= more.has_jsx;
        self.is_application |= more.is_application;
        self.is_for_workers |= more.is_for_workers;
        self.private.append(more.private);
        self.scope = self.scope.take().or(more.scope);
        self.sources.extend(more.sources);
    }

    /// What the default export of a file is; `None` for a file that is imported as others are.
    pub(crate) fn kind_of(&self, file: &Path) -> Option<FileKind> {
        let rule = self.files.iter().find(|rule| rule.covers(file))?;
        Some(rule.kind).filter(|kind| *kind != FileKind::Code)
    }
}

impl FileRule {
    fn covers(&self, file: &Path) -> bool {
        // Packages may be installed above the project, as in a workspace.
        let Some(path) = file.strip_prefix(&self.root).ok().or_else(|| packages::inside(file)) else {
            return false;
        };
        let path = path.to_string_lossy();
        self.globs.iter().any(|glob| glob_match(glob, &*path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_fits_decides() {
        let rule = |glob: &str, kind| FileRule { globs: vec![glob.to_owned()], root: "/p".into(), kind };
        let files = vec![
            rule("src/raw.txt", FileKind::Data),
            rule("**/*.txt", FileKind::Text),
            rule("**/*.html", FileKind::Data),
        ];
        let settings = Settings { files, ..Settings::default() };
        let kinds = ["/p/src/raw.txt", "/p/a.txt", "/p/a/b.html", "/node_modules/x/a.txt", "/q/a.txt"];
        let kinds = kinds.map(|file| settings.kind_of(Path::new(file)));
        let expected =
            [Some(FileKind::Data), Some(FileKind::Text), Some(FileKind::Data), Some(FileKind::Text), None];
        assert_eq!(kinds, expected);
    }
}
