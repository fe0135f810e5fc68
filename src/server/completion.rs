//! What an answer of handlers needs of the request that it is for.

use hyper::StatusCode;
use hyper::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, EXPIRES, HeaderValue, VARY,
};

use super::assets::X_LIVE_PAGE;
use super::reply::{Outgoing, Protocol};
use crate::http::{
    Answer, AnswerBody, Conditions, Continuation, Handshake, LongestMessage, Nature, RedirectPolicy, Verdict,
};
use crate::router::{PageId, Routes};

/// See the module.
pub(super) struct Completion {
    /// The request asks for a WebSocket.
    pub handshake: Option<Handshake>,
    pub redirects: Option<RedirectPolicy>,
    pub conditions: Option<Conditions>,
    pub page: Option<PageId>,
    /// The method is GET or HEAD.
    pub is_get_or_head: bool,
}

impl Completion {
    pub(super) fn complete(self, routes: &Routes, mut answer: Answer) -> Outgoing {
        match (self.handshake, &answer.continuation) {
            (Some(handshake), Some(Continuation::WebSocket(line))) => {
                let line = *line;
                handshake.accept(&mut answer.headers);
                let longest = answer.extensions.get::<LongestMessage>().map(|longest| longest.0);
                return Outgoing::upgrade(answer, Protocol::Raw(line, longest));
            }
            (Some(handshake), Some(Continuation::Carried(_)))
                if answer.status == StatusCode::SWITCHING_PROTOCOLS =>
            {
                handshake.accept(&mut answer.headers);
                return answer.into();
            }
            _ => {}
        }
        // Conditions are judged for a part of the body as for the whole (RFC 9110 section 13.2.2).
        let can_be_spared =
            matches!(answer.status, StatusCode::OK | StatusCode::PARTIAL_CONTENT) && !answer.is_live();
        let verdict = self.conditions.filter(|_| can_be_spared).map(|asked| asked.judge(&answer.headers));
        if let Some(status) = verdict.and_then(Verdict::status) {
            answer.status = status;
            answer.body = AnswerBody::Empty;
            answer.headers.remove(CONTENT_LENGTH);
            answer.headers.remove(CONTENT_RANGE);
            answer.nature = Nature::Own;
            if verdict == Some(Verdict::Failed) {
                // These describe the body that is not sent.
                for name in [CONTENT_TYPE, CONTENT_ENCODING, CACHE_CONTROL, EXPIRES] {
                    answer.headers.remove(name);
                }
            }
        }
        if let Some(redirects) = &self.redirects {
            redirects.apply(&mut answer);
        }
        // A file of `public/` is the same for browsers and programs.
        let page = self.page.filter(|_| !matches!(answer.body, AnswerBody::File(_)));
        if let Some(page) = page.and_then(|page| routes.page(page)) {
            if answer.nature == Nature::State {
                answer.headers.insert(X_LIVE_PAGE, page.header.clone());
            }
            if self.is_get_or_head {
                answer.headers.append(VARY, HeaderValue::from_static("Accept"));
            }
        }
        answer.into()
    }
}
