//! The baseline: one thread, epoll, and as little HTTP as the benchmark's route needs.
//!
//! It finds the end of the head, the path and one header, and answers like the peers. Nothing here is fit
//! for anything but loopback: an answer that does not fit into the socket's buffer closes the connection.

use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::time::{SystemTime, UNIX_EPOCH};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use super::HEADER;

const LISTENER: Token = Token(0);
const LARGEST_HEAD: usize = 16 * 1024;
const CHUNK: usize = 4096;
const BATCH: usize = 128;

/// Serves for ever.
pub fn serve(port: u16) -> io::Result<()> {
    let mut listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port).into())?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening on http://127.0.0.1:{}", listener.local_addr()?.port());

    // A connection's token is its place here; the listener has place 0.
    let mut connections: Vec<Option<Connection>> = vec![None];
    let mut clock = Clock::default();
    let mut ready = Events::with_capacity(BATCH);
    loop {
        match poll.poll(&mut ready, None) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => clock.update(),
        }
        for event in &ready {
            if event.token() == LISTENER {
                accept(&listener, &poll, &mut connections)?;
                continue;
            }
            let place = &mut connections[event.token().0];
            if let Some(connection) = place
                && connection.serve(&clock.date).is_err()
            {
                *place = None;
            }
        }
    }
}

fn accept(listener: &TcpListener, poll: &Poll, into: &mut Vec<Option<Connection>>) -> io::Result<()> {
    loop {
        let mut stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        stream.set_nodelay(true)?;
        let free = into.iter().skip(1).position(Option::is_none).map(|place| place + 1);
        let place = free.unwrap_or(into.len());
        poll.registry().register(&mut stream, Token(place), Interest::READABLE)?;
        if place == into.len() {
            into.push(None);
        }
        into[place] = Some(Connection { stream, read: Vec::new() });
    }
}

struct Connection {
    stream: TcpStream,
    /// What was read and not answered yet.
    read: Vec<u8>,
}

impl Connection {
    /// Reads all there is and answers every complete request; an error ends the connection.
    fn serve(&mut self, date: &str) -> io::Result<()> {
        let mut chunk = [0; CHUNK];
        loop {
            let count = match self.stream.read(&mut chunk) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            self.read.extend_from_slice(&chunk[..count]);
            let mut answers = Vec::new();
            while let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                answer(&self.read[..end], date, &mut answers)?;
                self.read.drain(..end + 4);
            }
            if self.read.len() > LARGEST_HEAD {
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.stream.write_all(&answers)?;
            // A short read has emptied the socket.
            if count < CHUNK {
                return Ok(());
            }
        }
    }
}

fn answer(head: &[u8], date: &str, into: &mut Vec<u8>) -> io::Result<()> {
    let head = std::str::from_utf8(head).map_err(|_| io::ErrorKind::InvalidData)?;
    let mut lines = head.split("\r\n");
    let path = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or("/");
    let value =
        lines.filter_map(|line| line.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case(HEADER.0));
    let body = format!("0 {path} {}", value.map_or("null", |(_, value)| value.trim()));
    write!(
        into,
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain;charset=UTF-8\r\ncontent-length: {}\r\n\
         date: {date}\r\n\r\n{body}",
        body.len()
    )
}

/// The Date header, written once a second.
#[derive(Default)]
struct Clock {
    second: u64,
    date: String,
}

impl Clock {
    fn update(&mut self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if now != self.second || self.date.is_empty() {
            *self = Self { second: now, date: http_date(now) };
        }
    }
}

fn http_date(unix: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [(&str, u64); 12] = [
        ("Jan", 31),
        ("Feb", 28),
        ("Mar", 31),
        ("Apr", 30),
        ("May", 31),
        ("Jun", 30),
        ("Jul", 31),
        ("Aug", 31),
        ("Sep", 30),
        ("Oct", 31),
        ("Nov", 30),
        ("Dec", 31),
    ];
    let (days, second) = (unix / 86_400, unix % 86_400);
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let (mut year, mut day) = (1970, days);
    while day >= 365 + u64::from(is_leap(year)) {
        day -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut name = "";
    for (month, length) in MONTHS {
        let length = length + u64::from(month == "Feb" && is_leap(year));
        name = month;
        if day < length {
            break;
        }
        day -= length;
    }
    let weekday = DAYS[(days % 7) as usize];
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{weekday}, {:02} {name} {year} {hour:02}:{minute:02}:{second:02} GMT", day + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_date_known_moments_are_written_right() {
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(951_827_696), "Tue, 29 Feb 2000 12:34:56 GMT");
        assert_eq!(http_date(1_798_761_599), "Thu, 31 Dec 2026 23:59:59 GMT");
    }

    #[test]
    fn answer_reads_path_and_header() {
        let mut bytes = Vec::new();
        answer(b"GET /hello HTTP/1.1\r\nHost: x\r\nX-Name: bench", "now", &mut bytes).expect("an answer");
        let text = String::from_utf8(bytes).expect("text");
        assert!(text.ends_with("content-length: 14\r\ndate: now\r\n\r\n0 /hello bench"), "{text}");
    }
}
