//! One request on a connection of its own, and the status of its answer.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

/// The status of the answer to a GET.
pub fn get(port: u16, path: &str, patience: Duration) -> io::Result<u16> {
    let until = Instant::now() + patience;
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")?;
    status(&answer(stream, until)?)
}

/// The body of the answer to a GET.
pub fn text(port: u16, path: &str, patience: Duration) -> io::Result<String> {
    let until = Instant::now() + patience;
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")?;
    let answer = answer(stream, until)?;
    let answer = String::from_utf8_lossy(&answer);
    Ok(answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned())
}

/// The status of the answer to a POST; the host may answer before it has read the body.
pub fn post(port: u16, path: &str, kind: &str, body: &[u8], patience: Duration) -> io::Result<u16> {
    let until = Instant::now() + patience;
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_write_timeout(Some(patience))?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\
         content-type: {kind}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    // If this fails, the answer has the reason.
    let _ = stream.write_all(body);
    status(&answer(stream, until)?)
}

/// Begins an upload of `length` bytes, and sends `sent` of them; a host that does not want them may end it sooner.
pub fn begin_upload(port: u16, index: usize, length: usize, sent: usize) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    let source = Ipv4Addr::new(127, 0, 3, 1 + (index % 200) as u8);
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    let mut stream = TcpStream::from(socket);
    stream.set_write_timeout(Some(Duration::from_secs(1)))?;
    write!(stream, "POST /upload HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {length}\r\n\r\n")?;
    let piece = vec![b'x'; 64 * 1024];
    for _ in 0..sent / piece.len() {
        match stream.write_all(&piece) {
            Ok(()) => {}
            // It is refused, or not read any further.
            Err(_) => break,
        }
    }
    Ok(stream)
}

/// What comes until the end of the connection.
fn answer(mut stream: TcpStream, until: Instant) -> io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut piece) {
            Ok(0) => return Ok(answer),
            Ok(count) => answer.extend_from_slice(&piece[..count]),
            // What was answered was answered, also where the rest of the body was not read.
            Err(error) if error.kind() == ErrorKind::ConnectionReset && !answer.is_empty() => {
                return Ok(answer);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err(ErrorKind::TimedOut.into());
            }
            Err(error) => return Err(error),
        }
    }
}

fn status(answer: &[u8]) -> io::Result<u16> {
    let line = String::from_utf8_lossy(&answer[..answer.len().min(64)]);
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.ok_or_else(|| io::Error::new(ErrorKind::UnexpectedEof, "the connection ended without an answer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_of_an_answer_and_of_none() {
        assert_eq!(status(b"HTTP/1.1 503 Service Unavailable\r\n\r\n").expect("a status"), 503);
        assert_eq!(status(b"").expect_err("nothing came").kind(), ErrorKind::UnexpectedEof);
    }
}
