//! Names of actors and of what belongs to them.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// What identifies an actor: its class and 32 bytes.
#[derive(Debug, Clone)]
pub struct ActorId {
    class: Arc<str>,
    bytes: [u8; 32],
    name: Option<Arc<str>>,
}

impl ActorId {
    fn identity(&self) -> (&str, &[u8; 32]) {
        (&self.class, &self.bytes)
    }
}

impl PartialEq for ActorId {
    fn eq(&self, other: &ActorId) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for ActorId {}

impl Hash for ActorId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl PartialOrd for ActorId {
    fn partial_cmp(&self, other: &ActorId) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ActorId {
    fn cmp(&self, other: &ActorId) -> Ordering {
        self.identity().cmp(&other.identity())
    }
}

impl ActorId {
    /// The actor of this class and these bytes.
    pub fn new(class: impl Into<Arc<str>>, bytes: [u8; 32]) -> ActorId {
        ActorId { class: class.into(), bytes, name: None }
    }

    /// The actor of this class, its bytes as 64 hexadecimal digits.
    ///
    /// # Errors
    ///
    /// [`InvalidActorId`] if the text is not exactly 64 hexadecimal digits, in upper or lower case.
    pub fn parse(class: impl Into<Arc<str>>, text: &str) -> Result<ActorId, InvalidActorId> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(InvalidActorId);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |b: u8| char::from(b).to_digit(16).ok_or(InvalidActorId);
            *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
        }
        Ok(ActorId::new(class, bytes))
    }

    /// The same with the text that the bytes were made of. It does not count when ids are compared.
    pub fn named(self, name: Option<Arc<str>>) -> ActorId {
        ActorId { name, ..self }
    }

    /// The text that the bytes were made of, if it is known.
    pub fn name(&self) -> Option<&Arc<str>> {
        self.name.as_ref()
    }

    /// The name of its class.
    pub fn class(&self) -> &Arc<str> {
        &self.class
    }

    /// Its bytes as 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        self.bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A number that is the same for the same id, and spread evenly: ids are random bytes or hashes.
    pub(super) fn spread(&self) -> usize {
        let last: [u8; 8] = self.bytes[24..].try_into().expect("32 bytes end with 8 bytes");
        let class = self.class.bytes().fold(0u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        (u64::from_be_bytes(last).wrapping_add(class) >> 1) as usize
    }
}

impl fmt::Display for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.class, self.hex())
    }
}

/// The text is not 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the id of an actor: that has 64 hexadecimal digits")]
pub struct InvalidActorId;

/// One object of an actor's class, from its constructor until it is dropped. Later instances of an actor have higher
/// numbers, so that the number serves as the token of ownership.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Instance(pub(super) u64);

/// How many low bits of an [`Instance`] are the index in the table of actors; the others count all instances.
const INDEX_BITS: u32 = 24;

impl Instance {
    pub(super) fn new(serial: u64, index: usize) -> Instance {
        Instance(serial << INDEX_BITS | index as u64)
    }

    pub(super) fn index(self) -> usize {
        (self.0 & ((1 << INDEX_BITS) - 1)) as usize
    }

    /// The token that the actor's writes check. It is exact as a JavaScript number.
    pub fn token(self) -> u64 {
        self.0
    }
}

/// One event of an actor. Unique in the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(pub u64);

/// A socket that an actor keeps while it hibernates. The driver chooses the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId(pub u64);
