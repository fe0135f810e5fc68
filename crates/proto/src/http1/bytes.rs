//! Which bytes may stand where in a head (RFC 9110 section 5.6.2, RFC 9112 sections 3 and 5), looked up and searched for.

/// Bytes of a token: methods and names of fields.
const TOKEN: u8 = 1;
/// Bytes of a target: visible ASCII, and what is beyond ASCII. Which of them an address may have is for the parser of
/// addresses to decide.
const TARGET: u8 = 2;
/// Bytes of a field's value: visible ASCII, space, tab, and what is beyond ASCII.
const VALUE: u8 = 4;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let it = byte as u8;
        let is_token = it.is_ascii_alphanumeric()
            || matches!(
                it,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            );
        if is_token {
            classes[byte] |= TOKEN;
        }
        if it > b' ' && it != 0x7f {
            classes[byte] |= TARGET;
        }
        if it == b'\t' || (it >= b' ' && it != 0x7f) {
            classes[byte] |= VALUE;
        }
        byte += 1;
    }
    classes
};

fn is(class: u8, byte: u8) -> bool {
    CLASSES[usize::from(byte)] & class != 0
}

/// Whether a byte may be part of a token.
pub(super) fn is_token(byte: u8) -> bool {
    is(TOKEN, byte)
}

/// The length of the token that `bytes` begin with.
pub(super) fn token(bytes: &[u8]) -> usize {
    bytes.iter().position(|it| !is_token(*it)).unwrap_or(bytes.len())
}

/// The length of the target that `bytes` begin with.
pub(super) fn target(bytes: &[u8]) -> usize {
    bytes.iter().position(|it| !is(TARGET, *it)).unwrap_or(bytes.len())
}

/// Bytes that are looked at together: one vector register.
const BLOCK: usize = 16;

/// The length of the field value that `bytes` begin with, with the white space around it.
pub(super) fn value(bytes: &[u8]) -> usize {
    let mut length = 0;
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    for block in blocks {
        // Without a branch for each byte, so that the compiler compares all of them at once. A tab ends the loop, too,
        // and is rare enough.
        let is_odd = block.iter().fold(false, |is_odd, it| is_odd | (*it < b' ') | (*it == 0x7f));
        if is_odd {
            break;
        }
        length += BLOCK;
    }
    length + bytes[length..].iter().position(|it| !is(VALUE, *it)).unwrap_or(bytes.len() - length)
}

/// The part of a value that is not white space (RFC 9110 section 5.6.3), as a range of `bytes`.
pub(super) fn trimmed(bytes: &[u8], mut start: usize, mut end: usize) -> (usize, usize) {
    let is_space = |it: u8| it == b' ' || it == b'\t';
    while start < end && is_space(bytes[start]) {
        start += 1;
    }
    while start < end && is_space(bytes[end - 1]) {
        end -= 1;
    }
    (start, end)
}

/// The number that a text of digits is. `None`: it is another text, or too large.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_ends_a_value_unless_it_may_be_part_of_one() {
        for byte in 0..=u8::MAX {
            let is_part = byte == b'\t' || (byte >= b' ' && byte != 0x7f);
            for before in 0..40 {
                let mut bytes = vec![b'x'; before];
                bytes.push(byte);
                bytes.extend_from_slice(&[b'y'; 30]);
                let length = if is_part { bytes.len() } else { before };
                assert_eq!(value(&bytes), length, "{byte:#x} after {before}");
            }
        }
    }

    #[test]
    fn numbers_are_digits_and_fit() {
        for (text, number) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("99999999999999999999", None),
            ("", None),
            ("+1", None),
            ("-1", None),
            ("1 1", None),
            ("0x1", None),
            ("1,1", None),
        ] {
            assert_eq!(decimal(text.as_bytes()), number, "{text}");
        }
    }
}
