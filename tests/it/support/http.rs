//! The HTTP client: hyper on one connection per request, behind blocking calls.

use std::fmt;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderMap};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use socket2::{Domain, Socket, Type};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{EventStream, PATIENCE};

/// A request, to be filled in and sent.
pub struct Request {
    address: SocketAddr,
    from: Option<IpAddr>,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

/// An answer, read to its end.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Request {
    pub fn new(address: SocketAddr, method: &str, path: &str) -> Self {
        let headers = vec![("x-accept-live".into(), "*".into())];
        Self { address, from: None, method: method.into(), path: path.into(), headers, body: Bytes::new() }
    }

    /// From this address of the machine, such as 127.0.0.2.
    pub fn from(mut self, address: &str) -> Self {
        self.from = Some(address.parse().expect("an address"));
        self
    }

    /// From a client that knows nothing of lines, as curl.
    pub fn plain(mut self) -> Self {
        self.headers.retain(|(name, _)| name != "x-accept-live");
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    /// Sends it, for events that come as they come.
    #[track_caller]
    pub fn stream(self) -> EventStream {
        EventStream::open(self.address, &self.path, &self.headers)
    }

    /// Sends it and reads the answer.
    #[track_caller]
    pub fn send(self) -> Answer {
        let what = format!("{} {}", self.method, self.path);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime for one request");
        let answer = runtime.block_on(async { timeout(PATIENCE, self.exchange()).await });
        match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => panic!("{what}: {error}"),
            Err(_) => panic!("{what}: no answer"),
        }
    }

    async fn exchange(self) -> Result<Answer, Box<dyn std::error::Error>> {
        let stream = connect(self.address, self.from)?;
        stream.set_nonblocking(true)?;
        let stream = TcpStream::from_std(stream)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let mut request = hyper::Request::builder().method(self.method.as_str()).uri(&self.path);
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request = request.header(HOST, self.address.to_string());
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(self.body))?;
        let exchange = async move {
            let (head, body) = sender.send_request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
        };
        // A host may refuse a request and close while the rest of it is still being written: the
        // answer counts, not the broken connection.
        let connection = async move {
            let _ = connection.await;
        };
        let (answer, ()) = tokio::join!(exchange, connection);
        answer
    }
}

/// A connection, from a certain address of the machine if one is given.
pub(super) fn connect(to: SocketAddr, from: Option<IpAddr>) -> std::io::Result<std::net::TcpStream> {
    let Some(from) = from else { return std::net::TcpStream::connect(to) };
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(from, 0).into())?;
    socket.connect(&to.into())?;
    Ok(socket.into())
}

impl Answer {
    /// A header's value, if there is exactly this one.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        let values = self.all(name);
        assert!(values.len() < 2, "{name} is there {} times", values.len());
        values.first().copied()
    }

    /// All values of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|value| value.to_str().expect("a readable header")).collect()
    }

    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a text")
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The `name=value` of the session cookie that it sets.
    pub fn session_cookie(&self) -> Option<String> {
        let set = self.all("set-cookie").into_iter().find(|cookie| cookie.starts_with("__sessid="))?;
        set.split(';').next().map(str::to_owned)
    }

    /// The same, which it must set.
    #[track_caller]
    pub fn session(&self) -> String {
        self.session_cookie().unwrap_or_else(|| panic!("no session begins: {self:?}"))
    }

    /// Whether it offers a line.
    pub fn is_live(&self) -> bool {
        self.headers.contains_key("x-live-session")
    }

    /// The path a client dials, from today's header.
    #[track_caller]
    pub fn line_path(&self) -> String {
        let session = self.header("x-live-session").unwrap_or_else(|| panic!("not live: {self:?}"));
        session.strip_prefix("socket://").unwrap_or_else(|| panic!("not a socket: {session}")).to_owned()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {}", String::from_utf8_lossy(value.as_bytes()))?;
        }
        write!(f, "\n{}", String::from_utf8_lossy(&self.body))
    }
}

/// Everything that comes until the host closes the connection, or resets it.
#[track_caller]
pub fn read_to_close(mut stream: impl Read) -> String {
    let mut received = Vec::new();
    match stream.read_to_end(&mut received) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&received)),
    }
    String::from_utf8_lossy(&received).into_owned()
}

/// Reads from a connection until this text has come, and returns everything up to then.
#[track_caller]
pub fn read_until(stream: &mut std::net::TcpStream, end: &str) -> String {
    let mut received = String::new();
    while !received.contains(end) {
        let mut piece = [0; 1024];
        let length = stream.read(&mut piece).unwrap_or_else(|error| panic!("{error} after {received:?}"));
        assert!(length > 0, "closed after {received:?}");
        received += std::str::from_utf8(&piece[..length]).expect("text");
    }
    received
}
