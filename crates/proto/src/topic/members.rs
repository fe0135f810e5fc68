//! The members of topics, and the messages that announce their changes.

use std::sync::Arc;

use super::{PresenceChange, PresenceTimes, Publication, TopicError, TopicName, Topics};

impl Topics {
    /// A connection enters a topic for a member. A topic that does not exist is created. Subscribers of
    /// [`TopicName::of_presence`] are informed.
    ///
    /// # Errors
    ///
    /// As [`Topics::ensure`].
    pub fn enter(
        &mut self,
        name: &TopicName,
        connection: u64,
        member: &str,
        data: bytes::Bytes,
        times: Option<PresenceTimes>,
    ) -> Result<(), TopicError> {
        let key = self.existing_or_new(name)?;
        let times = times.unwrap_or(self.topics[key].settings.presence);
        let changes = self.topics[key].presence.enter(connection, member, data, times, self.now);
        self.announce(name, changes);
        self.arm(key);
        Ok(())
    }

    /// A connection gave a sign of life. Returns whether it is present.
    pub fn alive(&mut self, name: &TopicName, connection: u64) -> bool {
        let Some(&key) = self.by_name.get(name) else { return false };
        let is_known = self.topics[key].presence.alive(connection, self.now);
        self.arm(key);
        is_known
    }

    /// A connection leaves a topic on purpose, or was lost.
    pub fn leave(&mut self, name: &TopicName, connection: u64, is_lost: bool) {
        let Some(&key) = self.by_name.get(name) else { return };
        let presence = &mut self.topics[key].presence;
        let change = match is_lost {
            true => presence.lost(connection, self.now),
            false => presence.leave(connection),
        };
        self.announce(name, change);
        self.used(key);
        self.arm(key);
    }

    /// Who is present, with JSON about each.
    pub fn members(&self, name: &TopicName) -> Vec<(Arc<str>, bytes::Bytes)> {
        let Some(&key) = self.by_name.get(name) else { return Vec::new() };
        let members = self.topics[key].presence.members();
        members.map(|(member, data)| (member.clone(), data.clone())).collect()
    }

    pub(super) fn announce(&mut self, name: &TopicName, changes: impl IntoIterator<Item = PresenceChange>) {
        let topic = name.of_presence();
        for change in changes {
            if !self.by_name.contains_key(&topic) {
                // Nobody follows it.
                return;
            }
            let data = serde_json::from_slice::<&serde_json::value::RawValue>(&change.data).ok();
            let text = serde_json::json!({ "type": change.kind.name(), "id": &*change.member });
            let mut text = text.to_string();
            if let Some(data) = data {
                text.pop();
                text.push_str(",\"data\":");
                text.push_str(data.get());
                text.push('}');
            }
            // A full hub loses the notice, not the change.
            let _ = self.publish(&topic, Publication::of(text.into()));
        }
    }
}
