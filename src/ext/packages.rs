//! Installed packages, as errors name them: what to install, what a package exports, and what to use in place of a
//! native addon.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The name of folders that hold packages.
pub(crate) const FOLDER: &str = "node_modules";

/// Whether a file is in a folder of packages.
pub(crate) fn holds(file: &Path) -> bool {
    file.iter().any(|name| name == FOLDER)
}

/// The part of a file's path below the innermost folder of packages.
pub(crate) fn inside(file: &Path) -> Option<&Path> {
    let folder = file.ancestors().find(|folder| folder.ends_with(FOLDER))?;
    file.strip_prefix(folder).ok()
}

/// The package's name: `a` of `a/b`, `@a/b` of `@a/b/c`. None for a package's import of its own files, such as `#a`.
pub(crate) fn name_of(specifier: &str) -> Option<&str> {
    let names = if specifier.starts_with('@') { 2 } else { 1 };
    let end = specifier.match_indices('/').nth(names - 1).map_or(specifier.len(), |(at, _)| at);
    let name = &specifier[..end];
    let is_name = !name.starts_with('#')
        && name.split('/').count() == names
        && name.split('/').all(|part| !matches!(part, "" | "." | ".." | "@"));
    is_name.then_some(name)
}

/// The installed package that a file belongs to: the name of the last package's folder on its path.
pub(crate) fn owner_of(file: &Path) -> Option<String> {
    let names: Vec<_> = file.iter().map(|name| name.to_string_lossy()).collect();
    let at = names.iter().rposition(|name| name == FOLDER)?;
    let first = names.get(at + 1)?;
    let second = names.get(at + 2).filter(|_| first.starts_with('@'));
    Some(second.map_or_else(|| first.to_string(), |second| format!("{first}/{second}")))
}

/// The folder in which a file finds a package.
pub(crate) fn folder_for(name: &str, importer: &Path) -> Option<PathBuf> {
    let above = importer.ancestors().skip(1).filter(|folder| !folder.ends_with(FOLDER));
    above.map(|folder| folder.join(FOLDER).join(name)).find(|folder| folder.is_dir())
}

/// The version of a package that a file in `folder` finds, as its `package.json` states it.
pub(crate) fn version_of(name: &str, folder: &Path) -> Option<String> {
    // Any file of that folder finds the same.
    let manifest = manifest_in(&folder_for(name, &folder.join("package.json"))?)?;
    Some(manifest["version"].as_str().unwrap_or("without a version").to_owned())
}

/// Why a file does not find a package or a file of it, and what to do about it: two sentences' halves.
pub(crate) fn missing(specifier: &str, importer: &Path) -> Option<(String, Option<String>)> {
    let name = name_of(specifier)?;
    match folder_for(name, importer) {
        Some(folder) => Some(missing_file(name, &folder)),
        None => Some(("no such package in node_modules".to_owned(), help_to_install(name, importer))),
    }
}

/// The package is there, and the file is not.
fn missing_file(name: &str, folder: &Path) -> (String, Option<String>) {
    let exported = exports(folder, name);
    if !exported.is_empty() {
        return (format!("{name} does not export that"), Some(listed(&exported)));
    }
    let is_empty = !folder.join("package.json").is_file();
    let help = is_empty.then(|| format!("{} has no package.json: run `npm install`", folder.display()));
    (format!("{name} has no such file"), help)
}

/// Node's modules, without the prefix `node:`.
pub(crate) const OF_NODE: [&str; 48] = [
    "assert",
    "assert/strict",
    "async_hooks",
    "buffer",
    "child_process",
    "cluster",
    "console",
    "constants",
    "crypto",
    "dgram",
    "diagnostics_channel",
    "dns",
    "dns/promises",
    "domain",
    "events",
    "fs",
    "fs/promises",
    "http",
    "http2",
    "https",
    "inspector",
    "module",
    "net",
    "os",
    "path",
    "path/posix",
    "path/win32",
    "perf_hooks",
    "process",
    "punycode",
    "querystring",
    "readline",
    "readline/promises",
    "repl",
    "sqlite",
    "stream",
    "stream/consumers",
    "stream/promises",
    "stream/web",
    "string_decoder",
    "timers",
    "timers/promises",
    "tls",
    "tty",
    "url",
    "util",
    "worker_threads",
    "zlib",
];

/// How to install a package that a file imports.
fn help_to_install(name: &str, importer: &Path) -> Option<String> {
    let is_valid = |part: &str| {
        part.chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.' | '~'))
    };
    if name == ".prisma" {
        return Some("run `npx prisma generate`, which writes the client into node_modules".to_owned());
    }
    if name.starts_with(['.', '_']) || !name.trim_start_matches('@').split('/').all(is_valid) {
        return None;
    }
    let manifest = importer.ancestors().skip(1).find_map(manifest_in);
    let manifest = manifest.unwrap_or_default();
    let in_list = |list: &str| manifest[list].get(name).and_then(Value::as_str);
    let is_there = in_list("dependencies").or_else(|| in_list("optionalDependencies"));
    let Some(owner) = owner_of(importer) else {
        let is_listed =
            is_there.or_else(|| in_list("devDependencies")).or_else(|| in_list("peerDependencies"));
        return Some(match is_listed {
            Some(_) => format!("package.json lists {name}: run `npm install`"),
            None => format!("run `npm install {name}`"),
        });
    };
    Some(if let Some(range) = in_list("peerDependencies") {
        let is_optional = manifest["peerDependenciesMeta"][name]["optional"] == true;
        let kind = if is_optional { "an optional peer" } else { "a peer" };
        let version = simple(range).map(|range| format!("@{range}")).unwrap_or_default();
        format!("{owner} needs {name}, {kind} of it: run `npm install {name}{version}`")
    } else if is_there.is_some() {
        format!("{owner} depends on {name}, which is not installed: run `npm install`")
    } else {
        format!("{owner} requires {name}, which its package.json does not list: run `npm install {name}`")
    })
}

/// A range of versions that a command line takes as it is, such as `^3.1`.
fn simple(range: &str) -> Option<&str> {
    let digits = range.trim_start_matches(['^', '~']);
    let is_simple = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    is_simple.then_some(range)
}

fn manifest_in(folder: &Path) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(folder.join("package.json")).ok()?).ok()
}

/// What a package in a folder exports, as specifiers. Empty where its `package.json` does not limit that.
pub(crate) fn exports(folder: &Path, name: &str) -> Vec<String> {
    let manifest = manifest_in(folder).unwrap_or_default();
    match &manifest["exports"] {
        Value::Null => Vec::new(),
        Value::Object(paths) if paths.keys().any(|path| path.starts_with('.')) => {
            let paths = paths.iter().filter(|(_, target)| !target.is_null());
            paths.map(|(path, _)| format!("{name}{}", path.trim_start_matches('.'))).collect()
        }
        _ => vec![name.to_owned()],
    }
}

/// A help that lists what a package exports.
pub(crate) fn listed(exported: &[String]) -> String {
    const SHOWN: usize = 12;
    let more = if exported.len() > SHOWN { ", ..." } else { "" };
    let shown: Vec<_> = exported.iter().take(SHOWN).map(|name| format!("\"{name}\"")).collect();
    format!("it exports {}{more}", shown.join(", "))
}

/// Native addons, and what to use instead.
const ADDONS: [(&str, &str); 12] = [
    ("better-sqlite3", "import liveline:sql"),
    ("sqlite3", "import liveline:sql"),
    ("sharp", "use a package that is compiled to WebAssembly, such as @jsquash/resize"),
    ("bcrypt", "import liveline:password, or install bcryptjs"),
    ("argon2", "import liveline:password"),
    ("@node-rs/argon2", "import liveline:password"),
    ("@node-rs/bcrypt", "import liveline:password, or install bcryptjs"),
    ("canvas", "use a package that is compiled to WebAssembly, such as @resvg/resvg-wasm"),
    ("@napi-rs/canvas", "use a package that is compiled to WebAssembly, such as @resvg/resvg-wasm"),
    ("@resvg/resvg-js", "install @resvg/resvg-wasm"),
    ("pg-native", "install pg without pg-native"),
    ("lmdb", "import liveline:sql"),
];

/// Packages that parts of a package with an addon are in.
const PARTS: [(&str, &str); 2] = [("@img/", "sharp"), ("@lmdb/", "lmdb")];

/// Why a native addon is not loaded, and what to use instead.
pub(crate) fn addon_refusal(file: &Path) -> String {
    let package = owner_of(file).unwrap_or_else(|| file.display().to_string());
    let part = PARTS.iter().find(|(start, _)| package.starts_with(start));
    let package = part.map_or(package, |(_, whole)| (*whole).to_owned());
    let instead =
        ADDONS.iter().find(|(name, _)| package == *name || package.starts_with(&format!("{name}-")));
    let instead = instead.map_or("use a package in JavaScript or WebAssembly", |(_, instead)| instead);
    let file = file.display();
    format!("{package} is a native addon ({file}), and handlers cannot load machine code; {instead}")
}

/// The help for an error of a package whose addon was not built or is not found, thrown in one of these files.
pub(crate) fn addon_help<'f>(message: &str, files: impl Iterator<Item = &'f Path>) -> Option<String> {
    const SIGNS: [&str; 6] = [
        "Could not locate the bindings file",
        "Could not find module root given file",
        "No native build was found",
        "Could not load the \"sharp\" module",
        "Cannot find native binding",
        ".node'",
    ];
    if message.contains("is a native addon") || !SIGNS.iter().any(|sign| message.contains(sign)) {
        return None;
    }
    // Helpers that look for addons are not what was asked for.
    let helpers = ["bindings", "node-gyp-build", "node-gyp-build-optional-packages", "prebuild-install"];
    let mut owners = files.filter_map(owner_of).filter(|owner| !helpers.contains(&owner.as_str()));
    let package = owners.next()?;
    let instead = ADDONS.iter().find(|(name, _)| package == *name);
    let instead = instead.map_or("use a package in JavaScript or WebAssembly", |(_, instead)| instead);
    Some(format!("{package} needs a native addon, and handlers cannot load machine code; {instead}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_of_takes_the_name_alone() {
        let names =
            ["a", "a/b.js", "@a/b", "@a/b/c/d.js", "#a", "..", "@a/../../b", "@/a", "@a"].map(name_of);
        let b = Some("@a/b");
        assert_eq!(names, [Some("a"), Some("a"), b, b, None, None, None, None, None]);
    }

    #[test]
    fn owner_of_is_the_innermost_package() {
        let owner = |path: &str| owner_of(Path::new(path));
        assert_eq!(owner("/a/node_modules/b/lib/c.js").as_deref(), Some("b"));
        assert_eq!(owner("/a/node_modules/b/node_modules/@c/d/e.js").as_deref(), Some("@c/d"));
        assert_eq!(owner("/a/b.js"), None);
    }

    #[test]
    fn addons_have_an_alternative() {
        let refusal = |path: &str| addon_refusal(Path::new(path));
        assert!(refusal("/node_modules/better-sqlite3/build/a.node").contains("liveline:sql"));
        let sharp = refusal("/node_modules/@img/sharp-linux-x64/lib/sharp-linux-x64.node");
        assert!(sharp.starts_with("sharp is a native addon"), "{sharp}");
        assert!(refusal("/node_modules/other/a.node").contains("WebAssembly"));
    }
}
