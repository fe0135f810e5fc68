//! Rules of the repository that neither cargo nor clippy can check. A failure lists every place that breaks one.

mod dependencies;
mod error_classes;
mod files;
mod links;
mod promises;

use std::fs;
use std::path::Path;
use std::process::Command;

/// A text file of the repository.
struct Text {
    /// From the root of the repository, with `/` between folders.
    path: String,
    content: String,
}

impl Text {
    /// The lines and their numbers.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.content.lines().zip(1..).map(|(text, line)| (line, text))
    }

    /// `file:line`, as editors understand it.
    fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path)
    }
}

/// Fails with every violation, if there are any.
#[track_caller]
fn expect_none(rule: &str, violations: impl IntoIterator<Item = String>) {
    let violations: Vec<_> = violations.into_iter().collect();
    assert!(violations.is_empty(), "{rule}, but:\n  {}", violations.join("\n  "));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask/ is a folder of the repository")
}

/// The text files below these folders.
fn files_under(folders: &[&str]) -> Vec<Text> {
    let mut files = repository();
    files.retain(|file| folders.iter().any(|folder| file.path.starts_with(folder)));
    assert!(!files.is_empty(), "there is nothing in {folders:?}");
    files
}

/// Every text file that belongs to the repository.
fn repository() -> Vec<Text> {
    let paths = listed_by_git().unwrap_or_else(|| {
        let mut found = Vec::new();
        walk(root(), "", &mut found);
        found
    });
    // A file that cannot be read is no text, or it was deleted and is still in git's index.
    let read = |path: String| Some(Text { content: fs::read_to_string(root().join(&path)).ok()?, path });
    paths.into_iter().filter_map(read).collect()
}

/// The files that git tracks or would add. `None` without git, or for a copy without its history.
fn listed_by_git() -> Option<Vec<String>> {
    if !root().join(".git").exists() {
        return None;
    }
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root());
    let listed = git.output().ok().filter(|output| output.status.success())?;
    let paths = String::from_utf8(listed.stdout).ok()?;
    Some(paths.split_terminator('\0').map(str::to_owned).collect())
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        match entry.file_type().expect("the type of an entry") {
            kind if kind.is_file() => found.push(path),
            kind if kind.is_dir() && !["target", ".git", "node_modules"].contains(&&*name) => {
                walk(&entry.path(), &format!("{path}/"), found);
            }
            _ => {}
        }
    }
}
