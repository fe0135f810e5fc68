//! HTTP messages without their connections: answers, what a request's headers mean, and the cookies in them.
//!
//! | type | what it is |
//! |---|---|
//! | [`Answer`], [`AnswerBody`] | an HTTP answer on its way out, and its body |
//! | [`ReceivedBody`], [`BodyFeed`] | the body of a request, for its reader and for its connection |
//! | [`Carrier`] | what a connection carries after the head of an answer |
//! | [`Html`] | a page as text, with the place for the address of a line |
//! | [`Audience`] | how much of an exchange a request's client can follow |
//! | [`Handshake`] | the opening handshake of a WebSocket |
//! | [`Head`] | a request's head, for as long as JavaScript may read it |
//! | [`Conditions`], [`Verdict`] | what a request's conditions make of an answer |
//! | [`SetCookie`], [`Signer`] | cookies that answers set; the session's, with its signature |
//! | [`KeptDocuments`] | answers that browsers are about to load as documents |
//! | [`StallTimeout`] | how long a client may keep the host waiting |
//! | [`spare`] | memory of heads that is used again |
//! | [`strict`] | what a request has to be before anything is done for it |
//! | [`RedirectPolicy`] | redirects that a page cannot follow by `fetch` |
//!
//! **Invariant:** nothing in here opens a connection or names the JavaScript engine.

mod answer;
mod audience;
mod body;
mod carrier;
mod conditions;
mod cookies;
mod handshake;
mod head;
mod kept_documents;
mod line_path;
mod negotiation;
mod received_body;
mod redirect;
mod session_cookie;
pub(crate) mod spare;
mod stall_timeout;
pub(crate) mod strict;

pub(crate) use answer::{Answer, Continuation, Html, JSON, LINE_HEADER, Nature, TEXT};
pub(crate) use audience::{
    Audience, LineStream, as_stream, asks_for_websocket, first_state, lists, set_stream_headers,
    status_of_stream,
};
pub(crate) use body::{AnswerBody, BodyError, Chunk, FileBody};
pub(crate) use carrier::Carrier;
pub(crate) use conditions::{Conditions, Verdict, is_get_or_head, wants_range};
pub(crate) use cookies::{CookiePlace, SetCookie, cookies, set_cookie, unescaped};
pub(crate) use handshake::{Handshake, LongestMessage};
pub(crate) use head::Head;
pub(crate) use kept_documents::{KeptDocument, KeptDocuments};
pub(crate) use line_path::{LINE_PATH, USER_PATH, line_token, path_for_log};
pub(crate) use negotiation::{EVENT_STREAM, accepts, prefers_html, prefers_json};
pub(crate) use received_body::{BodyFailure, BodyFeed, ReceivedBody};
pub(crate) use redirect::{RedirectPolicy, X_REDIRECT_CODE};
pub(crate) use session_cookie::Signer;
pub(crate) use stall_timeout::{StallTimeout, within};
