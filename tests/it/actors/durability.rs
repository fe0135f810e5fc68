//! What an actor has acknowledged is in its file, whatever happens to the process and to the disk.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use serde_json::{Value, json};

use crate::support::{Answer, Host, PATIENCE, Site, executable};

/// An actor keeps numbers, how many they are, and an alarm that is due soon after each.
const LEDGER: &str = r#"
import { Actor, actors } from "liveline:actors";

class Ledger extends Actor {
  async add(number, size) {
    const { storage } = this.ctx;
    const count = (await storage.get("count")) ?? 0;
    await storage.put(`n${String(number).padStart(9, "0")}`, "x".repeat(size));
    await storage.put("count", count + 1);
    await storage.setAlarm(Date.now() + 20);
    return number;
  }
  async alarm() {
    const { storage } = this.ctx;
    await storage.put("fired", ((await storage.get("fired")) ?? 0) + 1);
  }
  async check() {
    const { storage } = this.ctx;
    const list = await storage.list({ prefix: "n" });
    return {
      numbers: [...list.keys()].map((key) => Number(key.slice(1))),
      count: (await storage.get("count")) ?? 0,
      integrity: storage.sql.exec("PRAGMA integrity_check").one().integrity_check,
      alarm: await storage.getAlarm(),
      fired: (await storage.get("fired")) ?? 0,
    };
  }
}

const ledgers = actors("Ledger", Ledger);

export async function GET({ url }) {
  const ledger = ledgers.getByName(url.searchParams.get("actor"));
  const add = url.searchParams.get("add");
  if (add === null) return await ledger.check();
  return { added: await ledger.add(Number(add), Number(url.searchParams.get("size") ?? 1)) };
}
"#;

const ACTORS: u64 = 50;
const CLIENTS: usize = 8;
/// How often the process is killed, and how many writes are acknowledged before that.
const KILLS: usize = 10;
const WRITES: usize = 1000;

fn ledger() -> Site {
    Site::new().file("app/ledger/handler.js", LEDGER)
}

/// A request on a connection that stays open. None where the connection ends before the answer.
fn ask(connection: &mut BufReader<TcpStream>, path: &str) -> Option<(u16, Vec<u8>)> {
    write!(connection.get_mut(), "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").ok()?;
    let (mut line, mut status, mut length) = (String::new(), None, 0);
    loop {
        line.clear();
        if connection.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let text = line.trim_end().to_ascii_lowercase();
        match text.split_once(": ") {
            _ if text.is_empty() => break,
            Some(("content-length", value)) => length = value.parse().ok()?,
            Some(_) => {}
            None => status = text.split(' ').nth(1).and_then(|code| code.parse().ok()),
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).ok()?;
    Some((status?, body))
}

/// Adds numbers until the process has ended. Records those that are acknowledged.
fn write(
    address: SocketAddr,
    next: &AtomicU64,
    acknowledged: &[Mutex<BTreeSet<u64>>],
    written: &mpsc::Sender<()>,
) {
    let Ok(stream) = TcpStream::connect(address) else { return };
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    let mut connection = BufReader::new(stream);
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let actor = number % ACTORS;
        let Some((status, body)) = ask(&mut connection, &format!("/ledger?actor={actor}&add={number}"))
        else {
            return;
        };
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        acknowledged[actor as usize].lock().expect("no client panics").insert(number);
        // Nobody counts any more when the process is being killed.
        let _ = written.send(());
    }
}

fn numbers(checked: &Value) -> BTreeSet<u64> {
    checked["numbers"].as_array().expect("a list").iter().filter_map(Value::as_u64).collect()
}

#[track_caller]
fn check(host: &Host, actor: u64, acknowledged: &BTreeSet<u64>) {
    let answer = host.get(&format!("/ledger?actor={actor}"));
    let checked = answer.json();
    let numbers = numbers(&checked);
    let lost: Vec<_> = acknowledged.difference(&numbers).collect();
    assert!(lost.is_empty(), "actor {actor} has lost {lost:?} of {}", acknowledged.len());
    assert_eq!(checked["count"], numbers.len(), "a turn is stored whole or not at all");
    assert_eq!(checked["integrity"], "ok");
}

fn has_fired(answer: &Answer) -> bool {
    let answer = answer.json();
    answer["alarm"].is_null() && answer["fired"].as_u64() > Some(0)
}

#[test]
fn acknowledged_writes_survive_kills_in_the_middle_of_others() {
    let mut host = ledger().arg("--workers=2").serve();
    let next = AtomicU64::new(0);
    let acknowledged: Vec<_> = (0..ACTORS).map(|_| Mutex::default()).collect();
    for _ in 0..KILLS {
        let address = host.address();
        host = std::thread::scope(|scope| {
            let (written, writes) = mpsc::channel();
            for _ in 0..CLIENTS {
                let (next, acknowledged, written) = (&next, &acknowledged, written.clone());
                scope.spawn(move || write(address, next, acknowledged, &written));
            }
            for _ in 0..WRITES {
                writes.recv_timeout(PATIENCE).expect("a write is acknowledged");
            }
            host.killed()
        });
        for (actor, acknowledged) in acknowledged.iter().enumerate() {
            check(&host, actor as u64, &acknowledged.lock().expect("no client panics"));
        }
    }
    for actor in 0..ACTORS {
        host.until(&format!("/ledger?actor={actor}"), has_fired);
    }
}

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    let site = ledger().file(
        "limited.sh",
        "#!/bin/sh\n# No file may be larger than 300 blocks of 512 bytes.\ntrap '' XFSZ\nulimit -f 300\nexec \"$PROGRAM\" \"$@\"\n",
    );
    let script = site.path("limited.sh");
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).expect("permissions");
    let program = executable().display().to_string();
    let path = std::env::var("PATH").unwrap_or_default();
    let host = site.run_by(&script, &[("PROGRAM", &program), ("PATH", &path)]).serve();

    let mut acknowledged = BTreeSet::new();
    let refused = (1..100).find_map(|number| {
        let answer = host.get(&format!("/ledger?actor=full&add={number}&size=20000"));
        match answer.status {
            200 => {
                acknowledged.insert(number);
                None
            }
            _ => Some(answer),
        }
    });
    let refused = refused.expect("the file cannot grow any more");
    assert_eq!(refused.status, 500, "{refused:?}");
    host.log.contains(".sqlite: ");
    assert!(!acknowledged.is_empty());
    assert_eq!(host.get("/ledger?actor=other&add=1").json(), json!({ "added": 1 }), "others go on");

    // With room again, everything is there.
    host.site.write("limited.sh", "#!/bin/sh\nexec \"$PROGRAM\" \"$@\"\n");
    let host = host.killed();
    let checked = host.get("/ledger?actor=full").json();
    assert!(numbers(&checked).is_superset(&acknowledged), "{checked} without some of {acknowledged:?}");
    assert_eq!(checked["integrity"], "ok");
}

#[test]
fn a_folder_that_cannot_be_written_refuses() {
    // Nobody makes folders there, not even root.
    let host = ledger().arg("--data=/proc/liveline").serve();
    let refused = host.get("/ledger?actor=a&add=1");
    assert_eq!(refused.status, 500);
    host.log.contains("/proc/liveline");
}
