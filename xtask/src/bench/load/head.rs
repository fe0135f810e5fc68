//! The head of an HTTP answer.

/// A head whose values stay where they are.
pub struct Head<'a> {
    pub status: u16,
    fields: &'a str,
    /// How many bytes it takes, the empty line included.
    pub length: usize,
}

impl<'a> Head<'a> {
    /// The head at the beginning, if all of it is there.
    pub fn read(bytes: &'a [u8]) -> Result<Option<Self>, String> {
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
        let text = std::str::from_utf8(&bytes[..end]).map_err(|_| "a head that is no text")?;
        let (line, fields) = text.split_once("\r\n").unwrap_or((text, ""));
        match line.split(' ').nth(1).and_then(|status| status.parse().ok()) {
            Some(status) => Ok(Some(Self { status, fields, length: end + 4 })),
            None => Err(format!("an answer that begins with `{line}`")),
        }
    }

    /// All values of a header, in order.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.fields.split("\r\n").filter_map(move |line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.all(name).next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_whole_head_has_status_and_fields() {
        let bytes = b"HTTP/1.1 202 Accepted\r\nSet-Cookie: a=1\r\nset-cookie: b=2; Path=/\r\n\r\nrest";
        let head = Head::read(bytes).expect("a valid head").expect("a whole head");
        assert_eq!((head.status, head.length, head.get("x-none")), (202, bytes.len() - 4, None));
        assert_eq!(head.all("set-cookie").collect::<Vec<_>>(), ["a=1", "b=2; Path=/"]);
    }

    #[test]
    fn read_part_waits_and_foreign_text_is_an_error() {
        assert!(Head::read(b"HTTP/1.1 200 OK\r\n").expect("no error yet").is_none());
        assert!(Head::read(b"hello\r\n\r\n").is_err());
    }
}
