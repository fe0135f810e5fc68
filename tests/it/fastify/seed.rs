//! The course's shop as it is printed: FW-A1 to FW-A11 and FW-A18.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{APP_FILE, SHOP, json_of, open, order, refusal, shop, shop_edited, shop_with, text, timed};
use crate::support::{Finished, Host};
use crate::websockets::{closed, next};

/// The pause of the simulator between two orders.
const PAUSE: Duration = Duration::from_millis(1500);
const IDS: [&str; 3] = ["A1", "A2", "B1"];

#[test]
fn the_shop_starts_without_packages() {
    let host = shop().dev();

    assert_eq!(host.get("/electronics").status, 200);
    assert!(!host.site.path("mock-srv/node_modules").exists());
}

#[test]
fn routes_lists_the_socket() {
    let site = shop();
    let routes = Finished::of(&["routes", site.served().to_str().expect("a path of text")]);

    assert_eq!(routes.code, Some(0), "{}", routes.output());
    let line = routes.stdout.lines().find(|line| line.contains("/orders/:category"));
    let line = line.unwrap_or_else(|| panic!("no line of orders: {}", routes.output()));
    assert!(line.to_lowercase().contains("ws"), "{line}");
    assert!(routes.stdout.contains("/electronics"), "{}", routes.output());
}

/// FW-A3.
#[test]
fn totals_of_the_category_come_first_and_then_orders() {
    let host = shop().dev();
    let mut socket = open(&host, "/orders/electronics");

    let (first, second) = (json_of(&mut socket), json_of(&mut socket));
    assert_eq!((&first["id"], &second["id"]), (&json!("A1"), &json!("A2")));
    assert_eq!((&first["total"], &second["total"]), (&json!(3), &json!(7)));

    // The first order comes at once, the others after the pause of the simulator.
    let (id, _) = order(&mut socket);
    assert!(IDS.contains(&id.as_str()), "{id}");
    for _ in 0..3 {
        let ((id, _), pause) = timed(|| order(&mut socket));
        assert!(IDS.contains(&id.as_str()), "{id}");
        // A busy machine is late, but timers are not early.
        assert!(pause > PAUSE - Duration::from_millis(100) && pause < PAUSE * 2, "{pause:?}");
    }
}

/// FW-A4: the first sketch of the course.
#[test]
fn one_order_and_the_socket_stays_open() {
    let host = shop_with(
        r#""use strict";

export default async function (fastify, opts) {
  fastify.get(
    "/:category",
    { websocket: true },
    async ({ socket }, request) => {
      socket.send(JSON.stringify({ id: "A1", total: 3 }));
    }
  )
};
"#,
    )
    .dev();
    let mut socket = open(&host, "/orders/electronics");

    assert_eq!(text(&mut socket), r#"{"id":"A1","total":3}"#);
    // Nothing else comes: the answer to a ping is next, and it is no close.
    socket.send(Message::Ping("here".into())).expect("a host");
    assert_eq!(socket.read().expect("a frame"), Message::Pong("here".into()));
}

/// FW-A5.
#[test]
fn handlers_of_all_versions_have_their_socket() {
    let handlers = [
        "async ({ socket }, request) => socket.send(`v9 ${request.params.category}`)",
        "(socket, request) => socket.send(`v10 ${request.params.category}`)",
        "(connection, request) => connection.socket.send(`connection ${request.params.category}`)",
        "function (connection, req) { connection.socket.on('message', (data) => connection.socket.send(`v9 ${data}`)); connection.socket.send(`function ${req.params.category}`); }",
    ];
    let routes = handlers.iter().enumerate().map(|(index, handler)| {
        format!("fastify.get('/{index}/:category', {{ websocket: true }}, {handler});\n")
    });
    let routes = routes.collect::<String>();
    let host = shop_with(&format!("export default async function (fastify, opts) {{\n{routes}}}\n")).dev();

    let texts: Vec<_> =
        (0..handlers.len()).map(|index| text(&mut open(&host, &format!("/orders/{index}/x")))).collect();
    assert_eq!(texts, ["v9 x", "v10 x", "connection x", "function x"]);
}

/// FW-A6.
#[test]
fn an_unknown_category_has_orders_but_no_totals() {
    let host = shop().dev();
    let mut socket = open(&host, "/orders/nope");

    let ((first, _), wait) = timed(|| order(&mut socket));
    assert!(IDS.contains(&first.as_str()), "{first}");
    assert!(wait < PAUSE, "{wait:?}");
    let ((_, _), pause) = timed(|| order(&mut socket));
    assert!(pause > PAUSE - Duration::from_millis(100), "{pause:?}");
}

/// FW-A8.
#[test]
fn plain_requests_and_sockets_at_the_wrong_place() {
    let host = shop().dev();

    let plain = host.request("GET", "/orders/electronics").plain().send();
    assert_eq!((plain.status, plain.text()), (404, ""));

    let missing = host.request("GET", "/zzz").plain().send();
    assert_eq!(missing.status, 404);
    assert_eq!(missing.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(
        missing.text(),
        r#"{"message":"Route GET:/zzz not found","error":"Not Found","statusCode":404}"#
    );

    assert_eq!(refusal(&host, "/zzz"), 404);

    let mut socket = open(&host, "/electronics");
    closed(&mut socket);
    host.prints("/electronics");
}

/// FW-A9.
#[test]
fn the_rest_of_the_shop() {
    let host = shop().dev();
    let products =
        host.request("GET", "/electronics").plain().header("origin", "http://localhost:5050").send();
    assert_eq!(products.status, 200);
    assert_eq!(products.header("access-control-allow-origin"), Some("*"));
    assert_eq!(ids(&products.json()), ["A1", "A2"]);

    let added = host
        .request("POST", "/electronics")
        .json(&json!({ "name": "Lamp", "rrp": "5.00", "info": "Light." }))
        .send();
    assert_eq!(added.status, 200);
    assert_eq!(ids(&added.json()), ["A1", "A2", "A3"]);
    assert_eq!(added.json()[2], json!({ "id": "A3", "name": "Lamp", "rrp": "5.00", "info": "Light." }));

    let post = |kind: &str, body: String| {
        let answer =
            host.request("POST", "/electronics").plain().header("content-type", kind).body(body).send();
        (answer.status, answer.json()["code"].clone())
    };
    let (status, _) = post("application/json", r#"{"name":"#.to_owned());
    assert_eq!(status, 400);
    assert_eq!(post("text/csv", "a,b".to_owned()), (415, json!("FST_ERR_CTP_INVALID_MEDIA_TYPE")));
    let large = json!({ "name": "x".repeat(1024 * 1024) }).to_string();
    assert_eq!(post("application/json", large), (413, json!("FST_ERR_CTP_BODY_TOO_LARGE")));

    let preflight = host
        .request("OPTIONS", "/electronics")
        .plain()
        .header("origin", "http://localhost:5050")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type")
        .send();
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
    assert!(preflight.header("access-control-allow-methods").is_some_and(|methods| methods.contains("POST")));

    // Nothing of what was refused is there.
    assert_eq!(ids(&host.get("/electronics").json()), ["A1", "A2", "A3"]);
}

fn ids(products: &Value) -> Vec<&str> {
    let products = products.as_array().unwrap_or_else(|| panic!("{products} is no list"));
    products.iter().filter_map(|product| product["id"].as_str()).collect()
}

/// FW-A11: every socket runs a simulator of its own over the same totals.
#[test]
fn three_sockets_raise_the_totals_three_times_as_fast() {
    const COUNTED: &str = "export let raised = 0; export const count = () => raised += 1;";
    let data =
        SHOP[2].1.replace("orders[id].total += delta;", "orders[id].total += delta; count();").replace(
            "import { promisify } from \"node:util\";",
            "import { promisify } from \"node:util\";\nimport { count } from \"../count.mjs\";",
        );
    let host = shop()
        .file("mock-srv/count.mjs", COUNTED)
        .file("mock-srv/plugins/data-utils.mjs", data)
        .file(
            "mock-srv/routes/raised/index.mjs",
            "import { raised } from '../../count.mjs';
            export default async function (fastify, opts) { fastify.get('/', async () => raised); }",
        )
        .dev();
    let mut sockets: Vec<_> = (0..3).map(|_| open(&host, "/orders/none")).collect();
    for _ in 0..2 {
        sockets.iter_mut().for_each(|socket| drop(order(socket)));
    }

    // Two orders of three sockets.
    let raised: u64 = host.get("/raised").text().parse().expect("a number");
    assert!(raised >= 6, "{raised}");
    let totals = |host: &Host| -> u64 {
        let mut socket = open(host, "/orders/electronics");
        (0..2).map(|_| order(&mut socket).1).sum()
    };
    let other = |host: &Host| order(&mut open(host, "/orders/confectionery")).1;
    assert!(totals(&host) + other(&host) >= 3 + 7 + 101 + raised, "totals are shared");
}

/// FW-A18.
#[test]
fn the_order_of_registration_does_not_matter() {
    const EARLY: &str = "  // Register Websocket\n  fastify.register(websocket, {});\n";
    const LAST: &str =
        "    dir: path.join(__dirname, \"routes\"),\n    options: Object.assign({}, opts),\n  });\n";
    let app = SHOP[1].1;
    assert!(app.contains(EARLY) && app.contains(LAST));
    let late = app.replace(EARLY, "").replace(LAST, &format!("{LAST}{EARLY}"));
    let absent = app.replace(EARLY, "").replace("import websocket from \"@fastify/websocket\";\n", "");
    for (name, app) in [("late", late), ("absent", absent)] {
        let host = shop().file(APP_FILE, app).dev();
        let mut socket = open(&host, "/orders/electronics");
        assert_eq!(order(&mut socket), ("A1".to_owned(), 3), "{name}");
        let plain = host.request("GET", "/orders/electronics").plain().send();
        assert_eq!((plain.status, plain.text()), (404, ""), "{name}");
    }
}

/// The text of the course once has a package's name that does not exist.
#[test]
fn legacy_names_of_the_packages_are_known() {
    for (name, legacy) in [
        ("@fastify/websocket", "fastify-websocket"),
        ("@fastify/cors", "fastify-cors"),
        ("@fastify/autoload", "fastify-autoload"),
    ] {
        let host = shop_edited(APP_FILE, &format!("\"{name}\""), &format!("\"{legacy}\"")).dev();
        let mut socket = open(&host, "/orders/electronics");
        assert_eq!(order(&mut socket).0, "A1", "{legacy}");
    }
}

#[test]
fn the_page_is_served_from_an_origin_of_its_own() {
    let host = shop().file("pages/.keep", "").serving("pages").arg("--public=static").serve();

    let page = host.request("GET", "/index.html").plain().send();
    assert_eq!(page.status, 200);
    assert!(page.text().contains("<template id=\"item\">"), "{}", page.text());
    let script = host.request("GET", "/app.js").plain().send();
    assert_eq!(script.status, 200);
    assert!(script.header("content-type").is_some_and(|it| it.contains("javascript")));
    assert!(script.text().contains("Populate products"), "{}", script.text());
}

#[test]
fn orders_are_texts_of_json() {
    let host = shop().dev();
    let mut socket = open(&host, "/orders/confectionery");
    let Some(Message::Text(first)) = next(&mut socket) else { panic!("no text") };
    assert_eq!(first.as_str(), r#"{"id":"B1","total":101}"#);
}
