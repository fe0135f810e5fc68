//! The fields of a head: their places in its bytes, and the names that are recognized.

/// A part of a head's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// A head is limited to less than 4 GiB, see [`HeadLimits`](super::HeadLimits).
    pub(super) fn new(start: usize, end: usize) -> Span {
        Span { start: start as u32, end: end as u32 }
    }

    /// The bytes themselves. `bytes` are those that were parsed.
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.range()]
    }

    /// As a range of the bytes that were parsed.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// One field line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The name, as it was sent.
    pub name: Span,
    /// The value without white space around it.
    pub value: Span,
    /// Which name it is, if it is one that is recognized.
    pub known: Option<Known>,
}

macro_rules! known {
    ($($variant:ident = $name:literal, $title:literal;)*) => {
        /// The names that are recognized while a head is parsed: those that decide about the connection, and those that
        /// clients send with most requests.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each is the name that it stands for")]
        pub enum Known {
            $($variant,)*
        }

        impl Known {
            /// Every name.
            pub const ALL: &[Known] = &[$(Known::$variant,)*];

            /// The name in lower case.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Known::$variant => $name,)*
                }
            }

            /// The name as most clients of HTTP/1.1 write it, if not in lower case.
            const fn title(self) -> &'static str {
                match self {
                    $(Known::$variant => $title,)*
                }
            }
        }
    };
}

known! {
    Accept = "accept", "Accept";
    AcceptEncoding = "accept-encoding", "Accept-Encoding";
    AcceptLanguage = "accept-language", "Accept-Language";
    Authorization = "authorization", "Authorization";
    CacheControl = "cache-control", "Cache-Control";
    Connection = "connection", "Connection";
    ContentLength = "content-length", "Content-Length";
    ContentType = "content-type", "Content-Type";
    Cookie = "cookie", "Cookie";
    Expect = "expect", "Expect";
    Host = "host", "Host";
    IfModifiedSince = "if-modified-since", "If-Modified-Since";
    IfNoneMatch = "if-none-match", "If-None-Match";
    Origin = "origin", "Origin";
    Pragma = "pragma", "Pragma";
    Range = "range", "Range";
    Referer = "referer", "Referer";
    SecWebSocketExtensions = "sec-websocket-extensions", "Sec-WebSocket-Extensions";
    SecWebSocketKey = "sec-websocket-key", "Sec-WebSocket-Key";
    SecWebSocketProtocol = "sec-websocket-protocol", "Sec-WebSocket-Protocol";
    SecWebSocketVersion = "sec-websocket-version", "Sec-WebSocket-Version";
    Te = "te", "TE";
    TransferEncoding = "transfer-encoding", "Transfer-Encoding";
    Upgrade = "upgrade", "Upgrade";
    UpgradeInsecureRequests = "upgrade-insecure-requests", "Upgrade-Insecure-Requests";
    UserAgent = "user-agent", "User-Agent";
}

impl Known {
    /// The name that `name` is in any case. The length decides between most of them.
    pub(super) fn of(name: &[u8]) -> Option<Known> {
        use Known::*;
        let candidates: &[Known] = match name.len() {
            2 => &[Te],
            4 => &[Host],
            5 => &[Range],
            6 => match name[0] | 0x20 {
                b'a' => &[Accept],
                b'c' => &[Cookie],
                b'e' => &[Expect],
                b'o' => &[Origin],
                _ => &[Pragma],
            },
            7 => match name[0] | 0x20 {
                b'u' => &[Upgrade],
                _ => &[Referer],
            },
            10 => match name[0] | 0x20 {
                b'c' => &[Connection],
                _ => &[UserAgent],
            },
            12 => &[ContentType],
            13 => match name[0] | 0x20 {
                b'a' => &[Authorization],
                b'c' => &[CacheControl],
                _ => &[IfNoneMatch],
            },
            14 => &[ContentLength],
            15 => &[AcceptEncoding, AcceptLanguage],
            17 => match name[0] | 0x20 {
                b't' => &[TransferEncoding],
                b's' => &[SecWebSocketKey],
                _ => &[IfModifiedSince],
            },
            21 => &[SecWebSocketVersion],
            22 => &[SecWebSocketProtocol],
            24 => &[SecWebSocketExtensions],
            25 => &[UpgradeInsecureRequests],
            _ => return None,
        };
        candidates.iter().copied().find(|it| {
            // The usual spellings are compared whole, others byte by byte.
            name == it.title().as_bytes()
                || name == it.name().as_bytes()
                || name.eq_ignore_ascii_case(it.name().as_bytes())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_recognized_in_any_case() {
        for known in Known::ALL {
            let name = known.name();
            assert_eq!(Known::of(name.as_bytes()), Some(*known));
            assert_eq!(Known::of(name.to_uppercase().as_bytes()), Some(*known));
            assert_eq!(Known::of(known.title().as_bytes()), Some(*known));
            assert!(known.title().eq_ignore_ascii_case(name));
            let mut other = name.as_bytes().to_vec();
            *other.last_mut().expect("a name") ^= 0x40;
            assert_eq!(Known::of(&other), None);
        }
        for name in ["", "x", "hos", "hosts", "x-host", "kookie", "content_length"] {
            assert_eq!(Known::of(name.as_bytes()), None, "{name}");
        }
    }
}
