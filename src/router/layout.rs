//! The folders of a project, found once from the folder on the command line.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

/// The folders of one application. All paths are canonical.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The folder that was given: a project, or the routes folder itself.
    pub root: PathBuf,
    /// What code may be imported from: the nearest folder from `root` up that has a `package.json`, else `root`.
    pub project: PathBuf,
    /// The folder whose handlers answer `/`.
    pub routes: PathBuf,
    /// The folder of static files. Never a route segment, even when it lies inside `routes`.
    pub public: Option<PathBuf>,
    /// Whether the folders in `routes` are routes. They are not where wrangler's configuration names the code.
    pub has_tree: bool,
    /// wrangler's configuration, if the project has one.
    pub wrangler: Option<PathBuf>,
    /// The environment of that configuration that is chosen.
    pub environment: Option<String>,
    /// The file that was given in place of a folder: a program that listens itself.
    pub entry: Option<PathBuf>,
}

/// Why a folder cannot be served.
#[derive(Debug, Error)]
pub(crate) enum LayoutError {
    /// The folder does not exist.
    #[error("there is no folder `{}`: check the path", .0.display())]
    Missing(PathBuf),
    /// It is not a folder.
    #[error("`{}` is not a folder: give the folder, not a file in it", .0.display())]
    NotAFolder(PathBuf),
    /// The operating system refused.
    #[error("cannot read the folder `{}`: {source}", .path.display())]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Webflo's file has a setting that is not supported.
    #[error("{}: {reason}", .path.display())]
    Webflo {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The static files would include the handlers' source.
    #[error(
        "`{}` cannot be public: it shows the source of the routes in `{}`; name a folder of static files",
        .public.display(),
        .routes.display()
    )]
    PublicHoldsRoutes {
        /// The folder of static files.
        public: PathBuf,
        /// The routes folder inside it.
        routes: PathBuf,
    },
}

/// Webflo's `layout.json`: folders, relative to the project's.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", default)]
struct Webflo {
    public_dir: Option<String>,
    server_dir: Option<String>,
    client_dir: Option<String>,
    worker_dir: Option<String>,
    views_dir: Option<String>,
}

impl Webflo {
    /// The path of the file in a project.
    const FILE: &str = ".webqit/webflo/layout.json";

    fn read(root: &Path) -> Result<Webflo, LayoutError> {
        let path = root.join(Webflo::FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Webflo::default()),
            Err(source) => return Err(LayoutError::Unreadable { path, source }),
        };
        let wrong = |reason: String| LayoutError::Webflo { path: path.clone(), reason };
        let read: Webflo = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let named = [
            ("SERVER_DIR", &read.server_dir),
            ("CLIENT_DIR", &read.client_dir),
            ("WORKER_DIR", &read.worker_dir),
            ("VIEWS_DIR", &read.views_dir),
            ("PUBLIC_DIR", &read.public_dir),
        ];
        let clean = |folder: &String| -> PathBuf {
            Path::new(folder).components().filter(|it| *it != Component::CurDir).collect()
        };
        for (name, folder) in named {
            let leads_out = folder.as_ref().is_some_and(|folder| {
                Path::new(folder)
                    .components()
                    .any(|it| !matches!(it, Component::Normal(_) | Component::CurDir))
            });
            if leads_out {
                return Err(wrong(format!("{name} is no folder of the project")));
            }
        }
        let server = read.server_dir.as_ref().map_or(PathBuf::from("app"), clean);
        for (name, folder) in &named[1..4] {
            if folder.as_ref().is_some_and(|folder| clean(folder) != server) {
                return Err(wrong(format!(
                    "{name} is another folder than SERVER_DIR; one folder holds all handlers and pages"
                )));
            }
        }
        Ok(read)
    }
}

impl Layout {
    /// Finds the folders of `dir`: a project when it has `app/`, else a routes folder. Webflo's `layout.json` may name
    /// others.
    ///
    /// Either way `dir/public` holds the static files if it exists and `public` names no other folder.
    pub(crate) fn find(dir: &Path, public: Option<&Path>) -> Result<Layout, LayoutError> {
        let entry = program(dir);
        let root = readable_folder(entry.as_deref().and_then(Path::parent).unwrap_or(dir))?;
        let webflo = Webflo::read(&root)?;
        let routes = match (root.join("app"), &webflo.server_dir) {
            (_, Some(folder)) => readable_folder(&root.join(folder))?,
            (app, None) if app.is_dir() => readable_folder(&app)?,
            _ => root.clone(),
        };
        let usual = root.join(webflo.public_dir.as_deref().unwrap_or("public"));
        let public = match (public, usual) {
            (Some(named), _) => Some(readable_folder(named)?),
            (None, usual) if usual.is_dir() => Some(readable_folder(&usual)?),
            (None, _) => None,
        };
        match public {
            Some(public) if routes.starts_with(&public) => {
                Err(LayoutError::PublicHoldsRoutes { public, routes })
            }
            public => {
                let wrangler = wrangler_file(&root);
                let has_tree = wrangler.is_none() || routes != root;
                let (project, environment) = (project_of(&root).to_owned(), None);
                Ok(Layout { project, root, routes, public, has_tree, wrangler, environment, entry })
            }
        }
    }
}

/// The names of wrangler's configuration; the first that exists is read.
const WRANGLER: [&str; 3] = ["wrangler.json", "wrangler.jsonc", "wrangler.toml"];

/// wrangler's configuration of a project: the one that a build names in `.wrangler/deploy/config.json`, else its own.
fn wrangler_file(root: &Path) -> Option<PathBuf> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Redirect {
        config_path: PathBuf,
    }
    let folder = root.join(".wrangler/deploy");
    let text = fs::read_to_string(folder.join("config.json")).ok();
    let redirect = text.and_then(|text| serde_json::from_str::<Redirect>(&text).ok());
    let built = redirect.and_then(|redirect| folder.join(redirect.config_path).canonicalize().ok());
    built.or_else(|| WRANGLER.iter().map(|name| root.join(name)).find(|file| file.is_file()))
}

/// The file that a path names, if it is a program and no handler of another dialect.
fn program(path: &Path) -> Option<PathBuf> {
    let path = path.canonicalize().ok().filter(|path| path.is_file())?;
    let extension = path.extension()?.to_str()?;
    let is_script = ["js", "mjs", "cjs", "ts", "mts", "cts"].contains(&extension);
    let is_handler = path.file_stem().is_some_and(|stem| stem == "handler");
    (is_script && !is_handler).then_some(path)
}

fn project_of(root: &Path) -> &Path {
    root.ancestors().find(|folder| folder.join("package.json").is_file()).unwrap_or(root)
}

fn readable_folder(path: &Path) -> Result<PathBuf, LayoutError> {
    let canonical = path.canonicalize().map_err(|source| refusal(path, source))?;
    fs::read_dir(&canonical).map_err(|source| refusal(path, source))?;
    Ok(canonical)
}

fn refusal(path: &Path, source: io::Error) -> LayoutError {
    let path = path.to_path_buf();
    match source.kind() {
        io::ErrorKind::NotFound => LayoutError::Missing(path),
        io::ErrorKind::NotADirectory => LayoutError::NotAFolder(path),
        _ => LayoutError::Unreadable { path, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn folders(names: &[&str]) -> (TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        let root = dir.path().canonicalize().unwrap();
        (dir, root)
    }

    #[test]
    fn find_project_routes_are_in_app() {
        let (_dir, root) = folders(&["app", "public"]);
        let layout = Layout::find(&root, None).unwrap();
        assert_eq!(layout.routes, root.join("app"));
        assert_eq!(layout.public, Some(root.join("public")));
        assert_eq!(layout.root, root);
    }

    #[test]
    fn find_no_app_folder_is_the_routes() {
        let (_dir, root) = folders(&["public", "products"]);
        let layout = Layout::find(&root, None).unwrap();
        assert_eq!(layout.routes, root);
        assert_eq!(layout.public, Some(root.join("public")));
    }

    #[test]
    fn find_the_project_is_where_the_package_is_described() {
        let (_dir, root) = folders(&["site/app", "lone"]);
        fs::write(root.join("site/package.json"), "{}").unwrap();
        let project = |folder: &str| Layout::find(&root.join(folder), None).unwrap().project;
        assert_eq!(
            [project("site"), project("site/app"), project("lone")],
            ["site", "site", "lone"].map(|f| root.join(f))
        );
    }

    #[test]
    fn find_no_public_nothing_is_static() {
        let (_dir, root) = folders(&["products"]);
        fs::write(root.join("public"), "a file").unwrap();
        assert_eq!(Layout::find(&root, None).unwrap().public, None);
    }

    #[test]
    fn find_public_named_it_replaces_the_usual_one() {
        let (_dir, root) = folders(&["app", "public", "dist"]);
        let layout = Layout::find(&root, Some(&root.join("app/../dist"))).unwrap();
        assert_eq!(layout.public, Some(root.join("dist")));
    }

    #[test]
    fn find_missing_folder_is_named() {
        let (_dir, root) = folders(&[]);
        let missing = root.join("nowhere");
        let error = Layout::find(&missing, None).unwrap_err();
        assert!(matches!(&error, LayoutError::Missing(path) if *path == missing));
        assert_eq!(error.to_string(), format!("there is no folder `{}`: check the path", missing.display()));
        assert!(matches!(Layout::find(&root, Some(&missing)), Err(LayoutError::Missing(_))));
    }

    #[test]
    fn find_file_is_not_a_folder() {
        let (_dir, root) = folders(&[]);
        let file = root.join("handler.js");
        fs::write(&file, "").unwrap();
        assert!(matches!(Layout::find(&file, None), Err(LayoutError::NotAFolder(path)) if path == file));
        assert!(matches!(Layout::find(&root, Some(&file)), Err(LayoutError::NotAFolder(_))));
    }

    #[cfg(unix)]
    #[test]
    fn find_looping_link_is_unreadable() {
        let (_dir, root) = folders(&[]);
        let link = root.join("loop");
        std::os::unix::fs::symlink(&link, &link).unwrap();
        let error = Layout::find(&link, None).unwrap_err();
        assert!(matches!(error, LayoutError::Unreadable { .. }));
        assert_eq!(error.to_string().lines().count(), 1);
    }

    #[test]
    fn find_public_above_the_routes_is_refused() {
        let (_dir, root) = folders(&["app"]);
        for public in [root.clone(), root.join("app")] {
            let found = Layout::find(&root, Some(&public));
            assert!(matches!(found, Err(LayoutError::PublicHoldsRoutes { .. })), "{found:?}");
        }
    }
}
