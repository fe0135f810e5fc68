//! What can be held is limited: by JavaScript outside of its heap, by bodies on their way, by results of queries.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::json;

use crate::support::{Host, PATIENCE, Site};

const MIB: u64 = 1 << 20;

/// Each path takes memory in another way, and never stops, or takes and drops it.
const GREEDY: &str = r#"
    const MIB = 1 << 20;
    const kept = [];
    const of = {
      one: () => new ArrayBuffer(4e9),
      buffers: (keep) => { for (;;) keep(new Uint8Array(20 * MIB).fill(1)); },
      small: (keep) => { for (;;) keep(new Uint8Array(8192).fill(1)); },
      encoded: (keep) => { const text = "x".repeat(8 * MIB); for (;;) keep(new TextEncoder().encode(text)); },
      blobs: (keep) => { const bytes = new Uint8Array(8 * MIB).fill(1); for (;;) keep(new Blob([bytes])); },
      clones: (keep) => { const bytes = new Uint8Array(8 * MIB).fill(1); for (;;) keep(structuredClone(bytes)); },
      responses: async (keep) => { for (;;) keep(await new Response("x".repeat(8 * MIB)).bytes()); },
      strings: (keep) => { for (let i = 0;; i++) keep(`${i}`.repeat(MIB).slice(1)); },
      shared: (keep) => { for (;;) keep(new Uint8Array(new SharedArrayBuffer(20 * MIB)).fill(1)); },
      growing: (keep) => {
        for (;;) {
          const buffer = new ArrayBuffer(0, { maxByteLength: 20 * MIB });
          buffer.resize(20 * MIB);
          keep(new Uint8Array(buffer).fill(1));
        }
      },
      growingShared: (keep) => {
        for (;;) {
          const { constructor } = SharedArrayBuffer.prototype;
          const buffer = new constructor(0, { maxByteLength: 20 * MIB });
          buffer.grow(20 * MIB);
          keep(new Uint8Array(buffer).fill(1));
        }
      },
      wasm: (keep) => { for (;;) keep(new Uint8Array(new WebAssembly.Memory({ initial: 320 }).buffer).fill(1)); },
      wasmGrowing: () => {
        const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
        for (;;) {
          const before = memory.grow(320);
          new Uint8Array(memory.buffer).fill(1, before * 65536);
        }
      },
      wasmShared: (keep) => {
        for (;;) keep(new Uint8Array(new WebAssembly.Memory({ initial: 320, maximum: 320, shared: true }).buffer).fill(1));
      },
      dropped: () => { for (let i = 0; i < 100; i++) new Uint8Array(20 * MIB); return "fine"; },
      droppedEncoded: () => {
        const text = "x".repeat(8 * MIB);
        for (let i = 0; i < 40; i++) new TextEncoder().encode(text);
        return "fine";
      },
      droppedBlobs: async () => {
        const bytes = new Uint8Array(8 * MIB);
        for (let i = 0; i < 60; i++) {
          new Blob([bytes]);
          await new Promise((resolve) => setTimeout(resolve));
        }
        return "fine";
      },
      caught: () => {
        const mine = [];
        try { for (;;) mine.push(new Uint8Array(20 * MIB)); } catch (error) { return `${error.name} after ${mine.length}`; }
      },
      keepForEver: () => { for (;;) kept.push(new Uint8Array(20 * MIB)); },
    };
    export default async (event, next) => {
      if (!next.stepname) return "fine";
      const mine = [];
      return await of[next.stepname]((thing) => mine.push(thing));
    };"#;

fn greedy() -> Host {
    Site::new()
        .file("handler.js", GREEDY)
        .arg("--max-heap=128MiB")
        // It is memory that runs out, also on a machine that is busy.
        .arg("--cpu-timeout=60s")
        .serve()
}

#[test]
fn what_javascript_keeps_outside_of_its_heap_is_limited() {
    let host = greedy();
    assert_eq!(host.get("/").text(), "fine");
    let at_rest = host.memory();
    // Once for what counts, once for what is being copied, and once for what a busy machine frees late.
    let most = at_rest + 3 * 128 * MIB;
    for path in [
        "one",
        "buffers",
        "encoded",
        "blobs",
        "clones",
        "responses",
        "strings",
        "shared",
        "growing",
        "growingShared",
        "wasm",
        "wasmGrowing",
        "wasmShared",
        "keepForEver",
        "small",
    ] {
        let answer = host.get(&format!("/{path}"));
        assert_eq!(answer.status, 500, "{path}: {answer:?}");
        assert_eq!(host.get("/").text(), "fine", "after {path}");
        // V8's threads free what the handler had kept, which the next one is not to be blamed for.
        host.until("/", |_| host.memory() < at_rest + 128 * MIB);
        assert!(host.peak_memory() < most, "{path}: {} MiB", host.peak_memory() / MIB);
    }
}

/// V8 collects the garbage of one isolate with threads that all share.
#[cfg(feature = "v8")]
#[test]
fn the_engines_threads_yield_to_those_of_isolates() {
    let host = Site::new().file("handler.js", "export default () => 'fine'").serve();
    let of = |prefix: &str| {
        let threads = host.nice_values().into_iter().filter(|(name, _)| name.starts_with(prefix));
        threads.map(|(_, nice)| nice).collect::<Vec<_>>()
    };

    let (engine, isolates) = (of("V8 "), of("liveline-isola"));
    assert!(!engine.is_empty() && engine.iter().all(|nice| *nice == 10), "{engine:?}");
    assert!(!isolates.is_empty() && isolates.iter().all(|nice| *nice == 0), "{isolates:?}");
}

#[test]
fn what_is_dropped_does_not_count() {
    let host = greedy();
    for path in ["dropped", "droppedEncoded", "droppedBlobs", "dropped"] {
        let answer = host.get(&format!("/{path}"));
        assert_eq!(answer.status, 200, "{path}: {answer:?}\n{}", host.log.text());
    }
    assert!(!host.log.text().contains("takes its place"), "{}", host.log.text());
}

#[test]
fn a_buffer_that_does_not_fit_is_an_error_that_can_be_caught() {
    let host = greedy();
    for _ in 0..3 {
        let answer = host.get("/caught");
        assert!(answer.text().starts_with("RangeError after "), "{answer:?}");
    }
    assert!(!host.log.text().contains("ERROR"), "{}", host.log.text());
}

#[test]
fn memories_that_are_counted_look_as_they_always_do() {
    let host = crate::support::serve(
        r#"
        const nameOf = (make) => { try { make(); } catch (error) { return error.name; } };
        export default () => {
          const memory = new WebAssembly.Memory({ initial: 1, maximum: 3 });
          class Own extends WebAssembly.Memory {}
          return [
            memory instanceof WebAssembly.Memory,
            memory.constructor === WebAssembly.Memory,
            new Own({ initial: 1 }) instanceof Own,
            memory.grow(1),
            memory.buffer.byteLength,
            nameOf(() => memory.grow(2)),
            nameOf(() => new WebAssembly.Memory()),
            nameOf(() => new WebAssembly.Memory({ initial: 2, maximum: 1 })),
            nameOf(() => WebAssembly.Memory({ initial: 1 })),
            new SharedArrayBuffer(8).byteLength,
            new SharedArrayBuffer(8).constructor === SharedArrayBuffer,
            structuredClone(new Uint8Array([1, 2]))[1],
          ];
        };"#,
    );
    let seen = json!([
        true,
        true,
        true,
        1,
        131072,
        "RangeError",
        "TypeError",
        "RangeError",
        "TypeError",
        8,
        true,
        2
    ]);
    assert_eq!(host.get("/").json(), seen);
}

/// Fills the heap, or nearly fills it and then makes garbage.
const FILLING: &str = r#"
    export default (event, next) => {
      const kept = [];
      const fill = (count) => { for (let i = 0; i < count; i++) kept.push(new Array(1000).fill(i)); };
      if (next.stepname === "full") fill(Infinity);
      if (next.stepname === "nearly") {
        fill(13_000);
        for (let i = 0; i < 60_000; i++) new Array(1000).fill(i);
        return kept.length;
      }
      return "fine";
    };"#;

fn filling() -> Host {
    Site::new().file("handler.js", FILLING).arg("--max-heap=128MiB").arg("--cpu-timeout=60s").serve()
}

#[test]
fn garbage_beside_a_heap_that_is_nearly_full_stops_nothing() {
    let host = filling();
    for _ in 0..3 {
        let answer = host.get("/nearly");
        assert_eq!(answer.json(), json!(13_000), "{answer:?}\n{}", host.log.text());
    }
    assert!(!host.log.text().contains("ERROR"), "{}", host.log.text());
}

#[test]
fn a_heap_that_is_filled_takes_little_more_than_its_limit() {
    let host = filling();
    assert_eq!(host.get("/").text(), "fine");
    // A quarter more at once, and what is allocated until the code is stopped.
    let most = host.memory() + 128 * MIB * 5 / 4 + 64 * MIB;
    for _ in 0..3 {
        assert_eq!(host.get("/full").status, 500);
        assert_eq!(host.get("/").text(), "fine");
    }
    assert!(host.peak_memory() < most, "{} MiB", host.peak_memory() / MIB);
    assert!(host.log.text().contains("the heap of its isolate is full (128 MiB)"), "{}", host.log.text());
    assert!(!host.log.text().contains("takes its place"), "{}", host.log.text());
}

#[test]
fn an_isolate_whose_buffers_stay_is_replaced() {
    let host = greedy();
    assert_eq!(host.get("/keepForEver").status, 500);
    // The new one has room.
    host.until("/caught", |answer| answer.text() == "RangeError after 6");
}

const BODIES: &str = r#"
    export default async (event, next) => {
      switch (next.stepname) {
        case "text": return (await event.request.text()).length;
        case "stream": {
          let length = 0;
          for await (const chunk of event.request.body) length += chunk.length;
          return length;
        }
        case "caught": return event.request.text().then((text) => text.length, (error) => `${error.name}: ${error.message}`);
        default: return "fine";
      }
    };"#;

fn bodies(arguments: &[&str]) -> Host {
    let site = Site::new().file("handler.js", BODIES).arg("--metrics=0");
    arguments.iter().fold(site, |site, argument| site.arg(argument)).serve()
}

/// Begins to send a body of so many bytes, and sends some.
fn begin(host: &Host, from: [u8; 4], path: &str, length: u64, sent: u64) -> TcpStream {
    let mut stream = host.connect_from(Some(from.into()));
    let head = format!("POST /{path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
    let _ = stream.write_all(head.as_bytes());
    // A host that has answered does not read on.
    let _ = stream.write_all(&vec![b'x'; sent as usize]);
    stream
}

/// Reads the head of an answer, or everything until the host closes.
#[track_caller]
fn head_of(mut stream: &TcpStream) -> String {
    let mut heard = Vec::new();
    let mut piece = [0; 4096];
    while !heard.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => heard.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&heard)),
        }
    }
    String::from_utf8_lossy(&heard).into_owned()
}

#[track_caller]
fn until_held(host: &Host, wish: impl Fn(u64) -> bool) {
    host.until_figures(|figures| {
        let held = figures.get("liveline_body_bytes", &[]);
        assert!(held <= figures.get("liveline_body_limit_bytes", &[]), "{held}");
        wish(held as u64)
    });
}

#[test]
fn bodies_that_do_not_end_have_one_budget() {
    let host = bodies(&["--max-bodies=16MiB", "--max-body=9MiB"]);
    assert_eq!(host.get("/").text(), "fine");
    let before = host.memory();
    // 120 MiB in all, from several addresses.
    let open: Vec<_> =
        (0..40).map(|n| begin(&host, [127, 0, 0, 1 + n % 4], "text", 9 * MIB, 3 * MIB)).collect();
    until_held(&host, |held| held >= 12 * MIB);
    assert_eq!(host.get("/").text(), "fine");
    assert!(host.memory() < before + 64 * MIB, "{} MiB", host.memory() / MIB);
    drop(open);
    until_held(&host, |held| held == 0);
    assert!(!host.log.text().contains("ERROR"), "{}", host.log.text());
}

#[test]
fn a_body_without_room_is_answered_with_retry_after() {
    let host = bodies(&["--max-bodies=8MiB", "--max-body=4MiB"]);
    let _open: Vec<_> = (2..4).map(|n| begin(&host, [127, 0, 0, n], "text", 4 * MIB, 4 * MIB - 1)).collect();
    until_held(&host, |held| held == 8 * MIB);
    let refused = head_of(&begin(&host, [127, 0, 0, 9], "text", 10_000, 10_000));
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.to_ascii_lowercase().contains("\r\nretry-after: 1\r\n"), "{refused}");
    let caught = host.request("POST", "/caught").body("x").send();
    assert!(caught.text().starts_with("QuotaExceededError: "), "{caught:?}");
    assert!(caught.text().contains("--max-bodies"), "{caught:?}");
    // Those that stall make room before long.
    let deadline = Instant::now() + PATIENCE;
    while host.request("POST", "/text").body("hello").send().status != 200 {
        assert!(Instant::now() < deadline, "who stalls keeps the budget");
    }
}

#[test]
fn one_address_does_not_get_the_whole_budget() {
    let host = bodies(&["--max-bodies=8MiB", "--max-body=1MiB"]);
    let open: Vec<_> = (0..12).map(|_| begin(&host, [127, 0, 0, 2], "text", MIB, MIB - 1)).collect();
    until_held(&host, |held| held == 4 * MIB);
    assert_eq!(host.request("POST", "/text").body("hello").send().json(), json!(5));
    drop(open);
}

#[test]
fn what_can_never_fit_is_refused_at_once() {
    let host = bodies(&["--max-bodies=1MiB", "--max-body=10MiB"]);
    let refused = head_of(&begin(&host, [127, 0, 0, 1], "text", MIB + 1, 0));
    assert!(refused.starts_with("HTTP/1.1 413 "), "{refused}");
    let whole = host.request("POST", "/text").body(vec![b'x'; MIB as usize]).send();
    assert_eq!(whole.json(), json!(MIB));
}

#[test]
fn streams_are_not_held() {
    let host = bodies(&["--max-bodies=64KiB", "--max-body=64KiB"]);
    let _full = begin(&host, [127, 0, 0, 1], "text", 65_536, 65_535);
    until_held(&host, |held| held == 65_536);
    let streamed = host.request("POST", "/stream").body(vec![b'x'; 65_536]).send();
    assert_eq!(streamed.json(), json!(65_536));
}

const QUERIES: &str = r#"
    import { openDatabase } from "liveline:sql";
    const database = openDatabase(":memory:");
    const many = (count, bytes) =>
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) SELECT i, randomblob(${bytes}) FROM n`;
    const of = {
      "fits": async (sql) => (await sql.query(many(900, 1000))).rows.length,
      "rows": (sql) => sql.query(many(1e9, 1000)),
      "tiny": (sql) => sql.query(many(1e9, 0)),
      "blob": (sql) => sql.query("SELECT randomblob(1e9)"),
      "zeroes": (sql) => sql.query("SELECT zeroblob(2000000)"),
      "text": (sql) => sql.query("SELECT hex(zeroblob(1000000))"),
      "bound": (sql) => sql.query("SELECT length(?)", ["x".repeat(2e6)]),
      "live": (sql) => sql.query(many(1e9, 1000), [], { live: true }),
      "returning": async (sql) => {
        await sql.query("CREATE TABLE IF NOT EXISTS t (x)");
        await sql.query(`INSERT INTO t ${many(1100, 1000).replace("SELECT i, randomblob", "SELECT randomblob")} RETURNING x`);
      },
      "count": async (sql) => (await sql.query("SELECT count(*) AS n FROM t")).rows[0].n,
    };
    export default async (event, next) => {
      const sql = await database;
      try {
        return (await of[next.stepname](sql)) ?? "nothing";
      } catch (error) {
        return `${error.name} ${error.code}: ${error.message}`;
      }
    };"#;

#[test]
fn a_result_is_limited() {
    let host = Site::new().file("handler.js", QUERIES).arg("--max-result=1MiB").arg("--metrics=0").serve();
    assert_eq!(host.get("/fits").json(), json!(900));
    let before = host.memory();
    for path in ["rows", "tiny", "blob", "zeroes", "text", "bound", "live", "returning"] {
        let answer = host.get(&format!("/{path}"));
        assert!(answer.text().starts_with("SqlError SQLITE_TOOBIG: "), "{path}: {answer:?}");
        assert!(answer.text().contains("--max-result"), "{path}: {answer:?}");
    }
    assert_eq!(host.get("/count").json(), json!(0), "what is not returned is not written");
    assert_eq!(host.get("/fits").json(), json!(900));
    assert!(host.memory() < before + 64 * MIB, "{} MiB", host.memory() / MIB);
    assert_eq!(host.figures().get("liveline_result_bytes", &[]), 0.0);
    assert_eq!(host.figures().get("liveline_result_limit_bytes", &[]), 8.0 * MIB as f64);
}
