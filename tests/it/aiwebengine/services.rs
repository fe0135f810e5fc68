//! Storage, schedules, messages between scripts, both kinds of `fetch()`, tests.

use serde_json::json;

use super::{follow, next, script, until};
use crate::support::Site;

const STORE: &str = "
    register('/set', (req) => sharedStorage.setItem(req.query.key, req.query.value), 'POST');
    register('/get', (req) => ({ value: sharedStorage.getItem(req.query.key) }));
    register('/remove', (req) => String(sharedStorage.removeItem(req.query.key)), 'POST');
    register('/clear', () => sharedStorage.clear(), 'POST');";

#[test]
fn shared_storage_survives_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = || {
        let data = folder.path().to_str().expect("a path");
        script(STORE)
            .file("scripts/other.js", "register('/other', () => ({ value: sharedStorage.getItem('a') }));")
            .arg("--data")
            .arg(data)
    };
    let mut host = site().serve();
    assert_eq!(host.get("/get?key=a").json()["value"], json!(null));
    assert_eq!(host.request("POST", "/set?key=a&value=1").send().text(), "Item 'a' stored");
    host.request("POST", "/set?key=b&value=2").send();
    assert_eq!(host.get("/get?key=a").json()["value"], "1");
    // Each script has values of its own.
    assert_eq!(host.get("/other").json()["value"], json!(null));
    host.signal("KILL");
    host.ended();

    let host = site().serve();
    assert_eq!(host.get("/get?key=a").json()["value"], "1");
    assert_eq!(host.request("POST", "/remove?key=a").send().text(), "true");
    assert_eq!(host.get("/get?key=a").json()["value"], json!(null));
    host.request("POST", "/clear").send();
    assert_eq!(host.get("/get?key=b").json()["value"], json!(null));
}

#[test]
fn personal_storage_belongs_to_the_visitor() {
    let host = script(
        "register('/set', (req) => personalStorage.setItem('name', req.query.name), 'POST');
         register('/get', () => ({ name: personalStorage.getItem('name') }));
         let outside;
         try { personalStorage.getItem('name'); } catch (error) { outside = error.message; }
         register('/outside', () => outside);",
    )
    .serve();
    let cookie = |name: &str| {
        let answer = host.request("POST", &format!("/set?name={name}")).send();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let cookie = answer.header("set-cookie").expect("a cookie").to_owned();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        cookie.split(';').next().expect("a value").to_owned()
    };
    let (ann, bob) = (cookie("ann"), cookie("bob"));
    for (cookie, name) in [(&ann, "ann"), (&bob, "bob")] {
        let answer = host.request("GET", "/get").header("cookie", cookie).send();
        assert_eq!((answer.json()["name"].clone(), answer.header("set-cookie")), (json!(name), None));
    }
    assert_eq!(host.get("/get").json()["name"], json!(null));
    assert!(host.get("/outside").text().contains("while a request is handled"));
}

#[test]
fn schedules_run_their_handlers() {
    let host = script(
        "let ticks = 0, once = 0, names = [];
         function init() {
           registerWebStream('/ticks');
           schedulerService.registerRecurring({ handler: 'tick', intervalMilliseconds: 100, name: 'ticker' });
           schedulerService.registerOnce({ handler: 'single', runAt: new Date(Date.now() + 50).toISOString() });
         }
         function tick(context) { sendStreamMessage({ tick: ++ticks, kind: context.kind, name: context.schedule.name }); }
         function single() { once += 1; }
         register('/once', () => String(once));
         register('/bad', () => {
           try { schedulerService.registerRecurring({ handler: 'tick', intervalMilliseconds: 10 }); }
           catch (error) { return error.message; }
         });",
    )
    .arg("--workers")
    .arg("1")
    .serve();
    let mut events = follow(&host, "/ticks");
    let first = next(&mut events);
    assert_eq!((&first["kind"], &first["name"]), (&json!("scheduled"), &json!("ticker")));
    for n in 1..10 {
        assert_eq!(next(&mut events)["tick"].as_u64(), first["tick"].as_u64().map(|tick| tick + n));
    }
    until("the handler did not run", || host.get("/once").text() == "1");
    assert!(
        host.get("/bad").text().contains("intervalMilliseconds is at least 100"),
        "{}",
        host.get("/bad").text()
    );
}

#[test]
fn of_several_workers_one_runs_a_schedule() {
    let host = script(
        "function init() {
           registerWebStream('/ticks');
           schedulerService.registerRecurring({ handler: 'tick', intervalMilliseconds: 100 });
         }
         function tick(context) { sendStreamMessage({ at: context.scheduledTime }); }",
    )
    .arg("--workers")
    .arg("3")
    .serve();
    let mut events = follow(&host, "/ticks");
    let mut before = 0;
    for _ in 0..10 {
        let at = next(&mut events)["at"].as_u64().expect("a time");
        assert!(at > before, "{at} came twice");
        before = at;
    }
}

#[test]
fn a_handler_of_a_schedule_that_fails_runs_again() {
    let host = script(
        "let runs = 0;
         function init() { schedulerService.registerRecurring({ handler: 'tick', intervalMilliseconds: 100 }); }
         function tick() { runs += 1; throw new Error('tick failed'); }
         register('/runs', () => String(runs));",
    )
    .arg("--workers")
    .arg("1")
    .serve();
    host.log.contains("tick failed");
    until("it ran once", || host.get("/runs").text().parse::<u32>().is_ok_and(|runs| runs >= 2));
}

#[test]
fn scripts_send_each_other_messages() {
    let host = Site::new()
        .file(
            "scripts/a.js",
            "register('/send', () => dispatcher.sendMessage('saved', { id: 7 }));
             register('/loop', () => dispatcher.sendMessage('loop'));
             dispatcher.registerListener('loop', () => dispatcher.sendMessage('loop'));",
        )
        .file(
            "scripts/b.js",
            "let seen = null;
             dispatcher.registerListener('saved', 'broken');
             dispatcher.registerListener('saved', 'saved');
             function broken() { throw new Error('this listener failed'); }
             function saved(context) { seen = [context.kind, context.messageType, context.messageData.id]; }
             register('/seen', () => seen);",
        )
        .arg("--workers")
        .arg("1")
        .serve();
    assert_eq!(host.get("/send").text(), "Message 'saved' sent to 2 listeners");
    assert_eq!(host.get("/seen").json(), json!(["messageListener", "saved", 7]));
    host.log.contains("this listener failed");
    host.get("/loop");
    host.log.contains("32 messages were sent within each other");
}

#[test]
fn fetch_returns_a_string_where_a_script_uses_it_so() {
    let other = script(
        "register('/data', (req) => ({ key: req.headers['x-key'], body: req.body, method: req.method }), 'POST');
         register('/moved', () => ResponseBuilder.redirect('/plain'));
         register('/plain', () => 'plain');",
    )
    .serve();
    let origin = format!("http://{}", other.address());
    let host = Site::new()
        .file(
            "scripts/old.js",
            format!(
                "secretStorage.setSecret('KEY', 'k1');
                 secretStorage.setSecret('SELF', 'a {{{{secret:SELF}}}}');
                 register('/self', () => {{
                   const options = {{ method: 'POST', headers: {{ 'x-key': '{{{{secret:SELF}}}} {{{{secret:KEY}}}}' }}, body: 'b' }};
                   return JSON.parse(fetch('{origin}/data', JSON.stringify(options))).body;
                 }});
                 register('/old', () => {{
                   const options = {{ method: 'POST', headers: {{ 'x-key': 'Bearer {{{{secret:KEY}}}}' }}, body: 'b' }};
                   const answer = JSON.parse(fetch('{origin}/data', JSON.stringify(options)));
                   return {{ status: 200, body: {{ ...answer, body: JSON.parse(answer.body) }} }};
                 }});
                 register('/moved', () => JSON.parse(fetch('{origin}/moved')).body);
                 register('/bad', () => {{ try {{ JSON.parse(fetch('file:///etc/passwd')); }} catch (error) {{ return error.message; }} }});
                 register('/secret', () => String([secretStorage.exists('KEY'), secretStorage.exists('OTHER')]));"
            ),
        )
        .file(
            "scripts/new.js",
            format!("register('/new', async () => (await fetch('{origin}/plain')).text());"),
        )
        .serve();
    let answer = host.get("/old").json();
    assert_eq!((&answer["status"], &answer["ok"]), (&json!(200), &json!(true)));
    assert_eq!(answer["body"], json!({ "key": "Bearer k1", "body": "b", "method": "POST" }));
    assert_eq!(answer["headers"]["content-type"], "application/json");
    assert_eq!(host.get("/self").json()["key"], "a {{secret:SELF}} k1");
    assert_eq!(host.get("/moved").text(), "plain");
    assert!(host.get("/bad").text().contains("no address of http"), "{}", host.get("/bad").text());
    assert_eq!(host.get("/secret").text(), "true,false");
    assert_eq!(host.get("/new").text(), "plain");
}

#[test]
fn a_fetch_that_blocks_is_refused_where_the_network_is() {
    let host = script("register('/x', () => { try { return JSON.parse(fetch('http://127.0.0.1:1/')).body; } catch (error) { return error.name; } });")
        .arg("--deny-net=private")
        .serve();
    assert!(
        host.get("/x").text().contains("NotCapable") || host.get("/x").text().contains("Permission"),
        "{}",
        host.get("/x").text()
    );
}

#[test]
fn tests_of_scripts_run() {
    let host = script(
        "describe('numbers', () => {
           beforeEach(() => {});
           it('adds', () => { expect(1 + 1).toBe(2); assert.equal(2, 2); });
           test('fails', async () => { await null; expect([1]).toContain(2); });
         });
         register('/tests', () => testRegistry.run());",
    )
    .serve();
    let results = host.get("/tests").json();
    assert_eq!(results[0], json!({ "name": "numbers > adds", "ok": true }));
    assert_eq!((&results[1]["name"], &results[1]["ok"]), (&json!("numbers > fails"), &json!(false)));
    assert!(results[1]["error"].as_str().is_some_and(|it| it.contains("to contain 2")), "{results}");
}
