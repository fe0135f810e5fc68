//! Forms as browsers send them: `multipart/form-data` (RFC 7578, RFC 2046 section 5.1).
//!
//! The time to parse one is proportional to its length, whatever its content; the number of its parts and the length of
//! their heads are limited. Values are decoded as the Fetch standard requires: names and filenames are UTF-8 in which
//! `%22`, `%0D` and `%0A` stand for a quotation mark and line breaks, and a backslash is a backslash.

use std::ops::Range;

use memchr::memmem;

/// Bytes of one part's head. Browsers send a few hundred.
const MAX_HEAD: usize = 16 * 1024;

/// The media type of a file whose part names none (RFC 7578 section 4.4).
const DEFAULT_TYPE: &str = "text/plain";

/// One field of a form.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name, decoded.
    pub name: String,
    /// What is known of the file, if the field is one.
    pub file: Option<File>,
    /// The bytes of the form that are its value.
    pub value: Range<usize>,
}

/// A file's description.
#[derive(Debug, PartialEq, Eq)]
pub struct File {
    /// Its name, decoded; it may be empty.
    pub name: String,
    /// Its `Content-Type`; empty if that is not ASCII.
    pub media_type: String,
}

/// Why a form was not parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// It is cut off or breaks the format.
    #[error("the form is not whole or not well-formed: {0}")]
    Malformed(&'static str),
    /// It has more parts than the limit.
    #[error("the form has more than {0} parts, which is the limit (see --max-form-parts)")]
    Parts(usize),
    /// The head of a part is longer than 16 KiB.
    #[error("the head of one of the form's parts is longer than the limit of {MAX_HEAD} bytes")]
    Head,
}

use FormError::Malformed;

/// Parses a whole form of at most `most` parts.
///
/// # Errors
///
/// - [`FormError::Malformed`]: the boundary is empty or does not occur, a part has no end, or the head of a part has a
///   line without a colon, a bare line break, or no `Content-Disposition` of the form `form-data; name="..."`.
/// - [`FormError::Parts`]: the form has more than `most` parts (see `--max-form-parts`).
/// - [`FormError::Head`]: the head of a part has more than 16 KiB.
pub fn parse(form: &[u8], boundary: &[u8], most: usize) -> Result<Vec<Part>, FormError> {
    if boundary.is_empty() {
        return Err(Malformed("its boundary is empty"));
    }
    let delimiters = Delimiters::new(form, boundary);
    let mut next = delimiters.first()?;
    let mut parts = Vec::new();
    while !next.is_last {
        if parts.len() == most {
            return Err(FormError::Parts(most));
        }
        let (head, value) = read_head(form, next.end)?;
        // An empty line may end the head and begin the delimiter (RFC 2046 section 5.1.1).
        next = delimiters.next(value - CRLF.len()).ok_or(Malformed("a part has no end"))?;
        let Head { name, file } = head;
        parts.push(Part { name, file, value: value..next.start.max(value) });
    }
    Ok(parts)
}

const CRLF: &[u8] = b"\r\n";

/// Finds the lines that divide the parts.
struct Delimiters<'a> {
    form: &'a [u8],
    /// A line break, two hyphens and the boundary.
    mark: Vec<u8>,
    finder: memmem::Finder<'static>,
}

/// A line that divides two parts.
struct Delimiter {
    /// Where the value before it ends.
    start: usize,
    /// Where the head after it begins.
    end: usize,
    is_last: bool,
}

impl<'a> Delimiters<'a> {
    fn new(form: &'a [u8], boundary: &[u8]) -> Self {
        let mark = [b"\r\n--", boundary].concat();
        let finder = memmem::Finder::new(&mark).into_owned();
        Delimiters { form, mark, finder }
    }

    /// The delimiter before the first part. Text before it is ignored.
    fn first(&self) -> Result<Delimiter, FormError> {
        let at_start = self.form.starts_with(&self.mark[CRLF.len()..]);
        let at_start = at_start.then(|| self.read(0, self.mark.len() - CRLF.len())).flatten();
        at_start.or_else(|| self.next(0)).ok_or(Malformed("its boundary does not occur"))
    }

    /// The first delimiter at or after `from`.
    fn next(&self, from: usize) -> Option<Delimiter> {
        let marks = self.finder.find_iter(&self.form[from..]).map(|at| from + at);
        marks.filter_map(|at| self.read(at, at + self.mark.len())).next()
    }

    /// The delimiter whose boundary ends at `end`. `None`: the line goes on, so it only begins like a delimiter.
    fn read(&self, start: usize, end: usize) -> Option<Delimiter> {
        let rest = &self.form[end..];
        let is_last = rest.starts_with(b"--");
        let rest = if is_last { &rest[2..] } else { rest };
        // White space may pad the line (RFC 2046 section 5.1.1).
        let padding = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let rest = &rest[padding..];
        let end = self.form.len() - rest.len();
        match rest {
            [b'\r', b'\n', ..] => Some(Delimiter { start, end: end + CRLF.len(), is_last }),
            [] if is_last => Some(Delimiter { start, end, is_last }),
            _ => None,
        }
    }
}

/// The head of a part.
struct Head {
    name: String,
    file: Option<File>,
}

/// Parses the head of a part. Returns where its value begins, too.
fn read_head(form: &[u8], start: usize) -> Result<(Head, usize), FormError> {
    let window = &form[start..form.len().min(start + MAX_HEAD)];
    let (mut disposition, mut media_type) = (None, None);
    let mut at = 0;
    loop {
        let Some(length) = memmem::find(&window[at..], CRLF) else {
            let is_cut = start + window.len() < form.len();
            return Err(if is_cut { FormError::Head } else { Malformed("the head of a part has no end") });
        };
        let line = &window[at..at + length];
        at += length + CRLF.len();
        if line.is_empty() {
            break;
        }
        let colon = memchr::memchr(b':', line).ok_or(Malformed("a line in a part's head has no colon"))?;
        if memchr::memchr2(b'\r', b'\n', line).is_some() {
            return Err(Malformed("a line in a part's head has a bare line break"));
        }
        let value = line[colon + 1..].trim_ascii();
        match line[..colon].trim_ascii().to_ascii_lowercase().as_slice() {
            b"content-disposition" => disposition = Some(read_disposition(value)?),
            b"content-type" => media_type = Some(value),
            _ => {}
        }
    }
    let (name, filename) = disposition.ok_or(Malformed("a part has no Content-Disposition"))?;
    let file = filename.map(|name| {
        let media_type =
            media_type.map_or(DEFAULT_TYPE, |text| std::str::from_utf8(text).unwrap_or_default());
        File { name, media_type: if media_type.is_ascii() { media_type } else { "" }.to_owned() }
    });
    Ok((Head { name, file }, start + at))
}

/// Parses `form-data; name="..."; filename="..."`. Other parameters, `filename*` among them, are ignored.
fn read_disposition(value: &[u8]) -> Result<(String, Option<String>), FormError> {
    const ILL: FormError = Malformed("a part's Content-Disposition is not `form-data; name=\"...\"`");
    let kind = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
    if !value[..kind].trim_ascii().eq_ignore_ascii_case(b"form-data") {
        return Err(ILL);
    }
    let (mut name, mut filename) = (None, None);
    let mut rest = &value[kind..];
    while let Some(parameter) = rest.strip_prefix(b";") {
        let parameter = parameter.trim_ascii_start();
        if parameter.is_empty() {
            break;
        }
        let equals = memchr::memchr(b'=', parameter).ok_or(ILL)?;
        let (key, text) = (parameter[..equals].trim_ascii(), parameter[equals + 1..].trim_ascii_start());
        let text = if let Some(quoted) = text.strip_prefix(b"\"") {
            let marks = || memchr::memchr_iter(b'"', quoted);
            // Before a quotation mark curl writes a backslash, with which names of browsers may end.
            let is_end = |at: &usize| *at == 0 || quoted[at - 1] != b'\\';
            let end = marks().find(is_end).or_else(|| marks().next()).ok_or(ILL)?;
            rest = quoted[end + 1..].trim_ascii_start();
            &quoted[..end]
        } else {
            let end = memchr::memchr(b';', text).unwrap_or(text.len());
            rest = &text[end..];
            text[..end].trim_ascii_end()
        };
        let place = match key.to_ascii_lowercase().as_slice() {
            b"name" => &mut name,
            b"filename" => &mut filename,
            _ => continue,
        };
        // Of two with the same name the first counts; no browser sends two.
        place.get_or_insert_with(|| unescape(text));
    }
    if rest.is_empty() || rest == b";" { Ok((name.ok_or(ILL)?, filename)) } else { Err(ILL) }
}

/// Decodes the three escapes that browsers write for a quotation mark and for line breaks, and curl's for a quotation
/// mark.
fn unescape(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text).replace("\\\"", "\"");
    let mut plain = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some(at) = rest.find('%') {
        let (before, escape) = rest.split_at(at);
        plain.push_str(before);
        let (stands_for, length) = match escape.as_bytes() {
            [b'%', b'2', b'2', ..] => ('"', 3),
            [b'%', b'0', b'd' | b'D', ..] => ('\r', 3),
            [b'%', b'0', b'a' | b'A', ..] => ('\n', 3),
            _ => ('%', 1),
        };
        plain.push(stands_for);
        rest = &escape[length..];
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields of a form with the boundary `b`: name, filename and type, value.
    fn fields(form: &str) -> Result<Vec<String>, FormError> {
        let parts = parse(form.as_bytes(), b"b", 10)?;
        let show = |part: Part| {
            let file = part.file.map(|file| format!(" ({}, {})", file.name, file.media_type));
            format!("{}{}={}", part.name, file.unwrap_or_default(), &form[part.value])
        };
        Ok(parts.into_iter().map(show).collect())
    }

    fn field(head: &str, value: &str) -> String {
        format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n--b--\r\n")
    }

    #[test]
    fn values_are_what_stands_between_the_delimiters() {
        for value in
            ["", "x", "\r\n", "a\r\nb\n", "x--b", "\r\n--", "\r\n-b", "\r\n--bb\r\n", "\r\n--b-", "\r\n--b x"]
        {
            assert_eq!(fields(&field("name=\"n\"", value)), Ok(vec![format!("n={value}")]), "{value:?}");
        }
        let two = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
                   --b\r\ncontent-disposition:form-data;name=\"b\"\r\n\r\n2\r\n--b--";
        assert_eq!(fields(two), Ok(vec!["a=1".into(), "b=2".into()]));
    }

    #[test]
    fn names_are_what_browsers_mean_by_them() {
        let name = |head: &str| fields(&field(head, "")).map(|fields| fields.concat());
        for (head, meant) in [
            ("name=\"a;b; filename=c\"", "a;b; filename=c="),
            ("name=\"%22%0D%0A%0d%0a%20%\"", "\"\r\n\r\n%20%="),
            ("name=\"\u{e4}\u{1f600}\"", "\u{e4}\u{1f600}="),
            ("name=\"\"", "="),
            ("name=plain", "plain="),
            ("NAME = \"x\" ; other=1;", "x="),
            ("name=\"x\"; name=\"y\"", "x="),
            ("name=\"x\"; filename=\"C:\\new\\file.txt\"", "x (C:\\new\\file.txt, text/plain)="),
            ("name=\"x\"; filename=\"a\\\"b.txt\"", "x (a\"b.txt, text/plain)="),
            ("name=\"x\"; filename=\"C:\\\"", "x (C:\\, text/plain)="),
            ("filename=\"f\"; name=\"x\"", "x (f, text/plain)="),
            ("name=\"x\"; filename=\"\"", "x (, text/plain)="),
            ("name=\"x\"; filename*=UTF-8''y", "x="),
            ("name=\"x\"; filename=\"f\"\r\nContent-Type: Image/PNG ; q=1", "x (f, Image/PNG ; q=1)="),
            ("name=\"x\"\r\nContent-Type: text/html; charset=utf-16", "x="),
        ] {
            assert_eq!(name(head), Ok(meant.to_owned()), "{head}");
        }
    }

    #[test]
    fn what_stands_around_the_parts_means_nothing() {
        let form =
            format!("before --b\r\n\r\n{}after", field("name=\"n\"", "v").replace("--b\r\n", "--b \t\r\n"));
        assert_eq!(fields(&form), Ok(vec!["n=v".into()]));
        for empty in ["--b--", "--b--\r\n", "\r\n--b--", "--b--\r\nafter"] {
            assert_eq!(fields(empty), Ok(vec![]), "{empty:?}");
        }
    }

    #[test]
    fn a_head_may_end_with_its_part() {
        let form = "--b\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n--b--";
        assert_eq!(fields(form), Ok(vec!["n=".into()]));
    }

    #[test]
    fn what_is_not_whole_is_refused_wherever_it_is_cut() {
        let form = field("name=\"n\"; filename=\"f\"", "value");
        let whole = form.len() - "\r\n".len();
        for cut in 0..whole {
            assert!(matches!(fields(&form[..cut]), Err(Malformed(_))), "cut at {cut}");
        }
        assert!(fields(&form[..whole]).is_ok());
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for form in [
            "".into(),
            "x=1".into(),
            "--c\r\n\r\n--c--".into(),
            "--b\r\n\r\nvalue\r\n--b--".into(),
            "--b\r\nContent-Type: text/plain\r\n\r\nvalue\r\n--b--".into(),
            field("filename=\"f\"", ""),
            field("name=\"a\"b", ""),
            field("name=\"a", ""),
            field("name", ""),
            field("name=\"a\"\r\nno colon", ""),
            field("name=\"a\"\nX: y", ""),
            field("name=\"a\"", "").replace("form-data", "attachment"),
        ] {
            assert!(matches!(fields(&form), Err(Malformed(_))), "{form:?}");
        }
        assert!(matches!(parse(b"--\r\n--", b"", 1), Err(Malformed(_))));
    }

    #[test]
    fn parts_and_heads_have_limits() {
        let part = "--b\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n\r\n";
        let form = |count: usize| part.repeat(count) + "--b--";
        assert_eq!(fields(&form(10)).map(|fields| fields.len()), Ok(10));
        assert_eq!(fields(&form(11)), Err(FormError::Parts(10)));
        let long = |length: usize| field(&format!("name=\"n\"\r\nX: {}", "x".repeat(length)), "");
        assert!(fields(&long(MAX_HEAD / 2)).is_ok());
        assert_eq!(fields(&long(MAX_HEAD)), Err(FormError::Head));
    }

    proptest::proptest! {
        #[test]
        fn every_value_comes_back(values in proptest::collection::vec(".{0,40}(\r\n|--b|)?.{0,9}", 0..9)) {
            let boundary = "---------------------------9051914041544843365972754266";
            let mut form = String::new();
            for (at, value) in values.iter().enumerate() {
                form += &format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{at}\"\r\n\r\n{value}\r\n");
            }
            form += &format!("--{boundary}--\r\n");
            let parts = parse(form.as_bytes(), boundary.as_bytes(), 9).expect("a form");
            let read: Vec<_> = parts.into_iter().map(|part| &form[part.value]).collect();
            proptest::prop_assert_eq!(read, values);
        }

        #[test]
        fn nothing_panics(form in proptest::collection::vec(proptest::sample::select(b"\r\n-b:; \"=%x".to_vec()), 0..200)) {
            if let Ok(parts) = parse(&form, b"b", 100) {
                for part in parts {
                    proptest::prop_assert!(part.value.start <= part.value.end && part.value.end <= form.len());
                }
            }
        }
    }
}
