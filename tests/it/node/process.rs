//! The global `process`: what it is, and what a handler may not do to the server's process.

use serde_json::json;

use super::serve_with;
use crate::support::{Host, Site, serve};

#[test]
fn it_describes_the_servers_process() {
    let host = serve(
        r#"
        import { realpathSync } from "node:fs";
        export default () => ({
          pid: process.pid, folder: process.cwd(), argv: process.argv, argv0: process.argv0, execPath: process.execPath,
          platform: process.platform, arch: process.arch, title: typeof process.title,
          node: Number(process.versions.node.split(".")[0]), version: process.version === `v${process.versions.node}`, v8: process.versions.v8.length > 3,
          hosts: ["deno" in process.versions, "bun" in process.versions],
          memory: Object.values(process.memoryUsage()).every((it) => Number.isFinite(it)) && process.memoryUsage().rss > 1e6 && process.memoryUsage.rss() > 1e6,
          cpu: Object.keys(process.cpuUsage()).sort(), hrtime: [process.hrtime().length, typeof process.hrtime.bigint()], uptime: process.uptime() > 0,
          alive: process.kill(process.pid, 0), release: process.release.name, exitCode: process.exitCode ?? null,
        });"#,
    );

    let answer = host.get("/").json();

    let folder = host.site.path("").canonicalize().expect("the folder is there");
    let folder = folder.to_str().expect("temporary folders have plain names");
    assert_eq!(answer["folder"], folder);
    assert_eq!(answer["argv"], json!([answer["execPath"], folder]));
    assert_eq!(answer["argv0"], "liveline");
    assert!(answer["pid"].as_u64() > Some(1) && answer["node"].as_u64() >= Some(22), "{answer}");
    assert_eq!(answer["cpu"], json!(["system", "user"]));
    assert_eq!(answer["hrtime"], json!([2, "bigint"]));
    assert_eq!((&answer["release"], &answer["title"]), (&json!("node"), &json!("string")));
    assert_eq!(answer["hosts"], json!([false, false]));
    for name in ["version", "v8", "memory", "uptime", "alive"] {
        assert_eq!(answer[name], true, "{name}: {answer}");
    }
}

#[test]
fn a_handler_cannot_end_or_move_the_server() {
    let host = serve_with(
        "",
        r#"
        if (next.stepname === "alive") return "alive";
        if (next.stepname === "exit") process.exit(3);
        const left = [];
        process.on("exit", () => left.push("exit"));
        return {
          exit: await attempt(() => process.exit(1)), really: await attempt(() => process.reallyExit(1)), abort: await attempt(() => process.abort()),
          kill: await attempt(() => process.kill(process.pid)), group: await attempt(() => process.kill(0, "SIGTERM")), parent: await attempt(() => process.kill(-1, "SIGKILL")),
          chdir: await attempt(() => process.chdir("/")), left,
        };"#,
    );

    let answer = host.get("/").json();

    for name in ["exit", "really", "abort", "kill", "group", "parent", "chdir"] {
        assert_eq!(answer[name]["code"], "ERR_ACCESS_DENIED", "{name}: {answer}");
        assert!(answer[name]["message"].as_str().is_some_and(|it| it.contains("is refused")), "{answer}");
    }
    // What waits for the end of the process is not called either.
    assert_eq!(answer["left"], json!([]));
    assert_eq!(host.get("/exit").status, 500);
    assert_eq!(host.get("/alive").text(), "alive");
    let line = host.log.next("process.exit(3) is refused");
    assert!(line.contains("a handler cannot end the server"), "{line}");
    host.log.next("handler.js:");
}

/// Prints by every way that Node has, then answers.
const PRINTS: &str = r#"
import fs from "node:fs"; import { promisify } from "node:util";
export default async () => {
  process.stdout.write("one ");
  process.stdout.write("line\n");
  process.stderr.write("to the error output\n");
  await null;
  fs.writeSync(1, "by its number\n");
  await promisify(fs.write)(2, "by the other number\n");
  process.emitWarning("take care");
  const input = [];
  for await (const chunk of process.stdin) input.push(chunk);
  return { tty: [process.stdout.isTTY, process.stdin.isTTY], input, sync: fs.readFileSync(0, "utf8") };
};"#;

#[test]
fn outputs_go_to_the_log_and_the_input_is_empty() {
    let host = serve(PRINTS);

    assert_eq!(host.get("/").json(), json!({ "tty": [false, false], "input": [], "sync": "" }));

    host.log.next("to the error output");
    host.log.next("by the other number");
    host.log.next("Warning: take care");
    host.prints("by its number");
    assert!(host.printed().contains("one line\n"), "{}", host.printed());
}

#[test]
fn outputs_are_records_of_a_structured_log() {
    let host = Site::new().file("handler.js", PRINTS).arg("--log-format").arg("json").serve();

    host.get("/");

    for text in ["to the error output", "by the other number"] {
        let record = host.log.next(text);
        assert!(record.contains("\"exchange\"") && record.contains("WARN"), "{record}");
    }
}

/// Waits until the server answers, after whatever it did.
fn still_answers(host: &Host) {
    assert_eq!(host.get("/alive").text(), "alive");
}

#[test]
fn listeners_of_uncaught_errors_hide_nothing() {
    let host = serve_with(
        r#"
        const seen = [];
        process.on("uncaughtException", (error, origin) => { seen.push([error.message, origin]); process.exit(1); });
        process.on("unhandledRejection", (reason) => { seen.push([reason.message, "rejection"]); });
        process.on("SIGTERM", () => seen.push("signal"));
        process.once("SIGINT", () => {});"#,
        r#"
        if (next.stepname === "alive") return "alive";
        if (next.stepname === "seen") return seen;
        event.waitUntil(wait(5));
        setTimeout(() => { throw new Error("thrown in a timer"); }, 1);
        Promise.reject(new Error("rejected"));
        return "answered";"#,
    );

    host.get("/");

    let answer = host.until("/seen", |answer| answer.json().as_array().is_some_and(|seen| seen.len() == 2));
    for seen in [json!(["rejected", "rejection"]), json!(["thrown in a timer", "uncaughtException"])] {
        assert!(answer.json().as_array().is_some_and(|all| all.contains(&seen)), "{}", answer.text());
    }
    for line in [
        "unhandled rejection: Error: rejected",
        "uncaught error: Error: thrown in a timer",
        "in a listener of uncaught errors: NotCapable: process.exit(1) is refused",
    ] {
        host.log.contains(line);
    }
    still_answers(&host);
}

#[test]
fn variables_of_a_file_are_set_for_handlers() {
    let host = Site::new()
        .file("handler.js", "export default () => { process.loadEnvFile('some.env'); return [process.env.LOADED, process.env.KEPT]; };")
        .file("some.env", "LOADED=\"from the file\"\nKEPT=file\n")
        .variable("KEPT", "outside")
        .serve();

    assert_eq!(host.get("/").json(), json!(["from the file", "outside"]));
}

#[test]
fn all_workers_have_what_one_of_them_was_first_to_need() {
    let host = Site::new()
        .file("handler.js", "import './used.js';\nexport default () => typeof globalThis.used;")
        .file("used.js", "globalThis.used = process.pid;")
        .arg("--workers=6")
        .serve();

    // Each request has a connection of its own, and connections go to the worker with the fewest.
    for _ in 0..12 {
        assert_eq!(host.get("/").text(), "number");
    }
}
