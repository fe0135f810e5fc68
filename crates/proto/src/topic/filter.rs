//! Which subscribers receive a message: their metadata against the message's.

use std::collections::BTreeMap;

/// What is known of a subscriber, or what a message is about.
pub type Metadata = BTreeMap<Box<str>, Box<str>>;

/// The metadata of a message, and how it is compared.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Filter {
    /// What the message is about.
    pub metadata: Metadata,
    /// How it is compared with a subscriber's metadata.
    pub mode: FilterMode,
}

/// How the metadata of a subscriber and of a message are compared. A subscriber without metadata receives everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum FilterMode {
    /// The message has every key of the subscriber, with the same value.
    Subset,
    /// The keys that both have are equal.
    Overlap,
}

impl Filter {
    /// Whether a subscriber with this metadata receives the message.
    pub fn admits(&self, subscriber: &Metadata) -> bool {
        subscriber.iter().all(|(key, value)| match self.metadata.get(key) {
            Some(known) => known == value,
            None => self.mode == FilterMode::Overlap,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(pairs: &[(&str, &str)]) -> Metadata {
        pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
    }

    #[test]
    fn filter_truth_table() {
        let subscribers =
            [metadata(&[]), metadata(&[("room", "a")]), metadata(&[("room", "a"), ("user", "1")])];
        let messages = [
            (metadata(&[("room", "a")]), [true, true, false], [true, true, true]),
            (metadata(&[("room", "a"), ("user", "1")]), [true, true, true], [true, true, true]),
            (metadata(&[("room", "b")]), [true, false, false], [true, false, false]),
            (metadata(&[]), [true, false, false], [true, true, true]),
        ];
        for (message, subset, overlap) in messages {
            for (mode, expected) in [(FilterMode::Subset, subset), (FilterMode::Overlap, overlap)] {
                let filter = Filter { metadata: message.clone(), mode };
                let admitted = subscribers.each_ref().map(|subscriber| filter.admits(subscriber));
                assert_eq!(admitted, expected, "{message:?} {mode:?}");
            }
        }
    }
}
