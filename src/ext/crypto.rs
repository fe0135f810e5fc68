//! Random values. Half of `runtime-js/crypto.js`.

use crate::random;
use deno_core::op2;

/// Fills a view with random bytes from the operating system.
#[op2(fast)]
pub(crate) fn op_crypto_random(#[buffer] bytes: &mut [u8]) {
    random::fill(bytes);
}

/// A random UUID (RFC 9562 version 4).
#[op2]
#[string]
pub(crate) fn op_crypto_uuid() -> String {
    let bits = u128::from_be_bytes(random::bytes()) & !(0xf << 76) & !(0b11 << 62) | 4 << 76 | 0b10 << 62;
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
