//! What a saved file does to an application and its sockets.

use super::{application, connect, plugin, text};

fn route(version: u32) -> String {
    plugin(&format!(
        "fastify.get('/', async () => ({{ version: {version} }}));
         fastify.get('/ws', {{ websocket: true }}, (socket) => {{
           socket.send('open {version}');
           socket.on('message', () => socket.send('again {version}'));
         }});"
    ))
}

#[test]
fn open_sockets_keep_the_old_code_and_new_ones_get_the_new() {
    let host = application("fastify.register(import('./route.mjs'));").file("route.mjs", route(1)).dev();
    let mut old = connect(&host, "/ws");
    assert_eq!(text(&mut old), "open 1");

    host.site.write("route.mjs", route(2));
    host.until("/", |answer| answer.json()["version"] == 2);

    assert_eq!(text(&mut connect(&host, "/ws")), "open 2");
    old.send(tokio_tungstenite::tungstenite::Message::text("?")).unwrap();
    assert_eq!(text(&mut old), "again 1");
}

#[test]
fn a_syntax_error_leaves_the_old_code_serving() {
    let host = application("fastify.register(import('./route.mjs'));").file("route.mjs", route(1)).dev();
    let mut old = connect(&host, "/ws");
    assert_eq!(text(&mut old), "open 1");

    host.site.write("route.mjs", route(2).replace("async () =>", "async ( =>"));
    host.log.next("route.mjs:2");

    assert_eq!(host.get("/").json()["version"], 1);
    assert_eq!(text(&mut connect(&host, "/ws")), "open 1");
    host.site.write("route.mjs", route(3));
    host.until("/", |answer| answer.json()["version"] == 3);
    old.send(tokio_tungstenite::tungstenite::Message::text("?")).unwrap();
    assert_eq!(text(&mut old), "again 1");
}
