//! Errors that no code catches: they are logged with their exchange, and the isolate goes on.

use super::serve_with;

/// Where an error may be thrown, so that no promise of the handler rejects.
const WAYS: [(&str, &str); 10] = [
    ("nextTick", "process.nextTick(fail)"),
    ("timer", "setTimeout(fail, 1)"),
    ("interval", "setInterval(fail, 1000 * 0 + 1)"),
    ("node timer", "timers.setTimeout(fail, 1)"),
    ("immediate", "setImmediate(fail)"),
    ("emitter", "setTimeout(() => new EventEmitter().emit('error', error()), 1)"),
    ("stream", "new Readable({ read() { this.destroy(error()); } }).resume()"),
    ("file", "fs.readFile('/nothing', fail)"),
    ("compression", "zlib.gzip('x', fail)"),
    ("socket", "net.connect(1, '127.0.0.1').on('error', fail)"),
];

#[test]
fn they_are_logged_with_the_exchange_whose_code_threw_them() {
    for (way, start) in WAYS {
        let host = serve_with(
            r#"import { EventEmitter } from "node:events"; import { Readable } from "node:stream"; import fs from "node:fs"; import zlib from "node:zlib"; import net from "node:net"; import timers from "node:timers";"#,
            &format!(
                r#"
                if (next.stepname === "alive") return "alive";
                const error = () => new Error("thrown on purpose");
                const fail = () => {{ throw error(); }};
                event.waitUntil(new Promise(() => {{}}));
                {start};
                return "answered";"#
            ),
        );

        let (_, line) = host.open("/");
        let logged = host.log.next("thrown on purpose");

        assert!(logged.contains("exchange="), "{way}: {logged}");
        assert!(host.log.next("handler.js:").contains("-->"), "{way}");
        line.close();
        assert_eq!(host.get("/alive").text(), "alive", "{way}");
    }
}

#[test]
fn a_callback_that_never_returns_is_stopped() {
    for (way, start) in [
        ("nextTick", "process.nextTick(spin)"),
        ("immediate", "setImmediate(spin)"),
        ("file", "fs.readFile('/nothing', spin)"),
        ("emitter", "{ const e = new EventEmitter(); e.on('x', spin); setTimeout(() => e.emit('x'), 1); }"),
        ("stream", "new Readable({ read: spin }).resume()"),
    ] {
        let host = serve_with(
            r#"import { EventEmitter } from "node:events"; import { Readable } from "node:stream"; import fs from "node:fs";"#,
            &format!(
                r#"
                if (next.stepname === "alive") return "alive";
                const spin = () => {{ for (;;); }};
                {start};
                await new Promise(() => {{}});"#
            ),
        );

        let answer = host.get("/");

        assert_eq!(answer.status, 500, "{way}: {}", answer.text());
        host.log.next("without yielding and was stopped");
        assert_eq!(host.get("/alive").text(), "alive", "{way}");
    }
}
