//! WebSockets to other servers: the lines of responses that handlers fetched. Half of `runtime-js/36_dial.js`.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use deno_core::{OpState, op2};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use hyper::header::{AUTHORIZATION, COOKIE, HeaderValue};
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::OpError;
use crate::engine::{Close, CloseCode};

/// How long a connection and its handshakes may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the other side has to answer a close frame.
const CLOSE_GRACE: Duration = Duration::from_secs(5);
/// The largest frame that the other side may send: a state of a response comes in one.
const MAX_FRAME: usize = 16 * 1024 * 1024;
/// What may wait for the other side to read, in bytes.
const MAX_UNSENT: usize = 1024 * 1024;
/// Frames that wait for JavaScript; beyond them the socket is not read.
const UNREAD_FRAMES: usize = 16;

/// Sockets that JavaScript may still use.
#[derive(Default)]
pub struct Sockets {
    open: HashMap<u32, Rc<Socket>>,
    /// A number is not used again, because JavaScript may hold on to it.
    next: u32,
}

struct Socket {
    outgoing: mpsc::UnboundedSender<Out>,
    /// Bytes in `outgoing`.
    unsent: Rc<Cell<usize>>,
    events: Mutex<mpsc::Receiver<SocketEvent>>,
}

enum Out {
    Text(String),
    Close(Close),
}

/// What happened on a socket.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum SocketEvent {
    Opened,
    Frame {
        text: String,
    },
    /// Nothing follows.
    #[serde(rename_all = "camelCase")]
    Closed {
        code: u16,
        reason: String,
        was_clean: bool,
    },
}

impl From<Close> for SocketEvent {
    fn from(Close { code, reason }: Close) -> Self {
        let was_clean = code != CloseCode::Abnormal;
        SocketEvent::Closed { code: code.number(), reason: reason.into_owned(), was_clean }
    }
}

/// Starts to connect; empty headers are not sent. Returns the socket's number.
#[op2(fast)]
#[smi]
pub fn op_socket_dial(
    state: &mut OpState,
    #[string] url: &str,
    #[string] cookie: &str,
    #[string] authorization: &str,
) -> Result<u32, OpError> {
    let refused = |error: &dyn std::fmt::Display| OpError::Dial(url.to_owned(), error.to_string());
    let mut request = url.into_client_request().map_err(|error| refused(&error))?;
    let headers = [(COOKIE, cookie), (AUTHORIZATION, authorization)];
    for (name, value) in headers.into_iter().filter(|(_, value)| !value.is_empty()) {
        let value = HeaderValue::from_str(value).map_err(|error| refused(&error))?;
        request.headers_mut().insert(name, value);
    }
    let (outgoing, orders) = mpsc::unbounded_channel();
    let (told, events) = mpsc::channel(UNREAD_FRAMES);
    let unsent = Rc::new(Cell::new(0));
    deno_core::unsync::spawn(carry(request, orders, unsent.clone(), told));
    let socket = Socket { outgoing, unsent, events: Mutex::new(events) };
    let sockets = state.borrow_mut::<Sockets>();
    sockets.next += 1;
    sockets.open.insert(sockets.next, Rc::new(socket));
    Ok(sockets.next)
}

/// Resolves with what happens next.
#[op2]
#[serde]
pub async fn op_socket_next(state: Rc<RefCell<OpState>>, #[smi] socket: u32) -> Option<SocketEvent> {
    let socket = state.borrow().borrow::<Sockets>().open.get(&socket).cloned()?;
    let mut events = socket.events.lock().await;
    events.recv().await
}

/// Sends a text frame.
#[op2(fast)]
pub fn op_socket_send(
    state: &mut OpState,
    #[smi] socket: u32,
    #[string] text: String,
) -> Result<(), OpError> {
    let Some(socket) = state.borrow::<Sockets>().open.get(&socket) else { return Ok(()) };
    let unsent = socket.unsent.get() + text.len();
    if unsent > MAX_UNSENT {
        return Err(OpError::Unsent(MAX_UNSENT));
    }
    socket.unsent.set(unsent);
    // Where the connection is gone, the next event says so.
    let _ = socket.outgoing.send(Out::Text(text));
    Ok(())
}

/// Closes the socket after what waits was sent. Its number means nothing from here on.
#[op2(fast)]
pub fn op_socket_close(state: &mut OpState, #[smi] socket: u32, #[smi] code: u16, #[string] reason: String) {
    let Some(socket) = state.borrow_mut::<Sockets>().open.remove(&socket) else { return };
    let _ = socket.outgoing.send(Out::Close(Close::because(CloseCode::from(code), reason)));
}

/// Connects, and carries frames both ways until either side is gone.
async fn carry(
    request: Request,
    orders: mpsc::UnboundedReceiver<Out>,
    unsent: Rc<Cell<usize>>,
    events: mpsc::Sender<SocketEvent>,
) {
    let config = WebSocketConfig::default().max_message_size(Some(MAX_FRAME)).max_frame_size(Some(MAX_FRAME));
    let close = match timeout(CONNECT_TIMEOUT, connect_async_with_config(request, Some(config), true)).await {
        Ok(Ok((socket, _))) => converse(socket, orders, unsent, &events).await,
        Ok(Err(error)) => Close::because(CloseCode::Abnormal, format!("no connection: {error}")),
        Err(_) => Close::because(CloseCode::Abnormal, "no connection in time".to_owned()),
    };
    // Whoever dialled may have no more interest.
    let _ = events.send(close.into()).await;
}

async fn converse(
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    orders: mpsc::UnboundedReceiver<Out>,
    unsent: Rc<Cell<usize>>,
    events: &mpsc::Sender<SocketEvent>,
) -> Close {
    if events.send(SocketEvent::Opened).await.is_err() {
        return CloseCode::GoingAway.into();
    }
    let (sink, stream) = socket.split();
    let mut reading = pin!(read(stream, events));
    tokio::select! {
        close = &mut reading => close,
        // What the other side still says before it answers the close frame is nobody's business but its own.
        () = write(sink, orders, unsent) => {
            timeout(CLOSE_GRACE, reading).await.unwrap_or(CloseCode::Abnormal.into())
        }
    }
}

/// Writes what is ordered, up to a close frame.
async fn write(
    mut sink: impl Sink<Message, Error = Error> + Unpin,
    mut orders: mpsc::UnboundedReceiver<Out>,
    unsent: Rc<Cell<usize>>,
) {
    // An isolate that ends takes its orders along.
    while let Some(order) = orders.recv().await {
        let (message, length) = match order {
            Out::Text(text) => (Message::text(text.as_str()), text.len()),
            Out::Close(Close { code, reason }) => {
                let frame = CloseFrame { code: code.number().into(), reason: reason.as_ref().into() };
                // The reader notices where the connection is gone.
                return drop(sink.send(Message::Close(Some(frame))).await);
            }
        };
        let sent = sink.send(message).await;
        unsent.set(unsent.get() - length);
        if sent.is_err() {
            return;
        }
    }
    let _ = sink.close().await;
}

/// Reads frames as fast as JavaScript takes them.
async fn read(
    mut stream: impl Stream<Item = Result<Message, Error>> + Unpin,
    events: &mpsc::Sender<SocketEvent>,
) -> Close {
    loop {
        let Ok(place) = events.reserve().await else { return CloseCode::GoingAway.into() };
        match stream.next().await {
            Some(Ok(Message::Text(text))) => {
                place.send(SocketEvent::Frame { text: text.as_str().to_owned() })
            }
            Some(Ok(Message::Close(frame))) => {
                // The next read sends the answer to the close frame.
                let _ = timeout(CLOSE_GRACE, stream.next()).await;
                return frame.map_or(CloseCode::Done.into(), |CloseFrame { code, reason }| {
                    Close::because(CloseCode::from(u16::from(code)), reason.as_str().to_owned())
                });
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return Close::because(CloseCode::Abnormal, error.to_string()),
            None => return CloseCode::Abnormal.into(),
        }
    }
}
