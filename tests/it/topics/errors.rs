//! Calls and clients that ask for what there is not.

use serde_json::json;

use super::{publish, site};

#[test]
fn a_bad_call_is_an_error_that_says_what_to_do() {
    let host = site(
        r#"const cyclic = {};
        cyclic.self = cyclic;
        const calls = [
          () => topic(""),
          () => topic("/a/../b").publish(1),
          () => topic("/a b").publish(1),
          () => topic("x".repeat(300)).publish(1),
          () => topic(7),
          () => topic("/a", { hsitory: 3 }),
          () => topic("/a").publish(cyclic),
          () => topic("/a").publish({ n: 1n }),
          () => topic("/a").publish(undefined),
          () => topic("/a").publish(1, { mode: "all" }),
          () => topic("/a").publish("x".repeat(9_000_000)),
          () => topic("/a").messages({ replay: -3 }),
          () => topic("/a").messages({ slow: "never" }),
          () => topics(),
          () => topics("a b").messages(),
          () => topic("/a").subscribe(),
        ];
        const failed = (call) => {
          try {
            call();
            return "no error";
          } catch (error) {
            return `${error.name}: ${error.message}`;
          }
        };
        export default (event, next) => next.stepname ? next() : calls.map(failed);"#,
    )
    .serve();
    let errors = host.get("/").json();
    let errors: Vec<_> =
        errors.as_array().expect("a list").iter().map(|it| it.as_str().expect("text")).collect();
    let expected = [
        // A name is checked when it is used.
        "no error",
        "TypeError: a topic's name has no segment \"..\"",
        "TypeError: a topic's name has no ' '",
        "TypeError: a topic's name has at most 256 bytes",
        "TypeError: topic(): the first argument is a name",
        "TypeError: topic() has no \"hsitory\"",
        "TypeError: The message cannot be sent as JSON: $.self leads back to $",
        "TypeError: The message cannot be sent as JSON: $.n is a BigInt",
        "TypeError: publish(): undefined is no message",
        "TypeError: publish(): mode is",
        "QuotaExceededError: a message has at most 8388608 bytes",
        "RangeError: messages(): replay is",
        "TypeError: slow is drop, latest or close",
        "TypeError: topics(): the arguments are patterns",
        "TypeError: a topic's name has no ' '",
        "TypeError: subscribe(): the first argument is a function",
    ];
    for (error, expected) in errors.iter().zip(expected) {
        assert!(error.starts_with(expected), "{error}\n{expected}");
    }
    assert_eq!(errors.len(), expected.len());
}

#[test]
fn a_publisher_that_is_too_fast_is_refused() {
    let host = site(
        r#"topic("/calm", { rate: 2 });
        export default (event, next) => {
          if (next.stepname) return next();
          const results = [];
          for (let n = 0; n < 3; n += 1) {
            try {
              topic("/calm").publish(n);
              results.push("published");
            } catch (error) {
              results.push(error.name);
            }
          }
          return results;
        };"#,
    )
    .serve();
    assert_eq!(host.get("/").json(), json!(["published", "published", "QuotaExceededError"]));
}

#[test]
fn a_message_that_is_published_twice_has_one_id() {
    let host = site("export default (event, next) => next();").serve();
    let publish_keyed = || host.request("POST", "/publish?to=/news&key=k1").json(&json!(1)).send().json();
    let first = publish_keyed();
    publish(&host, "/news", &json!(2));
    let second = publish_keyed();
    assert_eq!((&second["id"], &second["duplicate"]), (&first["id"], &json!(true)));
}

#[test]
fn subscribers_over_the_limit_are_asked_to_come_later() {
    let host = site(r#"export default (event, next) => next.stepname ? next() : topic("/news");"#)
        .arg("--max-topic-subscribers=2")
        .serve();
    let streams = [super::follow(&host, "/", &[]), super::follow(&host, "/", &[])];
    let refused = host.request("GET", "/").header("accept", "text/event-stream").send();
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")), "{}", refused.text());
    drop(streams);
}
