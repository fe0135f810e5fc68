//! The JSON of an envelope, as both sides send it: `{"message": payload, ".wq": {"type", "eventID", …}}`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// An envelope.
#[derive(Serialize, Deserialize)]
pub(crate) struct Wire<'a> {
    /// The payload. `undefined` leaves the key out.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub message: Option<&'a RawValue>,
    #[serde(borrow, rename = ".wq")]
    pub meta: Meta<'a>,
    /// Only clients send one: `connect` or `disconnect`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub ping: Option<Cow<'a, str>>,
}

/// What an envelope has besides its payload. [`Envelope`](crate::Envelope) says what the fields mean.
#[derive(Serialize, Deserialize)]
pub(crate) struct Meta<'a> {
    #[serde(borrow, default = "default_type")]
    pub r#type: Cow<'a, str>,
    #[serde(borrow, rename = "eventID", default)]
    pub event_id: Cow<'a, str>,
    /// Only the host's frames have a use for this flag and the next; from a client they are ignored, whatever they are.
    #[serde(skip_deserializing)]
    pub live: bool,
    #[serde(skip_deserializing)]
    pub bubbles: bool,
    #[serde(rename = "numPorts", default)]
    pub ports: u32,
}

/// The type of a frame that names none, or has no envelope.
pub(super) fn default_type() -> Cow<'static, str> {
    Cow::Borrowed("message")
}
