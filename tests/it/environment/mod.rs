//! The environment variables of handlers: where they come from, when they change, and who never sees them.

use serde_json::{Value, json};

use crate::support::{Host, Site};

/// A value that must appear nowhere.
const CANARY: &str = "canary-5e1f";

/// Answers with variables.
const SHOW: &str = r#"
    const { env } = import.meta;
    export default (event, next) => {
      if (next.stepname) return next();
      const { FROM, MODE_LOCAL, LOCAL, MODE, PLAIN, NAMED, NODE_ENV } = env;
      return { FROM, MODE_LOCAL, LOCAL, MODE, PLAIN, NAMED, NODE_ENV };
    };"#;

/// A project with every file, each of which sets `FROM` and a variable of its own.
fn layered() -> Site {
    let site = Site::new().file("handler.js", SHOW).file("named.env", "FROM=named\nNAMED=1");
    ["development", "production"].iter().fold(
        site.file(".env", "FROM=plain\nPLAIN=1\nNODE_ENV=ignored").file(".env.local", "FROM=local\nLOCAL=1"),
        |site, mode| {
            site.file(&format!(".env.{mode}"), format!("FROM={mode}\nMODE={mode}"))
                .file(&format!(".env.{mode}.local"), format!("FROM={mode}-local\nMODE_LOCAL={mode}"))
        },
    )
}

fn variables(host: &Host) -> Value {
    host.get("/").json()
}

#[test]
fn files_win_in_the_order_of_other_tools() {
    for (host, mode) in [(layered().serve(), "production"), (layered().dev(), "development")] {
        let expected = json!({
            "FROM": format!("{mode}-local"), "MODE_LOCAL": mode, "LOCAL": "1", "MODE": mode, "PLAIN": "1",
            "NODE_ENV": mode,
        });
        assert_eq!(variables(&host), expected);
    }
}

#[test]
fn named_files_win_over_the_projects_and_lose_to_the_real_environment() {
    let named = |site: Site| {
        let file = site.path("named.env").display().to_string();
        site.arg("--env-file").arg(&file)
    };
    let host = named(layered()).serve();
    assert_eq!((&variables(&host)["FROM"], &variables(&host)["NAMED"]), (&json!("named"), &json!("1")));

    let host = named(layered()).variable("FROM", "real").variable("NODE_ENV", "test").serve();
    assert_eq!((&variables(&host)["FROM"], &variables(&host)["NODE_ENV"]), (&json!("real"), &json!("test")));
}

#[test]
fn a_missing_named_file_ends_the_start() {
    let ended = Site::new().file("handler.js", SHOW).arg("--env-file").arg("missing.env").run("serve");
    assert!(ended.code == Some(1) && ended.stderr.contains("--env-file=missing.env"), "{}", ended.output());
}

#[test]
fn hidden_variables_are_not_there() {
    let site = || layered().variable("SECRET", CANARY);
    let host = site().arg("--deny-env=FROM,MODE").serve();
    let found = variables(&host);
    assert_eq!((&found["FROM"], &found["MODE"], &found["PLAIN"]), (&Value::Null, &Value::Null, &json!("1")));
    let host = site().arg("--deny-env").serve();
    assert_eq!(variables(&host), json!({}));
}

#[cfg(feature = "node")]
#[test]
fn import_meta_env_behaves_like_process_env() {
    let host = Site::new()
        .file(".env", "A=1")
        .file("lib/part.ts", "export const a: string | undefined = import.meta.env.A;")
        .file(
            "handler.ts",
            r#"
            import { a } from "./lib/part.ts";
            export default () => {
              const { env } = import.meta;
              env.B = 2;
              process.env.C = "3";
              delete env.A;
              return {
                a, gone: process.env.A, b: process.env.B, c: env.C, has: "B" in env, lacks: "A" in env,
                keys: Object.keys(env).filter((name) => /^[A-C]$/.test(name)), same: { ...env }.B,
              };
            };"#,
        )
        .serve();

    let expected = json!({
        "a": "1", "b": "2", "c": "3", "has": true, "lacks": false, "keys": ["B", "C"], "same": "2",
    });
    assert_eq!(variables(&host), expected);
}

// As packages of schemas do: they export a schema named after the type.
#[test]
fn a_module_with_import_meta_env_may_declare_names_of_globals() {
    let host = Site::new()
        .file(".env", "A=1")
        .file(
            "lib/types.js",
            r#"
            export const a = import.meta.env.A;
            export const Symbol = "symbol", globalThis = "global", Object = "object";
            export const names = [Symbol, globalThis, Object];"#,
        )
        .file("handler.js", "import { a, names } from './lib/types.js'; export default () => ({ a, names });")
        .serve();

    assert_eq!(variables(&host), json!({ "a": "1", "names": ["symbol", "global", "object"] }));
}

#[cfg(feature = "node")]
#[test]
fn load_env_file_sets_variables_of_the_isolate() {
    let host = Site::new()
        .file("more.env", "A=file\nB=file")
        .file(".env", "A=project")
        .file(
            "handler.js",
            "process.loadEnvFile('more.env'); export default () => [process.env.A, import.meta.env.B];",
        )
        .serve();
    assert_eq!(variables(&host), json!(["project", "file"]));
}

#[test]
fn in_dev_changes_of_the_files_load_the_code_again() {
    let live = r#"
        export default (event) => {
          event.client.addEventListener("ask", () => event.client.postMessage("still there"));
          event.waitUntilNavigate();
          return { live: true };
        };"#;
    let host =
        Site::new().file("handler.js", SHOW).file("live/handler.js", live).file(".env", "PLAIN=1").dev();
    let (_, mut line) = host.open("/live");
    let plain = |host: &Host, expected: Value| {
        host.until("/", |answer| answer.json()["PLAIN"] == expected);
    };
    plain(&host, json!("1"));
    host.site.write(".env", "PLAIN=2");
    plain(&host, json!("2"));
    host.site.write(".env.local", "PLAIN=3");
    plain(&host, json!("3"));
    host.site.remove(".env.local");
    plain(&host, json!("2"));
    host.site.remove(".env");
    plain(&host, Value::Null);
    line.send("ask", Value::Null);
    assert_eq!(line.expect("message"), json!("still there"));
}

#[test]
fn a_malformed_line_is_named_without_its_value() {
    let text = format!("A=1\n\nKEY {CANARY}\n");
    let broken = Site::new().file("handler.js", SHOW).file(".env", &text);
    let ended = broken.run("check");
    assert!(ended.code == Some(1) && ended.output().contains(".env:3: "), "{}", ended.output());
    assert!(!ended.output().contains(CANARY), "{}", ended.output());
    let ended = broken.run("serve");
    assert!(ended.code == Some(1) && ended.stderr.contains(".env:3: "), "{}", ended.output());
    assert!(!ended.output().contains(CANARY), "{}", ended.output());

    let host = Site::new().file("handler.js", SHOW).file(".env", "PLAIN=1").dev();
    host.site.write(".env", &text);
    host.log.next("reload failed, the old code goes on serving");
    assert_eq!(variables(&host)["PLAIN"], "1");
    host.site.write(".env", "PLAIN=2");
    host.until("/", |answer| answer.json()["PLAIN"] == "2");
    host.log.contains(".env:3: ");
    assert!(!host.log.text().contains(CANARY), "{}", host.log.text());
}

#[test]
fn values_appear_in_no_answer_and_no_log() {
    let site = || {
        Site::new()
            .file("package.json", "{}")
            .file("app/handler.js", "const key = import.meta.env.KEY; export default (event, next) => next.stepname ? next() : { has: key.length };")
            .file("app/fails/handler.js", "export default () => { const key = process.env.KEY; throw new Error('failed'); };")
            .file("app/page/page.html", "<!doctype html><title>Page</title><script type=module src=/app.js></script><p render='#text: has'>")
            .file("app/page/handler.js", "export default () => ({ has: import.meta.env.KEY !== undefined });")
            .file("app/page/handler.client.js", "export default (event, next) => ({ has: import.meta.env?.KEY !== undefined });")
            .file("public/style.css", "p {}")
            .file("public/.env", format!("KEY={CANARY}"))
            .file(".env", format!("KEY={CANARY}\nPUBLIC_KEY={CANARY}"))
            .variable("REAL_KEY", CANARY)
            .arg("--metrics=0")
    };
    let routes = site().run("routes");
    assert!(routes.code.is_some() && !routes.output().contains(CANARY), "{}", routes.output());
    for host in [site().arg("--access-log").serve(), site().arg("--access-log").dev()] {
        assert_eq!(host.get("/").json()["has"], CANARY.len());
        let page = host
            .request("GET", "/page")
            .header("accept", "text/html")
            .header("sec-fetch-dest", "document")
            .send();
        let scripts =
            page.text().split(['"', '\'', ' ', '>']).filter(|part| part.starts_with('/')).map(str::to_owned);
        let mut paths: Vec<String> = scripts.collect();
        let fixed = [
            "/",
            "/fails",
            "/page",
            "/nowhere",
            "/app.js",
            "/.env",
            "/.env.local",
            "/%2eenv",
            "/public/.env",
            "/style.css",
            "/../.env",
            "/page/../.env",
            "/.liveline/client/app/page/handler.client.js",
        ];
        paths.extend(fixed.map(str::to_owned));
        for path in &paths {
            for accept in ["text/html", "*/*"] {
                let answer = host.request("GET", path).header("accept", accept).send();
                assert!(!String::from_utf8_lossy(&answer.body).contains(CANARY), "{path}: {answer:?}");
                let head = format!("{:?}", answer.headers);
                assert!(!head.contains(CANARY), "{path}: {head}");
            }
        }
        let metrics = host.ask_figures("GET", "/metrics").send();
        assert!(metrics.status == 200 && !metrics.text().contains(CANARY), "{metrics:?}");
        let printed = format!("{}{}", host.log.text(), host.printed());
        assert!(!printed.contains(CANARY), "{printed}");
    }
}
