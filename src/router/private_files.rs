//! Files of the folder of static files that are not served.

use std::path::Path;

use fast_glob::glob_match;

/// Patterns of paths below the folder of static files, in the order and with the meaning of lines of `.gitignore`: the
/// last one that fits a path, or a folder above it, decides.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct PrivateFiles(Vec<Pattern>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    /// The path that it fits; what is below that path is fitted as well.
    glob: String,
    /// Whether what it fits is served although an earlier pattern fits, too.
    is_exception: bool,
}

impl PrivateFiles {
    /// Adds lines.
    pub(crate) fn extend<'a>(&mut self, lines: impl Iterator<Item = &'a str>) {
        self.0.extend(lines.filter_map(Pattern::of));
    }

    /// Adds one path below the folder.
    pub(crate) fn add(&mut self, path: &Path) {
        let mut glob = String::new();
        for char in path.to_string_lossy().chars() {
            if "*?[]{}!\\".contains(char) {
                glob.push('\\');
            }
            glob.push(char);
        }
        self.0.push(Pattern { glob, is_exception: false });
    }

    /// Adds those of another list.
    pub(crate) fn append(&mut self, more: PrivateFiles) {
        self.0.extend(more.0);
    }

    /// Whether a path below the folder is not served.
    pub(crate) fn have(&self, path: &Path) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let path = path.to_string_lossy();
        let found = self.0.iter().rfind(|pattern| pattern.fits(&path));
        found.is_some_and(|pattern| !pattern.is_exception)
    }
}

impl Pattern {
    fn of(line: &str) -> Option<Pattern> {
        let line = line.trim_end();
        if line.starts_with('#') {
            return None;
        }
        let (is_exception, line) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest));
        let line = line.strip_prefix('\\').unwrap_or(line);
        // Folders and files are treated alike.
        let path = line.trim_end_matches('/');
        if path.is_empty() {
            return None;
        }
        // A pattern with a slash begins at the folder, others fit a name anywhere.
        let glob = match path.strip_prefix('/') {
            Some(path) => path.to_owned(),
            None if path.contains('/') => path.to_owned(),
            None => format!("**/{path}"),
        };
        Some(Pattern { glob, is_exception })
    }

    fn fits(&self, path: &str) -> bool {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        let mut above = ends.map(|end| &path[..end]);
        above.any(|path| glob_match(&self.glob, path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_that_fits_decides() {
        let mut private = PrivateFiles::default();
        let text = "# built\n*.map\n!keep.map\n/_worker.js\ndocs/drafts/\n\n!docs/drafts/open.txt\n\\#odd\n";
        private.extend(text.lines());
        for path in ["a.js.map", "x/b.map", "_worker.js", "_worker.js/index.js", "docs/drafts/a.txt", "#odd"]
        {
            assert!(private.have(Path::new(path)), "{path}");
        }
        let file = Path::new("[id]/a!.js");
        assert!(!private.have(file));
        private.add(file);
        assert!(private.have(file) && !private.have(Path::new("i/a!.js")));
        for path in ["a.js", "x/keep.map", "x/_worker.js", "docs/drafts/open.txt", "other/docs/drafts"] {
            assert!(!private.have(Path::new(path)), "{path}");
        }
    }
}
