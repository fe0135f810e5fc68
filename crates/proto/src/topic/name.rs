//! Names of topics, and patterns that match names.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest name or pattern, in bytes.
const MAX_NAME: usize = 256;

/// The longest pattern list of one subscriber.
pub(crate) const MAX_PATTERNS: usize = 64;

/// The name of a topic: a path such as `/chat/1`, or words with dots such as `users.saved`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(from = "String", into = "String")]
pub struct TopicName(Arc<str>);

impl From<String> for TopicName {
    /// A name that was checked before it was stored.
    fn from(text: String) -> TopicName {
        TopicName(text.into())
    }
}

impl From<TopicName> for String {
    fn from(name: TopicName) -> String {
        name.0.as_ref().to_owned()
    }
}

/// Why a text is no name or pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// The text is empty.
    #[error("a topic's name is not empty")]
    Empty,
    /// The text is too long.
    #[error("a topic's name has at most {MAX_NAME} bytes, not {0}")]
    Long(usize),
    /// The text has a character that names do not have.
    #[error(
        "a topic's name has no {0:?}: letters, digits and signs but white space, *, ?, #, \\ and control characters"
    )]
    Character(char),
    /// The text has a segment `.` or `..`.
    #[error("a topic's name has no segment {0:?}")]
    Dots(String),
}

impl TopicName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The topic that carries the changes of this topic's presence.
    pub fn of_presence(&self) -> TopicName {
        TopicName(format!("{}#presence", self.0).into())
    }

    /// Whether it is the topic of another topic's presence.
    pub fn is_of_presence(&self) -> bool {
        self.0.ends_with("#presence")
    }
}

impl FromStr for TopicName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<TopicName, InvalidName> {
        check(text, false)?;
        Ok(TopicName(text.into()))
    }
}

impl Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn check(text: &str, is_pattern: bool) -> Result<(), InvalidName> {
    if text.is_empty() {
        return Err(InvalidName::Empty);
    }
    if text.len() > MAX_NAME {
        return Err(InvalidName::Long(text.len()));
    }
    let is_foreign = |c: char| {
        c.is_control() || c.is_whitespace() || matches!(c, '?' | '#' | '\\') || (c == '*' && !is_pattern)
    };
    if let Some(foreign) = text.chars().find(|c| is_foreign(*c)) {
        return Err(InvalidName::Character(foreign));
    }
    match text.split('/').find(|segment| matches!(*segment, "." | "..")) {
        Some(dots) => Err(InvalidName::Dots(dots.to_owned())),
        None => Ok(()),
    }
}

/// A pattern of names. `*` stands for one segment, `**` at the end for one or more, and `*` alone for every name.
/// Segments of patterns that begin with a slash end with slashes; those of others with dots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: Box<str>,
    /// Names that begin with a slash do not match.
    has_no_paths: bool,
}

impl FromStr for Pattern {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Pattern, InvalidName> {
        check(text, true)?;
        Ok(Pattern { text: text.into(), has_no_paths: false })
    }
}

impl Pattern {
    /// The same pattern, which matches no name that begins with a slash.
    pub fn without_paths(self) -> Pattern {
        Pattern { has_no_paths: true, ..self }
    }

    /// The one name that it matches, if it has no wildcard.
    pub fn exact(&self) -> Option<TopicName> {
        let is_refused = self.has_no_paths && self.text.starts_with('/');
        (!self.text.contains('*') && !is_refused).then(|| TopicName((&*self.text).into()))
    }

    /// Whether it is the name itself, without a wildcard.
    pub fn is(&self, name: &TopicName) -> bool {
        *self.text == *name.0 && !(self.has_no_paths && self.text.starts_with('/'))
    }

    /// Whether it matches a name. Topics of presence match no pattern.
    pub fn matches(&self, name: &TopicName) -> bool {
        if name.is_of_presence() {
            return false;
        }
        if self.has_no_paths && name.0.starts_with('/') {
            return false;
        }
        if matches!(&*self.text, "*" | "**") {
            return true;
        }
        let is_path = self.text.starts_with('/');
        if is_path != name.0.starts_with('/') {
            return false;
        }
        let separator = if is_path { '/' } else { '.' };
        let mut segments = name.0.split(separator);
        let mut wanted = self.text.split(separator).peekable();
        while let Some(want) = wanted.next() {
            let Some(segment) = segments.next() else { return false };
            match want {
                "**" if wanted.peek().is_none() => return true,
                "*" => {}
                want if want == segment => {}
                _ => return false,
            }
        }
        segments.next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        pattern.parse::<Pattern>().unwrap().matches(&name.parse().unwrap())
    }

    #[test]
    fn pattern_star_is_one_segment() {
        assert!(matches("users.*", "users.saved"));
        assert!(!matches("users.*", "users.list.state"));
        assert!(!matches("users.*", "users"));
        assert!(matches("users.*.state", "users.list.state"));
        assert!(matches("/files/*", "/files/report.pdf"));
        assert!(!matches("/files/*", "/files/a/b"));
    }

    #[test]
    fn pattern_two_stars_are_all_that_follows() {
        assert!(matches("users.**", "users.list.state"));
        assert!(matches("/a/**", "/a/b/c"));
        assert!(!matches("/a/**", "/b/c"));
    }

    #[test]
    fn pattern_star_alone_is_every_name_but_of_presence() {
        assert!(matches("*", "users.list.state") && matches("*", "/a/b"));
        let presence = TopicName::of_presence(&"/a".parse().unwrap());
        assert!(!"*".parse::<Pattern>().unwrap().matches(&presence));
    }

    #[test]
    fn pattern_without_paths_matches_words_only() {
        let pattern = |text: &str| text.parse::<Pattern>().unwrap().without_paths();
        let matches = |text: &str, name: &str| pattern(text).matches(&name.parse().unwrap());
        assert!(matches("*", "users.list.state") && !matches("*", "/a/b") && !matches("**", "/a"));
        assert!(matches("users.*", "users.saved") && !matches("/a/*", "/a/b"));
        assert_eq!((pattern("/a").exact(), pattern("a").exact().is_some()), (None, true));
    }

    #[test]
    fn name_refuses_what_cannot_be_a_path() {
        for bad in ["", "/a/../b", "/a b", "/a*", "/a#b", "/a?b", "a\n", "/.", &"x".repeat(257)] {
            assert!(bad.parse::<TopicName>().is_err(), "{bad:?}");
        }
        for good in ["/", "/a/b.c", "users.saved", "chat.message", "/caf\u{e9}", "a..b"] {
            assert!(good.parse::<TopicName>().is_ok(), "{good:?}");
        }
    }
}
