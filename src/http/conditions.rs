//! The conditions of a request, judged for the answer that would be sent (RFC 9110 section 13).

use std::time::SystemTime;

use hyper::header::{
    ETAG, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE, LAST_MODIFIED,
};
use hyper::{Method, StatusCode};

/// What the conditions of a request turn an answer of 200 into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is sent as it is.
    Send,
    /// The client has it already: 304.
    NotModified,
    /// The client requires a version that is not the current one: 412.
    Failed,
}

impl Verdict {
    /// The status of the empty answer in place of the 200.
    pub(crate) fn status(self) -> Option<StatusCode> {
        match self {
            Verdict::Send => None,
            Verdict::NotModified => Some(StatusCode::NOT_MODIFIED),
            Verdict::Failed => Some(StatusCode::PRECONDITION_FAILED),
        }
    }

    /// Judges an answer by its `ETag` and `Last-Modified`, in the order of RFC 9110 section 13.2.2. A condition on the
    /// tag takes the place of the one on the date.
    pub(crate) fn of(method: &Method, asked: &HeaderMap, answer: &HeaderMap) -> Verdict {
        let tag = answer.get(ETAG).map(|tag| EntityTag::of(tag.as_bytes()));
        let modified = answer.get(LAST_MODIFIED).and_then(date);
        let is_get_or_head = is_get_or_head(method);
        let holds = if asked.contains_key(IF_MATCH) {
            is_listed(asked, &IF_MATCH, tag, EntityTag::is_strongly)
        } else {
            match (only_date(asked, &IF_UNMODIFIED_SINCE), modified) {
                (Some(since), Some(modified)) => modified <= since,
                _ => true,
            }
        };
        if !holds {
            return Verdict::Failed;
        }
        let is_known = if asked.contains_key(IF_NONE_MATCH) {
            is_listed(asked, &IF_NONE_MATCH, tag, EntityTag::is_weakly)
        } else {
            match (only_date(asked, &IF_MODIFIED_SINCE), modified) {
                (Some(since), Some(modified)) => is_get_or_head && modified <= since,
                _ => false,
            }
        };
        match is_known {
            true if is_get_or_head => Verdict::NotModified,
            true => Verdict::Failed,
            false => Verdict::Send,
        }
    }
}

/// Whether a method is GET or HEAD.
pub(crate) fn is_get_or_head(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

/// The conditions of a GET or HEAD, kept until its answer is there.
#[derive(Debug)]
pub(crate) struct Conditions(Box<(Method, HeaderMap)>);

impl Conditions {
    /// The conditions of a GET or HEAD, if it has any. For other methods a handler has to check them before it changes
    /// anything.
    pub(crate) fn of(method: &Method, headers: &HeaderMap) -> Option<Conditions> {
        let mut conditions = HeaderMap::new();
        if !is_get_or_head(method) {
            return None;
        }
        for name in [IF_MATCH, IF_UNMODIFIED_SINCE, IF_NONE_MATCH, IF_MODIFIED_SINCE] {
            for value in headers.get_all(&name) {
                conditions.append(name.clone(), value.clone());
            }
        }
        (!conditions.is_empty()).then(|| Conditions(Box::new((method.clone(), conditions))))
    }

    /// Judges an answer of 200. One without a tag and a date is sent.
    pub(crate) fn judge(&self, answer: &HeaderMap) -> Verdict {
        let (method, asked) = &*self.0;
        let can_be_judged = answer.contains_key(ETAG) || answer.contains_key(LAST_MODIFIED);
        if can_be_judged { Verdict::of(method, asked, answer) } else { Verdict::Send }
    }
}

/// Whether a range of the current version is wanted: `If-Range` is absent, or is its strong tag or its date (RFC 9110
/// section 13.1.5).
pub(crate) fn wants_range(
    asked: &HeaderMap,
    tag: Option<&HeaderValue>,
    modified: Option<SystemTime>,
) -> bool {
    let mut values = asked.get_all(IF_RANGE).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return true,
        (Some(value), None) => value,
        (Some(_), Some(_)) => return false,
    };
    let text = value.as_bytes().trim_ascii();
    if text.starts_with(b"\"") || text.starts_with(b"W/") {
        let wanted = EntityTag::of(text);
        return tag.is_some_and(|tag| wanted.is_strongly(EntityTag::of(tag.as_bytes())));
    }
    let Some(wanted) = date(value) else { return false };
    modified.is_some_and(|modified| whole_seconds(modified) == Some(wanted))
}

/// A time in whole seconds, as in headers.
fn whole_seconds(time: SystemTime) -> Option<SystemTime> {
    httpdate::parse_http_date(&httpdate::fmt_http_date(time)).ok()
}

fn date(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?.trim()).ok()
}

/// The date of a header that occurs once; one that cannot be read is ignored (RFC 9110 section 13.1.3).
fn only_date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => date(value),
        _ => None,
    }
}

/// A tag with its quotation marks. A tag without them is invalid, and compared as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct EntityTag<'a> {
    is_weak: bool,
    opaque: &'a [u8],
}

impl<'a> EntityTag<'a> {
    fn of(text: &'a [u8]) -> EntityTag<'a> {
        let text = text.trim_ascii();
        match text.strip_prefix(b"W/") {
            Some(opaque) => EntityTag { is_weak: true, opaque },
            None => EntityTag { is_weak: false, opaque: text },
        }
    }

    /// Strong comparison: both tags are strong and equal.
    fn is_strongly(self, other: EntityTag<'_>) -> bool {
        !self.is_weak && !other.is_weak && self.opaque == other.opaque
    }

    /// Weak comparison: the tags are equal, weak or not.
    fn is_weakly(self, other: EntityTag<'_>) -> bool {
        self.opaque == other.opaque
    }
}

/// Whether a tag is in the list of a header, which may occur several times, or the header is `*`. An answer without a tag
/// is in no list.
fn is_listed<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    tag: Option<EntityTag<'a>>,
    is_same: fn(EntityTag<'a>, EntityTag<'a>) -> bool,
) -> bool {
    headers.get_all(name).iter().map(|value| value.as_bytes().trim_ascii()).any(|list| {
        list == b"*" || tag.is_some_and(|tag| members(list).any(|member| is_same(EntityTag::of(member), tag)))
    })
}

/// The members of a list of tags. A comma between quotation marks is part of the tag.
fn members(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut is_quoted = false;
    list.split(move |byte| {
        is_quoted ^= *byte == b'"';
        *byte == b',' && !is_quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "Thu, 01 Jan 2026 00:00:00 GMT";
    const CURRENT: &str = "Fri, 02 Jan 2026 00:00:00 GMT";
    const NEW: &str = "Sat, 03 Jan 2026 00:00:00 GMT";

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let parse = |&(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), value.parse().expect("a header's value"))
        };
        let mut headers = HeaderMap::new();
        for (name, value) in lines.iter().map(parse) {
            headers.append(name, value);
        }
        headers
    }

    /// What becomes of a GET with these conditions where the answer has that tag and `CURRENT`.
    fn get(tag: &str, asked: &[(&'static str, &str)]) -> Verdict {
        let answer = headers(&[("etag", tag), ("last-modified", CURRENT)]);
        Verdict::of(&Method::GET, &headers(asked), &answer)
    }

    #[test]
    fn conditions_are_judged_in_their_order() {
        use Verdict::{Failed, NotModified, Send};
        for (asked, verdict) in [
            (&[][..], Send),
            // Each alone.
            (&[("if-match", "\"a\"")], Send),
            (&[("if-match", "\"b\"")], Failed),
            (&[("if-match", "*")], Send),
            (&[("if-unmodified-since", CURRENT)], Send),
            (&[("if-unmodified-since", OLD)], Failed),
            (&[("if-none-match", "\"a\"")], NotModified),
            (&[("if-none-match", "\"b\"")], Send),
            (&[("if-none-match", "*")], NotModified),
            (&[("if-modified-since", CURRENT)], NotModified),
            (&[("if-modified-since", NEW)], NotModified),
            (&[("if-modified-since", OLD)], Send),
            // A tag beats a date.
            (&[("if-match", "\"a\""), ("if-unmodified-since", OLD)], Send),
            (&[("if-match", "\"b\""), ("if-unmodified-since", NEW)], Failed),
            (&[("if-none-match", "\"b\""), ("if-modified-since", NEW)], Send),
            (&[("if-none-match", "\"a\""), ("if-modified-since", OLD)], NotModified),
            // What must hold comes before what the client has.
            (&[("if-match", "\"b\""), ("if-none-match", "\"a\"")], Failed),
            (&[("if-match", "\"a\""), ("if-none-match", "\"a\"")], NotModified),
            (&[("if-unmodified-since", OLD), ("if-modified-since", NEW)], Failed),
            (&[("if-match", "*"), ("if-modified-since", NEW)], NotModified),
            // What cannot be read.
            (&[("if-modified-since", "yesterday")], Send),
            (&[("if-unmodified-since", "yesterday")], Send),
            (&[("if-modified-since", NEW), ("if-modified-since", NEW)], Send),
            (&[("if-none-match", "nonsense"), ("if-modified-since", NEW)], Send),
        ] {
            assert_eq!(get("\"a\"", asked), verdict, "{asked:?}");
        }
    }

    #[test]
    fn lists_hold_tags_and_tags_hold_commas() {
        for list in ["\"a,b\"", "W/\"a,b\"", "\"x\", \"a,b\"", "\"x\",W/\"a,b\" ,\"y\"", " , \"a,b\","] {
            for tag in ["\"a,b\"", "W/\"a,b\""] {
                assert_eq!(get(tag, &[("if-none-match", list)]), Verdict::NotModified, "{list} {tag}");
            }
        }
        assert_eq!(
            get("\"y\"", &[("if-none-match", "\"x\""), ("if-none-match", "\"y\"")]),
            Verdict::NotModified
        );
        for list in ["\"a\"", "\"b\"", "b", "\"a", "", "\"x, *\""] {
            assert_eq!(get("\"a,b\"", &[("if-none-match", list)]), Verdict::Send, "{list}");
        }
    }

    #[test]
    fn what_must_be_the_same_is_compared_strongly() {
        for (tag, list, verdict) in [
            ("\"a\"", "\"x\", \"a\"", Verdict::Send),
            ("\"a\"", "W/\"a\"", Verdict::Failed),
            ("W/\"a\"", "\"a\"", Verdict::Failed),
            ("W/\"a\"", "W/\"a\"", Verdict::Failed),
            ("W/\"a\"", "*", Verdict::Send),
        ] {
            assert_eq!(get(tag, &[("if-match", list)]), verdict, "{tag} {list}");
        }
    }

    #[test]
    fn other_methods_fail_where_a_look_is_spared() {
        let answer = headers(&[("etag", "\"a\""), ("last-modified", CURRENT)]);
        let put = |asked: &[(&'static str, &str)]| Verdict::of(&Method::PUT, &headers(asked), &answer);
        assert_eq!(put(&[("if-none-match", "*")]), Verdict::Failed);
        assert_eq!(put(&[("if-none-match", "\"a\"")]), Verdict::Failed);
        assert_eq!(put(&[("if-modified-since", NEW)]), Verdict::Send);
        assert_eq!(put(&[("if-match", "\"b\"")]), Verdict::Failed);
    }

    #[test]
    fn a_range_is_wanted_of_the_very_same() {
        let time = httpdate::parse_http_date(CURRENT).expect("a date") + std::time::Duration::from_millis(7);
        for (tag, if_range, wanted) in [
            ("\"a\"", "\"a\"", true),
            ("\"a\"", "\"b\"", false),
            ("\"a\"", "W/\"a\"", false),
            ("W/\"a\"", "W/\"a\"", false),
            ("W/\"a\"", "\"a\"", false),
            ("\"a\"", CURRENT, true),
            ("\"a\"", OLD, false),
            ("\"a\"", NEW, false),
            ("\"a\"", "*", false),
            ("\"a\"", "", false),
        ] {
            let tag = tag.parse().expect("a tag");
            let asked = headers(&[("if-range", if_range)]);
            assert_eq!(wants_range(&asked, Some(&tag), Some(time)), wanted, "{tag:?} {if_range}");
        }
        assert!(wants_range(&HeaderMap::new(), None, None));
        assert!(!wants_range(&headers(&[("if-range", CURRENT)]), None, None));
        assert!(!wants_range(
            &headers(&[("if-range", "\"a\""), ("if-range", "\"a\"")]),
            Some(&"\"a\"".parse().expect("a tag")),
            None
        ));
    }
}
