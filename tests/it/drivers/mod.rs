//! Database drivers of npm against real servers: `pg`, `postgres`, `redis` and `ioredis`.
//!
//! The handlers are in `tests/drivers/site`: the same routes for all drivers, over one module for each.

mod server;
mod sockets;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::docs::works_as_shown;
use crate::support::{Host, Line, Site};
use server::{Kind, Server};

/// A driver with the server that it is for.
struct Driver {
    name: &'static str,
    server: Server,
}

/// A module of tests for each driver. They are skipped where its server is not installed.
macro_rules! drivers {
    ($($module:ident $kind:ident),*: $tests:tt) => {
        $(mod $module { drivers! { @ $module $kind $tests } })*
    };
    (@ $module:ident $kind:ident { $($test:ident)* }) => {
        use crate::drivers::{Driver, server::{Kind, Server}};
        $(#[test]
        fn $test() {
            let Some(server) = Server::start(Kind::$kind) else { return };
            crate::drivers::$test(Driver { name: stringify!($module), server });
        })*
    };
}

drivers! {
    pg Postgres, postgres Postgres, redis Redis, ioredis Redis: {
        it_queries_with_parameters_and_transactions
        messages_of_the_server_become_states_of_all_viewers
        a_lost_connection_is_regained
        a_failure_is_reported_with_the_drivers_message_and_the_handlers_place
        a_pools_timers_outlive_the_request_that_started_them
        reloads_leave_the_connections_of_one_generation
        a_line_of_the_old_code_keeps_its_connections
        an_idle_connection_costs_no_time
    }
}

impl Driver {
    /// The handlers with this driver.
    fn site(&self) -> Site {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drivers/site");
        let read = |path: String| fs::read_to_string(folder.join(path)).expect("a file of the site");
        let mut site = Site::new()
            .link("node_modules", &server::packages().display().to_string())
            .file("driver.js", read(format!("drivers/{}.js", self.name)))
            .file("news.js", read("news.js".to_owned()));
        for route in fs::read_dir(folder.join("routes")).expect("the routes").flatten() {
            let path = format!("{}/handler.js", route.file_name().display());
            site = site.file(&path, read(format!("routes/{path}")));
        }
        self.server.variables().iter().fold(site, |site, (name, value)| site.variable(name, value))
    }

    fn is_postgres(&self) -> bool {
        matches!(self.name, "pg" | "postgres")
    }
}

#[test]
fn the_page_about_databases_works_as_shown() {
    let servers = [Server::start(Kind::Postgres), Server::start(Kind::Redis)];
    let [Some(postgres), Some(redis)] = &servers else { return };
    works_as_shown("docs/databases.md", |site| {
        let site = site.link("node_modules", &server::packages().display().to_string());
        let variables = postgres.variables().into_iter().chain(redis.variables());
        variables.fold(site, |site, (name, value)| site.variable(name, &value))
    });
}

/// Follows the news at a path, from the first state on.
#[track_caller]
fn follow(host: &Host, path: &str) -> Line {
    let (answer, line) = host.open(path);
    assert_eq!(answer.json(), json!({ "news": "none" }));
    line
}

/// The next news of a line.
#[track_caller]
fn news(line: &mut Line) -> Value {
    line.expect_body()["news"].take()
}

fn it_queries_with_parameters_and_transactions(driver: Driver) {
    let host = driver.site().serve();

    assert_eq!(host.get("/add?a=40&b=2").json(), json!(42));
    assert_eq!(host.get("/many").json(), json!(true));
    assert_eq!(host.get("/text").text(), "0123456789".repeat(100_000));

    assert!(host.request("POST", "/names?name=one").send().status < 300);
    assert_eq!(host.request("POST", "/names?name=two&fails").send().status, 500);
    assert_eq!(host.get("/names").json(), json!(["one"]));
    assert!(host.request("POST", "/names?name=three").send().status < 300);
    assert_eq!(host.get("/names").json(), json!(["one", "three"]));
}

fn messages_of_the_server_become_states_of_all_viewers(driver: Driver) {
    let host = driver.site().serve();
    driver.server.until_followed();
    let mut lines = ["/feed", "/feed", "/generator"].map(|path| follow(&host, path));

    for number in 1..=20 {
        driver.server.publish(&format!("news-{number}"));
    }

    for line in &mut lines {
        for number in 1..=20 {
            assert_eq!(news(line), json!(format!("news-{number}")));
        }
    }
}

fn a_lost_connection_is_regained(mut driver: Driver) {
    let host = driver.site().serve();
    let first = host.get("/generation").json();
    driver.server.until_followed();
    let mut line = follow(&host, "/feed");

    // The server closes the connections.
    driver.server.disconnect_all();
    host.until("/generation", |answer| answer.status == 200);
    driver.server.until_followed();
    driver.server.publish("again");
    assert_eq!(news(&mut line), json!("again"));

    // The server is gone for a while.
    driver.server.stop();
    let waiting = host.begin("GET", "/generation");
    driver.server.run();
    drop(waiting);
    let last = host.until("/generation", |answer| answer.status == 200).json();
    driver.server.until_followed();
    driver.server.publish("finally");
    assert_eq!(news(&mut line), json!("finally"));

    assert_eq!(first, last, "the isolate goes on");
}

fn a_failure_is_reported_with_the_drivers_message_and_the_handlers_place(driver: Driver) {
    let host = driver.site().dev();
    let refused = "connect ECONNREFUSED 127.0.0.1:1";
    let failures = match driver.name {
        "pg" => [
            ("wrong", "password authentication failed for user \"ann\""),
            ("missing", refused),
            ("secure", "The server does not support SSL connections"),
        ],
        "postgres" => [
            ("wrong", "password authentication failed for user \"ann\""),
            ("missing", refused),
            ("secure", "disconnected before secure TLS connection was established"),
        ],
        "redis" => [("wrong", "WRONGPASS"), ("missing", refused), ("secure", "Connection timeout")],
        _ => {
            [("wrong", "WRONGPASS"), ("missing", "Connection is closed"), ("secure", "Connection is closed")]
        }
    };
    for (path, message) in failures {
        let answer = host.get(&format!("/{path}"));
        let text = answer.text();
        assert_eq!(answer.status, 500, "{text}");
        assert!(text.contains(message), "/{path}: {text}");
        // The first place of the page is in a file of the project.
        let place = text.lines().find(|line| line.contains("--> ")).unwrap_or_default();
        let own = ["driver.js:".to_owned(), format!("{path}/handler.js:")];
        assert!(own.iter().any(|own| place.contains(&format!("--> {own}"))), "/{path}: {text}");
    }
    assert_eq!(host.get("/add?a=1&b=1").json(), json!(2));
}

/// Drivers set timers in the course of a request, to connect again or to close an idle connection.
fn a_pools_timers_outlive_the_request_that_started_them(mut driver: Driver) {
    let host = driver.site().serve();

    driver.server.stop();
    assert_eq!(host.get("/leave").text(), "not waited for");
    driver.server.run();
    host.until("/add?a=1&b=2", |answer| answer.status == 200);

    if driver.is_postgres() {
        host.get("/release");
        let idling = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'idling'";
        driver.server.until(idling, |count| count == "0");
    }
}

fn reloads_leave_the_connections_of_one_generation(driver: Driver) {
    let host = driver.site().dev();
    host.get("/many");
    driver.server.until_followed();
    // Of a pool, and the one that follows the news.
    let most = driver.server.connections();
    let mut generation = host.get("/generation").json();

    // A debug build takes a second to load the many files of `redis`.
    let reloads = if driver.name == "redis" { 10 } else { 50 };
    for number in 1..=reloads {
        host.site.write("add/handler.js", format!("export default () => {number};"));
        let next = host.until("/generation", |answer| answer.status == 200 && answer.json() != generation);
        generation = next.json();
        host.get("/many");
    }

    driver.server.until_connections(|count| count <= most);
}

fn a_line_of_the_old_code_keeps_its_connections(driver: Driver) {
    let host = driver.site().dev();
    driver.server.until_followed();
    let mut line = follow(&host, "/feed");

    host.site.write("add/handler.js", "export default () => 'new';");
    host.until("/add", |answer| answer.text() == "new");
    driver.server.until_connections(|count| count >= 2);
    driver.server.publish("to-both");
    assert_eq!(news(&mut line), json!("to-both"));

    let before = driver.server.connections();
    line.close();
    driver.server.until_connections(|count| count < before);
}

/// The server's own sleep is what the test waits for.
fn an_idle_connection_costs_no_time(driver: Driver) {
    let host = driver.site().serve();
    host.get("/many");
    driver.server.until_followed();

    let before = host.processor_time();
    match driver.is_postgres() {
        true => driver.server.ask("SELECT pg_sleep(2)"),
        false => driver.server.ask("BLPOP nothing 2"),
    };
    let spent = host.processor_time() - before;

    assert!(spent.as_millis() < 500, "{spent:?} of 2 s");
}
