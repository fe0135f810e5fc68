//! States as JSON: a value that JSON cannot express is an error, and is never sent as another value.

use serde_json::json;

use crate::support::{Site, on_go, serve};

#[test]
fn values_of_json_are_sent_in_bodies_and_in_deltas() {
    let host = serve(&on_go(
        r#"const values = () => ({
          date: new Date(0), map: new Map([[1, 2]]), set: new Set([1]), bytes: new Uint8Array([7, 8]),
          none: undefined, nan: NaN, list: [undefined, -Infinity], big: { toJSON: () => "1n" },
        });
        const data = { first: values() };
        event.respondWith(data, { done: false });
        await go;
        Observer.set(data, "second", values());
        event.respondWith(null);"#,
    ));
    let expected = json!({
        "date": "1970-01-01T00:00:00.000Z", "map": {}, "set": {}, "bytes": { "0": 7, "1": 8 },
        "nan": null, "list": [null, null], "big": "1n",
    });

    let (answer, mut line) = host.open("/");

    assert_eq!(answer.json()["first"], expected);
    line.send("go", json!(null));
    assert_eq!(line.expect("initial_response.mutate")[0]["value"], expected);
    assert_eq!(line.expect_body(), json!(null));
    line.done();
}

#[test]
fn a_change_without_json_ends_the_exchange_and_names_the_place() {
    for (change, said) in [
        ("Observer.set(data.list, 0, { id: 7n })", "$.list.0.id is a BigInt"),
        ("Observer.set(data.list, 0, data)", "leads back to"),
        ("event.client.postMessage(data, { live: true }); Observer.set(data, 'n', 1n)", "$.n is a BigInt"),
    ] {
        let host = serve(&on_go(&format!(
            r#"const data = {{ list: [] }};
            event.respondWith(data, {{ done: false }});
            await go;
            {change};"#
        )));
        let (_, mut line) = host.open("/");

        line.send("go", json!(null));

        let (_, code) = line.rest();
        assert_eq!(code, 4002, "{change}");
        host.log.next(said);
        assert_eq!(host.get("/nothing").status, 200, "the host goes on");
    }
}

#[test]
fn a_state_with_a_cycle_that_comes_later_ends_the_line() {
    let host = serve(&on_go(
        r#"event.respondWith({ a: 1 }, { done: false });
        await go;
        const data = {};
        data.self = data;
        await event.respondWith(data);"#,
    ));
    let (_, mut line) = host.open("/");

    line.send("go", json!(null));

    let (_, code) = line.rest();
    assert_eq!(code, 4002);
    host.log.next("$.body.self leads back to $.body, a circular structure");
}

#[test]
fn ten_thousand_changes_arrive_in_their_order() {
    // Beyond the budget they would become one state.
    let site = Site::new().arg("--max-queue=16MiB");
    let host = site.file(
        "handler.js",
        on_go(
            r#"const data = { n: 0, list: [] };
        event.respondWith(data, { done: false });
        await go;
        for (let n = 1; n <= 10000; n++) {
          Observer.set(data, "n", n);
          if (n % 500 === 0) await new Promise((r) => setTimeout(r, 0));
        }
        event.respondWith({ end: data.n });"#,
        ),
    );
    let host = host.serve();
    let (_, mut line) = host.open("/");

    line.send("go", json!(null));

    let (frames, code) = line.rest();
    let values: Vec<_> = frames[..frames.len() - 2].iter().map(|f| f.message[0]["value"].as_u64()).collect();
    assert_eq!(values, (1..=10000).map(Some).collect::<Vec<_>>());
    assert_eq!((frames[frames.len() - 2].message["body"].clone(), code), (json!({ "end": 10000 }), 1000));
}
