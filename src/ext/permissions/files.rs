//! The file system of handlers: Deno's, with permissions checked where a file is used.
//!
//! Deno's ops check a path and then use it. Between the two, a folder of the path may be replaced by a symbolic link. So
//! a path is checked once more here, and Linux then follows no link on the way to it.

use std::borrow::Cow;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;

use deno_core::unsync::spawn_blocking;
use deno_fs::{FileSystem, FsDirEntry, FsError, FsFileType, FsReadDirRc, OpenOptions, RealFs};
use deno_io::StdFileResourceInner;
use deno_io::fs::{File, FsResult, FsStat, FsStatFs};
use deno_permissions::{
    CheckedPath, CheckedPathBuf, OpenAccessKind, PermissionCheckError, PermissionDeniedError, PermissionState,
};

use super::Access;

/// A checked path that cannot change its meaning any more.
struct Pinned {
    path: PathBuf,
    /// The open folder that the path goes through.
    #[cfg(target_os = "linux")]
    _folder: Option<std::os::fd::OwnedFd>,
}

impl Pinned {
    fn path(&self) -> CheckedPath<'_> {
        CheckedPath::unsafe_new(Cow::Borrowed(&self.path))
    }
}

impl Access {
    fn check(&self, path: &Path, kind: OpenAccessKind) -> FsResult<PathBuf> {
        let checked = self.permissions.check_open(Cow::Borrowed(path), kind, None)?;
        Ok(checked.into_owned_path())
    }

    /// Checks a path, and opens its folder, so that the path leads nowhere else from here on.
    fn pin(&self, path: &Path, kind: OpenAccessKind) -> FsResult<Pinned> {
        let path = self.check(path, kind)?;
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
            use std::os::fd::AsRawFd as _;
            let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
                return Ok(Pinned { path, _folder: None });
            };
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            match openat2(CWD, folder, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
                Ok(folder) => {
                    let path = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
                    Ok(Pinned { path, _folder: Some(folder) })
                }
                Err(error) if is_missing_call(error) => Ok(Pinned { path, _folder: None }),
                Err(error) => Err(FsError::Io(error.into())),
            }
        }
        #[cfg(not(target_os = "linux"))]
        Ok(Pinned { path })
    }

    fn open(&self, path: &Path, options: OpenOptions) -> FsResult<(std::fs::File, PathBuf)> {
        let path = self.check(path, options.access_kind())?;
        let file = open(&path, options)?;
        Ok((file, path))
    }

    /// Fails where a change of a folder would move or remove a file of the server with it.
    fn check_contents(&self, folder: &Path) -> FsResult<()> {
        let folder = self.check(folder, OpenAccessKind::WriteNoFollow)?;
        match self.own_files.are_below(&folder) {
            true => Err(refused("write", "<a folder with a file of the server>")),
            false => Ok(()),
        }
    }
}

/// Whether the kernel does not have `openat2`, or a container forbids it.
#[cfg(target_os = "linux")]
fn is_missing_call(error: rustix::io::Errno) -> bool {
    matches!(error, rustix::io::Errno::NOSYS | rustix::io::Errno::PERM)
}

#[cfg(target_os = "linux")]
fn open(path: &Path, options: OpenOptions) -> FsResult<std::fs::File> {
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
    let writes = options.write || options.append;
    let mut flags = OFlags::CLOEXEC;
    flags |= match (options.read || !writes, writes) {
        (true, true) => OFlags::RDWR,
        (false, _) => OFlags::WRONLY,
        (true, false) => OFlags::RDONLY,
    };
    flags.set(OFlags::APPEND, options.append);
    flags.set(OFlags::TRUNC, options.truncate);
    flags.set(OFlags::CREATE, options.create || options.create_new);
    flags.set(OFlags::EXCL, options.create_new);
    flags |= OFlags::from_bits_retain(options.custom_flags.unwrap_or_default().cast_unsigned());
    let mode = match flags.contains(OFlags::CREATE) {
        true => Mode::from_bits_truncate(options.mode.unwrap_or(0o666)),
        false => Mode::empty(),
    };
    match openat2(CWD, path, flags, mode, ResolveFlags::NO_SYMLINKS) {
        Ok(file) => Ok(file.into()),
        Err(error) if is_missing_call(error) => open_as_deno(path, options),
        Err(error) => Err(FsError::Io(error.into())),
    }
}

#[cfg(not(target_os = "linux"))]
fn open(path: &Path, options: OpenOptions) -> FsResult<std::fs::File> {
    open_as_deno(path, options)
}

fn open_as_deno(path: &Path, options: OpenOptions) -> FsResult<std::fs::File> {
    let checked = CheckedPath::unsafe_new(Cow::Borrowed(path));
    Ok(deno_fs::open_options_for_checked_path(options, &checked).open(path)?)
}

/// The refusal of an access, as a [`PermissionsContainer`] makes it.
fn refused(name: &'static str, what: &str) -> FsError {
    FsError::PermissionCheck(PermissionCheckError::PermissionDenied(PermissionDeniedError {
        access: format!("{name} access to {what}"),
        name,
        custom_message: None,
        state: PermissionState::Denied,
    }))
}

fn file(file: std::fs::File, path: PathBuf) -> Rc<dyn File> {
    Rc::new(StdFileResourceInner::file(file, Some(path)))
}

/// What `async_trait` makes of an asynchronous method's result.
type Later<'a, T> = Pin<Box<dyn Future<Output = FsResult<T>> + 'a>>;

/// The asynchronous method that does the same as a synchronous one, on a thread for blocking calls.
macro_rules! elsewhere {
    ($name:ident = $sync:ident(path $(, $argument:ident: $type:ty)*) -> $result:ty) => {
        fn $name<'a, 'b>(&'a self, path: CheckedPathBuf $(, $argument: $type)*) -> Later<'b, $result>
        where
            'a: 'b,
            Self: 'b,
        {
            let files = self.clone();
            Box::pin(async move {
                spawn_blocking(move || files.$sync(&path.as_checked_path() $(, $argument)*)).await?
            })
        }
    };
    ($name:ident = $sync:ident(from, to)) => {
        fn $name<'a, 'b>(&'a self, from: CheckedPathBuf, to: CheckedPathBuf) -> Later<'b, ()>
        where
            'a: 'b,
            Self: 'b,
        {
            let files = self.clone();
            Box::pin(async move {
                spawn_blocking(move || files.$sync(&from.as_checked_path(), &to.as_checked_path())).await?
            })
        }
    };
}

/// A method, and its asynchronous form, that calls Deno's method with the pinned path.
macro_rules! pinned {
    ($sync:ident, $name:ident, $kind:ident, ($($argument:ident: $type:ty),*) -> $result:ty) => {
        fn $sync(&self, path: &CheckedPath $(, $argument: $type)*) -> FsResult<$result> {
            RealFs.$sync(&self.pin(path, OpenAccessKind::$kind)?.path() $(, $argument)*)
        }
        elsewhere!($name = $sync(path $(, $argument: $type)*) -> $result);
    };
}

#[cfg(unix)]
type FileMode = u32;
#[cfg(not(unix))]
type FileMode = i32;

impl FileSystem for Access {
    fn cwd(&self) -> FsResult<PathBuf> {
        Ok(self.project.clone())
    }

    fn tmp_dir(&self) -> FsResult<PathBuf> {
        RealFs.tmp_dir()
    }

    fn chdir(&self, _path: &CheckedPath) -> FsResult<()> {
        Err(refused("sys", "\"chdir\""))
    }

    fn umask(&self, mask: Option<u32>) -> FsResult<u32> {
        match mask {
            None => RealFs.umask(None),
            Some(_) => Err(refused("sys", "\"umask\"")),
        }
    }

    fn open_sync(&self, path: &CheckedPath, options: OpenOptions) -> FsResult<Rc<dyn File>> {
        self.open(path, options).map(|(opened, path)| file(opened, path))
    }

    fn open_async<'a, 'b>(&'a self, path: CheckedPathBuf, options: OpenOptions) -> Later<'b, Rc<dyn File>>
    where
        'a: 'b,
        Self: 'b,
    {
        let files = self.clone();
        Box::pin(async move {
            // To open a pipe may block.
            let (opened, path) = spawn_blocking(move || files.open(&path, options)).await??;
            Ok(file(opened, path))
        })
    }

    fn mkdir_sync(&self, path: &CheckedPath, recursive: bool, mode: Option<u32>) -> FsResult<()> {
        if recursive {
            // The folders on the way need not exist, so there is none to open.
            let path = self.check(path, OpenAccessKind::WriteNoFollow)?;
            return RealFs.mkdir_sync(&CheckedPath::unsafe_new(Cow::Owned(path)), recursive, mode);
        }
        RealFs.mkdir_sync(&self.pin(path, OpenAccessKind::WriteNoFollow)?.path(), recursive, mode)
    }
    elsewhere!(mkdir_async = mkdir_sync(path, recursive: bool, mode: Option<u32>) -> ());

    pinned!(chmod_sync, chmod_async, Write, (mode: FileMode) -> ());
    pinned!(chown_sync, chown_async, Write, (uid: Option<u32>, gid: Option<u32>) -> ());
    pinned!(lchmod_sync, lchmod_async, WriteNoFollow, (mode: u32) -> ());
    pinned!(lchown_sync, lchown_async, WriteNoFollow, (uid: Option<u32>, gid: Option<u32>) -> ());

    fn remove_sync(&self, path: &CheckedPath, recursive: bool) -> FsResult<()> {
        self.check_contents(path)?;
        RealFs.remove_sync(&self.pin(path, OpenAccessKind::WriteNoFollow)?.path(), recursive)
    }
    elsewhere!(remove_async = remove_sync(path, recursive: bool) -> ());

    fn copy_file_sync(&self, from: &CheckedPath, to: &CheckedPath) -> FsResult<()> {
        let (from, to) = (self.pin(from, OpenAccessKind::Read)?, self.pin(to, OpenAccessKind::Write)?);
        RealFs.copy_file_sync(&from.path(), &to.path())
    }
    elsewhere!(copy_file_async = copy_file_sync(from, to));

    /// deno_node copies folders file by file. This would copy them without a check of each file.
    fn cp_sync(&self, _from: &CheckedPath, _to: &CheckedPath) -> FsResult<()> {
        Err(FsError::NotSupported)
    }
    elsewhere!(cp_async = cp_sync(from, to));

    fn stat_sync(&self, path: &CheckedPath) -> FsResult<FsStat> {
        // The checked path ends in no link.
        RealFs.lstat_sync(&self.pin(path, OpenAccessKind::Read)?.path())
    }
    elsewhere!(stat_async = stat_sync(path) -> FsStat);

    pinned!(lstat_sync, lstat_async, ReadNoFollow, () -> FsStat);
    pinned!(statfs_sync, statfs_async, Read, (bigint: bool) -> FsStatFs);
    pinned!(realpath_sync, realpath_async, Read, () -> PathBuf);
    pinned!(rmdir_sync, rmdir_async, WriteNoFollow, () -> ());
    pinned!(read_link_sync, read_link_async, ReadNoFollow, () -> PathBuf);
    pinned!(truncate_sync, truncate_async, Write, (len: u64) -> ());
    pinned!(
        utime_sync,
        utime_async,
        Write,
        (atime_secs: i64, atime_nanos: u32, mtime_secs: i64, mtime_nanos: u32) -> ()
    );
    pinned!(
        lutime_sync,
        lutime_async,
        WriteNoFollow,
        (atime_secs: i64, atime_nanos: u32, mtime_secs: i64, mtime_nanos: u32) -> ()
    );

    fn read_dir_sync(&self, path: &CheckedPath) -> FsResult<Vec<FsDirEntry>> {
        RealFs.read_dir_sync(&self.pin(path, OpenAccessKind::Read)?.path())
    }

    fn read_dir_async<'a, 'b>(&'a self, path: CheckedPathBuf) -> Later<'b, FsReadDirRc>
    where
        'a: 'b,
        Self: 'b,
    {
        let files = self.clone();
        Box::pin(async move {
            let pinned = spawn_blocking(move || files.pin(&path, OpenAccessKind::Read)).await??;
            RealFs.read_dir_async(pinned.path().into_owned()).await
        })
    }

    fn rename_sync(&self, from: &CheckedPath, to: &CheckedPath) -> FsResult<()> {
        self.check_contents(from)?;
        let from = self.pin(from, OpenAccessKind::ReadWriteNoFollow)?;
        RealFs.rename_sync(&from.path(), &self.pin(to, OpenAccessKind::WriteNoFollow)?.path())
    }
    elsewhere!(rename_async = rename_sync(from, to));

    fn link_sync(&self, from: &CheckedPath, to: &CheckedPath) -> FsResult<()> {
        let from = self.pin(from, OpenAccessKind::ReadWriteNoFollow)?;
        RealFs.link_sync(&from.path(), &self.pin(to, OpenAccessKind::WriteNoFollow)?.path())
    }
    elsewhere!(link_async = link_sync(from, to));

    /// Deno's ops make links only for handlers that may read and write every file.
    fn symlink_sync(
        &self,
        target: &CheckedPath,
        link: &CheckedPath,
        kind: Option<FsFileType>,
    ) -> FsResult<()> {
        RealFs.symlink_sync(target, &self.pin(link, OpenAccessKind::WriteNoFollow)?.path(), kind)
    }

    fn symlink_async<'a, 'b>(
        &'a self,
        target: CheckedPathBuf,
        link: CheckedPathBuf,
        kind: Option<FsFileType>,
    ) -> Later<'b, ()>
    where
        'a: 'b,
        Self: 'b,
    {
        let files = self.clone();
        Box::pin(async move {
            spawn_blocking(move || {
                files.symlink_sync(&target.as_checked_path(), &link.as_checked_path(), kind)
            })
            .await?
        })
    }

    fn exists_sync(&self, path: &CheckedPath) -> bool {
        self.pin(path, OpenAccessKind::Read).is_ok_and(|pinned| RealFs.exists_sync(&pinned.path()))
    }

    fn exists_async<'a, 'b>(&'a self, path: CheckedPathBuf) -> Later<'b, bool>
    where
        'a: 'b,
        Self: 'b,
    {
        let files = self.clone();
        Box::pin(async move { Ok(spawn_blocking(move || files.exists_sync(&path.as_checked_path())).await?) })
    }
}
