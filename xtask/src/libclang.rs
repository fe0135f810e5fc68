//! The library libclang, which reads C headers while Node's half is built: its HTTP/2 comes from a C library.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::checkout::{Checkout, complete};
use crate::failure::{Outcome, While, fail};
use crate::machine::{Surroundings, apt_install, find_program, may_use_apt};

/// The version of the Python package that has the library.
const VERSION: &str = "18.1.1";

/// The variables with which bindgen finds the library; installs the library where it is missing and that is possible.
pub fn variables(checkout: &Checkout, on: &impl Surroundings) -> Outcome<Vec<(&'static str, OsString)>> {
    if on.variable("LIBCLANG_PATH").is_some() {
        return Ok(Vec::new());
    }
    let folder = checkout.target.join("tools").join(format!("libclang-{VERSION}"));
    let library = folder.join("clang/native");
    if !is_there(&library) {
        match Way::of(find_program("python3").is_some(), may_use_apt()) {
            Way::Pip => pip_install(&folder).or_else(|failure| match may_use_apt() {
                true => apt_install(&["libclang-dev"]),
                false => Err(failure),
            })?,
            Way::Apt => apt_install(&["libclang-dev"])?,
            Way::Advice => {
                return fail(
                    "building Node's half needs libclang, which is missing here and could not be installed:\n  \
                     Debian, Ubuntu: sudo apt-get install libclang-dev\n  \
                     elsewhere: install LLVM, or Python 3 with pip, or name the library's folder in LIBCLANG_PATH",
                );
            }
        }
    }
    if !is_there(&library) {
        // apt has installed the library where bindgen looks.
        return Ok(Vec::new());
    }
    let mut variables = vec![("LIBCLANG_PATH", OsString::from(library))];
    // The Python package has the library without the compiler's own headers.
    variables.extend(headers().map(|folder| ("BINDGEN_EXTRA_CLANG_ARGS", format!("-I{folder}").into())));
    Ok(variables)
}

/// How the library is installed.
#[derive(Debug, PartialEq)]
enum Way {
    Pip,
    Apt,
    Advice,
}

impl Way {
    fn of(has_python: bool, may_use_apt: bool) -> Way {
        match (has_python, may_use_apt) {
            (true, _) => Way::Pip,
            (false, true) => Way::Apt,
            (false, false) => Way::Advice,
        }
    }
}

fn is_there(folder: &Path) -> bool {
    ["libclang.so", "libclang.dylib", "libclang.dll"].iter().any(|name| folder.join(name).is_file())
}

/// Into the target folder: nothing is left behind on the machine, and a Python that belongs to the system allows it.
fn pip_install(folder: &Path) -> Outcome {
    eprintln!("xtask: installing libclang from PyPI into {}", folder.display());
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"]).arg(folder);
    complete(pip.arg(format!("libclang=={VERSION}")).stdout(Stdio::null()))
}

/// The folder of the C compiler's own headers, such as `stddef.h`.
fn headers() -> Option<String> {
    let output =
        Command::new("cc").arg("-print-file-name=include").output().while_doing("starting cc").ok()?;
    let folder = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    Path::new(&folder).is_dir().then_some(folder)
}

#[cfg(test)]
mod tests {
    use super::Way;

    #[test]
    fn pypi_comes_before_apt() {
        assert_eq!(Way::of(true, true), Way::Pip);
        assert_eq!(Way::of(false, true), Way::Apt);
        assert_eq!(Way::of(false, false), Way::Advice);
    }
}
