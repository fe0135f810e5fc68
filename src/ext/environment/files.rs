//! The files that define environment variables.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deno_dotenv::parse_env_content_with_substitution_hook;
use sys_traits::BaseEnvVar;

use super::Variables;
use crate::ext::Mode;
use crate::ext::permissions::List;
use liveline_compiler::Diagnostic;

/// The variable that names the mode to packages of Node.
const NODE_ENV: &str = "NODE_ENV";

/// Where the variables of handlers come from.
#[derive(Debug, Clone)]
pub(crate) struct EnvironmentFiles {
    /// The variables of the process, which win over every file.
    process: Variables,
    /// The files of the project, of which any may be missing; later ones win over earlier ones.
    project: Vec<PathBuf>,
    /// The files that the command line names, which win over those of the project.
    named: Vec<PathBuf>,
    mode: &'static str,
    /// Variables that handlers do not see.
    hidden: List,
}

impl EnvironmentFiles {
    pub(crate) fn new(project: &Path, mode: Mode, named: Vec<PathBuf>, hidden: List) -> EnvironmentFiles {
        let mode = if mode == Mode::Development { "development" } else { "production" };
        let names = [".env", &format!(".env.{mode}"), ".env.local", &format!(".env.{mode}.local")];
        let variables = std::env::vars_os();
        let process =
            variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        EnvironmentFiles {
            process: Arc::new(process.collect()),
            project: names.iter().map(|name| project.join(name)).collect(),
            named,
            mode,
            hidden,
        }
    }

    /// All the files, whether they exist or not.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.project.iter().chain(&self.named)
    }

    /// Reads the files. Fails with each line that defines no variable, and each named file that cannot be read. No
    /// message has a value.
    pub(crate) fn read(&self) -> Result<Variables, Vec<Diagnostic>> {
        let (mut variables, mut problems) = (BTreeMap::new(), Vec::new());
        for path in self.paths() {
            let is_optional = self.project.contains(path);
            match std::fs::read_to_string(path) {
                Ok(text) => match malformed(&text) {
                    None => extend(&mut variables, &self.process, &text),
                    Some((line, reason)) => {
                        problems.push(Diagnostic::new(format!("{}:{line}: {reason}", path.display())));
                    }
                },
                Err(error) if is_optional && error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    problems.push(Diagnostic::new(format!("cannot read {}: {error}", path.display())));
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        variables.insert(NODE_ENV.to_owned(), self.mode.to_owned());
        variables.extend(self.process.iter().map(|(name, value)| (name.clone(), value.clone())));
        if let Some(hidden) = &self.hidden {
            variables.retain(|name, _| !hidden.is_empty() && !hidden.contains(name));
        }
        Ok(Arc::new(variables))
    }
}

/// Adds the variables of a file. A value may refer to others as `${NAME}`: to those of the process, of files that were
/// read before, and of earlier lines.
fn extend(variables: &mut BTreeMap<String, String>, process: &BTreeMap<String, String>, text: &str) {
    let known = Known { process, files: variables };
    let mut defined = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    parse_env_content_with_substitution_hook(&known, text, &mut |name, value| {
        // The operating system allows no zero bytes in either.
        if !name.contains('\0') && !value.contains('\0') {
            defined.push((name.to_owned(), value.to_owned()));
        }
    });
    variables.extend(defined);
}

/// The variables that a value may refer to.
struct Known<'a> {
    process: &'a BTreeMap<String, String>,
    files: &'a BTreeMap<String, String>,
}

impl BaseEnvVar for Known<'_> {
    fn base_env_var_os(&self, name: &OsStr) -> Option<OsString> {
        let name = name.to_str()?;
        self.process.get(name).or_else(|| self.files.get(name)).map(OsString::from)
    }
}

/// The first line that defines no variable, from 1, and why. The parser skips such lines.
fn malformed(text: &str) -> Option<(usize, &'static str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            return Some((number, "the line has no `=`: write NAME=value, or # before a comment"));
        };
        let name = name.strip_prefix("export ").unwrap_or(name).trim();
        if !is_name(name) {
            return Some((number, "there is no name of a variable before `=`: use letters, digits and `_`"));
        }
        let value = value.trim_start();
        let quote = value.chars().next().filter(|first| matches!(first, '"' | '\'' | '`'));
        if let Some(quote) = quote
            && !value[1..].contains(quote)
            && !lines.any(|(line, _)| line.contains(quote))
        {
            return Some((number, "the quote that the value begins with is not closed"));
        }
    }
    None
}

fn is_name(name: &str) -> bool {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-');
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') && name.chars().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        assert_eq!(malformed(text), None, "{text}");
        let mut variables = BTreeMap::new();
        let process = BTreeMap::from([("HOME".to_owned(), "/users/me".to_owned())]);
        extend(&mut variables, &process, text);
        variables.into_iter().collect()
    }

    #[test]
    fn values_are_those_of_other_tools() {
        let text = "\u{feff}# comment\nexport A=one # rest\nB='$A'\nC=\"x\\ny\"\nD=\"first\nsecond\"\nE=${HOME}/${A}\nF=\n";
        let expected = [
            ("A", "one"),
            ("B", "$A"),
            ("C", "x\ny"),
            ("D", "first\nsecond"),
            ("E", "/users/me/one"),
            ("F", ""),
        ];
        assert_eq!(read(text), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn lines_without_a_variable_are_found() {
        let line = |text: &str| malformed(text).map(|(line, _)| line);
        assert_eq!(line("A=1\n\nsecret\n"), Some(3));
        assert_eq!(line("A=1\n1B=2"), Some(2));
        assert_eq!(line("=2"), Some(1));
        assert_eq!(line("A=\"x\nB=2\n"), Some(1));
        assert_eq!(line("A=\"x\ny\"\nB"), Some(3));
        assert_eq!(line("A=1\r\nB=2\r\n"), None);
    }
}
