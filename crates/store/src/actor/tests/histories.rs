//! Random histories of one actor, compared with a model: what is committed survives, and nothing else does.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Put(u8, u8),
    Delete(u8),
    DeleteAll,
    Sql(u8),
    SetAlarm(u8),
    DeleteAlarm,
    Savepoint,
    Release,
    RollBackTo,
    Commit,
    /// The turn fails.
    RollBack,
    /// The process ends, or the instance does.
    Restart,
    /// Another actor is used, so that this one's file is closed where it may be.
    Other,
    Bookmark,
    Restore(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0u8..6, any::<u8>()).prop_map(|(key, value)| Step::Put(key, value)),
        3 => (0u8..6).prop_map(Step::Delete),
        1 => Just(Step::DeleteAll),
        4 => any::<u8>().prop_map(Step::Sql),
        2 => any::<u8>().prop_map(Step::SetAlarm),
        1 => Just(Step::DeleteAlarm),
        3 => Just(Step::Savepoint),
        2 => Just(Step::Release),
        2 => Just(Step::RollBackTo),
        6 => Just(Step::Commit),
        1 => Just(Step::RollBack),
        2 => Just(Step::Restart),
        2 => Just(Step::Other),
        1 => Just(Step::Bookmark),
        1 => any::<u8>().prop_map(Step::Restore),
    ];
    proptest::collection::vec(step, 0..60)
}

/// What an actor stores.
#[derive(Debug, Clone, Default, PartialEq)]
struct State {
    keys: BTreeMap<String, Vec<u8>>,
    rows: Vec<i64>,
    alarm: Option<i64>,
}

#[derive(Default)]
struct Model {
    now: State,
    committed: State,
    savepoints: Vec<(Savepoint, State)>,
    /// Bookmarks of committed states.
    bookmarks: Vec<(String, State)>,
    /// The bookmark that the next commit makes.
    pending: Option<String>,
    /// The state with which the next instance begins.
    restore: Option<State>,
}

impl Model {
    /// The storage was used: a bookmark that was requested before has what was written before, which is committed.
    fn used_after_bookmark(&mut self) {
        if self.savepoints.is_empty()
            && let Some(name) = self.pending.take()
        {
            self.committed = self.now.clone();
            self.bookmarks.push((name, self.committed.clone()));
        }
    }
}

fn read(actors: &mut Actors, id: StorageId) -> State {
    let keys = actors.at(id).list(&KeyRange::default()).expect("a list").into_iter().collect();
    let alarm = actors.at(id).get_alarm().expect("an alarm");
    let has_table =
        !actors.at(id).exec("SELECT 1 FROM sqlite_master WHERE name = 't'", &[]).unwrap().rows.is_empty();
    let rows = match has_table {
        false => Vec::new(),
        true => actors.at(id).exec("SELECT n FROM t ORDER BY rowid", &[]).unwrap().rows,
    };
    let number = |row: crate::Row| match row[0] {
        crate::Value::Integer(number) => number,
        _ => panic!("a number"),
    };
    State { keys, rows: rows.into_iter().map(number).collect(), alarm }
}

fn step(
    actors: &mut Actors,
    id: &mut StorageId,
    other: StorageId,
    model: &mut Model,
    clock: i64,
    step: Step,
) {
    let storage = actors.at(*id);
    match step {
        Step::Put(key, value) => {
            storage.put(&key.to_string(), &[value]).unwrap();
            model.now.keys.insert(key.to_string(), vec![value]);
        }
        Step::Delete(key) => {
            let was_there = storage.delete(&key.to_string()).unwrap();
            assert_eq!(was_there, model.now.keys.remove(&key.to_string()).is_some());
        }
        Step::DeleteAll => {
            storage.delete_all(false).unwrap();
            model.now = State { alarm: model.now.alarm, ..State::default() };
        }
        Step::Sql(n) => {
            let sql = "CREATE TABLE IF NOT EXISTS t (n); INSERT INTO t VALUES (?)";
            storage.exec(sql, &[crate::Value::Integer(n.into())]).unwrap();
            model.now.rows.push(n.into());
        }
        Step::SetAlarm(due) => {
            storage.set_alarm(due.into()).unwrap();
            model.now.alarm = Some(due.into());
        }
        Step::DeleteAlarm => {
            storage.delete_alarm().unwrap();
            model.now.alarm = None;
        }
        Step::Savepoint => {
            let savepoint = storage.savepoint(false).unwrap();
            model.savepoints.push((savepoint, model.now.clone()));
        }
        Step::Release => {
            if let Some((savepoint, _)) = model.savepoints.pop() {
                storage.release(savepoint).unwrap();
            }
        }
        Step::RollBackTo => {
            if let Some((savepoint, state)) = model.savepoints.pop() {
                storage.rollback_to(savepoint).unwrap();
                model.now = state;
            }
        }
        Step::Commit => {
            if let Some(commit) = storage.commit().unwrap() {
                let alarm = commit.alarm;
                // In a savepoint it is a commit from before a bookmark, with the alarm of then.
                let is_now = model.savepoints.is_empty();
                assert!(!is_now || alarm.is_none_or(|alarm| alarm == model.now.alarm));
                actors.sync(commit).unwrap();
            }
            if model.savepoints.is_empty() {
                model.committed = model.now.clone();
                let made = model.pending.take().map(|name| (name, model.committed.clone()));
                model.bookmarks.extend(made);
            }
        }
        Step::RollBack => {
            storage.rollback();
            model.savepoints.clear();
            model.now = model.committed.clone();
        }
        Step::Restart => {
            *id = actors.restart(*id, "a");
            model.savepoints.clear();
            model.pending = None;
            if let Some(state) = model.restore.take() {
                model.committed = state;
            }
            model.now = model.committed.clone();
        }
        Step::Other => drop(actors.at(other).put("k", b"v")),
        Step::Bookmark => {
            let name = storage.current_bookmark(clock).unwrap();
            if !model.bookmarks.iter().any(|(known, _)| *known == name) {
                model.pending = Some(name);
            }
        }
        Step::Restore(n) => {
            let Some((name, state)) =
                model.bookmarks.get(usize::from(n) % model.bookmarks.len().max(1)).cloned()
            else {
                return;
            };
            let undo = storage.restore_at_next_open(&name, clock).unwrap();
            if !model.bookmarks.iter().any(|(known, _)| *known == undo) {
                model.pending = Some(undo);
            }
            model.restore = Some(state);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_history_keeps_what_is_committed_and_nothing_else(steps in steps()) {
        let snapshots = SnapshotLimits { most: 1000, age: Duration::MAX, every: None, ..SnapshotLimits::default() };
        let mut actors = Actors::with(StoreOptions { open_files: 1, snapshots, ..StoreOptions::default() });
        let (mut id, other) = (actors.start("a"), actors.start("other"));
        let mut model = Model::default();
        for (clock, next) in steps.into_iter().enumerate() {
            let shown = format!("{next:?}");
            step(&mut actors, &mut id, other, &mut model, clock as i64, next);
            prop_assert_eq!(read(&mut actors, id), model.now.clone(), "after {}", shown);
            model.used_after_bookmark();
        }
        let index = actors.store.alarms().all().unwrap();
        let indexed = index.iter().find(|alarm| alarm.address == room("a")).map(|alarm| alarm.due);
        prop_assert!(model.committed.alarm.is_none() || indexed == model.committed.alarm);
    }
}
