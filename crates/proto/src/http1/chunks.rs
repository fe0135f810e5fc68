//! The lines of a chunked body (RFC 9112 section 7.1), and the merging of small chunks.
//!
//! Every chunk costs its reader one turn, whatever its size. So that a client cannot cause a million turns with a few
//! megabytes, small chunks that arrive together are merged before hyper parses them.

/// Bytes of chunk extensions that a body may have.
const EXTENSION_BYTES: usize = 16 * 1024;

/// Bytes that a chunk's first line may have.
pub(super) const LINE_BYTES: usize = EXTENSION_BYTES + 64;

/// Chunks of more bytes are not merged.
const SMALL: u64 = 256;

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

/// What [`merge`] did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Merged {
    /// Bytes that the merged chunks had.
    pub read: usize,
    /// Bytes of the chunk that replaces them.
    pub kept: usize,
}

/// Merges the whole small chunks at the beginning of `bytes` into one chunk, in place, if there are several.
pub(super) fn merge(bytes: &mut [u8], extensions: &mut Extensions) -> Merged {
    let mut said = *extensions;
    let (mut data, mut read, mut count) = (Vec::new(), 0, 0);
    while let Some((chunk, length)) = small_chunk(&bytes[read..], &mut said) {
        data.extend_from_slice(chunk);
        read += length;
        count += 1;
    }
    if count < 2 {
        // A single chunk stays as it is.
        return Merged::default();
    }
    *extensions = said;
    let line = format!("{:x}\r\n", data.len());
    let mut kept = 0;
    for part in [line.as_bytes(), &data, b"\r\n"] {
        // The result is shorter: two lines became one, whose number has at most one digit more for each chunk.
        bytes[kept..kept + part.len()].copy_from_slice(part);
        kept += part.len();
    }
    Merged { read, kept }
}

/// The data of a small chunk that is complete, and its length with its lines.
fn small_chunk<'b>(bytes: &'b [u8], extensions: &mut Extensions) -> Option<(&'b [u8], usize)> {
    let end = memchr::memchr(b'\n', &bytes[..bytes.len().min(LINE_BYTES)])?;
    let mut said = *extensions;
    let size =
        size(bytes[..end].strip_suffix(b"\r")?, &mut said).filter(|size| (1..=SMALL).contains(size))?;
    let (data, rest) = bytes[end + 1..].split_at_checked(size as usize)?;
    if !rest.starts_with(b"\r\n") {
        return None;
    }
    *extensions = said;
    Some((data, end + 1 + data.len() + 2))
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

    #[track_caller]
    fn merges(before: &str, after: &str, kept: usize) {
        let mut bytes = before.as_bytes().to_vec();
        let merged = merge(&mut bytes, &mut Extensions::default());
        assert_eq!((merged.kept, merged.read == 0), (kept, kept == 0), "{before}");
        bytes.copy_within(merged.read.., merged.kept);
        bytes.truncate(before.len() - (merged.read - merged.kept));
        assert_eq!(String::from_utf8_lossy(&bytes), after);
    }

    #[test]
    fn whole_small_chunks_become_one() {
        merges("1\r\na\r\n2;x\r\nbc\r\n", "3\r\nabc\r\n", 8);
        merges("1\r\na\r\n1\r\nb\r\n0\r\n\r\n", "2\r\nab\r\n0\r\n\r\n", 7);
        merges("1\r\na\r\n1\r\nb\r\n5\r\nc", "2\r\nab\r\n5\r\nc", 7);
    }

    #[test]
    fn what_is_no_run_of_whole_small_chunks_stays() {
        for bytes in [
            "",
            "1",
            "1\r\na\r\n",
            "1\r\na\r\n1\r\nb",
            "1\r\nab\n1\r\nb\r\n",
            "0\r\n\r\n",
            "x\r\n",
            "101\r\na",
        ] {
            merges(bytes, bytes, 0);
        }
        let large = format!("{0}{0}", format_args!("101\r\n{}\r\n", "x".repeat(0x101)));
        merges(&large, &large, 0);
    }
}
