//! Queues and cron triggers.

use serde_json::json;

use super::worker;

const QUEUES: &str = "[[queues.producers]]\nbinding = \"JOBS\"\nqueue = \"jobs\"\n
[[queues.consumers]]\nqueue = \"jobs\"\nmax_batch_timeout = 0\nmax_retries = 1\ndead_letter_queue = \"dead\"\n
[[queues.consumers]]\nqueue = \"dead\"\nmax_batch_timeout = 0\n";

const MODULE: &str = "const seen = [];
    export default {
      async fetch(request, env) {
        const { pathname, searchParams } = new URL(request.url);
        if (pathname === '/seen') return Response.json(seen);
        if (pathname === '/batch') await env.JOBS.sendBatch([{ body: 'one' }, { body: { two: 2 } }]);
        else await env.JOBS.send(searchParams.get('body'), { contentType: searchParams.get('type') ?? 'json' });
        return new Response('sent');
      },
      async queue(batch) {
        for (const message of batch.messages) {
          seen.push([batch.queue, message.body, message.attempts]);
          if (message.body === 'twice' && message.attempts === 1) message.retry();
          if (message.body === 'fails' && batch.queue === 'jobs') throw new Error('the consumer failed');
        }
      },
      async scheduled(controller, env, ctx) {
        ctx.waitUntil((async () => { await null; seen.push(['scheduled', controller.cron, controller.scheduledTime]); })());
      },
    };";

#[test]
fn messages_are_handled_retried_and_dead() {
    let host = worker(QUEUES, MODULE).serve();
    let until = |count: usize| {
        host.until("/seen", |answer| answer.json().as_array().is_some_and(|seen| seen.len() >= count)).json()
    };

    assert_eq!(host.get("/?body=plain&type=text").text(), "sent");
    assert_eq!(until(1), json!([["jobs", "plain", 1]]));
    assert_eq!(host.get("/?body=twice").text(), "sent");
    assert_eq!(
        until(3).as_array().map(|seen| seen[1..].to_vec()),
        Some(vec![json!(["jobs", "twice", 1]), json!(["jobs", "twice", 2])])
    );
    assert_eq!(host.get("/?body=fails").text(), "sent");
    let seen = until(6);
    let expected = [json!(["jobs", "fails", 1]), json!(["jobs", "fails", 2]), json!(["dead", "fails", 1])];
    assert_eq!(seen.as_array().map(|seen| seen[3..].to_vec()), Some(expected.to_vec()));
    host.log.next("the consumer failed");
    assert_eq!(host.get("/batch").text(), "sent");
    let seen = until(8);
    assert_eq!(
        seen.as_array().map(|seen| seen[6..].to_vec()),
        Some(vec![json!(["jobs", "one", 1]), json!(["jobs", { "two": 2 }, 1])])
    );
}

#[test]
fn a_request_calls_scheduled_in_development_only() {
    let triggers = "[triggers]\ncrons = [\"0 0 1 1 *\"]\n";
    let host = worker(triggers, MODULE).dev();
    assert_eq!(host.get("/cdn-cgi/handler/scheduled?cron=0+0+*+*+*&time=5").text(), "ok");
    assert_eq!(host.get("/seen").json(), json!([["scheduled", "0 0 * * *", 5]]));

    let host = worker(&format!("{QUEUES}{triggers}"), MODULE).serve();
    assert_eq!(host.get("/cdn-cgi/handler/scheduled").text(), "sent");
}
