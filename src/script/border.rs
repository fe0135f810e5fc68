//! Which files handlers may import: the project's files, and installed packages wherever their files are.

#[cfg(feature = "node")]
use std::collections::HashMap;
use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::ext::packages::{self, FOLDER as PACKAGES};

/// The border around a project. Symbolic links are resolved before a file counts as inside.
pub(super) struct Border {
    project: PathBuf,
    /// Folders and files outside of the project that belong to its installed packages: packages that are linked, or
    /// that are installed in a folder above the project.
    packages: Mutex<HashSet<PathBuf>>,
    /// The folders in which CommonJS modules look for packages.
    #[cfg(feature = "node")]
    lookups: Mutex<HashMap<PathBuf, Lookup>>,
}

/// A folder of packages.
#[cfg(feature = "node")]
#[derive(Default)]
struct Lookup {
    /// The folders of packages that links in it lead to; None until a file outside of the folder is asked for.
    linked: Option<Vec<PathBuf>>,
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
        Border {
            project: project.to_owned(),
            packages: Mutex::default(),
            #[cfg(feature = "node")]
            lookups: Mutex::default(),
        }
    }

    /// Fails if `file` is neither in the project nor in one of its packages.
    pub(super) fn check(&self, file: &Path) -> Result<(), Outside> {
        let real = file.canonicalize().ok();
        let place = real.as_deref().unwrap_or(file);
        if self.holds(place) || (packages::holds(file) && file.starts_with(&self.project)) {
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
        let Some(name) = packages::name_of(specifier) else { return };
        let mut installed = folder.ancestors().map(|above| above.join(PACKAGES).join(name));
        let Some((installed, package)) =
            installed.find_map(|installed| Some((installed.clone(), installed.canonicalize().ok()?)))
        else {
            return;
        };
        let is_of_package =
            |written: PathBuf| written.starts_with(&installed) || written.starts_with(&package);
        let mut packages = lock(&self.packages);
        // A link inside the package may lead to a store that keeps its files one by one: such a file is admitted alone.
        // A path in the package's `main` that leaves the package, such as `../../a.js`, is not admitted.
        if !file.starts_with(&package) && written().is_some_and(is_of_package) {
            packages.insert(file.to_owned());
        }
        packages.insert(package);
    }

    fn holds(&self, real: &Path) -> bool {
        real.starts_with(&self.project)
            || lock(&self.packages).iter().any(|package| real.starts_with(package))
    }
}

/// What `require()` may read.
#[cfg(feature = "node")]
impl Border {
    /// Admits the folders of packages in which a CommonJS module in `folder` looks, if the module itself is inside.
    pub(super) fn admit_lookups(&self, folder: &Path, lookups: impl Iterator<Item = PathBuf>) {
        if !self.holds(folder) && !self.is_looked_up(folder) {
            return;
        }
        let mut known = lock(&self.lookups);
        for lookup in lookups {
            if !known.contains_key(&lookup) && lookup.is_dir() {
                known.insert(lookup, Lookup::default());
            }
        }
    }

    /// Fails if a file that a CommonJS module requires is neither in the project nor in a package that CommonJS modules
    /// find.
    pub(super) fn check_required(&self, file: &Path) -> Result<(), Outside> {
        self.check(file).or_else(|outside| {
            if self.is_looked_up(file) {
                // An ES module of the package may import all of it.
                let package = packages::owner_of(file)
                    .and_then(|name| packages::folder_for(&name, file)?.canonicalize().ok());
                // A link of the package may lead to a store that keeps its files one by one: such a file is admitted alone.
                let real = file.canonicalize().ok();
                let alone =
                    real.filter(|real| package.as_ref().is_none_or(|package| !real.starts_with(package)));
                lock(&self.packages).extend(package.into_iter().chain(alone));
                return Ok(());
            }
            let real = file.canonicalize().unwrap_or_else(|_| file.to_owned());
            let linked = lock(&self.lookups).iter_mut().find_map(|(folder, lookup)| {
                let linked = lookup.linked.get_or_insert_with(|| linked_from(folder));
                linked.iter().find(|package| real.starts_with(package)).cloned()
            });
            lock(&self.packages).insert(linked.ok_or(outside)?);
            Ok(())
        })
    }

    /// Whether a file is in a folder in which CommonJS modules look for packages.
    fn is_looked_up(&self, file: &Path) -> bool {
        lock(&self.lookups).keys().any(|folder| file.starts_with(folder))
    }
}

#[cfg(feature = "node")]
/// The packages outside of a folder of packages to which links in it lead.
fn linked_from(folder: &Path) -> Vec<PathBuf> {
    let entries = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let packages =
        entries(folder).flat_map(|entry| match entry.file_name().to_string_lossy().starts_with('@') {
            true => entries(&entry.path()).collect(),
            false => vec![entry],
        });
    let links = packages.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_symlink()));
    links.filter_map(|link| link.path().canonicalize().ok()).filter(|it| !it.starts_with(folder)).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
