//! Frames of the server (RFC 6455 section 5.2). They are not masked.

/// Kinds of frames that a server sends, by their first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A whole text message.
    Text = 0x81,
    /// A whole binary message.
    Binary = 0x82,
    /// A close frame.
    Close = 0x88,
    /// A ping.
    Ping = 0x89,
    /// A pong.
    Pong = 0x8a,
}

/// Writes the header of an unmasked frame with `length` bytes of payload.
pub fn header(kind: Kind, length: usize, out: &mut Vec<u8>) {
    out.push(kind as u8);
    match length {
        0..=125 => out.push(length as u8),
        126..=0xffff => {
            out.push(126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

/// Writes a whole frame.
pub fn frame(kind: Kind, payload: &[u8], out: &mut Vec<u8>) {
    header(kind, payload.len(), out);
    out.extend_from_slice(payload);
}

/// Writes a close frame. It is empty if the code may not be sent (RFC 6455 section 7.4.1).
pub fn close_frame(code: u16, reason: &str, out: &mut Vec<u8>) {
    if matches!(code, 1005 | 1006 | 1015) {
        return frame(Kind::Close, &[], out);
    }
    let reason = &reason[..reason.floor_char_boundary(123)];
    header(Kind::Close, 2 + reason.len(), out);
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(reason.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_frame_is_short() {
        let mut out = Vec::new();
        close_frame(1000, &"ä".repeat(100), &mut out);
        assert_eq!(out.len(), 2 + 2 + 122);
        out.clear();
        close_frame(1006, "lost", &mut out);
        assert_eq!(out, [0x88, 0]);
    }
}
