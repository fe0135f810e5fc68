//! The state of `liveline.v1`, whose clients can resume a line after a lost connection. docs/wire.md describes the
//! subprotocol.

use std::num::NonZeroU64;

use super::outbox::Outbox;
use crate::{Limits, Numbered, Outgoing, Token, Welcome, numbered};

/// After this many frames the client gets an acknowledgement.
const ACK_EVERY: u32 = 16;

/// What a line keeps so that its client can resume.
#[derive(Debug)]
pub(super) struct Resume {
    /// Names the line; the newest welcome has it.
    token: Token,
    /// The token before, valid until the client shows that it has the newest.
    previous: Option<Token>,
    /// The number of the last frame that came from the client.
    received: u64,
    /// How many frames came since the last acknowledgement.
    unacknowledged: u32,
    /// The welcome was not yet sent on this connection.
    owes_welcome: bool,
    /// The number of the first frame that was dropped before the client had it. The next welcome announces it, unless the
    /// client has that frame or a later one.
    lost: Option<NonZeroU64>,
}

// Thousands of lines are idle at a time.
const _: () = assert!(size_of::<Resume>() <= 56);

/// Why a frame of the client was not accepted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum UnpackError {
    /// It is not a frame of `liveline.v1`, or acknowledges a frame that was never sent.
    Invalid,
    /// A frame before it is missing.
    Gap,
}

impl Resume {
    /// `token` goes into the first welcome; the client joined with `previous`.
    pub(super) fn new(token: Token, previous: Token) -> Resume {
        Resume {
            token,
            previous: Some(previous),
            received: 0,
            unacknowledged: 0,
            owes_welcome: true,
            lost: None,
        }
    }

    /// The tokens that name the line.
    pub(super) fn tokens(&self) -> [Option<Token>; 2] {
        [Some(self.token), self.previous]
    }

    /// A new connection: the client presented one of the tokens. The newest is replaced by `fresh` only when it was
    /// presented; with the one before, the newest may still be on its way to the client, so it stays.
    pub(super) fn reconnect(&mut self, presented: Token, fresh: Token) {
        if presented == self.token {
            self.previous = Some(presented);
            self.token = fresh;
        }
        self.owes_welcome = true;
        self.unacknowledged = 0;
    }

    /// All frames after `number` were dropped.
    pub(super) fn lost_after(&mut self, number: u64) {
        self.lost = NonZeroU64::new(number + 1);
    }

    /// The client resumed with everything up to `after`, and every later frame is kept. Frames that were dropped earlier
    /// are still missing if it is behind them.
    pub(super) fn kept_after(&mut self, after: u64) {
        self.lost = self.lost.filter(|first| after < first.get());
    }

    pub(super) fn has_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// The envelope in a frame. `None`: an acknowledgement, or a frame that came before.
    pub(super) fn unpack<'a>(
        &mut self,
        text: &'a str,
        outbox: &mut Outbox,
    ) -> Result<Option<&'a str>, UnpackError> {
        // A client that sends has read the connection's welcome.
        if !self.owes_welcome {
            (self.previous, self.lost) = (None, None);
        }
        match Numbered::read(text).map_err(|_| UnpackError::Invalid)? {
            Numbered::Ack(number) => {
                outbox.acknowledge(number).map_err(|_| UnpackError::Invalid)?;
                Ok(None)
            }
            Numbered::Frame(number, _) if number <= self.received => Ok(None),
            Numbered::Frame(number, envelope) if number == self.received + 1 => {
                self.received = number;
                self.unacknowledged = self.unacknowledged.saturating_add(1);
                Ok(Some(envelope))
            }
            Numbered::Frame(..) => Err(UnpackError::Gap),
        }
    }

    /// Whether so many frames came that the client is owed an acknowledgement.
    pub(super) fn owes_ack(&self) -> bool {
        self.unacknowledged >= ACK_EVERY
    }

    /// The next frame of the subprotocol itself, if one is due. `pings`: the line has a heartbeat; `is_ping_due`: it wants
    /// traffic now.
    pub(super) fn take_control(
        &mut self,
        pings: bool,
        is_ping_due: bool,
        limits: &Limits,
    ) -> Option<Outgoing> {
        if std::mem::take(&mut self.owes_welcome) {
            let welcome = Welcome {
                token: self.token.to_string(),
                window: limits.resume_window.as_millis() as u64,
                ping: pings.then_some(limits.ping_interval.as_millis() as u64),
                received: self.received,
                lost: self.lost.is_some(),
            };
            self.unacknowledged = 0;
            return Some(Outgoing::Control(welcome.text()));
        }
        if !self.owes_ack() && !is_ping_due {
            return None;
        }
        self.unacknowledged = 0;
        Some(Outgoing::Control(numbered::ack(self.received)))
    }
}
