//! Where the file of an actor is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::StorageError;

/// Bytes that a part of a path may have: what file systems allow, less the endings that are added.
const MAX_PART: usize = 200;

/// How deep facets may lie in each other.
const MAX_FACETS: usize = 8;

/// An actor's class and id; for a facet also its names, from the outermost to its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    class: Arc<str>,
    id: Arc<str>,
    facets: Vec<Arc<str>>,
}

impl Address {
    /// The actor of a class.
    ///
    /// # Errors
    ///
    /// - [`StorageError::Misuse`]: a name is empty.
    /// - [`StorageError::Limit`]: a name has more than 200 bytes as the name of a file, in which each byte counts once
    ///   if it is an ASCII letter, a digit, `_`, `-` or `$`, and three times otherwise.
    pub fn new(class: &str, id: &str) -> Result<Address, StorageError> {
        file_part(class)?;
        file_part(id)?;
        Ok(Address { class: class.into(), id: id.into(), facets: Vec::new() })
    }

    /// The facet of this name, whose file is in a folder of this actor.
    ///
    /// # Errors
    ///
    /// - [`StorageError::Misuse`]: the name is empty.
    /// - [`StorageError::Limit`]: the name has more than 200 bytes as the name of a file, in which each byte counts
    ///   once if it is an ASCII letter, a digit, `_`, `-` or `$`, and three times otherwise; or facets lie in each
    ///   other more than 8 deep.
    pub fn facet(&self, name: &str) -> Result<Address, StorageError> {
        file_part(name)?;
        if self.facets.len() == MAX_FACETS {
            return Err(StorageError::Limit(format!(
                "facets may lie at most {MAX_FACETS} deep in each other"
            )));
        }
        let facets = self.facets.iter().cloned().chain([name.into()]).collect();
        Ok(Address { facets, ..self.clone() })
    }

    /// The name of the class.
    pub fn class(&self) -> &str {
        &self.class
    }

    /// The id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether it is a facet of an actor. Facets have no alarm.
    pub fn is_facet(&self) -> bool {
        !self.facets.is_empty()
    }

    /// The actor's own file, in the folder of all actors.
    pub(super) fn file(&self, folder: &Path) -> PathBuf {
        self.with_ending(folder, "sqlite")
    }

    /// The folder of the files of its facets.
    pub(super) fn facets_folder(&self, folder: &Path) -> PathBuf {
        self.with_ending(folder, "facets")
    }

    /// The folder of its snapshots.
    pub(super) fn snapshots(&self, folder: &Path) -> PathBuf {
        self.with_ending(folder, "snapshots")
    }

    /// The file that names the bookmark to restore before the actor's file is opened the next time.
    pub(super) fn restore(&self, folder: &Path) -> PathBuf {
        self.with_ending(folder, "restore")
    }

    fn with_ending(&self, folder: &Path, ending: &str) -> PathBuf {
        let mut path = folder.join(encode(&self.class));
        let mut name = encode(&self.id);
        for facet in &self.facets {
            path.push(format!("{name}.facets"));
            name = encode(facet);
        }
        path.push(format!("{name}.{ending}"));
        path
    }

    /// The actor whose file this is, where the path is one of an actor without facets.
    pub(super) fn of_file(folder: &Path, file: &Path) -> Option<Address> {
        let mut parts = file.strip_prefix(folder).ok()?.iter();
        let (class, name) = (parts.next()?.to_str()?, parts.next()?.to_str()?);
        let id = name.strip_suffix(".sqlite")?;
        let address = Address::new(&decode(class)?, &decode(id)?).ok()?;
        (parts.next().is_none() && address.file(folder) == file).then_some(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.class, self.id)?;
        self.facets.iter().try_for_each(|facet| write!(f, " / {facet}"))
    }
}

fn file_part(name: &str) -> Result<(), StorageError> {
    if name.is_empty() {
        return Err(StorageError::Misuse("the name of an actor, its class or a facet is empty".to_owned()));
    }
    if encode(name).len() > MAX_PART {
        let shown = &name[..name.floor_char_boundary(40)];
        return Err(StorageError::Limit(format!(
            "the name `{shown}...` is too long for the name of a file, which has at most {MAX_PART} bytes"
        )));
    }
    Ok(())
}

/// The name with every byte that is not a letter, a digit, `_`, `-` or `$` as `%` and two digits.
fn encode(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'$' => text.push(char::from(byte)),
            other => text.push_str(&format!("%{other:02x}")),
        }
    }
    text
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if first == '%' {
            bytes.push(u8::from_str_radix(rest.get(1..3)?, 16).ok()?);
            rest = &rest[3..];
        } else {
            bytes.extend(first.encode_utf8(&mut [0; 4]).bytes());
            rest = &rest[first.len_utf8()..];
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_never_leave_the_folder() {
        let folder = Path::new("/data/actors");
        for (class, id) in [("..", "../x"), ("a/b", "."), ("Room", "\0"), ("R\u{e4}ume", "a.sqlite")] {
            let address = Address::new(class, id).unwrap().facet("../up").unwrap();
            let file = address.file(folder);
            assert!(file.iter().all(|part| part != ".." && part != "."), "{file:?}");
            assert!(file.starts_with(folder));
        }
        assert!(Address::new("", "x").is_err());
        assert!(Address::new("Room", &"x".repeat(201)).is_err());
    }

    #[test]
    fn an_address_is_found_by_its_file() {
        let folder = Path::new("/data/actors");
        for (class, id) in [("Room", "00ff"), ("a/b", "\u{e4}.sqlite")] {
            let address = Address::new(class, id).unwrap();
            assert_eq!(Address::of_file(folder, &address.file(folder)), Some(address.clone()));
            assert_eq!(Address::of_file(folder, &address.facet("f").unwrap().file(folder)), None);
        }
        assert_eq!(Address::of_file(folder, Path::new("/data/actors/alarms.sqlite")), None);
    }
}
