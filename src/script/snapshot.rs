//! The start of isolates: from a heap in which the host's own JavaScript has already run, if such a snapshot was kept.
//!
//! `liveline snapshot` writes it to a file beside the executable, which is mapped into memory, as the executable is.
//! Write access to that file is worth as much as write access to the executable, so the file is trusted as much. A file
//! that is not complete, or that another build wrote, is not used.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{OnceLock, mpsc};

use deno_core::error::CoreError;
use deno_core::v8;
use flate2::Crc;

use super::half::Half;
use super::{Isolate, embedded};
use crate::config::Config;
use crate::ext::Exchanges;
use liveline_proto::CloseCode;

/// The heaps in the file, in their order.
#[cfg(feature = "node")]
const HEAPS: [Half; 2] = [Half::Plain, Half::Node];
#[cfg(not(feature = "node"))]
const HEAPS: [Half; 1] = [Half::Plain];

/// The heaps begin at multiples of this, because files are mapped in pages; no system has larger ones.
const PAGE: usize = 1 << 16;

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

/// The heap that was kept for this executable, for isolates with Node's half or without it. It is mapped once per
/// process: all isolates share its constant parts.
pub(super) fn kept(half: Half) -> Option<&'static [u8]> {
    static KEPT: [OnceLock<Option<&'static [u8]>>; HEAPS.len()] = [const { OnceLock::new() }; HEAPS.len()];
    let index = HEAPS.iter().position(|known| *known == half)?;
    *KEPT[index].get_or_init(|| {
        let executable = std::env::current_exe().ok().filter(|_| IS_POSSIBLE)?;
        let heap = open(&executable, index).ok()?;
        if heap.is_none() {
            tracing::warn!("{} is not for this build; it is not used", place(&executable).display());
        }
        heap
    })
}

/// The file of this executable's snapshot, whether it exists or not.
pub(crate) fn file() -> Option<PathBuf> {
    std::env::current_exe().ok().map(|executable| place(&executable))
}

/// What stands at the start of the file: the checksum of the build, the length of each heap in bytes, and the checksum of
/// these numbers.
struct Head {
    build: u32,
    lengths: [u32; HEAPS.len()],
}

impl Head {
    const LENGTH: usize = 4 * (HEAPS.len() + 2);

    fn bytes(&self) -> Vec<u8> {
        let numbers = [self.build].into_iter().chain(self.lengths);
        let mut bytes: Vec<u8> = numbers.flat_map(u32::to_le_bytes).collect();
        bytes.extend(checksum(&bytes).to_le_bytes());
        bytes
    }

    /// `None` if the numbers do not have their checksum.
    fn parse(bytes: &[u8; Head::LENGTH]) -> Option<Head> {
        let mut numbers =
            bytes.chunks_exact(4).map(|it| u32::from_le_bytes(it.try_into().expect("four bytes")));
        let mut number = || numbers.next().expect("the head has as many");
        let head = Head { build: number(), lengths: std::array::from_fn(|_| number()) };
        (number() == checksum(&bytes[..Head::LENGTH - 4])).then_some(head)
    }

    /// Where a heap begins in the file; past the last one, where the file ends.
    fn start(&self, index: usize) -> u64 {
        let before = self.lengths[..index].iter().map(|length| (*length as usize).next_multiple_of(PAGE));
        (PAGE + before.sum::<usize>()) as u64
    }
}

/// Maps one heap. `None` if the file is not complete, or of another build. What the heap itself contains is not checked:
/// the file is replaced only as a whole, and to read all of it would take longer than to start without it.
fn open(executable: &Path, index: usize) -> std::io::Result<Option<&'static [u8]>> {
    let mut file = File::open(place(executable))?;
    let mut head = [0; Head::LENGTH];
    file.read_exact(&mut head)?;
    let Some(head) = Head::parse(&head) else { return Ok(None) };
    let is_whole = file.metadata()?.len() == head.start(HEAPS.len());
    if !is_whole || head.build != checksum_of_build(executable)? {
        return Ok(None);
    }
    map(file, head.start(index), head.lengths[index] as usize).map(Some)
}

/// A part of a file, as memory that stays as long as the process. Pages that nothing reads are not loaded.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "only the system maps files")]
fn map(file: File, start: u64, length: usize) -> std::io::Result<&'static [u8]> {
    use std::os::fd::AsRawFd;

    let start = libc::off_t::try_from(start).map_err(std::io::Error::other)?;
    // SAFETY: the system chooses the place, and the mapping outlives the descriptor.
    let mapped = unsafe {
        libc::mmap(std::ptr::null_mut(), length, libc::PROT_READ, libc::MAP_PRIVATE, file.as_raw_fd(), start)
    };
    if mapped == libc::MAP_FAILED {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the mapping has this length, and nothing removes it. Its file is replaced and not overwritten, as an
    // executable is: see `keep`.
    Ok(unsafe { std::slice::from_raw_parts(mapped.cast(), length) })
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn map(mut file: File, start: u64, length: usize) -> std::io::Result<&'static [u8]> {
    use std::io::{Seek, SeekFrom};

    file.seek(SeekFrom::Start(start))?;
    let mut heap = vec![0; length];
    file.read_exact(&mut heap)?;
    Ok(heap.leak())
}

/// Makes the heaps and writes them to the file, for isolates that are made of `config`. Returns the file's path. Needs a
/// tokio context, and that no isolate runs.
pub(crate) async fn keep(config: &Config) -> Result<PathBuf, SnapshotError> {
    if !IS_POSSIBLE {
        return Err(SnapshotError::Engine);
    }
    let executable = std::env::current_exe().map_err(SnapshotError::Executable)?;
    let path = place(&executable);
    let mut heaps = Vec::new();
    for half in HEAPS {
        heaps.push(make(half, config).await?);
    }
    // The file is replaced as a whole: servers may have it mapped, or start meanwhile.
    let draft = path.with_extension(std::process::id().to_string());
    contents(&executable, &heaps)
        .and_then(|contents| std::fs::write(&draft, contents))
        .and_then(|()| std::fs::rename(&draft, &path))
        .map_err(|source| SnapshotError::Write { path: path.clone(), source })?;
    Ok(path)
}

/// A heap in which the host's JavaScript has run, and has answered the requests of the rehearsal.
async fn make(half: Half, config: &Config) -> Result<Box<[u8]>, CoreError> {
    let (sender, events) = mpsc::channel();
    let owner = config.hub.register(move |event| {
        // The receiver lives as long as the isolate.
        let _ = sender.send(event);
    });
    let mut exchanges = Exchanges::new(owner, config.services());
    exchanges.use_stores(config.stores.clone());
    let (limits, databases) = (config.isolate.clone(), config.databases.clone());
    let isolate = Isolate::for_snapshot(half, &config.access, limits, exchanges, databases)?;
    isolate.rehearse(&events).await?;
    config.hub.unregister(owner, CloseCode::GoingAway);
    Ok(isolate.into_heap().expect("it was started for a snapshot"))
}

fn place(executable: &Path) -> PathBuf {
    let mut path = executable.as_os_str().to_owned();
    path.push(".snapshot");
    path.into()
}

/// The file: its head and the heaps, each of them filled up to a multiple of [`PAGE`].
fn contents(executable: &Path, heaps: &[Box<[u8]>]) -> std::io::Result<Vec<u8>> {
    let mut lengths = [0; HEAPS.len()];
    for (length, heap) in lengths.iter_mut().zip(heaps) {
        *length = u32::try_from(heap.len()).map_err(std::io::Error::other)?;
    }
    let mut bytes = Head { build: checksum_of_build(executable)?, lengths }.bytes();
    for heap in heaps {
        bytes.resize(bytes.len().next_multiple_of(PAGE), 0);
        bytes.extend_from_slice(heap);
    }
    bytes.resize(bytes.len().next_multiple_of(PAGE), 0);
    Ok(bytes)
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

fn checksum(bytes: &[u8]) -> u32 {
    let mut own = Crc::new();
    own.update(bytes);
    own.sum()
}
