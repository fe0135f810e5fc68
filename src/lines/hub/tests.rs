//! The hub with real sockets and timers.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::*;
use crate::lines::socket::{self, Connection, Encoding};
use liveline_proto::{Format, JoinOptions, Priority};

const CONNECT: &str = r#"{".wq":{"type":"message","eventID":"E"},"ping":"connect"}"#;

const FRAME: &str = r#"{"message":"some length",".wq":{"type":"message","eventID":"e"}}"#;

fn visitor() -> Visitor {
    Visitor { session: None, address: [127, 0, 0, 1].into() }
}

/// The timer sleeps for an hour when a line gets a deadline that is sooner.
#[tokio::test]
async fn an_earlier_deadline_wakes_the_timer() {
    let limits = Limits {
        join_window: Duration::from_secs(3600),
        resume_window: Duration::from_millis(10),
        ..Limits::default()
    };
    let hub = Hub::new(limits, tokio::runtime::Handle::current());
    let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
    let owner = hub.register(move |event| drop(sender.send(event)));
    let (_, token) = hub.open(owner, ExchangeId(0), visitor()).expect("there is room");
    let attachment = hub.join_resumable(token, Caller::from(&visitor())).expect("a new line");
    // The timer's task runs on this thread, so it sleeps once this one has yielded.
    tokio::task::yield_now().await;

    hub.turn().disconnected(attachment, CloseCode::Abnormal.into());

    let closed = tokio::time::timeout(Duration::from_secs(20), events.recv()).await;
    let event = closed.expect("the timer wakes in time").expect("the hub has the mailbox").event;
    assert!(matches!(event, Event::Closed(close) if close.code == CloseCode::Abnormal));
}

/// Every transport with every end: by the client, by the handler, by the host, by the clock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_lines_however_they_end() {
    let soon = Duration::from_millis(100);
    let limits = Limits {
        join_window: soon,
        close_grace: soon,
        resume_window: soon,
        ping_interval: soon,
        ping_timeout: 2 * soon,
        queue_bytes: 4096,
        lines_per_address: 9999,
        ..Limits::default()
    };
    let hub = Hub::new(limits, tokio::runtime::Handle::current());
    let (owner, leaving) = (hub.register(|_| {}), hub.register(|_| {}));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let mut tasks = JoinSet::new();
    let mut silent = Vec::new();
    for n in 0..3000 {
        let (transport, end) = (n % 5, n / 5 % 8);
        let of = if end == 0 { leaving } else { owner };
        let (line, token) = hub.open(of, ExchangeId(n), visitor()).expect("there is room");
        let mut attachment = None;
        let mut client = None;
        let joined = match transport {
            0 => Some((
                hub.turn().join(token, TransportKind::Socket, Caller::from(&visitor())),
                Encoding::WebSocket,
            )),
            1 => Some((hub.join_resumable(token, Caller::from(&visitor())), Encoding::WebSocket)),
            2 => Some((
                hub.turn().join(token, TransportKind::Events, Caller::from(&visitor())),
                Encoding::Events(Format::Envelopes),
            )),
            3 => Some((
                Ok(hub.turn().attach(line, TransportKind::Events).expect("a new line")),
                Encoding::Events(Format::Lines),
            )),
            // No client joins.
            _ => None,
        };
        if let Some((joined, encoding)) = joined {
            let joined = joined.expect("a new line");
            let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
            let (stream, _) = far.expect("it listens");
            let connection = Connection {
                stream,
                read: Bytes::new(),
                head: Vec::new(),
                encoding,
                limit: 1024,
                reader: None,
                place: Box::new(()),
            };
            tasks.spawn(socket::serve(&hub, joined, connection));
            client = Some(near.expect("it listens"));
            attachment = Some(joined);
            hub.turn().receive(joined, if transport == 1 { "1 \"hello\"" } else { CONNECT });
        }
        hub.deferred_turn().enter(line, "room".parse().expect("a name"), JoinOptions::default());
        match end {
            0 => silent.extend(client),
            1 => drop(client),
            2 => {
                hub.deferred_turn().complete(line);
                if let Some(mut client) = client {
                    tasks.spawn(async move { drop(client.read_to_end(&mut Vec::new()).await) });
                }
            }
            3 => {
                hub.deferred_turn().complete(line);
                silent.extend(client);
            }
            4 => {
                for _ in 0..100 {
                    hub.send(line, QueuedFrame::new(Priority::Message, FRAME));
                }
                silent.extend(client);
            }
            5 => {
                hub.deferred_turn().finish(line, CloseCode::Restart.into());
                silent.extend(client);
            }
            6 => {
                attachment
                    .into_iter()
                    .for_each(|attachment| hub.turn().disconnected(attachment, CloseCode::Done.into()));
                silent.extend(client);
            }
            _ => {
                attachment.into_iter().for_each(|attachment| hub.turn().receive(attachment, "not JSON"));
                silent.extend(client);
            }
        }
        if n % 100 == 0 {
            // Some of it happens while the others begin.
            hub.flush();
            tokio::task::yield_now().await;
        }
    }
    hub.flush();
    hub.unregister(leaving, CloseCode::IsolateLost);
    // Events cannot be answered, so nothing ends a silent client's but the handler.
    hub.turn().cut_all(CloseCode::Restart);

    let is_over = async {
        while let Some(task) = tasks.join_next().await {
            task.expect("no task panics");
        }
        loop {
            let ticked = hub.0.ticked.notified();
            // Every line here has a deadline.
            if hub.engine().next_deadline().is_none() {
                break;
            }
            ticked.await;
        }
        assert!(hub.engine().is_empty());
    };
    // Clients that are silent are still there: they hold nothing.
    tokio::time::timeout(Duration::from_secs(20), is_over).await.expect("everything ends");

    assert!(hub.lock().sockets.iter().all(Option::is_none));
    assert_eq!(hub.engine().channel_size(&"room".parse().expect("a name")), 0);
    drop(silent);
}

/// Two lines of one owner and one of another, in turn.
#[tokio::test]
async fn events_go_to_their_owner_as_long_as_it_is_registered() {
    let hub = Hub::new(Limits::default(), tokio::runtime::Handle::current());
    let counted = |count: &Arc<AtomicUsize>| {
        let count = count.clone();
        hub.register(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        })
    };
    let counts = [Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0))];
    let owners = [counted(&counts[0]), counted(&counts[1])];
    let now = || counts.each_ref().map(|count| count.load(Ordering::Relaxed));
    for owner in [owners[0], owners[1], owners[0]] {
        let (_, token) = hub.open(owner, ExchangeId(0), visitor()).expect("there is room");
        let joined = hub.turn().join(token, TransportKind::Socket, Caller::from(&visitor()));
        hub.turn().receive(joined.expect("a new line"), CONNECT);
    }
    assert_eq!(now(), [2, 1], "each line was opened");

    // The owner who received the last event leaves. Its lines end, and nobody is told.
    hub.unregister(owners[0], CloseCode::IsolateLost);
    assert_eq!(now(), [2, 1]);
    hub.turn().cut_all(CloseCode::Restart);
    assert_eq!(now(), [2, 2]);
}
