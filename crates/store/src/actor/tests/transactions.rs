//! The transaction of a turn, savepoints, open files and owners.

use super::*;

#[test]
fn what_is_not_committed_is_rolled_back() {
    let mut actors = Actors::new();
    let id = actors.start("a");
    actors.at(id).put("kept", b"1").unwrap();
    actors.commit(id);
    actors.at(id).put("lost", b"2").unwrap();
    actors.at(id).exec("CREATE TABLE lost (a)", &[]).unwrap();
    actors.at(id).rollback();
    assert_eq!(texts(actors.at(id).list(&KeyRange::default()).unwrap()), ["kept"]);
    actors.at(id).put("lost", b"2").unwrap();
    let id = actors.restart(id, "a");
    assert_eq!(texts(actors.at(id).list(&KeyRange::default()).unwrap()), ["kept"]);
}

#[test]
fn savepoints_end_in_order_and_hold_the_commit_back() {
    let mut actors = Actors::new();
    let id = actors.start("a");
    let outer = actors.at(id).savepoint(false).unwrap();
    actors.at(id).put("outer", b"").unwrap();
    let inner = actors.at(id).savepoint(false).unwrap();
    actors.at(id).put("inner", b"").unwrap();
    assert!(matches!(actors.at(id).release(outer), Err(StorageError::Misuse(_))));
    assert!(!actors.commit(id), "a savepoint is open");
    actors.at(id).rollback_to(inner).unwrap();
    assert!(matches!(actors.at(id).release(inner), Err(StorageError::Misuse(_))));
    assert_eq!(texts(actors.at(id).list(&KeyRange::default()).unwrap()), ["outer"]);
    actors.at(id).release(outer).unwrap();
    assert!(actors.commit(id));
    let id = actors.restart(id, "a");
    assert_eq!(texts(actors.at(id).list(&KeyRange::default()).unwrap()), ["outer"]);
}

#[test]
fn what_was_written_before_a_transaction_over_turns_is_committed_without_it() {
    let mut actors = Actors::new();
    let id = actors.start("a");
    actors.at(id).put("before", b"").unwrap();
    assert!(actors.at(id).holds_outputs());
    let savepoint = actors.at(id).savepoint(true).unwrap();
    actors.at(id).put("inside", b"").unwrap();
    assert!(!actors.at(id).holds_outputs(), "its end may wait for outputs");
    assert!(actors.commit(id), "what was written before");
    assert!(!actors.commit(id), "a savepoint is open");
    actors.at(id).release(savepoint).unwrap();
    assert!(actors.at(id).holds_outputs());
    let id = actors.restart(id, "a");
    assert_eq!(texts(actors.at(id).list(&KeyRange::default()).unwrap()), ["before"]);
}

#[test]
fn a_bounded_number_of_files_is_open() {
    let mut actors = Actors::with(StoreOptions { open_files: 4, ..StoreOptions::default() });
    let ids: Vec<_> = (0..30).map(|n| actors.start(&n.to_string())).collect();
    let in_transaction = ids[0];
    actors.at(in_transaction).put("round", b"open").unwrap();
    for round in 0..3u8 {
        for id in &ids[1..] {
            assert_eq!(actors.at(*id).get("round").unwrap(), round.checked_sub(1).map(|it| vec![it]));
            actors.at(*id).put("round", &[round]).unwrap();
            actors.commit(*id);
            assert!(actors.files.open() <= 6, "{}", actors.files.open());
        }
    }
    actors.commit(in_transaction);
    assert_eq!(actors.at(in_transaction).get("round").unwrap().as_deref(), Some(&b"open"[..]));
}

#[test]
fn a_turn_commits_every_actor_that_has_written() {
    let mut actors = Actors::new();
    let (a, b, c) = (actors.start("a"), actors.start("b"), actors.start("c"));
    actors.at(a).put("k", b"1").unwrap();
    actors.at(b).put("k", b"2").unwrap();
    actors.at(c).get("k").unwrap();
    let commits = actors.files.commit_all();
    assert_eq!(commits.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [a, b]);
    let tickets: Vec<_> = commits.iter().map(|(_, commit)| commit.as_ref().unwrap().ticket).collect();
    assert!(tickets[0] < tickets[1]);
    for (_, commit) in commits {
        actors.sync(commit.unwrap()).unwrap();
    }
    assert!(actors.files.commit_all().is_empty());
}

#[test]
fn an_older_owner_cannot_write() {
    let mut actors = Actors::new();
    let old = actors.start("a");
    actors.at(old).put("k", b"old").unwrap();
    actors.commit(old);
    actors.at(old).put("k", b"older").unwrap();
    let mut other = actors.store.files();
    assert!(other.start(room("a"), 0).is_err(), "a token that is not newer");
    let new = other.start(room("a"), 100).unwrap();
    assert!(matches!(actors.at(old).put("k", b"x"), Err(StorageError::NotOwner(_))));
    assert!(matches!(actors.at(old).commit(), Err(StorageError::NotOwner(_))));
    actors.files.stop(old);
    other.storage(new).unwrap().put("k", b"new").unwrap();
    assert!(other.storage(new).unwrap().commit().unwrap().is_some());
    assert_eq!(other.storage(new).unwrap().get("k").unwrap().as_deref(), Some(&b"new"[..]));
}

#[test]
fn facets_have_files_of_their_own() {
    let mut actors = Actors::new();
    let id = actors.start("a");
    let facet = actors.files.start_facet(id, "child/1").unwrap();
    actors.at(id).put("k", b"parent").unwrap();
    actors.at(facet).put("k", b"facet").unwrap();
    actors.commit(id);
    actors.commit(facet);
    assert!(matches!(actors.at(facet).set_alarm(1), Err(StorageError::Misuse(_))));
    assert!(actors.files.delete_facet(id, "child/1").is_err(), "it runs");
    actors.files.stop(facet);
    let facet = actors.files.start_facet(id, "child/1").unwrap();
    assert_eq!(actors.at(facet).get("k").unwrap().as_deref(), Some(&b"facet"[..]));
    actors.files.stop(facet);
    actors.files.delete_facet(id, "child/1").unwrap();
    let facet = actors.files.start_facet(id, "child/1").unwrap();
    assert_eq!(actors.at(facet).get("k").unwrap(), None);
    assert_eq!(actors.at(id).get("k").unwrap().as_deref(), Some(&b"parent"[..]));
}

#[test]
fn callbacks_come_when_commits_are_durable_and_in_order_for_each_actor() {
    let mut actors = Actors::new();
    let (done, results) = mpsc::channel();
    let ids: Vec<_> = (0..5).map(|n| actors.start(&n.to_string())).collect();
    let mut sent = 0;
    for round in 0..40 {
        for id in &ids {
            actors.at(*id).put("round", &[round]).unwrap();
            let commit = actors.at(*id).commit().unwrap().expect("a write");
            let (done, id, ticket) = (done.clone(), *id, commit.ticket);
            actors.store.sync(commit, move |synced| drop(done.send((id, ticket, synced))));
            sent += 1;
        }
    }
    let mut last = std::collections::HashMap::new();
    for _ in 0..sent {
        let (id, ticket, synced) = results.recv_timeout(Duration::from_secs(60)).expect("a callback");
        synced.unwrap();
        assert!(last.insert(id, ticket).is_none_or(|before| before < ticket));
    }
}

#[test]
fn a_large_wal_is_moved_into_the_file() {
    let mut actors = Actors::new();
    let id = actors.start("a");
    for round in 0..40 {
        actors.at(id).put(&format!("{}", round % 4), &[round; 400_000]).unwrap();
        actors.commit(id);
    }
    let file = room("a").file(actors.store.folder());
    let bytes = std::fs::metadata(durability::wal_of(&file)).unwrap().len();
    assert!(bytes < 9 << 20, "{bytes} bytes of 16 MB that were written");
}
