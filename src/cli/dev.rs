//! `liveline dev`: serves, reloads on every change and on SIGHUP, and notifies open pages.

use std::collections::{BTreeSet, HashSet};
use std::mem;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::Mutex;

use super::args::Server;
use super::serve::{MetricsServer, begin, until_stopped};
use super::signals::ReloadSignals;
use super::watch::{Changed, Seen, Watch};
use super::{CliError, report};
use crate::dev::{Broken, Dev, Saved};
use crate::ext::Mode;
use crate::server::{Pool, Reloaded, Trigger};
use liveline_compiler::Diagnostic;

/// Runs the command.
pub(super) async fn run(args: Server) -> Result<(), CliError> {
    let (stop, reload_signals) = begin()?;
    let listener = args.listen().await?;
    let mut config = args.config(Mode::Development, listener.addresses())?;
    config.inspector = args.inspector(Mode::Development).await?;
    let metrics = MetricsServer::bind(&args, &config).await?;
    let (root, public) = (config.layout.root.clone(), config.layout.public.clone());
    let dev = config.dev.clone().expect("a configuration for development has it");
    let pool = Pool::new(config);
    let watch = Watch::begin(root, public.clone())?;
    let seen = watch.seen();
    // One watch for the first load and the reloads, so that no change in between is missed.
    let reloads = Mutex::new(Reloads {
        pool: &pool,
        dev: &dev,
        watch,
        signals: reload_signals,
        first: None,
        pending: Changed::default(),
        is_examined: false,
    });
    let load = async { reloads.lock().await.first_load().await };
    let meanwhile = async {
        tokio::select! {
            result = async { reloads.lock().await.reload_on_change().await } => result,
            never = notify_of_files(&seen, public.as_deref(), &dev) => never,
        }
    };
    until_stopped(&args, stop, listener, &metrics, &pool, load, meanwhile).await
}

/// How long after a load its code is examined: the first answers of the new code need the processor.
const EXAMINE_AFTER: Duration = Duration::from_millis(100);

/// A load in progress.
type Load<'a> = Pin<Box<dyn Future<Output = Result<Reloaded, Vec<Diagnostic>>> + 'a>>;

/// Loads the code, and again after each change.
struct Reloads<'a> {
    pool: &'a Arc<Pool>,
    dev: &'a Dev,
    watch: Watch,
    signals: ReloadSignals,
    /// The first load, while it waits for something.
    first: Option<Load<'a>>,
    /// Changes since the last load that succeeded, up to the load in progress.
    pending: Changed,
    /// Whether the developer knows the warnings about the code that serves.
    is_examined: bool,
}

impl<'a> Reloads<'a> {
    /// Loads the code. Where it fails or waits for something, requests are answered with the reason in the meantime.
    async fn first_load(&mut self) -> Result<(), CliError> {
        let seen = self.watch.seen();
        loop {
            self.pending.extend(seen.take_changed());
            let mut load: Load<'a> = Box::pin(self.pool.reload(Trigger::Request));
            let loaded = tokio::select! {
                biased;
                loaded = &mut load => loaded,
                stall = self.pool.stalled() => {
                    self.watch.also(self.pool.files());
                    self.dev.broken_by(broken(&[Diagnostic::new(stall)]));
                    self.first = Some(load);
                    return Ok(self.pool.stand_in().await?);
                }
                () = self.watch.changed() => continue,
            };
            self.watch.also(self.pool.files());
            let Err(diagnostics) = loaded else {
                self.pending = Changed::default();
                return Ok(());
            };
            self.cannot_serve(&diagnostics);
            return Ok(self.pool.stand_in().await?);
        }
    }

    async fn reload_on_change(&mut self) -> Result<(), CliError> {
        let seen = self.watch.seen();
        let (mut has_changed, mut is_requested) = (false, false);
        if let Some(first) = self.first.take() {
            match self.unless_changed(first).await {
                Some(Ok(reloaded)) => self.serves(&reloaded, is_requested),
                Some(Err(diagnostics)) => self.cannot_serve(&diagnostics),
                None => has_changed = true,
            }
        }
        loop {
            if !has_changed {
                is_requested = tokio::select! {
                    () = self.watch.changed() => false,
                    () = self.signals.next() => true,
                    () = tokio::time::sleep(EXAMINE_AFTER), if !self.is_examined => {
                        self.examine().await;
                        continue;
                    }
                };
            }
            self.pending.extend(seen.take_changed());
            let is_complete = |has_empty: bool| is_requested || (!has_empty && !seen.saw_more());
            let changed = self.pending.clone();
            let trigger = Trigger::Change { is_complete: &is_complete, extent: changed.extent(is_requested) };
            let reloaded = self.unless_changed(self.pool.reload(trigger)).await;
            has_changed = reloaded.is_none();
            let Some(mut reloaded) = reloaded else { continue };
            if reloaded.is_err() && !self.pool.is_stuck() {
                if !self.watch.is_settled().await {
                    // Files are still being written, so the error may be gone with the next one.
                    continue;
                }
                self.pending.extend(seen.take_changed());
                let again = self.unless_changed(self.pool.reload(Trigger::Request)).await;
                has_changed = again.is_none();
                let Some(again) = again else { continue };
                reloaded = again;
            }
            match reloaded {
                Ok(reloaded) => self.serves(&reloaded, is_requested),
                Err(diagnostics) => self.cannot_serve(&diagnostics),
            }
        }
    }

    /// Reports what is probably not meant in the code that serves.
    async fn examine(&mut self) {
        self.is_examined = true;
        let pool = self.pool.clone();
        let warnings = tokio::task::spawn_blocking(move || pool.warnings()).await;
        for warning in self.dev.warn(warnings.unwrap_or_default()) {
            report(&format!("warning: {warning}"));
        }
    }

    /// The result of a load; None where it was cancelled by another change.
    async fn unless_changed<T>(&mut self, load: impl Future<Output = T>) -> Option<T> {
        let mut load = std::pin::pin!(load);
        loop {
            let loaded = tokio::select! {
                biased;
                loaded = &mut load => Some(loaded),
                _ = self.pool.stalled() => {
                    self.watch.also(self.pool.files());
                    continue;
                }
                () = self.watch.changed() => None,
            };
            self.watch.also(self.pool.files());
            return loaded;
        }
    }

    /// New code serves: notifies open pages. Where the developer requested the reload and nothing is known to have
    /// changed, all pages load again.
    fn serves(&mut self, Reloaded { took, handlers, changed_from }: &Reloaded, is_requested: bool) {
        let what = if *handlers == 1 { "handler" } else { "handlers" };
        report(&format!("reloaded in {} ms ({handlers} {what})", took.as_millis()));
        self.is_examined = false;
        let changed = mem::take(&mut self.pending);
        let environment = &self.pool.config().environment;
        let defines_variables =
            |path: &PathBuf| environment.paths().any(|file| file.file_name() == path.file_name());
        // Other files with settings are those that `tsconfig.json` extends, such as `tsconfig.base.json`.
        let describes_project = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let is_config = ["tsconfig", "jsconfig"].iter().any(|config| name.starts_with(config));
            name == "package.json" || (is_config && name.ends_with(".json")) || defines_variables(path)
        };
        let files = self.pool.route_files();
        // An HTML file that is no page is a part of pages.
        let is_part_of_pages = |path: &PathBuf| {
            path.extension().is_some_and(|extension| extension == "html")
                && !files.has_page(path)
                && !changed_from.has_page(path)
        };
        let concerns_all = |path: &PathBuf| describes_project(path) || is_part_of_pages(path);
        let all = changed.is_unknown(is_requested) || changed.paths.iter().any(concerns_all);
        let mut saved = Saved { all, ..Saved::default() };
        changed_from.changed_by(&changed.paths, &mut saved);
        files.changed_by(&changed.paths, &mut saved);
        self.dev.saved(&saved);
    }

    /// The code does not load: reports the errors here and in open pages.
    fn cannot_serve(&mut self, diagnostics: &[Diagnostic]) {
        let errors = errors(diagnostics);
        report(&match self.pool.has_code() {
            true => format!("reload failed, the old code goes on serving\n{errors}"),
            false => format!("{errors}\nwaiting for a change"),
        });
        self.dev.broken_by(broken(diagnostics));
    }
}

fn broken(diagnostics: &[Diagnostic]) -> Broken {
    let reports = diagnostics.iter().map(Diagnostic::to_report).collect();
    Broken { errors: reports, page: Diagnostic::page(diagnostics, "start"), text: errors(diagnostics) }
}

/// Notifies open pages of static files that change.
async fn notify_of_files<T>(seen: &Seen, public: Option<&Path>, dev: &Dev) -> T {
    loop {
        let changed = seen.files_changed().await;
        let addresses = addresses_of(&changed, public);
        if !addresses.is_empty() {
            dev.saved_files(addresses);
        }
    }
}

/// Characters that are escaped in the path of a URL.
const PATH: AsciiSet = NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The URL paths of static files.
fn addresses_of(files: &HashSet<PathBuf>, public: Option<&Path>) -> BTreeSet<String> {
    let inside = files.iter().filter_map(|file| file.strip_prefix(public?).ok());
    let path = |file: &Path| file.iter().map(|name| name.to_string_lossy()).collect::<Vec<_>>().join("/");
    inside.map(|file| format!("/{}", utf8_percent_encode(&path(file), &PATH))).collect()
}

fn errors(diagnostics: &[Diagnostic]) -> String {
    let texts: Vec<_> = diagnostics.iter().map(|diagnostic| format!("error: {diagnostic}")).collect();
    texts.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_urls() {
        let files = ["/p/style.css", "/p/a b/c.png", "/elsewhere/x"].map(PathBuf::from);
        let addresses = addresses_of(&HashSet::from(files), Some(Path::new("/p")));
        assert_eq!(addresses.into_iter().collect::<Vec<_>>(), ["/a%20b/c.png", "/style.css"]);
    }
}
