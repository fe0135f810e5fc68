//! What the owner of a line receives.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::{ChannelId, Close, Frame, LineId, MemberId};

/// Something that happened on a line, for its owner.
#[derive(Debug)]
pub enum Event {
    /// The client joined and listens.
    Opened,
    /// The client sent a message.
    Message {
        /// Its type.
        kind: String,
        /// The client's name for it; deltas and replies refer to it.
        event_id: String,
        /// What it carries.
        payload: Payload,
        /// How many reply ports it brings.
        ports: u32,
        /// Bytes that the owner acknowledges with [`Engine::acknowledge`](crate::Engine::acknowledge).
        size: usize,
    },
    /// The client answered a request of the handler.
    Reply {
        /// The `event_id` of the request.
        request: String,
        /// The reply port, counted from 0.
        port: u32,
        /// The type of the answer.
        kind: String,
        /// What it carries.
        payload: Payload,
        /// Bytes that the owner acknowledges.
        size: usize,
    },
    /// The client sent a message to a channel, and the handler decides what the other members receive. The owner answers
    /// with [`Engine::relay`](crate::Engine::relay) or not at all, and acknowledges `size` when it has decided.
    Relay {
        /// The channel that the message is addressed to.
        channel: ChannelId,
        /// Its type, without the channel.
        kind: String,
        /// The client's name for it.
        event_id: String,
        /// What it carries.
        payload: Payload,
        /// The sender.
        member: MemberId,
        /// Bytes that the owner acknowledges.
        size: usize,
    },
    /// A message was sent in a channel that the handler listens to.
    ChannelMessage {
        /// The channel.
        channel: ChannelId,
        /// The type of the message, without the channel.
        kind: String,
        /// The sender's name for it.
        event_id: String,
        /// What it carries.
        payload: Payload,
        /// The line of the sender, to which `size` is acknowledged.
        from: LineId,
        /// Bytes that the owner acknowledges.
        size: usize,
    },
    /// The client of a raw line sent a message.
    Data {
        /// The message, text or binary.
        frame: Frame,
        /// Bytes that the owner acknowledges.
        size: usize,
    },
    /// What waited for a slow client is written.
    Drained {
        /// Changes were dropped meanwhile, so that the client needs the current states in full. The owner calls
        /// [`Engine::refreshed`](crate::Engine::refreshed) when it begins to send them.
        stale: bool,
    },
    /// The line is over; no event follows.
    Closed(Close),
}

/// JSON text, shared by all who receive it. `None` is `undefined`.
pub type Payload = Option<Arc<RawValue>>;

/// A client's message, before it is known whether it is for a channel, a reply port or the handler.
#[derive(Debug)]
pub struct InboundMessage {
    /// Its type, which may be an address: `<channel>:<type>` or `<request>:<port>:<type>`.
    pub kind: String,
    /// The client's name for it.
    pub event_id: String,
    /// What it carries.
    pub payload: Payload,
    /// How many reply ports it brings.
    pub ports: u32,
    /// Bytes that count against the line's limit until its owner acknowledges them.
    pub size: usize,
}
