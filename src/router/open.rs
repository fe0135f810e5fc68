//! Opens the files of `public/`, and decides which of them are served.
//!
//! The file that was opened is checked, not its path: a link could be put there between a check of the path and the
//! opening of the file.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hyper_staticfile::vfs::{FileOpener, FileWithMetadata};

use super::private_files::PrivateFiles;

/// The only hidden name that is served (RFC 8615), as the first segment of a path.
const WELL_KNOWN: &str = ".well-known";

/// Opens files below a folder.
#[derive(Debug)]
pub(super) struct PublicOpener {
    /// The folder's canonical path.
    pub root: PathBuf,
    /// Whether links may lead out of the folder.
    pub follow_links: bool,
    /// Files that are not served.
    pub private: PrivateFiles,
}

impl PublicOpener {
    /// Whether a path below the folder is that of a file that is served, or of a folder with an `index.html`. The path of a
    /// file does not end with a slash.
    pub(super) fn holds(&self, path: &Path, ends_in_slash: bool) -> bool {
        let holds = |path: &Path| {
            if is_hidden(path) || self.private.have(path) {
                return None;
            }
            let file = open(&self.root, &self.root.join(path), self.follow_links, &self.private).ok()?;
            Some(file.is_dir)
        };
        match holds(path) {
            Some(true) => holds(&path.join("index.html")) == Some(false),
            found => found == Some(false) && !ends_in_slash,
        }
    }
}

impl FileOpener for PublicOpener {
    type File = tokio::fs::File;
    type Future = BoxFuture<'static, io::Result<FileWithMetadata<tokio::fs::File>>>;

    fn open(&self, path: &Path) -> Self::Future {
        if is_hidden(path) || self.private.have(path) {
            return std::future::ready(Err(ErrorKind::NotFound.into())).boxed();
        }
        let (root, path, follow_links) = (self.root.clone(), self.root.join(path), self.follow_links);
        let private = self.private.clone();
        let open = move || open(&root, &path, follow_links, &private).map_err(without_fault);
        let opened = tokio::task::spawn_blocking(open);
        async move { opened.await.unwrap_or_else(|error| Err(io::Error::other(error))) }.boxed()
    }
}

/// Whether a path below the folder has a segment that is hidden.
fn is_hidden(path: &Path) -> bool {
    path.components().enumerate().any(|(at, component)| match component {
        Component::Normal(name) => {
            name.as_encoded_bytes().starts_with(b".") && (at > 0 || name != WELL_KNOWN)
        }
        _ => false,
    })
}

/// Whether a path below the folder `root` is that of a file that is served. Links may not lead out of the folder.
pub(super) fn is_file_inside(root: &Path, path: &Path) -> io::Result<bool> {
    if is_hidden(path) {
        return Ok(false);
    }
    match open(root, &root.join(path), false, &PrivateFiles::default()).map_err(without_fault) {
        Ok(file) => Ok(!file.is_dir),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn open(
    root: &Path,
    path: &Path,
    follow_links: bool,
    private: &PrivateFiles,
) -> io::Result<FileWithMetadata<tokio::fs::File>> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // To open a named pipe would wait for its writer.
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32);
    }
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt as _;
        // FILE_FLAG_BACKUP_SEMANTICS: folders can be opened, too.
        options.custom_flags(0x0200_0000);
    }
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() && !metadata.is_dir() {
        return Err(ErrorKind::NotFound.into());
    }
    if !follow_links {
        let real = real_path(&file, &metadata, path)?;
        let inside = real.strip_prefix(root).map_err(|_| ErrorKind::NotFound)?;
        if is_hidden(inside) || private.have(inside) {
            return Err(ErrorKind::NotFound.into());
        }
    }
    Ok(FileWithMetadata {
        handle: tokio::fs::File::from_std(file),
        size: metadata.len(),
        modified: metadata.modified().ok(),
        is_dir: metadata.is_dir(),
    })
}

/// The path of an open file without links. `path` is what it was opened by.
fn real_path(file: &fs::File, metadata: &fs::Metadata, path: &Path) -> io::Result<PathBuf> {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd as _;
        // Not every process sees /proc.
        if let Ok(real) = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())) {
            return Ok(real);
        }
    }
    let _ = file;
    let real = path.canonicalize()?;
    // The file at that path has to be the one that was opened.
    if is_same(&fs::metadata(&real)?, metadata) { Ok(real) } else { Err(ErrorKind::NotFound.into()) }
}

#[cfg(unix)]
fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    one.file_type() == other.file_type() && one.len() == other.len()
}

/// Errors that a client's path alone can cause count as a missing file.
fn without_fault(error: io::Error) -> io::Error {
    let is_absent = match error.kind() {
        // A name that no file can have; a file where a folder would have to be.
        ErrorKind::InvalidInput | ErrorKind::InvalidFilename | ErrorKind::NotADirectory => true,
        _ => has_no_file(&error),
    };
    if is_absent { ErrorKind::NotFound.into() } else { error }
}

/// Links in a circle, sockets and devices.
#[cfg(unix)]
fn has_no_file(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let absent = [Errno::LOOP, Errno::NXIO, Errno::NODEV, Errno::NAMETOOLONG, Errno::OPNOTSUPP];
    Errno::from_io_error(error).is_some_and(|number| absent.contains(&number))
}

#[cfg(not(unix))]
fn has_no_file(_: &io::Error) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder with a file, a hidden one and links, beside a private file.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("public/docs")).expect("folders");
        for file in ["secret", "public/a", "public/docs/b", "public/.hidden"] {
            fs::write(at(file), file).expect("a file");
        }
        for (link, to) in [
            ("in", "docs/b"),
            ("up", "docs/../a"),
            ("out", "../secret"),
            ("loop", "loop"),
            ("hid", ".hidden"),
        ] {
            symlink(to, at("public").join(link)).expect("a link");
        }
        folder
    }

    fn opens(folder: &tempfile::TempDir, name: &str, follow_links: bool) -> Result<(), ErrorKind> {
        let root = folder.path().join("public").canonicalize().expect("a folder");
        let opened =
            open(&root, &root.join(name), follow_links, &PrivateFiles::default()).map_err(without_fault);
        opened.map(drop).map_err(|error| error.kind())
    }

    #[test]
    fn links_may_stay_inside() {
        let folder = folder();
        for name in ["a", "docs/b", "in", "up", "docs", ""] {
            assert_eq!(opens(&folder, name, false), Ok(()), "{name}");
        }
        for name in ["out", "hid", "loop", "none", "a/more"] {
            assert_eq!(opens(&folder, name, false), Err(ErrorKind::NotFound), "{name}");
        }
        assert_eq!(opens(&folder, &"x".repeat(300), false), Err(ErrorKind::NotFound));
        assert_eq!(opens(&folder, "out", true), Ok(()));
    }

    #[test]
    fn without_proc_the_file_is_compared() {
        let folder = folder();
        let path = |name: &str| folder.path().join("public").join(name);
        let file = fs::File::open(path("in")).expect("a file");
        let metadata = file.metadata().expect("what it is");
        let canonical = path("in").canonicalize().expect("its place");
        assert!(is_same(&fs::metadata(canonical).expect("what it is"), &metadata));
        assert!(!is_same(&fs::metadata(path("a")).expect("what it is"), &metadata));
    }

    #[test]
    fn hidden_is_what_begins_with_a_dot() {
        for path in ["", "a", "a.b/c", ".well-known", ".well-known/acme/x"] {
            assert!(!is_hidden(Path::new(path)), "{path}");
        }
        for path in [".a", "a/.b", ".git/config", "a/.well-known", ".well-known/.x", ".well-knownx"] {
            assert!(is_hidden(Path::new(path)), "{path}");
        }
    }
}
