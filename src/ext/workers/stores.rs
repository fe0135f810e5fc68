//! The files of D1 databases, KV namespaces and queues: each is opened when it is first used.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use liveline_store::bindings::{D1Database, KvNamespace, Queues};
use liveline_store::{ResultBudget, SqlError};
use tokio::sync::Notify;

/// The stores of a project. Clones share them.
#[derive(Clone)]
pub(crate) struct Stores(Arc<Shared>);

struct Shared {
    /// The folder of all files.
    folder: PathBuf,
    results: ResultBudget,
    databases: Opened<D1Database>,
    namespaces: Opened<KvNamespace>,
    queues: Opened<Queues>,
    /// Notified when messages are sent or settled, and when a generation begins to consume queues.
    changed: Notify,
}

/// Open files by name.
struct Opened<T>(Mutex<HashMap<String, T>>);

impl<T> Default for Opened<T> {
    fn default() -> Opened<T> {
        Opened(Mutex::default())
    }
}

impl<T: Clone> Opened<T> {
    fn get(&self, name: &str, open: impl FnOnce() -> Result<T, SqlError>) -> Result<T, SqlError> {
        let mut opened = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = opened.get(name) {
            return Ok(found.clone());
        }
        let new = open()?;
        opened.insert(name.to_owned(), new.clone());
        Ok(new)
    }
}

impl Stores {
    /// In a folder, which is made with the first file.
    pub(crate) fn new(folder: PathBuf, results: ResultBudget) -> Stores {
        let (databases, namespaces, queues, changed) = Default::default();
        Stores(Arc::new(Shared { folder, results, databases, namespaces, queues, changed }))
    }

    // A file is opened on the isolate's thread, once in the life of the process: calls that wait for another thread to
    // open it would reach the file in another order than that in which they were made.

    pub(super) fn database(&self, id: &str) -> Result<D1Database, SqlError> {
        let Shared { folder, results, databases, .. } = &*self.0;
        databases.get(id, || D1Database::open(&folder.join("d1").join(file_name(id)), results))
    }

    pub(super) fn namespace(&self, id: &str) -> Result<KvNamespace, SqlError> {
        let Shared { folder, results, namespaces, .. } = &*self.0;
        namespaces.get(id, || KvNamespace::open(&folder.join("kv").join(file_name(id)), results))
    }

    pub(super) fn queues(&self) -> Result<Queues, SqlError> {
        let Shared { folder, results, queues, .. } = &*self.0;
        queues.get("", || Queues::open(&folder.join("queues.sqlite"), results))
    }

    pub(super) fn changed(&self) -> &Notify {
        &self.0.changed
    }
}

/// The name of the file of an id. Other characters than those of usual ids are written as numbers.
fn file_name(id: &str) -> String {
    let mut name = String::new();
    for byte in id.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
            byte => name.push_str(&format!("%{byte:02x}")),
        }
    }
    format!("{name}.sqlite")
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn ids_are_names_of_files() {
        assert_eq!(file_name("a1b2-c3_D"), "a1b2-c3_D.sqlite");
        assert_eq!(file_name("../x y"), "%2e%2e%2fx%20y.sqlite");
    }
}
