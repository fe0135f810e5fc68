//! Maps places in scripts of browsers back to the author's files.

use std::path::{Component, Path, PathBuf};

use percent_encoding::percent_decode_str;
use sourcemap::SourceMap;

/// A file with a line and a column, both from 1.
pub(crate) type Origin = (PathBuf, usize, usize);

/// The file from which a script was made.
pub(crate) struct Source {
    /// The file that the script was made of.
    pub file: PathBuf,
    /// The source map; `None` if the script is the file's own text.
    pub map: Option<Vec<u8>>,
}

impl Source {
    /// The place in the file for a place in the script.
    pub(crate) fn origin_of(&self, line: usize, column: usize) -> Origin {
        let mapped = self.map.as_deref().and_then(|map| mapped(map, line, column));
        let (line, column) = mapped.map_or((line, column), |(_, line, column)| (line, column));
        (self.file.clone(), line, column)
    }
}

/// The place for one in a file of `public/`, which is named by the path of its URL. If the file
/// names a source map that exists, the place is in the file that the map names.
pub(crate) fn origin_in(public: &Path, path: &str, line: usize, column: usize) -> Option<Origin> {
    let path = percent_decode_str(path.split(['?', '#']).next()?).decode_utf8().ok()?;
    let path = Path::new(path.trim_start_matches('/'));
    let is_plain = path
        .components()
        .all(|it| matches!(it, Component::Normal(name) if !name.as_encoded_bytes().starts_with(b".")));
    let file = public.join(path).canonicalize().ok().filter(|file| is_plain && file.starts_with(public))?;
    let file = if file.is_dir() { file.join("index.html") } else { file };
    let text = std::fs::read_to_string(&file).ok()?;
    let made_of = made_of(&text, &file, line, column);
    Some(made_of.unwrap_or((file, line, column)))
}

fn made_of(text: &str, file: &Path, line: usize, column: usize) -> Option<Origin> {
    let (_, map) = text.rsplit_once("sourceMappingURL=")?;
    let map = file.parent()?.join(map.split_whitespace().next()?);
    let (source, line, column) = mapped(&std::fs::read(&map).ok()?, line, column)?;
    let source = map.parent()?.join(source).canonicalize().ok()?;
    source.is_file().then_some((source, line, column))
}

/// The entry of a source map for a place: the name of the source, its line and its column.
fn mapped(map: &[u8], line: usize, column: usize) -> Option<(String, usize, usize)> {
    let map = SourceMap::from_slice(map).ok()?;
    let number = |from_one: usize| u32::try_from(from_one.checked_sub(1)?).ok();
    let token = map.lookup_token(number(line)?, number(column)?)?;
    let source = token.get_source()?.to_owned();
    Some((source, token.get_src_line() as usize + 1, token.get_src_col() as usize + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_public_leads_to_what_it_was_made_of() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("its path");
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        };
        let public = root.join("public");
        write("public/plain.js", "a\nb\n");
        write("src/in.ts", "x\ny\nz\n");
        write("public/made.js", "a;\n//# sourceMappingURL=made.js.map\n");
        // The first column of the first line is the second line's third column.
        write(
            "public/made.js.map",
            r#"{"version":3,"sources":["../src/in.ts"],"names":[],"mappings":"AACE"}"#,
        );

        assert_eq!(origin_in(&public, "/plain.js?x", 2, 1), Some((public.join("plain.js"), 2, 1)));
        assert_eq!(origin_in(&public, "/made.js", 1, 1), Some((root.join("src/in.ts"), 2, 3)));
        assert_eq!(origin_in(&public, "/../src/in.ts", 1, 1), None);
        assert_eq!(origin_in(&public, "/%2e%2e/src/in.ts", 1, 1), None);
        assert_eq!(origin_in(&public, "/none.js", 1, 1), None);
    }
}
