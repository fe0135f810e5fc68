//! Which files code may be imported from: those of the project, and packages wherever they are installed.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The name of folders that hold packages.
const PACKAGES: &str = "node_modules";

/// The border around a project. Links are followed before a file counts as inside.
pub(super) struct Border {
    project: PathBuf,
    /// Folders outside of the project where packages lie that the project has installed, by a link or above itself.
    packages: Mutex<HashSet<PathBuf>>,
}

/// A file beyond the border.
#[derive(Debug)]
pub(crate) struct Outside {
    file: PathBuf,
    /// Where the file really is, if that is another place.
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

    /// Fails where `file` is no code of the project.
    pub(super) fn check(&self, file: &Path) -> Result<(), Outside> {
        let real = file.canonicalize().ok();
        let place = real.as_deref().unwrap_or(file);
        if self.holds(place) || (is_in_package(file) && file.starts_with(&self.project)) {
            return Ok(());
        }
        let real = real.filter(|real| real != file);
        Err(Outside { file: file.to_owned(), real, project: self.project.clone() })
    }

    /// Lets in the package that `specifier` names in a file in `folder`, which was found to be `file`; `written` is its
    /// path before links in the package were followed.
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
        // A link of the package's own leads on to where its files are kept one by one. A path such as `../../a.js` in
        // its `main` leads out of it.
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

fn is_in_package(file: &Path) -> bool {
    file.iter().any(|name| name == PACKAGES)
}

/// `a` of `a/b`, `@a/b` of `@a/b/c`; None for what a package says of itself, such as `#a`.
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
