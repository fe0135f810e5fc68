//! Frames of a client (RFC 6455 section 5).

use std::ops::ControlFlow;

use super::Unfinished;
use super::unfinished::Reservation;

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// A ping, to be answered with a pong of the same bytes.
    Ping(&'a [u8]),
    /// A pong.
    Pong(&'a [u8]),
    /// A close frame: the code, if there is one, and the reason.
    Close(Option<u16>, &'a str),
}

/// How a client broke the protocol, and the close code for it (RFC 6455 section 7.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A frame that is not allowed here.
    #[error("the frame breaks the protocol: {0}")]
    Protocol(&'static str),
    /// Text that is not UTF-8.
    #[error("text must be UTF-8")]
    NotUtf8,
    /// A message over the limit.
    #[error("frame too large")]
    TooBig,
    /// All clients, or those of one network, have begun messages that are too long together.
    #[error("too many messages have begun and not ended")]
    NoRoom,
}

impl FrameError {
    /// The close code: 1002, 1007, 1009 or 1013.
    pub fn code(self) -> u16 {
        match self {
            FrameError::Protocol(_) => 1002,
            FrameError::NotUtf8 => 1007,
            FrameError::TooBig => 1009,
            FrameError::NoRoom => 1013,
        }
    }
}

/// Reads one client's frames.
#[derive(Debug)]
pub struct Decoder {
    /// Messages may be this long, in bytes.
    limit: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Between two messages.
    Idle,
    /// A frame or a fragmented message has begun. Boxed: most connections are idle.
    Partial(Box<Partial>),
    /// The client sent its close frame or broke a rule, or the reader stopped. What follows is ignored.
    Closed,
}

impl State {
    fn partial(&mut self) -> Option<&mut Partial> {
        match self {
            State::Partial(partial) => Some(partial),
            State::Idle | State::Closed => None,
        }
    }

    /// Begins a partial frame or message, unless one has begun.
    fn begin(&mut self) -> &mut Partial {
        if !matches!(self, State::Partial(_)) {
            *self = State::Partial(Box::default());
        }
        self.partial().expect("it has begun above")
    }
}

/// The bytes of a frame or of a message that is not complete.
#[derive(Debug, Default)]
struct Partial {
    /// The bytes of a frame whose end is missing.
    frame: Vec<u8>,
    message: Option<Fragments>,
    reserved: Option<Reservation>,
}

/// A message of which fewer bytes have come is not counted.
const UNCOUNTED: usize = 4 * 1024;

impl Partial {
    fn bytes(&self) -> usize {
        self.frame.len() + self.message.as_ref().map_or(0, |message| message.bytes.len())
    }
}

/// The received part of a fragmented message.
#[derive(Debug)]
struct Fragments {
    kind: Opcode,
    bytes: Vec<u8>,
    /// This many bytes of text are known to be UTF-8.
    checked: usize,
}

impl Fragments {
    fn begin(kind: Opcode, payload: &[u8]) -> Result<Fragments, FrameError> {
        let mut begun = Fragments { kind, bytes: payload.to_vec(), checked: 0 };
        begun.check()?;
        Ok(begun)
    }

    fn add(&mut self, payload: &[u8], limit: usize) -> Result<(), FrameError> {
        if self.bytes.len() + payload.len() > limit {
            return Err(FrameError::TooBig);
        }
        self.bytes.extend_from_slice(payload);
        self.check()
    }

    /// Text that no further bytes can make valid is an error at once. No byte is checked twice.
    fn check(&mut self) -> Result<(), FrameError> {
        if self.kind != Opcode::Text {
            return Ok(());
        }
        match std::str::from_utf8(&self.bytes[self.checked..]) {
            Ok(_) => self.checked = self.bytes.len(),
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(FrameError::NotUtf8),
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn from_bits(bits: u8) -> Result<Opcode, FrameError> {
        match bits {
            0 => Ok(Opcode::Continuation),
            1 => Ok(Opcode::Text),
            2 => Ok(Opcode::Binary),
            8 => Ok(Opcode::Close),
            9 => Ok(Opcode::Ping),
            10 => Ok(Opcode::Pong),
            _ => Err(FrameError::Protocol("an unknown opcode")),
        }
    }

    fn is_control(self) -> bool {
        matches!(self, Opcode::Close | Opcode::Ping | Opcode::Pong)
    }
}

/// The first bytes of a frame.
#[derive(Debug, Clone, Copy)]
struct Header {
    is_final: bool,
    opcode: Opcode,
    mask: [u8; 4],
    /// Bytes before the payload.
    size: usize,
    payload: usize,
}

impl Header {
    /// Parses a header. `None`: it is not complete.
    fn read(bytes: &[u8], limit: usize) -> Result<Option<Header>, FrameError> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        if first & 0x70 != 0 {
            return Err(FrameError::Protocol("a reserved bit is set"));
        }
        if second & 0x80 == 0 {
            return Err(FrameError::Protocol("a client's frames are masked"));
        }
        let is_final = first & 0x80 != 0;
        let opcode = Opcode::from_bits(first & 0x0f)?;
        let short = second & 0x7f;
        if opcode.is_control() && (!is_final || short > 125) {
            return Err(FrameError::Protocol("a control frame is whole and short"));
        }
        let (length, extra) = match short {
            126 => match rest.first_chunk() {
                Some(length) => (u64::from(u16::from_be_bytes(*length)), 2),
                None => return Ok(None),
            },
            127 => match rest.first_chunk() {
                Some(length) => (u64::from_be_bytes(*length), 8),
                None => return Ok(None),
            },
            short => (u64::from(short), 0),
        };
        if length > limit as u64 && !opcode.is_control() {
            return Err(FrameError::TooBig);
        }
        let Some(mask) = rest[extra..].first_chunk() else { return Ok(None) };
        Ok(Some(Header { is_final, opcode, mask: *mask, size: 2 + extra + 4, payload: length as usize }))
    }

    /// Bytes of the whole frame.
    fn total(&self) -> usize {
        self.size + self.payload
    }
}

impl Decoder {
    /// A decoder for a new connection. `limit` is the length of the longest message, in bytes.
    pub fn new(limit: usize) -> Decoder {
        Decoder { limit, state: State::Idle }
    }

    /// Whether a frame or a message has begun that is not complete.
    pub fn is_waiting(&self) -> bool {
        matches!(self.state, State::Partial(_))
    }

    /// Counts what is held of a message whose end has not come, from 4 KiB on. To be called after [`Decoder::feed`];
    /// `network` is that of the client.
    ///
    /// # Errors
    ///
    /// [`FrameError::NoRoom`] if the messages of all clients that have begun and not ended have more bytes together
    /// than `budget`, or those of the client's network (and of others that are counted with it) more than half of it;
    /// one message alone may have all of it. Further bytes are ignored then.
    pub fn reserve(&mut self, budget: &Unfinished, network: impl FnOnce() -> u64) -> Result<(), FrameError> {
        let Some(partial) = self.state.partial() else { return Ok(()) };
        let bytes = partial.bytes();
        if bytes < UNCOUNTED && partial.reserved.is_none() {
            return Ok(());
        }
        let reserved = partial.reserved.get_or_insert_with(|| Reservation::begin(budget, network()));
        let result = reserved.resize(bytes);
        if result.is_err() {
            self.state = State::Closed;
        }
        result
    }

    /// Reads the bytes that came and calls `each` with each complete message and control frame. The bytes are unmasked
    /// in place. After the client's close frame, after an error, and once `each` has returned a break, further bytes
    /// are ignored.
    ///
    /// # Errors
    ///
    /// [`FrameError::code`] is the close code for the client.
    ///
    /// - [`FrameError::Protocol`]: a frame breaks RFC 6455, for example because it is not masked.
    /// - [`FrameError::NotUtf8`]: a text message or the reason of a close frame is not UTF-8.
    /// - [`FrameError::TooBig`]: a message has more bytes than the limit of the decoder.
    pub fn feed(
        &mut self,
        input: &mut [u8],
        mut each: impl FnMut(Received<'_>) -> ControlFlow<()>,
    ) -> Result<(), FrameError> {
        let result = self.read(input, &mut each);
        if !matches!(result, Ok(ControlFlow::Continue(()))) {
            self.state = State::Closed;
        }
        result.map(drop)
    }

    fn read(
        &mut self,
        mut input: &mut [u8],
        each: &mut impl FnMut(Received<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, FrameError> {
        if matches!(self.state, State::Closed) {
            return Ok(ControlFlow::Break(()));
        }
        while !input.is_empty() {
            let is_frame_begun = self.state.partial().is_some_and(|partial| !partial.frame.is_empty());
            let flow = if is_frame_begun {
                let taken = self.complete(input)?;
                input = &mut input[taken..];
                let Some((header, mut frame)) = self.completed()? else { continue };
                self.frame(header, &mut frame[header.size..], each)?
            } else {
                match Header::read(input, self.limit)? {
                    Some(header) if header.total() <= input.len() => {
                        let (frame, rest) = input.split_at_mut(header.total());
                        input = rest;
                        self.frame(header, &mut frame[header.size..], each)?
                    }
                    _ => {
                        self.state.begin().frame.extend_from_slice(input);
                        return Ok(ControlFlow::Continue(()));
                    }
                }
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Appends to the begun frame the bytes that belong to it. Returns how many those were.
    fn complete(&mut self, input: &[u8]) -> Result<usize, FrameError> {
        let frame = &mut self.state.begin().frame;
        let missing = match Header::read(frame, self.limit)? {
            Some(header) => header.total() - frame.len(),
            // Byte by byte until the header is whole.
            None => 1,
        };
        let taken = missing.min(input.len());
        frame.extend_from_slice(&input[..taken]);
        Ok(taken)
    }

    /// Removes the begun frame and returns it, if it is complete.
    fn completed(&mut self) -> Result<Option<(Header, Vec<u8>)>, FrameError> {
        let Some(partial) = self.state.partial() else { return Ok(None) };
        let Some(header) = Header::read(&partial.frame, self.limit)? else { return Ok(None) };
        if partial.frame.len() < header.total() {
            return Ok(None);
        }
        let frame = std::mem::take(&mut partial.frame);
        if partial.message.is_none() {
            self.state = State::Idle;
        }
        Ok(Some((header, frame)))
    }

    fn frame(
        &mut self,
        header: Header,
        payload: &mut [u8],
        each: &mut impl FnMut(Received<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, FrameError> {
        unmask(payload, header.mask);
        let begun = self.state.partial().and_then(|partial| partial.message.as_mut());
        match (header.opcode, begun) {
            (Opcode::Ping, _) => Ok(each(Received::Ping(payload))),
            (Opcode::Pong, _) => Ok(each(Received::Pong(payload))),
            (Opcode::Close, _) => {
                let (code, reason) = close(payload)?;
                let _ = each(Received::Close(code, reason));
                Ok(ControlFlow::Break(()))
            }
            (Opcode::Continuation, None) => Err(FrameError::Protocol("nothing to continue")),
            (Opcode::Continuation, Some(fragments)) => {
                fragments.add(payload, self.limit)?;
                if !header.is_final {
                    return Ok(ControlFlow::Continue(()));
                }
                let (kind, bytes) = (fragments.kind, std::mem::take(&mut fragments.bytes));
                // The frame that ends the message was complete, so no other bytes wait.
                self.state = State::Idle;
                whole(kind, &bytes, each)
            }
            (_, Some(_)) => Err(FrameError::Protocol("the message before is not complete")),
            (kind, None) if header.is_final => whole(kind, payload, each),
            (kind, None) => {
                let begun = Fragments::begin(kind, payload)?;
                self.state.begin().message = Some(begun);
                Ok(ControlFlow::Continue(()))
            }
        }
    }
}

fn whole(
    kind: Opcode,
    message: &[u8],
    each: &mut impl FnMut(Received<'_>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, FrameError> {
    if kind == Opcode::Binary {
        return Ok(each(Received::Binary(message)));
    }
    let text = std::str::from_utf8(message).map_err(|_| FrameError::NotUtf8)?;
    Ok(each(Received::Text(text)))
}

/// Parses the payload of a close frame (RFC 6455 sections 5.5.1 and 7.4).
fn close(payload: &[u8]) -> Result<(Option<u16>, &str), FrameError> {
    let (code, reason) = match payload {
        [] => return Ok((None, "")),
        [_] => return Err(FrameError::Protocol("half a close code")),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
    };
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(FrameError::Protocol("no code that may be sent"));
    }
    let reason = std::str::from_utf8(reason).map_err(|_| FrameError::NotUtf8)?;
    Ok((Some(code), reason))
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let wide = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    let mut chunks = payload.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let chunk: &mut [u8; 8] = chunk.try_into().expect("chunks of eight");
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in chunks.into_remainder().iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::websocket::{Kind, header};

    const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

    /// A client's frame.
    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        header(Kind::Text, payload.len(), &mut bytes);
        bytes[0] = first;
        bytes[1] |= 0x80;
        bytes.extend(MASK);
        bytes.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ MASK[at % 4]));
        bytes
    }

    /// What a decoder returns for these bytes, fed in pieces of `piece`, until an error.
    fn read(bytes: &[u8], piece: usize) -> (Vec<String>, Result<(), FrameError>) {
        let mut decoder = Decoder::new(1000);
        let mut received = Vec::new();
        for piece in bytes.chunks(piece) {
            let result = decoder.feed(&mut piece.to_vec(), |each| {
                received.push(format!("{each:?}"));
                ControlFlow::Continue(())
            });
            if result.is_err() {
                return (received, result);
            }
        }
        (received, Ok(()))
    }

    #[test]
    fn feed_whole_frames_in_any_pieces() {
        let bytes = [
            masked(0x81, "hé".as_bytes()),
            masked(0x82, &[7; 300]),
            masked(0x89, b"ping"),
            masked(0x8a, b""),
        ]
        .concat();
        let whole = read(&bytes, bytes.len());
        assert_eq!(whole.1, Ok(()));
        assert_eq!(whole.0.len(), 4);
        assert_eq!(whole.0[0], "Text(\"hé\")");
        for piece in [1, 2, 3, 7, 100] {
            assert_eq!(read(&bytes, piece), whole, "in pieces of {piece}");
        }
    }

    #[test]
    fn feed_fragments_with_a_ping_between() {
        let bytes = [masked(0x01, b"on"), masked(0x89, b"?"), masked(0x00, b""), masked(0x80, b"e")].concat();
        for piece in [1, 5, bytes.len()] {
            assert_eq!(read(&bytes, piece).0, ["Ping([63])", "Text(\"one\")"]);
        }
    }

    #[test]
    fn feed_complete_messages_leave_nothing_behind() {
        let mut decoder = Decoder::new(1000);
        let mut bytes = [masked(0x01, b"a"), masked(0x80, b"b")].concat();
        decoder.feed(&mut bytes, |_| ControlFlow::Continue(())).unwrap();
        assert!(!decoder.is_waiting());
    }

    #[test]
    fn feed_each_broken_rule_has_its_code() {
        let protocol = |bytes: Vec<u8>| assert_eq!(read(&bytes, 1000).1.unwrap_err().code(), 1002);
        protocol(vec![0x81, 0x01, b'a']);
        protocol(masked(0xc1, b"a"));
        protocol(masked(0x83, b"a"));
        protocol(masked(0x80, b"a"));
        protocol([masked(0x01, b"a"), masked(0x81, b"b")].concat());
        protocol(masked(0x09, b"a"));
        protocol(masked(0x89, &[0; 126]));
        protocol(masked(0x88, &[3]));
        protocol(masked(0x88, &1006u16.to_be_bytes()));
        assert_eq!(read(&masked(0x81, &[0xff]), 99).1, Err(FrameError::NotUtf8));
        assert_eq!(read(&masked(0x88, &[3, 232, 0xff]), 99).1, Err(FrameError::NotUtf8));
        assert_eq!(read(&masked(0x01, &[0xff]), 99).1, Err(FrameError::NotUtf8), "before it is complete");
        assert_eq!(read(&masked(0x81, &[0; 1001]), 99).1, Err(FrameError::TooBig));
        let parts = [masked(0x01, &[b'a'; 600]), masked(0x80, &[b'a'; 600])].concat();
        assert_eq!(read(&parts, 5000).1, Err(FrameError::TooBig));
    }

    #[test]
    fn feed_close_ends_it() {
        let bytes = [masked(0x88, b"\x03\xe8bye"), masked(0x81, b"more")].concat();
        for piece in [1, bytes.len()] {
            assert_eq!(read(&bytes, piece).0, ["Close(Some(1000), \"bye\")"]);
        }
        assert_eq!(read(&masked(0x88, b""), 9).0, ["Close(None, \"\")"]);
    }

    #[test]
    fn feed_after_a_close_frame_an_error_or_a_break_is_ignored() {
        for (first, flow) in [
            (masked(0x88, b""), ControlFlow::Continue(())),
            (masked(0x83, b""), ControlFlow::Continue(())),
            (masked(0x81, b"stop"), ControlFlow::Break(())),
        ] {
            let mut decoder = Decoder::new(1000);
            let _ = decoder.feed(&mut first.clone(), |_| flow);
            for mut later in [masked(0x81, b"later"), masked(0x83, b""), vec![0x81]] {
                let result = decoder.feed(&mut later, |received| panic!("{received:?} after {first:?}"));
                assert_eq!((result, decoder.is_waiting()), (Ok(()), false));
            }
        }
    }

    #[test]
    fn feed_a_length_that_was_only_claimed_costs_nothing() {
        let mut decoder = Decoder::new(1 << 40);
        let mut claim = [vec![0x82, 0xff], (1u64 << 39).to_be_bytes().to_vec(), MASK.to_vec()].concat();
        decoder.feed(&mut claim, |_| ControlFlow::Continue(())).unwrap();
        assert!(decoder.state.partial().unwrap().frame.capacity() < 100);
    }

    /// Mostly the first byte of a frame that may be sent, so that what comes after it is read as well.
    fn first_byte() -> impl Strategy<Value = u8> {
        prop_oneof![9 => prop::sample::select(vec![0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8a]), 1 => any::<u8>()]
    }

    proptest! {
        /// However the bytes are cut, and whatever they are, the decoder returns the same and never panics.
        #[test]
        fn feed_pieces_do_not_matter(
            frames in prop::collection::vec((first_byte(), prop::collection::vec(any::<u8>(), 0..200)), 0..8),
            piece in 1usize..64,
        ) {
            let bytes: Vec<u8> = frames.iter().flat_map(|(first, payload)| masked(*first, payload)).collect();
            prop_assert_eq!(read(&bytes, piece), read(&bytes, bytes.len().max(1)));
        }
    }
}
