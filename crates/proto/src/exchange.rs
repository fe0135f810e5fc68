//! One request: from its arrival until it is answered, or until its line takes over.
//!
//! ```text
//!             answer/message        turn ends, nothing more to come       body written
//!  Received ─────────────────▶ Opening ─────────────────────────────▶ Answered ──▶ Ended
//!                                 │ turn ends, more to come
//!                                 ▼
//!                             Upgrading ──▶ Live ──▶ Ended
//! ```
//!
//! What a handler sends within one turn of its event loop is collected; the HTTP answer is sent at the end of the
//! turn. So `respondWith(x); waitUntil(p)` is as live as the other order, and the decision needs no timer. The first
//! thing sent becomes the HTTP answer, the rest waits for the line.
//!
//! A client that cannot follow a line ([`Reach::Final`]) gets one answer, the last one: `Opening` then holds the newest
//! state until nothing more can come.

use crate::{LineId, QueuedFrame};

/// How much of an exchange its client can receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// All of it, on a line.
    #[default]
    Line,
    /// One HTTP answer.
    Final,
}

/// The state of one request. `B` is the HTTP answer, which the machine only hands on.
#[derive(Debug)]
pub struct Exchange<B> {
    stage: Stage<B>,
    reach: Reach,
    /// Promises, callbacks and generators that keep the exchange open.
    holds: u32,
    /// Handlers whose promise has not settled.
    running: u32,
    /// Bodies that are still being streamed over HTTP.
    streams: u32,
    /// The response had its last state.
    done: bool,
    /// Its line is a socket without envelopes, on which the host sends nothing of its own.
    is_raw: bool,
    /// Channels that the handler entered for its client. They need a line as much as a message does.
    channels: usize,
}

#[derive(Debug)]
enum Stage<B> {
    Received,
    /// `first` is `None` where a message came first: the HTTP answer then is 202 Accepted.
    Opening {
        first: Option<B>,
        queued: Vec<QueuedFrame>,
    },
    Upgrading,
    Live(LineId),
    Answered,
    Ended,
}

/// What happens to an exchange.
#[derive(Debug)]
pub enum Input<B> {
    /// The response's first state.
    Answer {
        /// The HTTP answer that has it.
        answer: B,
        /// No further state follows.
        done: bool,
    },
    /// The HTTP answer is a socket without envelopes.
    Upgrade(B),
    /// A later state of the response.
    Frame {
        /// The frame that has it.
        frame: QueuedFrame,
        /// No further state follows.
        done: bool,
    },
    /// A message, request or delta.
    Message(QueuedFrame),
    /// The handler entered a channel for its client.
    Enter,
    /// The handler left one of its client's channels.
    Leave,
    /// The state before was the last one.
    Done,
    /// A promise, callback or generator keeps the exchange open.
    Hold,
    /// One of the holds settled.
    Release,
    /// A further handler runs on behalf of the same request.
    Started,
    /// A handler's promise settled.
    Returned,
    /// The HTTP answer's body goes on being written.
    StreamBegan,
    /// That body is written, or its client left.
    StreamEnded,
    /// The handler threw.
    Failed,
    /// JavaScript has nothing more to run for now.
    TurnEnded,
    /// No later state is waited for: the client gets the one that is held, if any.
    Settle,
    /// The requester left, time ran out, or the line is gone.
    Gone,
}

/// What the driver has to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect<B> {
    /// Nothing.
    None,
    /// Answer over HTTP; nothing follows. The exchange is over, unless the answer's body is still streamed.
    Answer(B),
    /// Open a line, answer over HTTP with its address, then call [`Exchange::opened`].
    Open {
        /// The HTTP answer. `None`: 202 Accepted.
        first: Option<B>,
        /// Frames for the line.
        queued: Vec<QueuedFrame>,
    },
    /// Send on the line.
    Send(LineId, QueuedFrame),
    /// The response had its last state, but the exchange goes on: send `response.done`.
    Done(LineId),
    /// The exchange is complete: close the line with 1000 once everything is written.
    Finish(LineId),
    /// Answer 500.
    FailAnswer,
    /// Close the line because the handler failed.
    FailLine(LineId),
}

/// The input came too late or out of order. It changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// A state after the last one.
    #[error("the response is already done")]
    ResponseDone,
    /// The exchange is over, or its HTTP answer leaves no room for more.
    #[error("the exchange has already ended")]
    Ended,
    /// The HTTP answer was decided before.
    #[error("the HTTP answer is already given")]
    NotFirst,
    /// The client is in 64 channels, which is the limit.
    #[error("a client can be in {MAX_CHANNELS} channels at a time")]
    TooManyChannels,
}

/// Channels that one exchange may be in.
const MAX_CHANNELS: usize = 64;

impl<B> Exchange<B> {
    /// A request that arrived. One handler runs.
    pub fn new(reach: Reach) -> Self {
        Exchange {
            stage: Stage::Received,
            reach,
            holds: 0,
            running: 1,
            streams: 0,
            done: false,
            is_raw: false,
            channels: 0,
        }
    }

    /// Processes one input. An input that returns an error changes nothing.
    ///
    /// # Errors
    ///
    /// - [`ExchangeError::Ended`]: the exchange is over, and the input is none of those that only end something
    ///   (`TurnEnded`, `Settle`, `Gone`, `Leave`, `Release`, `Returned`, `Failed`). Also a frame or a message between
    ///   [`Effect::Open`] and [`Exchange::opened`], and a frame, a message, `Enter` or `Hold` after an HTTP answer that
    ///   nothing follows.
    /// - [`ExchangeError::ResponseDone`]: an answer or a frame after the last state of the response. A client with
    ///   [`Reach::Final`] has not received an answer that is held, so that another answer still replaces it.
    /// - [`ExchangeError::NotFirst`]: an answer after something was sent (with [`Reach::Final`]: after the HTTP answer
    ///   was decided), or `Upgrade` after something was sent.
    /// - [`ExchangeError::TooManyChannels`]: `Enter` while the client is in 64 channels.
    pub fn handle(&mut self, input: Input<B>) -> Result<Effect<B>, ExchangeError> {
        if matches!(self.stage, Stage::Ended) {
            return match input {
                Input::TurnEnded
                | Input::Settle
                | Input::Gone
                | Input::Leave
                | Input::Release
                | Input::Returned
                | Input::Failed => Ok(Effect::None),
                _ => Err(ExchangeError::Ended),
            };
        }
        match input {
            Input::Answer { answer, done } => self.answer(answer, done),
            Input::Upgrade(answer) if matches!(self.stage, Stage::Received) => {
                (self.done, self.is_raw) = (true, true);
                self.stage = Stage::Upgrading;
                // Nothing is left to decide at the end of the turn.
                Ok(Effect::Open { first: Some(answer), queued: Vec::new() })
            }
            Input::Upgrade(_) => Err(ExchangeError::NotFirst),
            Input::Frame { frame, done } => {
                if self.done {
                    return Err(ExchangeError::ResponseDone);
                }
                let sent = self.send(frame)?;
                self.done = done;
                Ok(sent)
            }
            Input::Message(frame) => self.send(frame),
            Input::Enter if matches!(self.stage, Stage::Answered) => Err(ExchangeError::Ended),
            // Without a line its client cannot be in a channel.
            Input::Enter if self.reach == Reach::Final => Ok(Effect::None),
            Input::Enter if self.channels == MAX_CHANNELS => Err(ExchangeError::TooManyChannels),
            Input::Enter => {
                self.channels += 1;
                Ok(Effect::None)
            }
            Input::Leave => {
                self.channels = self.channels.saturating_sub(1);
                Ok(Effect::None)
            }
            Input::Done => {
                self.done = true;
                Ok(self.finish_or_send_done())
            }
            // The answer was final: there is nothing left to hold open.
            Input::Hold if matches!(self.stage, Stage::Answered) => Err(ExchangeError::Ended),
            Input::Hold => {
                self.holds += 1;
                Ok(Effect::None)
            }
            Input::Release => {
                self.holds = self.holds.saturating_sub(1);
                Ok(self.finish_if_complete())
            }
            // Its answer is decided, and leaves when the turn ends.
            Input::Started if self.is_complete() => Ok(Effect::None),
            Input::Started => {
                self.running += 1;
                Ok(Effect::None)
            }
            Input::Returned => {
                self.running = self.running.saturating_sub(1);
                Ok(self.finish_if_complete())
            }
            Input::StreamBegan => {
                self.streams += 1;
                Ok(Effect::None)
            }
            Input::StreamEnded => {
                self.streams = self.streams.saturating_sub(1);
                if matches!(self.stage, Stage::Answered) && self.streams == 0 {
                    self.stage = Stage::Ended;
                }
                Ok(self.finish_if_complete())
            }
            Input::Failed => Ok(match std::mem::replace(&mut self.stage, Stage::Ended) {
                Stage::Received | Stage::Opening { .. } => Effect::FailAnswer,
                Stage::Live(line) => Effect::FailLine(line),
                Stage::Upgrading | Stage::Answered | Stage::Ended => Effect::None,
            }),
            Input::TurnEnded => Ok(self.turn_ended()),
            Input::Settle => Ok(match std::mem::replace(&mut self.stage, Stage::Ended) {
                Stage::Opening { first: Some(answer), .. } => Effect::Answer(answer),
                stage => {
                    self.stage = stage;
                    Effect::None
                }
            }),
            Input::Gone => {
                self.stage = Stage::Ended;
                Ok(Effect::None)
            }
        }
    }

    /// The line that [`Effect::Open`] asked for exists.
    pub fn opened(&mut self, line: LineId) -> Effect<B> {
        debug_assert!(matches!(self.stage, Stage::Upgrading), "opened() follows Effect::Open");
        self.stage = Stage::Live(line);
        self.finish_or_send_done()
    }

    /// Whether nothing keeps the exchange: its handlers returned, its response is done and written, nothing holds it.
    pub fn is_complete(&self) -> bool {
        self.running == 0 && self.done && self.holds == 0 && self.streams == 0
    }

    /// `Some` while a state is held back because a later one may come and the client gets only one. The value: whether a
    /// handler runs or a promise is waited for, both of which are expected to end.
    pub fn holds_state(&self) -> Option<bool> {
        let has_state = matches!(self.stage, Stage::Opening { first: Some(_), .. });
        (has_state && self.reach == Reach::Final).then_some(self.running > 0 || self.holds > 0)
    }

    /// Something was sent, or is about to be: HTTP's answer is decided.
    pub fn has_sent(&self) -> bool {
        !matches!(self.stage, Stage::Received)
    }

    /// Whether the HTTP answer was decided, or cannot be any more.
    pub fn is_answered(&self) -> bool {
        !matches!(self.stage, Stage::Received | Stage::Opening { .. })
    }

    /// Whether the exchange is over and can be dropped.
    pub fn is_ended(&self) -> bool {
        matches!(self.stage, Stage::Ended)
    }

    /// The line, once there is one.
    pub fn line(&self) -> Option<LineId> {
        match self.stage {
            Stage::Live(line) => Some(line),
            _ => None,
        }
    }

    fn answer(&mut self, answer: B, done: bool) -> Result<Effect<B>, ExchangeError> {
        // A held state can still be replaced, even the last one.
        let is_held = self.reach == Reach::Final && matches!(self.stage, Stage::Opening { .. });
        if self.done && !is_held {
            return Err(ExchangeError::ResponseDone);
        }
        match (&self.stage, self.reach) {
            (Stage::Received, _) | (Stage::Opening { .. }, Reach::Final) => {}
            _ => return Err(ExchangeError::NotFirst),
        }
        self.stage = Stage::Opening { first: Some(answer), queued: Vec::new() };
        self.done = done;
        Ok(Effect::None)
    }

    fn send(&mut self, frame: QueuedFrame) -> Result<Effect<B>, ExchangeError> {
        match &mut self.stage {
            Stage::Received => {
                self.stage = Stage::Opening { first: None, queued: vec![frame] };
                Ok(Effect::None)
            }
            Stage::Opening { queued, .. } => {
                queued.push(frame);
                Ok(Effect::None)
            }
            Stage::Live(line) => Ok(Effect::Send(*line, frame)),
            Stage::Upgrading | Stage::Answered | Stage::Ended => Err(ExchangeError::Ended),
        }
    }

    fn turn_ended(&mut self) -> Effect<B> {
        let (queued, opens) = match &self.stage {
            Stage::Opening { queued, .. } => (!queued.is_empty(), true),
            Stage::Received => (false, self.channels > 0),
            _ => return Effect::None,
        };
        let more_to_come = !self.done || self.holds > 0 || self.channels > 0 || queued;
        if !opens || (more_to_come && self.reach == Reach::Final) {
            return Effect::None;
        }
        let (first, queued) = match std::mem::replace(&mut self.stage, Stage::Upgrading) {
            Stage::Opening { first, queued } => (first, queued),
            _ => (None, Vec::new()),
        };
        match first {
            Some(answer) if !more_to_come => {
                self.stage = if self.streams == 0 { Stage::Ended } else { Stage::Answered };
                Effect::Answer(answer)
            }
            first => Effect::Open { first, queued },
        }
    }

    /// The line ends with the exchange. If only the response has ended, the client is sent `response.done`.
    fn finish_or_send_done(&mut self) -> Effect<B> {
        match (self.finish_if_complete(), &self.stage) {
            (Effect::None, Stage::Live(line)) if self.done && !self.is_raw => Effect::Done(*line),
            (effect, _) => effect,
        }
    }

    fn finish_if_complete(&mut self) -> Effect<B> {
        match self.stage {
            Stage::Live(line) if self.is_complete() => {
                self.stage = Stage::Ended;
                Effect::Finish(line)
            }
            _ => Effect::None,
        }
    }
}

#[cfg(test)]
mod tests;
