//! Channels, for handlers. Half of `runtime-js/channel.js`.

use std::sync::Arc;

use deno_core::{OpState, op2};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::OpError;
use super::exchange::{Current, ExchangeState, Phase};
use liveline_proto::Envelope;
use liveline_proto::{
    Announcement, ChannelId, Input, JoinOptions, Listening, MemberId, Message, Payload, Payloads,
};

/// The options of `enterChannel()`. Payloads are JSON text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    announces: bool,
    joins: Option<String>,
    leaves: Option<String>,
    presence: Option<String>,
    allow: Option<Vec<String>>,
    decides: bool,
}

/// Adds the client of the exchange to a channel, as soon as the exchange has a line.
#[op2]
pub(crate) fn op_channel_enter(
    state: &mut OpState,
    id: f64,
    #[string] channel: &str,
    #[serde] options: Options,
) -> Result<(), OpError> {
    let channel: ChannelId = channel.parse()?;
    let Options { announces, joins, leaves, presence, allow, decides } = options;
    let (joins, leaves) = (payload(joins)?, payload(leaves)?);
    let announcement = announces.then_some(Announcement { joins, leaves });
    let entry = JoinOptions { announcement, presence: payload(presence)?, allowed: allow, decides };
    let mut exchange = state.exchange(id);
    exchange.input(Input::Enter)?;
    exchange.on_line(move |hub, line| hub.deferred_turn().enter(line, channel, entry));
    Ok(())
}

/// Removes the client of the exchange from a channel.
#[op2(fast)]
pub(crate) fn op_channel_leave(state: &mut OpState, id: f64, #[string] channel: &str) -> Result<(), OpError> {
    let channel: ChannelId = channel.parse()?;
    let mut exchange = state.exchange(id);
    exchange.input(Input::Leave)?;
    exchange.on_line(move |hub, line| hub.deferred_turn().leave(line, &channel));
    Ok(())
}

/// Subscribes the handler to messages of its own client in the channel (`client`), to messages of all members
/// (`channel`), or to joins and leaves (`presence`).
#[op2(fast)]
pub(crate) fn op_channel_listen(
    state: &mut OpState,
    id: f64,
    #[string] channel: &str,
    #[string] to: &str,
) -> Result<(), OpError> {
    let channel: ChannelId = channel.parse()?;
    let to = match to {
        "client" => Listening::Client,
        "channel" => Listening::Channel,
        _ => Listening::Presence,
    };
    state.exchange(id).on_line(move |hub, line| hub.deferred_turn().listen(line, &channel, to));
    Ok(())
}

/// Sends a message to every client in the channel. The client of the exchange receives it too, so if it can
/// join a line, the message waits for that line.
#[op2]
pub(crate) fn op_channel_post(
    state: &mut OpState,
    id: f64,
    #[string] channel: &str,
    #[string] kind: &str,
    #[string] event_id: &str,
    #[string] data: Option<String>,
) -> Result<(), OpError> {
    let channel: ChannelId = channel.parse()?;
    let envelope = Envelope { kind: &format!("{}:{kind}", channel.as_str()), event_id, ..Default::default() };
    let frame = envelope.encode(payload(data)?.as_deref());
    if state.exchange(id).phase() >= Phase::Complete {
        return Ok(());
    }
    match state.exchange(id).slot() {
        Ok(slot) if slot.can_join() => {
            state.exchange(id).on_line(move |hub, _| hub.deferred_turn().post(&channel, &frame));
        }
        _ => state.exchanges().host.hub.deferred_turn().post(&channel, &frame),
    }
    Ok(())
}

/// Relays a message of the client to the other members, with the same payload for all.
#[op2]
pub(crate) fn op_channel_relay(
    state: &mut OpState,
    id: f64,
    #[string] channel: &str,
    #[string] kind: &str,
    #[string] event_id: &str,
    #[string] data: Option<String>,
    #[smi] size: u32,
) -> Result<(), OpError> {
    let payloads = Payloads::Same(payload(data)?);
    relay(state, id, channel, Message { kind, event_id, size: size as usize }, payloads)
}

/// Relays a message of the client to the other members, with a separate payload for each.
#[op2]
pub(crate) fn op_channel_relay_each(
    state: &mut OpState,
    id: f64,
    #[string] channel: &str,
    #[string] kind: &str,
    #[string] event_id: &str,
    #[serde] payloads: Vec<(String, Option<String>)>,
    #[smi] size: u32,
) -> Result<(), OpError> {
    let payloads = payloads.into_iter().map(|(member, data)| {
        let member: MemberId = member.parse().map_err(|_| OpError::Member(member))?;
        Ok((member, payload(data)?))
    });
    let payloads = Payloads::Each(payloads.collect::<Result<_, OpError>>()?);
    relay(state, id, channel, Message { kind, event_id, size: size as usize }, payloads)
}

fn relay(
    state: &mut OpState,
    id: f64,
    channel: &str,
    message: Message,
    payloads: Payloads,
) -> Result<(), OpError> {
    if let Some((hub, line)) = state.exchange(id).line() {
        hub.deferred_turn().relay(line, &channel.parse()?, message, payloads);
    }
    Ok(())
}

/// The handler has processed `size` bytes of messages of its client: acknowledges them.
#[op2(fast)]
pub(crate) fn op_channel_heard(state: &mut OpState, id: f64, #[smi] size: u32) {
    if let Some((hub, line)) = state.exchange(id).line() {
        hub.deferred_turn().acknowledge(line, size as usize);
    }
}

/// The members of a channel, as JSON.
#[op2]
#[string]
pub(crate) fn op_channel_members(
    state: &mut OpState,
    id: f64,
    #[string] channel: &str,
) -> Result<String, OpError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Member<'a> {
        id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<&'a RawValue>,
        is_self: bool,
    }
    let Current { all, id } = state.exchange(id);
    let line = all.line(id);
    let members = all.host.hub.engine().members(&channel.parse()?, line);
    let members: Vec<_> = members
        .iter()
        .map(|it| Member { id: it.id.to_string(), data: it.data.as_deref(), is_self: it.is_self })
        .collect();
    Ok(serde_json::to_string(&members)?)
}

/// Number of members of a channel.
#[op2(fast)]
#[smi]
pub(crate) fn op_channel_size(state: &mut OpState, #[string] channel: &str) -> Result<u32, OpError> {
    let size = state.exchanges().host.hub.engine().channel_size(&channel.parse()?);
    Ok(u32::try_from(size).unwrap_or(u32::MAX))
}

fn payload(json: Option<String>) -> Result<Payload, OpError> {
    Ok(json.map(RawValue::from_string).transpose()?.map(Arc::from))
}
