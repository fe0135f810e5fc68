//! wrangler's configuration: what is wrong in it, environments, and the lists of `routes`.

use serde_json::json;

use super::worker;
use crate::support::Site;

const EMPTY: &str = "export default { fetch: (request, env) => Response.json(env) };";

/// Checks a project; the text has to be in its errors.
#[track_caller]
fn refuses(site: &Site, texts: &[&str]) {
    let found = site.run("check");
    assert_eq!(found.code, Some(1), "{}", found.output());
    for text in texts {
        assert!(found.stderr.contains(text), "{text} is not in\n{}", found.output());
    }
}

#[test]
fn all_three_files_are_read() {
    let toml = "name = \"a\"\nmain = \"worker.js\"\n[vars]\nA = 1\nB = [\"x\"]\n";
    let json = "{\n  // comment\n  \"main\": \"worker.js\", \"vars\": { \"A\": 1, \"B\": [\"x\"] },\n}";
    for (file, text) in [("wrangler.toml", toml), ("wrangler.json", json), ("wrangler.jsonc", json)] {
        let host = Site::new().file(file, text).file("worker.js", EMPTY).serve();
        assert_eq!(host.get("/").json(), json!({ "A": 1, "B": ["x"] }), "{file}");
    }
}

#[test]
fn an_environment_replaces_what_it_names() {
    let configuration = "[vars]\nA = \"top\"\n[env.production.vars]\nA = \"production\"\n";
    let host = worker(configuration, EMPTY).serve();
    assert_eq!(host.get("/").json(), json!({ "A": "top" }));
    let host = worker(configuration, EMPTY).arg("--env=production").serve();
    assert_eq!(host.get("/").json(), json!({ "A": "production" }));
    let site = worker(configuration, EMPTY).arg("--env=producton");
    refuses(&site, &["no environment `producton`", "did you mean `--env production`?"]);
}

#[test]
fn secrets_are_variables_that_win() {
    let host =
        worker("[vars]\nA = \"plain\"\n", EMPTY).file(".dev.vars", "A=secret\nB=\"other one\"\n").serve();
    assert_eq!(host.get("/").json(), json!({ "A": "secret", "B": "other one" }));
    assert_eq!(host.get("/.dev.vars").json(), json!({ "A": "secret", "B": "other one" }), "it is no file");
}

#[test]
fn a_binding_without_a_class_names_its_place() {
    let bindings = "[[durable_objects.bindings]]\nname = \"ROOM\"\nclass_name = \"Room\"\n";
    refuses(
        &worker(bindings, EMPTY),
        &["the binding ROOM names the class Room, which no module exports", "wrangler.toml:4"],
    );
    let missing = "[[durable_objects.bindings]]\nname = \"ROOM\"\n";
    refuses(&worker(missing, EMPTY), &["the binding ROOM has no `class_name`", "wrangler.toml:4"]);
}

#[test]
fn mistakes_have_their_line() {
    for (configuration, texts) in [
        (
            "[[kv_namespaces]]\nid = \"x\"\n",
            &["a namespace of kv_namespaces has no `binding`", "wrangler.toml:4"][..],
        ),
        ("[triggers]\ncrons = [\"* * *\"]\n", &["`* * *` is no cron expression", "wrangler.toml:5"]),
        (
            "[vars]\nA = 1\n[[kv_namespaces]]\nbinding = \"A\"\n",
            &["two bindings are called A", "wrangler.toml:6"],
        ),
        (
            "[assets]\ndirectory = \"public\"\nhtml_handling = \"drop-slash\"\n",
            &["`html_handling` has no such value", "wrangler.toml:6"],
        ),
        (
            "[[rules]]\ntype = \"Texts\"\nglobs = []\n",
            &["no rule has the type \"Texts\"", "did you mean \"Text\"?"],
        ),
        (
            "comptibility_flags = []\n",
            &["has no `comptibility_flags`", "did you mean `compatibility_flags`?"],
        ),
        ("[define]\nNaN = \"1\"\n", &["`NaN` of `define` cannot be defined", "wrangler.toml:5"]),
        ("[define]\n\"a.__proto__.b\" = \"1\"\n", &["of `define` cannot be defined", "wrangler.toml:5"]),
        ("[define]\nA = \"1 + 1\"\n", &["`A` of `define` is neither JSON nor a name", "wrangler.toml:5"]),
        ("[define]\n\"Math.PI\" = \"3\"\n", &["`Math.PI` of `define` cannot be defined", "wrangler.toml:5"]),
        ("define = \"A\"\n", &["`define` is a text, and not a table", "wrangler.toml:4"]),
        ("a = = 1\n", &["this is no TOML", "wrangler.toml:4"]),
    ] {
        refuses(&worker(configuration, EMPTY), texts);
    }
    let gone = Site::new().file("wrangler.toml", "main = \"src/gone.js\"\n");
    refuses(&gone, &["there is no file `src/gone.js`, which `main` names", "wrangler.toml:1"]);
}

#[test]
fn migrations_name_the_classes() {
    let configuration = "[[durable_objects.bindings]]\nname = \"ROOM\"\nclass_name = \"Room\"\n
[[migrations]]\ntag = \"v1\"\nnew_classes = [\"Old\", \"Gone\"]\n
[[migrations]]\ntag = \"v2\"\nrenamed_classes = [{ from = \"Old\", to = \"Room\" }]\ndeleted_classes = [\"Gone\"]\n";
    let found = worker(configuration, "export class Room {}\nexport default { fetch() {} };").run("routes");
    assert!(found.stdout.contains("class Room, storage key-value"), "{}", found.output());
    assert!(!found.stdout.contains("Gone"), "{}", found.output());
}

#[test]
fn what_this_host_does_not_have_throws_when_it_is_used() {
    let host = worker(
        "[[r2_buckets]]\nbinding = \"BUCKET\"\nbucket_name = \"b\"\n[ai]\nbinding = \"AI\"\n",
        "export default { async fetch(request, env) {
           if (new URL(request.url).pathname === '/there') return Response.json([!!env.BUCKET, !!env.AI]);
           return env.BUCKET.get('x');
         } };",
    )
    .dev();

    assert_eq!(host.get("/there").json(), json!([true, true]));
    let answer = host.get("/");
    assert_eq!(answer.status, 500);
    assert!(answer.text().contains("env.BUCKET (wrangler.toml:4) is not available"), "{}", answer.text());
}

#[test]
fn routes_lists_functions_bindings_times_and_queues() {
    let configuration = "[triggers]\ncrons = [\"*/5 * * * *\"]\n
[[queues.consumers]]\nqueue = \"jobs\"\n
[[kv_namespaces]]\nbinding = \"KV\"\nid = \"one\"\n
[[durable_objects.bindings]]\nname = \"ROOM\"\nclass_name = \"Room\"\n
[[migrations]]\ntag = \"v1\"\nnew_classes = [\"Room\"]\n";
    let site = worker(
        configuration,
        "export class Room {}\nexport default { fetch() {}, scheduled() {}, queue() {} };",
    )
    .file("functions/api/[id].js", "export const onRequestGet = () => new Response('');");

    let found = site.run("routes");

    let table = &found.stdout;
    for text in [
        "GET     /api/:id",
        "KV namespace one",
        "Durable Object Room",
        "class Room, storage key-value",
        "cron */5 * * * *",
        "consumer of queue jobs",
    ] {
        assert!(table.contains(text), "{text} is not in\n{}", found.output());
    }
}

#[test]
fn names_and_modules_stand_for_what_is_defined() {
    let host = Site::new()
        .file(
            "wrangler.jsonc",
            r##"{
              "name": "app", "main": "src/worker.js", "compatibility_date": "2026-04-07",
              "define": {
                "VERSION": "\"1.2\"", "DEBUG": "false", "LIST": "[1, 2]", "ALSO": "VERSION", "globalThis.SELF": "7",
                "process.env.MODE": "\"test\"", "build.info.number": "3"
              },
              "alias": { "heavy": "./src/light.js", "other": "node:path", "#own": "./above.js" }
            }"##,
        )
        .file("above.js", "export default 'above';")
        .file("src/light.js", "export default 'light';")
        .file("node_modules/heavy/package.json", r#"{ "name": "heavy", "main": "index.js" }"#)
        .file("node_modules/heavy/index.js", "module.exports = 'heavy';")
        .file(
            "src/worker.js",
            "import heavy from 'heavy'; import { basename } from 'other'; import own from '#own';
             export default { fetch: () => Response.json([VERSION, DEBUG, LIST, ALSO, SELF, process.env.MODE,
               build.info.number, typeof NOTHING, heavy, basename('/a/b'), own]) };",
        )
        .serve();

    let expected = json!(["1.2", false, [1, 2], "1.2", 7, "test", 3, "undefined", "light", "b", "above"]);
    assert_eq!(host.get("/").json(), expected);
}
