//! The databases of a project, by the paths of their files.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};

use super::{Database, ResultBudget, SqlError};

/// All databases of the server. Clones share them. Each one is open while it is used.
#[derive(Clone)]
pub struct Databases(Arc<Shared>);

/// The folders in which databases may be.
#[derive(Debug, Clone)]
pub struct Location {
    /// The file of the default database; without one it is in memory.
    pub default: Option<PathBuf>,
    /// The folder that paths are relative to and do not leave.
    pub root: PathBuf,
    /// The folder of static files, in which no database may be.
    pub public: Option<PathBuf>,
}

struct Shared {
    location: Location,
    results: ResultBudget,
    default: Mutex<Option<Database>>,
    /// Further databases that are open, by path.
    files: Mutex<HashMap<PathBuf, Weak<Database>>>,
}

impl Databases {
    /// No database is opened yet. `results` limits the results of all of them together.
    pub fn new(location: Location, results: ResultBudget) -> Databases {
        Databases(Arc::new(Shared { location, results, default: Mutex::default(), files: Mutex::default() }))
    }

    /// The limits of results, and the bytes that they take.
    pub fn results(&self) -> &ResultBudget {
        &self.0.results
    }

    /// The default database. It is opened by the first call and stays open.
    ///
    /// # Errors
    ///
    /// The codes of [`Database::open`] if the file cannot be opened; the next call tries again.
    pub fn default(&self) -> Result<Database, SqlError> {
        let mut default = lock(&self.0.default);
        if let Some(database) = &*default {
            return Ok(database.clone());
        }
        let database = Database::open(self.0.location.default.as_deref(), &self.0.results)?;
        Ok(default.insert(database).clone())
    }

    /// The files of the default database and of all others that are open.
    pub fn files(&self) -> Vec<PathBuf> {
        let open = lock(&self.0.files);
        let open =
            open.iter().filter(|(_, database)| database.strong_count() > 0).map(|(path, _)| path.clone());
        self.0.location.default.iter().cloned().chain(open).collect()
    }

    /// The database of a file inside the project, or for `:memory:` a new one in memory. Every call for the same file
    /// returns the same database, which closes when the last caller drops it.
    ///
    /// # Errors
    ///
    /// - `SQLITE_CANTOPEN`: the path is absolute or has `..`, its name has no extension, its folder does not exist, or
    ///   the file, symbolic links resolved, lies outside of [`Location::root`] or in [`Location::public`].
    /// - The codes of [`Database::open`] if the file cannot be opened.
    pub fn open(&self, path: &str) -> Result<Arc<Database>, SqlError> {
        if path == ":memory:" {
            return Ok(Arc::new(Database::open(None, &self.0.results)?));
        }
        let path = self.0.location.resolve(path)?;
        let mut files = lock(&self.0.files);
        if let Some(database) = files.get(&path).and_then(Weak::upgrade) {
            return Ok(database);
        }
        let database = Arc::new(Database::open(Some(&path), &self.0.results)?);
        files.retain(|_, database| database.strong_count() > 0);
        files.insert(path, Arc::downgrade(&database));
        Ok(database)
    }
}

impl Location {
    /// The file of a relative path, symbolic links resolved.
    fn resolve(&self, path: &str) -> Result<PathBuf, SqlError> {
        let refuse = |why: &str| SqlError::new("SQLITE_CANTOPEN", format!("the database \"{path}\": {why}"));
        let relative = Path::new(path);
        if !relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Err(refuse("its path has to be relative and to stay in the project"));
        }
        let Some(name) = relative.file_name().filter(|_| relative.extension().is_some()) else {
            return Err(refuse("its name needs an extension, such as posts.sqlite"));
        };
        let whole = self.root.join(relative);
        let folder = whole.parent().unwrap_or(&self.root);
        let folder = folder.canonicalize().map_err(|error| refuse(&format!("its folder: {error}")))?;
        let file = folder.join(name);
        let file = match file.canonicalize() {
            Ok(file) => file,
            Err(_) if file.is_symlink() => return Err(refuse("it is a link that leads nowhere")),
            Err(_) => file,
        };
        if !file.starts_with(&self.root) {
            return Err(refuse("its path leaves the project"));
        }
        if self.public.as_ref().is_some_and(|public| file.starts_with(public)) {
            return Err(refuse("it would lie in the folder of static files, for everybody to read"));
        }
        Ok(file)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while databases are looked up")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(opened: Result<Arc<Database>, SqlError>) -> Option<&'static str> {
        opened.err().map(|error| error.code)
    }

    #[test]
    fn paths_stay_in_the_project_and_out_of_what_is_public() {
        let folder = tempfile::tempdir().expect("a folder");
        let outside = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("a real folder");
        std::fs::create_dir_all(root.join("public")).expect("a folder");
        let public = Some(root.join("public"));
        let databases =
            Databases::new(Location { default: None, root: root.clone(), public }, ResultBudget::default());

        for path in
            ["../a.sqlite", "/a.sqlite", "x/../../a.sqlite", "public/a.sqlite", "plain", "", "no/a.sqlite"]
        {
            assert_eq!(code_of(databases.open(path)), Some("SQLITE_CANTOPEN"), "{path}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(outside.path(), root.join("away")).expect("a link");
            assert_eq!(code_of(databases.open("away/a.sqlite")), Some("SQLITE_CANTOPEN"));
            let target = outside.path().join("not-yet.sqlite");
            std::os::unix::fs::symlink(&target, root.join("link.sqlite")).expect("a link");
            assert_eq!(code_of(databases.open("link.sqlite")), Some("SQLITE_CANTOPEN"));
            assert!(!target.exists(), "SQLite follows links to files that are not there yet");
        }
        assert_eq!(code_of(databases.open("./a.sqlite")), None);
        assert!(root.join("a.sqlite").is_file());
        drop(outside);
    }

    #[test]
    fn one_file_is_one_database() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("a real folder");
        let databases =
            Databases::new(Location { default: None, root, public: None }, ResultBudget::default());

        let one = databases.open("a.sqlite").expect("a database");
        let same = databases.open("./a.sqlite").expect("a database");

        assert!(Arc::ptr_eq(&one, &same));
    }
}
