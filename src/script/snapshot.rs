//! The start of isolates: from a heap in which the host's own JavaScript has already run, if such a snapshot was kept.
//!
//! `liveline snapshot` writes it to a file beside the executable. Write access to that file is worth as much as write
//! access to the executable, so the file is trusted as much. A file that is damaged, or that another build wrote, is
//! not used.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use deno_core::error::CoreError;
use deno_core::{JsRuntimeForSnapshot, RuntimeOptions, v8};
use flate2::Crc;

use super::embedded;
use super::half::Half;

/// The heaps in the file, in their order.
#[cfg(feature = "node")]
const HEAPS: [Half; 2] = [Half::Plain, Half::Node];
#[cfg(not(feature = "node"))]
const HEAPS: [Half; 1] = [Half::Plain];

/// The length of what stands before the heaps in the file, in bytes.
const HEAD: usize = 4 + 8 * HEAPS.len();

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

/// The heap that was kept for this executable, for isolates with Node's half or without it. It is read once per
/// process: all isolates share its constant parts.
pub(super) fn kept(half: Half) -> Option<&'static [u8]> {
    static KEPT: [OnceLock<Option<&'static [u8]>>; HEAPS.len()] = [const { OnceLock::new() }; HEAPS.len()];
    let index = HEAPS.iter().position(|known| *known == half)?;
    *KEPT[index].get_or_init(|| {
        let executable = std::env::current_exe().ok().filter(|_| IS_POSSIBLE)?;
        match read(&executable, index).ok()? {
            // Isolates may read it as long as the process runs.
            Some(heap) => Some(heap.leak()),
            None => {
                tracing::warn!("{} is not for this build; it is not used", place(&executable).display());
                None
            }
        }
    })
}

/// Reads one heap. `None` if the file is damaged, or of another build.
fn read(executable: &Path, index: usize) -> std::io::Result<Option<Vec<u8>>> {
    let mut file = File::open(place(executable))?;
    let mut head = [0; HEAD];
    file.read_exact(&mut head)?;
    let number = |at: usize| u32::from_le_bytes(head[at * 4..at * 4 + 4].try_into().expect("four bytes"));
    if number(0) != checksum_of_build(executable)? {
        return Ok(None);
    }
    let length = |heap: usize| number(1 + 2 * heap);
    let start = (0..index).map(|heap| u64::from(length(heap))).sum::<u64>() + HEAD as u64;
    if start + u64::from(length(index)) > file.metadata()?.len() {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(start))?;
    let mut heap = vec![0; length(index) as usize];
    file.read_exact(&mut heap)?;
    Ok((checksum(&heap) == number(2 + 2 * index)).then_some(heap))
}

/// Makes the heaps and writes them to the file. Returns the file's path. Needs a tokio context, and that no isolate
/// runs.
pub(crate) fn keep() -> Result<PathBuf, SnapshotError> {
    if !IS_POSSIBLE {
        return Err(SnapshotError::Engine);
    }
    let executable = std::env::current_exe().map_err(SnapshotError::Executable)?;
    let path = place(&executable);
    let heaps = HEAPS.iter().map(|half| make(*half)).collect::<Result<Vec<_>, CoreError>>()?;
    // The file is replaced as a whole, because servers that start meanwhile may read it.
    let draft = path.with_extension(std::process::id().to_string());
    head(&executable, &heaps)
        .and_then(|head| std::fs::write(&draft, [&head, &*heaps.concat()].concat()))
        .and_then(|()| std::fs::rename(&draft, &path))
        .map_err(|source| SnapshotError::Write { path: path.clone(), source })?;
    Ok(path)
}

/// A heap in which the host's JavaScript has run.
fn make(half: Half) -> Result<Box<[u8]>, CoreError> {
    let mut runtime = JsRuntimeForSnapshot::try_new(RuntimeOptions {
        extensions: embedded::stateless_extensions(half),
        residual_lazy_js_sources: embedded::lazy(half).scripts,
        residual_lazy_esm_sources: embedded::lazy(half).modules,
        ..Default::default()
    })?;
    runtime.execute_script("ext:liveline/snapshot", "__liveline.warm()").map_err(CoreError::from)?;
    Ok(runtime.snapshot())
}

fn place(executable: &Path) -> PathBuf {
    let mut path = executable.as_os_str().to_owned();
    path.push(".snapshot");
    path.into()
}

/// The start of the file: the checksum of the build, then the length and the checksum of each heap.
fn head(executable: &Path, heaps: &[Box<[u8]>]) -> std::io::Result<Vec<u8>> {
    let mut numbers = vec![checksum_of_build(executable)?];
    for heap in heaps {
        let length = u32::try_from(heap.len()).map_err(std::io::Error::other)?;
        numbers.extend([length, checksum(heap)]);
    }
    Ok(numbers.into_iter().flat_map(u32::to_le_bytes).collect())
}

/// A heap refers to the host's functions by their order, and holds the objects that its scripts made, so it is valid
/// for one build only. Node's half is checked by its scripts and by the length of the executable alone, because listing
/// its functions takes time.
fn checksum_of_build(executable: &Path) -> std::io::Result<u32> {
    let mut build = Crc::new();
    build.update(&executable.metadata()?.len().to_le_bytes());
    for text in [v8::V8::get_version(), env!("CARGO_PKG_VERSION")] {
        build.update(text.as_bytes());
    }
    for extension in embedded::stateless_extensions(Half::Plain) {
        for op in &*extension.ops {
            build.update(op.name.as_bytes());
        }
        for file in &*extension.esm_files {
            build.update(file.load()?.as_bytes());
        }
    }
    build.update(&liveline_builtins::CHECKSUM.to_le_bytes());
    Ok(build.sum())
}

fn checksum(heap: &[u8]) -> u32 {
    let mut own = Crc::new();
    own.update(heap);
    own.sum()
}
