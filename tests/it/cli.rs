//! The command line: what each command prints and how it ends.

use std::io::Write as _;

use std::fs;
use std::net::TcpListener;

use crate::support::{Finished, Site, read_until, serve};

const FINE: &str = "export default () => 1";

#[test]
fn routes_prints_a_table() {
    let site = Site::new()
        .file("app/handler.server.js", "export const GET = () => 1; export const POST = () => 1;")
        .file("app/products/-/handler.js", FINE)
        .file("app/products/-/handler.client.js", FINE)
        .file("public/a.txt", "");

    let routes = site.run("routes");

    assert_eq!(routes.code, Some(0), "{}", routes.output());
    let rows: Vec<Vec<_>> = routes.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["METHOD", "PATH", "FILE", "LAYER"]);
    let has = |path: &str, file: &str, layer: &str, method: &str| {
        rows.iter().any(|row| {
            let row = row.join(" ");
            row.contains(method) && row.contains(path) && row.contains(file) && row.ends_with(layer)
        })
    };
    assert!(has("/", "handler.server.js", "server", "GET"), "{}", routes.output());
    assert!(has("/", "handler.server.js", "server", "POST"), "{}", routes.output());
    assert!(has("/products/-", "products/-/handler.js", "server", ""), "{}", routes.output());
    assert!(has("/products/-", "products/-/handler.client.js", "client", ""), "{}", routes.output());
}

#[test]
fn check_counts_what_loads() {
    let site = Site::new().file("handler.js", FINE).file("a/handler.js", FINE);

    let checked = site.run("check");

    assert_eq!(checked.code, Some(0), "{}", checked.output());
    assert_eq!(checked.stdout.trim(), "ok: 2 handlers");
}

#[test]
fn check_shows_every_error_with_its_place() {
    let site = Site::new()
        .file("handler.js", FINE)
        .file("a/handler.js", "export default () => {\n  const x = ;\n};\n")
        .file("b/handler.js", "const fine = 1;\nthrow new RangeError(\"at load\");\n");

    let checked = site.run("check");

    assert_eq!(checked.code, Some(1), "{}", checked.output());
    let said = checked.output();
    assert_eq!(said.matches("error: ").count(), 2, "{said}");
    // The place, the line itself, and a caret below it.
    assert!(said.contains("a/handler.js:2:13"), "{said}");
    assert!(said.contains("const x = ;"), "{said}");
    assert!(said.contains("at load"), "{said}");
    assert!(said.contains("b/handler.js:2:"), "{said}");
    assert!(said.contains("throw new RangeError(\"at load\");"), "{said}");
    assert!(said.lines().filter(|line| line.trim_start().starts_with("--> ")).count() == 2, "{said}");
    assert!(said.lines().filter(|line| line.trim_end().ends_with('^')).count() == 2, "{said}");
}

#[test]
fn types_writes_every_declaration_and_a_config() {
    let site = Site::new().file("handler.js", FINE);

    let written = site.run("types");

    assert_eq!(written.code, Some(0), "{}", written.output());
    let config = fs::read_to_string(site.path("jsconfig.json")).expect("jsconfig.json");
    assert!(config.contains(".liveline/types/index.d.ts"), "{config}");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/runtime-js/types");
    for file in fs::read_dir(folder).expect("runtime-js/types/").flatten() {
        let copy = site.path(".liveline/types").join(file.file_name());
        assert_eq!(fs::read(&copy).ok(), fs::read(file.path()).ok(), "{}", copy.display());
    }
    // The host is not confused by them.
    assert_eq!(site.run("check").stdout.trim(), "ok: 1 handlers");
}

#[test]
fn types_leaves_a_config_as_it_is() {
    let site = Site::new().file("handler.ts", FINE).file("tsconfig.json", "{}");

    let written = site.run("types");

    assert_eq!(written.code, Some(0), "{}", written.output());
    assert_eq!(fs::read_to_string(site.path("tsconfig.json")).expect("tsconfig.json"), "{}");
    assert!(!site.path("jsconfig.json").exists());
    assert!(written.stdout.contains("@webqit/webflo"), "{}", written.output());
}

#[test]
fn wrong_arguments_exit_with_2() {
    let site = Site::new().file("handler.js", FINE);

    for words in
        [&["serve"][..], &["nonsense"], &["serve", ".", "--nonsense"], &["serve", ".", "--port", "many"]]
    {
        let finished = Finished::of(words);
        assert_eq!(finished.code, Some(2), "{words:?}: {}", finished.output());
        assert!(finished.stdout.is_empty() && !finished.stderr.is_empty(), "{words:?}");
    }
    for (flag, value) in [("--max-body", "big"), ("--cpu-timeout", "10"), ("--workers", "0")] {
        let finished = Site::of(site.path(".")).arg(flag).arg(value).run("serve");
        assert_eq!(finished.code, Some(2), "{flag} {value}: {}", finished.output());
        assert!(finished.stderr.contains(flag), "{}", finished.output());
    }
}

#[test]
fn help_and_version_are_on_stdout() {
    for flag in ["--help", "--version"] {
        let finished = Finished::of(&[flag]);
        assert_eq!(finished.code, Some(0), "{}", finished.output());
        assert!(finished.stdout.contains("liveline"), "{}", finished.output());
    }
}

#[test]
fn a_missing_folder_is_one_clear_line() {
    for command in ["serve", "dev", "routes", "check"] {
        let finished = Site::of("/no/such/folder").run(command);

        assert_eq!(finished.code, Some(1), "{command}: {}", finished.output());
        assert_one_error(&finished, "/no/such/folder");
    }
}

#[test]
fn a_file_is_not_a_folder() {
    let site = Site::new().file("handler.js", FINE);

    let finished = Site::of(site.path("handler.js")).run("serve");

    assert_eq!(finished.code, Some(1), "{}", finished.output());
    assert_one_error(&finished, "handler.js");
}

#[test]
fn a_busy_port_is_one_clear_line() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("its address").port().to_string();

    let finished = Site::new().file("handler.js", FINE).arg("--port").arg(&port).run("serve");

    assert_eq!(finished.code, Some(1), "{}", finished.output());
    assert_one_error(&finished, &port);
}

#[test]
fn an_error_keeps_serve_from_starting() {
    let finished = Site::new().file("handler.js", "export default () => {").run("serve");

    assert_eq!(finished.code, Some(1), "{}", finished.output());
    assert!(finished.stderr.contains("handler.js:1"), "{}", finished.output());
}

#[test]
fn signals_end_it_in_order() {
    for signal in ["TERM", "INT"] {
        let mut host = serve(FINE);
        host.get("/");

        host.signal(signal);

        assert_eq!(host.ended(), Some(0), "{signal}: {}", host.log.text());
    }
}

#[test]
fn an_answer_in_work_is_finished_before_the_end() {
    let mut host = serve(
        r#"
        export default async (event) => {
          console.error("working");
          await event.request.text();
          return "finished";
        }"#,
    );

    let mut request = host.connect();
    request.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n").expect("the host reads");
    host.log.next("working");
    host.signal("TERM");
    host.log.next("stopping");
    request.write_all(b"x").expect("the host reads");

    read_until(&mut request, "finished");
    assert_eq!(host.ended(), Some(0));
    assert!(!host.accepts());
}

#[test]
fn the_drain_has_a_limit() {
    let site = Site::new().file(
        "handler.js",
        r#"export default () => { console.error("working"); return new Promise(() => {}); }"#,
    );
    let mut host = site.arg("--drain-timeout").arg("200ms").serve();

    let _stream = host.begin("GET", "/");
    host.log.next("working");
    host.signal("TERM");

    assert_eq!(host.ended(), Some(0), "{}", host.log.text());
}

#[test]
fn workers_have_their_own_module_state_but_the_same_site() {
    let site =
        Site::new().file("handler.js", "let n = 0; export default () => ++n;").arg("--workers").arg("2");
    let host = site.serve();

    let counts: Vec<u32> = (0..20).map(|_| host.get("/").text().parse().expect("a number")).collect();

    // Each isolate counts for itself: no count is skipped, and none is seen more often than there are isolates.
    let highest = *counts.iter().max().expect("counts");
    assert!((10..=20).contains(&highest), "{counts:?}");
    assert!(
        (1..=highest).all(|n| (1..=2).contains(&counts.iter().filter(|c| **c == n).count())),
        "{counts:?}"
    );
}

#[test]
fn the_log_can_be_silenced() {
    let failing = "export default () => { throw new Error('boom'); }";

    let loud = serve(failing);
    loud.get("/");
    loud.log.next("boom");

    let quiet = Site::new().file("handler.js", failing).arg("--log").arg("off").serve();
    quiet.get("/");
    quiet.signal("TERM");
    assert_eq!(quiet.log.end(), "");
}

#[track_caller]
fn assert_one_error(finished: &Finished, about: &str) {
    let lines: Vec<_> = finished.stderr.lines().collect();
    assert_eq!(lines.len(), 1, "{}", finished.output());
    assert!(lines[0].starts_with("error: ") && lines[0].contains(about), "{}", finished.output());
}
