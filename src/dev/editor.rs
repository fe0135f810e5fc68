//! Opens files of the project in the developer's editor.
//!
//! The command is `$LIVELINE_EDITOR`, else `$VISUAL`, else `$EDITOR`. It is not run by a shell.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A place in a file. Line and column count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file's path.
    pub file: PathBuf,
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

/// Why a file is not opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EditorError {
    #[error(
        "No editor is known: start the server with LIVELINE_EDITOR and the command of yours, such as \
         LIVELINE_EDITOR=code."
    )]
    Unknown,
    #[error(
        "`{0}` needs a terminal, and the server has none to give it. Start the server with LIVELINE_EDITOR and the \
         command of an editor with a window, such as LIVELINE_EDITOR=code."
    )]
    Terminal(String),
    #[error("The command `{0}` has a quote that is not closed.")]
    Quotes(String),
    #[error("There is no such file in the project.")]
    Outside,
    #[error("`{0}` did not start: {1}")]
    Start(String, std::io::Error),
}

impl Place {
    /// Reads `file:line:column`. Line and column may be left out.
    pub(crate) fn parse(text: &str) -> Place {
        let mut file = text;
        let mut numbers = Vec::new();
        while numbers.len() < 2
            && let Some((rest, number)) = file.rsplit_once(':')
            && let Ok(number) = number.parse::<u32>()
        {
            numbers.push(number.max(1));
            file = rest;
        }
        numbers.reverse();
        let number = |at: usize| numbers.get(at).copied().unwrap_or(1);
        Place { file: file.into(), line: number(0), column: number(1) }
    }

    /// The same place with the real path of the file. Fails where the file is not below one of these folders.
    pub(crate) fn within(self, folders: &[PathBuf]) -> Result<Place, EditorError> {
        let file = self.file.canonicalize().map_err(|_| EditorError::Outside)?;
        let is_inside = file.is_file() && folders.iter().any(|folder| file.starts_with(folder));
        if is_inside { Ok(Place { file, ..self }) } else { Err(EditorError::Outside) }
    }
}

/// Opens a place in the editor, and does not wait until the editor is closed.
pub(crate) fn open(place: &Place) -> Result<(), EditorError> {
    let words = chosen(|name| std::env::var(name).ok())?;
    let name = words[0].clone();
    let mut child = Command::new(&words[0])
        .args(&words[1..])
        .args(arguments(&words[0], place))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| EditorError::Start(name, error))?;
    // Its exit status has to be collected, or it would stay as a zombie.
    std::thread::spawn(move || child.wait());
    Ok(())
}

/// The words of the editor's command.
fn chosen(variable: impl Fn(&str) -> Option<String>) -> Result<Vec<String>, EditorError> {
    let set = |name| variable(name).filter(|command| !command.trim().is_empty());
    let is_in_code = variable("TERM_PROGRAM").as_deref() == Some("vscode");
    let command = ["LIVELINE_EDITOR", "VISUAL", "EDITOR"].into_iter().find_map(set);
    let Some(command) = command else {
        return if is_in_code { Ok(vec!["code".to_owned()]) } else { Err(EditorError::Unknown) };
    };
    let words = shlex::split(&command).filter(|words| !words.is_empty());
    let words = words.ok_or_else(|| EditorError::Quotes(command.clone()))?;
    let name = name_of(&words[0]);
    let asks_for_terminal = words.iter().any(|word| ["-nw", "-t", "-tty"].contains(&&**word));
    if TERMINAL.contains(&&*name) || (name.starts_with("emacs") && asks_for_terminal) {
        return if is_in_code {
            Ok(vec!["code".to_owned()])
        } else {
            Err(EditorError::Terminal(words[0].clone()))
        };
    }
    Ok(words)
}

/// Editors that live in a terminal.
const TERMINAL: [&str; 12] =
    ["vi", "vim", "nvim", "view", "nano", "pico", "ed", "hx", "helix", "kak", "micro", "joe"];

/// The name of a program without its folder and what systems append.
fn name_of(program: &str) -> String {
    let name = Path::new(program).file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let endings = [".exe", ".cmd", ".bat", ".sh", "64"];
    endings.iter().fold(name, |name, ending| name.strip_suffix(ending).map(str::to_owned).unwrap_or(name))
}

/// The arguments by which an editor opens a file at a place.
fn arguments(program: &str, Place { file, line, column }: &Place) -> Vec<OsString> {
    let place = |separated: &str| {
        let mut text = file.clone().into_os_string();
        text.push(separated);
        text
    };
    let (line, column) = (line.to_string(), column.to_string());
    let words = |words: &[&str]| {
        let mut all: Vec<OsString> = words.iter().map(OsString::from).collect();
        all.push(file.clone().into());
        all
    };
    match &*name_of(program) {
        "code" | "code-insiders" | "codium" | "vscodium" | "cursor" | "windsurf" | "positron" | "kiro" => {
            vec!["--goto".into(), place(&format!(":{line}:{column}"))]
        }
        "subl" | "sublime_text" | "zed" | "zeditor" | "atom" | "pulsar" | "lapce" => {
            vec![place(&format!(":{line}:{column}"))]
        }
        "idea" | "webstorm" | "phpstorm" | "pycharm" | "goland" | "rustrover" | "clion" | "rubymine"
        | "rider" | "fleet" | "kate" => words(&["--line", &line, "--column", &column]),
        "emacs" | "emacsclient" | "gedit" | "xed" | "pluma" | "gnome-text-editor" => {
            words(&[&format!("+{line}:{column}")])
        }
        "gvim" | "mvim" | "vimr" | "bbedit" => words(&[&format!("+{line}")]),
        "mate" | "textmate" => words(&["--line", &format!("{line}:{column}")]),
        "notepad++" => words(&[&format!("-n{line}"), &format!("-c{column}")]),
        // Any editor opens a file.
        _ => words(&[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(variables: &[(&str, &str)]) -> Result<Vec<String>, EditorError> {
        chosen(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn places_are_read_from_the_end() {
        let place = |text| {
            let Place { file, line, column } = Place::parse(text);
            (file.display().to_string(), line, column)
        };
        assert_eq!(place("a/b.js:3:7"), ("a/b.js".into(), 3, 7));
        assert_eq!(place("a/b.js:3"), ("a/b.js".into(), 3, 1));
        assert_eq!(place("a:b.js"), ("a:b.js".into(), 1, 1));
        assert_eq!(place("a/1:2:3:4"), ("a/1:2".into(), 3, 4));
    }

    #[test]
    fn only_files_of_the_project_are_opened() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("its path");
        std::fs::create_dir_all(root.join("in")).expect("a folder");
        for file in ["in/a.js", "b.js"] {
            std::fs::write(root.join(file), "").expect("a file");
        }
        let within = |file: &str| {
            let place = Place { file: root.join(file), line: 1, column: 1 };
            place.within(&[root.join("in")]).is_ok()
        };
        assert!(within("in/a.js") && within("in/../in/a.js"));
        assert!(!within("b.js") && !within("in/../b.js") && !within("in") && !within("in/none.js"));
    }

    #[test]
    fn the_editor_is_the_first_that_is_named() {
        let both = [("VISUAL", "zed"), ("EDITOR", "vim"), ("LIVELINE_EDITOR", "'my editor' --wait")];
        assert_eq!(words(&both).expect("words"), ["my editor", "--wait"]);
        assert_eq!(words(&both[..2]).expect("words"), ["zed"]);
        assert!(matches!(words(&both[1..2]), Err(EditorError::Terminal(name)) if name == "vim"));
        assert!(matches!(words(&[("EDITOR", "emacs -nw")]), Err(EditorError::Terminal(_))));
        assert!(matches!(words(&[("EDITOR", " ")]), Err(EditorError::Unknown)));
        assert!(matches!(words(&[("EDITOR", "a 'b")]), Err(EditorError::Quotes(_))));
        assert_eq!(words(&[("EDITOR", "vim"), ("TERM_PROGRAM", "vscode")]).expect("words"), ["code"]);
    }

    #[test]
    fn editors_are_told_where_to_go() {
        let place = Place { file: "/p/a.js".into(), line: 3, column: 7 };
        let told = |program| {
            arguments(program, &place)
                .iter()
                .map(|it| it.to_string_lossy().into_owned())
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(told("/usr/bin/code"), "--goto /p/a.js:3:7");
        assert_eq!(told("subl"), "/p/a.js:3:7");
        assert_eq!(told("idea64.exe"), "--line 3 --column 7 /p/a.js");
        assert_eq!(told("emacsclient"), "+3:7 /p/a.js");
        assert_eq!(told("my-editor"), "/p/a.js");
    }
}
