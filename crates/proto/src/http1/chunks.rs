//! The first lines of chunks (RFC 9112 section 7.1).

/// Bytes of chunk extensions that a body may have.
const EXTENSION_BYTES: usize = 16 * 1024;

/// Bytes that a chunk's first line may have.
pub(super) const LINE_BYTES: usize = EXTENSION_BYTES + 64;

/// Hexadecimal digits of a size.
const DIGITS: usize = 16;

/// The extensions of a body so far.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Extensions {
    bytes: usize,
}

/// The size in a chunk's first line, which is passed without its line break. `None`: it is malformed, or its extensions
/// are too long.
pub(super) fn size(line: &[u8], extensions: &mut Extensions) -> Option<u64> {
    let digits = line.iter().take_while(|it| it.is_ascii_hexdigit()).count();
    if !(1..=DIGITS).contains(&digits) {
        return None;
    }
    let (digits, rest) = line.split_at(digits);
    extensions.bytes += rest.len();
    if extensions.bytes > EXTENSION_BYTES || !are_extensions(rest) {
        return None;
    }
    let digits = std::str::from_utf8(digits).ok()?;
    u64::from_str_radix(digits, 16).ok().filter(|size| *size < u64::MAX - 2)
}

/// Whether a text is `*( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )`, or white space.
fn are_extensions(text: &[u8]) -> bool {
    let mut rest = text.trim_ascii_start();
    while let Some(extension) = rest.strip_prefix(b";") {
        let Some(after_name) = after_token(extension.trim_ascii_start()) else { return false };
        rest = after_name.trim_ascii_start();
        if let Some(value) = rest.strip_prefix(b"=") {
            let value = value.trim_ascii_start();
            let Some(after) = after_token(value).or_else(|| after_quoted(value)) else { return false };
            rest = after.trim_ascii_start();
        }
    }
    // `trim_ascii_start` takes more for white space than a line may have.
    rest.is_empty() && text.iter().all(|it| !matches!(it, b'\n' | b'\r' | b'\x0c'))
}

/// What follows a token (RFC 9110 section 5.6.2).
fn after_token(text: &[u8]) -> Option<&[u8]> {
    let of_token = |it: &&u8| it.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(it);
    let length = text.iter().take_while(of_token).count();
    (length > 0).then(|| &text[length..])
}

/// What follows a quoted string (RFC 9110 section 5.6.4).
fn after_quoted(text: &[u8]) -> Option<&[u8]> {
    let mut bytes = text.strip_prefix(b"\"")?.iter();
    loop {
        let is_text = |it: u8| it == b'\t' || (it >= b' ' && it != 0x7f);
        match *bytes.next()? {
            b'"' => return Some(bytes.as_slice()),
            b'\\' if bytes.next().is_some_and(|it| is_text(*it)) => {}
            it if it != b'\\' && is_text(it) => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sized(line: &str) -> Option<u64> {
        size(line.as_bytes(), &mut Extensions::default())
    }

    #[test]
    fn extensions_are_names_with_or_without_a_value() {
        for line in [
            "5",
            "5 ",
            "5\t",
            "5;a",
            "5;a=b",
            "5 ; a = b",
            "5;a=\"\"",
            "5;a=\"b;\\\"c\\\\\";d",
            "005;!#$%&'*+-.^_`|~=1",
            "5;a=\"\u{e9}\"",
        ] {
            assert_eq!(sized(line), Some(5), "{line}");
        }
        for line in [
            "",
            ";a",
            " 5",
            "5;",
            "5; ",
            "5;;a",
            "5;=b",
            "5;a=",
            "5;a=;b",
            "5;a=\"b",
            "5;a=b c",
            "5;a=\"b\"c",
            "5 a",
            "5,a",
            "5;a=\"\r\"",
            "5;a\r",
            "5\n",
            "5;a=\"\0\"",
            "5;a=\"\\",
            "5;a\u{e9}",
            "5;a=\"\x7f\"",
            "0x5",
            "+5",
            "-5",
            "00000000000000005",
        ] {
            assert_eq!(sized(line), None, "{line:?}");
        }
    }

    #[test]
    fn extensions_of_a_body_have_a_limit_together() {
        let mut extensions = Extensions::default();
        let line = format!("5;{}", "a".repeat(1023));
        for _ in 0..16 {
            assert_eq!(size(line.as_bytes(), &mut extensions), Some(5));
        }
        assert_eq!(size(line.as_bytes(), &mut extensions), None);
    }
}
