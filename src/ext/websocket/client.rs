//! WebSockets to other servers: what handlers open with `new WebSocket()`, and the lines of responses that they fetched.
//! Half of `runtime-js/websocket/client.js`; `fetch/dial.js` opens lines with the same ops.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use deno_core::{OpState, ToJsBuffer, op2};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use hyper::header::{AUTHORIZATION, COOKIE, HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Notify, Semaphore, mpsc};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode as Status;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::ext::OpError;
use liveline_proto::{Close, CloseCode};

/// How long a connection and its handshakes may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the other side has to answer a close frame.
const CLOSE_GRACE: Duration = Duration::from_secs(5);
/// How long the other side has to read what was sent before a close frame.
const LINGER: Duration = Duration::from_secs(30);
/// The largest message that the other side may send: a state of a response comes in one.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;
/// What may wait for JavaScript, in bytes and in messages; beyond it the socket is not read.
const MAX_UNREAD: usize = MAX_MESSAGE;
const UNREAD_MESSAGES: usize = 16;
/// What is read and written at once.
const BUFFER: usize = 16 * 1024;
/// A close frame without a code (RFC 6455 section 7.1.5).
const NO_STATUS: u16 = 1005;

/// Sockets that JavaScript may still use.
#[derive(Default)]
pub(crate) struct Sockets {
    open: HashMap<u32, Rc<Socket>>,
    /// A number is not used again, because JavaScript may hold on to it.
    next: u32,
}

struct Socket {
    outgoing: mpsc::UnboundedSender<Message>,
    outbox: Rc<Outbox>,
    incoming: Mutex<mpsc::Receiver<SocketEvent>>,
    unread: Rc<Semaphore>,
}

/// What is known of a socket's outgoing messages.
struct Outbox {
    /// The bytes that wait for the other side to read, and how many may.
    unsent: Cell<usize>,
    limit: usize,
    /// A close frame was ordered.
    closing: Notify,
}

/// What happened on a socket.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(crate) enum SocketEvent {
    Opened {
        protocol: String,
    },
    Text {
        data: String,
    },
    Binary {
        data: ToJsBuffer,
        #[serde(skip)]
        length: usize,
    },
    /// Nothing follows.
    #[serde(rename_all = "camelCase")]
    Closed {
        code: u16,
        /// What the other side said; where there was no close frame, what went wrong.
        reason: String,
        was_clean: bool,
        /// What the other side has still to be told, after the answers to what it said before: it broke a rule.
        #[serde(skip)]
        goodbye: Option<Status>,
    },
}

impl SocketEvent {
    /// The end of a connection that did not close as it should.
    fn lost(why: impl Into<String>) -> SocketEvent {
        let code = CloseCode::Abnormal.number();
        SocketEvent::Closed { code, reason: why.into(), was_clean: false, goodbye: None }
    }

    /// The end of a connection on which nothing more can be read (RFC 6455 section 7.4.1).
    fn broken(error: &Error) -> SocketEvent {
        let goodbye = match error {
            Error::Protocol(_) => Some(Status::Protocol),
            Error::Utf8(_) => Some(Status::Invalid),
            Error::Capacity(_) => Some(Status::Size),
            _ => None,
        };
        let (code, reason) = (CloseCode::Abnormal.number(), error.to_string());
        SocketEvent::Closed { code, reason, was_clean: false, goodbye }
    }

    /// How much of the budget of unread bytes it takes.
    fn size(&self) -> usize {
        match self {
            SocketEvent::Text { data } => data.len(),
            SocketEvent::Binary { length, .. } => *length,
            SocketEvent::Opened { .. } | SocketEvent::Closed { .. } => 0,
        }
    }
}

/// Starts to connect; empty headers are not sent. At most `max_unsent` bytes wait for the other side to read. Returns
/// the socket's number, which means something until its `closed` event.
#[op2(fast)]
#[smi]
pub(crate) fn op_socket_dial(
    state: &mut OpState,
    #[string] url: &str,
    #[string] protocols: &str,
    #[string] cookie: &str,
    #[string] authorization: &str,
    #[smi] max_unsent: u32,
) -> Result<u32, OpError> {
    let refused = |error: &dyn std::fmt::Display| OpError::Dial(url.to_owned(), error.to_string());
    let mut request = url.into_client_request().map_err(|error| refused(&error))?;
    let headers = [(SEC_WEBSOCKET_PROTOCOL, protocols), (COOKIE, cookie), (AUTHORIZATION, authorization)];
    for (name, value) in headers.into_iter().filter(|(_, value)| !value.is_empty()) {
        let value = HeaderValue::from_str(value).map_err(|error| refused(&error))?;
        request.headers_mut().insert(name, value);
    }
    let (outgoing, orders) = mpsc::unbounded_channel();
    let (events, incoming) = mpsc::channel(UNREAD_MESSAGES);
    let outbox = Rc::new(Outbox { unsent: Cell::new(0), limit: max_unsent as usize, closing: Notify::new() });
    let unread = Rc::new(Semaphore::new(MAX_UNREAD));
    deno_core::unsync::spawn(carry(request, orders, outbox.clone(), Told { events, unread: unread.clone() }));
    let socket = Socket { outgoing, outbox, incoming: Mutex::new(incoming), unread };
    let sockets = state.borrow_mut::<Sockets>();
    sockets.next += 1;
    sockets.open.insert(sockets.next, Rc::new(socket));
    Ok(sockets.next)
}

/// Resolves with what happens next.
#[op2]
#[serde]
pub(crate) async fn op_socket_next(state: Rc<RefCell<OpState>>, #[smi] number: u32) -> Option<SocketEvent> {
    let socket = state.borrow().borrow::<Sockets>().open.get(&number).cloned()?;
    let event = socket.incoming.lock().await.recv().await?;
    socket.unread.add_permits(event.size());
    if let SocketEvent::Closed { goodbye, .. } = event {
        if let Some(code) = goodbye {
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
    let unsent = outbox.unsent.get() + length;
    if unsent > outbox.limit {
        return Err(OpError::Unsent(outbox.limit));
    }
    outbox.unsent.set(unsent);
    // Where the connection is gone, the next event says so.
    let _ = outgoing.send(message());
    Ok(())
}

/// How many bytes wait for the other side to read.
#[op2(fast)]
pub(crate) fn op_socket_unsent(state: &mut OpState, #[smi] socket: u32) -> f64 {
    state.borrow::<Sockets>().open.get(&socket).map_or(0., |socket| socket.outbox.unsent.get() as f64)
}

/// Closes the socket after what waits was sent. A `code` of 0 is none. The `closed` event is still to come.
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

/// The way to JavaScript.
struct Told {
    events: mpsc::Sender<SocketEvent>,
    unread: Rc<Semaphore>,
}

impl Told {
    /// Tells an event once JavaScript has read enough of those before it. False: nobody is left to be told.
    async fn tell(&self, event: SocketEvent) -> bool {
        let size = u32::try_from(event.size()).expect("a message is smaller than its limit");
        if let Ok(budget) = self.unread.acquire_many(size).await {
            // It comes back when the event is taken.
            budget.forget();
        }
        self.events.send(event).await.is_ok()
    }
}

/// Connects, and carries messages both ways until either side is gone.
async fn carry(request: Request, orders: mpsc::UnboundedReceiver<Message>, outbox: Rc<Outbox>, told: Told) {
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let connected = tokio::select! {
        connected = timeout(CONNECT_TIMEOUT, connect_async_with_config(request, Some(config), true)) => connected,
        () = outbox.closing.notified() => {
            told.tell(SocketEvent::lost("closed before it was open")).await;
            return;
        }
    };
    match connected {
        Ok(Ok((socket, response))) => {
            let protocol = response.headers().get(SEC_WEBSOCKET_PROTOCOL);
            let protocol = protocol.and_then(|name| name.to_str().ok()).unwrap_or_default().to_owned();
            if told.tell(SocketEvent::Opened { protocol }).await {
                converse(socket, orders, &outbox, &told).await;
            }
        }
        Ok(Err(error)) => drop(told.tell(SocketEvent::lost(format!("no connection: {error}"))).await),
        Err(_) => drop(told.tell(SocketEvent::lost("no connection in time")).await),
    }
}

async fn converse(
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    orders: mpsc::UnboundedReceiver<Message>,
    outbox: &Outbox,
    told: &Told,
) {
    let (sink, stream) = socket.split();
    let mut reading = pin!(read(stream, told));
    let mut writing = pin!(write(sink, orders, outbox));
    let unread = async {
        outbox.closing.notified().await;
        tokio::time::sleep(LINGER).await;
    };
    let (closed, is_writing) = tokio::select! {
        closed = &mut reading => (closed, true),
        () = &mut writing => {
            // What the other side still says before it answers the close frame is nobody's business but its own.
            let silence = SocketEvent::lost("the other side did not answer the close frame");
            (timeout(CLOSE_GRACE, reading).await.unwrap_or(silence), false)
        }
        () = unread => (SocketEvent::lost("the other side did not read what was left"), false),
    };
    let has_goodbye = matches!(closed, SocketEvent::Closed { goodbye: Some(_), .. });
    // Whoever dialled may have no more interest.
    if told.tell(closed).await && has_goodbye && is_writing {
        let _ = timeout(CLOSE_GRACE, writing).await;
    }
}

/// Writes what is ordered, up to a close frame.
async fn write(
    mut sink: impl Sink<Message, Error = Error> + Unpin,
    mut orders: mpsc::UnboundedReceiver<Message>,
    outbox: &Outbox,
) {
    // An isolate that ends takes its orders along.
    while let Some(message) = orders.recv().await {
        let (length, is_last) = (message.len(), message.is_close());
        // The reader notices where the connection is gone.
        let sent = sink.send(message).await;
        if sent.is_err() || is_last {
            return;
        }
        outbox.unsent.set(outbox.unsent.get() - length);
    }
    let _ = sink.close().await;
}

/// Reads messages as fast as JavaScript takes them.
async fn read(mut stream: impl Stream<Item = Result<Message, Error>> + Unpin, told: &Told) -> SocketEvent {
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
                return SocketEvent::Closed { code, reason, was_clean: true, goodbye: None };
            }
            Some(Ok(_)) => continue,
            Some(Err(error)) => return SocketEvent::broken(&error),
            None => return SocketEvent::lost("the connection was lost"),
        };
        if !told.tell(event).await {
            return SocketEvent::lost("nobody reads any more");
        }
    }
}
