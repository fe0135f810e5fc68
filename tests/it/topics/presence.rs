//! Who is present at a topic.

use serde_json::{Value, json};

use super::{follow, next, publish, site};

const ROOM: &str = r#"
topic("/room", { grace: 0 });
export default (event, next) => {
  if (next.stepname === "publish") return next();
  const query = event.url.searchParams;
  if (query.has("members")) return topic("/room").presence.members;
  if (query.has("watch")) return topic("/room").presence;
  return topic("/room").stream({ member: { id: query.get("id"), data: { name: query.get("name") } } });
};"#;

#[test]
fn a_member_is_present_while_it_has_a_connection() {
    let host = site(ROOM).serve();
    let mut watcher = follow(&host, "/?watch", &[]);
    let change = |watcher: &mut _| -> (Value, Value) {
        let change = next(watcher);
        (change["type"].clone(), change["id"].clone())
    };
    let tabs = [follow(&host, "/?id=ann&name=Ann", &[]), follow(&host, "/?id=ann&name=Ann", &[])];
    assert_eq!(change(&mut watcher), (json!("join"), json!("ann")));
    let (socket, _) = host.dial("/?id=bob&name=Bob").upgrade().expect("a socket");
    assert_eq!(change(&mut watcher), (json!("join"), json!("bob")));
    let members =
        json!([{ "id": "ann", "data": { "name": "Ann" } }, { "id": "bob", "data": { "name": "Bob" } }]);
    assert_eq!(host.get("/?members").json(), members);

    // The first of two tabs closes, which nobody notices; then a socket without a word.
    let [first, second] = tabs;
    drop(first);
    drop(socket);
    assert_eq!(change(&mut watcher), (json!("leave"), json!("bob")));
    drop(second);
    assert_eq!(change(&mut watcher), (json!("leave"), json!("ann")));
    assert_eq!(host.get("/?members").json(), json!([]));
}

#[test]
fn a_handler_may_keep_a_member_present() {
    let host = site(
        r#"topic("/room", { grace: 0 });
        export default async (event, next) => {
          if (next.stepname === "publish") return next();
          const { presence } = topic("/room");
          const here = presence.enter("ann", { n: 1 });
          presence.enter("bob");
          const before = presence.members.map(({ id }) => id);
          const alive = here.alive();
          here.leave();
          return [before, alive, here.alive(), presence.members.map(({ id }) => id)];
        };"#,
    )
    .serve();
    assert_eq!(host.get("/").json(), json!([["ann", "bob"], true, false, ["bob"]]));
    publish(&host, "/room", &json!(0));
}
