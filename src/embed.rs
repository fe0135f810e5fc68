//! Files of the repository that are part of the executable.

/// A slice with one item for each of the listed files of a folder: `$item!(name, path)`, where `path` is what
/// `include_str!` takes.
macro_rules! embed {
    ($item:ident, $folder:literal, [$($file:literal),* $(,)?]) => {
        &[$($item!($file, concat!(env!("CARGO_MANIFEST_DIR"), "/", $folder, "/", $file))),*]
    };
}

/// An item of [`embed!`]: the file's name and its text.
macro_rules! named_text {
    ($file:literal, $path:expr) => {
        ($file, include_str!($path))
    };
}
