//! What waits for an actor's gates: events, timers and answers for the one, what leaves for the other.

use serde_json::json;

use super::{call, get, rooms, value};

/// A method that calls another object by HTTP, as any client would.
const BY_HTTP: &str = r#"
  async http(origin, path) {
    const answer = await fetch(`${origin}${path}`, { method: "POST", body: "[]" });
    return (await answer.json()).value;
  }
  hits = 0;
  hit() { return ++this.hits; }"#;

#[test]
fn timers_and_answers_wait_while_an_object_holds_its_events_back() {
    let body = r#"
      async order(origin, how) {
        const seen = [];
        const timer = new Promise((resolve) => setTimeout(() => resolve(seen.push("timer")), 1));
        const answer = this.http(origin, "/hit?name=other").then(() => seen.push("answer"));
        const result = rooms.getByName("third").hit().then(() => seen.push("result"));
        const own = async () => {
          await new Promise((resolve) => setTimeout(resolve, 20));
          await this.http(origin, "/hit?name=other");
          await rooms.getByName("third").hit();
          seen.push("held back");
        };
        await (how === "block" ? this.ctx.blockConcurrencyWhile(own) : this.ctx.storage.transaction(own));
        await Promise.all([timer, answer, result]);
        return seen;
      }"#;
    let host = rooms(&format!("{BY_HTTP}{body}")).serve();
    let origin = format!("http://{}", host.address());

    for how in ["block", "transaction"] {
        let seen = value(&host, "order", &json!([origin, how]));

        let mut seen: Vec<_> = seen.as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
        assert_eq!(seen.remove(0), "held back", "then {seen:?}");
        seen.sort_unstable();
        assert_eq!(seen, ["answer", "result", "timer"]);
    }
}

#[test]
fn a_request_does_not_leave_before_what_was_written_before_it() {
    let body = r#"
      lose(origin) {
        this.ctx.storage.kv.put("lost", 1);
        this.http(origin, "/hit?name=other").catch(() => {});
        rooms.getByName("other").hit().catch(() => {});
        this.ctx.abort("no more");
      }
      async keep(origin) {
        this.ctx.storage.kv.put("kept", 1);
        return await this.http(origin, "/hit?name=other");
      }"#;
    let host = rooms(&format!("{BY_HTTP}{body}")).serve();
    let origin = format!("http://{}", host.address());

    assert_eq!(call(&host, "a", "lose", &json!([origin]))["message"], "no more");
    assert_eq!(value(&host, "keep", &json!([origin])), 1);
}

#[cfg(unix)]
#[test]
fn a_server_whose_actors_are_idle_stops_at_once() {
    let host = rooms(BY_HTTP).serve();
    assert_eq!(get(&host, "hit"), 1);

    host.signal("TERM");

    let log = host.log.end();
    assert!(!log.contains("were not finished"), "{log}");
}
