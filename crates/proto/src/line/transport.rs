//! What carries a line to its client, with the data that belongs to each kind.

use super::resume::Resume;
use crate::{Close, Token};

/// How a client joins a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportKind {
    /// One connection, both ways.
    Socket,
    /// A socket of `liveline.v1`: frames are numbered, so that the client can resume with this fresh token.
    Resumable(Token),
    /// A stream of events downward. The client sends by POST, with the token that it joined with.
    Events,
    /// A socket without envelopes: the handler's own protocol.
    Raw,
}

/// What carries a line.
#[derive(Debug)]
pub(super) enum Transport {
    /// No client has joined. `token` is what the first one has to present. `reception` is that of a raw socket whose
    /// handler was there before the connection.
    Unjoined {
        token: Token,
        reception: Reception,
    },
    Socket,
    /// Boxed: it is large, and most sockets do without.
    Resumable(Box<Resume>),
    /// `token` names the line in the client's POST requests.
    Events {
        token: Token,
    },
    Raw(Raw),
}

/// What the handler of a raw socket receives.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Reception {
    /// The client's messages. Until then the socket is not read.
    pub is_accepted: bool,
    /// The client's pings and pongs as well.
    pub follows_pings: bool,
}

/// A socket without envelopes.
#[derive(Debug, Default)]
pub(super) struct Raw {
    pub reception: Reception,
    /// How the line ends when the handler has acknowledged the messages that came before.
    pub pending_end: Option<Box<PendingEnd>>,
}

/// What a client did that ends its raw line.
#[derive(Debug)]
pub(super) enum PendingEnd {
    /// It broke a rule: what waits for it is dropped.
    Violation(Close),
    /// It sent its close frame: what waits for it is written before the answer.
    Closed(Close),
}

impl Transport {
    /// A client joins by `kind`. Its token is spent, except on a stream of events.
    pub(super) fn join(&mut self, kind: TransportKind) {
        let (token, reception) = match self {
            Transport::Unjoined { token, reception } => (*token, *reception),
            _ => return,
        };
        *self = match kind {
            TransportKind::Socket => Transport::Socket,
            TransportKind::Resumable(fresh) => Transport::Resumable(Box::new(Resume::new(fresh, token))),
            TransportKind::Events => Transport::Events { token },
            TransportKind::Raw => Transport::Raw(Raw { reception, pending_end: None }),
        };
    }

    /// What the handler of a raw socket receives; `None` of other lines.
    pub(super) fn reception(&mut self) -> Option<&mut Reception> {
        match self {
            Transport::Raw(raw) => Some(&mut raw.reception),
            Transport::Unjoined { reception, .. } => Some(reception),
            _ => None,
        }
    }

    /// The tokens that name the line.
    pub(super) fn tokens(&self) -> [Option<Token>; 2] {
        match self {
            Transport::Unjoined { token, .. } | Transport::Events { token } => [Some(*token), None],
            Transport::Resumable(resume) => resume.tokens(),
            Transport::Socket | Transport::Raw(_) => [None, None],
        }
    }

    pub(super) fn resume(&self) -> Option<&Resume> {
        match self {
            Transport::Resumable(resume) => Some(resume),
            _ => None,
        }
    }

    pub(super) fn resume_mut(&mut self) -> Option<&mut Resume> {
        match self {
            Transport::Resumable(resume) => Some(resume),
            _ => None,
        }
    }

    /// Whether the client answers pings. The reader of an event stream cannot.
    pub(super) fn answers_pings(&self) -> bool {
        !matches!(self, Transport::Events { .. })
    }

    /// Whether the client does not see pings and expects a frame or an event in each interval instead.
    pub(super) fn expects_traffic(&self) -> bool {
        matches!(self, Transport::Events { .. } | Transport::Resumable(_))
    }
}
