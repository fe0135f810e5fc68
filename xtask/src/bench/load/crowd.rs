//! Many connections to one server, driven by one thread.
//!
//! What was read is not kept: a connection that waits costs the loader little. Sources are 127.0.1.1 and
//! following, because one address has only some 28,000 ports, and so that a server's limits for one address
//! meet no crowd.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, SockRef, Socket, Type};

use super::dialect::{Phase, Step, Talk, Way};
use crate::failure::{Outcome, While, fail};

const SOURCES: usize = 200;
/// Connections that are opened at the same time; servers' backlogs are longer.
const OPENING: usize = 100;
const BUFFER: usize = 256 * 1024;
const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE);
/// How long nothing may happen while connections are opened.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Crowd {
    poll: Poll,
    events: Events,
    buffer: Box<[u8]>,
    server: SocketAddr,
    members: Vec<Member>,
    /// How many are open, and how many have ended.
    pub open: usize,
    pub ended: usize,
    /// How many pings the server sent.
    pub pings: u64,
    /// How the last one ended.
    pub last_end: String,
}

struct Member {
    socket: Option<TcpStream>,
    way: Rc<Way>,
    phase: Phase,
    /// The beginning of something that has not come completely.
    unread: Vec<u8>,
    talk: Talk,
    said: u64,
    pings: u64,
    source: Ipv4Addr,
    /// Reads nothing at all.
    deaf: bool,
}

/// What happens to a connection.
pub enum Happening<'a> {
    /// The first bytes of the first answer are there.
    Answered,
    Opened,
    Message(&'a [u8]),
    Ended,
}

/// A connection's mouth, for answers to what happens.
pub struct Mouth<'a> {
    way: &'a Way,
    said: &'a mut u64,
    unsent: &'a mut Vec<u8>,
}

impl Mouth<'_> {
    /// Says a text when the turn's news are read.
    pub fn say(&mut self, text: &str) {
        *self.said += 1;
        self.way.say(text, *self.said, self.unsent);
    }
}

impl Crowd {
    pub fn new(port: u16) -> Outcome<Self> {
        Ok(Self {
            poll: Poll::new().while_doing("creating an epoll")?,
            events: Events::with_capacity(4096),
            buffer: vec![0; BUFFER].into(),
            server: (Ipv4Addr::LOCALHOST, port).into(),
            members: Vec::new(),
            open: 0,
            ended: 0,
            pings: 0,
            last_end: String::new(),
        })
    }

    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Begins one connection; its number is its place in the order of these calls.
    pub fn begin(&mut self, way: &Rc<Way>) -> Outcome<usize> {
        let index = self.members.len();
        let place = index % SOURCES;
        let mut member = Member {
            socket: None,
            way: Rc::clone(way),
            phase: Phase::Open,
            unread: Vec::new(),
            talk: Talk::default(),
            said: 0,
            pings: 0,
            source: Ipv4Addr::new(127, 0, 1, 1 + place as u8),
            deaf: false,
        };
        member.phase = way.begin(&mut member.talk);
        member.connect(self.server, &self.poll, index).while_doing("connecting")?;
        if member.phase == Phase::Open {
            self.open += 1;
        }
        self.members.push(member);
        Ok(index)
    }

    /// Opens connections until there are so many, a few at a time, and waits until all are open.
    pub fn grow(&mut self, to: usize, way: &Way) -> Outcome {
        self.grow_and(to, way, &mut |_, _, _| {})
    }

    /// The same, and handles what happens meanwhile.
    pub fn grow_and(
        &mut self,
        to: usize,
        way: &Way,
        on: &mut impl FnMut(usize, Happening<'_>, &mut Mouth<'_>),
    ) -> Outcome {
        let way = Rc::new(way.clone());
        let mut news = Instant::now();
        let ended = self.ended;
        while self.open + self.ended < to || self.len() < to {
            while self.len() < to && self.len() - self.open - self.ended < OPENING {
                self.begin(&way)?;
            }
            if self.turn(PATIENCE, on)? > 0 {
                news = Instant::now();
            }
            if self.ended > ended {
                return fail(format!(
                    "connection {} of {to} was not opened: {}",
                    self.open + 1,
                    self.last_end
                ));
            }
            if news.elapsed() > PATIENCE {
                return fail(format!(
                    "{} of {to} connections were open when nothing came any more",
                    self.open
                ));
            }
        }
        Ok(())
    }

    /// Says a text now.
    pub fn say(&mut self, index: usize, text: &str) {
        let member = &mut self.members[index];
        member.mouth().say(text);
        if let Err(error) = member.flush() {
            self.end(index, error.to_string());
        }
    }

    /// Cuts a numbered line off, and comes back at once.
    pub fn resume(&mut self, index: usize) -> Outcome {
        let member = &mut self.members[index];
        self.open -= usize::from(member.socket.is_some() && member.phase == Phase::Open);
        member.hang_up();
        member.unread.clear();
        member.phase = member.way.resume(&mut member.talk);
        member.connect(self.server, &self.poll, index).while_doing("connecting again")
    }

    /// Reads nothing more from a connection.
    pub fn deafen(&mut self, index: usize) {
        self.members[index].deaf = true;
    }

    /// Reads again from a connection that was made deaf: only so can it hear that it was cut off.
    pub fn listen_again(&mut self, index: usize) -> Outcome {
        let member = &mut self.members[index];
        member.deaf = false;
        match &mut member.socket {
            // What is there already is told once more.
            Some(socket) => {
                self.poll.registry().reregister(socket, Token(index), INTEREST).while_doing("listening")
            }
            None => Ok(()),
        }
    }

    /// Handles what happens until a time, and keeps on while there is anything.
    pub fn run(
        &mut self,
        until: Instant,
        on: &mut impl FnMut(usize, Happening<'_>, &mut Mouth<'_>),
    ) -> Outcome {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            self.turn(left, on)?;
            if left.is_zero() {
                return Ok(());
            }
        }
    }

    /// Waits once, and handles what happened; returns how many connections it was about.
    pub fn turn(
        &mut self,
        patience: Duration,
        on: &mut impl FnMut(usize, Happening<'_>, &mut Mouth<'_>),
    ) -> Outcome<usize> {
        // epoll counts in milliseconds, and rounds up: what is left is spun away, on a core of our own.
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
            let member = &mut self.members[index];
            let was_open = member.phase == Phase::Open;
            if member.socket.is_none() {
                continue;
            }
            let result = match member.deaf {
                false if event.is_readable() => member.read(&mut self.buffer, index, on),
                true if event.is_read_closed() || event.is_error() => {
                    Err("cut off while it read nothing".to_owned())
                }
                _ => Ok(()),
            };
            let result = result.and_then(|()| member.reconnect(self.server, &self.poll, index));
            let result = result.and_then(|()| member.flush().map_err(|error| error.to_string()));
            self.pings += std::mem::take(&mut member.pings);
            if !was_open && member.phase == Phase::Open {
                self.open += 1;
            }
            if let Err(why) = result {
                on(index, Happening::Ended, &mut member.mouth());
                self.end(index, why);
            }
        }
        self.events = events;
        Ok(count)
    }

    fn end(&mut self, index: usize, why: String) {
        let member = &mut self.members[index];
        if member.socket.take().is_some() {
            self.open -= usize::from(member.phase == Phase::Open);
            self.ended += 1;
            self.last_end = why;
        }
    }
}

impl Member {
    fn mouth(&mut self) -> Mouth<'_> {
        Mouth { way: &self.way, said: &mut self.said, unsent: &mut self.talk.unsent }
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

    /// Reads all there is; an error ends the connection.
    fn read(
        &mut self,
        buffer: &mut [u8],
        index: usize,
        on: &mut impl FnMut(usize, Happening<'_>, &mut Mouth<'_>),
    ) -> Result<(), String> {
        loop {
            let Some(socket) = &mut self.socket else { return Ok(()) };
            let count = match socket.read(buffer) {
                Ok(0) => return Err("closed without a word".to_owned()),
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
            // A short read has emptied the socket: the next bytes are an event of their own.
            if count < buffer.len() {
                return Ok(());
            }
        }
    }

    /// Takes what is complete; returns how much that was.
    fn consume(
        &mut self,
        bytes: &[u8],
        index: usize,
        on: &mut impl FnMut(usize, Happening<'_>, &mut Mouth<'_>),
    ) -> Result<usize, String> {
        let way = Rc::clone(&self.way);
        if self.phase == Phase::Asking {
            on(index, Happening::Answered, &mut self.mouth());
        }
        let mut used = 0;
        while used < bytes.len() {
            match way.step(self.phase, &bytes[used..], &mut self.talk)? {
                Step::Wait => break,
                Step::Skip(length) => used += length,
                Step::Ping(length) => {
                    used += length;
                    self.pings += 1;
                }
                Step::Message(message, length) => {
                    used += length;
                    on(index, Happening::Message(message), &mut self.mouth());
                }
                Step::Phase(phase, length) => {
                    used += length;
                    self.phase = phase;
                    if phase == Phase::Open {
                        on(index, Happening::Opened, &mut self.mouth());
                    }
                }
                Step::Join(path) => {
                    self.phase = way.join(&path, &mut self.talk);
                    self.hang_up();
                    return Ok(bytes.len());
                }
            }
        }
        Ok(used)
    }

    /// Opens the line's own socket where the answer told its address.
    fn reconnect(&mut self, to: SocketAddr, poll: &Poll, index: usize) -> Result<(), String> {
        match self.socket {
            None => self.connect(to, poll, index).map_err(|error| error.to_string()),
            Some(_) => Ok(()),
        }
    }

    /// Leaves without the long goodbye of TCP, which would keep the port.
    fn hang_up(&mut self) {
        if let Some(socket) = self.socket.take() {
            // A socket that cannot be told closes like any other.
            let _ = SockRef::from(&socket).set_linger(Some(Duration::ZERO));
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let Some(socket) = &mut self.socket else { return Ok(()) };
        let unsent = &mut self.talk.unsent;
        while !unsent.is_empty() {
            match socket.write(unsent) {
                Ok(count) if count == unsent.len() => unsent.clear(),
                Ok(count) => drop(unsent.drain(..count)),
                // The rest goes out when the socket says so.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.hang_up();
    }
}

/// `EINPROGRESS`: the connection is being made.
const IN_PROGRESS: i32 = 115;
