//! Splits URL paths into segments, and decodes the percent escapes of segments.
//!
//! Resolution and re-routing both use it. Nothing allocates.

use std::iter;
use std::str;

/// The segments of a URL path, escapes untouched; empty ones (`//`, a trailing `/`) are dropped.
pub(crate) fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

/// The decoded bytes of a segment. A `%` without two hex digits behind it stays.
pub(super) fn decoded(segment: &str) -> impl Iterator<Item = u8> + '_ {
    let mut rest = segment.as_bytes();
    iter::from_fn(move || {
        let (byte, tail) = match *rest {
            [] => return None,
            [b'%', high, low, ref tail @ ..] if let Some(byte) = hex_pair(high, low) => (byte, tail),
            [byte, ref tail @ ..] => (byte, tail),
        };
        rest = tail;
        Some(byte)
    })
}

/// Whether two segments name the same folder.
pub(super) fn same_segment(one: &str, other: &str) -> bool {
    decoded(one).eq(decoded(other))
}

/// Whether a segment is `.`, with or without escapes.
pub(super) fn is_current(segment: &str) -> bool {
    decoded(segment).eq(*b".")
}

/// Whether a segment is `..`, with or without escapes.
pub(super) fn is_parent(segment: &str) -> bool {
    decoded(segment).eq(*b"..")
}

/// Whether a segment can be a folder's name: text, and not one of the two dot segments.
pub(super) fn is_name(segment: &str) -> bool {
    !is_current(segment) && !is_parent(segment) && (!segment.contains('%') || is_utf8(decoded(segment)))
}

/// Whether a decoded segment contains a separator of paths, so that a file system would read it as several segments.
pub(super) fn holds_separator(segment: &str) -> bool {
    decoded(segment).any(|byte| std::path::is_separator(char::from(byte)))
}

fn is_utf8(mut bytes: impl Iterator<Item = u8>) -> bool {
    while let Some(lead) = bytes.next() {
        let width = match lead {
            0x00..=0x7f => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => return false,
        };
        let mut character = [lead, 0, 0, 0];
        for slot in &mut character[1..width] {
            // Zero cannot continue a character, so one cut short fails the check below.
            *slot = bytes.next().unwrap_or(0);
        }
        if str::from_utf8(&character[..width]).is_err() {
            return false;
        }
    }
    true
}

fn hex_pair(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn segments_doubled_and_trailing_slashes_dropped() {
        assert_eq!(segments("//a///b/").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(segments("/").count(), 0);
        assert_eq!(segments("").count(), 0);
    }

    #[test]
    fn decoded_broken_escape_stands_for_itself() {
        let text = |segment| String::from_utf8(decoded(segment).collect()).unwrap();
        assert_eq!(text("a%20b"), "a b");
        assert_eq!(text("%zz%4"), "%zz%4");
        assert_eq!(text("%%41"), "%A");
        assert_eq!(text("%+1"), "%+1");
    }

    #[test]
    fn is_name_dot_segments_and_broken_text_refused() {
        for refused in [".", "..", "%2e", "%2E.", ".%2e", "%ff", "%c3", "%c3a", "%ed%a0%80", "%c0%af"] {
            assert!(!is_name(refused), "{refused}");
        }
        for accepted in ["a", "...", ".a", "%zz", "%C3%A9", "é", "%F0%9F%90%A2", "a%2Fb"] {
            assert!(is_name(accepted), "{accepted}");
        }
    }

    proptest! {
        #[test]
        fn is_utf8_any_bytes_as_the_standard_library_says(bytes in prop::collection::vec(any::<u8>(), 0..8)) {
            prop_assert_eq!(is_utf8(bytes.iter().copied()), str::from_utf8(&bytes).is_ok());
        }
    }
}
