//! One page: what it has sent, and what that means.

use std::collections::VecDeque;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::{Duration, Instant};

use super::{Caller, PageHub, PageSubscription, Verdict};
use crate::topics::{Subscriber, now};
use liveline_proto::larc::{
    Echoes, Named, Outgoing, PageId, Publish, Request, TooSlow, User, Wire, fingerprint, read,
};
use liveline_proto::topic::{Delivery, Encoding, Message, Publication, TopicError};

/// How many messages a page may send at once before its rate counts, in seconds of its rate.
const BURST: f64 = 2.0;

/// A page that is connected by a WebSocket. It is gone when this is dropped.
pub(crate) struct PageSession {
    hub: PageHub,
    id: PageId,
    subscription: PageSubscription,
    wire: Wire,
    has_sent: bool,
    echoes: Echoes,
    /// Frames that have not been looked at, because the page has to wait.
    inbox: VecDeque<Box<str>>,
    waits: Option<Waits>,
    rate: Tokens,
    /// Who the page is, for `_hub.js`.
    caller: Option<Caller>,
    /// It has left on purpose.
    left: bool,
}

/// What a page waits for before its next frame is looked at.
enum Waits {
    /// Its rate.
    Rate(Instant),
    /// What `_hub.js` returns about a frame.
    Verdict(Held, Pin<Box<dyn Future<Output = Verdict> + Send>>),
}

/// A frame that `_hub.js` decides on.
struct Held {
    wire: Wire,
    topic: String,
    text: Box<str>,
}

struct Tokens {
    left: f64,
    at: Instant,
}

/// What came of the frames of a page.
#[derive(Default)]
pub(in crate::topics) struct Outcome {
    /// What the page receives.
    pub out: VecDeque<Bytes>,
    /// The page follows other topics from now on.
    pub subscribes: bool,
}

impl PageSession {
    /// A page that is connected from now on.
    pub(crate) fn new(
        hub: &PageHub,
        id: u64,
        (user, is_known): (User, bool),
        subscription: PageSubscription,
        caller: Option<Caller>,
    ) -> PageSession {
        let id = PageId(id);
        hub.pages().connect(id, user, is_known);
        let rate = Tokens { left: hub.0.options.rate * BURST, at: Instant::now() };
        PageSession {
            hub: hub.clone(),
            id,
            subscription,
            wire: Wire::Both,
            has_sent: false,
            echoes: Echoes::default(),
            inbox: VecDeque::new(),
            waits: None,
            rate,
            caller,
            left: false,
        }
    }

    /// The page is woken by this.
    pub(in crate::topics) fn wake_by(&self, waker: Arc<Notify>) {
        waker.notify_one();
        self.hub.pages().set_waker(self.id, waker);
    }

    /// Whether more frames may be received.
    pub(in crate::topics) fn may_receive(&self) -> bool {
        self.waits.is_none()
    }

    /// The page has closed its socket.
    pub(in crate::topics) fn leave(&mut self) {
        self.left = true;
    }

    /// A frame has come.
    pub(in crate::topics) fn receive(&mut self, text: &str) {
        self.inbox.push_back(text.into());
    }

    /// A frame that is no text has come.
    pub(in crate::topics) fn refuse_binary(&self, out: &mut VecDeque<Bytes>) {
        out.push_back(self.error("frames are text: JSON with `type` and `payload`, or `topic` and `data`"));
    }

    /// Looks at the frames that have come, until the page has to wait.
    pub(in crate::topics) fn proceed(&mut self) -> Outcome {
        let mut outcome = Outcome::default();
        while self.waits.is_none()
            && let Some(text) = self.inbox.pop_front()
        {
            let rate = self.hub.0.options.rate;
            if let Err(at) = self.rate.take(rate) {
                self.inbox.push_front(text);
                self.waits = Some(Waits::Rate(at));
                break;
            }
            self.look_at(&text, true, &mut outcome);
        }
        if self.inbox.is_empty() {
            self.inbox = VecDeque::new();
        }
        outcome
    }

    /// Waits until the page need not wait any more, and goes on then.
    pub(in crate::topics) async fn waited(&mut self) -> Outcome {
        match &mut self.waits {
            None => pending().await,
            Some(Waits::Rate(at)) => {
                tokio::time::sleep_until(*at).await;
                self.waits = None;
            }
            Some(Waits::Verdict(_, verdict)) => {
                let verdict = verdict.await;
                let Some(Waits::Verdict(held, _)) = self.waits.take() else { return Outcome::default() };
                let mut outcome = Outcome::default();
                match verdict {
                    Verdict::Pass => self.look_at(&held.text, false, &mut outcome),
                    Verdict::Replace(data) => {
                        let text = held.with(&data);
                        self.look_at(&text, false, &mut outcome);
                    }
                    Verdict::Drop => {}
                    Verdict::Refuse(reason) => {
                        outcome.out.push_back(self.error(&format!("{}: {reason}", held.topic)));
                    }
                }
                let more = self.proceed();
                outcome.out.extend(more.out);
                outcome.subscribes |= more.subscribes;
                return outcome;
            }
        }
        self.proceed()
    }

    /// The frames that wait for the page.
    pub(in crate::topics) fn take(&self, out: &mut VecDeque<Bytes>) -> Result<(), TooSlow> {
        let mut pages = self.hub.pages();
        while let Some(frame) = pages.take(self.id)? {
            out.push_back(frame.frame(self.wire).clone());
        }
        Ok(())
    }

    /// A message as the page receives it.
    pub(in crate::topics) fn encode(&mut self, message: &Message) -> Bytes {
        if self.wire != Wire::Book {
            // A page whose format is not known may be one that sends back what it receives.
            self.echoes.sent(message.fingerprint(), now());
        }
        message.encoded(Encoding::Page(self.wire)).clone()
    }

    /// The same subscriber for the topics that the page follows now. What it has not received yet is moved into `into`.
    pub(in crate::topics) fn resubscribed(
        &self,
        subscriber: &Subscriber,
        into: &mut Vec<Delivery>,
    ) -> Result<Subscriber, TopicError> {
        subscriber.changed_to(self.subscription.subscribe(), into)
    }

    /// The subscriber of a page that connects.
    pub(crate) fn subscriber(
        hub: &PageHub,
        subscription: &PageSubscription,
    ) -> Result<Subscriber, TopicError> {
        hub.topics().subscribe(subscription.subscribe())
    }

    /// Informs the page of messages that it does not receive.
    pub(in crate::topics) fn gap(&self, gap: serde_json::Value) -> Bytes {
        Outgoing::new("hub.gap", &gap).frame(self.wire).clone()
    }

    /// Informs the page of an error.
    pub(in crate::topics) fn error(&self, message: &str) -> Bytes {
        Outgoing::error(message).frame(self.wire).clone()
    }

    /// Does what a frame asks for. `asks`: after `_hub.js` has decided on it, where there is one.
    fn look_at(&mut self, text: &str, asks: bool, outcome: &mut Outcome) {
        let (wire, request) = match read(text) {
            Ok(read) => read,
            Err(error) => return outcome.out.push_back(self.error(&error.to_string())),
        };
        self.wire = self.wire.after(wire, !self.has_sent);
        self.has_sent = true;
        if asks && let Some(waits) = self.asked(wire, text, &request) {
            self.waits = Some(waits);
            return;
        }
        let (hub, id) = (self.hub.clone(), self.id);
        let result = match request {
            Request::Ping => {
                outcome.out.push_back(Outgoing::pong(wire));
                Ok(())
            }
            Request::Nothing => Ok(()),
            Request::Subscribe(topics) => self.follow(&topics).map(|()| outcome.subscribes = true),
            Request::Join { document, user } => {
                let stored = self.stored(&document);
                hub.pages().join(id, &document, &user, stored).map_err(|error| error.to_string())
            }
            Request::Leave { document } => {
                hub.pages().leave(id, &document);
                Ok(())
            }
            Request::Update { document, user, payload } => {
                let stored = self.stored(&document);
                let mut pages = hub.pages();
                pages.update(id, &document, &user, payload.get(), stored).map_err(|error| error.to_string())
            }
            Request::Heartbeat { user, status } => {
                hub.pages().heartbeat(id, &user, status.as_deref());
                Ok(())
            }
            Request::Publish(publish) => self.publish(wire, &publish),
        };
        if let Err(error) = result {
            outcome.out.push_back(self.error(&error));
        }
    }

    /// The text of a document, where nobody edits it yet.
    fn stored(&self, document: &str) -> Option<Bytes> {
        let is_known = self.hub.pages().has_document(document);
        if is_known { None } else { self.hub.stored(document) }
    }

    fn follow(&mut self, topics: &[String]) -> Result<(), String> {
        let (patterns, invalid) = PageSubscription::patterns(&topics.join(" "));
        match invalid {
            Some(error) => Err(error.to_string()),
            None => {
                self.subscription.topics = patterns;
                self.subscription.after = None;
                Ok(())
            }
        }
    }

    fn publish(&mut self, wire: Wire, publish: &Publish<'_>) -> Result<(), String> {
        let Publish { topic, data, retain, id } = publish;
        if wire == Wire::Pan
            && !self.echoes.is_empty()
            && self.echoes.is_echo(fingerprint(topic, data), now())
        {
            return Ok(());
        }
        let publication = Publication {
            key: id.as_deref(),
            retains: *retain,
            origin: Some(self.id.0),
            ..Publication::default()
        };
        let published = self.hub.publish(topic, data, publication);
        published.map(drop).map_err(|error| format!("{topic}: {error}"))
    }

    /// Asks `_hub.js` about a frame, where there is one and the frame is something to decide on.
    fn asked(&self, wire: Wire, text: &str, request: &Request<'_>) -> Option<Waits> {
        let gate = self.hub.gate();
        if !gate.is_there() {
            return None;
        }
        let (topic, data) = match request {
            Request::Ping | Request::Nothing | Request::Leave { .. } | Request::Heartbeat { .. } => {
                return None;
            }
            Request::Subscribe(topics) => ("subscribe", serde_json::json!({ "topics": topics }).to_string()),
            Request::Join { document, user } => ("join-document", joins(document, user)),
            Request::Update { payload, .. } => ("document-update", payload.get().to_owned()),
            Request::Publish(publish) => (&*publish.topic, publish.data.to_owned()),
        };
        let held = Held { wire, topic: topic.to_owned(), text: text.into() };
        let caller = self.caller.clone().unwrap_or_else(|| "{}".into());
        let (gate, topic) = (gate.clone(), topic.to_owned());
        Some(Waits::Verdict(held, Box::pin(async move { gate.ask(caller, topic, data).await })))
    }
}

fn joins(document: &str, user: &Named<'_>) -> String {
    serde_json::json!({ "docId": document, "userId": user.id, "name": user.name }).to_string()
}

impl Held {
    /// The frame with other data.
    fn with(&self, data: &str) -> String {
        let mut frame: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&self.text).unwrap_or_default();
        ["data", "payload", "item"].iter().for_each(|name| drop(frame.remove(*name)));
        let name = if self.wire == Wire::Pan { "data" } else { "payload" };
        frame.insert(name.to_owned(), serde_json::from_str(data).unwrap_or_default());
        serde_json::Value::from(frame).to_string()
    }
}

impl Tokens {
    /// Takes one, or returns when there is one.
    fn take(&mut self, rate: f64) -> Result<(), Instant> {
        let now = Instant::now();
        self.left = (self.left + (now - self.at).as_secs_f64() * rate).min(rate * BURST);
        self.at = now;
        if self.left >= 1.0 {
            self.left -= 1.0;
            return Ok(());
        }
        Err(now + Duration::from_secs_f64((1.0 - self.left) / rate))
    }
}

impl Drop for PageSession {
    fn drop(&mut self) {
        let mut pages = self.hub.pages();
        pages.disconnect(self.id, !self.left);
        pages.remove_waker(self.id);
    }
}
