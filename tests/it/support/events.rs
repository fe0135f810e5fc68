//! The client's end of a response of server-sent events, which does not end by itself.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::PATIENCE;

/// A response of `text/event-stream`, read as it comes.
pub struct EventStream {
    reader: BufReader<Body>,
    pub status: u16,
    headers: Vec<(String, String)>,
}

/// One event as it came.
#[derive(Debug, Default, PartialEq)]
pub struct ServerEvent {
    /// `message` where the stream named none.
    pub name: String,
    pub id: String,
    pub data: String,
}

impl EventStream {
    /// Sends a GET and reads the head of its response.
    #[track_caller]
    pub fn open(address: SocketAddr, path: &str, headers: &[(String, String)]) -> Self {
        let mut stream = TcpStream::connect(address).expect("the host accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        let mut head = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).expect("the host reads");
        let mut reader = BufReader::new(stream);
        let status_line = line(&mut reader).expect("a status line");
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        let mut headers = Vec::new();
        while let Some((name, value)) = line(&mut reader).expect("a header").split_once(": ") {
            headers.push((name.to_owned(), value.to_owned()));
        }
        let is_chunked =
            headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
        let chunk = is_chunked.then_some(0);
        Self { reader: BufReader::new(Body { reader, chunk }), status, headers }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// The next event; `None` where the stream ended.
    #[track_caller]
    pub fn next_event(&mut self) -> Option<ServerEvent> {
        let mut event = ServerEvent { name: "message".into(), ..ServerEvent::default() };
        loop {
            let line = line(&mut self.reader)?;
            match line.split_once(": ") {
                // A browser passes on no event without data.
                None if line.is_empty() && event.data.is_empty() && event.id.is_empty() => {}
                None if line.is_empty() => return Some(event),
                Some(("retry", _)) => {}
                Some(("event", name)) => event.name = name.into(),
                Some(("id", id)) => event.id = id.into(),
                Some(("data", data)) => event.data.push_str(data),
                // A comment keeps the connection warm.
                _ if line.starts_with(':') => {}
                _ => panic!("not a field of an event: {line}"),
            }
        }
    }

    /// How long a read may take from here on.
    pub fn patience(&self, left: Duration) {
        self.reader.get_ref().reader.get_ref().set_read_timeout(Some(left)).expect("a timeout can be set");
    }
}

/// The body of a response.
struct Body {
    reader: BufReader<TcpStream>,
    /// What is left of the current chunk; `None` where the body comes as it is.
    chunk: Option<usize>,
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(left) = self.chunk else { return self.reader.read(buffer) };
        let left = match left {
            0 => {
                let Some(size) = line(&mut self.reader) else { return Ok(0) };
                let size = usize::from_str_radix(&size, 16).expect("the size of a chunk");
                if size == 0 {
                    return Ok(0);
                }
                size
            }
            left => left,
        };
        let room = left.min(buffer.len());
        let read = self.reader.read(&mut buffer[..room])?;
        if read == left {
            assert_eq!(line(&mut self.reader).as_deref(), Some(""), "the end of a chunk");
        }
        self.chunk = Some(left - read);
        Ok(read)
    }
}

/// A line without its end; `None` at the end of the stream.
fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    match reader.read_line(&mut line) {
        Ok(0) => None,
        Ok(_) => Some(line.trim_end_matches(['\r', '\n']).to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
        Err(error) => panic!("nothing came: {error}"),
    }
}
