//! Random bytes of the operating system, and their text.

use std::fmt::Write as _;

/// Fills a buffer with random bytes.
pub(crate) fn fill(bytes: &mut [u8]) {
    // It fails only on systems that have no source of random bytes, where nothing secret could be made.
    getrandom::fill(bytes).expect("the operating system gives random bytes");
}

/// Random bytes.
pub(crate) fn bytes<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    fill(&mut bytes);
    bytes
}

/// Bytes as hexadecimal digits, two in lower case for each.
pub(crate) fn hexadecimal<'a>(bytes: impl IntoIterator<Item = &'a u8>) -> String {
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string can be written to");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_two_digits() {
        assert_eq!(hexadecimal(&[0, 10, 255]), "000aff");
        assert_ne!(bytes::<16>(), bytes::<16>());
    }
}
