//! The start of isolates: from a heap in which the host's own JavaScript has already run, if such a snapshot was kept.
//!
//! `liveline snapshot` writes it to a file beside the executable. Write access to that file is worth as much as write
//! access to the executable, so the file is trusted as much. A file that is damaged, or that another build wrote, is
//! not used.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use deno_core::error::CoreError;
use deno_core::{JsRuntimeForSnapshot, RuntimeOptions, v8};
use flate2::Crc;

use super::embedded;

/// The length of the trailer behind the heap in the file, in bytes: the checksums of the build and of the heap.
const TRAILER: usize = 8;

/// QuickJS has no snapshots.
const IS_POSSIBLE: bool = cfg!(feature = "v8");

/// Why no snapshot was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    #[error("this build's engine starts without snapshots; only V8 has them")]
    Engine,
    #[error("the executable is not to be found: {0}")]
    Executable(std::io::Error),
    #[error("cannot write `{}`: {source}", .path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("JavaScript could not start: {0}")]
    Start(#[from] CoreError),
}

/// The heap that was kept for this executable. It is read once per process: all isolates share its constant parts.
pub(super) fn kept() -> Option<&'static [u8]> {
    static KEPT: OnceLock<Option<&'static [u8]>> = OnceLock::new();
    *KEPT.get_or_init(|| {
        let executable = std::env::current_exe().ok().filter(|_| IS_POSSIBLE)?;
        let mut file = std::fs::read(place(&executable)).ok()?;
        let heap = file.len().checked_sub(TRAILER)?;
        if file[heap..] != trailer(&executable, &file[..heap]).ok()? {
            tracing::warn!("{} is not for this build; it is not used", place(&executable).display());
            return None;
        }
        file.truncate(heap);
        // Isolates may read it as long as the process runs.
        Some(file.leak())
    })
}

/// Makes the heap and writes it to the file. Returns the file's path. Needs a tokio context, and that no isolate runs.
pub(crate) fn keep() -> Result<PathBuf, SnapshotError> {
    if !IS_POSSIBLE {
        return Err(SnapshotError::Engine);
    }
    let executable = std::env::current_exe().map_err(SnapshotError::Executable)?;
    let path = place(&executable);
    let mut runtime = JsRuntimeForSnapshot::try_new(RuntimeOptions {
        extensions: embedded::stateless_extensions(),
        residual_lazy_js_sources: embedded::lazy().scripts,
        residual_lazy_esm_sources: embedded::lazy().modules,
        ..Default::default()
    })?;
    runtime.execute_script("ext:liveline/snapshot", "__liveline.warm()").map_err(CoreError::from)?;
    let heap = runtime.snapshot();
    // The file is replaced as a whole, because servers that start meanwhile may read it.
    let draft = path.with_extension(std::process::id().to_string());
    trailer(&executable, &heap)
        .and_then(|trailer| std::fs::write(&draft, [&*heap, &trailer].concat()))
        .and_then(|()| std::fs::rename(&draft, &path))
        .map_err(|source| SnapshotError::Write { path: path.clone(), source })?;
    Ok(path)
}

fn place(executable: &Path) -> PathBuf {
    let mut path = executable.as_os_str().to_owned();
    path.push(".snapshot");
    path.into()
}

/// The checksums of the build and of the heap. A heap refers to the host's functions by their order, and holds the
/// objects that its scripts made, so it is valid for one build only.
fn trailer(executable: &Path, heap: &[u8]) -> std::io::Result<[u8; TRAILER]> {
    let mut build = Crc::new();
    build.update(&executable.metadata()?.len().to_le_bytes());
    for text in [v8::V8::get_version(), env!("CARGO_PKG_VERSION")] {
        build.update(text.as_bytes());
    }
    for extension in embedded::stateless_extensions() {
        for op in &*extension.ops {
            build.update(op.name.as_bytes());
        }
        for file in &*extension.esm_files {
            build.update(file.load()?.as_bytes());
        }
    }
    build.update(&liveline_builtins::CHECKSUM.to_le_bytes());
    let mut own = Crc::new();
    own.update(heap);
    let mut trailer = [0; TRAILER];
    trailer[..4].copy_from_slice(&build.sum().to_le_bytes());
    trailer[4..].copy_from_slice(&own.sum().to_le_bytes());
    Ok(trailer)
}
