//! Alarms outlive the process, and are tried again: check RW-B3.

use serde_json::{Value, json};

use super::worker;

const CLOCK: &str = r#"
import { DurableObject } from "cloudflare:workers";

export class Room extends DurableObject {
  async fetch(request) {
    const { storage } = this.ctx;
    const { searchParams } = new URL(request.url);
    if (searchParams.has("in")) {
      const due = Date.now() + Number(searchParams.get("in"));
      await storage.put({ due, failures: Number(searchParams.get("failures") ?? 0), fired: [] });
      await storage.setAlarm(due);
      return Response.json("set");
    }
    return Response.json({ fired: (await storage.get("fired")) ?? [], alarm: await storage.getAlarm() });
  }
  async alarm({ retryCount, isRetry }) {
    const { storage } = this.ctx;
    const fired = await storage.get("fired");
    fired.push({ retryCount, isRetry, at: Date.now(), early: Date.now() < (await storage.get("due")) });
    await storage.put("fired", fired);
    await storage.sync();
    if (fired.length <= (await storage.get("failures"))) throw new Error("the alarm failed on purpose");
  }
}

export default {
  fetch: (request, env) => env.ROOM.getByName("clock").fetch(request),
};
"#;

fn fired(answer: &crate::support::Answer) -> Vec<Value> {
    answer.json()["fired"].as_array().cloned().unwrap_or_default()
}

#[test]
fn an_alarm_fires_once_although_the_host_was_killed() {
    let host = worker(CLOCK).serve();
    assert_eq!(host.get("/?in=1000").json(), "set");
    let host = host.killed();
    let answer = host.until("/", |answer| !fired(answer).is_empty());
    let list = fired(&answer);
    assert_eq!((list.len(), &list[0]["early"]), (1, &json!(false)), "{list:?}");
    assert_eq!(answer.json()["alarm"], Value::Null);

    // It is gone for good.
    let host = host.killed();
    assert_eq!(fired(&host.get("/")).len(), 1);
}

#[test]
fn an_alarm_that_fails_is_tried_again_after_two_and_four_seconds() {
    let host = worker(CLOCK).serve();
    assert_eq!(host.get("/?in=10&failures=2").json(), "set");
    let answer = host.until("/", |answer| fired(answer).len() == 3);
    let list = fired(&answer);
    let counts: Vec<_> = list.iter().map(|it| (it["retryCount"].as_u64(), it["isRetry"].as_bool())).collect();
    assert_eq!(counts, [(Some(0), Some(false)), (Some(1), Some(true)), (Some(2), Some(true))]);
    let at: Vec<_> = list.iter().map(|it| it["at"].as_u64().expect("a time")).collect();
    assert!(at[1] - at[0] >= 1900 && at[2] - at[1] >= 3800, "{at:?}");
    host.log.contains("the alarm failed on purpose");
    assert_eq!(answer.json()["alarm"], Value::Null);
}
