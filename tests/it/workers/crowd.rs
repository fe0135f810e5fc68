//! A thousand clients in one room: check RW-A5.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket};

use super::{Client, served_seed};
use crate::support::PATIENCE;

const CLIENTS: usize = 1000;
const MESSAGES: usize = 100;
/// Threads that read; each has a share of the clients.
const READERS: usize = 8;

/// The contents of the next messages of one client.
#[track_caller]
fn contents(socket: &mut WebSocket<TcpStream>, count: usize) -> Vec<String> {
    let mut found = Vec::with_capacity(count);
    while found.len() < count {
        match socket.read() {
            Ok(Message::Text(text)) => {
                let value: Value = serde_json::from_str(&text).expect("JSON");
                found.push(value["content"].as_str().expect("a message's content").to_owned());
            }
            Ok(Message::Ping(_) | Message::Pong(_)) => {}
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                panic!("only {} messages came", found.len())
            }
            other => panic!("{other:?} after {} messages", found.len()),
        }
    }
    found
}

#[test]
fn a_thousand_clients_receive_all_messages_in_one_order() {
    let host = Arc::new(served_seed());
    let joins: Vec<_> = (0..READERS)
        .map(|_| {
            let host = Arc::clone(&host);
            thread::spawn(move || {
                let open = || {
                    let mut client = Client::open(&host, "/api/chat?room=crowd");
                    assert_eq!(client.json()["type"], "welcome");
                    client.0
                };
                std::iter::repeat_with(open).take(CLIENTS / READERS).collect::<Vec<_>>()
            })
        })
        .collect();
    let crowd: Vec<Vec<_>> = joins.into_iter().map(|join| join.join().expect("the clients join")).collect();

    // Two senders, so that the order is the room's and not that of one connection.
    let mut senders = [(); 2].map(|()| Client::open(&host, "/api/chat?room=crowd"));
    for sender in &mut senders {
        assert_eq!(sender.json()["type"], "welcome");
    }
    let readers: Vec<_> = crowd
        .into_iter()
        .map(|mut clients| {
            thread::spawn(move || {
                clients
                    .iter_mut()
                    .map(|socket| {
                        socket.get_ref().set_read_timeout(Some(PATIENCE * 4)).expect("a timeout can be set");
                        contents(socket, MESSAGES)
                    })
                    .collect::<Vec<_>>()
            })
        })
        .collect();
    for number in 0..MESSAGES {
        let content = format!("message {number}");
        senders[number % 2]
            .send_json(&json!({ "type": "chat", "roomId": "crowd", "userId": "sender", "content": content }));
    }
    let received: Vec<_> =
        readers.into_iter().flat_map(|reader| reader.join().expect("every client receives all")).collect();

    assert_eq!(received.len(), CLIENTS);
    let first = &received[0];
    let mut sorted = first.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), MESSAGES, "nothing came twice");
    assert!(received.iter().all(|order| order == first), "all have the same order");
    for sender in [0, 1] {
        let own: Vec<_> = first.iter().filter(|content| number(content) % 2 == sender).collect();
        assert!(own.is_sorted_by_key(|content| number(content)), "a sender's messages keep their order");
    }
    assert_eq!(
        host.get("/api/probe?what=messages").json().as_array().map(Vec::len),
        Some(MESSAGES),
        "all are in the database"
    );
}

fn number(content: &str) -> usize {
    content.trim_start_matches("message ").parse().expect("a number")
}
