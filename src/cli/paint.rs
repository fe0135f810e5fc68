//! Colours of messages at a terminal. The text itself does not change.

use std::fmt::Write as _;

/// The purpose of a part of a text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Style {
    Bold,
    Dim,
    Error,
    Place,
    Help,
    Link,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Style::Bold => "1",
            Style::Dim => "2",
            Style::Error => "1;31",
            Style::Place => "36",
            Style::Help => "32",
            Style::Link => "36;4",
        }
    }
}

/// A text in a style.
pub(super) fn styled(style: Style, text: &str) -> String {
    format!("\u{1b}[{}m{text}\u{1b}[0m", style.code())
}

/// A text with control characters replaced, so that names of files and other quotations cannot control the terminal.
pub(super) fn visible(text: &str) -> String {
    let shown = |c: char| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

/// Problems, each as `error: message` with its details below.
pub(super) fn problems(text: &str) -> String {
    let mut painted = String::with_capacity(text.len() * 2);
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        let _ = match line.strip_prefix("error: ") {
            Some(message) => {
                write!(painted, "{} {}{end}", styled(Style::Error, "error:"), styled(Style::Bold, message))
            }
            None => write!(painted, "{}{end}", detail(line)),
        };
    }
    painted
}

/// What follows the first line of a problem: places, excerpts, help.
pub(super) fn details(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(detail).collect();
    lines.join("\n")
}

fn detail(line: &str) -> String {
    let trimmed = line.trim_start();
    let indent = &line[..line.len() - trimmed.len()];
    if let Some(place) = trimmed.strip_prefix("--> ") {
        return format!("{indent}{} {}", styled(Style::Dim, "-->"), styled(Style::Place, place));
    }
    if let Some(help) = trimmed.strip_prefix("help: ") {
        return format!("{indent}{} {help}", styled(Style::Help, "help:"));
    }
    if let Some(cause) = trimmed.strip_prefix("caused by: ") {
        return format!("{indent}{} {cause}", styled(Style::Error, "caused by:"));
    }
    if trimmed.starts_with("at ") {
        return format!("{indent}{}", styled(Style::Dim, trimmed));
    }
    // The gutter of an excerpt: ` 12 | text`, and below it the mark.
    match trimmed.split_once('|') {
        Some((number, source))
            if number.trim_end().chars().all(|c| c.is_ascii_digit()) && !indent.is_empty() =>
        {
            let source = match source.trim_start() {
                "^" => source.replace('^', &styled(Style::Error, "^")),
                _ => source.to_owned(),
            };
            format!("{indent}{}{source}", styled(Style::Dim, &format!("{number}|")))
        }
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::problems;

    #[test]
    fn problems_say_the_same_in_colours() {
        let text = "error: no\n  --> a.js:1:2\n    |\n  1 | a | b\n    |  ^\n  help: do\n    at f\n  caused by: x\nplain | text\n";
        let painted = problems(text);
        let mut plain = String::new();
        for (index, part) in painted.split('\u{1b}').enumerate() {
            plain.push_str(if index == 0 { part } else { part.split_once('m').expect("a colour").1 });
        }
        assert_eq!(plain, text);
        for line in [
            "\u{1b}[1;31merror:\u{1b}[0m",
            "\u{1b}[36ma.js:1:2\u{1b}[0m",
            "\u{1b}[1;31m^\u{1b}[0m",
            "\nplain | text\n",
        ] {
            assert!(painted.contains(line), "{line:?} is not in {painted:?}");
        }
    }
}
