//! The files of `functions/`, whose paths are routes: `functions/api/[room].js` answers `/api/:room`.

use std::fs;
use std::path::{Path, PathBuf};

use liveline_compiler::facts::EXTENSIONS;
use liveline_compiler::shape::{DefaultExport, Shape};
use serde_json::{Value as Json, json};

/// A file of `functions/` that answers requests, or stands before others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Function {
    pub file: PathBuf,
    /// The segments of its route.
    pub segments: Vec<Segment>,
    /// It is `_middleware.js`, which runs before the functions of its folder and below.
    pub is_middleware: bool,
    /// How sure the dialect is.
    pub score: u32,
}

/// A segment of a function's route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    Literal(String),
    /// `[name]`: any one segment.
    One(String),
    /// `[[name]]`, at the end: any number of segments.
    Rest(String),
}

/// Every function below a folder, names in order.
pub(super) fn read(folder: &Path) -> Vec<Function> {
    let mut found = Vec::new();
    walk(folder, &mut Vec::new(), &mut found);
    found
}

fn walk(folder: &Path, segments: &mut Vec<Segment>, found: &mut Vec<Function>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if name.starts_with('.') || name == "node_modules" {
            continue;
        }
        if path.is_dir() {
            segments.push(segment_of(name));
            walk(&path, segments, found);
            segments.pop();
        } else if let Some(stem) = stem_of(name) {
            let Some(score) = score(&path) else { continue };
            let mut own = segments.clone();
            let is_middleware = stem == "_middleware";
            if !is_middleware && stem != "index" {
                own.push(segment_of(stem));
            }
            found.push(Function { file: path, segments: own, is_middleware, score });
        }
    }
}

/// The name of a module's file without its extension; `None` for other files, and for declarations of types.
pub(super) fn stem_of(name: &str) -> Option<&str> {
    let (stem, extension) = name.rsplit_once('.')?;
    (EXTENSIONS.contains(&extension) && !stem.ends_with(".d")).then_some(stem)
}

fn segment_of(name: &str) -> Segment {
    let inside = |open: &str, close: &str| {
        name.strip_prefix(open).and_then(|rest| rest.strip_suffix(close)).map(str::to_owned)
    };
    match (inside("[[", "]]"), inside("[", "]")) {
        (Some(name), _) => Segment::Rest(name),
        (None, Some(name)) => Segment::One(name),
        (None, None) => Segment::Literal(name.to_owned()),
    }
}

/// The sum of the evidence that a file of `functions/` is a function; `None` if it answers nothing.
fn score(file: &Path) -> Option<u32> {
    /// The folder.
    const FOLDER: u32 = 20;
    let source = fs::read_to_string(file).ok()?;
    // A file that cannot be parsed is claimed, so that its error is shown.
    let Some(shape) = Shape::of(file, &source) else { return Some(FOLDER) };
    let has_methods = shape.exports.iter().any(|name| method_of(name).is_some());
    // CommonJS has no exports that the shape shows.
    let answers = shape.default.is_some() || has_methods || source.contains("module.exports");
    answers.then(|| FOLDER + evidence(&shape) + if has_methods { 60 } else { 0 })
}

/// The evidence in a module that it is one of a Worker's.
pub(super) fn evidence(shape: &Shape) -> u32 {
    let imports = |prefix: &str| shape.imports.iter().any(|specifier| specifier.starts_with(prefix));
    let is_request = |name: &String| ["request", "req"].contains(&name.as_str());
    let is_context = |name: &String| ["", "context", "env", "ctx"].contains(&name.as_str());
    let takes_request = shape.parameters().is_some_and(|names| match names {
        [first] => is_request(first),
        [first, second] => is_request(first) && is_context(second),
        _ => false,
    });
    let of_entrypoint =
        matches!(&shape.default, Some(DefaultExport::Class(Some(name))) if name == "WorkerEntrypoint");
    let evidence = [
        (50, imports("cloudflare:") || imports("rwsdk")),
        (40, shape.globals.contains("WebSocketPair")),
        (60, shape.default_has("fetch") || of_entrypoint),
        (30, takes_request),
    ];
    evidence.iter().filter(|(_, is_there)| *is_there).map(|(score, _)| score).sum()
}

/// The method that an export of Pages answers: `onRequest` all of them, as `*`.
pub(super) fn method_of(export: &str) -> Option<&'static str> {
    const METHODS: [(&str, &str); 8] = [
        ("", "*"),
        ("Get", "GET"),
        ("Post", "POST"),
        ("Put", "PUT"),
        ("Patch", "PATCH"),
        ("Delete", "DELETE"),
        ("Options", "OPTIONS"),
        ("Head", "HEAD"),
    ];
    let name = export.strip_prefix("onRequest")?;
    METHODS.iter().find(|(suffix, _)| *suffix == name).map(|(_, method)| *method)
}

impl Function {
    /// The route as people write it: `/api/:room`, `/files/:path*`.
    pub(super) fn pattern(&self) -> String {
        let mut pattern: String =
            self.segments.iter().map(|segment| format!("/{}", segment.shown())).collect();
        if self.is_middleware {
            pattern.push_str("/*");
        }
        if pattern.is_empty() { "/".to_owned() } else { pattern }
    }

    /// For the JavaScript half.
    pub(super) fn json(&self) -> Json {
        let segments: Vec<Json> = self.segments.iter().map(Segment::json).collect();
        json!({
            "part": if self.is_middleware { "middleware" } else { "function" },
            "file": self.file,
            "pattern": self.pattern(),
            "segments": segments,
        })
    }
}

impl Segment {
    fn shown(&self) -> String {
        match self {
            Segment::Literal(name) => name.clone(),
            Segment::One(name) => format!(":{name}"),
            Segment::Rest(name) => format!(":{name}*"),
        }
    }

    fn json(&self) -> Json {
        match self {
            Segment::Literal(name) => json!({ "literal": name }),
            Segment::One(name) => json!({ "one": name }),
            Segment::Rest(name) => json!({ "rest": name }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_routes() {
        let dir = tempfile::tempdir().unwrap();
        for file in [
            "index.js",
            "api/chat.js",
            "api/[room].ts",
            "files/[[path]].js",
            "_middleware.js",
            "api/_middleware.ts",
            "api/types.d.ts",
            ".hidden.js",
            "notes.md",
        ] {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "export const onRequest = () => new Response('')").unwrap();
        }
        fs::write(dir.path().join("api/helper.js"), "export const help = 1").unwrap();
        let found: Vec<_> = read(dir.path()).iter().map(Function::pattern).collect();
        assert_eq!(found, ["/*", "/api/:room", "/api/*", "/api/chat", "/files/:path*", "/"]);
    }

    #[test]
    fn evidence_adds_up() {
        let of = |source: &str| evidence(&Shape::of(Path::new("/a.js"), source).unwrap());
        assert_eq!(of("export default (request, context) => new WebSocketPair()"), 70);
        assert_eq!(of("export default async (req) => 1"), 30);
        assert_eq!(of("export default { fetch(request, env, ctx) {} }"), 60);
        assert_eq!(of("import { DurableObject } from 'cloudflare:workers'; export class A {}"), 50);
        assert_eq!(of("export default (request, response) => 1"), 0);
        assert_eq!(of("export default (event) => 1"), 0);
    }
}
