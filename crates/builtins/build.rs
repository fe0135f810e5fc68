//! Compiles the scripts of Deno's crates and writes a table of them that `src/lib.rs` includes.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use liveline_compiler::builtin;

/// Crates whose scripts the host loads.
const WEB: [&str; 3] = ["deno_fetch", "deno_web", "deno_webidl"];

/// Crates whose scripts Node's half loads.
const NODE: [&str; 11] = [
    "deno_crypto",
    "deno_fs",
    "deno_http",
    "deno_io",
    "deno_net",
    "deno_node",
    "deno_os",
    "deno_process",
    "deno_telemetry",
    "deno_tls",
    "deno_websocket",
];

/// Changes of the scripts: the end of the script's path, the text to replace, and its replacement.
const CHANGES: [(&str, &str, &str); 2] = [
    // A handler is no page, so what is relative needs a base, and the error has to say which.
    (
        "deno_web/00_url.js",
        "maybeBase ? ` with base '${maybeBase}'` : \"\"",
        "maybeBase ? ` with base '${maybeBase}'` : adviceFor(href)",
    ),
    (
        "deno_web/00_url.js",
        "function getSerialization(",
        r##"function adviceFor(href) {
  if (href === "" || href === "undefined" || href === "null") return "";
  for (let i = 0; i < href.length; i++) {
    if (href[i] === ":") return "";
    if (href[i] === "/" || href[i] === "?" || href[i] === "#") break;
  }
  return " is relative, and a handler has no address of its own: " +
    `write new URL('${href}', event.url), or use the fetch() that handlers get as their third argument`;
}

function getSerialization("##,
    ),
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../../Cargo.lock");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let mut crates: Vec<&str> = WEB.into();
    if env::var_os("CARGO_FEATURE_NODE").is_some() {
        crates.extend(NODE);
    }
    let folders = crate_folders(&crates, &out);
    let changes = changes(&folders);
    let mut scripts: Vec<(String, String)> = Vec::new();
    let mut changed = 0;
    for Crate { name, folder } in &folders {
        for file in scripts_below(folder) {
            let path = file.to_str().expect("cargo's folders have plain names");
            let inner = file.strip_prefix(folder).expect("the file is in the crate").display();
            let key = format!("{name}/{inner}");
            let mut source = fs::read_to_string(&file).expect("a readable script");
            for (_, text, replacement) in changes.iter().filter(|(changed, ..)| *changed == key) {
                assert_eq!(source.matches(text).count(), 1, "{key} has exactly one {text}");
                source = source.replacen(*text, replacement, 1);
                changed += 1;
            }
            let source = builtin::compile(&key, source).unwrap_or_else(|error| panic!("{key}: {error}"));
            scripts.push((path.to_owned(), source));
        }
    }
    assert_eq!(changed, changes.len(), "every change found its script");
    // The table is searched by bisection.
    scripts.sort();

    let mut table = String::from("static FILES: &[(&str, &str)] = &[\n");
    for (number, (path, source)) in scripts.iter().enumerate() {
        let file = out.join(format!("script_{number}.js"));
        fs::write(&file, source).expect("OUT_DIR is writable");
        writeln!(table, "    ({path:?}, include_str!({file:?})),").expect("writing to a string");
    }
    let mut hasher = DefaultHasher::new();
    scripts.hash(&mut hasher);
    table.push_str("];\n\n/// A checksum of all files. It differs when a file differs.\n");
    writeln!(table, "pub const CHECKSUM: u64 = {};", hasher.finish()).expect("writing to a string");
    fs::write(out.join("files.rs"), table).expect("OUT_DIR is writable");
}

/// [`CHANGES`], and the version of Node that deno_node says it is.
fn changes(folders: &[Crate]) -> Vec<(&'static str, &'static str, String)> {
    let mut changes: Vec<_> = CHANGES.iter().map(|(key, from, to)| (*key, *from, (*to).to_owned())).collect();
    if let Some(node) = folders.iter().find(|krate| krate.name == "deno_node") {
        let source = fs::read_to_string(node.folder.join("lib.rs")).expect("the crate has a lib.rs");
        let version = source
            .split_once("pub const NODE_VERSION: &str = \"")
            .and_then(|(_, rest)| rest.split_once('"'))
            .expect("deno_node names its version of Node");
        let process = "deno_node/polyfills/_process/process.ts";
        changes.push((process, "\"__NODE_VERSION__\"", format!("\"{}\"", version.0)));
    }
    changes
}

struct Crate {
    name: String,
    folder: PathBuf,
}

/// Where cargo has put the sources of crates.
///
/// Only cargo knows: they come from its registry cache, a vendored folder or a mirror. It is asked about a package
/// that depends on these crates alone, at the locked versions. Asked about the workspace, it would want the sources of
/// the tests' dependencies as well, which `cargo build` does not download.
fn crate_folders(crates: &[&str], out: &Path) -> Vec<Crate> {
    let package = out.join("crates");
    fs::create_dir_all(&package).expect("OUT_DIR is writable");
    let lock = fs::read_to_string("../../Cargo.lock").expect("the checkout has a Cargo.lock");
    fs::write(package.join("Cargo.toml"), manifest(crates, &lock)).expect("OUT_DIR is writable");
    fs::write(package.join("Cargo.lock"), lock).expect("OUT_DIR is writable");

    let cargo = env::var_os("CARGO").expect("cargo sets CARGO");
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--offline"])
        // Crates of other platforms need not be there.
        .args(["--filter-platform", &env::var("TARGET").expect("cargo sets TARGET")])
        .arg("--manifest-path")
        .arg(package.join("Cargo.toml"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("metadata lists packages");
    let folders = packages.iter().filter_map(|package| {
        let name = package["name"].as_str().filter(|name| crates.contains(name))?.to_owned();
        let folder = Path::new(package["manifest_path"].as_str()?).parent()?.to_owned();
        Some(Crate { name, folder })
    });
    folders.collect()
}

/// The manifest of a package that depends on crates, each at the version in `lock`.
fn manifest(crates: &[&str], lock: &str) -> String {
    // A workspace of its own: the target folder may lie in another.
    let mut manifest = String::from(
        "[package]\nname = \"crates\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
         [lib]\npath = \"none.rs\"\n[workspace]\n[dependencies]\n",
    );
    for name in crates {
        let version = lock
            .split_once(&format!("name = \"{name}\"\nversion = \""))
            .and_then(|(_, rest)| rest.split_once('"'))
            .map(|(version, _)| version)
            .unwrap_or_else(|| panic!("Cargo.lock has {name}"));
        writeln!(manifest, "{name} = \"={version}\"").expect("writing to a string");
    }
    manifest
}

/// The scripts in a folder and below, without those that no extension lists.
fn scripts_below(folder: &Path) -> Vec<PathBuf> {
    const TESTS: [&str; 5] = ["autobahn", "benches", "target", "testdata", "tests"];
    let mut scripts = Vec::new();
    for entry in fs::read_dir(folder).expect("cargo unpacked the crate") {
        let path = entry.expect("a readable folder").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !TESTS.contains(&name) {
                scripts.extend(scripts_below(&path));
            }
        } else if !name.ends_with(".d.ts") && [".js", ".mjs", ".ts"].iter().any(|it| name.ends_with(it)) {
            scripts.push(path);
        }
    }
    scripts
}
