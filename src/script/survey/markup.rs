//! The bound elements of a page, with their places. The parser of pages (`router/page.rs`) keeps no places, so this
//! module parses tags once more, with a small part of HTML's tokenization: enough to find attributes, and text without
//! markup.

use std::collections::BTreeMap;
use std::ops::Range;

/// An attribute by which an element is bound.
#[derive(Debug)]
pub(crate) struct Mark {
    /// The element's name.
    pub element: String,
    /// The attribute's value, character references resolved.
    pub text: String,
    /// The offset in the page of each byte of the text.
    offsets: Vec<usize>,
}

impl Mark {
    /// The offset in the page of a byte of the text.
    pub(crate) fn at(&self, index: usize) -> usize {
        self.offsets.get(index).or(self.offsets.last()).copied().unwrap_or_default()
    }
}

/// An error in the markup itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The error's message.
    pub message: String,
    /// The offset in the page.
    pub at: usize,
}

/// The bound elements of a page in order, its templates by name with whether each contains an element, and its errors.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// The `render` attributes.
    pub marks: Vec<Mark>,
    /// The expressions of comments that are bindings, with their offsets.
    pub comments: Vec<(String, usize)>,
    /// The names in `<template def>`.
    pub templates: BTreeMap<String, bool>,
    /// Whether the page also imports templates from elsewhere.
    pub has_imports: bool,
    /// Errors in the markup.
    pub problems: Vec<Problem>,
}

/// Elements whose text has no markup in it.
const RAW_TEXT: [&str; 10] =
    ["script", "style", "noscript", "iframe", "xmp", "noembed", "noframes", "plaintext", "textarea", "title"];

/// Reads a page.
pub(crate) fn marks(html: &str) -> Marks {
    let mut found = Marks::default();
    let mut open_template: Option<String> = None;
    let mut at = 0;
    while let Some(tag) = html[at..].find('<').map(|found| at + found) {
        let rest = &html[tag..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            let end = comment.find("-->").unwrap_or(comment.len());
            found.comments.extend(binding_of(&comment[..end]).map(|expression| (expression, tag)));
            at = (tag + 4 + end + 3).min(html.len());
            continue;
        }
        if let Some(comment) = rest.strip_prefix('<').filter(|comment| comment.starts_with("?{")) {
            let end = comment.find('>').unwrap_or(comment.len());
            match binding_of(&comment[..end]) {
                Some(expression) => found.comments.push((expression, tag)),
                None => found.problems.push(Problem {
                    message: "this ends at its first `>`, which is not that of `}?>`: write <!--{ ... }-->, where a `>` may stand"
                        .to_owned(),
                    at: tag,
                }),
            }
            at = (tag + 1 + end).min(html.len());
            continue;
        }
        let is_end = rest[1..].starts_with('/');
        let name_at = tag + 1 + usize::from(is_end);
        if !html[name_at..].starts_with(|first: char| first.is_ascii_alphabetic()) {
            at = tag + 1;
            continue;
        }
        let name_end = html[name_at..].find(|c: char| c.is_ascii_whitespace() || c == '/' || c == '>');
        let Some(name_end) = name_end.map(|end| name_at + end) else {
            found.problems.push(unfinished(tag));
            break;
        };
        let name = html[name_at..name_end].to_ascii_lowercase();
        let Some((attributes, end)) = attributes(html, name_end) else {
            found.problems.push(unfinished(tag));
            break;
        };
        at = end;
        if is_end {
            if name == "template" {
                open_template = None;
            }
            continue;
        }
        if let Some(template) = &open_template {
            found.templates.insert(template.clone(), true);
        }
        let value = |wanted: &str| {
            let attribute =
                attributes.iter().find(|(name, _)| html[name.clone()].eq_ignore_ascii_case(wanted));
            attribute.map(|(_, value)| value.clone())
        };
        if let Some(range) = value("render") {
            let (text, offsets) = resolved(html, range);
            found.marks.push(Mark { element: name.clone(), text, offsets });
        }
        if name == "template" {
            let defined = value("def").map(|range| resolved(html, range).0);
            if let Some(defined) = &defined {
                found.templates.entry(defined.clone()).or_insert(false);
            }
            found.has_imports |= value("src").is_some();
            open_template = defined;
        }
        found.has_imports |= name == "import";
        if RAW_TEXT.contains(&name.as_str()) {
            at = end_of_raw_text(html, end, &name);
        }
    }
    found
}

/// The expression of a comment that is a binding, by the rules of `bindingOf` of `runtime-js/page/binding.js`.
fn binding_of(comment: &str) -> Option<String> {
    let inner = comment.strip_prefix("?{").and_then(|it| it.strip_suffix("}?")).or_else(|| {
        comment.strip_prefix('{').filter(|it| !it.starts_with('{')).and_then(|it| it.strip_suffix('}'))
    })?;
    // The server appends this note to the comments of pages that it rendered.
    let expression = match inner.rsplit_once(';') {
        Some((expression, note)) if note.trim().starts_with("[=") => expression,
        _ => inner,
    };
    Some(expression.to_owned())
}

fn unfinished(at: usize) -> Problem {
    Problem { message: "the tag that begins here has no end: a quote or a `>` is missing".to_owned(), at }
}

/// The ranges of an attribute's name and of its value.
type Attribute = (Range<usize>, Range<usize>);

/// Names and values of a tag's attributes, and the offset behind the tag; None if the tag has no end.
fn attributes(html: &str, from: usize) -> Option<(Vec<Attribute>, usize)> {
    let mut found = Vec::new();
    let mut at = from;
    loop {
        let byte = *html.as_bytes().get(at)?;
        match byte {
            b'>' => return Some((found, at + 1)),
            b'/' => at += 1,
            _ if byte.is_ascii_whitespace() => at += 1,
            _ => {
                let is_end = |c: char| c.is_ascii_whitespace() || matches!(c, '/' | '>' | '=');
                // A `=` in front belongs to the name.
                let name_end = at
                    + 1
                    + html.get(at + 1..).and_then(|rest| rest.find(is_end)).or_else(|| {
                        // The first character has several bytes.
                        html[at..].char_indices().skip(1).find(|(_, c)| is_end(*c)).map(|(end, _)| end - 1)
                    })?;
                let name = at..name_end;
                at = skip_spaces(html, name_end)?;
                if html.as_bytes()[at] != b'=' {
                    found.push((name, at..at));
                    continue;
                }
                at = skip_spaces(html, at + 1)?;
                let value = match html.as_bytes()[at] {
                    quote @ (b'"' | b'\'') => {
                        let begin = at + 1;
                        let end = begin + html[begin..].find(char::from(quote))?;
                        at = end + 1;
                        begin..end
                    }
                    _ => {
                        let end = at + html[at..].find(|c: char| c.is_ascii_whitespace() || c == '>')?;
                        let value = at..end;
                        at = end;
                        value
                    }
                };
                found.push((name, value));
            }
        }
    }
}

fn skip_spaces(html: &str, from: usize) -> Option<usize> {
    html[from..].find(|c: char| !c.is_ascii_whitespace()).map(|found| from + found)
}

fn end_of_raw_text(html: &str, from: usize, name: &str) -> usize {
    let end = format!("</{name}");
    let bytes = &html.as_bytes()[from..];
    let found = bytes.windows(end.len()).position(|part| part.eq_ignore_ascii_case(end.as_bytes()));
    found.map_or(html.len(), |found| from + found)
}

/// An attribute's value with its character references resolved, and the offset in the page of each of its bytes.
fn resolved(html: &str, range: Range<usize>) -> (String, Vec<usize>) {
    let (mut text, mut offsets) = (String::new(), Vec::new());
    let mut at = range.start;
    while at < range.end {
        let rest = &html[at..range.end];
        let reference = rest.strip_prefix('&').and_then(reference);
        let (character, length) = match reference {
            Some((character, length)) => (character, length + 1),
            None => {
                let character = rest.chars().next().expect("the range is not over");
                (character, character.len_utf8())
            }
        };
        text.push(character);
        offsets.resize(text.len(), at);
        at += length;
    }
    offsets.push(range.end);
    (text, offsets)
}

/// The character of a reference, and the reference's length. `text` begins behind the `&`.
fn reference(text: &str) -> Option<(char, usize)> {
    let end = text.find(';').filter(|end| *end <= 10)?;
    let name = &text[..end];
    let character = match name {
        "quot" => '"',
        "apos" => '\'',
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "nbsp" => '\u{a0}',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    };
    Some((character, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_where_markup_is() {
        let html = "<!doctype html><!-- <p render='no'> --><p id=a render='#text: a'>x</p>\n\
                    <script>'<b render=no>'</script><B Render=\"~a: b &quot; c\"><template def=t><li></li></template>\
                    <template def=empty>text</template><i \u{e9}=1 render=#text:x>";
        let found = marks(html);
        let texts: Vec<_> = found.marks.iter().map(|it| (it.element.as_str(), it.text.as_str())).collect();
        assert_eq!(texts, [("p", "#text: a"), ("b", "~a: b \" c"), ("i", "#text:x")]);
        let second = &found.marks[1];
        assert_eq!(&html[second.at(6)..second.at(7)], "&quot;");
        assert_eq!(&html[second.at(8)..=second.at(8)], "c");
        assert_eq!(found.templates, BTreeMap::from([("t".into(), true), ("empty".into(), false)]));
        assert_eq!(found.problems, []);
    }

    #[test]
    fn comments_that_are_bindings_are_found() {
        let found = marks(
            "<p><?{ a }?><!--{ b ; [=2] }-->xy<!--?{ c }?--><!-- { d } --><!--{{ e }}--></p><?{ f > g }?>",
        );
        let expressions: Vec<_> = found.comments.iter().map(|(text, at)| (text.as_str(), *at)).collect();
        assert_eq!(expressions, [(" a ", 3), (" b ", 12), (" c ", 33)]);
        assert_eq!(found.problems.len(), 1, "{:?}", found.problems);
    }

    #[test]
    fn tags_without_an_end_are_found() {
        for html in ["<p render='#text: a>x</p>", "<p", "<p a=b", "<p a = "] {
            assert_eq!(marks(html).problems.len(), 1, "{html}");
        }
    }
}
