//! The few WebSocket frames that a load needs: unmasked ones in, masked ones out.

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;

/// A frame of a server.
#[derive(Debug, PartialEq)]
pub struct Frame<'a> {
    pub opcode: u8,
    pub payload: &'a [u8],
    /// How many bytes it takes, its head included.
    pub length: usize,
}

/// Appends a client's frame. Its mask is zero, which changes nothing: the server unmasks it as any other,
/// and the loader saves the work.
pub fn write(opcode: u8, payload: &[u8], into: &mut Vec<u8>) {
    into.push(FINAL | opcode);
    match payload.len() {
        short @ 0..=125 => into.push(MASKED | short as u8),
        middle @ 126..=0xffff => {
            into.push(MASKED | 126);
            into.extend_from_slice(&(middle as u16).to_be_bytes());
        }
        long => {
            into.push(MASKED | 127);
            into.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    into.extend_from_slice(&[0; 4]);
    into.extend_from_slice(payload);
}

/// The first frame, if all of it is there; an error is something that no server may send us.
pub fn read(bytes: &[u8]) -> Result<Option<Frame<'_>>, String> {
    let &[first, second, ..] = bytes else { return Ok(None) };
    if second & MASKED != 0 {
        return Err("a masked frame from a server".to_owned());
    }
    let number = |from: usize, to: usize| {
        let digits = bytes.get(from..to)?;
        Some(digits.iter().fold(0_u64, |sum, digit| sum << 8 | u64::from(*digit)) as usize)
    };
    let (head, payload) = match second {
        126 => (4, number(2, 4)),
        127 => (10, number(2, 10)),
        short => (2, Some(usize::from(short))),
    };
    let Some(length) = payload.map(|payload| head + payload) else { return Ok(None) };
    match (first & FINAL != 0, first & 0x70, first & 0x0f) {
        (true, 0, TEXT | BINARY | CLOSE | PING | PONG) => {}
        _ => {
            return Err(format!(
                "a frame that begins with {first:#04x}: fragments and extensions are not for us"
            ));
        }
    }
    Ok(bytes.get(head..length).map(|payload| Frame { opcode: first & 0x0f, payload, length }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_server(payload: &[u8]) -> Vec<u8> {
        let mut masked = Vec::new();
        write(TEXT, payload, &mut masked);
        // The same without the mask.
        let head = masked.len() - payload.len() - 4;
        masked[1] &= !MASKED;
        masked.drain(head..head + 4);
        masked
    }

    #[test]
    fn read_every_length_is_what_was_written() {
        for size in [0, 1, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; size];
            let bytes = from_server(&payload);
            let frame = read(&bytes).expect("a valid frame").expect("a whole frame");
            assert_eq!((frame.opcode, frame.payload, frame.length), (TEXT, &payload[..], bytes.len()));
        }
    }

    #[test]
    fn read_part_of_a_frame_waits_for_the_rest() {
        let bytes = from_server(&[b'x'; 300]);
        for end in [0, 1, 2, 3, 4, 100, bytes.len() - 1] {
            assert_eq!(read(&bytes[..end]), Ok(None), "{end} bytes");
        }
    }

    #[test]
    fn read_masked_or_fragmented_is_an_error() {
        assert!(read(&[FINAL | TEXT, MASKED, 0, 0, 0, 0]).is_err());
        assert!(read(&[TEXT, 0]).is_err());
        assert!(read(&[FINAL, 0]).is_err());
    }
}
