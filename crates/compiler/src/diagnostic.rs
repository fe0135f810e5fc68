//! Errors of handlers, for the handler's author: message, place, source line, stack and help.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::jsx::first_element_of;

/// An error and its place. The source line is read from the file when the error is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub message: String,
    pub place: Option<Place>,
    /// How to correct the error, if that is known.
    pub help: Option<Box<str>>,
    /// The other frames of the stack, innermost first, in the form in which V8 prints them.
    pub stack: Vec<String>,
    /// The errors that led to this one, or that it consists of.
    pub causes: Box<[Cause]>,
}

/// An error behind another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    pub message: String,
    pub place: Option<Place>,
}

/// A place in a source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
}

impl Place {
    /// Whether the file belongs to an installed package.
    pub fn is_in_package(&self) -> bool {
        self.file.iter().any(|name| name == "node_modules")
    }

    /// Where a file exports a name: the first line of an `export` with that word, or else the first line.
    fn of_export(file: &Path, name: &str) -> Place {
        let source = std::fs::read_to_string(file).unwrap_or_default();
        let is_export = |text: &str| {
            let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$');
            text.trim_start().starts_with("export") && words.any(|word| word == name)
        };
        let found = source.lines().zip(1..).find(|(text, _)| is_export(text));
        let (line, column) =
            found.map_or((1, 1), |(text, line)| (line, text.find("export").unwrap_or(0) + 1));
        Place { file: file.to_owned(), line, column }
    }
}

impl Diagnostic {
    /// An error without a place.
    pub fn new(message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            message: message.into(),
            place: None,
            help: None,
            stack: Vec::new(),
            causes: Box::default(),
        }
    }

    /// An error at a place.
    pub fn at(
        message: impl Into<String>,
        file: impl Into<PathBuf>,
        line: usize,
        column: usize,
    ) -> Diagnostic {
        let place = Some(Place { file: file.into(), line, column });
        Diagnostic { message: message.into(), place, help: None, stack: Vec::new(), causes: Box::default() }
    }

    /// The same error with help.
    pub fn with_help(self, help: Option<String>) -> Diagnostic {
        Diagnostic { help: help.map(String::into_boxed_str), ..self }
    }

    /// An error about an import of a file, at the first place where the file names the specifier, or at the first JSX
    /// element, whose compilation adds an import.
    pub fn at_import(message: impl Into<String>, file: &Path, specifier: &str) -> Diagnostic {
        let source = std::fs::read_to_string(file).unwrap_or_default();
        let place = ['"', '\''].iter().find_map(|quote| {
            let quoted = format!("{quote}{specifier}{quote}");
            source.lines().zip(1..).find_map(|(text, line)| Some((line, text.find(&quoted)? + 1)))
        });
        let of_jsx =
            || specifier.ends_with("/jsx-runtime").then(|| first_element_of(file, &source)).flatten();
        match place.or_else(of_jsx) {
            Some((line, column)) => Diagnostic::at(message, file, line, column),
            None => Diagnostic::new(message),
        }
    }

    /// The export of a handler threw the error, whose own place is in no file of the project: shows the place of the
    /// export, and the error's own place as a frame.
    pub fn move_to_export(&mut self, file: &Path, export: &str) {
        if self.place.as_ref().is_some_and(|place| !place.is_in_package()) {
            return;
        }
        let own = self.place.replace(Place::of_export(file, export));
        self.stack.splice(..0, own.map(|own| format!("at <anonymous> ({own})")));
    }

    /// The error for other programs: `message`, `file`, `line`, `column`, `source`, `stack`, `causes`, `help`.
    pub fn to_json(&self) -> serde_json::Value {
        let mut json = serde_json::json!({ "message": self.message, "stack": self.stack });
        if !self.causes.is_empty() {
            let causes = self.causes.iter().map(|it| {
                let place = it.place.as_ref().map(ToString::to_string);
                serde_json::json!({ "message": it.message, "place": place })
            });
            json["causes"] = causes.collect();
        }
        if let Some(help) = &self.help {
            json["help"] = (**help).into();
        }
        if let Some(Place { file, line, column }) = &self.place {
            json["file"] = file.display().to_string().into();
            json["line"] = (*line).into();
            json["column"] = (*column).into();
            json["source"] = self.source_line().into();
        }
        json
    }

    /// The error for open pages in `dev`, with the lines around the place, each with its number.
    pub fn to_report(&self) -> serde_json::Value {
        let mut json = serde_json::json!({ "message": self.message, "stack": self.stack });
        if let Some(help) = &self.help {
            json["help"] = (**help).into();
        }
        if let Some(Place { file, line, column }) = &self.place {
            json["file"] = relative(file).display().to_string().into();
            json["line"] = (*line).into();
            json["column"] = (*column).into();
            json["excerpt"] = serde_json::json!(self.neighbours().unwrap_or_default());
        }
        json
    }

    /// The error as an HTML page: message, place, and the source around it.
    pub fn to_html(&self) -> String {
        Diagnostic::page(std::slice::from_ref(self), "request")
    }

    /// An HTML page about errors, at least one, `of` a `request` or of the `start`.
    pub fn page(errors: &[Diagnostic], of: &str) -> String {
        let title = escaped(errors.first().map_or("", |error| &error.message));
        let errors = Diagnostic::sections(errors);
        format!(
            "<!DOCTYPE html><html lang=\"en\">{ERROR_HEAD}<title>{title}</title>\
             <main data-liveline-error=\"{of}\"><small>500 Internal Server Error</small>{errors}</main></html>\n"
        )
    }

    /// Errors as parts of an HTML page with the style of [`ERROR_HEAD`](crate::ERROR_HEAD).
    pub fn sections(errors: &[Diagnostic]) -> String {
        errors.iter().map(Diagnostic::section).collect()
    }

    fn section(&self) -> String {
        let mut details = String::new();
        if let Some(place) = &self.place {
            let place = escaped(&place.to_string());
            let _ = write!(details, "<p class=\"place\" data-liveline-place=\"{place}\">{place}</p>");
            let _ = write!(details, "<pre>{}</pre>", self.surroundings().unwrap_or_default());
        }
        if let Some(help) = &self.help {
            let _ = write!(details, "<p class=\"help\">{}</p>", escaped(help));
        }
        for frame in &self.stack {
            let _ = write!(details, "<p class=\"frame\">{}</p>", escaped(frame));
        }
        for Cause { message, place } in &self.causes {
            let place = place.as_ref().map(ToString::to_string).unwrap_or_default();
            let _ =
                write!(details, "<p class=\"frame\">caused by: {} {}</p>", escaped(message), escaped(&place));
        }
        format!("<h1>{}</h1>{details}", escaped(&self.message))
    }

    /// The source line and those around it, with their numbers.
    fn neighbours(&self) -> Option<Vec<(usize, String)>> {
        const NEIGHBOURS: usize = 4;
        let Place { file, line, .. } = self.place.as_ref()?;
        let source = std::fs::read_to_string(file).ok()?;
        let first = line.saturating_sub(NEIGHBOURS).max(1);
        let numbered = (1..).zip(source.lines()).skip(first - 1).take(line + NEIGHBOURS + 1 - first);
        Some(numbered.map(|(number, text)| (number, text.to_owned())).collect())
    }

    /// The source line between its neighbours, as HTML.
    fn surroundings(&self) -> Option<String> {
        let Place { line, column, .. } = self.place.as_ref()?;
        let mut html = String::new();
        for (number, text) in &self.neighbours()? {
            let _ = if number == line {
                let (before, rest) = split_at_column(text, *column);
                let (before, rest) = (escaped(before), escaped(rest));
                writeln!(html, "<b><i>{number:>5}</i>  {before}<mark>{rest}</mark></b>")
            } else {
                writeln!(html, "<i>{number:>5}</i>  {}", escaped(text))
            };
        }
        Some(html)
    }

    fn source_line(&self) -> Option<String> {
        let Place { file, line, .. } = self.place.as_ref()?;
        let source = std::fs::read_to_string(file).ok()?;
        source.lines().nth(line.checked_sub(1)?).map(str::to_owned)
    }

    /// The place's line with a mark under the column. Of a long line, the part around the column.
    fn excerpt(&self) -> Option<String> {
        let Place { line, column, .. } = self.place.as_ref()?;
        let text = self.source_line()?;
        let (length, most) = (text.chars().count(), EXCERPT.load(Ordering::Relaxed));
        let at = column.saturating_sub(1).min(length);
        let from = match length > most {
            true => at.saturating_sub(most / 2).min(length - most),
            false => 0,
        };
        let shown: String = text.chars().skip(from).take(most).map(visible).collect();
        let (before, after) =
            (if from > 0 { "..." } else { "" }, if from + most < length { "..." } else { "" });
        // Tabs in front of the mark keep it in its column.
        let indent: String = shown.chars().take(at - from).map(|c| if c == '\t' { c } else { ' ' }).collect();
        let (gutter, skipped) = (" ".repeat(line.to_string().len()), " ".repeat(before.len()));
        Some(format!("{gutter} |\n{line} | {before}{shown}{after}\n{gutter} | {skipped}{indent}^"))
    }
}

/// How many characters of a source line are shown.
static EXCERPT: AtomicUsize = AtomicUsize::new(100);

/// Limits source lines from now on, so that excerpts fit into lines of `width` characters.
pub fn fit_excerpts(width: usize) {
    /// Characters before the source line.
    const GUTTER: usize = 12;
    EXCERPT.fetch_min(width.saturating_sub(GUTTER).max(2 * GUTTER), Ordering::Relaxed);
}

/// A character for a terminal: control characters are replaced.
fn visible(character: char) -> char {
    if character.is_control() && character != '\t' { '\u{fffd}' } else { character }
}

/// The head of HTML pages about errors.
pub const ERROR_HEAD: &str = concat!(
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><style>",
    include_str!("error_page.css"),
    "</style>"
);

/// Splits a line before a column, which counts from 1.
fn split_at_column(text: &str, column: usize) -> (&str, &str) {
    let at = text.char_indices().nth(column.saturating_sub(1)).map_or(text.len(), |(at, _)| at);
    text.split_at(at)
}

/// The text with characters escaped that have a meaning in HTML.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", relative(&self.file).display(), self.line, self.column)
    }
}

/// The path from the working folder, if it is below it.
pub fn relative(path: &Path) -> &Path {
    let here = std::env::current_dir().ok();
    here.and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path)
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(place) = &self.place {
            write!(f, "\n  --> {place}")?;
        }
        if let Some(excerpt) = self.excerpt() {
            for line in excerpt.lines() {
                write!(f, "\n  {line}")?;
            }
        }
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        for frame in &self.stack {
            // The place on a line of its own, which terminals and editors open.
            match frame.strip_suffix(')').and_then(|frame| frame.rsplit_once(" (")) {
                Some((function, place)) => write!(f, "\n    {function}\n      --> {place}")?,
                None => write!(f, "\n    {frame}")?,
            }
        }
        for Cause { message, place } in &self.causes {
            write!(f, "\n  caused by: {message}")?;
            if let Some(place) = place {
                write!(f, "\n  --> {place}")?;
            }
        }
        Ok(())
    }
}
