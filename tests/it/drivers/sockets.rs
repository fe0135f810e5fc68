//! Sockets that a generation leaves open: they are closed when it ends.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::support::{Site, serve};

/// A server that answers requests and never closes a connection. Returns its address and the number of its open
/// connections.
fn keeping_server() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let open = Arc::new(AtomicUsize::new(0));
    let count = open.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::SeqCst);
            let count = count.clone();
            thread::spawn(move || {
                answer_all(&stream);
                count.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    (address, open)
}

fn answer_all(stream: &TcpStream) {
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if line.is_empty() {
            let mut writer = stream;
            let _ = writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    }
}

#[test]
fn a_hundred_reloads_close_the_sockets_of_old_generations() {
    let (address, open) = keeping_server();
    let handler = r#"
        import http from "node:http";
        import net from "node:net";
        const [host, port] = process.env.SERVER.split(":");
        const socket = net.connect({ host, port });
        socket.on("data", () => {});
        const agent = new http.Agent({ keepAlive: true });
        setInterval(() => socket.write("\n"), 5);
        export default async () => {
          await (await fetch(`http://${host}:${port}/`)).text();
          await new Promise((resolve, reject) => {
            http.get({ host, port, agent }, (response) => response.resume().on("end", resolve)).on("error", reject);
          });
          return NUMBER;
        };"#;
    let numbered = |number: usize| handler.replace("NUMBER", &number.to_string());
    let host = Site::new().file("handler.js", numbered(0)).variable("SERVER", &address.to_string()).dev();
    let reload = |number: usize| {
        host.site.write("handler.js", numbered(number));
        host.until("/", |answer| answer.status == 200 && answer.text() == number.to_string());
    };

    (1..=20).for_each(reload);
    let (files, connections) = (host.open_files(), open.load(Ordering::SeqCst));
    (21..=120).for_each(reload);

    // Old generations may still be on their way out, and a spare isolate on its way in.
    host.until("/", |_| host.open_files() <= files + 8 && open.load(Ordering::SeqCst) <= connections + 3);
}

#[test]
fn an_error_in_a_sockets_callback_is_logged_and_ends_nothing() {
    let (address, _open) = keeping_server();
    let handler = r#"
        import net from "node:net";
        export default () => new Promise((resolve) => {
          const [host, port] = "ADDRESS".split(":");
          const socket = net.connect({ host, port }, () => socket.write("\n"));
          socket.on("data", () => {
            resolve("answered");
            throw new Error("in the callback of a socket");
          });
        });"#;
    let host = serve(&handler.replace("ADDRESS", &address.to_string()));

    assert_eq!(host.get("/").text(), "answered");
    host.log.next("in the callback of a socket");
    assert_eq!(host.get("/").text(), "answered");
}
