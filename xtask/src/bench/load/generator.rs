//! Many connections to one server, driven by one thread.
//!
//! What was read is not kept, so that a waiting connection costs the generator little. The source addresses are
//! 127.0.1.1 and following, because one address has only about 28,000 ports, and so that no connection is refused
//! by a server's limit for one address.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, SockRef, Socket, Type};

use super::protocol::{ConnectionState, Phase, Step, Transport};
use crate::failure::{Outcome, While, fail};

const SOURCES: usize = 200;
/// Connections that are opened at the same time; servers' backlogs are longer.
const OPENING: usize = 100;
const BUFFER: usize = 256 * 1024;
const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE);
/// How long no event may come while connections are opened.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct LoadGenerator {
    poll: Poll,
    events: Events,
    buffer: Box<[u8]>,
    server: SocketAddr,
    clients: Vec<Client>,
    /// How many are open, and how many have ended.
    pub open: usize,
    pub ended: usize,
    /// How many pings the server sent.
    pub pings: u64,
    /// Why the last connection ended.
    pub last_end: String,
}

struct Client {
    socket: Option<TcpStream>,
    transport: Rc<Transport>,
    phase: Phase,
    /// Received bytes that are not a complete frame or head yet.
    unread: Vec<u8>,
    state: ConnectionState,
    sent: u64,
    pings: u64,
    source: Ipv4Addr,
    /// Whether nothing is read from it.
    non_reading: bool,
}

/// An event of one connection.
pub enum ClientEvent<'a> {
    /// The first bytes of the first answer have been received.
    Answered,
    Opened,
    Message(&'a [u8]),
    Ended,
}

/// Sends on the connection that an event is about.
pub struct Sender<'a> {
    transport: &'a Transport,
    sent: &'a mut u64,
    unsent: &'a mut Vec<u8>,
}

impl Sender<'_> {
    /// Enqueues a message, which is sent when the turn's events are handled.
    pub fn send(&mut self, text: &str) {
        *self.sent += 1;
        self.transport.send(text, *self.sent, self.unsent);
    }
}

impl LoadGenerator {
    pub fn new(port: u16) -> Outcome<Self> {
        Ok(Self {
            poll: Poll::new().while_doing("creating an epoll")?,
            events: Events::with_capacity(4096),
            buffer: vec![0; BUFFER].into(),
            server: (Ipv4Addr::LOCALHOST, port).into(),
            clients: Vec::new(),
            open: 0,
            ended: 0,
            pings: 0,
            last_end: String::new(),
        })
    }

    /// Fails if a connection has ended.
    pub fn healthy(&self) -> Outcome {
        match self.ended {
            0 => Ok(()),
            ended => fail(format!("{ended} connections ended: {}", self.last_end)),
        }
    }

    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Begins one connection. Connections are numbered in the order of these calls, from 0.
    pub fn begin(&mut self, transport: &Rc<Transport>) -> Outcome<usize> {
        let index = self.clients.len();
        let place = index % SOURCES;
        let mut client = Client {
            socket: None,
            transport: Rc::clone(transport),
            phase: Phase::Open,
            unread: Vec::new(),
            state: ConnectionState::default(),
            sent: 0,
            pings: 0,
            source: Ipv4Addr::new(127, 0, 1, 1 + place as u8),
            non_reading: false,
        };
        client.phase = transport.begin(&mut client.state);
        client.connect(self.server, &self.poll, index).while_doing("connecting")?;
        if client.phase == Phase::Open {
            self.open += 1;
        }
        self.clients.push(client);
        Ok(index)
    }

    /// Opens connections until there are `to`, at most `OPENING` at a time, and waits until all are open.
    pub fn grow(&mut self, to: usize, transport: &Transport) -> Outcome {
        self.grow_and(to, transport, &mut |_, _, _| {})
    }

    /// Like `grow`, and calls `on` for each event meanwhile.
    pub fn grow_and(
        &mut self,
        to: usize,
        transport: &Transport,
        on: &mut impl FnMut(usize, ClientEvent<'_>, &mut Sender<'_>),
    ) -> Outcome {
        let transport = Rc::new(transport.clone());
        let mut last_event = Instant::now();
        let ended = self.ended;
        while self.open + self.ended < to || self.len() < to {
            while self.len() < to && self.len() - self.open - self.ended < OPENING {
                self.begin(&transport)?;
            }
            if self.turn(PATIENCE, on)? > 0 {
                last_event = Instant::now();
            }
            if self.ended > ended {
                return fail(format!(
                    "connection {} of {to} was not opened: {}",
                    self.open + 1,
                    self.last_end
                ));
            }
            if last_event.elapsed() > PATIENCE {
                return fail(format!("{} of {to} connections were open when no more events came", self.open));
            }
        }
        Ok(())
    }

    /// Sends a message at once.
    pub fn send(&mut self, index: usize, text: &str) {
        let client = &mut self.clients[index];
        client.sender().send(text);
        if let Err(error) = client.flush() {
            self.end(index, error.to_string());
        }
    }

    /// Closes the socket of a numbered line, and resumes the line on a new one.
    pub fn resume(&mut self, index: usize) -> Outcome {
        let client = &mut self.clients[index];
        self.open -= usize::from(client.socket.is_some() && client.phase == Phase::Open);
        client.hang_up();
        client.unread.clear();
        client.phase = client.transport.resume(&mut client.state);
        client.connect(self.server, &self.poll, index).while_doing("connecting again")
    }

    /// Stops reading from a connection.
    pub fn stop_reading(&mut self, index: usize) {
        self.clients[index].non_reading = true;
    }

    /// Reads again from a connection, so that its end is noticed.
    pub fn read_again(&mut self, index: usize) -> Outcome {
        let client = &mut self.clients[index];
        client.non_reading = false;
        match &mut client.socket {
            // Registering again reports bytes that were received before.
            Some(socket) => {
                self.poll.registry().reregister(socket, Token(index), INTEREST).while_doing("registering")
            }
            None => Ok(()),
        }
    }

    /// Handles events until a time, and after it until none is left.
    pub fn run(
        &mut self,
        until: Instant,
        on: &mut impl FnMut(usize, ClientEvent<'_>, &mut Sender<'_>),
    ) -> Outcome {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            self.turn(left, on)?;
            if left.is_zero() {
                return Ok(());
            }
        }
    }

    /// Waits once for events and handles them. Returns how many there were.
    pub fn turn(
        &mut self,
        patience: Duration,
        on: &mut impl FnMut(usize, ClientEvent<'_>, &mut Sender<'_>),
    ) -> Outcome<usize> {
        // epoll rounds up to milliseconds. The rest is spent spinning, on a core of the generator's own.
        let patience = Duration::from_millis(patience.as_millis() as u64);
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        match self.poll.poll(&mut events, Some(patience)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                return Err(error).while_doing("epoll_wait");
            }
            _ => {}
        }
        let mut count = 0;
        for event in &events {
            count += 1;
            let index = event.token().0;
            let client = &mut self.clients[index];
            let was_open = client.phase == Phase::Open;
            if client.socket.is_none() {
                continue;
            }
            let result = match client.non_reading {
                false if event.is_readable() => client.read(&mut self.buffer, index, on),
                true if event.is_read_closed() || event.is_error() => {
                    Err("closed while it did not read".to_owned())
                }
                _ => Ok(()),
            };
            let result = result.and_then(|()| client.reconnect(self.server, &self.poll, index));
            let result = result.and_then(|()| client.flush().map_err(|error| error.to_string()));
            self.pings += std::mem::take(&mut client.pings);
            if !was_open && client.phase == Phase::Open {
                self.open += 1;
            }
            if let Err(why) = result {
                on(index, ClientEvent::Ended, &mut client.sender());
                self.end(index, why);
            }
        }
        self.events = events;
        Ok(count)
    }

    fn end(&mut self, index: usize, why: String) {
        let client = &mut self.clients[index];
        if client.socket.take().is_some() {
            self.open -= usize::from(client.phase == Phase::Open);
            self.ended += 1;
            self.last_end = why;
        }
    }
}

impl Client {
    fn sender(&mut self) -> Sender<'_> {
        Sender { transport: &self.transport, sent: &mut self.sent, unsent: &mut self.state.unsent }
    }

    fn connect(&mut self, to: SocketAddr, poll: &Poll, index: usize) -> io::Result<()> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddr::from((self.source, 0)).into())?;
        socket.set_tcp_nodelay(true)?;
        match socket.connect(&to.into()) {
            Err(error) if error.raw_os_error() != Some(IN_PROGRESS) => return Err(error),
            _ => {}
        }
        let mut stream = TcpStream::from_std(socket.into());
        poll.registry().register(&mut stream, Token(index), INTEREST)?;
        self.socket = Some(stream);
        Ok(())
    }

    /// Reads everything that was received. An error ends the connection.
    fn read(
        &mut self,
        buffer: &mut [u8],
        index: usize,
        on: &mut impl FnMut(usize, ClientEvent<'_>, &mut Sender<'_>),
    ) -> Result<(), String> {
        loop {
            let Some(socket) = &mut self.socket else { return Ok(()) };
            let count = match socket.read(buffer) {
                Ok(0) => return Err("closed without a close frame".to_owned()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.to_string()),
            };
            let bytes = &buffer[..count];
            if self.unread.is_empty() {
                let used = self.consume(bytes, index, on)?;
                self.unread.extend_from_slice(&bytes[used..]);
            } else {
                let mut all = std::mem::take(&mut self.unread);
                all.extend_from_slice(bytes);
                let used = self.consume(&all, index, on)?;
                self.unread = if used == all.len() { Vec::new() } else { all.split_off(used) };
            }
            // A short read has emptied the socket, so that the next bytes cause another event.
            if count < buffer.len() {
                return Ok(());
            }
        }
    }

    /// Handles the complete frames and heads. Returns how many bytes those were.
    fn consume(
        &mut self,
        bytes: &[u8],
        index: usize,
        on: &mut impl FnMut(usize, ClientEvent<'_>, &mut Sender<'_>),
    ) -> Result<usize, String> {
        let transport = Rc::clone(&self.transport);
        if self.phase == Phase::Asking {
            on(index, ClientEvent::Answered, &mut self.sender());
        }
        let mut used = 0;
        while used < bytes.len() {
            match transport.step(self.phase, &bytes[used..], &mut self.state)? {
                Step::Wait => break,
                Step::Skip(length) => used += length,
                Step::Ping(length) => {
                    used += length;
                    self.pings += 1;
                }
                Step::Message(message, length) => {
                    used += length;
                    on(index, ClientEvent::Message(message), &mut self.sender());
                }
                Step::Phase(phase, length) => {
                    used += length;
                    self.phase = phase;
                    if phase == Phase::Open {
                        on(index, ClientEvent::Opened, &mut self.sender());
                    }
                }
                Step::Join(path) => {
                    self.phase = transport.join(&path, &mut self.state);
                    self.hang_up();
                    return Ok(bytes.len());
                }
            }
        }
        Ok(used)
    }

    /// Opens the line's socket, if an answer has just named its address.
    fn reconnect(&mut self, to: SocketAddr, poll: &Poll, index: usize) -> Result<(), String> {
        match self.socket {
            None => self.connect(to, poll, index).map_err(|error| error.to_string()),
            Some(_) => Ok(()),
        }
    }

    /// Closes the socket with a reset, because a port stays occupied for minutes after an ordinary close.
    fn hang_up(&mut self) {
        if let Some(socket) = self.socket.take() {
            // If the option cannot be set, the socket is closed in the ordinary way.
            let _ = SockRef::from(&socket).set_linger(Some(Duration::ZERO));
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let Some(socket) = &mut self.socket else { return Ok(()) };
        let unsent = &mut self.state.unsent;
        while !unsent.is_empty() {
            match socket.write(unsent) {
                Ok(count) if count == unsent.len() => unsent.clear(),
                Ok(count) => drop(unsent.drain(..count)),
                // The rest is sent when the socket is writable again.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.hang_up();
    }
}

/// `EINPROGRESS`: the connection is being made.
const IN_PROGRESS: i32 = 115;
