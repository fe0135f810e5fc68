//! WebSockets to other servers: those that handlers open with `new WebSocket()`, and the lines of responses
//! that they fetched. Half of `runtime-js/websocket/client.js`; `fetch/dial.js` opens lines with the same
//! ops.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use deno_core::{OpState, ToJsBuffer, op2};
use deno_permissions::PermissionsContainer;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Notify, Semaphore, mpsc};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::{Error, UrlError};
use tokio_tungstenite::tungstenite::handshake::client::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode as Status;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

use crate::ext::OpError;
use liveline_proto::{Close, CloseCode, FRAME_COST};

/// How long a connection and its handshakes may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the peer has to answer a close frame.
const CLOSE_GRACE: Duration = Duration::from_secs(5);
/// How long the peer has to read the messages that were sent before a close frame.
const LINGER: Duration = Duration::from_secs(30);
/// The largest message that the peer may send, in bytes: a state of a response is one message.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;
/// How much may be queued for JavaScript, in bytes and in messages; beyond it the socket is not read.
const MAX_UNREAD: usize = MAX_MESSAGE;
const UNREAD_MESSAGES: usize = 16;
/// Size of the read and write buffers, in bytes.
const BUFFER: usize = 16 * 1024;
/// The code of a close frame without one (RFC 6455 section 7.1.5).
const NO_STATUS: u16 = 1005;

/// Sockets that JavaScript may still use.
#[derive(Default)]
pub(crate) struct Sockets {
    open: HashMap<u32, Rc<Socket>>,
    /// Numbers are not reused, because JavaScript may still refer to an old one.
    next: u32,
}

struct Socket {
    outgoing: mpsc::UnboundedSender<Message>,
    outbox: Rc<Outbox>,
    incoming: Mutex<mpsc::Receiver<SocketEvent>>,
    unread: Rc<Semaphore>,
}

/// The state of the outgoing messages of a socket.
struct Outbox {
    /// Bytes of messages that were not written to the connection yet, and how many messages these are.
    unsent: Cell<usize>,
    messages: Cell<usize>,
    /// How many bytes may be unsent, [`FRAME_COST`] for each message included.
    limit: usize,
    /// Notified when a close frame is queued.
    closing: Notify,
}

impl Outbox {
    fn new(limit: usize) -> Outbox {
        Outbox { unsent: Cell::new(0), messages: Cell::new(0), limit, closing: Notify::new() }
    }

    /// Counts a message. Returns false, and counts nothing, if it would be too much.
    fn add(&self, length: usize) -> bool {
        let (unsent, messages) = (self.unsent.get() + length, self.messages.get() + 1);
        let fits = unsent + messages * FRAME_COST <= self.limit + FRAME_COST;
        if fits {
            self.unsent.set(unsent);
            self.messages.set(messages);
        }
        fits
    }

    /// A message was written.
    fn subtract(&self, length: usize) {
        self.unsent.set(self.unsent.get() - length);
        self.messages.set(self.messages.get() - 1);
    }
}

/// An event of a socket, for JavaScript.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(crate) enum SocketEvent {
    Opened {
        protocol: String,
        headers: Vec<(String, String)>,
    },
    /// The server answered with something else than a WebSocket; `Closed` follows. Its body is not read.
    Refused {
        status: u16,
        headers: Vec<(String, String)>,
    },
    Text {
        data: String,
    },
    Binary {
        data: ToJsBuffer,
        #[serde(skip)]
        length: usize,
    },
    /// The last event.
    #[serde(rename_all = "camelCase")]
    Closed {
        code: u16,
        /// The reason in the close frame of the peer; without a close frame, the error.
        reason: String,
        was_clean: bool,
        /// The status of a close frame that is still to be sent, because the peer broke the protocol. It is
        /// sent after the replies to the messages before it.
        #[serde(skip)]
        close_status: Option<Status>,
    },
}

impl SocketEvent {
    /// An end without a proper close.
    fn lost(why: impl Into<String>) -> SocketEvent {
        let code = CloseCode::Abnormal.number();
        SocketEvent::Closed { code, reason: why.into(), was_clean: false, close_status: None }
    }

    /// An end because of bytes that cannot be read (RFC 6455 section 7.4.1).
    fn broken(error: &Error) -> SocketEvent {
        let close_status = match error {
            Error::Protocol(_) => Some(Status::Protocol),
            Error::Utf8(_) => Some(Status::Invalid),
            Error::Capacity(_) => Some(Status::Size),
            _ => None,
        };
        let (code, reason) = (CloseCode::Abnormal.number(), error.to_string());
        SocketEvent::Closed { code, reason, was_clean: false, close_status }
    }

    /// Bytes of the event in the budget of unread bytes.
    fn size(&self) -> usize {
        match self {
            SocketEvent::Text { data } => data.len(),
            SocketEvent::Binary { length, .. } => *length,
            SocketEvent::Opened { .. } | SocketEvent::Refused { .. } | SocketEvent::Closed { .. } => 0,
        }
    }
}

/// Starts to connect. `headers`: names and values of more headers, each followed by a line feed. `max_unsent`: maximum
/// number of unsent bytes. Returns the number of the socket, which is valid until its `closed` event.
#[op2(fast)]
#[smi]
pub(crate) fn op_socket_dial(
    state: &mut OpState,
    #[string] url: &str,
    #[string] headers: &str,
    #[smi] max_unsent: u32,
) -> Result<u32, OpError> {
    let refused = |error: &dyn std::fmt::Display| OpError::Dial(url.to_owned(), error.to_string());
    let mut request = url.into_client_request().map_err(|error| refused(&error))?;
    let mut lines = headers.split('\n');
    while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
        let name = HeaderName::try_from(name).map_err(|error| refused(&error))?;
        // The web's Headers have one character for each byte.
        let bytes: Vec<u8> = value.chars().map(|char| u8::try_from(char).unwrap_or(b'?')).collect();
        let value = HeaderValue::from_bytes(&bytes).map_err(|error| refused(&error))?;
        request.headers_mut().append(name, value);
    }
    let (outgoing, queued) = mpsc::unbounded_channel();
    let (events, incoming) = mpsc::channel(UNREAD_MESSAGES);
    let outbox = Rc::new(Outbox::new(max_unsent as usize));
    let unread = Rc::new(Semaphore::new(MAX_UNREAD));
    deno_core::unsync::spawn(run_connection(
        request,
        state.borrow::<PermissionsContainer>().clone(),
        queued,
        outbox.clone(),
        Delivery { events, unread: unread.clone() },
    ));
    let socket = Socket { outgoing, outbox, incoming: Mutex::new(incoming), unread };
    let sockets = state.borrow_mut::<Sockets>();
    sockets.next += 1;
    sockets.open.insert(sockets.next, Rc::new(socket));
    Ok(sockets.next)
}

/// Resolves with the next event.
#[op2]
#[serde]
pub(crate) async fn op_socket_next(state: Rc<RefCell<OpState>>, #[smi] number: u32) -> Option<SocketEvent> {
    let socket = state.borrow().borrow::<Sockets>().open.get(&number).cloned()?;
    let event = socket.incoming.lock().await.recv().await?;
    socket.unread.add_permits(event.size());
    if let SocketEvent::Closed { close_status, .. } = event {
        if let Some(code) = close_status {
            let _ = socket.outgoing.send(Message::Close(Some(CloseFrame { code, reason: "".into() })));
        }
        state.borrow_mut().borrow_mut::<Sockets>().open.remove(&number);
    }
    Some(event)
}

/// Sends a text message.
#[op2(fast)]
pub(crate) fn op_socket_send(
    state: &mut OpState,
    #[smi] socket: u32,
    #[string] text: String,
) -> Result<(), OpError> {
    send(state, socket, text.len(), || Message::text(text))
}

/// Sends a binary message.
#[op2]
pub(crate) fn op_socket_send_bytes(
    state: &mut OpState,
    #[smi] socket: u32,
    #[anybuffer] bytes: &[u8],
) -> Result<(), OpError> {
    send(state, socket, bytes.len(), || Message::binary(Bytes::copy_from_slice(bytes)))
}

fn send(
    state: &mut OpState,
    socket: u32,
    length: usize,
    message: impl FnOnce() -> Message,
) -> Result<(), OpError> {
    let Some(Socket { outgoing, outbox, .. }) = state.borrow::<Sockets>().open.get(&socket).map(|s| &**s)
    else {
        return Ok(());
    };
    if !outbox.add(length) {
        return Err(OpError::Unsent(outbox.limit));
    }
    // If the connection is lost, the next event reports it.
    let _ = outgoing.send(message());
    Ok(())
}

/// Number of bytes that were not written to the connection yet.
#[op2(fast)]
pub(crate) fn op_socket_unsent(state: &mut OpState, #[smi] socket: u32) -> f64 {
    state.borrow::<Sockets>().open.get(&socket).map_or(0., |socket| socket.outbox.unsent.get() as f64)
}

/// Closes the socket after the queued messages are sent. `code` 0: no code. The `closed` event follows.
#[op2(fast)]
pub(crate) fn op_socket_close(
    state: &mut OpState,
    #[smi] socket: u32,
    #[smi] code: u16,
    #[string] reason: String,
) {
    let Some(socket) = state.borrow::<Sockets>().open.get(&socket) else { return };
    let frame = (code != 0).then(|| {
        let Close { reason, .. } = Close::because(CloseCode::from(code), reason);
        CloseFrame { code: code.into(), reason: reason.as_ref().into() }
    });
    let _ = socket.outgoing.send(Message::Close(frame));
    socket.outbox.closing.notify_one();
}

/// Delivers events to JavaScript.
struct Delivery {
    events: mpsc::Sender<SocketEvent>,
    unread: Rc<Semaphore>,
}

impl Delivery {
    /// Sends an event once JavaScript has read enough of the earlier ones. False: JavaScript has dropped the
    /// socket.
    async fn deliver(&self, event: SocketEvent) -> bool {
        let size = u32::try_from(event.size()).expect("a message is smaller than its limit");
        if let Ok(budget) = self.unread.acquire_many(size).await {
            // The permits are returned when JavaScript receives the event.
            budget.forget();
        }
        self.events.send(event).await.is_ok()
    }
}

/// Connects, then sends and receives messages until one side closes.
async fn run_connection(
    request: Request,
    permissions: PermissionsContainer,
    queued: mpsc::UnboundedReceiver<Message>,
    outbox: Rc<Outbox>,
    delivery: Delivery,
) {
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let connected = tokio::select! {
        connected = timeout(CONNECT_TIMEOUT, connect(request, permissions, config)) => connected,
        () = outbox.closing.notified() => {
            delivery.deliver(SocketEvent::lost("closed before it was open")).await;
            return;
        }
    };
    match connected {
        Ok(Ok((socket, response))) => {
            let protocol = response.headers().get(SEC_WEBSOCKET_PROTOCOL);
            let protocol = protocol.and_then(|name| name.to_str().ok()).unwrap_or_default().to_owned();
            let headers = headers_of(response.headers());
            if delivery.deliver(SocketEvent::Opened { protocol, headers }).await {
                run_messages(socket, queued, &outbox, &delivery).await;
            }
        }
        Ok(Err(Error::Http(answer))) => {
            let status = answer.status();
            let headers = headers_of(answer.headers());
            delivery.deliver(SocketEvent::Refused { status: status.as_u16(), headers }).await;
            delivery
                .deliver(SocketEvent::lost(format!("no connection: the server answers with {status}")))
                .await;
        }
        Ok(Err(error)) => drop(delivery.deliver(SocketEvent::lost(format!("no connection: {error}"))).await),
        Err(_) => drop(delivery.deliver(SocketEvent::lost("no connection in time")).await),
    }
}

/// Names and values, whose bytes are characters, as in the web's Headers.
fn headers_of(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| value.as_bytes().iter().map(|byte| char::from(*byte)).collect();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

/// Connects to the first address of the host that accepts. Fails where one of the addresses is refused.
async fn connect(
    request: Request,
    mut permissions: PermissionsContainer,
    config: WebSocketConfig,
) -> Result<(WebSocketStream<MaybeTlsStream<TcpStream>>, Response), Error> {
    let host = request.uri().host().ok_or(UrlError::NoHostName)?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_secure = request.uri().scheme_str() == Some("wss");
    let port = request.uri().port_u16().unwrap_or(if is_secure { 443 } else { 80 });
    let refused = |address: &dyn std::fmt::Display| {
        let reason = format!("connecting to {address} is refused by --deny-net");
        Error::Io(std::io::Error::new(std::io::ErrorKind::PermissionDenied, reason))
    };
    permissions.check_net(&(host, Some(port)), "new WebSocket()").map_err(|_| refused(&host))?;
    let addresses: Vec<_> = tokio::net::lookup_host((host, port)).await?.collect();
    for address in &addresses {
        permissions
            .check_net_resolved(&address.ip(), port, "new WebSocket()")
            .map_err(|_| refused(address))?;
    }
    let stream = TcpStream::connect(&*addresses).await?;
    stream.set_nodelay(true)?;
    client_async_tls_with_config(request, stream, Some(config), None).await
}

async fn run_messages(
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    queued: mpsc::UnboundedReceiver<Message>,
    outbox: &Outbox,
    delivery: &Delivery,
) {
    let (sink, stream) = socket.split();
    let mut reading = pin!(read(stream, delivery));
    let mut writing = pin!(write(sink, queued, outbox));
    let unread = async {
        outbox.closing.notified().await;
        tokio::time::sleep(LINGER).await;
    };
    let (closed, is_writing) = tokio::select! {
        closed = &mut reading => (closed, true),
        () = &mut writing => {
            // Messages that the peer sends before it answers the close frame are still delivered.
            let silence = SocketEvent::lost("the other side did not answer the close frame");
            (timeout(CLOSE_GRACE, reading).await.unwrap_or(silence), false)
        }
        () = unread => (SocketEvent::lost("the other side did not read what was left"), false),
    };
    let has_close_status = matches!(closed, SocketEvent::Closed { close_status: Some(_), .. });
    // JavaScript may have dropped the socket.
    if delivery.deliver(closed).await && has_close_status && is_writing {
        let _ = timeout(CLOSE_GRACE, writing).await;
    }
}

/// Writes the queued messages, up to and including a close frame.
async fn write(
    mut sink: impl Sink<Message, Error = Error> + Unpin,
    mut queued: mpsc::UnboundedReceiver<Message>,
    outbox: &Outbox,
) {
    // If the isolate ends, its queue is dropped.
    while let Some(message) = queued.recv().await {
        let (length, is_last) = (message.len(), message.is_close());
        // The reader reports a lost connection.
        let sent = sink.send(message).await;
        if sent.is_err() || is_last {
            return;
        }
        outbox.subtract(length);
    }
    let _ = sink.close().await;
}

/// Reads messages as fast as JavaScript receives them, and returns the `Closed` event.
async fn read(
    mut stream: impl Stream<Item = Result<Message, Error>> + Unpin,
    delivery: &Delivery,
) -> SocketEvent {
    loop {
        let event = match stream.next().await {
            Some(Ok(Message::Text(text))) => SocketEvent::Text { data: text.as_str().to_owned() },
            Some(Ok(Message::Binary(bytes))) => {
                SocketEvent::Binary { length: bytes.len(), data: Vec::from(bytes).into() }
            }
            Some(Ok(Message::Close(frame))) => {
                // The next read sends the answer to the close frame.
                let _ = timeout(CLOSE_GRACE, stream.next()).await;
                let (code, reason) = frame
                    .map_or((NO_STATUS, String::new()), |CloseFrame { code, reason }| {
                        (u16::from(code), reason.as_str().to_owned())
                    });
                return SocketEvent::Closed { code, reason, was_clean: true, close_status: None };
            }
            Some(Ok(_)) => continue,
            Some(Err(error)) => return SocketEvent::broken(&error),
            None => return SocketEvent::lost("the connection was lost"),
        };
        if !delivery.deliver(event).await {
            return SocketEvent::lost("nobody reads any more");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_messages_take_room_too() {
        let outbox = Outbox::new(10 * FRAME_COST);
        assert!(outbox.add(10 * FRAME_COST), "one message may be as long as the limit");
        assert!(!outbox.add(0));
        outbox.subtract(10 * FRAME_COST);

        let sent = (0..1000).take_while(|_| outbox.add(0)).count();

        assert_eq!((sent, outbox.unsent.get()), (11, 0));
    }
}
