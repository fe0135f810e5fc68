//! What handlers may access. The cases are the rows of the table in docs/permissions.md.

mod table;

use serde_json::{Value, json};

use crate::support::{Host, Site};
use table::{Outcome, Row, rows};

/// What the rows call.
const CALLS: &str = r#"
    import fs, {
      appendFileSync, chmodSync, copyFileSync, cpSync, linkSync, mkdirSync, mkdtempSync, openSync, promises,
      readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync,
    } from "node:fs";
    import { execFileSync, execSync, spawn, spawnSync } from "node:child_process";
    import { cpus, hostname, userInfo } from "node:os";
    import dgram from "node:dgram";
    import dns from "node:dns";
    import http from "node:http";
    import net from "node:net";
    import process from "node:process";
    import tls from "node:tls";

    const settled = (emitter, event) =>
      new Promise((resolve, reject) => emitter.once(event, resolve).once("error", reject));
    const connected = async (...to) => {
      const socket = net.connect(...to);
      await settled(socket, "connect");
      socket.destroy();
    };
    const secured = async (port, host) => {
      const socket = tls.connect({ port, host, rejectUnauthorized: false });
      await settled(socket, "connect");
      socket.on("error", () => {}).destroy();
    };
    const listened = async (...at) => {
      const server = net.createServer();
      await settled(server.listen(...at), "listening");
      server.close();
    };
    const bound = async (...at) => {
      const socket = dgram.createSocket("udp4");
      await settled(socket.bind(...at), "listening");
      socket.close();
    };
    const sent = (...to) => {
      const socket = dgram.createSocket("udp4");
      return new Promise((resolve, reject) => {
        socket.on("error", reject).send("text", ...to, (error) => error ? reject(error) : resolve());
      });
    };
    const requested = async (url) => (await settled(http.get(url), "response")).resume();
    const spawned = (name) => settled(spawn(name), "exit");
    const failed = (result) => {
      if (result?.error) throw result.error;
    };
"#;

/// The files that the rows name, in a folder that stands for `/srv`.
fn site() -> Site {
    let site = Site::new()
        .serving("project")
        .file("outside.txt", "outside")
        .file("folder/inner.txt", "outside")
        .file("node_modules/linked/index.js", "export default 1;")
        .file("project/package.json", "{}")
        .file("project/data/notes.txt", "inside")
        .file("project/data/folder/inner.txt", "inside")
        .file("project/.liveline/types/index.d.ts", "")
        .file("project/handler.js", "export default (event, next) => next.stepname ? next() : \"served\";")
        .link("project/data/link-out", "outside.txt")
        .link("project/data/link-lost", "missing.txt")
        .link("project/data/link-in", "project/data/notes.txt")
        .link("project/data/link-code", "project/handler.js")
        .link("project/data/sessions-link", "project/sessions.db")
        .link("project/node_modules/linked", "node_modules/linked");
    let store = site.path("project/sessions.db").display().to_string();
    let database = site.path("project/site.db").display().to_string();
    site.arg("--session-store").arg(&store).arg("--database").arg(&database).variable("SECRET", "canary")
}

/// A host with one handler for a row.
fn serve(row: &Row, flags: &[String]) -> Host {
    let site = site();
    let srv = site.path("").canonicalize().expect("a folder").display().to_string();
    let call = row.call.replace("/srv", srv.trim_end_matches('/'));
    let call = call.replace(":PORT", ":\" + port + \"").replace("PORT", "port");
    let handler = format!(
        "{CALLS}
        export default async ({{ url }}) => {{
          const port = Number(url.port);
          try {{
            failed(await ({call}));
            return {{ works: true }};
          }} catch (error) {{
            const {{ name, code, message, cause }} = error;
            return {{ name, code, message, cause: cause?.name }};
          }}
        }};"
    );
    let site = site.file("project/row/handler.js", handler);
    let site =
        flags.iter().fold(site, |site, flag| site.arg(&flag.replace("/srv", srv.trim_end_matches('/'))));
    let host = site.serve();
    let hard = host.site.path("project/data/sessions-hard");
    std::fs::hard_link(host.site.path("project/sessions.db"), hard).expect("a hard link");
    host
}

fn check(row: &Row, flags: &[String], expected: Outcome) -> Result<(), String> {
    let host = serve(row, flags);
    #[cfg(unix)]
    let _socket = std::os::unix::net::UnixListener::bind(host.site.path("socket")).expect("a socket");
    let answer = host.get("/row");
    let found: Value = serde_json::from_slice(&answer.body).map_err(|_| format!("{answer:?}"))?;
    let is_as_expected = match expected {
        Outcome::Works => found["works"] == true,
        Outcome::Refused => {
            found["name"] == "NotCapable"
                && found["code"] == "ERR_ACCESS_DENIED"
                && found["message"].as_str().is_some_and(|message| message.contains(" is refused"))
        }
    };
    let still_serves = host.get("/").text() == "served";
    let left = ["outside.txt", "project/sessions.db"].iter().all(|file| host.site.path(file).exists());
    if is_as_expected && still_serves && left {
        return Ok(());
    }
    Err(format!("`{}` with {flags:?} is not {expected:?}: {found} {}", row.call, host.log.text()))
}

/// Every `step`-th row from `first` on, so that the tests run side by side.
fn check_rows(first: usize) {
    const STEP: usize = 4;
    let mut failures = Vec::new();
    for row in rows().iter().skip(first).step_by(STEP) {
        failures.extend(check(row, &[], row.by_default).err());
        if let Some((flags, then)) = &row.with {
            failures.extend(check(row, flags, *then).err());
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn rows_of_the_table_from_the_first() {
    check_rows(0);
}

#[test]
fn rows_of_the_table_from_the_second() {
    check_rows(1);
}

#[test]
fn rows_of_the_table_from_the_third() {
    check_rows(2);
}

#[test]
fn rows_of_the_table_from_the_fourth() {
    check_rows(3);
}

#[test]
fn a_refusal_names_the_flag() {
    let message = |code: &str| {
        let handler = format!(
            "import fs from 'node:fs'; import cp from 'node:child_process';
             export default () => {{ try {{ {code} }} catch (error) {{ return error.message; }} }};"
        );
        Site::new().file("handler.js", handler).serve().get("/").text().to_owned()
    };
    let reading = message("fs.readFileSync('/etc/passwd')");
    let expected = "reading \"/etc/passwd\" is refused: start liveline with --allow-read=/etc/passwd";
    assert!(reading.starts_with(expected), "{reading}");
    let writing = message("fs.writeFileSync('/etc/never', '')");
    assert!(writing.contains("start liveline with --allow-write=/etc/never"), "{writing}");
    let running = message("cp.execFileSync('ls')");
    assert!(running.contains("start liveline with --allow-run=ls"), "{running}");
}

#[test]
fn a_file_that_may_not_be_read_does_not_exist() {
    let handler = "import fs from 'node:fs';
        export default () => ['/etc/passwd', 'handler.js', 'none'].map((path) => fs.existsSync(path));";
    let host = Site::new().file("handler.js", handler).serve();
    assert_eq!(host.get("/").json(), serde_json::json!([false, true, false]));
}

#[test]
fn flags_with_mistakes_end_the_start() {
    for (flag, reason) in [
        ("--allow-run=no-such-program-anywhere", "there is no such program"),
        ("--deny-net=http://example.org", "--deny-net"),
        ("--env-file=missing.env", "--env-file=missing.env"),
    ] {
        let ended = Site::new().file("handler.js", "export default () => 1;").arg(flag).run("serve");
        assert!(ended.code == Some(1) && ended.stderr.contains(reason), "{flag}: {}", ended.output());
    }
}

#[test]
fn databases_that_handlers_open_are_closed_to_their_file_functions() {
    let host = Site::new()
        .file(
            "handler.js",
            r#"
            import { openDatabase } from "liveline:sql";
            import fs from "node:fs";
            const database = await openDatabase("posts.sqlite");
            await database.exec("CREATE TABLE IF NOT EXISTS posts (id)");
            export default async () => {
              try {
                return fs.readFileSync("posts.sqlite", "latin1").slice(0, 6);
              } catch (error) {
                return error.message;
              }
            };"#,
        )
        .arg("--allow-read")
        .serve();
    let answer = host.get("/");
    assert!(answer.text().contains("is refused: no flag opens files of the server"), "{answer:?}");
}

#[test]
fn files_of_the_server_are_not_imported() {
    let site = Site::new().file("package.json", "{}").file(
        "handler.js",
        r#"export default async (event) => {
          try {
            return (await import("./sessions.db", { with: { type: "text" } })).default;
          } catch (error) {
            return error.message;
          }
        };"#,
    );
    let store = site.path("sessions.db").display().to_string();
    let host = site.arg("--session-store").arg(&store).serve();
    assert!(host.get("/").text().contains("it is a file of the server"), "{:?}", host.get("/"));
}

#[test]
fn sockets_of_the_web_reach_no_denied_address() {
    let handler = r#"
        export default ({ url }) => new Promise((resolve) => {
          const socket = new WebSocket(`ws://${url.searchParams.get("host")}:${url.searchParams.get("port")}/`);
          socket.onclose = ({ code }) => resolve(code);
        });"#;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let path = |name: &str| format!("/?host={name}&port={port}");
    let site = || Site::new().file("handler.js", handler);
    let accepted = std::thread::spawn(move || {
        listener.accept().expect("a connection");
        listener
    });
    assert_eq!(site().serve().get(&path("127.0.0.1")).text(), "1006");
    let listener = accepted.join().expect("the address is reached without the flag");

    let host = site().arg("--deny-net=private").serve();
    for name in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"] {
        assert_eq!(host.get(&path(name)).text(), "1006", "{name}");
    }
    listener.set_nonblocking(true).expect("a listener that does not wait");
    assert!(listener.accept().is_err(), "a denied address was reached");
}

#[test]
fn denied_name_servers_are_not_asked() {
    let handler = r#"
        import dns from "node:dns";
        export default async () => {
          const resolver = new dns.promises.Resolver({ timeout: 100, tries: 1 });
          resolver.setServers(["127.0.0.1:9"]);
          const { name, code, message } = await resolver.resolve4("example.org").catch((error) => error);
          return { name, code, message };
        };"#;
    let host = Site::new().file("handler.js", handler).arg("--deny-net=private").serve();
    let answer = host.get("/").json();
    assert_eq!(answer["name"], "NotCapable", "{answer}");
    assert_eq!(answer["code"], "ERR_ACCESS_DENIED");
    assert!(answer["message"].as_str().is_some_and(|message| message.contains("refused by --deny-net")));
}

#[test]
fn redirects_reach_no_denied_address() {
    let other = Site::new()
        .file(
            "handler.js",
            "export default ({ url }) => Response.redirect(`http://${url.searchParams.get('to')}/`);",
        )
        .serve();
    let handler = "
        export default async ({ url }) => {
          try {
            return (await fetch(`http://${url.searchParams.get('at')}/?to=${url.searchParams.get('to')}`)).status;
          } catch (error) {
            return { name: error.name, message: error.message };
          }
        };";
    let denied = Site::new().file("handler.js", "export default () => 'secret';").serve();
    let host =
        Site::new().file("handler.js", handler).arg(&format!("--deny-net={}", denied.address())).serve();
    let answer = host.get(&format!("/?at={}&to={}", other.address(), denied.address()));
    assert!(answer.text().contains("refused by --deny-net"), "{answer:?}");
}

/// `process.execPath` names the host. Where a script of Node is to be run with it, `node` is.
#[test]
fn scripts_of_child_processes_are_run_by_node() {
    if std::process::Command::new("node").arg("--version").output().is_err() {
        eprintln!("skipped: there is no node on the PATH");
        return;
    }
    let handler = r#"
        import { exec, execFileSync, fork, spawnSync } from "node:child_process";
        import { promisify } from "node:util";
        const path = process.execPath;
        const child = import.meta.dirname + "/child.cjs";
        export default async (event, next) => {
          switch (next.stepname) {
            case "fork": {
              const process = fork(child, ["a b"], { execArgv: ["--no-warnings"], silent: true });
              return await new Promise((resolve, reject) => process.on("message", resolve).on("error", reject));
            }
            case "named": {
              const process = fork(child, [], { execPath: "node", silent: true });
              return await new Promise((resolve, reject) => process.on("message", resolve).on("error", reject));
            }
            case "spawn": return `${spawnSync(path, ["-e", "console.log(1 + 1)"]).stdout}`;
            case "shell": return (await promisify(exec)(`"${path}" -p "2 + 2"`)).stdout;
            case "version": return `${execFileSync(path, ["--version"])}`;
          }
        };"#;
    let site = || {
        let child = "process.send({ arguments: process.argv.slice(2), flags: process.execArgv }, () => process.disconnect());";
        Site::new().file("handler.js", handler).file("child.cjs", child)
    };
    let host = site().arg("--allow-run").serve();

    assert_eq!(host.get("/fork").json(), json!({ "arguments": ["a b"], "flags": ["--no-warnings"] }));
    assert_eq!(host.get("/named").json(), json!({ "arguments": [], "flags": [] }));
    assert_eq!(host.get("/spawn").text(), "2\n");
    assert_eq!(host.get("/shell").text(), "4\n");
    assert!(host.get("/version").text().starts_with("liveline "));

    let host = site().serve();
    assert_eq!(host.get("/spawn").status, 500);
    host.log.next("start liveline with --allow-run=node");
}
