//! Hubs and sockets on real threads and real connections: with many writers, full sockets and broken connections, every
//! frame arrives once and in order, and no thread waits for ever.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::socket::{self, Connection, Encoding};
use super::{Hub, LineEvent};
use liveline_proto::{
    Attachment, Caller, Event, ExchangeId, Limits, LineId, Outgoing, OwnerId, Priority, QueuedFrame, Token,
    TransportKind, Visitor, Welcome,
};

const CONNECT: &str = r#"{".wq":{"type":"message","eventID":"E"},"ping":"connect"}"#;

/// Much longer than anything takes, and short of for ever.
const TOO_LONG: Duration = Duration::from_secs(60);

const LINES: usize = 6;
const WRITERS: u64 = 3;
const FRAMES: u64 = 400;
const MESSAGES: u64 = 2000;

fn visitor() -> Visitor {
    Visitor { session: None, address: [127, 0, 0, 1].into() }
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// A listener whose connections take little at a time.
async fn listener() -> TcpListener {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_send_buffer_size(8 * 1024).expect("a small buffer");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    socket.listen(16).expect("it is bound")
}

/// A connection and the socket at its host's end, which carries the line.
async fn connect(hub: &Hub, listener: &TcpListener, attachment: Attachment) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(8 * 1024).expect("a small buffer");
    let address = listener.local_addr().expect("it is bound");
    let (near, far) = tokio::join!(socket.connect(address), listener.accept());
    let connection = Connection {
        stream: far.expect("it listens").0,
        read: Bytes::new(),
        head: Vec::new(),
        encoding: Encoding::WebSocket,
        limit: 1 << 20,
        reader: None,
        place: Box::new(()),
    };
    tokio::spawn(socket::serve(hub, attachment, connection));
    near.expect("it listens")
}

/// A client's text frame. A mask of zeros changes nothing.
fn masked(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("tests say little").to_be_bytes();
    [&[0x81, 0xfe, length[0], length[1], 0, 0, 0, 0], text.as_bytes()].concat()
}

/// The frame in front of `buffer`, if it is complete.
fn unframed(buffer: &mut Vec<u8>) -> Option<String> {
    let (length, start) = match buffer.get(1)? {
        126 => (usize::from(u16::from_be_bytes(buffer.get(2..4)?.try_into().ok()?)), 4),
        127 => (u64::from_be_bytes(buffer.get(2..10)?.try_into().ok()?) as usize, 10),
        short => (usize::from(*short), 2),
    };
    let text = std::str::from_utf8(buffer.get(start..start + length)?).expect("a text frame").to_owned();
    buffer.drain(..start + length);
    Some(text)
}

/// A client that reads slowly, sends messages, and drops its connection now and then if it can resume.
struct Client {
    hub: Hub,
    listener: TcpListener,
    token: Token,
    is_resumable: bool,
    dice: Dice,
    /// The number of the last frame that it has.
    last: u64,
    /// What comes next from each writer.
    next: HashMap<String, u64>,
}

/// What reading a frame comes to.
enum Read {
    Go,
    Lost,
    Done,
}

impl Client {
    async fn follow(mut self, mut attachment: Attachment) {
        loop {
            let stream = connect(&self.hub, &self.listener, attachment).await;
            if self.read_until_lost(stream).await {
                return;
            }
            attachment =
                self.hub.resume(self.token, self.last, Caller::from(&visitor())).expect("the line waits");
        }
    }

    /// Returns whether everything has arrived.
    async fn read_until_lost(&mut self, stream: TcpStream) -> bool {
        let (mut read, mut write) = stream.into_split();
        let (sender, mut outgoing) = tokio::sync::mpsc::unbounded_channel::<String>();
        // It goes on reading while the host does not.
        let writing = tokio::spawn(async move {
            while let Some(text) = outgoing.recv().await {
                if write.write_all(&masked(&text)).await.is_err() {
                    return;
                }
            }
        });
        if !self.is_resumable {
            let _ = sender.send(CONNECT.to_owned());
            (0..MESSAGES).for_each(|number| drop(sender.send(number.to_string())));
        }
        let mut buffer = Vec::new();
        let mut piece = vec![0; 4096];
        let is_done = 'reading: loop {
            let length = 1 + self.dice.below(piece.len() as u64) as usize;
            let count = read.read(&mut piece[..length]).await.unwrap_or(0);
            if count == 0 {
                break false;
            }
            buffer.extend_from_slice(&piece[..count]);
            while let Some(text) = unframed(&mut buffer) {
                match self.take_in(&text, &sender) {
                    Read::Go => {}
                    Read::Lost => break 'reading false,
                    Read::Done => break 'reading true,
                }
            }
            tokio::task::yield_now().await;
        };
        if is_done {
            // Its messages may not all be sent yet.
            drop(sender);
            writing.await.expect("writing does not panic");
        } else {
            assert!(self.is_resumable, "a plain line is not lost");
            writing.abort();
        }
        is_done
    }

    fn take_in(&mut self, text: &str, sender: &tokio::sync::mpsc::UnboundedSender<String>) -> Read {
        let mut frame = text;
        if let Some(welcome) = text.strip_prefix('w').filter(|_| self.is_resumable) {
            let welcome: Welcome = serde_json::from_str(welcome).expect("a welcome");
            assert!(!welcome.lost);
            self.token = welcome.token.parse().expect("a token");
            let _ = sender.send(format!("a{}", self.last));
            for number in welcome.received + 1..=MESSAGES + 1 {
                let envelope = if number == 1 { CONNECT.to_owned() } else { (number - 2).to_string() };
                let _ = sender.send(format!("{number} {envelope}"));
            }
            return Read::Go;
        }
        if text.starts_with('a') && self.is_resumable {
            return Read::Go;
        }
        if self.is_resumable {
            let (number, rest) = text.split_once(' ').expect("a number");
            assert_eq!(number.parse(), Ok(self.last + 1), "exactly once");
            self.last += 1;
            frame = rest;
            if self.last.is_multiple_of(4) || frame.len() > 10_000 {
                let _ = sender.send(format!("a{}", self.last));
            }
        }
        if frame.contains("response.done") {
            return Read::Done;
        }
        if let Some((writer, rest)) = frame.split_once(' ').filter(|_| !frame.starts_with('{')) {
            let serial: u64 =
                rest.split(' ').next().and_then(|serial| serial.parse().ok()).expect("a serial");
            let next = self.next.entry(writer.to_owned()).or_default();
            assert_eq!(*next, serial, "of {writer}");
            *next += 1;
        }
        if self.is_resumable && self.dice.below(60) == 0 { Read::Lost } else { Read::Go }
    }
}

/// How often each line was drained, for writers that wait.
#[derive(Default)]
struct Drained {
    times: Mutex<HashMap<LineId, u64>>,
    changed: Condvar,
}

impl Drained {
    fn times(&self, line: LineId) -> u64 {
        self.times.lock().expect("no thread panics").get(&line).copied().unwrap_or(0)
    }

    fn wait(&self, line: LineId, before: u64) {
        let times = self.times.lock().expect("no thread panics");
        let is_as_before =
            |times: &mut HashMap<LineId, u64>| times.get(&line).copied().unwrap_or(0) == before;
        let (_times, timeout) =
            self.changed.wait_timeout_while(times, TOO_LONG, is_as_before).expect("no thread panics");
        assert!(!timeout.timed_out(), "{line} is never drained");
    }
}

/// Sends frames on each line in turns, and waits for lines that are congested.
fn write(hub: &Hub, writer: u64, lines: &[LineId], drained: &Drained) {
    let mut dice = Dice(writer);
    for serial in 0..FRAMES {
        for line in lines {
            let length = if dice.below(20) == 0 { 20_000 } else { dice.below(600) };
            let text = format!("writer-{writer} {serial} {}", "x".repeat(length as usize));
            let before = drained.times(*line);
            if hub.send(*line, QueuedFrame::new(Priority::Message, text)) {
                drained.wait(*line, before);
            }
            if dice.below(3) == 0 {
                hub.flush();
            }
        }
    }
    hub.flush();
}

/// Receives the clients' messages, in order. They are acknowledged late, so that clients are not read for a while.
fn receive(hub: &Hub, mailbox: &mpsc::Receiver<LineEvent>) {
    let mut next: HashMap<LineId, u64> = HashMap::new();
    let (mut received, mut unhandled) = (0, Vec::new());
    while received < LINES as u64 * MESSAGES {
        let first = mailbox.recv_timeout(TOO_LONG).expect("clients are not read any more");
        for event in [first].into_iter().chain(mailbox.try_iter()) {
            if let Event::Message { payload: Some(payload), .. } = &event.event {
                let next = next.entry(event.line).or_default();
                assert_eq!(payload.get(), next.to_string(), "on {}", event.line);
                *next += 1;
                received += 1;
            }
            unhandled.push(event);
        }
        unhandled.drain(..).for_each(|event| hub.acknowledge(&event));
    }
}

fn mailbox(hub: &Hub, drained: &Arc<Drained>) -> (OwnerId, mpsc::Receiver<LineEvent>) {
    let (sender, events) = mpsc::channel();
    let drained = drained.clone();
    let owner = hub.register(move |event: LineEvent| {
        if let Event::Drained { .. } = event.event {
            *drained.times.lock().expect("no thread panics").entry(event.line).or_default() += 1;
            drained.changed.notify_all();
        }
        let _ = sender.send(event);
    });
    (owner, events)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn every_frame_arrives_once_and_in_order() {
    let limits = Limits { queue_bytes: 120_000, ..Limits::default() };
    let hub = Hub::new(limits, Handle::current());
    let drained = Arc::new(Drained::default());
    let (owner, events) = mailbox(&hub, &drained);
    let mut clients = JoinSet::new();
    let mut lines = Vec::new();
    for n in 0..LINES {
        let (line, token) = hub.open(owner, ExchangeId(n as u64), visitor()).expect("there is room");
        let is_resumable = n % 2 == 0;
        let attachment = match is_resumable {
            true => hub.join_resumable(token, Caller::from(&visitor())),
            false => hub.turn().join(token, TransportKind::Socket, Caller::from(&visitor())),
        };
        let client = Client {
            hub: hub.clone(),
            listener: listener().await,
            token,
            is_resumable,
            dice: Dice(n as u64),
            last: 0,
            next: HashMap::new(),
        };
        clients.spawn(client.follow(attachment.expect("a new line")));
        lines.push(line);
    }
    let mut threads: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (hub, lines, drained) = (hub.clone(), lines.clone(), drained.clone());
            std::thread::spawn(move || write(&hub, writer, &lines, &drained))
        })
        .collect();
    let receiving = hub.clone();
    threads.push(std::thread::spawn(move || receive(&receiving, &events)));
    let host = hub.clone();
    let all = tokio::task::spawn_blocking(move || {
        threads.into_iter().for_each(|thread| thread.join().expect("everything was sent and received"));
        lines.iter().for_each(|line| host.deferred_turn().complete(*line));
        host.flush();
    });
    tokio::time::timeout(2 * TOO_LONG, all).await.expect("everything is sent").expect("no panic");
    let read = async {
        while let Some(client) = clients.join_next().await {
            client.expect("no client panics")
        }
    };
    tokio::time::timeout(TOO_LONG, read).await.expect("everything is read");
    let stats = hub.engine().stats();
    assert!(stats.resumed > 0, "some connections broke");
    assert_eq!((stats.dropped, stats.coalesced), (0, 0));
}

/// Even if two threads dispatch them. The mailbox gives the second message time to overtake the first.
#[tokio::test]
async fn owners_receive_events_in_the_order_in_which_they_happened() {
    let hub = Hub::new(Limits::default(), Handle::current());
    let (received, changed) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Condvar::new()));
    let (begins, begun) = mpsc::channel();
    let received_by = (received.clone(), changed.clone());
    let owner = hub.register(move |event: LineEvent| {
        let Event::Message { payload: Some(payload), .. } = event.event else { return };
        let (received, changed) = &received_by;
        let mut received = received.lock().expect("no thread panics");
        if payload.get() == "1" {
            begins.send(()).expect("the test waits");
            let moment = Duration::from_millis(100);
            (received, _) = changed.wait_timeout(received, moment).expect("no thread panics");
        }
        received.push(payload.get().to_owned());
        changed.notify_all();
    });
    let (_, token) = hub.open(owner, ExchangeId(0), visitor()).expect("there is room");
    let attachment =
        hub.turn().join(token, TransportKind::Socket, Caller::from(&visitor())).expect("a new line");
    let host = hub.clone();
    let first = std::thread::spawn(move || host.turn().receive(attachment, "1"));
    begun.recv_timeout(TOO_LONG).expect("the first is being dispatched");
    hub.turn().receive(attachment, "2");
    first.join().expect("no panic");
    assert_eq!(*received.lock().expect("no thread panics"), ["1", "2"]);
}

/// The newest connection has the line, although the handshake of the one before took longer.
#[tokio::test]
async fn a_late_connection_does_not_replace_the_newest() {
    let hub = Hub::new(Limits::default(), Handle::current());
    let owner = hub.register(drop);
    let (line, token) = hub.open(owner, ExchangeId(0), visitor()).expect("there is room");
    let early = hub.join_resumable(token, Caller::from(&visitor())).expect("a new line");
    hub.turn().receive(early, &format!("1 {CONNECT}"));
    let mut outgoing = Vec::new();
    hub.take(early, 1000, &mut outgoing);
    let welcome = outgoing.iter().find_map(|outgoing| match outgoing {
        Outgoing::Control(text) => serde_json::from_str::<Welcome>(&text[1..]).ok(),
        _ => None,
    });
    let token = welcome.expect("the first frame").token.parse().expect("a token");
    let late = hub.resume(token, 0, Caller::from(&visitor())).expect("the line waits");
    let newest = hub.resume(token, 0, Caller::from(&visitor())).expect("the line waits");
    let listener = listener().await;
    let mut stream = connect(&hub, &listener, newest).await;
    let mut replaced = connect(&hub, &listener, late).await;
    let end = tokio::time::timeout(TOO_LONG, replaced.read_to_end(&mut Vec::new())).await;
    assert_eq!(end.expect("it is over").ok(), Some(0));
    hub.send(line, QueuedFrame::new(Priority::Message, "still here"));
    hub.flush();
    let (mut buffer, mut texts) = (Vec::new(), Vec::new());
    while !texts.iter().any(|text: &String| text.ends_with("still here")) {
        let count = tokio::time::timeout(TOO_LONG, stream.read_buf(&mut buffer)).await.expect("it comes");
        assert!(count.expect("a connection") > 0, "the newest connection has the line");
        texts.extend(std::iter::from_fn(|| unframed(&mut buffer)));
    }
}
