//! Which files handlers may import: the project's files, and installed packages wherever their files are.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The name of folders that hold packages.
const PACKAGES: &str = "node_modules";

/// The border around a project. Symbolic links are resolved before a file counts as inside.
pub(super) struct Border {
    project: PathBuf,
    /// Folders and files outside of the project that belong to its installed packages: packages that are linked, or
    /// that are installed in a folder above the project.
    packages: Mutex<HashSet<PathBuf>>,
}

/// A file beyond the border.
#[derive(Debug)]
pub(crate) struct Outside {
    file: PathBuf,
    /// The file's path after symbolic links are resolved, if it differs from `file`.
    real: Option<PathBuf>,
    project: PathBuf,
}

impl fmt::Display for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outside { file, real, project } = self;
        let (file, project) = (file.display(), project.display());
        match real {
            None => write!(f, "{file} is outside of the project {project}")?,
            Some(real) => {
                write!(f, "{file} leads to {}, which is outside of the project {project}", real.display())?;
            }
        }
        write!(
            f,
            "; move it into the project, or install it as a package: only {PACKAGES} may lead elsewhere (a project is \
             the nearest folder above the routes that has a package.json)"
        )
    }
}

impl Border {
    /// `project` is canonical.
    pub(super) fn around(project: &Path) -> Border {
        Border { project: project.to_owned(), packages: Mutex::default() }
    }

    /// Fails if `file` is neither in the project nor in one of its packages.
    pub(super) fn check(&self, file: &Path) -> Result<(), Outside> {
        let real = file.canonicalize().ok();
        let place = real.as_deref().unwrap_or(file);
        if self.holds(place) || (is_in_package(file) && file.starts_with(&self.project)) {
            return Ok(());
        }
        let real = real.filter(|real| real != file);
        Err(Outside { file: file.to_owned(), real, project: self.project.clone() })
    }

    /// Admits the package that the import `specifier` in a file in `folder` names, where that import resolved to
    /// `file`. `written` returns the path of `file` before links inside the package are resolved.
    pub(super) fn admit(
        &self,
        specifier: &str,
        folder: &Path,
        file: &Path,
        written: impl FnOnce() -> Option<PathBuf>,
    ) {
        if self.holds(file) {
            return;
        }
        let Some(name) = package_of(specifier) else { return };
        let mut installed = folder.ancestors().map(|above| above.join(PACKAGES).join(name));
        let Some((installed, package)) =
            installed.find_map(|installed| Some((installed.clone(), installed.canonicalize().ok()?)))
        else {
            return;
        };
        let is_of_package =
            |written: PathBuf| written.starts_with(&installed) || written.starts_with(&package);
        let mut packages = self.packages.lock().unwrap_or_else(PoisonError::into_inner);
        // A link inside the package may lead to a store that keeps its files one by one: such a file is admitted alone.
        // A path in the package's `main` that leaves the package, such as `../../a.js`, is not admitted.
        if !file.starts_with(&package) && written().is_some_and(is_of_package) {
            packages.insert(file.to_owned());
        }
        packages.insert(package);
    }

    fn holds(&self, real: &Path) -> bool {
        let packages = || self.packages.lock().unwrap_or_else(PoisonError::into_inner);
        real.starts_with(&self.project) || packages().iter().any(|package| real.starts_with(package))
    }
}

/// Whether a file belongs to an installed package.
pub(super) fn is_in_package(file: &Path) -> bool {
    file.iter().any(|name| name == PACKAGES)
}

/// The package's name: `a` of `a/b`, `@a/b` of `@a/b/c`. None for a package's import of its own files, such as `#a`.
fn package_of(specifier: &str) -> Option<&str> {
    let names = if specifier.starts_with('@') { 2 } else { 1 };
    let end = specifier.match_indices('/').nth(names - 1).map_or(specifier.len(), |(at, _)| at);
    let name = &specifier[..end];
    let is_name = !name.starts_with('#') && name.split('/').all(|part| !matches!(part, "" | "." | ".."));
    is_name.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::package_of;

    #[test]
    fn package_of_takes_the_name_alone() {
        let names = ["a", "a/b.js", "@a/b", "@a/b/c/d.js", "#a", "..", "@a/../../b"].map(package_of);
        assert_eq!(names, [Some("a"), Some("a"), Some("@a/b"), Some("@a/b"), None, None, None]);
    }
}
