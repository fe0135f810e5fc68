//! A tree that is saved while its sockets are open: FW-A14, FW-A15.

use serde_json::json;

use super::{APP_FILE, ORDERS, ORDERS_FILE, json_of, logged, open, order, send, shop, text, tree};
use crate::support::{Host, Site};

/// Saves a file until a reload has it: editors save in several steps.
#[track_caller]
fn reload(host: &Host, file: &str, content: &str, path: &str, wish: impl Fn(&str) -> bool) {
    host.site.write(file, content);
    host.until(path, |answer| answer.status == 200 && wish(answer.text()));
}

/// A tree with a version at `/version`, and sockets that send the version of their handler for each message.
fn version(number: u32) -> String {
    format!(
        r#"import websocket from "@fastify/websocket";
        export default async function (fastify, opts) {{
          await fastify.register(websocket);
          fastify.get("/version", async () => "{number}");
          fastify.get("/socket", {{ websocket: true }}, (socket) => {{
            socket.on("message", () => socket.send("version {number}"));
          }});
        }}"#
    )
}

/// FW-A14, with the seed's own text.
#[test]
fn an_open_socket_keeps_its_generator_and_new_ones_have_the_new_code() {
    let host = shop().dev();
    let mut old = open(&host, "/orders/confectionery");
    assert_eq!(order(&mut old).0, "B1");

    let marked = ORDERS.replace("socket.send(order);\n      }\n      for", "socket.send(order);\n      }\n      socket.send(JSON.stringify({ id: \"new\", total: 1 }));\n      for");
    assert_ne!(marked, ORDERS);
    host.site.write(ORDERS_FILE, marked);
    host.log.next("reloaded");

    // An editor may cause several reloads: the last one counts.
    let mut new = loop {
        let mut socket = open(&host, "/orders/nope");
        if json_of(&mut socket)["id"] == "new" {
            break socket;
        }
    };
    order(&mut new);
    // The old loop goes on, with the old text.
    for _ in 0..2 {
        assert_ne!(order(&mut old).0, "new");
    }
}

#[test]
fn many_saves_close_no_socket() {
    let host = Site::new().file("app.mjs", version(0)).dev();
    let mut sockets = Vec::new();
    for number in 0..5 {
        reload(&host, "app.mjs", &version(number), "/version", |text| text == number.to_string());
        sockets.push((number, open(&host, "/socket")));
    }
    for (number, socket) in &mut sockets {
        send(socket, "which?");
        assert_eq!(text(socket), format!("version {number}"));
    }
}

/// FW-A14: the old tree is closed when its last socket has ended.
#[test]
fn an_old_tree_is_closed_after_its_last_socket() {
    let code = |number: u32| {
        format!(
            r#"import websocket from "@fastify/websocket";
            export default async function (fastify, opts) {{
              await fastify.register(websocket);
              fastify.addHook("onClose", async () => console.log("closed tree {number}"));
              fastify.get("/version", async () => "{number}");
              fastify.get("/socket", {{ websocket: true }}, (socket) => socket.send("open"));
            }}"#
        )
    };
    let host = Site::new().file("app.mjs", code(1)).dev();
    let mut socket = open(&host, "/socket");
    assert_eq!(text(&mut socket), "open");

    reload(&host, "app.mjs", &code(2), "/version", |text| text == "2");
    send(&mut socket, "still open");
    assert!(!host.printed().contains("closed tree 1"));
    drop(socket);

    host.prints("closed tree 1");
}

/// FW-A15.
#[test]
fn a_syntax_error_leaves_the_old_tree_and_names_its_place() {
    let host = shop().dev();
    let mut old = open(&host, "/orders/confectionery");
    order(&mut old);

    let broken = ORDERS.replace("for (const order of", "for (const order off");
    host.site.write(ORDERS_FILE, &broken);
    // The error is in line 8.
    host.log.next("routes/orders/index.mjs:8");

    assert_eq!(order(&mut open(&host, "/orders/confectionery")).0, "B1");
    assert_eq!(host.get("/electronics").status, 200);

    let mended = ORDERS.replace(
        "async ({ socket }, request) => {",
        "async ({ socket }, request) => {\n      socket.send('{\"id\":\"mended\",\"total\":1}');",
    );
    host.site.write(ORDERS_FILE, mended);
    host.log.next("reloaded");
    let found = (0..1000).any(|_| order(&mut open(&host, "/orders/confectionery")).0 == "mended");
    assert!(found, "the mended file serves");
    order(&mut old);
}

/// A tree that fails while it boots leaves the old one as well.
#[test]
fn a_tree_that_does_not_boot_leaves_the_old_one() {
    let host = Site::new().file("app.mjs", version(1)).dev();
    let mut socket = open(&host, "/socket");

    host.site.write(
        "app.mjs",
        version(2).replace("await fastify.register(websocket);", "throw new Error('does not boot');"),
    );
    host.log.next("does not boot");

    assert_eq!(host.get("/version").text(), "1");
    send(&mut socket, "which?");
    assert_eq!(text(&mut socket), "version 1");

    reload(&host, "app.mjs", &version(3), "/version", |text| text == "3");
}

/// A module whose text and imports did not change keeps its state: totals do not begin again.
#[test]
fn unchanged_modules_keep_their_state() {
    let host = shop().dev();
    let mut socket = open(&host, "/orders/none");
    for _ in 0..2 {
        order(&mut socket);
    }
    let total = |host: &Host| -> u64 {
        let mut first = open(host, "/orders/electronics");
        let mut second = open(host, "/orders/confectionery");
        order(&mut first).1 + order(&mut first).1 + order(&mut second).1
    };
    let before = total(&host);
    assert!(before > 3 + 7 + 101, "{before}");

    host.site.write(
        "mock-srv/routes/added/index.mjs",
        "export default async function (fastify, opts) { fastify.get('/', async () => 'added'); }",
    );
    host.until("/added", |answer| answer.text() == "added");

    assert!(total(&host) >= before, "the totals began again");
}

/// Routes come and go with their files.
#[test]
fn routes_of_new_and_removed_files() {
    let host = shop().dev();
    assert_eq!(host.get("/toys").status, 404);

    host.site.write(
        "mock-srv/routes/toys/index.mjs",
        "export default async (fastify, opts) => { fastify.get('/', async () => ['toy']); };",
    );
    host.until("/toys", |answer| answer.status == 200 && answer.json() == json!(["toy"]));

    host.site.remove("mock-srv/routes/toys/index.mjs");
    host.until("/toys", |answer| answer.status == 404);
    assert_eq!(host.get("/electronics").status, 200);
}

/// A saved file that is no JavaScript of the tree's is no reason to close anything.
#[test]
fn hooks_of_the_new_tree_do_not_see_old_sockets() {
    let body = |number: u32| {
        format!(
            r#"fastify.get("/version", async () => "{number}");
            fastify.addHook("onRequest", async (request) => void log.push(`{number} ${{request.url}}`));
            fastify.get("/socket", {{ websocket: true }}, (socket) => {{
              socket.on("message", (data) => socket.send(`{number}: ${{fastify.websocketServer.clients.size}}`));
            }});"#
        )
    };
    let host = tree(&body(1)).dev();
    let mut old = open(&host, "/socket");
    let second = tree(&body(2));
    let text_of_second = std::fs::read_to_string(second.path("app.mjs")).expect("the file of a site");
    reload(&host, "app.mjs", &text_of_second, "/version", |text| text == "2");
    let mut new = open(&host, "/socket");

    send(&mut old, "x");
    send(&mut new, "x");
    assert_eq!(text(&mut old), "1: 1");
    assert_eq!(text(&mut new), "2: 1");
    let seen = logged(&host, "2 /socket");
    assert!(!seen.to_string().contains("1 /"), "{seen}");
}

#[test]
fn the_root_of_the_tree_is_saved() {
    let host = shop().dev();
    assert_eq!(host.get("/electronics").status, 200);
    let app = super::SHOP[1]
        .1
        .replace("// Place here your custom code!", "fastify.get('/added', async () => 'yes');");
    reload(&host, APP_FILE, &app, "/added", |text| text == "yes");
}
