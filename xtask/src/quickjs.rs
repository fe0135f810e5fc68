//! What the QuickJS engine's build needs besides cargo: the `cmake` program and the simde headers.
//!
//! Its WebAssembly interpreter is built with CMake, which would clone the header-only library simde from GitHub;
//! a CMake toolchain file points it at installed headers instead.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::checkout::{Build, Checkout, complete, executable};
use crate::failure::{Outcome, While, fail};
use crate::machine::{apt_install, find_program, may_use_apt};

/// Cargo's flags for this engine. QuickJS asks for the imports of modules that are linked already; deno_core answers,
/// but takes it for a defect of its own where debug assertions are on.
const FLAGS: &[&str] =
    &["--no-default-features", "--features", "quickjs", "--config", "profile.dev.debug-assertions=false"];

/// Where `simde/` is looked for.
const HEADER_FOLDERS: [&str; 3] = ["/usr/include", "/usr/local/include", "/opt/homebrew/include"];

/// How cargo builds with QuickJS; installs what is missing where that is possible.
pub fn build(checkout: &Checkout) -> Outcome<Build> {
    let tools = checkout.target.join("tools");
    let mut found = Found::look(&tools);
    let mut may = May { apt: may_use_apt(), pip: find_program("python3").is_some() };
    while let Some(step) = next_step(found.missing(), may)? {
        match &step {
            Step::Apt(packages) => {
                may.apt = false;
                report(apt_install(packages));
            }
            Step::PipCmake => {
                may.pip = false;
                report(pip_install_cmake(&tools));
            }
        }
        found = Found::look(&tools);
    }
    let Found { cmake: Some(cmake), headers: Some(headers) } = found else {
        return fail("cmake and the simde headers were there a moment ago, and are not now");
    };
    Ok(Build {
        flags: FLAGS,
        variables: vec![
            ("CMAKE_TOOLCHAIN_FILE", write_toolchain(&checkout.target, headers)?.into()),
            ("PATH", path_with(&cmake)?),
        ],
    })
}

/// A step that failed is no end: the next one, or the advice, follows.
fn report(step: Outcome) {
    if let Err(failure) = step {
        eprintln!("xtask: {failure}");
    }
}

struct Found {
    cmake: Option<PathBuf>,
    headers: Option<&'static str>,
}

impl Found {
    fn look(tools: &Path) -> Self {
        let ours = tools.join("cmake/data/bin").join(executable("cmake"));
        let has_simde = |folder: &&str| Path::new(folder).join("simde/wasm/simd128.h").is_file();
        Self {
            cmake: find_program("cmake").or_else(|| ours.is_file().then_some(ours)),
            headers: HEADER_FOLDERS.into_iter().find(has_simde),
        }
    }

    fn missing(&self) -> Missing {
        Missing { cmake: self.cmake.is_none(), headers: self.headers.is_none() }
    }
}

#[derive(Clone, Copy)]
struct Missing {
    cmake: bool,
    headers: bool,
}

/// The ways to install that are open and have not been tried.
#[derive(Clone, Copy)]
struct May {
    apt: bool,
    pip: bool,
}

#[derive(Debug, PartialEq)]
enum Step {
    Apt(Vec<&'static str>),
    PipCmake,
}

/// The next step towards a complete set of tools; none when it is complete, an error when it cannot become so.
fn next_step(missing: Missing, may: May) -> Outcome<Option<Step>> {
    let packages = [(missing.cmake, "cmake"), (missing.headers, "libsimde-dev")];
    let packages: Vec<_> =
        packages.into_iter().filter(|(missing, _)| *missing).map(|(_, name)| name).collect();
    if packages.is_empty() {
        Ok(None)
    } else if may.apt {
        Ok(Some(Step::Apt(packages)))
    } else if missing.cmake && !missing.headers && may.pip {
        Ok(Some(Step::PipCmake))
    } else {
        fail(advice(&packages))
    }
}

fn advice(packages: &[&str]) -> String {
    let mut lines = vec![
        "building the QuickJS engine needs tools that are missing here and could not be installed:"
            .to_owned(),
        format!("  Debian, Ubuntu: sudo apt-get install {}", packages.join(" ")),
    ];
    if packages.contains(&"libsimde-dev") {
        lines.push(format!(
            "  elsewhere: the simde headers (simde-devel, simde) in {}",
            HEADER_FOLDERS.join(", ")
        ));
    }
    if packages.contains(&"cmake") {
        lines.push("  cmake also comes with `python3 -m pip install --user cmake`".to_owned());
    }
    lines.push("Or build with V8: name its library in RUSTY_V8_ARCHIVE (see the README).".to_owned());
    lines.join("\n")
}

/// Into the target folder: nothing is left behind on the machine, and a Python that belongs to the system allows it.
fn pip_install_cmake(tools: &Path) -> Outcome {
    eprintln!("xtask: installing cmake from PyPI into {}", tools.display());
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--upgrade", "--target"]).arg(tools).arg("cmake");
    complete(pip.stdout(Stdio::null()))
}

fn write_toolchain(target: &Path, headers: &str) -> Outcome<PathBuf> {
    let file = target.join("quickjs-toolchain.cmake");
    let text = format!("set(FETCHCONTENT_SOURCE_DIR_SIMDE {headers} CACHE PATH \"\" FORCE)\n");
    fs::write(&file, text).while_doing(format_args!("writing {}", file.display()))?;
    Ok(file)
}

/// The PATH on which cmake is found; its folder goes behind everything else, so that it shadows nothing.
fn path_with(cmake: &Path) -> Outcome<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&path).collect();
    if let Some(folder) = cmake.parent()
        && !folders.iter().any(|known| known == folder)
    {
        folders.push(folder.to_path_buf());
    }
    env::join_paths(folders).while_doing("adding cmake to the PATH")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Missing = Missing { cmake: true, headers: true };
    const CMAKE: Missing = Missing { cmake: true, headers: false };
    const NOTHING: Missing = Missing { cmake: false, headers: false };

    fn step(missing: Missing, apt: bool, pip: bool) -> Option<Step> {
        next_step(missing, May { apt, pip }).expect("a step")
    }

    #[test]
    fn nothing_missing_is_done() {
        assert_eq!(step(NOTHING, true, true), None);
    }

    #[test]
    fn apt_installs_exactly_what_is_missing() {
        assert_eq!(step(ALL, true, true), Some(Step::Apt(vec!["cmake", "libsimde-dev"])));
        assert_eq!(step(CMAKE, true, true), Some(Step::Apt(vec!["cmake"])));
    }

    #[test]
    fn without_apt_cmake_comes_from_pypi() {
        assert_eq!(step(CMAKE, false, true), Some(Step::PipCmake));
    }

    #[test]
    fn without_apt_missing_headers_end_in_advice_before_anything_is_installed() {
        let failure = next_step(ALL, May { apt: false, pip: true }).expect_err("no way").to_string();
        assert!(failure.contains("apt-get install cmake libsimde-dev"), "{failure}");
        assert!(failure.contains("pip install --user cmake"), "{failure}");
    }

    #[test]
    fn after_every_way_was_tried_advice_names_only_what_is_missing() {
        let failure = next_step(CMAKE, May { apt: false, pip: false }).expect_err("no way").to_string();
        assert!(failure.contains("apt-get install cmake\n"), "{failure}");
        assert!(!failure.contains("simde"), "{failure}");
    }
}
