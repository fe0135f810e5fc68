//! Properties of random histories of topics, in virtual time: order, no gap without notice, no duplicate after a
//! resume, bounded memory, and presence that converges.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;

use super::tests::name;
use super::*;

const NAMES: [&str; 3] = ["room.a", "room.b", "other"];
const MEMBERS: [&str; 3] = ["ann", "bob", "cy"];

#[derive(Debug, Clone)]
enum Step {
    Publish {
        topic: usize,
        key: Option<u8>,
        large: bool,
        retains: bool,
        filtered: bool,
    },
    Subscribe {
        client: usize,
        topic: Option<usize>,
        slow: Slow,
    },
    /// The connection of a client is cut; it subscribes again behind what it has received.
    Cut {
        client: usize,
    },
    Take {
        client: usize,
        bytes: usize,
    },
    Pass {
        milliseconds: u64,
    },
    Enter {
        connection: u64,
        member: usize,
        data: u8,
    },
    Lose {
        connection: u64,
    },
    Leave {
        connection: u64,
    },
    Delete {
        topic: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let slow = prop_oneof![Just(Slow::DropOldest), Just(Slow::DropOldest), Just(Slow::Close)];
    prop_oneof![
        8 => (0..3usize, prop::option::weighted(0.3, 0..8u8), any::<bool>(), prop::bool::weighted(0.1), prop::bool::weighted(0.2))
            .prop_map(|(topic, key, large, retains, filtered)| Step::Publish { topic, key, large, retains, filtered }),
        2 => (0..4usize, prop::option::of(0..3usize), slow)
            .prop_map(|(client, topic, slow)| Step::Subscribe { client, topic, slow }),
        3 => (0..4usize).prop_map(|client| Step::Cut { client }),
        6 => (0..4usize, 1..2000usize).prop_map(|(client, bytes)| Step::Take { client, bytes }),
        1 => (0..3000u64).prop_map(|milliseconds| Step::Pass { milliseconds }),
        2 => (0..5u64, 0..3usize, 0..3u8).prop_map(|(connection, member, data)| Step::Enter { connection, member, data }),
        1 => (0..5u64).prop_map(|connection| Step::Lose { connection }),
        1 => (0..5u64).prop_map(|connection| Step::Leave { connection }),
        1 => (0..3usize).prop_map(|topic| Step::Delete { topic }),
    ]
}

/// A client, and what it has received.
struct Client {
    id: SubscriberId,
    subscribe: Subscribe,
    /// The last id, on which it resumes.
    last: Option<Position>,
    /// The last shared number, which only increases.
    shared: u64,
    /// Messages published so far that it has to receive or to miss with notice.
    owed: BTreeSet<u64>,
    /// It was informed of a gap since.
    has_gap: bool,
}

/// The history of one run.
struct World {
    topics: Topics,
    now: Millis,
    clients: HashMap<usize, Client>,
    /// The first shared number of each key in a topic and life of the topic.
    keys: HashMap<(Position, u8), Position>,
    presence: BTreeMap<String, u64>,
    watcher: SubscriberId,
    watched: TopicName,
}

impl World {
    fn new() -> World {
        let now = Millis(1000);
        let limits = TopicLimits { bytes: 40_000, ..TopicLimits::default() };
        let keep = Keep { messages: 20, bytes: 20_000, refuses: false };
        let settings = Settings { keep, idle: 100_000_000, ..Settings::default() };
        let mut topics = Topics::new(limits, settings, now);
        let watched = name("watched");
        let watcher = topics.subscribe(Subscribe::to(watched.of_presence())).unwrap();
        World {
            topics,
            now,
            clients: HashMap::new(),
            keys: HashMap::new(),
            presence: BTreeMap::new(),
            watcher,
            watched,
        }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Publish { topic, key, large, retains, filtered } => {
                self.publish(topic, key, large, retains, filtered);
            }
            Step::Subscribe { client, topic, slow } => self.subscribe(client, topic, slow),
            Step::Cut { client } => self.cut(client),
            Step::Take { client, bytes } => self.take(client, bytes),
            Step::Pass { milliseconds } => {
                self.now = self.now.plus(milliseconds);
                self.topics.at(self.now);
                self.topics.tick();
            }
            Step::Enter { connection, member, data } => {
                let data = data.to_string().into();
                self.topics.enter(&self.watched, connection, MEMBERS[member], data, None).unwrap();
            }
            Step::Lose { connection } => self.topics.leave(&self.watched, connection, true),
            Step::Leave { connection } => self.topics.leave(&self.watched, connection, false),
            Step::Delete { topic } => self.delete(topic),
        }
        assert!(self.topics.stats().bytes <= 40_000);
        self.watch();
    }

    fn publish(&mut self, topic: usize, key: Option<u8>, large: bool, retains: bool, filtered: bool) {
        let data = if large { "\"0123456789\"".repeat(30) } else { "1".into() };
        let text = key.map(|key| key.to_string());
        let metadata = [("who".into(), "nobody".into())].into();
        let filter = filtered.then_some(Filter { metadata, mode: FilterMode::Subset });
        let publication = Publication {
            key: text.as_deref(),
            retains,
            filter,
            ..Publication::of(data.into_bytes().into())
        };
        let topic = name(NAMES[topic]);
        let published = self.topics.publish(&topic, publication).unwrap();
        if let Some(key) = key {
            let life = Position { epoch: published.id.epoch, offset: 0 };
            if published.is_duplicate {
                assert_eq!(self.keys[&(life, key)], published.id);
            } else {
                self.keys.insert((life, key), published.id);
            }
        }
        if published.is_duplicate {
            return;
        }
        let shared = self.topics.latest(&topic).unwrap().shared_id.offset;
        for client in self.clients.values_mut() {
            let follows = match &client.subscribe.to {
                Target::Topic(one) => *one == topic,
                Target::Patterns(patterns) => patterns.iter().any(|pattern| pattern.matches(&topic)),
            };
            if follows && (!filtered || client.subscribe.metadata.is_empty()) {
                client.owed.insert(shared);
            }
        }
    }

    fn subscribe(&mut self, client: usize, topic: Option<usize>, slow: Slow) {
        if let Some(before) = self.clients.remove(&client) {
            self.topics.unsubscribe(before.id);
        }
        let to = match topic {
            Some(topic) => Target::Topic(name(NAMES[topic])),
            None => Target::Patterns(vec!["room.*".parse().unwrap()]),
        };
        let metadata = if client == 0 { [("who".into(), "me".into())].into() } else { Metadata::new() };
        let budget = Budget { messages: 10, bytes: 8000 };
        let subscribe =
            Subscribe { to, metadata, slow, budget, wants_retained: false, ..Subscribe::to(name("unused")) };
        let id = self.topics.subscribe(subscribe.clone()).unwrap();
        let client_state =
            Client { id, subscribe, last: None, shared: 0, owed: BTreeSet::new(), has_gap: false };
        self.clients.insert(client, client_state);
    }

    fn cut(&mut self, client: usize) {
        let Some(client) = self.clients.get_mut(&client) else { return };
        self.topics.unsubscribe(client.id);
        let from = match client.last {
            Some(last) => From::After(last),
            // It has received nothing, so it has no id.
            None => {
                client.owed.clear();
                From::Now
            }
        };
        client.id = self.topics.subscribe(Subscribe { from, ..client.subscribe.clone() }).unwrap();
    }

    fn take(&mut self, number: usize, bytes: usize) {
        let Some(client) = self.clients.get_mut(&number) else { return };
        let shares = matches!(client.subscribe.to, Target::Patterns(_));
        let mut deliveries = Vec::new();
        let taken = self.topics.take(client.id, bytes, &mut deliveries);
        for delivery in deliveries {
            match delivery {
                Delivery::Gap(gap) => {
                    client.has_gap = true;
                    client.last = Some(gap.next);
                }
                Delivery::Message(message) => {
                    let shared = message.shared_id.offset;
                    assert!(
                        shared > client.shared,
                        "a duplicate, or out of order: {shared} after {}",
                        client.shared
                    );
                    client.shared = shared;
                    let missed = client.owed.range(..shared).count();
                    assert!(missed == 0 || client.has_gap, "{missed} messages are missing without notice");
                    client.owed.retain(|owed| *owed > shared);
                    client.last = Some(if shares { message.shared_id } else { message.id });
                    // In a merge, a notice is for one of the topics, and messages of others may still come.
                    client.has_gap &= shares;
                }
            }
        }
        match taken {
            Taken::Some => {}
            Taken::All => {
                assert!(client.owed.is_empty() || client.has_gap, "{:?} were not delivered", client.owed);
                client.owed.clear();
            }
            Taken::Ended(End::Slow) => {
                assert_eq!(client.subscribe.slow, Slow::Close);
                self.clients.remove(&number);
            }
            Taken::Ended(_) => {
                self.clients.remove(&number);
            }
        }
    }

    fn delete(&mut self, topic: usize) {
        let topic = name(NAMES[topic]);
        if self.topics.delete(&topic).is_err() {
            return;
        }
        // What it owed is gone with it, and ids of its life are unknown.
        for client in self.clients.values_mut() {
            client.owed.clear();
        }
        self.clients.retain(|_, client| match &client.subscribe.to {
            Target::Topic(one) if *one == topic => {
                self.topics.unsubscribe(client.id);
                false
            }
            _ => true,
        });
    }

    /// What a page would show that follows the presence.
    fn watch(&mut self) {
        let mut deliveries = Vec::new();
        while self.topics.take(self.watcher, 10_000, &mut deliveries) == Taken::Some {}
        for delivery in deliveries {
            let Delivery::Message(message) = delivery else { panic!("the watcher is not slow") };
            let change: serde_json::Value = serde_json::from_slice(&message.data).unwrap();
            let member = change["id"].as_str().unwrap().to_owned();
            match change["type"].as_str().unwrap() {
                "join" => assert!(self.presence.insert(member, change["data"].as_u64().unwrap()).is_none()),
                "update" => assert!(self.presence.insert(member, change["data"].as_u64().unwrap()).is_some()),
                "leave" => assert!(self.presence.remove(&member).is_some()),
                other => panic!("{other}"),
            }
        }
        let known: BTreeMap<String, u64> = self
            .topics
            .members(&self.watched)
            .into_iter()
            .map(|(member, data)| (member.to_string(), serde_json::from_slice(&data).unwrap()))
            .collect();
        assert_eq!(known, self.presence);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn histories(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in steps {
            world.run(step);
        }
        // In the end everybody has everything, and everybody leaves.
        for client in 0..4 {
            for _ in 0..100 {
                world.take(client, 1000);
            }
        }
        for connection in 0..5 {
            world.topics.leave(&world.watched, connection, true);
        }
        world.run(Step::Pass { milliseconds: 10_000 });
        prop_assert!(world.presence.is_empty());
    }
}
