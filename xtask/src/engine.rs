//! The JavaScript engine to build with: V8 where its library can be had, QuickJS everywhere else.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::bundle;
use crate::checkout::{Build, Checkout};
use crate::failure::{Outcome, fail};
use crate::libclang;
use crate::machine::{Machine, Surroundings};
use crate::quickjs;

/// An engine, and the reason for it.
#[derive(Debug, PartialEq)]
pub struct Choice {
    pub engine: Engine,
    why: String,
}

#[derive(Debug, PartialEq)]
pub enum Engine {
    /// `archive` is a file (or an address) for the v8 crate; without one it downloads the library itself.
    V8 {
        archive: Option<String>,
    },
    QuickJs,
}

/// Chooses the engine: the first of these that holds.
///
/// 1. `LIVELINE_ENGINE` names it.
/// 2. `RUSTY_V8_ARCHIVE` names V8's library.
/// 3. The library lies in a `v8/` folder in the checkout, beside it, or in `../shared/`.
/// 4. The v8 crate can download it: GitHub answers, or a proxy or a mirror is configured.
/// 5. Otherwise QuickJS.
pub fn choose(checkout: &Checkout, on: &impl Surroundings) -> Outcome<Choice> {
    let demanded = match on.variable("LIVELINE_ENGINE").as_deref() {
        Some("quickjs") => return Ok(Choice::quickjs("LIVELINE_ENGINE asks for it")),
        Some("v8") => true,
        Some(other) => return fail(format!("LIVELINE_ENGINE is `{other}`; it can be `v8` or `quickjs`")),
        None => false,
    };
    if let Some(archive) = on.variable("RUSTY_V8_ARCHIVE") {
        let archive = named_archive(archive, &checkout.caller, on)?;
        return Ok(Choice::v8(Some(archive), "RUSTY_V8_ARCHIVE names its library"));
    }
    if let Some(found) = library_nearby(&checkout.root, on)? {
        return Ok(Choice::v8(Some(found.display().to_string()), "its library was found"));
    }
    for variable in ["RUSTY_V8_MIRROR", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        if on.variable(variable).is_some() {
            return Ok(Choice::v8(
                None,
                &format!("{variable} is set, so its crate can download the library"),
            ));
        }
    }
    if demanded {
        return Ok(Choice::v8(None, "LIVELINE_ENGINE asks for it; its crate must find the library"));
    }
    if on.github_answers() {
        return Ok(Choice::v8(None, "GitHub answers, so its crate can download the library"));
    }
    Ok(Choice::quickjs("no V8 library was found and GitHub, which has it, is out of reach (see the README)"))
}

/// Checks what `RUSTY_V8_ARCHIVE` names. The crate's build runs in another folder, so a relative path becomes
/// absolute; one that is absolute stays as it is, or cargo would take it for a change.
fn named_archive(archive: String, caller: &Path, on: &impl Surroundings) -> Outcome<String> {
    if archive.starts_with("http:") || archive.starts_with("https:") {
        return Ok(archive);
    }
    let file = caller.join(&archive);
    if !on.is_file(&file) {
        return fail(format!(
            "RUSTY_V8_ARCHIVE is {archive}, and there is no such file.\n\
             Name an existing V8 library, or unset the variable to have one looked for."
        ));
    }
    Ok(file.display().to_string())
}

fn library_nearby(root: &Path, on: &impl Surroundings) -> Outcome<Option<PathBuf>> {
    let names = library_names(&on.triple()?);
    let beside = root.parent().unwrap_or(root);
    let folders = [root.join("v8"), beside.join("v8"), beside.join("shared/v8")];
    let mut files = folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name)));
    Ok(files.find(|file| on.is_file(file)))
}

/// The names of the one variant that links with deno_core: release, with simdutf, without pointer compression.
fn library_names(triple: &str) -> [String; 2] {
    let (prefix, ending) = if triple.contains("windows") { ("", "lib") } else { ("lib", "a") };
    let name = format!("{prefix}rusty_v8_simdutf_release_{triple}.{ending}");
    [format!("{name}.gz"), name]
}

impl Choice {
    fn v8(archive: Option<String>, why: &str) -> Self {
        Self { engine: Engine::V8 { archive }, why: why.to_owned() }
    }

    fn quickjs(why: &str) -> Self {
        Self { engine: Engine::QuickJs, why: why.to_owned() }
    }

    /// How cargo builds with this engine; installs what is missing for it.
    pub fn build(&self, checkout: &Checkout) -> Outcome<Build> {
        match &self.engine {
            Engine::V8 { archive } => {
                let archive = archive.iter().map(|archive| ("RUSTY_V8_ARCHIVE", archive.into()));
                let mut variables = libclang::variables(checkout, &Machine)?;
                variables.extend(archive);
                bundle::embedded(checkout)?;
                Ok(Build { flags: &[], variables })
            }
            Engine::QuickJs => quickjs::build(checkout),
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { engine, why } = self;
        match engine {
            Engine::V8 { archive: Some(archive) } => {
                write!(formatter, "engine: V8, because {why}: {archive}")
            }
            Engine::V8 { archive: None } => write!(formatter, "engine: V8, because {why}"),
            Engine::QuickJs => write!(formatter, "engine: QuickJS, because {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const LIBRARY: &str = "librusty_v8_simdutf_release_x86_64-unknown-linux-gnu.a";

    #[derive(Default)]
    struct Described {
        variables: Vec<(&'static str, &'static str)>,
        files: Vec<String>,
        online: bool,
        asked_github: Cell<bool>,
    }

    impl Surroundings for Described {
        fn variable(&self, name: &str) -> Option<String> {
            self.variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        }

        fn is_file(&self, path: &Path) -> bool {
            self.files.iter().any(|file| Path::new(file) == path)
        }

        fn github_answers(&self) -> bool {
            self.asked_github.set(true);
            self.online
        }

        fn triple(&self) -> Outcome<String> {
            Ok("x86_64-unknown-linux-gnu".to_owned())
        }
    }

    fn checkout() -> Checkout {
        Checkout {
            root: "/home/me/liveline".into(),
            target: "/t".into(),
            caller: "/home/me/here".into(),
            program: "/t/debug/xtask".into(),
        }
    }

    fn chosen(on: &Described) -> Engine {
        choose(&checkout(), on).expect("a choice").engine
    }

    fn v8(archive: impl Into<String>) -> Engine {
        Engine::V8 { archive: Some(archive.into()) }
    }

    #[test]
    fn archive_variable_relative_is_taken_from_the_callers_folder() {
        let on = Described {
            variables: vec![("RUSTY_V8_ARCHIVE", "lib.a")],
            files: vec!["/home/me/here/lib.a".into(), format!("/home/me/liveline/v8/{LIBRARY}")],
            ..Described::default()
        };
        assert_eq!(chosen(&on), v8("/home/me/here/lib.a"));
    }

    #[test]
    fn archive_variable_missing_file_is_an_error_that_names_it() {
        let on = Described {
            variables: vec![("RUSTY_V8_ARCHIVE", "/gone.a")],
            online: true,
            ..Described::default()
        };
        let failure = choose(&checkout(), &on).expect_err("no such file").to_string();
        assert!(failure.contains("RUSTY_V8_ARCHIVE is /gone.a"), "{failure}");
        assert!(!on.asked_github.get());
    }

    #[test]
    fn archive_variable_address_is_left_to_the_crate() {
        let address = "https://mirror.example/librusty_v8.a.gz";
        let on = Described { variables: vec![("RUSTY_V8_ARCHIVE", address)], ..Described::default() };
        assert_eq!(chosen(&on), v8(address));
    }

    #[test]
    fn folders_nearest_library_wins_without_asking_the_network() {
        let folders = ["/home/me/liveline/v8", "/home/me/v8", "/home/me/shared/v8"];
        for first in 0..folders.len() {
            let files = folders[first..].iter().map(|folder| format!("{folder}/{LIBRARY}.gz")).collect();
            let on = Described { files, ..Described::default() };
            assert_eq!(chosen(&on), v8(format!("{}/{LIBRARY}.gz", folders[first])));
            assert!(!on.asked_github.get());
        }
    }

    #[test]
    fn folders_unpacked_library_is_found() {
        let file = format!("/home/me/v8/{LIBRARY}");
        let on = Described { files: vec![file.clone()], ..Described::default() };
        assert_eq!(chosen(&on), v8(file));
    }

    #[test]
    fn folders_library_of_another_target_is_ignored() {
        let file = "/home/me/v8/librusty_v8_simdutf_release_aarch64-apple-darwin.a.gz";
        assert_eq!(chosen(&Described { files: vec![file.into()], ..Described::default() }), Engine::QuickJs);
    }

    #[test]
    fn network_github_decides_last() {
        let online = Described { online: true, ..Described::default() };
        assert_eq!(chosen(&online), Engine::V8 { archive: None });
        assert_eq!(chosen(&Described::default()), Engine::QuickJs);
    }

    #[test]
    fn network_proxy_is_trusted_without_asking_github() {
        let on = Described { variables: vec![("https_proxy", "http://proxy:3128")], ..Described::default() };
        assert_eq!(chosen(&on), Engine::V8 { archive: None });
        assert!(!on.asked_github.get());
    }

    #[test]
    fn demand_quickjs_beats_a_library() {
        let on = Described {
            variables: vec![("LIVELINE_ENGINE", "quickjs")],
            files: vec![format!("/home/me/v8/{LIBRARY}")],
            ..Described::default()
        };
        assert_eq!(chosen(&on), Engine::QuickJs);
    }

    #[test]
    fn demand_v8_offline_is_left_to_the_crate() {
        let on = Described { variables: vec![("LIVELINE_ENGINE", "v8")], ..Described::default() };
        assert_eq!(chosen(&on), Engine::V8 { archive: None });
    }

    #[test]
    fn demand_unknown_engine_is_an_error() {
        let on = Described { variables: vec![("LIVELINE_ENGINE", "hermes")], ..Described::default() };
        assert!(choose(&checkout(), &on).is_err());
    }

    #[test]
    fn library_names_windows_are_spelled_its_way() {
        let [packed, _] = library_names("x86_64-pc-windows-msvc");
        assert_eq!(packed, "rusty_v8_simdutf_release_x86_64-pc-windows-msvc.lib.gz");
    }
}
