//! Actors and new code.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{connect, get, handler, rooms, text, value};

/// A room that answers with its version.
fn version(version: u32) -> String {
    format!(
        r#"n = 0;
        async add() {{
          this.n += 1;
          const stored = ((await this.ctx.storage.get("n")) ?? 0) + 1;
          await this.ctx.storage.put("n", stored);
          return [{version}, this.n, stored];
        }}
        fetch(request) {{
          const [client, server] = Object.values(new WebSocketPair());
          if (new URL(request.url).searchParams.has("held")) {{
            this.ctx.acceptWebSocket(server);
          }} else {{
            server.accept();
            server.addEventListener("message", ({{ data }}) => server.send(`{version} ${{data}}`));
          }}
          return new Response(null, {{ status: 101, webSocket: client }});
        }}
        webSocketMessage(socket, data) {{ socket.send(`{version} ${{data}} ${{this.ctx.getWebSockets().length}}`); }}"#
    )
}

#[test]
fn a_quiet_actor_moves_to_new_code_with_its_sockets() {
    let host = rooms(&version(1)).dev();
    let mut socket = host.dial("/ws?held").upgrade().unwrap_or_else(|status| panic!("{status}")).0;
    assert_eq!(get(&host, "add"), json!([1, 1, 1]));
    assert_eq!(get(&host, "add"), json!([1, 2, 2]));
    socket.send(Message::text("hi")).unwrap();
    assert_eq!(text(&mut socket), "1 hi 1");

    host.site.write("handler.js", handler(&version(2)));

    host.log.next("reloaded");
    socket.send(Message::text("again")).unwrap();
    assert_eq!(text(&mut socket), "2 again 1");
    assert_eq!(get(&host, "add"), json!([2, 1, 3]));
}

#[test]
fn an_actor_with_sockets_in_memory_stays_until_they_close() {
    let host = rooms(&version(1)).dev();
    let mut socket = connect(&host);
    assert_eq!(get(&host, "add"), json!([1, 1, 1]));

    host.site.write("handler.js", handler(&version(2)));

    host.log.next("reloaded");
    socket.send(Message::text("hi")).unwrap();
    assert_eq!(text(&mut socket), "1 hi");
    assert_eq!(get(&host, "add"), json!([1, 2, 2]), "there is one object only");
    socket.close(None).unwrap();
    let mut answer = Value::Null;
    while answer[0] != 2 {
        answer = get(&host, "add");
    }
    assert_eq!(answer[1], 1, "{answer}");
}

#[test]
fn calls_that_run_end_in_the_old_code() {
    let body = |version: u32| {
        format!(
            r#"async wait() {{
              console.error("waits");
              while (!globalThis.goes) await new Promise((resolve) => setTimeout(resolve, 0));
              return {version};
            }}
            go() {{ globalThis.goes = true; return {version}; }}"#
        )
    };
    let host = rooms(&body(1)).dev();

    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| get(&host, "wait"));
        host.log.next("waits");
        host.site.write("handler.js", handler(&body(2)));
        host.log.next("reloaded");

        assert_eq!(get(&host, "go"), 1);

        assert_eq!(waiting.join().unwrap(), 1);
    });
    while get(&host, "go") != 2 {}
    assert_eq!(value(&host, "go", &json!([])), 2);
}
