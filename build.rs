//! Embeds the JavaScript halves of Deno's web crates into the binary.
//!
//! `deno_core::extension!` records the paths of such files instead of their text, so a binary without a startup
//! snapshot would read them from cargo's registry at run time. This writes a table of their sources that
//! `src/isolate/embedded.rs` includes. No JavaScript engine is needed to build it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Crates whose scripts the host loads, with the prefix of their specifiers.
const CRATES: [&str; 3] = ["deno_fetch", "deno_web", "deno_webidl"];

/// Scripts that those crates ask for in crates that the host leaves out. Client certificates are what is missing.
const STAND_INS: [(&str, &str); 1] = [(
    "ext:deno_net/02_tls.js",
    "\"use strict\"; return ({ loadTlsKeyPair() { throw new TypeError(\"Client certificates are not supported.\"); } });",
)];

/// What the scripts say in other words here: the script, what stands there, and what is to stand there. A handler is no
/// page, so what is relative needs a base, and the error has to say which.
const WORDINGS: [(&str, &str, &str); 2] = [
    (
        "ext:deno_web/00_url.js",
        "        (maybeBase ? ` with base '${maybeBase}'` : \"\"),",
        "        (maybeBase ? ` with base '${maybeBase}'` : adviceFor(href)),",
    ),
    (
        "ext:deno_web/00_url.js",
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
    println!("cargo:rerun-if-changed=Cargo.lock");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let mut scripts: Vec<(String, String)> = crate_folders(&out).into_iter().flat_map(scripts_of).collect();
    scripts.extend(STAND_INS.map(|(specifier, body)| (specifier.to_owned(), body.to_owned())));
    for (specifier, words, others) in WORDINGS {
        let script =
            scripts.iter_mut().find(|(name, _)| name == specifier).expect("the crate has the script");
        assert_eq!(script.1.matches(words).count(), 1, "{specifier} has other words than {words}");
        script.1 = script.1.replacen(words, others, 1);
    }
    // The table is searched by bisection.
    scripts.sort();

    let mut table = String::from("pub(super) static SCRIPTS: &[(&str, &str)] = &[\n");
    for (number, (specifier, body)) in scripts.iter().enumerate() {
        let file = out.join(format!("script_{number}.js"));
        fs::write(&file, body).expect("OUT_DIR is writable");
        writeln!(table, "    ({specifier:?}, include_str!({file:?})),").expect("writing to a string");
    }
    table.push_str("];\n");
    fs::write(out.join("scripts.rs"), table).expect("OUT_DIR is writable");
}

/// Where cargo has put the sources of [`CRATES`].
///
/// Only cargo knows: they come from its registry cache, a vendored folder or a mirror. It is asked about a package
/// that depends on these crates alone, at the locked versions. Asked about this package, it would want the sources of
/// the tests' dependencies as well, which `cargo build` does not download.
fn crate_folders(out: &Path) -> Vec<(String, PathBuf)> {
    let package = out.join("crates");
    fs::create_dir_all(&package).expect("OUT_DIR is writable");
    let lock = fs::read_to_string("Cargo.lock").expect("the checkout has a Cargo.lock");
    fs::write(package.join("Cargo.toml"), manifest(&lock)).expect("OUT_DIR is writable");
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
        let name = package["name"].as_str()?;
        let folder = Path::new(package["manifest_path"].as_str()?).parent()?;
        CRATES.contains(&name).then(|| (name.to_owned(), folder.to_owned()))
    });
    folders.collect()
}

/// The manifest of a package that depends on [`CRATES`], each at the version in `lock`.
fn manifest(lock: &str) -> String {
    // A workspace of its own: the target folder may lie in another.
    let mut manifest = String::from(
        "[package]\nname = \"crates\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
         [lib]\npath = \"none.rs\"\n[workspace]\n[dependencies]\n",
    );
    for name in CRATES {
        let version = lock
            .split_once(&format!("name = \"{name}\"\nversion = \""))
            .and_then(|(_, rest)| rest.split_once('"'))
            .map(|(version, _)| version)
            .expect("Cargo.lock has the crate");
        writeln!(manifest, "{name} = \"={version}\"").expect("writing to a string");
    }
    manifest
}

/// The crate's classic scripts. Each is one parenthesised expression; its few ES modules (locks, WebTransport) are not
/// ours to load.
fn scripts_of((name, folder): (String, PathBuf)) -> Vec<(String, String)> {
    let entries = fs::read_dir(&folder).expect("cargo unpacked the crate");
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    let scripts = paths.filter(|path| path.extension().is_some_and(|extension| extension == "js"));
    let scripts = scripts.filter_map(|path| {
        let source = fs::read_to_string(&path).expect("a readable script");
        assert!(source.is_ascii(), "{} must be ASCII to be shared with the engine", path.display());
        let file = path.file_name().expect("a listed file has a name").to_string_lossy();
        Some((format!("ext:{name}/{file}"), as_function_body(&source)?))
    });
    scripts.collect()
}

/// The script as deno_core evaluates it: a function body that returns the script's one expression.
fn as_function_body(source: &str) -> Option<String> {
    let start = if source.starts_with("(function") { 0 } else { source.find("\n(function")? + 1 };
    let expression = source[start..].trim_end_matches(|c: char| c.is_whitespace() || c == ';');
    Some(format!("\"use strict\"; return ({expression});"))
}
