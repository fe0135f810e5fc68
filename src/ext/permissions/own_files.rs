//! The files of the server itself, which handlers neither read nor write, whatever the flags are.

use std::path::{Path, PathBuf};

use liveline_store::Databases;

/// What SQLite appends to the name of a database for the files beside it.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The session store, the snapshot, the databases of `liveline:sql`, and the folder of the server's own data.
#[derive(Clone)]
pub(crate) struct OwnFiles {
    /// Files and folders that are known from the start.
    fixed: Vec<PathBuf>,
    /// The databases, which handlers open.
    databases: Databases,
}

impl std::fmt::Debug for OwnFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OwnFiles").field("fixed", &self.fixed).finish_non_exhaustive()
    }
}

impl OwnFiles {
    /// The paths may be relative, and need not exist.
    pub(crate) fn new(fixed: impl IntoIterator<Item = PathBuf>, databases: Databases) -> OwnFiles {
        OwnFiles { fixed: fixed.into_iter().map(|path| located(&path)).collect(), databases }
    }

    /// Whether a path is one of these files, or in one of these folders. Another name of the same file (a hard link)
    /// counts as well.
    pub(super) fn hold(&self, real: &Path) -> bool {
        let is_same = same_file(real);
        self.paths().any(|own| {
            real.starts_with(&own)
                || COMPANIONS.iter().any(|companion| {
                    let mut name = own.clone().into_os_string();
                    name.push(companion);
                    real == Path::new(&name)
                })
                || is_same(&own)
        })
    }

    /// Whether one of these files is below a folder.
    #[cfg(feature = "node")]
    pub(super) fn are_below(&self, folder: &Path) -> bool {
        self.paths().any(|own| own.starts_with(folder) && own.exists())
    }

    fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.fixed.iter().cloned().chain(self.databases.files().into_iter().map(|path| located(&path)))
    }
}

/// The real path of a file that need not exist.
fn located(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    deno_path_util::fs::canonicalize_path_maybe_not_exists(&sys_traits::impls::RealSys, &whole)
        .unwrap_or(whole)
}

/// Compares the file of a path with others by the numbers of device and inode.
#[cfg(unix)]
fn same_file(real: &Path) -> impl Fn(&Path) -> bool + use<> {
    use std::os::unix::fs::MetadataExt as _;
    let number = |path: &Path| {
        let metadata = path.symlink_metadata().ok().filter(std::fs::Metadata::is_file)?;
        Some((metadata.dev(), metadata.ino()))
    };
    let this = number(real);
    move |other| this.is_some() && number(other) == this
}

#[cfg(not(unix))]
fn same_file(_: &Path) -> impl Fn(&Path) -> bool + use<> {
    |_| false
}
