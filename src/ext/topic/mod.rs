//! Topics, for handlers. Half of `runtime-js/topic/`.

pub(crate) mod carry;
mod forward;
mod stream;

use std::borrow::Cow;
use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;

use bytes::Bytes;
use deno_core::{OpState, Resource, ResourceId, ToJsBuffer, op2};
use hyper::Method;
use hyper::header::SEC_WEBSOCKET_PROTOCOL;
use serde::{Deserialize, Serialize};

use self::stream::{Access, StreamRequest, is_stream_query, refusal};
use super::OpError;
use super::answer::give;
use super::exchange::{ExchangeState, Phase};
use super::request::{collect, url};
use crate::http::{Answer, Audience};
use crate::topics::{Feed, Incoming, PresentConnection, Subscriber, TopicHub, Wire};
use liveline_proto::topic::{
    Budget, Content, Create, Delivery, Encoding, Filter, FilterMode, From, Keep, Lifetime, Message, Metadata,
    Pattern, Position, PresenceTimes, Producer, Publication, Rate, Settings, Slow, Subscribe, Taken, Target,
    TopicError, TopicName,
};
use liveline_proto::{Format, network};

pub(crate) use forward::{op_topic_ended, op_topic_forward, op_topic_forward_stop};

/// Bytes of messages that one call of JavaScript receives.
const BATCH_BYTES: usize = 256 * 1024;

fn hub(state: &OpState) -> TopicHub {
    state.borrow::<super::Exchanges>().host.topics.clone()
}

fn name(text: &str) -> Result<TopicName, OpError> {
    Ok(text.parse::<TopicName>().map_err(TopicError::from)?)
}

/// The name of a topic, or of the topic that has the changes of its presence.
fn any_name(text: &str) -> Result<TopicName, OpError> {
    match text.strip_suffix("#presence") {
        Some(topic) => Ok(name(topic)?.of_presence()),
        None => name(text),
    }
}

/// How a topic behaves, as handlers set it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SettingsOption {
    history: Option<usize>,
    bytes: Option<usize>,
    latest: bool,
    rate: Option<f64>,
    publisher_rate: Option<f64>,
    idle: Option<u64>,
    grace: Option<u64>,
    expiry: Option<u64>,
}

/// Sets how a topic behaves.
#[op2]
pub(crate) fn op_topic_configure(
    state: &mut OpState,
    #[string] topic: &str,
    #[serde] options: SettingsOption,
) -> Result<(), OpError> {
    let (hub, topic) = (hub(state), name(topic)?);
    let mut turn = hub.turn();
    let usual = turn.settings();
    let keep = Keep {
        messages: options.history.unwrap_or(usual.keep.messages),
        bytes: options.bytes.unwrap_or(usual.keep.bytes),
        refuses: false,
    };
    let settings = Settings {
        keep,
        is_latest: options.latest,
        rate: options.rate.map(Rate::per_second),
        publisher_rate: options.publisher_rate.map(Rate::per_second),
        idle: options.idle.unwrap_or(usual.idle),
        presence: PresenceTimes {
            grace: options.grace.unwrap_or(usual.presence.grace),
            expiry: options.expiry,
        },
        ..usual
    };
    Ok(turn.configure(&topic, settings)?)
}

/// Creates a topic with a media type, or checks that it exists with that.
#[op2]
pub(crate) fn op_topic_create(
    state: &mut OpState,
    #[string] topic: &str,
    #[string] media_type: &str,
    #[serde] ttl: Option<u64>,
) -> Result<bool, OpError> {
    let lifetime = ttl.map(Lifetime::Sliding);
    let create = Create { media_type: Some(media_type), lifetime, ..Create::default() };
    Ok(hub(state).turn().create(&name(topic)?, create)?.is_new)
}

/// What the data of a topic is, by the numbers of `topic/topic.js`. The topic exists from now on.
#[op2(fast)]
#[smi]
pub(crate) fn op_topic_content(state: &mut OpState, #[string] topic: &str) -> Result<u32, OpError> {
    let hub = hub(state);
    let topic = any_name(topic)?;
    let mut turn = hub.turn();
    turn.ensure(&topic)?;
    Ok(number(turn.info(&topic)?.content))
}

fn number(content: Content) -> u32 {
    match content {
        Content::Json => 0,
        Content::Text => 1,
        Content::Binary => 2,
    }
}

/// What a message is besides its data.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PublishOptions {
    event: Option<String>,
    key: Option<String>,
    producer: Option<Producer>,
    retain: bool,
    filter: Option<Metadata>,
    overlaps: bool,
    publisher: Option<String>,
    origin: Option<u64>,
    close: bool,
}

/// What was published.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PublishResult {
    id: String,
    duplicate: bool,
    subscribers: usize,
}

/// Publishes a message of JSON or text.
#[op2]
#[serde]
pub(crate) fn op_topic_publish(
    state: &mut OpState,
    #[string] topic: &str,
    #[string] data: Option<String>,
    #[serde] options: PublishOptions,
) -> Result<PublishResult, OpError> {
    publish(state, topic, data.map(Bytes::from), options)
}

/// Publishes a message of bytes.
#[op2]
#[serde]
pub(crate) fn op_topic_publish_bytes(
    state: &mut OpState,
    #[string] topic: &str,
    #[anybuffer] data: &[u8],
    #[serde] options: PublishOptions,
) -> Result<PublishResult, OpError> {
    publish(state, topic, Some(Bytes::copy_from_slice(data)), options)
}

fn publish(
    state: &mut OpState,
    topic: &str,
    data: Option<Bytes>,
    options: PublishOptions,
) -> Result<PublishResult, OpError> {
    let mode = if options.overlaps { FilterMode::Overlap } else { FilterMode::Subset };
    let publication = Publication {
        entries: data.into_iter().collect(),
        event: options.event.as_deref(),
        key: options.key.as_deref(),
        producer: options.producer,
        retains: options.retain,
        filter: options.filter.map(|metadata| Filter { metadata, mode }),
        origin: options.origin,
        publisher: options.publisher.as_deref(),
        closes: options.close,
        ..Publication::default()
    };
    let published = hub(state).turn().publish(&name(topic)?, publication)?;
    Ok(PublishResult {
        id: published.id.to_string(),
        duplicate: published.is_duplicate,
        subscribers: published.subscribers,
    })
}

/// Resolves when everything that was published before is in the store.
#[op2]
pub(crate) async fn op_topic_stored(state: Rc<RefCell<OpState>>) -> Result<(), OpError> {
    let hub = hub(&state.borrow());
    hub.stored().await.map_err(|error| OpError::TopicStore(error.to_string()))
}

/// Deletes a topic. False: there was none.
#[op2(fast)]
pub(crate) fn op_topic_delete(state: &mut OpState, #[string] topic: &str) -> Result<bool, OpError> {
    let deleted = hub(state).turn().delete(&name(topic)?);
    match deleted {
        Ok(()) => Ok(true),
        Err(TopicError::Unknown | TopicError::Deleted) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// A message, or a gap, for JavaScript.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Item {
    id: String,
    topic: Option<String>,
    event: Option<String>,
    retained: bool,
    /// What the data is.
    kind: u32,
    text: Option<String>,
    bytes: Option<ToJsBuffer>,
    /// It is a gap.
    gap: bool,
    missed: Option<u64>,
}

impl Item {
    fn of(message: &Message, shares: bool) -> Item {
        let is_binary = message.content == Content::Binary;
        let id = if shares { message.shared_id } else { message.id };
        Item {
            id: id.to_string(),
            topic: Some(message.topic.to_string()),
            event: message.event.as_deref().map(str::to_owned),
            retained: message.is_retained,
            kind: number(message.content),
            text: (!is_binary).then(|| String::from_utf8_lossy(&message.data).into_owned()),
            bytes: is_binary.then(|| message.data.to_vec().into()),
            gap: false,
            missed: None,
        }
    }

    fn of_delivery(delivery: &Delivery, shares: bool) -> Item {
        match delivery {
            Delivery::Message(message) => Item::of(message, shares),
            Delivery::Gap(gap) => Item {
                id: gap.next.to_string(),
                topic: None,
                event: None,
                retained: false,
                kind: 0,
                text: None,
                bytes: None,
                gap: true,
                missed: gap.missed,
            },
        }
    }
}

/// The newest message of a topic.
#[op2]
#[serde]
pub(crate) fn op_topic_latest(state: &mut OpState, #[string] topic: &str) -> Result<Option<Item>, OpError> {
    let topic = any_name(topic)?;
    Ok(hub(state).turn().latest(&topic).map(|message| Item::of(&message, false)))
}

/// What a subscriber wants.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SubscribeOptions {
    topic: Option<String>,
    patterns: Vec<String>,
    /// The id behind which it continues.
    after: Option<String>,
    /// How many messages before it receives, or all that are kept with -1.
    replay: Option<i64>,
    /// What is known of the subscriber.
    metadata: Metadata,
    origin: Option<u64>,
    slow: Option<String>,
    /// How many messages it may be behind.
    budget: Option<u64>,
    /// It receives no retained value.
    fresh: bool,
    /// A GET is answered with server-sent events, whatever the client accepts.
    events: bool,
    member: Option<String>,
    data: Option<String>,
    #[serde(flatten)]
    access: Access,
}

impl SubscribeOptions {
    fn target(&self) -> Result<Target, OpError> {
        match &self.topic {
            Some(topic) => Ok(Target::Topic(any_name(topic)?)),
            None => {
                let patterns = self.patterns.iter().map(|pattern| pattern.parse::<Pattern>());
                let patterns = patterns.collect::<Result<_, _>>().map_err(TopicError::from)?;
                Ok(Target::Patterns(patterns))
            }
        }
    }

    /// Where it begins; `after` is the id that a client has sent.
    fn from(&self, after: Option<&str>) -> From {
        match (after.or(self.after.as_deref()), self.replay) {
            // An id that cannot be read is one that is not known: everything that is kept comes after a notice.
            (Some(after), _) => From::After(after.parse().unwrap_or(Position { epoch: u64::MAX, offset: 0 })),
            (None, Some(-1)) => From::Start,
            (None, Some(messages)) if messages > 0 => From::Last(messages.unsigned_abs()),
            (None, _) => From::Now,
        }
    }

    fn subscribe(&self, after: Option<&str>) -> Result<Subscribe, OpError> {
        let slow = match self.slow.as_deref() {
            None | Some("drop") => Slow::DropOldest,
            Some("latest") => Slow::Latest,
            Some("close") => Slow::Close,
            Some(other) => {
                return Err(OpError::TopicOption(format!("slow is drop, latest or close, not {other:?}")));
            }
        };
        Ok(Subscribe {
            to: self.target()?,
            from: self.from(after),
            metadata: self.metadata.clone(),
            origin: self.origin,
            slow,
            budget: Budget { messages: self.budget.unwrap_or(u64::MAX), bytes: u64::MAX },
            wants_retained: !self.fresh,
        })
    }
}

/// A subscriber of JavaScript.
struct Following {
    subscriber: Subscriber,
    shares: bool,
    closed: tokio::sync::Notify,
}

impl Resource for Following {
    fn name(&self) -> Cow<'_, str> {
        "topicSubscriber".into()
    }

    fn close(self: Rc<Self>) {
        self.closed.notify_one();
    }
}

/// Subscribes JavaScript to a topic, or to all that patterns match.
#[op2]
#[smi]
pub(crate) fn op_topic_subscribe(
    state: &mut OpState,
    #[serde] options: SubscribeOptions,
) -> Result<ResourceId, OpError> {
    let subscribe = options.subscribe(None)?;
    let shares = options.topic.is_none();
    let subscriber = hub(state).subscribe(subscribe)?;
    Ok(state.resource_table.add(Following { subscriber, shares, closed: tokio::sync::Notify::new() }))
}

/// Ends a subscription. Nothing happens if it has ended.
#[op2(fast)]
pub(crate) fn op_topic_unsubscribe(state: &mut OpState, #[smi] id: ResourceId) {
    if let Ok(following) = state.resource_table.take::<Following>(id) {
        following.close();
    }
}

/// The next messages; null: none follow.
#[op2]
#[serde]
pub(crate) async fn op_topic_next(state: Rc<RefCell<OpState>>, #[smi] id: ResourceId) -> Option<Vec<Item>> {
    let following = state.borrow().resource_table.get::<Following>(id).ok()?;
    loop {
        let mut deliveries = Vec::new();
        let taken = following.subscriber.take(BATCH_BYTES, &mut deliveries);
        if !deliveries.is_empty() {
            let item = |delivery| Item::of_delivery(delivery, following.shares);
            return Some(deliveries.iter().map(item).collect());
        }
        if let Taken::Ended(_) = taken {
            return None;
        }
        tokio::select! {
            () = following.subscriber.changed() => {}
            () = following.closed.notified() => return None,
        }
    }
}

/// A member's presence that a handler keeps.
struct Presence(PresentConnection);

impl Resource for Presence {
    fn name(&self) -> Cow<'_, str> {
        "topicPresence".into()
    }
}

/// A member is present at a topic from now on.
#[op2]
#[smi]
pub(crate) fn op_topic_enter(
    state: &mut OpState,
    #[string] topic: &str,
    #[string] member: &str,
    #[string] data: Option<String>,
) -> Result<ResourceId, OpError> {
    let data = data.unwrap_or_else(|| "null".to_owned());
    let presence = PresentConnection::enter(&hub(state), name(topic)?, member, data.into())?;
    Ok(state.resource_table.add(Presence(presence)))
}

/// A member's connection leaves, or was lost, after which the member stays for a while.
#[op2(fast)]
pub(crate) fn op_topic_leave(state: &mut OpState, #[smi] id: ResourceId, lost: bool) {
    if let Ok(presence) = state.resource_table.take::<Presence>(id)
        && !lost
    {
        presence.0.leave();
    }
}

/// A sign of life of a member's connection. False: it is not present any more.
#[op2(fast)]
pub(crate) fn op_topic_alive(state: &mut OpState, #[smi] id: ResourceId) -> bool {
    state.resource_table.get::<Presence>(id).is_ok_and(|presence| presence.0.alive())
}

/// Who is present at a topic, as JSON.
#[op2]
#[string]
pub(crate) fn op_topic_members(state: &mut OpState, #[string] topic: &str) -> Result<String, OpError> {
    #[derive(Serialize)]
    struct Member<'a> {
        id: &'a str,
        data: &'a serde_json::value::RawValue,
    }
    let members = hub(state).turn().members(&name(topic)?);
    let members =
        members.iter().filter_map(|(id, data)| Some(Member { id, data: serde_json::from_slice(data).ok()? }));
    Ok(serde_json::to_string(&members.collect::<Vec<_>>())?)
}

/// Whether the client of an exchange follows a topic by the exchange's line: it gets the states of a response. The
/// others get the topic's own answers.
#[op2(fast)]
pub(crate) fn op_topic_is_by_line(state: &mut OpState, id: f64) -> Result<bool, OpError> {
    let slot = state.exchange(id).slot()?;
    let parts = slot.request.parts();
    let is_read = parts.method == Method::GET && !is_stream_query(parts.uri.query().unwrap_or_default());
    Ok(is_read && matches!(slot.client, Audience::Live | Audience::Stream(Format::Lines)))
}

/// Answers the request of an exchange with a topic: as a WebSocket, as server-sent events, or by the protocol of Durable
/// Streams.
#[op2]
pub(crate) async fn op_topic_answer(
    state: Rc<RefCell<OpState>>,
    id: f64,
    #[serde] options: SubscribeOptions,
) -> Result<(), OpError> {
    let (body, _held) = collect(&state, id).await?;
    let (hub, request) = {
        let mut state = state.borrow_mut();
        let hub = hub(&state);
        let url = url(&mut state, id)?;
        let slot = state.exchange(id).slot()?;
        let parts = slot.request.parts();
        let request = Request {
            method: parts.method.clone(),
            url,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers.clone(),
            audience: slot.client,
            address: slot.requester.address,
            body: body.into(),
        };
        (hub, request)
    };
    let answer = tokio::select! {
        answer = request.answer(&hub, options) => answer?,
        // The client is gone.
        () = ended(&state, id) => return Ok(()),
    };
    let mut state = state.borrow_mut();
    match state.exchange(id).phase() {
        phase if phase >= Phase::Complete => Ok(()),
        _ => give(&mut state, id, answer, true),
    }
}

/// Waits until an exchange has ended. Few requests wait for so long that it is looked at.
async fn ended(state: &RefCell<OpState>, id: f64) {
    const LOOK_EVERY: std::time::Duration = std::time::Duration::from_millis(500);
    while state.borrow_mut().exchange(id).phase() < Phase::Complete {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// A request whose answer is a topic.
struct Request {
    method: Method,
    url: String,
    path: String,
    query: String,
    headers: hyper::HeaderMap,
    audience: Audience,
    /// The address of the client.
    address: IpAddr,
    body: Bytes,
}

impl Request {
    async fn answer(self, hub: &TopicHub, options: SubscribeOptions) -> Result<Answer, OpError> {
        let is_stream = is_stream_query(&self.query);
        match self.audience {
            Audience::Socket => return self.follow(hub, &options, true),
            Audience::Stream(Format::Events) if self.method == Method::GET && !is_stream => {
                return self.follow(hub, &options, false);
            }
            _ if options.events && self.method == Method::GET => return self.follow(hub, &options, false),
            _ => {}
        }
        let Some(topic) = &options.topic else {
            let text = "Several topics can be followed as text/event-stream or by a WebSocket.\n";
            return Ok(Answer::text(hyper::StatusCode::NOT_ACCEPTABLE, text));
        };
        let Request { method, url, path, query, headers, audience: _, address, body } = self;
        let topic = any_name(topic)?;
        let access = options.access;
        let publisher = address.to_string();
        let request = StreamRequest { method, url, path, query, headers, body, publisher, topic, access };
        Ok(request.answer(hub).await)
    }

    /// The client follows the topics as a WebSocket or an event stream.
    fn follow(self, hub: &TopicHub, options: &SubscribeOptions, is_socket: bool) -> Result<Answer, OpError> {
        let subscriber = match hub.subscribe(options.subscribe(self.last_event_id().as_deref())?) {
            Ok(subscriber) => subscriber,
            Err(error) => return Ok(refusal(&error)),
        };
        let presence = match (&options.member, &options.topic) {
            (Some(member), Some(topic)) => {
                let data = options.data.clone().unwrap_or_else(|| "null".to_owned());
                Some(PresentConnection::enter(hub, name(topic)?, member, data.into())?)
            }
            _ => None,
        };
        if is_socket {
            /// The longest message of a client, in bytes; messages of clients have no meaning yet.
            const LIMIT: usize = 64 * 1024;
            let offered = self.headers.get(SEC_WEBSOCKET_PROTOCOL).and_then(|offered| offered.to_str().ok());
            let protocol = offered.and_then(|offered| offered.split(',').next()?.trim().parse().ok());
            let wire = Wire::Socket(Incoming { limit: LIMIT, network: network(self.address) });
            return Ok(carry::socket(Feed { subscriber, wire, presence }, protocol));
        }
        let encoding = if options.topic.is_some() { Encoding::Event } else { Encoding::SharedEvent };
        Ok(carry::events(Feed { subscriber, wire: Wire::Events(encoding), presence }))
    }

    /// The id of the last message that the client has received: the header that its EventSource sends, or the parameter
    /// of the address.
    fn last_event_id(&self) -> Option<String> {
        let header = self.headers.get("last-event-id").and_then(|id| id.to_str().ok());
        let header = header.filter(|id| !id.is_empty()).map(str::to_owned);
        header.or_else(|| {
            let mut pairs = url::form_urlencoded::parse(self.query.as_bytes());
            let (_, id) = pairs.find(|(key, id)| key == "lastEventId" && !id.is_empty())?;
            Some(id.into_owned())
        })
    }
}
