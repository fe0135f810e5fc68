//! A plain HTTP/1.1 connection that asks and waits.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use super::{HEADER, ROUTE};

/// Long, because others may use the machine, too.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Connection {
    stream: BufReader<TcpStream>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Connection {
    pub fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Asks for the route and waits for the whole answer.
    pub fn get(&mut self) -> io::Result<Answer> {
        self.get_path(ROUTE)
    }

    pub fn get_path(&mut self, path: &str) -> io::Result<Answer> {
        let (name, value) = HEADER;
        let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{name}: {value}\r\n\r\n");
        self.stream.get_mut().write_all(request.as_bytes())?;
        read_answer(&mut self.stream)
    }
}

fn read_answer(from: &mut impl BufRead) -> io::Result<Answer> {
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what);
    let status = read_line(from)?.split(' ').nth(1).and_then(|code| code.parse().ok());
    let mut answer =
        Answer { status: status.ok_or_else(|| bad("no status"))?, headers: Vec::new(), body: String::new() };
    loop {
        let line = read_line(from)?;
        let Some((name, value)) = line.split_once(':') else { break };
        answer.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = answer.header("content-length").and_then(|length| length.parse().ok());
    let length = length.ok_or_else(|| bad("an answer without content-length"))?;
    from.take(length).read_to_string(&mut answer.body)?;
    Ok(answer)
}

/// One line of a head, without its end.
fn read_line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    match from.read_line(&mut line)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line.trim_end().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_answer_stops_at_its_length() {
        let mut bytes: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: now\r\n\r\nokHTTP/1.1 404";
        let answer = read_answer(&mut bytes).expect("an answer");
        assert_eq!((answer.status, answer.body.as_str(), answer.header("date")), (200, "ok", Some("now")));
        assert_eq!(bytes, b"HTTP/1.1 404");
    }

    #[test]
    fn read_answer_closed_connection_is_an_error() {
        let failure = read_answer(&mut &b""[..]).expect_err("nothing to read");
        assert_eq!(failure.kind(), io::ErrorKind::UnexpectedEof);
    }
}
