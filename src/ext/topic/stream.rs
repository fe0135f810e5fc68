//! The protocol of Durable Streams (durable-streams/durable-streams, PROTOCOL.md) over a topic: create with PUT, append
//! with POST, read with GET from an offset, wait for more, follow as server-sent events.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderName,
    HeaderValue, LOCATION, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, StatusCode};
use serde::Deserialize;
use url::form_urlencoded;

use super::carry;
use crate::http::{Answer, AnswerBody};
use crate::topics::{Feed, StreamWire, TopicHub, Wire, cursor, json_array};
use liveline_proto::topic::{
    Content, Create, ForkRequest, From, Info, Lifetime, Message, Millis, Position, Producer, Publication,
    Published, Read, Subscribe, TopicError, TopicName, json_entries,
};

/// How long a request waits for data.
const LONG_POLL: Duration = Duration::from_secs(15);

/// Bytes of messages that one answer has, if the first message is not larger.
const CHUNK: usize = 1 << 20;

/// The largest integer that JavaScript has exactly.
const MAX_INTEGER: u64 = (1 << 53) - 1;

const METHODS: &str = "GET, HEAD, POST, PUT, DELETE, OPTIONS";
const REQUEST_HEADERS: &str = "content-type, if-none-match, last-event-id, producer-epoch, producer-id, producer-seq, \
    stream-closed, stream-expires-at, stream-fork-offset, stream-fork-sub-offset, stream-forked-from, stream-seq, \
    stream-ttl";
const ANSWER_HEADERS: &str = "etag, location, producer-epoch, producer-expected-seq, producer-received-seq, \
    producer-seq, stream-closed, stream-cursor, stream-expires-at, stream-next-offset, stream-sse-data-encoding, \
    stream-ttl, stream-up-to-date";

const NEXT_OFFSET: HeaderName = HeaderName::from_static("stream-next-offset");
const UP_TO_DATE: HeaderName = HeaderName::from_static("stream-up-to-date");
const CURSOR: HeaderName = HeaderName::from_static("stream-cursor");
const CLOSED: HeaderName = HeaderName::from_static("stream-closed");
const TTL: HeaderName = HeaderName::from_static("stream-ttl");
const EXPIRES_AT: HeaderName = HeaderName::from_static("stream-expires-at");
const PRODUCER_EPOCH: HeaderName = HeaderName::from_static("producer-epoch");
const PRODUCER_SEQ: HeaderName = HeaderName::from_static("producer-seq");
const TRUE: HeaderValue = HeaderValue::from_static("true");

/// What the client of a stream may do besides reading.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Access {
    /// Add messages, and close the stream.
    append: bool,
    /// Create the stream. Where clients may not, the site's topic exists from the beginning.
    create: bool,
    /// Delete the stream.
    remove: bool,
    /// Create the stream as a continuation of topics whose names begin with this.
    fork_from: Option<String>,
    /// Be a page of another site, whose requests carry no cookies.
    any_origin: bool,
}

/// A request for a stream.
pub(super) struct StreamRequest {
    pub method: Method,
    /// The full URL, for the header `Location`.
    pub url: String,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Whose rate appended messages count for.
    pub publisher: String,
    pub topic: TopicName,
    pub access: Access,
}

/// What the query of a request has.
#[derive(Debug, Default)]
struct Query {
    offset: Option<From>,
    live: Option<Live>,
    cursor: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Live {
    LongPoll,
    Events,
}

/// Whether a query is one of a Durable Streams client.
pub(super) fn is_stream_query(query: &str) -> bool {
    form_urlencoded::parse(query.as_bytes()).any(|(key, _)| matches!(&*key, "offset" | "live"))
}

impl StreamRequest {
    /// Answers the request.
    pub(super) async fn answer(&self, hub: &TopicHub) -> Answer {
        let mut answer = match self.try_answer(hub).await {
            Ok(answer) => answer,
            Err(Refused(answer)) => *answer,
        };
        let headers = &mut answer.headers;
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        let policy = if self.access.any_origin { "cross-origin" } else { "same-origin" };
        headers.insert("cross-origin-resource-policy", HeaderValue::from_static(policy));
        if self.access.any_origin {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(ANSWER_HEADERS));
        }
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        answer
    }

    async fn try_answer(&self, hub: &TopicHub) -> Result<Answer, Refused> {
        match self.method {
            Method::GET => self.read(hub).await,
            Method::HEAD => self.head(hub),
            Method::POST if self.access.append => self.append(hub).await,
            Method::PUT if self.access.create => self.create(hub).await,
            Method::DELETE if self.access.remove => self.delete(hub).await,
            Method::OPTIONS => {
                let mut answer = Answer::empty(StatusCode::NO_CONTENT);
                answer.headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
                answer
                    .headers
                    .insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(REQUEST_HEADERS));
                Ok(answer)
            }
            _ => {
                let mut answer =
                    Answer::text(StatusCode::METHOD_NOT_ALLOWED, "This stream does not allow that.\n");
                answer.headers.insert(ALLOW, self.allowed());
                Ok(answer)
            }
        }
    }

    fn allowed(&self) -> HeaderValue {
        let Access { append, create, remove, .. } = self.access;
        let optional = [(append, ", POST"), (create, ", PUT"), (remove, ", DELETE")];
        let allowed: String = optional.iter().filter(|(may, _)| *may).map(|(_, method)| *method).collect();
        format!("GET, HEAD, OPTIONS{allowed}").parse().expect("methods are ASCII")
    }

    /// What is known of the topic, which exists where clients cannot create it.
    fn info(&self, hub: &TopicHub) -> Result<Info, Refused> {
        let mut turn = hub.turn();
        if !self.access.create {
            turn.ensure(&self.topic)?;
        }
        Ok(turn.info(&self.topic)?)
    }

    fn header(&self, name: &str) -> Result<Option<&str>, Refused> {
        let Some(value) = self.headers.get(name) else { return Ok(None) };
        value.to_str().map(Some).map_err(|_| Refused::bad(format!("The header {name} is not ASCII.\n")))
    }

    fn closes(&self) -> bool {
        self.headers.get(CLOSED).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"))
    }

    // -- reading -------------------------------------------------------------------------------------------------

    fn query(&self) -> Result<Query, Refused> {
        let mut query = Query::default();
        for (key, value) in form_urlencoded::parse(self.query.as_bytes()) {
            match &*key {
                "offset" => {
                    let offset = value.parse().map_err(|error| Refused::bad(format!("{error}\n")))?;
                    if query.offset.replace(offset).is_some() {
                        return Err(Refused::bad("There are two offsets.\n"));
                    }
                }
                "live" => {
                    query.live = Some(match &*value {
                        "long-poll" => Live::LongPoll,
                        "sse" => Live::Events,
                        _ => return Err(Refused::bad("live is long-poll or sse.\n")),
                    });
                }
                "cursor" => query.cursor = value.parse().ok(),
                _ => {}
            }
        }
        match query {
            Query { live: Some(_), offset: None, .. } => {
                Err(Refused::bad("A live request has an offset: that of the last answer, -1 or now.\n"))
            }
            query => Ok(query),
        }
    }

    async fn read(&self, hub: &TopicHub) -> Result<Answer, Refused> {
        let query = self.query()?;
        self.info(hub)?;
        let from = query.offset.unwrap_or(From::Start);
        match query.live {
            None => self.catch_up(hub, from),
            Some(Live::LongPoll) => self.long_poll(hub, from, query.cursor).await,
            Some(Live::Events) => self.events(hub, from, query.cursor),
        }
    }

    fn catch_up(&self, hub: &TopicHub, from: From) -> Result<Answer, Refused> {
        let read = hub.turn().read(&self.topic, from, CHUNK)?;
        let mut answer = data(&read);
        if from == From::Now {
            return Ok(answer);
        }
        let state = if read.is_at_end { ":closed" } else { "" };
        let tag = format!("\"{}:{}{state}\"", read.start, read.next);
        answer.headers.insert(ETAG, value(&tag));
        let cache = "private, max-age=60, stale-while-revalidate=300";
        // What ends here may have more a moment later, and then has to be asked for again.
        let cache = if read.is_up_to_date && !read.is_at_end { "private, no-cache" } else { cache };
        answer.headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
        Ok(answer)
    }

    async fn long_poll(&self, hub: &TopicHub, from: From, sent: Option<u64>) -> Result<Answer, Refused> {
        let ends_at = Instant::now() + LONG_POLL;
        let subscribe = Subscribe { wants_retained: false, ..Subscribe::to(self.topic.clone()) };
        let subscriber = hub.subscribe(subscribe)?;
        // The position stays the same while the request waits.
        let start = hub.turn().read(&self.topic, from, 0)?.start;
        let read = loop {
            // A subscriber is woken only by what is published after it has taken what came before.
            subscriber.take(usize::MAX, &mut Vec::new());
            let read = hub.turn().read(&self.topic, From::After(start), CHUNK)?;
            if !read.messages.is_empty() || read.is_at_end {
                break read;
            }
            let left = ends_at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break read;
            }
            if tokio::time::timeout(left, subscriber.changed()).await.is_err() {
                break hub.turn().read(&self.topic, From::After(start), CHUNK)?;
            }
        };
        let mut answer = data(&read);
        if read.messages.is_empty() {
            answer.status = StatusCode::NO_CONTENT;
            answer.body = AnswerBody::Empty;
            answer.headers.remove(CONTENT_TYPE);
        }
        answer.headers.insert(CURSOR, HeaderValue::from(cursor(sent)));
        Ok(answer)
    }

    fn events(&self, hub: &TopicHub, from: From, cursor: Option<u64>) -> Result<Answer, Refused> {
        let read = hub.turn().read(&self.topic, from, 0)?;
        let subscribe = Subscribe {
            from: From::After(read.start),
            wants_retained: false,
            ..Subscribe::to(self.topic.clone())
        };
        let subscriber = hub.subscribe(subscribe)?;
        let content = read.info.content;
        let wire = StreamWire { content, position: read.start, cursor, has_begun: false };
        let feed = Feed { subscriber, wire: Wire::Stream(wire), presence: None };
        let mut answer = carry::events(feed);
        if content == Content::Binary {
            let encoding = HeaderName::from_static("stream-sse-data-encoding");
            answer.headers.insert(encoding, HeaderValue::from_static("base64"));
        }
        Ok(answer)
    }

    fn head(&self, hub: &TopicHub) -> Result<Answer, Refused> {
        let info = self.info(hub)?;
        let mut answer = Answer::empty(StatusCode::OK);
        describe(&info, &mut answer.headers);
        if info.is_closed {
            answer.headers.insert(CLOSED, TRUE);
        }
        Ok(answer)
    }

    // -- writing -------------------------------------------------------------------------------------------------

    async fn append(&self, hub: &TopicHub) -> Result<Answer, Refused> {
        let content = self.info(hub)?.content;
        let closes = self.closes();
        let media_type = self.header("content-type")?;
        if self.body.is_empty() && !closes {
            return Err(Refused::bad("There is nothing to append.\n"));
        }
        if !self.body.is_empty() && media_type.is_none() {
            return Err(Refused::bad("The request has no Content-Type.\n"));
        }
        let producer = self.producer()?;
        let epoch = producer.as_ref().map(|producer| producer.epoch);
        let is_json = media_type.is_some_and(|media_type| Content::of(media_type) == Content::Json);
        let has_data = !self.body.is_empty();
        let entries = match content {
            Content::Json if has_data && is_json => json_entries(&self.body)?,
            // A body of another type is refused by its type.
            _ if has_data => vec![self.body.clone()],
            _ => Vec::new(),
        };
        if has_data && entries.is_empty() {
            return Err(Refused::bad("An empty array has nothing to append.\n"));
        }
        let publication = Publication {
            entries,
            producer,
            sequence: self.header("stream-seq")?,
            publisher: Some(&self.publisher),
            media_type,
            closes,
            must_exist: true,
            ..Publication::default()
        };
        let Published { id, is_duplicate, highest, is_closed, .. } =
            hub.turn().publish(&self.topic, publication)?;
        stored(hub).await?;
        let is_new = !is_duplicate && has_data && epoch.is_some();
        let mut answer = Answer::empty(if is_new { StatusCode::OK } else { StatusCode::NO_CONTENT });
        answer.headers.insert(NEXT_OFFSET, value(&id.to_string()));
        if is_closed {
            answer.headers.insert(CLOSED, TRUE);
        }
        if let (Some(epoch), Some(highest)) = (epoch, highest) {
            answer.headers.insert(PRODUCER_EPOCH, HeaderValue::from(epoch));
            answer.headers.insert(PRODUCER_SEQ, HeaderValue::from(highest));
        }
        Ok(answer)
    }

    fn producer(&self) -> Result<Option<Producer>, Refused> {
        let parts =
            [self.header("producer-id")?, self.header("producer-epoch")?, self.header("producer-seq")?];
        let (id, epoch, sequence) = match parts {
            [None, None, None] => return Ok(None),
            [Some(id), Some(epoch), Some(sequence)] => (id, epoch, sequence),
            _ => return Err(Refused::bad("Producer-Id, Producer-Epoch and Producer-Seq come together.\n")),
        };
        if id.is_empty() {
            return Err(Refused::bad("Producer-Id is empty.\n"));
        }
        let number = |text: &str| {
            integer(text)
                .filter(|number| *number <= MAX_INTEGER)
                .ok_or_else(|| Refused::bad("Producer-Epoch and Producer-Seq are whole numbers from 0.\n"))
        };
        Ok(Some(Producer { id: id.into(), epoch: number(epoch)?, sequence: number(sequence)? }))
    }

    async fn create(&self, hub: &TopicHub) -> Result<Answer, Refused> {
        let fork = self.fork()?;
        let media_type = self.header("content-type")?.filter(|media_type| !media_type.trim().is_empty());
        let is_json = match (media_type, &fork) {
            (Some(media_type), _) => Content::of(media_type) == Content::Json,
            (None, Some(fork)) => {
                hub.turn().info(&fork.source).is_ok_and(|info| info.content == Content::Json)
            }
            (None, None) => false,
        };
        let entries = match self.body.is_empty() {
            true => Vec::new(),
            false if is_json => json_entries(&self.body)?,
            false => vec![self.body.clone()],
        };
        let create = Create {
            media_type,
            lifetime: self.lifetime()?,
            entries,
            is_closed: self.closes(),
            fork,
            producer: None,
        };
        let created = hub.turn().create(&self.topic, create)?;
        stored(hub).await?;
        let mut answer = Answer::empty(if created.is_new { StatusCode::CREATED } else { StatusCode::OK });
        describe(&created.info, &mut answer.headers);
        if created.info.is_closed {
            answer.headers.insert(CLOSED, TRUE);
        }
        if created.is_new {
            answer.headers.insert(LOCATION, value(self.url.split('?').next().unwrap_or_default()));
        }
        Ok(answer)
    }

    fn lifetime(&self) -> Result<Option<Lifetime>, Refused> {
        match (self.header("stream-ttl")?, self.header("stream-expires-at")?) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => {
                Err(Refused::bad("A stream has Stream-TTL or Stream-Expires-At, not both.\n"))
            }
            (Some(ttl), None) => {
                let seconds =
                    integer(ttl).ok_or_else(|| Refused::bad("Stream-TTL is seconds, a whole number.\n"))?;
                Ok(Some(Lifetime::Sliding(seconds.saturating_mul(1000))))
            }
            (None, Some(at)) => {
                let at = at
                    .parse::<humantime::Timestamp>()
                    .ok()
                    .map(std::time::SystemTime::from)
                    .or_else(|| with_zone(at))
                    .and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok())
                    .ok_or_else(|| {
                        Refused::bad("Stream-Expires-At is a time such as 2030-01-01T00:00:00Z.\n")
                    })?;
                Ok(Some(Lifetime::Until(Millis(u64::try_from(at.as_millis()).unwrap_or(u64::MAX)))))
            }
        }
    }

    fn fork(&self) -> Result<Option<ForkRequest>, Refused> {
        let at = self.header("stream-fork-offset")?;
        let sub_offset = self.header("stream-fork-sub-offset")?;
        let Some(source) = self.header("stream-forked-from")? else {
            return match at.or(sub_offset) {
                None => Ok(None),
                Some(_) => Err(Refused::bad("A fork has Stream-Forked-From.\n")),
            };
        };
        let source = self.source_of(source)?;
        let sub_offset = sub_offset
            .map(|text| {
                integer(text).ok_or_else(|| Refused::bad("Stream-Fork-Sub-Offset is a whole number.\n"))
            })
            .transpose()?
            .unwrap_or(0);
        if sub_offset > 0 && at.is_none() {
            return Err(Refused::bad("Stream-Fork-Sub-Offset comes with Stream-Fork-Offset.\n"));
        }
        let at =
            at.map(str::parse::<From>).transpose().map_err(|error| Refused::bad(format!("{error}\n")))?;
        let at = match at {
            Some(From::After(position)) => Some(position),
            Some(From::Start) => Some(Position::default()),
            _ => None,
        };
        Ok(Some(ForkRequest { source, at, sub_offset }))
    }

    /// The topic that the path of another stream stands for: where paths of this one's folder and topics differ in how
    /// they begin, so do those.
    fn source_of(&self, path: &str) -> Result<TopicName, Refused> {
        let (topic, own) = (self.topic.as_str(), self.path.as_str());
        let same = topic.bytes().rev().zip(own.bytes().rev()).take_while(|(a, b)| a == b).count();
        let (topics, paths) = (&topic[..topic.len() - same], &own[..own.len() - same]);
        let name = path
            .strip_prefix(paths)
            .map(|rest| format!("{topics}{rest}"))
            .filter(|name| self.access.fork_from.as_deref().is_some_and(|allowed| name.starts_with(allowed)));
        let Some(name) = name else {
            let text = "This stream may not continue that one.\n";
            return Err(Refused(Box::new(Answer::text(StatusCode::FORBIDDEN, text))));
        };
        Ok(name.parse::<TopicName>().map_err(TopicError::from)?)
    }

    async fn delete(&self, hub: &TopicHub) -> Result<Answer, Refused> {
        hub.turn().delete(&self.topic)?;
        stored(hub).await?;
        Ok(Answer::empty(StatusCode::NO_CONTENT))
    }
}

/// Waits until what was published is in the store.
async fn stored(hub: &TopicHub) -> Result<(), Refused> {
    hub.stored().await.map_err(|_| {
        let text = "The stream could not be stored.\n";
        Refused(Box::new(Answer::text(StatusCode::INTERNAL_SERVER_ERROR, text)))
    })
}

/// The messages of a topic as an answer.
fn data(read: &Read) -> Answer {
    let mut answer = Answer::empty(StatusCode::OK);
    let body = match read.info.content {
        Content::Json => json_array(&messages(read)),
        _ => read.messages.iter().flat_map(|message| message.data.iter().copied()).collect(),
    };
    answer.body = AnswerBody::Data(body.into());
    answer.headers.insert(CONTENT_TYPE, value(&read.info.media_type));
    answer.headers.insert(NEXT_OFFSET, value(&read.next.to_string()));
    if read.is_up_to_date {
        answer.headers.insert(UP_TO_DATE, TRUE);
    }
    if read.is_at_end {
        answer.headers.insert(CLOSED, TRUE);
    }
    answer
}

fn messages(read: &Read) -> Vec<&Message> {
    read.messages.iter().map(|message| &**message).collect()
}

fn describe(info: &Info, headers: &mut HeaderMap) {
    headers.insert(CONTENT_TYPE, value(&info.media_type));
    headers.insert(NEXT_OFFSET, value(&info.tail.to_string()));
    match &info.lifetime {
        Lifetime::Unlimited => {}
        Lifetime::Sliding(time) => drop(headers.insert(TTL, HeaderValue::from(time / 1000))),
        Lifetime::Until(at) => {
            let at = std::time::UNIX_EPOCH + Duration::from_millis(at.0);
            headers.insert(EXPIRES_AT, value(&humantime::format_rfc3339_millis(at).to_string()));
        }
    }
}

/// A value that is made of what headers and names can have.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_bytes(text.as_bytes()).unwrap_or(HeaderValue::from_static(""))
}

/// A whole number without a sign or leading zeros.
fn integer(text: &str) -> Option<u64> {
    let is_plain =
        text.bytes().all(|digit| digit.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    is_plain.then(|| text.parse().ok()).flatten()
}

/// A time with a zone other than `Z`: `2030-01-01T00:00:00+01:00`.
fn with_zone(text: &str) -> Option<std::time::SystemTime> {
    let (time, zone) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let is_before = match zone.as_bytes()[0] {
        b'+' => true,
        b'-' => false,
        _ => return None,
    };
    let (hours, minutes) = zone[1..].split_once(':')?;
    let (hours, minutes) = (hours.parse::<u64>().ok()?, minutes.parse::<u64>().ok()?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let offset = Duration::from_secs(hours * 3600 + minutes * 60);
    let time = std::time::SystemTime::from(format!("{time}Z").parse::<humantime::Timestamp>().ok()?);
    if is_before { time.checked_sub(offset) } else { time.checked_add(offset) }
}

/// A request that is not carried out, with its answer.
struct Refused(Box<Answer>);

impl Refused {
    fn bad(text: impl Into<String>) -> Refused {
        Refused(Box::new(Answer::text(StatusCode::BAD_REQUEST, text)))
    }
}

impl std::convert::From<TopicError> for Refused {
    fn from(error: TopicError) -> Refused {
        Refused(Box::new(refusal(&error)))
    }
}

/// The answer to a request that a topic refuses.
pub(super) fn refusal(error: &TopicError) -> Answer {
    let status = match error {
        TopicError::Unknown => StatusCode::NOT_FOUND,
        TopicError::Deleted | TopicError::Gone { .. } => StatusCode::GONE,
        TopicError::Exists(_)
        | TopicError::MediaType { .. }
        | TopicError::Closed { .. }
        | TopicError::MissingPublications { .. }
        | TopicError::Sequence(_) => StatusCode::CONFLICT,
        TopicError::StaleProducer { .. } => StatusCode::FORBIDDEN,
        TopicError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        TopicError::Full => StatusCode::INSUFFICIENT_STORAGE,
        TopicError::TooMany { .. } => StatusCode::SERVICE_UNAVAILABLE,
        TopicError::Rate { .. } => StatusCode::TOO_MANY_REQUESTS,
        TopicError::Name(_)
        | TopicError::ProducerStart
        | TopicError::Empty
        | TopicError::NotJson(_)
        | TopicError::Beyond
        | TopicError::SubOffset => StatusCode::BAD_REQUEST,
    };
    let mut answer = Answer::text(status, format!("{error}\n"));
    let headers = &mut answer.headers;
    match error {
        TopicError::Closed { tail } => {
            headers.insert(CLOSED, TRUE);
            headers.insert(NEXT_OFFSET, value(&tail.to_string()));
        }
        TopicError::StaleProducer { epoch } => {
            drop(headers.insert(PRODUCER_EPOCH, HeaderValue::from(*epoch)))
        }
        TopicError::MissingPublications { expected, received } => {
            headers.insert("producer-expected-seq", HeaderValue::from(*expected));
            headers.insert("producer-received-seq", HeaderValue::from(*received));
        }
        TopicError::Rate { retry_after } => {
            headers.insert(RETRY_AFTER, HeaderValue::from(retry_after.div_ceil(1000)));
        }
        TopicError::TooMany { .. } => drop(headers.insert(RETRY_AFTER, HeaderValue::from(5))),
        _ => {}
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_with_zones() {
        let z: std::time::SystemTime = "2030-01-01T00:00:00Z".parse::<humantime::Timestamp>().unwrap().into();
        assert_eq!(with_zone("2030-01-01T01:30:00+01:30"), Some(z));
        assert_eq!(with_zone("2029-12-31T23:00:00-01:00"), Some(z));
        for bad in ["", "2030", "2030-01-01T00:00:00+0100", "2030-01-01T00:00:00+24:00"] {
            assert_eq!(with_zone(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn integers_are_plain() {
        assert_eq!(integer("0"), Some(0));
        assert_eq!(integer("3600"), Some(3600));
        for bad in ["", "01", "+1", "-1", "1.0", "1e3", " 1"] {
            assert_eq!(integer(bad), None, "{bad:?}");
        }
    }
}
