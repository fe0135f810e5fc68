//! Carries out the effects that the state machine of an exchange returns: answers, and the opening and
//! closing of lines.

use hyper::header::HeaderValue;
use hyper::{HeaderMap, StatusCode, header};

use super::Exchanges;
use super::slot::{Cause, Reply};
use crate::ext::actor::exchange_of;
use crate::ext::{Mode, Show};
use crate::http::{
    Answer, Audience, Continuation, Html, LINE_HEADER, LINE_PATH, LineStream, Nature, as_stream, first_state,
    prefers_html, prefers_json, spare, status_of_stream,
};
use liveline_proto::{Close, CloseCode, Effect, ExchangeId, LineId, QueuedFrame, Token, Visitor};

impl Exchanges {
    pub(super) fn carry_out(&mut self, id: ExchangeId, effect: Effect<Box<Answer>>) {
        match effect {
            Effect::None => {}
            Effect::Answer(answer) => self.answer(id, spare::unboxed_answer(answer)),
            Effect::Open { first, queued } => self.open_line(id, first.map(|first| *first), queued),
            Effect::Send(line, frame) => {
                let is_congested = self.host.hub.send(line, frame);
                if let Some(slot) = self.slot(id) {
                    slot.line.is_congested = is_congested;
                }
            }
            Effect::Done(line) => self.host.hub.deferred_turn().done(line),
            Effect::Finish(line) => self.host.hub.deferred_turn().complete(line),
            Effect::FailAnswer => self.fail_answer(id),
            Effect::FailLine(line) => self.fail_line(id, line),
        }
    }

    /// Sends the HTTP answer; nothing follows.
    fn answer(&mut self, id: ExchangeId, answer: Answer) {
        let client = self.slot(id).map(|slot| slot.client);
        let answer = match client {
            Some(Audience::Stream(format)) if answer.continuation.is_none() => as_stream(answer, format),
            _ => answer,
        };
        self.reply(id, answer);
    }

    /// Opens a line and sends an HTTP answer with its address: with the first state, or with 202 if there is
    /// no state yet.
    fn open_line(&mut self, id: ExchangeId, first: Option<Answer>, queued: Vec<QueuedFrame>) {
        let slot = self.slot(id).expect("the effect came from this slot");
        let (session, address) = (slot.session.id.clone(), slot.requester.address);
        let client = slot.client;
        let waiting = slot.rare.as_mut().map(|rare| std::mem::take(&mut rare.waiting));
        let visitor = Visitor { session: session.map(|id| self.host.sessions.name(&id).into()), address };
        let end = self.slot(id).and_then(|slot| slot.rare.as_ref()?.end);
        let (owner, exchange) = match end {
            Some(end) => (self.host.actors.line_owner(), exchange_of(end)),
            None => (self.host.owner, id),
        };
        let (line, token) = match self.host.hub.open(owner, exchange, visitor) {
            Ok(opened) => opened,
            Err(error) => {
                tracing::debug!("a line for exchange {} was refused: {error}", id.0);
                self.reply(id, Answer::too_many_lines());
                return self.end(id, CloseCode::Done.into());
            }
        };
        if let Some(end) = end {
            self.host.actors.attach_line(end, line);
        }
        for frame in queued {
            self.host.hub.send(line, frame);
        }
        for act in waiting.into_iter().flatten() {
            act(&self.host.hub, line);
        }
        let mut answer = first.unwrap_or_else(|| self.accepted(id));
        if answer.status == StatusCode::SWITCHING_PROTOCOLS {
            answer.continuation = Some(Continuation::WebSocket(line));
        } else {
            let address = add_line_headers(&mut answer.headers, token);
            answer.insert_line(&address);
        }
        if let Audience::Stream(format) = client
            && let Some(first) = first_state(&answer, format)
        {
            answer.status = status_of_stream(answer.status);
            let stream = LineStream { line, format, first };
            answer.continuation = Some(Continuation::Stream(Box::new(stream)));
        }
        self.reply(id, answer);
        let slot = self.slot(id).expect("a reply leaves the slot");
        slot.settle_down();
        let effect = slot.exchange.opened(line);
        self.carry_out(id, effect);
    }

    /// The 202 answer for an exchange without a state, with the page if the client expects one.
    fn accepted(&mut self, id: ExchangeId) -> Answer {
        let mut accepted = Answer::empty(StatusCode::ACCEPTED);
        accepted.nature = Nature::State;
        let shown = self.slot(id).and_then(|slot| slot.page());
        let page = shown.and_then(|shown| shown.page);
        match page.zip(self.host.site.as_ref()).map(|(page, site)| site.blank_page(page)) {
            Some(Ok([before, after])) => {
                let line_at = Some(before.len());
                let text = before + &*after;
                if shown.is_some_and(|shown| shown.show == Show::Both) {
                    accepted.document = Some(Box::new(Html { text, line_at }));
                    return accepted;
                }
                accepted.with_page(text, line_at)
            }
            Some(Err(error)) => {
                tracing::error!("{error}");
                accepted
            }
            None => accepted,
        }
    }

    /// Sends an answer for a failed handler. A fault of the request body decides the answer first, then the
    /// cause of the failure.
    fn fail_answer(&mut self, id: ExchangeId) {
        let (max_body, mode) = (self.host.bodies.size, self.host.mode);
        let slot = self.slot(id).expect("the effect came from this slot");
        let headers = &slot.request.parts().headers;
        let (html, json) = (prefers_html(headers), prefers_json(headers));
        let rare = slot.rare.as_mut();
        let (fault, failure) = rare.map_or((None, None), |rare| (rare.fault.take(), rare.failure.take()));
        let cause = failure.as_ref().map_or(Cause::Handler, |failure| failure.cause);
        let diagnostic = failure.filter(|_| mode == Mode::Development).map(|failure| failure.diagnostic);
        let answer = match (fault, cause) {
            (Some(fault), _) => fault.answer(max_body),
            (None, Cause::Unreachable) => Answer::needs_live_client(),
            (None, Cause::UpstreamLost) => {
                Answer::text(StatusCode::BAD_GATEWAY, "The upstream was lost before it answered.\n")
            }
            (None, Cause::Handler) => match diagnostic {
                Some(diagnostic) if html => Answer::error_page(&diagnostic),
                diagnostic => {
                    let mut answer = Answer::internal_error(diagnostic.as_ref(), json);
                    // The document for a request that a page's script made: the same error page.
                    let page = diagnostic.map(|it| Html { text: it.to_html(), line_at: None });
                    answer.document = page.map(Box::new);
                    answer
                }
            },
        };
        self.reply(id, answer);
    }

    /// Closes the line because the handler failed.
    fn fail_line(&mut self, id: ExchangeId, line: LineId) {
        let failure = self.slot(id).and_then(|slot| slot.rare.as_mut()?.failure.take());
        let code = match &failure {
            Some(failure) if failure.cause == Cause::UpstreamLost => CloseCode::UpstreamLost,
            _ => CloseCode::HandlerFailed,
        };
        let close = match failure.filter(|_| self.host.mode == Mode::Development) {
            Some(failure) => Close::because(code, failure.diagnostic.message),
            None => code.into(),
        };
        self.host.hub.deferred_turn().finish(line, close);
    }

    /// Sends the HTTP answer with the cookies that the handler has set, unless an answer was sent before.
    pub(super) fn reply(&mut self, id: ExchangeId, mut answer: Answer) {
        let Some(slot) = self.slots.get(id) else { return };
        let reply = std::mem::replace(&mut slot.reply, Reply::Given);
        if matches!(reply, Reply::Given) {
            return;
        }
        let cookies = slot.rare.as_mut().map(|rare| std::mem::take(&mut rare.cookies));
        for (_, cookie) in cookies.into_iter().flatten() {
            answer.headers.append(header::SET_COOKIE, cookie);
        }
        let session = slot.session.id.clone().filter(|_| slot.session.sets_cookie);
        let is_secure = slot.requester.is_secure;
        // If another request has renewed the session meanwhile, the answer to that request has the cookie.
        if let Some(session) = session.filter(|id| !self.host.sessions.is_over(id)) {
            let cookie = self.host.sessions.cookie(&session, self.host.trust.is_secure(is_secure));
            answer.headers.append(header::SET_COOKIE, cookie);
        }
        match reply {
            Reply::Here => self.turn.answered = Some(answer),
            // There is no receiver if the client has disconnected in the same turn.
            Reply::There(reply) => drop(reply.send(answer)),
            Reply::Given => {}
        }
    }
}

/// Adds the headers with the address of the line. Returns the value of the current header, `LINE_HEADER`.
fn add_line_headers(headers: &mut HeaderMap, token: Token) -> String {
    let value = |text: &str| text.parse().expect("a token is hexadecimal");
    let path = LINE_PATH.trim_start_matches('/');
    let address = format!("socket:///{path}{token}?v=2");
    headers.insert(LINE_HEADER, value(&address));
    headers.insert("x-background-messaging-port", value(&format!("ws:{path}{token}")));
    // The address can be used once, by one visitor.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    address
}
