//! Frames of pages: which of LARC's formats one has, and what it asks for.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// The longest name of a document, a user or a status, in bytes.
pub(super) const MAX_NAME: usize = 128;

/// How many patterns one frame subscribes to at most.
const MAX_TOPICS: usize = 64;

/// The format of frames that a page understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wire {
    /// Not known yet: frames have the fields of both formats, of which clients ignore those of the other.
    #[default]
    Both,
    /// `{type, payload}`, of the classes in LARC's book.
    Book,
    /// `{topic, data}`, of LARC's components.
    Pan,
}

impl Wire {
    /// What is known of a page after a frame of this format. A page that uses both formats gets both.
    pub fn after(self, frame: Wire, is_first: bool) -> Wire {
        match (self, is_first) {
            (_, true) => frame,
            (known, _) if known == frame => known,
            _ => Wire::Both,
        }
    }
}

/// What a frame asks for.
#[derive(Debug)]
pub enum Request<'a> {
    /// A sign of life, which is answered.
    Ping,
    /// Only messages of these topics, from now on.
    Subscribe(Vec<String>),
    /// The page takes part in a document.
    Join {
        /// The document.
        document: Cow<'a, str>,
        /// Who the user is, if the frame has that.
        user: Named<'a>,
    },
    /// The page no longer takes part in it.
    Leave {
        /// The document.
        document: Cow<'a, str>,
    },
    /// The page's user has changed a document.
    Update {
        /// The document.
        document: Cow<'a, str>,
        /// Who the user is, if the frame has that.
        user: Named<'a>,
        /// The object that describes the document, `content` included.
        payload: &'a RawValue,
    },
    /// The user is still there.
    Heartbeat {
        /// Who the user is, if the frame has that.
        user: Named<'a>,
        /// What the user does, such as `away`.
        status: Option<Cow<'a, str>>,
    },
    /// A message for other pages.
    Publish(Publish<'a>),
    /// An event of the page itself, which concerns no other.
    Nothing,
}

/// A message for other pages.
#[derive(Debug, Clone)]
pub struct Publish<'a> {
    /// The topic, or the type.
    pub topic: Cow<'a, str>,
    /// JSON.
    pub data: &'a str,
    /// Later pages receive it, too.
    pub retain: bool,
    /// A second message with the id is a duplicate.
    pub id: Option<Cow<'a, str>>,
}

/// Who a page's user is, as far as a frame has that.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Named<'a> {
    /// The user's id.
    pub id: Option<Cow<'a, str>>,
    /// The name that others see.
    pub name: Option<Cow<'a, str>>,
}

/// Why a frame has no meaning. The page is informed, and its connection goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// It is no JSON object.
    #[error("a frame is a JSON object with `type` or `topic`: {0}")]
    NotAnObject(String),
    /// It has neither `type` nor `topic`.
    #[error(
        "a frame has `type` and `payload`, or `topic` and `data`; this one has neither `type` nor `topic`"
    )]
    NoTopic,
    /// Only the host sends such frames.
    #[error("only the server sends `{0}`")]
    Reserved(String),
    /// Something that the frame needs is missing.
    #[error("`{kind}` needs {needs}")]
    Lacks {
        /// The frame's type.
        kind: &'static str,
        /// What it needs.
        needs: &'static str,
    },
    /// A name is too long.
    #[error("a name in a frame has at most {MAX_NAME} bytes")]
    Long,
    /// Too many topics.
    #[error("one frame subscribes to at most {MAX_TOPICS} topics")]
    ManyTopics,
}

/// Types that pages cannot send, because others would take them for the host's or for events of their own client.
const RESERVED: [&str; 8] = [
    "pong",
    "collaborator-joined",
    "collaborator-left",
    "presence-offline",
    "connected",
    "disconnected",
    "reconnect-failed",
    "hub.error",
];

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    topic: Option<Text<'a>>,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    item: Option<&'a RawValue>,
    #[serde(default)]
    retain: Option<serde_json::Value>,
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
}

/// A string or a number, as text; other values are none.
#[derive(Debug, Clone)]
struct Text<'a>(Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
        let raw = <&'a RawValue>::deserialize(deserializer)?.get();
        let is_number = raw.starts_with(|first: char| first.is_ascii_digit() || first == '-');
        Ok(Text(match raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) {
            Some(plain) if !plain.contains('\\') => Some(plain.into()),
            Some(_) => serde_json::from_str::<String>(raw).ok().map(Cow::Owned),
            None => is_number.then(|| raw.into()),
        }))
    }
}

impl<'a> Text<'a> {
    fn of(text: Option<Text<'a>>) -> Option<Cow<'a, str>> {
        text.and_then(|text| text.0).filter(|text| !text.is_empty())
    }
}

/// What payloads of frames that concern the hub itself have.
#[derive(Deserialize, Default)]
struct Payload<'a> {
    #[serde(borrow, default, rename = "docId")]
    document: Option<Text<'a>>,
    #[serde(borrow, default, rename = "userId")]
    user: Option<Text<'a>>,
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    status: Option<Text<'a>>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(default)]
    topics: Option<Topics>,
}

/// A list, or a text with white space or commas.
#[derive(Deserialize)]
#[serde(untagged)]
enum Topics {
    Text(String),
    List(Vec<String>),
}

/// The topics of a list such as `a, b.*`.
pub fn topics_of(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c == ',' || c.is_whitespace()).filter(|topic| !topic.is_empty())
}

impl<'a> Payload<'a> {
    fn of(payload: Option<&'a RawValue>) -> Payload<'a> {
        payload.and_then(|payload| serde_json::from_str(payload.get()).ok()).unwrap_or_default()
    }

    fn document(&mut self, kind: &'static str) -> Result<Cow<'a, str>, FrameError> {
        let document = Text::of(self.document.take());
        short(document)?.ok_or(FrameError::Lacks { kind, needs: "`docId`, a string" })
    }

    fn user(&mut self) -> Result<Named<'a>, FrameError> {
        let (id, name) = (Text::of(self.user.take()), Text::of(self.name.take()));
        Ok(Named { id: short(id)?, name: short(name)? })
    }
}

fn short(name: Option<Cow<'_, str>>) -> Result<Option<Cow<'_, str>>, FrameError> {
    match name {
        Some(name) if name.len() > MAX_NAME => Err(FrameError::Long),
        name => Ok(name),
    }
}

/// Reads a frame: its format and what it asks for.
///
/// # Errors
///
/// - [`FrameError::NotAnObject`]: the text is not a JSON object.
/// - [`FrameError::NoTopic`]: the object has neither a `type` nor a `topic` that is a text or a number and not empty.
/// - [`FrameError::Reserved`]: only the host sends frames of this type, such as `collaborator-joined`.
/// - [`FrameError::Lacks`]: a frame about a document has no `docId`, an update has no `content`, or a subscription has
///   no `topics`.
/// - [`FrameError::Long`]: the name of a document, the id or name of a user, or a status has more than 128 bytes.
/// - [`FrameError::ManyTopics`]: one frame subscribes to more than 64 topics.
pub fn read(text: &str) -> Result<(Wire, Request<'_>), FrameError> {
    if !text.trim_start().starts_with('{') {
        return Err(FrameError::NotAnObject("it does not begin with {".to_owned()));
    }
    let fields: Fields<'_> = serde_json::from_str(text).map_err(|error| {
        let mut error = error.to_string();
        error.truncate(error.floor_char_boundary(200));
        FrameError::NotAnObject(error)
    })?;
    let (wire, topic) = match (Text::of(fields.topic), Text::of(fields.kind)) {
        (Some(topic), _) => (Wire::Pan, topic),
        (None, Some(kind)) => (Wire::Book, kind),
        (None, None) => return Err(FrameError::NoTopic),
    };
    let data = match wire {
        Wire::Pan => fields.data.or(fields.payload).or(fields.item),
        Wire::Both | Wire::Book => fields.payload.or(fields.data),
    };
    let request = match &*topic {
        "ping" | "sys.ping" => Request::Ping,
        "subscribe" | "sys.subscribe" => {
            let topics = match Payload::of(data).topics {
                Some(Topics::Text(text)) => topics_of(&text).map(str::to_owned).collect(),
                Some(Topics::List(topics)) => topics,
                None => Vec::new(),
            };
            match topics.len() {
                0 => {
                    return Err(FrameError::Lacks {
                        kind: "subscribe",
                        needs: "`topics`, a list of strings",
                    });
                }
                1..=MAX_TOPICS => Request::Subscribe(topics),
                _ => return Err(FrameError::ManyTopics),
            }
        }
        "join-document" => {
            let mut payload = Payload::of(data);
            Request::Join { document: payload.document("join-document")?, user: payload.user()? }
        }
        "leave-document" => Request::Leave { document: Payload::of(data).document("leave-document")? },
        "document-update" => {
            let mut fields = Payload::of(data);
            let document = fields.document("document-update")?;
            let user = fields.user()?;
            match data.filter(|_| fields.content.is_some()) {
                Some(payload) => Request::Update { document, user, payload },
                None => return Err(FrameError::Lacks { kind: "document-update", needs: "`content`" }),
            }
        }
        "presence-heartbeat" | "presence-update" => {
            let mut payload = Payload::of(data);
            Request::Heartbeat { user: payload.user()?, status: short(Text::of(payload.status))? }
        }
        topic if RESERVED.contains(&topic) => return Err(FrameError::Reserved(topic.to_owned())),
        // Events of the component itself, which it sends where all topics are outbound.
        topic if wire == Wire::Pan && (topic.starts_with("ws.") || topic.starts_with("sys.")) => {
            Request::Nothing
        }
        _ => Request::Publish(Publish {
            topic,
            data: data.map_or("null", RawValue::get),
            retain: fields.retain == Some(serde_json::Value::Bool(true)),
            id: Text::of(fields.id).filter(|id| id.len() <= MAX_NAME),
        }),
    };
    Ok((wire, request))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(text: &str) -> (Wire, String, String) {
        match read(text).unwrap() {
            (wire, Request::Publish(Publish { topic, data, .. })) => {
                (wire, topic.into_owned(), data.to_owned())
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_frame_has_one_of_two_formats() {
        let book = published(r#"{"type":"chat.message","payload":{"text":"Hello!"},"timestamp":1}"#);
        assert_eq!(book, (Wire::Book, "chat.message".to_owned(), r#"{"text":"Hello!"}"#.to_owned()));
        let pan = published(r#"{"topic":"chat.message","data":[1, 2],"ts":1,"id":"a"}"#);
        assert_eq!(pan, (Wire::Pan, "chat.message".to_owned(), "[1, 2]".to_owned()));
        assert_eq!(published(r#"{"topic":"users.saved","item":{"id":1}}"#).2, r#"{"id":1}"#);
        assert_eq!(published(r#"{"type":"x"}"#).2, "null");
        assert_eq!(published(r#"{"type":"x","payload":null}"#).2, "null");
        assert_eq!(published(r#"{"type":"ca\u0066\u00e9"}"#).1, "caf\u{e9}");
    }

    #[test]
    fn pings_of_both_formats_are_pings() {
        for text in [r#"{"type":"ping","payload":{},"timestamp":1}"#, r#"{"topic":"sys.ping","ts":1}"#] {
            assert!(matches!(read(text).unwrap().1, Request::Ping), "{text}");
        }
    }

    #[test]
    fn a_document_is_named_by_a_text_or_a_number() {
        for (id, expected) in [(r#""d1""#, "d1"), ("7", "7"), (r#""a\"b""#, "a\"b")] {
            let text = format!(r#"{{"type":"join-document","payload":{{"docId":{id},"name":"Ada"}}}}"#);
            let (_, Request::Join { document, user }) = read(&text).unwrap() else { panic!("{text}") };
            assert_eq!((&*document, user.name.as_deref()), (expected, Some("Ada")));
        }
    }

    #[test]
    fn frames_without_a_meaning_are_errors() {
        let long =
            format!(r#"{{"type":"join-document","payload":{{"docId":"{}"}}}}"#, "x".repeat(MAX_NAME + 1));
        for (text, reason) in [
            ("", "JSON object"),
            ("[]", "JSON object"),
            ("{\"type\":", "JSON object"),
            ("{}", "neither"),
            (r#"{"type":{}}"#, "neither"),
            (r#"{"type":""}"#, "neither"),
            (r#"{"type":"join-document"}"#, "docId"),
            (r#"{"type":"document-update","payload":{"docId":"d"}}"#, "content"),
            (r#"{"type":"subscribe","payload":{}}"#, "topics"),
            (r#"{"type":"collaborator-left","payload":{"userId":"me"}}"#, "only the server"),
            (r#"{"type":"disconnected"}"#, "only the server"),
            (&long, "at most 128 bytes"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn the_format_of_a_page_is_that_of_its_frames() {
        let first = Wire::Both.after(Wire::Book, true);
        assert_eq!(first, Wire::Book);
        assert_eq!(first.after(Wire::Book, false), Wire::Book);
        assert_eq!(first.after(Wire::Pan, false), Wire::Both);
        assert_eq!(Wire::Both.after(Wire::Pan, false), Wire::Both);
    }
}
