//! Topics over a network that loses connections: every client receives every message once and in order, whether it
//! follows by an event stream or by a WebSocket.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{self, Message};

use super::site;
use crate::support::{Fault, FaultProxy};

/// How long a connection may be silent before its client gives it up.
const SILENCE: Duration = Duration::from_secs(1);

/// How far the publisher may be ahead of the slowest client.
const AHEAD: u64 = 5000;

/// How many messages are published at a time.
const BATCH: u64 = 100;

const TICKS: &str = r#"
topic("/ticks", { history: 200_000, bytes: 100_000_000 });
export const GET = () => topic("/ticks").stream({ replay: "all" });
export const POST = ({ url }) => {
  const from = Number(url.searchParams.get("from"));
  for (let n = from; n < from + 100; n += 1) topic("/ticks").publish({ n, filler: "some text that takes a few bytes" });
};"#;

/// A client's connection, which is lost some time.
enum Connection {
    Events(BufReader<TcpStream>),
    Socket(Box<tungstenite::WebSocket<TcpStream>>),
}

/// A message as a client received it: its id and its number.
type Received = (String, u64);

impl Connection {
    fn open(address: SocketAddr, is_socket: bool, last: &str) -> Option<Connection> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(SILENCE)).ok()?;
        if is_socket {
            let url = format!("ws://{address}/?lastEventId={last}");
            return Some(Connection::Socket(Box::new(tungstenite::client(url, stream).ok()?.0)));
        }
        let last = if last.is_empty() { String::new() } else { format!("last-event-id: {last}\r\n") };
        write!(&stream, "GET / HTTP/1.1\r\nhost: {address}\r\naccept: text/event-stream\r\n{last}\r\n")
            .ok()?;
        let mut reader = BufReader::new(stream);
        let mut status = String::new();
        reader.read_line(&mut status).ok()?;
        // The connection may be cut within the line.
        if !status.ends_with('\n') {
            return None;
        }
        assert!(status.contains(" 200 "), "{status}");
        Some(Connection::Events(reader))
    }

    /// The next message; `None` if the connection is lost.
    fn next(&mut self) -> Option<Received> {
        match self {
            Connection::Events(reader) => next_event(reader),
            Connection::Socket(socket) => loop {
                let Message::Text(text) = socket.read().ok()? else { continue };
                let message: Value = serde_json::from_str(&text).expect("whole frames are JSON");
                assert_eq!(message.get("gap"), None, "{message}");
                let id = message["id"].as_str().expect("an id").to_owned();
                return Some((id, message["data"]["n"].as_u64().expect("a number")));
            },
        }
    }
}

fn next_event(reader: &mut impl BufRead) -> Option<Received> {
    let (mut id, mut number) = (String::new(), None);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 || !line.ends_with('\n') {
            return None;
        }
        match line.trim_end().split_once(": ") {
            Some(("event", name)) => panic!("the event {name}"),
            Some(("id", text)) => text.clone_into(&mut id),
            Some(("data", data)) => {
                let data: Value = serde_json::from_str(data).expect("whole lines are JSON");
                number = data["n"].as_u64();
            }
            _ => {}
        }
        // What came of an event before its end does not count.
        if line.trim_end().is_empty()
            && let Some(number) = number
        {
            return Some((id, number));
        }
    }
}

/// Follows until the last message, over as many connections as it takes. Returns how many those were.
fn follow(address: SocketAddr, is_socket: bool, count: u64, progress: &AtomicU64) -> u64 {
    let (mut last, mut expected, mut connections) = (String::new(), 0, 0);
    let mut received_at = Instant::now();
    while expected < count {
        assert!(received_at.elapsed() < Duration::from_secs(60), "nothing came after {expected} messages");
        let Some(mut connection) = Connection::open(address, is_socket, &last) else { continue };
        connections += 1;
        while expected < count
            && let Some((id, number)) = connection.next()
        {
            assert_eq!(number, expected, "behind {last}");
            (last, expected) = (id, expected + 1);
            progress.store(expected, Ordering::Release);
            received_at = Instant::now();
        }
    }
    connections
}

/// Publishes `count` messages to event streams and WebSockets behind a network with faults, until there were `cuts` at
/// least.
fn converse(count: u64, clients: usize, cuts: u64, seed: u64) {
    let host = site(TICKS).serve();
    let proxy = FaultProxy::start(host.address(), seed);
    proxy.begin();
    let address = proxy.address();
    let progress: Vec<_> = (0..clients).map(|_| Arc::new(AtomicU64::new(0))).collect();
    let threads: Vec<_> = progress
        .iter()
        .cloned()
        .enumerate()
        .map(|(n, progress)| thread::spawn(move || follow(address, n % 2 == 0, count, &progress)))
        .collect();
    let mut published = 0;
    while published < count {
        let slowest = progress.iter().map(|progress| progress.load(Ordering::Acquire)).min().unwrap_or(0);
        if published >= slowest + AHEAD {
            assert!(!threads.iter().any(thread::JoinHandle::is_finished), "a client has failed");
            thread::yield_now();
            continue;
        }
        let answer = host.request("POST", &format!("/?from={published}")).json(&json!(null)).send();
        assert!(answer.status < 300, "{}", answer.text());
        published += BATCH;
    }
    let connections: u64 =
        threads.into_iter().map(|thread| thread.join().expect("a client has all messages")).sum();
    let faults: BTreeMap<Fault, u64> = proxy.faults();
    let happened: u64 =
        faults.iter().filter(|(fault, _)| **fault != Fault::Delay).map(|(_, count)| count).sum();
    eprintln!("{count} messages, {clients} clients, {connections} connections, {faults:?}");
    assert!(happened >= cuts, "{faults:?}");
    assert!(connections > clients as u64, "{connections}");
}

#[test]
fn messages_cross_a_faulty_network_once_and_in_order() {
    converse(2000, 4, 5, 1);
}

/// Takes some minutes: `cargo test --test it -- --ignored long_a_hundred_thousand`.
#[test]
#[ignore = "it takes long"]
fn long_a_hundred_thousand_messages_cross_a_thousand_cuts() {
    converse(100_000, 4, 1000, 2);
}
