//! The modules of Node, by their main functions.

use serde_json::{Value, json};

use super::answer_of;
use crate::support::{Site, serve};

/// The modules that are there, with and without the prefix.
const NAMES: [&str; 53] = [
    "assert",
    "assert/strict",
    "async_hooks",
    "buffer",
    "child_process",
    "console",
    "constants",
    "crypto",
    "dgram",
    "diagnostics_channel",
    "dns",
    "dns/promises",
    "domain",
    "events",
    "fs",
    "fs/promises",
    "http",
    "http2",
    "https",
    "inspector",
    "module",
    "net",
    "os",
    "path",
    "path/posix",
    "path/win32",
    "perf_hooks",
    "process",
    "punycode",
    "querystring",
    "readline",
    "readline/promises",
    "repl",
    "stream",
    "stream/consumers",
    "stream/promises",
    "stream/web",
    "string_decoder",
    "sys",
    "timers",
    "timers/promises",
    "tls",
    "trace_events",
    "tty",
    "url",
    "util",
    "util/types",
    "v8",
    "vm",
    "wasi",
    "worker_threads",
    "zlib",
    "cluster",
];

#[test]
fn every_module_is_imported_and_required_with_and_without_the_prefix() {
    let body = format!(
        r#"
        const require = createRequire(import.meta.url);
        const failed = [];
        for (const name of {names}) {{
          for (const specifier of [name, `node:${{name}}`]) {{
            const imported = await attempt(() => import(specifier));
            const required = await attempt(() => require(specifier));
            if (imported.message !== undefined || imported.default === undefined) failed.push(specifier, imported);
            if (required === null || required.message !== undefined) failed.push(`require ${{specifier}}`, required);
            // A module has one instance.
            if (imported.default !== required && name !== "constants") failed.push(`two of ${{specifier}}`);
          }}
        }}
        return failed;"#,
        names = json!(NAMES.as_slice())
    );

    assert_eq!(answer_of(r#"import { createRequire } from "node:module";"#, &body), json!([]));
}

#[test]
fn a_package_may_have_the_name_of_a_module_that_needs_the_prefix() {
    let host = Site::new()
        .file("node_modules/test/package.json", r#"{ "name": "test", "version": "1.0.0" }"#)
        .file("node_modules/test/index.js", "module.exports = 'the package';")
        .file("node_modules/sqlite/package.json", r#"{ "name": "sqlite", "version": "1.0.0" }"#)
        .file("node_modules/sqlite/index.js", "module.exports = 'another package';")
        .file(
            "handler.js",
            r#"import own from "test"; import { createRequire } from "node:module";
            export default () => [own, createRequire(import.meta.url)("sqlite")];"#,
        )
        .serve();

    assert_eq!(host.get("/").json(), json!(["the package", "another package"]));
}

/// As Sentry's SDK has them: without a change, what is required loads as without hooks.
#[test]
fn hooks_see_and_change_what_is_required() {
    let host = Site::new()
        .file("data.json", r#"{ "a": 1 }"#)
        .file("esm.mjs", "export const which = 'a module';")
        .file("typed.cts", "const which: string = 'compiled'; module.exports = which;")
        .file("common.cjs", "module.exports = 'original';")
        .file(
            "handler.js",
            r#"import Module, * as all from "node:module";
            const require = all.createRequire(import.meta.url);
            const seen = [];
            const attempt = (act) => { try { return act(); } catch (error) { return error.code; } };
            const first = all.registerHooks({ load(url, context, next) {
              const loaded = next(url, context);
              seen.push([url.split("/").at(-1), context.format, loaded.format, typeof loaded.source]);
              return loaded;
            } });
            const second = Module.registerHooks({ load(url, context, next) {
              const loaded = next(url);
              return url.endsWith(".cjs") ? { ...loaded, source: `${loaded.source}`.replace("original", "changed") } : loaded;
            } });
            export default function () {
              const found = [require("./data.json").a, require("./esm.mjs").which, require("./typed.cts"), require("./common.cjs")];
              second.deregister();
              delete require.cache[require.resolve("./common.cjs")];
              found.push(require("./common.cjs"));
              first.deregister();
              delete require.cache[require.resolve("./common.cjs")];
              found.push(require("./common.cjs"));
              return { found, seen, wrong: attempt(() => all.registerHooks({ load: 1 })) };
            }"#,
        )
        .serve();

    let answer = host.get("/").json();
    let found = json!([1, "a module", "compiled", "changed", "original", "original"]);
    assert_eq!((&answer["found"], &answer["wrong"]), (&found, &json!("ERR_INVALID_ARG_TYPE")), "{answer}");
    let of = |name: &str, format: &str| json!([name, format, format, "string"]);
    let [data, esm] = [of("data.json", "json"), of("esm.mjs", "module")];
    let [typed, common] = [of("typed.cts", "commonjs"), of("common.cjs", "commonjs")];
    assert_eq!(answer["seen"], json!([data, esm, typed, common, common]));
}

#[test]
fn what_the_host_does_not_have_is_refused_by_name() {
    let answer = answer_of(
        r#"import { createRequire } from "node:module"; import { Worker } from "node:worker_threads"; import vm from "node:vm"; import fs from "node:fs";"#,
        r#"return {
          worker: await attempt(() => { new Worker("1", { eval: true }); }),
          shared: await attempt(() => { new Worker("1", { eval: true, workerData: new SharedArrayBuffer(8) }); }),
          context: await attempt(() => vm.createContext({})),
          ran: await attempt(() => vm.runInNewContext("1")),
          sqlite: await attempt(() => import("node:sqlite")),
          required: await attempt(() => { createRequire(import.meta.url)("node:sqlite"); }),
        };"#,
    );

    for (name, code, text) in [
        ("worker", "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM", "new Worker() is not available in handlers"),
        ("shared", "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM", "new Worker() is not available in handlers"),
        ("context", "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM", "vm.createContext() is not available"),
        ("ran", "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM", "vm.createContext() is not available"),
        ("sqlite", "", "liveline:sql"),
        ("required", "", "liveline:sql"),
    ] {
        let error = &answer[name];
        assert!(error["message"].as_str().is_some_and(|message| message.contains(text)), "{answer}");
        assert!(code.is_empty() || error["code"] == code, "{answer}");
    }
}

#[test]
fn an_import_of_what_is_not_there_is_shown_with_its_line() {
    let site = Site::new().file(
        "handler.js",
        "// A comment.\nimport { DatabaseSync } from \"node:sqlite\";\nexport default () => 1;",
    );

    let checked = site.run("check").output();

    assert!(checked.contains("handler.js:2") && checked.contains("import liveline:sql"), "{checked}");
}

#[test]
fn text_and_data() {
    let answer = answer_of(
        r#"
        import assert from "node:assert"; import { Buffer } from "node:buffer"; import path from "node:path";
        import querystring from "node:querystring"; import url from "node:url"; import util from "node:util";
        import punycode from "node:punycode"; import { StringDecoder } from "node:string_decoder";
        import { EventEmitter, once } from "node:events"; import dc from "node:diagnostics_channel";
        import v8 from "node:v8"; import vm from "node:vm"; import os from "node:os"; import { createRequire, builtinModules } from "node:module";
        import { performance, PerformanceObserver } from "node:perf_hooks"; import console from "node:console"; import tty from "node:tty";
        import { MessageChannel, isMainThread, threadId } from "node:worker_threads";"#,
        r#"
        const emitter = new EventEmitter();
        const ready = once(emitter, "ready");
        emitter.emit("ready", 7);
        const { port1, port2 } = new MessageChannel();
        const received = once(port2, "message");
        port1.postMessage({ map: new Map([[1, 2]]) });
        const [message] = await received;
        port1.close();
        const published = [];
        dc.subscribe("liveline:test", (data) => published.push(data));
        dc.channel("liveline:test").publish(1);
        const decoder = new StringDecoder("utf8");
        return {
          assert: (await attempt(() => assert.deepStrictEqual({ a: 1 }, { a: 2 }))).code,
          buffer: [Buffer.from("h\u00e9").toString("base64"), Buffer.alloc(2, 1).toJSON().data, Buffer.from("ff", "hex").readUInt8(0), Buffer.byteLength("\u00e9")],
          path: [path.join("a", "..", "b"), path.extname("a.b"), path.win32.basename("a\\b")],
          query: querystring.parse("a=1&a=2&b=%20"),
          url: [url.parse("http://a:1/b?c=d").port, url.fileURLToPath("file:///a%20b"), url.pathToFileURL("/a b").href, url.domainToASCII("m\u00fcnchen.de")],
          util: [util.format("%s %d %j", "a", 1, { b: 2 }), util.inspect(new Map([[1, { a: [] }]])), util.types.isPromise(Promise.resolve()), util.isDeepStrictEqual([1], [1])],
          punycode: punycode.encode("m\u00fcnchen"),
          decoder: [decoder.write(Buffer.from([0xc3])), decoder.write(Buffer.from([0xa9]))],
          events: await ready,
          channel: published,
          v8: [v8.deserialize(v8.serialize({ a: [1] })), v8.getHeapStatistics().heap_size_limit > 0],
          vm: [vm.runInThisContext("1 + 1"), vm.compileFunction("return a + 1", ["a"])(1), vm.isContext({})],
          os: [os.EOL, os.cpus().length > 0, os.tmpdir().length > 0, os.availableParallelism() > 0],
          module: [builtinModules.includes("fs"), typeof createRequire(import.meta.url).resolve],
          performance: [typeof performance.timerify(() => 1)(), performance.timeOrigin > 1.7e12, typeof PerformanceObserver],
          console: typeof console.Console,
          tty: tty.isatty(1),
          worker: [isMainThread, threadId, message.map.get(1)],
        };"#,
    );

    assert_eq!(
        answer,
        json!({
            "assert": "ERR_ASSERTION",
            "buffer": ["aMOp", [1, 1], 255, 2],
            "path": ["b", ".b", "b"],
            "query": { "a": ["1", "2"], "b": " " },
            "url": ["1", "/a b", "file:///a%20b", "xn--mnchen-3ya.de"],
            "util": ["a 1 {\"b\":2}", "Map(1) { 1 => { a: [] } }", true, true],
            "punycode": "mnchen-3ya",
            "decoder": ["", "\u{e9}"],
            "events": [7],
            "channel": [1],
            "v8": [{ "a": [1] }, true],
            "vm": [2, 2, false],
            "os": ["\n", true, true, true],
            "module": [true, "function"],
            "performance": ["number", true, "function"],
            "console": "function",
            "tty": false,
            "worker": [true, 0, 2],
        })
    );
}

#[test]
fn streams_and_compression() {
    let answer = answer_of(
        r#"
        import { Readable, Transform, Writable } from "node:stream"; import { pipeline } from "node:stream/promises";
        import { text, json } from "node:stream/consumers"; import { ReadableStream as Web } from "node:stream/web";
        import readline from "node:readline"; import zlib from "node:zlib"; import { promisify } from "node:util";"#,
        r#"
        const upper = new Transform({ transform: (chunk, _, done) => done(null, String(chunk).toUpperCase()) });
        const written = [];
        await pipeline(Readable.from(["a", "b"]), upper, new Writable({ write: (chunk, _, done) => { written.push(String(chunk)); done(); } }));
        const lines = [];
        for await (const line of readline.createInterface({ input: Readable.from("one\ntwo") })) lines.push(line);
        const long = "long text ".repeat(20_000);
        const packed = await promisify(zlib.gzip)(long);
        return {
          written, lines,
          text: await text(Readable.from(["x", "y"])), json: await json(Readable.from(["{\"a\"", ":1}"])),
          web: await text(Readable.fromWeb(new Blob(["web"]).stream())), toWeb: Readable.toWeb(Readable.from(["a"])) instanceof Web,
          failed: await attempt(() => pipeline(new Readable({ read() { this.destroy(new Error("broken")); } }), new Writable({ write: (c, e, d) => d() }))),
          gzip: [String(await promisify(zlib.gunzip)(packed)) === long, packed.length < 1000],
          others: [zlib.inflateSync(zlib.deflateSync("a")), zlib.inflateRawSync(zlib.deflateRawSync("b")), zlib.brotliDecompressSync(zlib.brotliCompressSync("c"))].map(String),
          crc: zlib.crc32("hello"),
          stream: await text(Readable.from([long]).pipe(zlib.createGzip()).pipe(zlib.createGunzip())) === long,
          bad: await attempt(() => promisify(zlib.gunzip)("no gzip")),
        };"#,
    );

    assert_eq!(answer["written"], json!(["A", "B"]));
    assert_eq!(answer["lines"], json!(["one", "two"]));
    assert_eq!(answer["text"], "xy");
    assert_eq!(answer["json"], json!({ "a": 1 }));
    assert_eq!((&answer["web"], &answer["toWeb"]), (&json!("web"), &json!(true)));
    assert_eq!(answer["failed"]["message"], "broken");
    assert_eq!(answer["gzip"], json!([true, true]));
    assert_eq!(answer["others"], json!(["a", "b", "c"]));
    assert_eq!(answer["crc"], 0x3610_a686);
    assert_eq!(answer["stream"], true);
    assert_eq!(answer["bad"]["code"], "Z_DATA_ERROR");
}

#[test]
fn files_of_the_project_are_read() {
    let host = Site::new()
        .file("data/text.txt", "some text")
        .file(
            "handler.js",
            r#"import fs from "node:fs"; import { readFile, readdir, stat } from "node:fs/promises"; import { text } from "node:stream/consumers"; import path from "node:path";
            const file = path.join(import.meta.dirname, "data/text.txt");
            export default async () => [
              fs.readFileSync(file, "utf8"), await readFile(file, "utf8"), await readdir(path.dirname(file)), (await stat(file)).size,
              await text(fs.createReadStream(file, { start: 5 })), fs.existsSync(`${file}.no`),
              await readFile(`${file}.no`).catch((error) => [error.code, error.syscall]),
              await new Promise((done) => fs.readFile(file, "latin1", (error, data) => done(data))),
            ];"#,
        )
        .serve();

    assert_eq!(
        host.get("/").json(),
        json!(["some text", "some text", ["text.txt"], 9, "text", false, ["ENOENT", "open"], "some text"])
    );
}

#[test]
fn cryptography() {
    let answer = answer_of(
        r#"import crypto from "node:crypto"; import { promisify } from "node:util";"#,
        r#"
        const key = crypto.randomBytes(32), nonce = crypto.randomBytes(12);
        const cipher = crypto.createCipheriv("aes-256-gcm", key, nonce);
        const sealed = Buffer.concat([cipher.update("secret"), cipher.final()]);
        const open = (tag) => {
          const decipher = crypto.createDecipheriv("aes-256-gcm", key, nonce);
          decipher.setAuthTag(tag);
          return decipher.update(sealed, null, "utf8") + decipher.final("utf8");
        };
        const pairs = { ec: { namedCurve: "P-256" }, ed25519: {}, rsa: { modulusLength: 1024 } };
        const signed = {};
        for (const [type, options] of Object.entries(pairs)) {
          // On a thread of its own: without optimisation a key of RSA takes longer than a handler's CPU time.
          const { privateKey, publicKey } = await promisify(crypto.generateKeyPair)(type, options);
          const hash = type === "ed25519" ? null : "sha256";
          const signature = crypto.sign(hash, Buffer.from("text"), privateKey);
          const again = crypto.createPublicKey(publicKey.export({ type: "spki", format: "pem" }));
          signed[type] = [crypto.verify(hash, Buffer.from("text"), again, signature), crypto.verify(hash, Buffer.from("other"), again, signature), publicKey.asymmetricKeyType];
        }
        return {
          // FIPS 180-4, RFC 4231 case 2, RFC 7914 sections 11 and 12, RFC 5869 case 1.
          hash: crypto.createHash("sha256").update("abc").digest("hex"),
          hmac: crypto.createHmac("sha256", "Jefe").update("what do ya want for nothing?").digest("hex"),
          pbkdf2: (await promisify(crypto.pbkdf2)("passwd", "salt", 1, 64, "sha256")).toString("hex"),
          scrypt: (await promisify(crypto.scrypt)("", "", 64, { N: 16, r: 1, p: 1 })).toString("hex"),
          hkdf: Buffer.from(crypto.hkdfSync("sha256", Buffer.alloc(22, 0x0b), Buffer.from("000102030405060708090a0b0c", "hex"), Buffer.from("f0f1f2f3f4f5f6f7f8f9", "hex"), 42)).toString("hex"),
          open: open(cipher.getAuthTag()), forged: (await attempt(() => open(Buffer.alloc(16)))).error !== undefined,
          signed,
          key: [crypto.createSecretKey(key).export().equals(key), crypto.createSecretKey(key) instanceof crypto.KeyObject],
          same: crypto.timingSafeEqual(key, Buffer.from(key)), uuid: crypto.randomUUID().length, int: crypto.randomInt(1, 2),
          web: crypto.webcrypto.subtle === globalThis.crypto.subtle,
        };"#,
    );

    let expected = json!({
        "hash": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "hmac": "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        "pbkdf2": "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc\
                   49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
        "scrypt": "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442\
                   fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906",
        "hkdf": "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        "open": "secret",
        "forged": true,
        "signed": { "ec": [true, false, "ec"], "ed25519": [true, false, "ed25519"], "rsa": [true, false, "rsa"] },
        "key": [true, true],
        "same": true,
        "uuid": 36,
        "int": 1,
        "web": true,
    });
    for (name, value) in expected.as_object().into_iter().flatten() {
        assert_eq!(&answer[name], value, "{name}");
    }
}

#[test]
fn work_on_threads_does_not_hold_up_the_isolate() {
    let host = serve(
        r#"
        import crypto from "node:crypto"; import { promisify } from "node:util";
        const scrypt = promisify(crypto.scrypt);
        let isDone = false;
        export default async (event, next) => {
          if (next.stepname === "other") return { isDone };
          event.respondWith("started", { done: false });
          await Promise.all(Array.from({ length: 4 }, () => scrypt("password", "salt", 64, { N: 1 << 14 })));
          isDone = true;
        };"#,
    );

    let (_, _line) = host.open("/");

    assert_eq!(host.get("/other").json(), json!({ "isDone": false }));
    host.until("/other", |answer| answer.json()["isDone"] == Value::Bool(true));
}

/// An import of a name that a module lacks is an error of the whole file.
#[test]
fn names_that_packages_import_are_there() {
    let host = serve(
        r#"
        import { constants, enableCompileCache, flushCompileCache, getCompileCacheDir } from "node:module";
        import { getSourceMapsSupport, setSourceMapsSupport } from "node:module";
        import { Performance, performance, PerformanceMark, PerformanceMeasure } from "node:perf_hooks";
        import { CloseEvent, MessageEvent, WebSocket } from "node:http";
        import { URLPattern } from "node:url";
        export default () => ({
          cache: enableCompileCache().status === constants.compileCacheStatus.DISABLED && getCompileCacheDir() === undefined,
          maps: getSourceMapsSupport().enabled,
          mark: performance.mark("a") instanceof PerformanceMark && performance instanceof Performance,
          measure: performance.measure("b", "a") instanceof PerformanceMeasure,
          timing: performance.nodeTiming.duration > 0,
          functions: [flushCompileCache, setSourceMapsSupport, CloseEvent, MessageEvent, WebSocket].map((it) => typeof it),
          pattern: new URLPattern({ pathname: "/:id" }).exec("http://x/7").pathname.groups.id,
        });"#,
    );

    let functions = ["function"; 5];
    let expected = json!({
        "cache": true, "maps": true, "mark": true, "measure": true, "timing": true, "functions": functions, "pattern": "7",
    });
    assert_eq!(host.get("/").json(), expected);
}
