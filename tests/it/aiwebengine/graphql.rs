//! GraphQL: queries and mutations over HTTP, subscriptions as server-sent events and over WebSockets.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocket;

use super::{follow, next, next_text, script, seed};
use crate::support::{Answer, EventStream, Host, Site};

/// The guide's subscription, with a route that sends.
fn live_events() -> Site {
    script(&format!("{}\nregister('/send', 'triggerEvent', 'POST');", seed!("gql.js")))
}

fn query(host: &Host, query: &str) -> Answer {
    host.request("POST", "/graphql").json(&json!({ "query": query })).send()
}

fn subscribe(host: &Host, path: &str, query: &str) -> EventStream {
    let query: String = url_encoded(query);
    let separator = if path.contains('?') { '&' } else { '?' };
    follow(host, &format!("{path}{separator}query={query}"))
}

fn url_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn the_subscription_of_the_guide_works() {
    let host = live_events().serve();
    let answer =
        host.request("POST", "/graphql/sse").json(&json!({ "query": "subscription { liveEvents }" }));
    // The events of a POST: its body is read to the end, which a stream has not. A GET is the same request.
    drop(answer);
    let mut wrapped = subscribe(&host, "/graphql/sse", "subscription { liveEvents }");
    assert_eq!(wrapped.header("content-type"), Some("text/event-stream"));
    let first = next(&mut wrapped);
    assert_eq!(first, json!({ "data": { "liveEvents": "Live events subscription active" } }));
    let mut raw = follow(&host, "/graphql/subscription/liveEvents");

    assert_eq!(host.request("POST", "/send").send().status, 204);

    let event = next(&mut wrapped);
    let text = event["data"]["liveEvents"].as_str().expect("the text that was sent");
    let sent: Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(sent["event"], "user_joined");
    assert_eq!(next_text(&mut raw), text);
}

#[test]
fn messages_for_all_streams_are_none_for_subscriptions() {
    let host = script(
        "registerWebStream('/s');
         registerGraphQLSubscription('news', 'type Subscription { news: String }', 'first');
         function first() { return 'first'; }
         register('/all', () => sendStreamMessage('to streams'));
         register('/news', () => sendSubscriptionMessage('news', 'to the subscription'));",
    )
    .serve();
    let mut raw = follow(&host, "/graphql/subscription/news");
    host.get("/all");
    host.get("/news");
    assert_eq!(next_text(&mut raw), "to the subscription");
}

#[test]
fn a_client_may_post_its_subscription() {
    let host = live_events().serve();
    let body = json!({ "query": "subscription { liveEvents }" }).to_string();
    let head = format!(
        "POST /graphql/sse HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        host.address(),
        body.len()
    );
    let mut socket = host.connect();
    std::io::Write::write_all(&mut socket, head.as_bytes()).expect("an open socket");
    let seen = crate::support::read_until(&mut socket, "active\"}}\n\n");
    assert!(seen.starts_with("HTTP/1.1 200"), "{seen}");
    assert!(
        seen.contains("data: {\"data\":{\"liveEvents\":\"Live events subscription active\"}}\n\n"),
        "{seen}"
    );
}

#[test]
fn the_distinct_protocol_names_its_events() {
    let host = live_events().serve();
    for path in ["/graphql/sse?protocol=distinct", "/graphql/stream"] {
        let mut stream = subscribe(&host, path, "subscription { liveEvents }");
        let event = stream.next_event().expect("an event");
        assert_eq!(event.name, "next");
        let separator = if path.contains('?') { '&' } else { '?' };
        let wrong = host.get(&format!("{path}{separator}query={}", url_encoded("subscription { other }")));
        assert_eq!(wrong.header("content-type"), Some("text/event-stream"));
        assert!(
            wrong.text().starts_with("event: next\ndata: {\"errors\":[{\"message\":\"Cannot query field"),
            "{}",
            wrong.text()
        );
        assert!(wrong.text().ends_with("\n\nevent: complete\ndata: \n\n"), "{}", wrong.text());
    }
}

const BOOKS: &str = "
    const books = [{ id: '1', title: 'A', pages: 3 }];
    function init() {
      graphQLRegistry.registerQuery('books', 'type Query { books(title: String): [Book!]! } type Book { id: ID! title: String! pages: Int }', 'all', 'external');
      graphQLRegistry.registerQuery('count', 'count: Int!', 'count', 'external');
      graphQLRegistry.registerQuery('broken', 'broken: String', 'broken', 'external');
      graphQLRegistry.registerMutation('addBook', 'type Mutation { addBook(title: String!): Book }', 'add', 'external');
      graphQLRegistry.registerSubscription('bookAdded', 'type Subscription { bookAdded(shelf: String): Book }', 'shelf', 'external');
      routeRegistry.registerRoute('/run', 'run', 'GET');
    }
    function all(context) { return JSON.stringify(books.filter(({ title }) => !context.args.title || title === context.args.title)); }
    const count = async () => books.length;
    function broken() { throw new Error('no such shelf'); }
    function add({ args, request }) {
      const book = { id: String(books.length + 1), title: args.title, pages: 1 };
      books.push(book);
      graphQLRegistry.sendSubscriptionMessageFiltered('bookAdded', JSON.stringify(book), JSON.stringify({ shelf: args.title }));
      return book;
    }
    function shelf({ args }) { return args.shelf ? { shelf: args.shelf } : {}; }
    function run() {
      return { status: 200, contentType: 'application/json', body: graphQLRegistry.executeGraphQL('query ($t: String) { books(title: $t) { title } }', JSON.stringify({ t: 'A' })) };
    }";

#[test]
fn queries_and_mutations_are_answered_with_json() {
    let host = script(BOOKS).arg("--workers").arg("1").serve();
    assert_eq!(
        query(&host, "{ books { title pages } count }").json(),
        json!({ "data": { "books": [{ "title": "A", "pages": 3 }], "count": 1 } })
    );
    let added = query(&host, "mutation { addBook(title: \"B\") { id title } }").json();
    assert_eq!(added, json!({ "data": { "addBook": { "id": "2", "title": "B" } } }));
    let named = json!({
        "query": "query one($t: String) { books(title: $t) { id } } query two { count }",
        "variables": { "t": "B" },
        "operationName": "one",
    });
    let answer = host.request("POST", "/graphql").json(&named).send().json();
    assert_eq!(answer, json!({ "data": { "books": [{ "id": "2" }] } }));
    assert_eq!(
        host.get(&format!("/graphql?query={}", url_encoded("{ count }"))).json(),
        json!({ "data": { "count": 2 } })
    );
    assert_eq!(
        host.get(&format!("/graphql?query={}", url_encoded("mutation { addBook(title: \"C\") { id } }")))
            .status,
        405
    );
    assert_eq!(host.get("/run").json(), json!({ "data": { "books": [{ "title": "A" }] } }));

    let broken = query(&host, "{ broken count }");
    assert_eq!(broken.status, 200);
    assert_eq!(broken.json()["data"], json!({ "broken": null, "count": 2 }));
    assert_eq!(broken.json()["errors"][0]["message"], "no such shelf");
    assert!(host.get("/graphql").text().starts_with("<!DOCTYPE html>"));
    assert!(query(&host, "{ __schema { queryType { fields { name } } } }").text().contains("books"));
}

#[test]
fn requests_that_are_no_operations_are_400() {
    let host = script(BOOKS).serve();
    for (body, message) in [
        ("{ no json", "not JSON"),
        ("{}", "no `query`"),
        (r#"{ "query": "{ books { " }"#, "Syntax Error"),
        (r#"{ "query": "{ other }" }"#, "Cannot query field"),
        (r#"{ "query": "subscription { bookAdded { id } }" }"#, "/graphql/sse"),
    ] {
        let answer = host.request("POST", "/graphql").body(body).send();
        assert_eq!(answer.status, 400, "{body}");
        let error = answer.json()["errors"][0]["message"].as_str().unwrap_or_default().to_owned();
        assert!(error.contains(message), "{error}");
    }
    let unknown =
        host.request("POST", "/graphql/sse").json(&json!({ "query": "subscription { absent }" })).send();
    assert_eq!(unknown.status, 400);
    assert!(unknown.text().contains("Cannot query field"));
    assert_eq!(host.get("/graphql/subscription/absent").status, 404);
    let deep = format!("{{ {}count{} }}", "... { ".repeat(100), " }".repeat(100));
    assert!(query(&host, &deep).text().contains("deeper than"));
}

#[test]
fn subscribers_receive_what_fits_them() {
    let host = script(BOOKS).arg("--workers").arg("1").serve();
    let mut all = subscribe(&host, "/graphql/sse", "subscription { bookAdded { title } }");
    let mut b = subscribe(&host, "/graphql/sse", "subscription { bookAdded(shelf: \"B\") { id } }");
    query(&host, "mutation { addBook(title: \"A\") { id } }");
    query(&host, "mutation { addBook(title: \"B\") { id } }");
    assert_eq!(next(&mut all), json!({ "data": { "bookAdded": { "title": "A" } } }));
    assert_eq!(next(&mut all), json!({ "data": { "bookAdded": { "title": "B" } } }));
    assert_eq!(next(&mut b), json!({ "data": { "bookAdded": { "id": "3" } } }));
}

#[test]
fn types_of_several_scripts_are_merged() {
    let host = Site::new()
        .file(
            "scripts/a.js",
            "registerGraphQLSubscription('a', 'type Subscription { a: String }', () => 'a');",
        )
        .file(
            "scripts/b.js",
            "registerGraphQLSubscription('b', 'type Subscription { b: String }', () => 'b');",
        )
        .serve();
    for name in ["a", "b"] {
        let mut stream = subscribe(&host, "/graphql/sse", &format!("subscription {{ {name} }}"));
        assert_eq!(next(&mut stream)["data"][name], name);
    }
}

#[test]
fn what_cannot_be_one_schema_does_not_load() {
    let of =
        |a: &str, b: &str| Site::new().file("scripts/a.js", a).file("scripts/b.js", b).run("check").output();
    let news = "registerGraphQLSubscription('news', 'type Subscription { news: String }', () => 'x');";
    let twice = of(news, news);
    assert!(
        twice.contains("Subscription news of GraphQL is registered by scripts/a.js and by scripts/b.js"),
        "{twice}"
    );
    let syntax = of(news, "registerGraphQLQuery('b', 'type Query { b: ', () => 1);");
    assert!(syntax.contains("scripts/b.js: the type of the Query b is no GraphQL"), "{syntax}");
    let types = of(
        "registerGraphQLQuery('a', 'type Query { a: T } type T { x: Int }', () => 1);",
        "registerGraphQLQuery('b', 'type Query { b: T } type T { y: Int }', () => 1);",
    );
    assert!(
        types.contains("the type T is declared by scripts/a.js and, otherwise, by scripts/b.js"),
        "{types}"
    );
    let absent = of(news, "registerGraphQLQuery('b', 'type Query { c: Int }', () => 1);");
    assert!(
        absent.contains("registered the Query b, and its type declares no field of this name"),
        "{absent}"
    );
    let name = of(news, "registerGraphQLQuery('constructor', 'type Query { c: Int }', () => 1);");
    assert!(name.contains("a field cannot be called constructor"), "{name}");
}

fn connect(host: &Host) -> WebSocket<std::net::TcpStream> {
    let dial = host.dial("/graphql/ws").header("sec-websocket-protocol", "graphql-transport-ws");
    let (socket, response) = dial.upgrade().unwrap_or_else(|status| panic!("refused with {status}"));
    let protocol = response.headers().get("sec-websocket-protocol").expect("a protocol");
    assert_eq!(protocol, "graphql-transport-ws");
    socket
}

fn send(socket: &mut WebSocket<std::net::TcpStream>, message: &Value) {
    socket.send(Message::text(message.to_string())).expect("an open socket");
}

/// The next message, or the code of the close frame.
#[track_caller]
fn receive(socket: &mut WebSocket<std::net::TcpStream>) -> Value {
    loop {
        match socket.read().expect("a message") {
            Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
            Message::Close(frame) => return json!(frame.map(|frame| u16::from(frame.code))),
            _ => {}
        }
    }
}

#[test]
fn operations_run_over_a_websocket() {
    let host = live_events().serve();
    let mut socket = connect(&host);
    send(&mut socket, &json!({ "type": "connection_init" }));
    assert_eq!(receive(&mut socket), json!({ "type": "connection_ack" }));
    send(&mut socket, &json!({ "type": "ping", "payload": { "a": 1 } }));
    assert_eq!(receive(&mut socket), json!({ "type": "pong", "payload": { "a": 1 } }));
    let operation = json!({ "query": "subscription { liveEvents }" });
    send(&mut socket, &json!({ "id": "1", "type": "subscribe", "payload": operation }));
    let first = receive(&mut socket);
    assert_eq!((&first["id"], &first["type"]), (&json!("1"), &json!("next")));
    for _ in 0..2 {
        host.request("POST", "/send").send();
        assert!(receive(&mut socket)["payload"]["data"]["liveEvents"].is_string());
    }
    send(&mut socket, &json!({ "id": "1", "type": "complete" }));
    send(&mut socket, &json!({ "id": "2", "type": "subscribe", "payload": { "query": "{ __typename }" } }));
    assert_eq!(receive(&mut socket)["payload"], json!({ "data": { "__typename": "Query" } }));
    assert_eq!(receive(&mut socket), json!({ "id": "2", "type": "complete" }));
    host.request("POST", "/send").send();
    send(&mut socket, &json!({ "id": "3", "type": "subscribe", "payload": { "query": "{ absent }" } }));
    let error = receive(&mut socket);
    assert_eq!((&error["id"], &error["type"]), (&json!("3"), &json!("error")));
}

#[test]
fn a_connection_has_a_limited_number_of_subscriptions() {
    let host = live_events().serve();
    let mut socket = connect(&host);
    send(&mut socket, &json!({ "type": "connection_init" }));
    receive(&mut socket);
    let operation = json!({ "query": "subscription { liveEvents }" });
    for id in 0..20 {
        send(&mut socket, &json!({ "id": id.to_string(), "type": "subscribe", "payload": operation }));
        assert_eq!(receive(&mut socket)["type"], "next");
    }
    send(&mut socket, &json!({ "id": "20", "type": "subscribe", "payload": operation }));
    let refused = receive(&mut socket);
    assert_eq!((&refused["id"], &refused["type"]), (&json!("20"), &json!("error")));
    send(&mut socket, &json!({ "id": "19", "type": "subscribe", "payload": operation }));
    assert_eq!(receive(&mut socket), 4409);
}

#[test]
fn clients_that_break_the_protocol_are_closed() {
    let host = live_events().serve();
    let code = |messages: &[Value]| {
        let mut socket = connect(&host);
        for message in messages {
            send(&mut socket, message);
        }
        loop {
            let received = receive(&mut socket);
            if received.is_number() {
                return received;
            }
        }
    };
    let init = json!({ "type": "connection_init" });
    assert_eq!(code(&[]), 4408);
    assert_eq!(code(&[init.clone(), init.clone()]), 4429);
    assert_eq!(code(&[json!({ "id": "1", "type": "subscribe", "payload": {} })]), 4401);
    assert_eq!(code(&[init, json!({ "type": "other" })]), 4400);
    assert_eq!(code(&[json!("text")]), 4400);
    let refused = host.dial("/graphql/ws").upgrade();
    assert!(refused.is_err_and(|status| status == 400));
}
