//! Ids of actors: 16 bytes that name the actor, and 16 bytes that prove that they were made for its class.

use crate::random;
use deno_core::{OpState, op2};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// Bytes of each half of an id.
const HALF: usize = 16;

type Half = [u8; HALF];

/// The key of a class: ids of one class are invalid for every other.
fn key_of(class: &str) -> [u8; 32] {
    Sha256::digest(format!("liveline actor {class}")).into()
}

fn mac(class: &str, bytes: &[u8]) -> Half {
    let mut mac = Hmac::<Sha256>::new_from_slice(&key_of(class)).expect("HMAC keys have any length");
    mac.update(bytes);
    let mut half = Half::default();
    half.copy_from_slice(&mac.finalize().into_bytes()[..HALF]);
    half
}

fn text(class: &str, base: &Half) -> String {
    let check = mac(class, base);
    random::hexadecimal(base.iter().chain(&check))
}

/// The id that a name has in a class.
#[op2]
#[string]
pub(crate) fn op_actor_id_of_name(#[string] class: &str, #[string] name: &str) -> String {
    text(class, &mac(class, name.as_bytes()))
}

/// A fresh id.
#[op2]
#[string]
pub(crate) fn op_actor_id_unique(#[string] class: &str) -> String {
    let mut base = Half::default();
    random::fill(&mut base);
    // Ids of names are spread over all numbers; the first bit keeps both kinds apart.
    base[0] |= 0x80;
    text(class, &base)
}

/// The id with these digits, in lower case; empty if they are no id of the class.
#[op2]
#[string]
pub(crate) fn op_actor_id_of_text(
    _state: &mut OpState,
    #[string] class: &str,
    #[string] digits: &str,
) -> String {
    checked(class, digits).unwrap_or_default()
}

fn checked(class: &str, digits: &str) -> Option<String> {
    if digits.len() != 4 * HALF || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let lower = digits.to_ascii_lowercase();
    let mut base = Half::default();
    for (index, byte) in base.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&lower[2 * index..2 * index + 2], 16).ok()?;
    }
    (text(class, &base) == lower).then_some(lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_id_which_only_its_class_accepts() {
        let id = text("Room", &mac("Room", b"lobby"));
        assert_eq!(id, text("Room", &mac("Room", b"lobby")));
        assert_eq!(checked("Room", &id.to_uppercase()), Some(id.clone()));
        assert_eq!(checked("User", &id), None);
        assert_eq!(checked("Room", &id[..63]), None);
        assert_eq!(checked("Room", &"0".repeat(64)), None);
        assert_ne!(id, text("Room", &mac("Room", b"lobby2")));
    }
}
