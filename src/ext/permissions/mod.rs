//! What handlers may access: files, programs, addresses and variables.
//!
//! Deno's crates ask a [`PermissionsContainer`] before they act; it is made here once per process. Its rules compare
//! paths, so [`parser`] resolves symbolic links before a path is compared, and [`files`] checks again where a file is
//! used.
//!
//! | file | what it has |
//! |---|---|
//! | `own_files.rs` | the files of the server itself, which no flag opens to handlers |
//! | `parser.rs` | resolves the paths and addresses that are compared |
//! | `addresses.rs` | the addresses that `--deny-net=private` means |
//! | `files.rs` | the file system of handlers |

mod addresses;
#[cfg(feature = "node")]
mod files;
mod own_files;
mod parser;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use deno_path_util::fs::canonicalize_path_maybe_not_exists;
use deno_permissions::{
    NetDescriptorParseError, Permissions, PermissionsContainer, PermissionsFromOptionsError,
    PermissionsOptions,
};
use sys_traits::impls::RealSys;

pub(crate) use own_files::OwnFiles;
use parser::{OWN_FILE, Parser};

/// The word of `--deny-net` for the addresses of private networks.
const PRIVATE: &str = "private";

/// What `node:os` and `process` may find out about the machine. Every other kind would change the process.
const MACHINE: [&str; 16] = [
    "ca",
    "cpus",
    "getPriority",
    "getegid",
    "gid",
    "homedir",
    "hostname",
    "loadavg",
    "networkInterfaces",
    "osRelease",
    "osUptime",
    "statfs",
    "systemMemoryInfo",
    "uid",
    "umask",
    "userInfo",
];

/// A flag with a list: `None` without the flag, an empty list for everything.
pub(crate) type List = Option<Vec<String>>;

/// The flags of permissions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grants {
    /// Paths that may be read besides the project.
    pub read: List,
    /// Paths that may be written.
    pub write: List,
    /// Programs that may run.
    pub run: List,
    /// Hosts that are refused.
    pub deny_net: List,
    /// Variables that are hidden.
    pub deny_env: List,
}

/// Why the flags of permissions are refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GrantError {
    #[error("--deny-net: {0}")]
    Net(#[from] NetDescriptorParseError),
    #[error("--allow-run={0}: there is no such program in PATH")]
    NoProgram(String),
    #[error("--{flag}={path}: {source}")]
    Path { flag: &'static str, path: String, source: std::io::Error },
    #[error(transparent)]
    Other(#[from] PermissionsFromOptionsError),
}

/// The folders and files of a permission; `None` for all files.
#[derive(Debug, Clone)]
struct Reach(Option<Vec<PathBuf>>);

impl Reach {
    /// Resolves the symbolic links of a flag's paths.
    fn of(flag: &'static str, list: &List, always: Vec<PathBuf>) -> Result<Reach, GrantError> {
        let Some(paths) = list else { return Ok(Reach(Some(always))) };
        if paths.is_empty() {
            return Ok(Reach(None));
        }
        let resolved = paths.iter().map(|path| {
            std::path::absolute(path)
                .and_then(|whole| canonicalize_path_maybe_not_exists(&RealSys, &whole))
                .map_err(|source| GrantError::Path { flag, path: path.clone(), source })
        });
        let resolved: Vec<_> = resolved.collect::<Result<_, _>>()?;
        Ok(Reach(Some(always.into_iter().chain(resolved).collect())))
    }

    fn holds(&self, real: &Path) -> bool {
        self.0.as_ref().is_none_or(|places| places.iter().any(|place| real.starts_with(place)))
    }

    /// The list for the container; no list at all where nothing is allowed.
    fn list(&self) -> List {
        let Some(places) = &self.0 else { return Some(Vec::new()) };
        let names = places.iter().map(|place| place.to_string_lossy().into_owned());
        Some(names.collect::<Vec<_>>()).filter(|names| !names.is_empty())
    }
}

/// What the handlers of a project may access. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    project: PathBuf,
    permissions: PermissionsContainer,
    own_files: OwnFiles,
}

impl Access {
    /// `project` is canonical.
    pub(crate) fn new(grants: &Grants, project: &Path, own_files: OwnFiles) -> Result<Access, GrantError> {
        let permissions = permissions(grants, project, own_files.clone())?;
        Ok(Access { project: project.to_owned(), permissions, own_files })
    }

    /// The folder of the project.
    pub(crate) fn project(&self) -> &Path {
        &self.project
    }

    /// The rules, for Deno's ops.
    pub(crate) fn permissions(&self) -> PermissionsContainer {
        self.permissions.clone()
    }

    /// The file system, for Deno's ops.
    #[cfg(feature = "node")]
    pub(crate) fn files(&self) -> deno_fs::FileSystemRc {
        Arc::new(self.clone())
    }

    /// Whether a file is one of the server, which handlers do not import either.
    pub(crate) fn is_own_file(&self, file: &Path) -> bool {
        self.own_files.hold(file)
    }
}

fn permissions(
    grants: &Grants,
    project: &Path,
    own_files: OwnFiles,
) -> Result<PermissionsContainer, GrantError> {
    // Packages may be installed in a folder above the project.
    let above = project.ancestors().skip(1).map(|folder| folder.join("node_modules"));
    let always = std::iter::once(project.to_owned()).chain(above).collect();
    let read = Reach::of("allow-read", &grants.read, always)?;
    let write = Reach::of("allow-write", &grants.write, Vec::new())?;
    if let Some(name) = grants.run.iter().flatten().find(|name| !is_program(name)) {
        return Err(GrantError::NoProgram(name.clone()));
    }
    let options = PermissionsOptions {
        allow_env: Some(Vec::new()),
        deny_env: grants.deny_env.clone(),
        allow_net: Some(Vec::new()),
        deny_net: grants
            .deny_net
            .as_ref()
            .map(|hosts| hosts.iter().flat_map(|host| addresses::meant(host)).collect()),
        allow_read: read.list(),
        deny_read: Some(vec![OWN_FILE.to_owned()]),
        allow_write: write.list(),
        deny_write: Some(vec![OWN_FILE.to_owned()]),
        allow_run: grants.run.clone(),
        allow_sys: Some(MACHINE.map(str::to_owned).to_vec()),
        prompt: false,
        ..PermissionsOptions::default()
    };
    let parser = Parser::new(project.to_owned(), read, write, own_files);
    let permissions = Permissions::from_options(&parser, &options).map_err(|error| match error {
        PermissionsFromOptionsError::NetDescriptorParse(error) => GrantError::Net(error),
        error => GrantError::Other(error),
    })?;
    Ok(PermissionsContainer::new(Arc::new(parser), permissions))
}

/// Whether a name or path is that of a program.
fn is_program(name: &str) -> bool {
    let is_file = |path: &Path| path.is_file();
    if Path::new(name).components().count() > 1 {
        return is_file(Path::new(name));
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| {
        is_file(&folder.join(name)) || (cfg!(windows) && is_file(&folder.join(format!("{name}.exe"))))
    })
}
