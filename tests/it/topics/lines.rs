//! Topics in handlers: `for await`, `subscribe()`, and as the states of a live answer.

use serde_json::json;

use super::{all_leave, publish, site};

#[test]
fn a_live_answer_shows_the_messages_of_a_topic_as_states() {
    for handler in [
        r#"export default (event, next) => next.stepname ? next() : topic("/score");"#,
        r#"export default (event, next) => next.stepname ? next() : event.respondWith(topic("/score"));"#,
    ] {
        let host = site(handler).serve();
        publish(&host, "/score", &json!({ "home": 0 }));
        let (answer, mut line) = host.open("/");
        assert_eq!(answer.json(), json!({ "home": 0 }));
        // The second of two states at once may replace the first.
        publish(&host, "/score", &json!({ "home": 1 }));
        assert_eq!(line.expect_body(), json!({ "home": 1 }));
        publish(&host, "/score", &json!({ "home": 2 }));
        assert_eq!(line.expect_body(), json!({ "home": 2 }));
        line.close();
        all_leave(&host, "/score");
    }
}

#[test]
fn a_live_answer_ends_with_its_topic() {
    let host = site(
        r#"export default (event, next) => {
          if (next.stepname === "publish") return next();
          if (event.url.searchParams.has("close")) return topic("/score").close();
          return topic("/score");
        };"#,
    )
    .serve();
    let (answer, mut line) = host.open("/");
    assert_eq!(answer.text(), "");
    publish(&host, "/score", &json!(1));
    assert_eq!(line.expect_body(), json!(1));
    host.get("/?close");
    line.done();
}

#[test]
fn a_handler_follows_a_topic_by_a_loop_that_ends_with_the_exchange() {
    let host = site(
        r#"export default async function* ({ url }) {
          if (url.searchParams.has("say")) return yield topic("/steps").publish("said").subscribers;
          try {
            const messages = topic("/steps").messages();
            yield "begun";
            for await (const { data, topic: name } of messages) yield { data, name };
          } finally {
            console.error("the loop has ended");
          }
        }"#,
    )
    .serve();
    let (answer, mut line) = host.open("/");
    assert_eq!(answer.text(), "begun");
    assert_eq!(host.get("/?say").text(), "1");
    assert_eq!(line.expect_body(), json!({ "data": "said", "name": "/steps" }));
    line.close();
    host.log.next("the loop has ended");
    host.until("/?say", |answer| answer.text() == "0");
}

#[test]
fn subscribers_receive_every_message_in_order() {
    let host = site(
        r#"export default async (event, next) => {
          if (next.stepname) return next();
          const received = [];
          const enough = Promise.withResolvers();
          const stop = topic("/all").subscribe(({ data }) => {
            received.push(data);
            if (received.length === 1000) enough.resolve();
          });
          for (let n = 0; n < 1000; n += 1) topic("/all").publish(n);
          await enough.promise;
          stop();
          topic("/all").publish("not received");
          const stopped = new AbortController();
          const several = topics("*").messages({ signal: stopped.signal });
          topic("/all").publish("one");
          const { value } = await several.next();
          stopped.abort();
          const { done } = await several.next();
          return { inOrder: received.every((data, n) => data === n), length: received.length, value: value.data, done };
        };"#,
    )
    .serve();
    assert_eq!(
        host.get("/").json(),
        json!({ "inOrder": true, "length": 1000, "value": "one", "done": true })
    );
}

#[test]
fn a_slow_loop_misses_the_oldest_with_notice() {
    let host = site(
        r#"topic("/fast", { history: 10 });
        export default async (event, next) => {
          if (next.stepname) return next();
          const messages = topic("/fast").messages();
          for (let n = 1; n <= 100; n += 1) topic("/fast").publish(n);
          const { value: gap } = await messages.next();
          const { value: first } = await messages.next();
          return [gap.gap, gap.missed, first.data, topic("/fast").latest.data];
        };"#,
    )
    .serve();
    assert_eq!(host.get("/").json(), json!([true, 90, 91, 100]));
}
