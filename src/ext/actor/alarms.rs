//! The alarms of all actors: those that were set before the process began, and the ones that are given up.

use super::directory::Actors;
use crate::clock::unix_time;
use liveline_proto::actor::ActorId;

/// Milliseconds since 1970.
pub(super) fn now() -> i64 {
    unix_time().as_millis() as i64
}

pub(super) fn log_given_up(actor: &ActorId) {
    tracing::error!(
        "{actor}: the alarm has failed too often. It stays in the actor's file, and is tried again when the code changes \
         or the process starts"
    );
}

impl Actors {
    /// Reads the alarms that were set before. Those that are known already stay as they are.
    pub(super) fn load_alarms(&self) {
        let Some(Ok(store)) = self.existing_store() else { return };
        let all = match store.alarms().all() {
            Ok(all) => all,
            Err(error) => return tracing::error!("the alarms of actors cannot be read: {error}"),
        };
        self.engine(|engine| {
            for alarm in all {
                match ActorId::parse(alarm.address.class(), alarm.address.id()) {
                    Ok(actor) => engine.load_alarm(&actor, alarm.due),
                    Err(error) => tracing::warn!("the alarm of {} is left out: {error}", alarm.address),
                }
            }
        });
    }
}
