//! Topics by examples: `input_result`.

use super::*;

pub(super) fn name(text: &str) -> TopicName {
    text.parse().unwrap()
}

pub(super) fn topics() -> Topics {
    Topics::new(TopicLimits::default(), Settings::default(), Millis(1_000_000))
}

fn publish(topics: &mut Topics, topic: &str, data: &'static str) -> Position {
    topics.publish(&name(topic), Publication::of(data.into())).unwrap().id
}

fn take(topics: &mut Topics, id: SubscriberId) -> Vec<String> {
    let mut deliveries = Vec::new();
    while topics.take(id, 1000, &mut deliveries) == Taken::Some {}
    deliveries
        .into_iter()
        .map(|delivery| match delivery {
            Delivery::Message(message) => String::from_utf8_lossy(&message.data).into_owned(),
            Delivery::Gap(Gap { missed, .. }) => {
                format!("gap {}", missed.map_or("?".into(), |n| n.to_string()))
            }
        })
        .collect()
}

fn keeps(messages: usize) -> Settings {
    Settings { keep: Keep { messages, ..Settings::default().keep }, ..Settings::default() }
}

fn woken(topics: &mut Topics) -> Vec<SubscriberId> {
    let wakes = topics.actions().filter_map(|action| match action {
        TopicAction::Wake(id) => Some(id),
        TopicAction::Store(_) => None,
    });
    wakes.collect()
}

#[test]
fn publish_wakes_each_subscriber_once() {
    let mut topics = topics();
    let id = topics.subscribe(Subscribe::to(name("/a"))).unwrap();
    assert!(take(&mut topics, id).is_empty());
    publish(&mut topics, "/a", "1");
    publish(&mut topics, "/a", "2");
    assert_eq!(woken(&mut topics), [id]);
    assert_eq!(take(&mut topics, id), ["1", "2"]);
    publish(&mut topics, "/b", "3");
    assert!(woken(&mut topics).is_empty());
}

#[test]
fn subscribe_after_an_id_continues_behind_it() {
    let mut topics = topics();
    let first = publish(&mut topics, "/a", "1");
    publish(&mut topics, "/a", "2");
    let from = From::After(first);
    let id = topics.subscribe(Subscribe { from, ..Subscribe::to(name("/a")) }).unwrap();
    assert_eq!(take(&mut topics, id), ["2"]);
}

#[test]
fn subscribe_after_an_id_that_is_not_kept_has_a_gap() {
    let mut topics = topics();
    topics.configure(&name("/a"), keeps(2)).unwrap();
    let first = publish(&mut topics, "/a", "1");
    for data in ["2", "3", "4", "5"] {
        publish(&mut topics, "/a", data);
    }
    for (from, gap) in [(first, "gap 2"), (Position { epoch: 7, offset: 1 }, "gap ?")] {
        let from = From::After(from);
        let id = topics.subscribe(Subscribe { from, ..Subscribe::to(name("/a")) }).unwrap();
        assert_eq!(take(&mut topics, id), [gap, "4", "5"]);
    }
}

#[test]
fn subscribe_to_patterns_merges_topics_in_order() {
    let mut topics = topics();
    publish(&mut topics, "users.saved", "1");
    let to = Target::Patterns(vec!["users.*".parse().unwrap(), "orders.*".parse().unwrap()]);
    let subscribe = |from| Subscribe { to: to.clone(), from, ..Subscribe::to(name("x")) };
    let id = topics.subscribe(subscribe(From::Now)).unwrap();
    publish(&mut topics, "orders.new", "2");
    publish(&mut topics, "users.saved", "3");
    publish(&mut topics, "users.list.state", "x");
    publish(&mut topics, "orders.new", "4");
    assert_eq!(take(&mut topics, id), ["2", "3", "4"]);

    let second = topics.latest(&name("users.saved")).unwrap().shared_id;
    let resumed = topics.subscribe(subscribe(From::After(second))).unwrap();
    assert_eq!(take(&mut topics, resumed), ["4"]);
    let unknown = From::After(Position { epoch: 1, offset: 1 });
    let unknown = topics.subscribe(subscribe(unknown)).unwrap();
    assert_eq!(take(&mut topics, unknown), ["gap ?", "1", "2", "3", "4"]);
}

#[test]
fn slow_subscriber_misses_the_oldest_with_notice_or_ends() {
    let mut topics = topics();
    let budget = Budget { messages: 4, bytes: u64::MAX };
    let subscribe = |slow| Subscribe { slow, budget, ..Subscribe::to(name("/a")) };
    let ids =
        [Slow::DropOldest, Slow::Latest, Slow::Close].map(|slow| topics.subscribe(subscribe(slow)).unwrap());
    for data in ["1", "2", "3", "4", "5"] {
        publish(&mut topics, "/a", data);
    }
    assert_eq!(take(&mut topics, ids[0]), ["gap 3", "4", "5"]);
    assert_eq!(take(&mut topics, ids[1]), ["5"]);
    assert_eq!(topics.take(ids[2], 1000, &mut Vec::new()), Taken::Ended(End::Slow));
    assert_eq!(topics.stats().missed, 3);
}

#[test]
fn latest_topic_coalesces_and_greets() {
    let mut topics = topics();
    let settings = Settings { is_latest: true, ..Settings::default() };
    topics.configure(&name("/cursor"), settings).unwrap();
    let early = topics.subscribe(Subscribe::to(name("/cursor"))).unwrap();
    for data in ["1", "2", "3"] {
        publish(&mut topics, "/cursor", data);
    }
    let late = topics.subscribe(Subscribe::to(name("/cursor"))).unwrap();
    assert_eq!(take(&mut topics, early), ["3"]);
    assert_eq!(take(&mut topics, late), ["3"]);
}

#[test]
fn retained_value_comes_first_and_once() {
    let mut topics = topics();
    let retained =
        topics.publish(&name("/a"), Publication { retains: true, ..Publication::of("r".into()) }).unwrap();
    publish(&mut topics, "/a", "2");
    let mut follow = |from| {
        let id = topics.subscribe(Subscribe { from, ..Subscribe::to(name("/a")) }).unwrap();
        take(&mut topics, id)
    };
    assert_eq!(follow(From::Now), ["r"]);
    assert_eq!(follow(From::Start), ["r", "2"]);
    assert_eq!(follow(From::After(retained.id)), ["2"]);
}

#[test]
fn filters_and_origins_decide_who_receives() {
    let mut topics = topics();
    let metadata: Metadata = [("room".into(), "a".into())].into();
    let in_room = topics.subscribe(Subscribe { metadata, ..Subscribe::to(name("/a")) }).unwrap();
    let sender = topics.subscribe(Subscribe { origin: Some(9), ..Subscribe::to(name("/a")) }).unwrap();
    assert!(take(&mut topics, in_room).is_empty() && take(&mut topics, sender).is_empty());
    let filter = Filter { metadata: [("room".into(), "b".into())].into(), mode: FilterMode::Subset };
    let publication = Publication { filter: Some(filter), origin: Some(9), ..Publication::of("x".into()) };
    assert_eq!(topics.publish(&name("/a"), publication).unwrap().subscribers, 0);
    assert!(woken(&mut topics).is_empty());
    publish(&mut topics, "/a", "y");
    assert_eq!(take(&mut topics, in_room), ["y"]);
    assert_eq!(take(&mut topics, sender), ["y"]);
}

#[test]
fn publish_twice_is_answered_with_the_first_id() {
    let mut topics = topics();
    let keyed = |topics: &mut Topics| {
        topics.publish(&name("/a"), Publication { key: Some("k"), ..Publication::of("1".into()) }).unwrap()
    };
    let first = keyed(&mut topics);
    publish(&mut topics, "/a", "2");
    let again = keyed(&mut topics);
    assert_eq!((again.id, again.is_duplicate), (first.id, true));

    let producer = Producer { id: "p".into(), epoch: 0, sequence: 0 };
    let numbered = |topics: &mut Topics| {
        let producer = Some(producer.clone());
        topics.publish(&name("/a"), Publication { producer, ..Publication::of("3".into()) }).unwrap()
    };
    let first = numbered(&mut topics);
    publish(&mut topics, "/a", "4");
    assert_eq!(numbered(&mut topics).id, first.id);
    assert_eq!(topics.read(&name("/a"), From::Start, 1 << 20).unwrap().messages.len(), 4);
}

/// Whoever reads may make topics by their names, and must not push out what others have said.
#[test]
fn topics_that_hold_nothing_make_room_first() {
    let limits = TopicLimits { topics: 4, ..TopicLimits::default() };
    let mut topics = Topics::new(limits, Settings::default(), Millis(0));
    publish(&mut topics, "/said", "1");
    let waiting = topics.subscribe(Subscribe::to(name("/waiting"))).unwrap();
    for n in 1..100 {
        topics.at(Millis(n));
        let reader = topics.subscribe(Subscribe::to(name(&format!("/read/{n}")))).unwrap();
        topics.unsubscribe(reader);
    }
    assert!(topics.exists(&name("/said")));
    assert!(topics.exists(&name("/read/98")) && topics.exists(&name("/read/99")));
    assert_eq!(topics.stats().topics, 4);
    publish(&mut topics, "/waiting", "2");
    assert_eq!(take(&mut topics, waiting), ["2"]);

    // What readers had made is used, and then left with a message.
    publish(&mut topics, "/read/98", "3");
    let reader = topics.subscribe(Subscribe::to(name("/read/100"))).unwrap();
    topics.unsubscribe(reader);
    assert!(topics.exists(&name("/read/98")) && !topics.exists(&name("/read/99")));
    topics.delete(&name("/read/100")).unwrap();
    topics.subscribe(Subscribe::to(name("/read/101"))).unwrap();
    assert!(topics.exists(&name("/said")));
    // Where none is blank, one with messages goes.
    topics.subscribe(Subscribe::to(name("/read/102"))).unwrap();
    assert!(!topics.exists(&name("/said")));
}

#[test]
fn topics_that_are_continued_or_configured_make_no_room() {
    let limits = TopicLimits { topics: 1, ..TopicLimits::default() };
    let mut topics = Topics::new(limits, Settings::default(), Millis(0));
    topics.ensure(&name("/s")).unwrap();
    let request = ForkRequest { source: name("/s"), at: None, sub_offset: 0 };
    let create = Create { fork: Some(request), ..Create::default() };
    let refused = topics.create(&name("/f"), create).err();
    assert_eq!(refused, Some(TopicError::TooMany { what: "topics", limit: 1 }));
    assert!(topics.exists(&name("/s")));
    topics.ensure(&name("/other")).unwrap();
    assert!(!topics.exists(&name("/s")));

    let limits = TopicLimits { topics: 2, ..TopicLimits::default() };
    let mut topics = Topics::new(limits, Settings::default(), Millis(0));
    topics.configure(&name("/own"), keeps(1)).unwrap();
    topics.ensure(&name("/read")).unwrap();
    topics.ensure(&name("/read/too")).unwrap();
    assert!(topics.exists(&name("/own")) && !topics.exists(&name("/read")));
}

#[test]
fn rates_and_limits_refuse_without_effect() {
    let limits = TopicLimits { topics: 2, subscribers: 1, message: 10, ..TopicLimits::default() };
    let mut topics = Topics::new(limits, Settings::default(), Millis(0));
    let settings = Settings { rate: Some(Rate::per_second(1.0)), ..Settings::default() };
    topics.configure(&name("/a"), settings).unwrap();
    publish(&mut topics, "/a", "1");
    let refused = topics.publish(&name("/a"), Publication::of("2".into()));
    assert_eq!(refused, Err(TopicError::Rate { retry_after: 1000 }));
    let refused = topics.publish(&name("/b"), Publication::of("01234567890".into()));
    assert!(matches!(refused, Err(TopicError::TooLarge { .. })), "{refused:?}");
    topics.subscribe(Subscribe::to(name("/a"))).unwrap();
    let refused = topics.subscribe(Subscribe::to(name("/a")));
    assert!(matches!(refused, Err(TopicError::TooMany { what: "subscribers", .. })), "{refused:?}");
    // The one that nobody uses makes room; the one with a subscriber does not.
    publish(&mut topics, "/b", "1");
    publish(&mut topics, "/c", "1");
    assert!(topics.info(&name("/a")).is_ok() && topics.info(&name("/b")).is_err());
}

#[test]
fn bytes_in_sum_are_limited() {
    let limits = TopicLimits { bytes: 10_000, ..TopicLimits::default() };
    let mut topics = Topics::new(limits, Settings::default(), Millis(0));
    for n in 0..1000 {
        let topic = if n % 2 == 0 { "/a" } else { "/b" };
        publish(&mut topics, topic, "0123456789");
        assert!(topics.stats().bytes <= 10_000, "{n}");
    }
}

#[test]
fn time_removes_topics_that_nobody_uses() {
    let mut topics = topics();
    publish(&mut topics, "/a", "1");
    let id = topics.subscribe(Subscribe::to(name("/a"))).unwrap();
    topics.at(Millis(1_000_000 + 3_600_000));
    topics.tick();
    assert_eq!(topics.stats().topics, 1);
    topics.unsubscribe(id);
    let at = topics.next_deadline().unwrap();
    topics.at(at);
    topics.tick();
    assert_eq!((topics.stats().topics, topics.stats().bytes), (0, 0));
    assert_eq!(topics.next_deadline(), None);
}

#[test]
fn close_ends_subscribers_after_the_last_message() {
    let mut topics = topics();
    let id = topics.subscribe(Subscribe::to(name("/a"))).unwrap();
    let last = Publication { closes: true, ..Publication::of("last".into()) };
    topics.publish(&name("/a"), last).unwrap();
    let mut deliveries = Vec::new();
    assert_eq!(topics.take(id, 1000, &mut deliveries), Taken::Ended(End::Closed));
    assert_eq!(deliveries.len(), 1);
    let refused = topics.publish(&name("/a"), Publication::of("more".into()));
    assert!(matches!(refused, Err(TopicError::Closed { .. })), "{refused:?}");
}

#[test]
fn fork_has_the_messages_of_its_source_and_keeps_them() {
    let mut topics = topics();
    let create = Create { media_type: Some("text/plain"), entries: vec!["one".into()], ..Create::default() };
    topics.create(&name("/s"), create).unwrap();
    topics.publish(&name("/s"), Publication::of("two".into())).unwrap();
    let at = topics.read(&name("/s"), From::Start, 1).unwrap().next;
    let request = ForkRequest { source: name("/s"), at: Some(at), sub_offset: 2 };
    let create = Create { fork: Some(request), ..Create::default() };
    assert!(topics.create(&name("/f"), create.clone()).unwrap().is_new);
    assert!(!topics.create(&name("/f"), create).unwrap().is_new);
    topics.delete(&name("/s")).unwrap();
    assert_eq!(topics.info(&name("/s")), Err(TopicError::Deleted));
    let read = topics.read(&name("/f"), From::Start, 1000).unwrap();
    let texts: Vec<_> = read.messages.iter().map(|message| &message.data[..]).collect();
    assert_eq!(texts, [b"one".as_slice(), b"tw"]);
    topics.delete(&name("/f")).unwrap();
    assert_eq!(topics.info(&name("/s")), Err(TopicError::Unknown));
    assert_eq!(topics.stats().bytes, 0);
}

#[test]
fn message_is_encoded_for_each_wire() {
    let mut topics = topics();
    let publication =
        Publication { event: Some("saved"), retains: true, ..Publication::of("{\"a\":1}".into()) };
    topics.publish(&name("/a"), publication).unwrap();
    let message = topics.latest(&name("/a")).unwrap();
    let text = |encoding| String::from_utf8_lossy(message.encoded(encoding)).into_owned();
    let (id, shared) = (message.id, message.shared_id);
    assert_eq!(text(Encoding::Event), format!("event: saved\nid: {id}\ndata: {{\"a\":1}}\n\n"));
    let wire = "{\"topic\":\"/a\",\"event\":\"saved\",\"data\":{\"a\":1},\"retain\":true}";
    assert_eq!(text(Encoding::SharedEvent), format!("event: saved\nid: {shared}\ndata: {wire}\n\n"));
    assert!(text(Encoding::SocketFrame).contains(&format!("\"id\":\"{id}\"")));
    assert!(message.state_frame().as_str().contains("\"body\":{\"a\":1}"));
    assert!(std::ptr::eq(message.encoded(Encoding::Event), message.encoded(Encoding::Event)));
}

#[test]
fn restore_continues_what_was_kept() {
    let mut topics = topics();
    topics.keep_changes();
    let first = publish(&mut topics, "/a", "1");
    let keyed = Publication { key: Some("k"), retains: true, ..Publication::of("2".into()) };
    let second = topics.publish(&name("/a"), keyed.clone()).unwrap();
    let (mut heads, mut messages, mut epoch) = (Vec::new(), Vec::new(), None);
    for action in topics.actions() {
        match action {
            TopicAction::Store(Change::Hub { epoch: known }) => epoch = Some(known),
            TopicAction::Store(Change::Head(head)) => heads.push(*head),
            TopicAction::Store(Change::Append(message)) => messages.push(KeptMessage {
                offset: message.id.offset,
                shared: message.shared_id.offset,
                event: None,
                key: message.key.clone(),
                data: message.data.clone(),
                is_retained: message.is_retained,
                ends_batch: message.ends_batch,
                filter: None,
            }),
            other => panic!("{other:?}"),
        }
    }
    let head = heads.pop().unwrap();
    let mut restored = Topics::new(TopicLimits::default(), Settings::default(), Millis(2_000_000));
    restored.restore(epoch, vec![Kept { head, messages, producers: Vec::new() }]);
    assert_eq!(restored.publish(&name("/a"), keyed).unwrap().id, second.id);
    let id = restored.subscribe(Subscribe { from: From::After(first), ..Subscribe::to(name("/a")) }).unwrap();
    assert_eq!(take(&mut restored, id), ["2"]);
    let third = restored.publish(&name("/a"), Publication::of("3".into())).unwrap().id;
    assert_eq!((third.epoch, third.offset), (first.epoch, 3));
}

#[test]
fn publish_while_the_store_is_full_is_refused() {
    let mut topics = topics();
    topics.set_store_full(true);
    let refused = topics.publish(&name("/a"), Publication::of("1".into()));
    assert_eq!(refused, Err(TopicError::Full));
    topics.set_store_full(false);
    publish(&mut topics, "/a", "1");
}

#[test]
fn topic_that_only_wildcards_match_is_removed_like_one_without_subscribers() {
    let mut topics = topics();
    let patterns =
        |texts: &[&str]| Target::Patterns(texts.iter().map(|text| text.parse().unwrap()).collect());
    let follow = |topics: &mut Topics, texts: &[&str], from| {
        let subscribe = Subscribe { to: patterns(texts), from, ..Subscribe::to(name("x")) };
        topics.subscribe(subscribe).unwrap()
    };
    let all = follow(&mut topics, &["*"], From::Now);
    let named = follow(&mut topics, &["a.*", "a.named"], From::Now);
    for topic in ["a.named", "a.other"] {
        publish(&mut topics, topic, "1");
    }
    let last = topics.shared;
    topics.at(Millis(1_000_000 + 3_600_000));
    topics.tick();
    assert!(topics.exists(&name("a.named")) && !topics.exists(&name("a.other")));
    // A subscriber that continues from before is informed, since the messages are not kept any more.
    let late = follow(&mut topics, &["*"], From::After(Position { offset: last.offset - 1, ..last }));
    assert_eq!(take(&mut topics, late)[0], "gap ?");
    topics.unsubscribe(named);
    topics.at(Millis(1_000_000 + 2 * 3_600_000));
    topics.tick();
    assert!(!topics.exists(&name("a.named")));
    // One that follows all of them also follows a topic that begins again.
    take(&mut topics, all);
    publish(&mut topics, "a.other", "2");
    assert_eq!(take(&mut topics, all), ["2"]);
}

#[test]
fn sign_of_life_keeps_a_connection_and_is_unknown_after_its_end() {
    let (mut topics, room) = (topics(), name("room"));
    assert!(!topics.alive(&room, 1), "there is no topic");
    let times = PresenceTimes { grace: 0, expiry: Some(100) };
    topics.enter(&room, 1, "ann", "1".into(), Some(times)).unwrap();
    topics.at(Millis(1_000_090));
    assert!(topics.alive(&room, 1));
    assert!(!topics.alive(&room, 2), "it has not entered");
    topics.at(Millis(1_000_189));
    topics.tick();
    assert_eq!(topics.members(&room).len(), 1);
    topics.at(Millis(1_000_190));
    topics.tick();
    assert!(topics.members(&room).is_empty());
    assert!(!topics.alive(&room, 1), "it was lost");
}
