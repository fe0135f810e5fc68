//! The names that scripts find without an import. What a script uses of them is imported at its end, from a module of
//! its own; imports are hoisted, so that no line or column of the script moves.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use deno_core::ModuleSpecifier;
use liveline_compiler::classic::Script;

use crate::ext::packages;

/// The names. `runtime-js/aiwebengine/scope.js` makes what each stands for.
pub(super) const NAMES: [&str; 66] = [
    "AssertionError",
    "Fragment",
    "McpClient",
    "ResponseBuilder",
    "Secrets",
    "addUserRole",
    "afterEach",
    "assert",
    "assetStorage",
    "auth",
    "beforeEach",
    "convert",
    "database",
    "deleteAsset",
    "deleteScript",
    "describe",
    "dispatcher",
    "executeGraphQL",
    "expect",
    "fetch",
    "fetchAsset",
    "getScript",
    "getScriptInitStatus",
    "graphQLRegistry",
    "h",
    "it",
    "listAssets",
    "listLogs",
    "listScripts",
    "listStreams",
    "listUsers",
    "mcpRegistry",
    "personalStorage",
    "register",
    "registerAssetRoute",
    "registerGraphQLMutation",
    "registerGraphQLQuery",
    "registerGraphQLSubscription",
    "registerPublicAsset",
    "registerStreamRoute",
    "registerWebSocket",
    "registerWebStream",
    "removeUserRole",
    "routeRegistry",
    "scheduler",
    "schedulerService",
    "scriptStorage",
    "secretStorage",
    "sendStreamMessage",
    "sendStreamMessageFiltered",
    "sendStreamMessageToPath",
    "sendSubscriptionMessage",
    "sendSubscriptionMessageFiltered",
    "sendSubscriptionMessageToPath",
    "sharedStorage",
    "streamStatistics",
    "suite",
    "test",
    "testRegistry",
    "upsertAsset",
    "upsertScript",
    "userStorage",
    "users",
    "writeDebug",
    "writeError",
    "writeLog",
];

/// The beginning of the URLs of the modules that export the names.
const MODULE: &str = "liveline:aiwebengine";

/// The files that the names are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScriptScope {
    scripts: BTreeSet<PathBuf>,
}

impl ScriptScope {
    /// For these scripts, and for the project's other modules in their folders.
    pub(super) fn of(scripts: BTreeSet<PathBuf>) -> ScriptScope {
        ScriptScope { scripts }
    }

    /// Whether a file is a script, or a module beside or below one.
    pub(crate) fn covers(&self, file: &Path) -> bool {
        let is_handler = || {
            let stem = file.file_stem().unwrap_or_default().to_string_lossy();
            stem == "handler" || stem.starts_with("handler.")
        };
        self.scripts.contains(file)
            || (!packages::holds(file)
                && !is_handler()
                && self.scripts.iter().filter_map(|it| it.parent()).any(|folder| file.starts_with(folder)))
    }

    /// What is added behind the code of a file: imports of the names that it uses, and how its own functions are found
    /// by name.
    pub(crate) fn suffix(&self, file: &Path, source: &str) -> String {
        let Some(script) = Script::of(file, source) else { return String::new() };
        let Ok(url) = ModuleSpecifier::from_file_path(file) else { return String::new() };
        let of_jsx = ["Fragment", "h"].into_iter().filter(|_| script.has_jsx);
        let used = NAMES.into_iter().filter(|name| script.free.contains(*name)).chain(of_jsx);
        let used: BTreeSet<&str> = used.filter(|name| !script.declared.contains(*name)).collect();
        let names: Vec<&str> = used.into_iter().collect();
        let bindings = script.declared.iter().map(|name| format!("{name}:()=>{name}"));
        let bindings = bindings.collect::<Vec<_>>().join(",");
        let query = if script.awaits_no_fetch { "?blocking" } else { "" };
        let (names, init) = (names.join(","), script.calls_init);
        format!(
            "\n;import $liveline,{{{names}}} from \"{MODULE}{}{query}\";$liveline({{__proto__:null,{bindings}}},{init});\n",
            url.path()
        )
    }
}

/// The source of the module that exports the names for one file.
pub(crate) fn scope_source(url: &ModuleSpecifier) -> Option<String> {
    let path = url.as_str().strip_prefix(MODULE)?;
    let (path, is_blocking) = match path.split_once('?') {
        Some((path, _)) => (path, true),
        None => (path, false),
    };
    let file = ModuleSpecifier::parse(&format!("file://{path}")).ok()?.to_file_path().ok()?;
    let file = serde_json::Value::from(file.to_string_lossy());
    let names = NAMES.join(",");
    Some(format!(
        "const scope=globalThis[Symbol.for(\"liveline:aiwebengine\")]({file},{is_blocking});\n\
         export default scope.bind;\nexport const {{{names}}}=scope.names;\n"
    ))
}
