//! Files and folders whose names look as if they were handlers, pages or parameters, and are not.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::EXTENSIONS;
use crate::dialect::nearest_within;
use crate::router::{Layout, PAGES, Routes};
use liveline_compiler::Diagnostic;

/// Extensions of code that are not supported, with the one to use.
const OTHER_EXTENSIONS: [(&str, &str); 2] = [("es6", "js"), ("jsm", "js")];

/// The layers in names of handlers, and other words for them.
const LAYERS: [(&str, &[&str]); 3] = [
    ("server", &["backend", "node", "ssr", "api"]),
    ("client", &["browser", "frontend", "page"]),
    ("worker", &["sw", "serviceworker", "service-worker", "webworker"]),
];

/// Files and folders that look like handlers, pages or the folders of a project, but are ignored. Files that handlers
/// import are not reported.
pub(super) fn strays(layout: &Layout, imported: &BTreeSet<PathBuf>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    each_folder(layout, |folder, names| {
        let has_page = names.iter().any(|name| PAGES.contains(&name.as_str()));
        for name in names {
            let file = folder.join(name);
            if imported.contains(&file) || !file.is_file() {
                continue;
            }
            let page = || meant_page(name).filter(|_| !has_page);
            if let Some(meant) = meant_handler(name).or_else(page) {
                let message = format!("`{name}` is ignored: no handler and no page has such a name");
                let help = if names.contains(&meant) {
                    format!("rename or delete it; the folder has a `{meant}` already")
                } else {
                    format!("did you mean `{meant}`?")
                };
                found.push(Diagnostic::at(message, file, 1, 1).with_help(Some(help)));
            }
        }
    });
    if layout.routes == layout.root {
        for (name, what) in [("app", "routes"), ("public", "static files")] {
            let names = names_in(&layout.root).into_iter();
            let mut other = names.filter(|it| it.eq_ignore_ascii_case(name) && it != name);
            if let Some(other) = other.find(|it| layout.root.join(it).is_dir()) {
                let message = format!("the folder `{other}` is a route like any other");
                let help = format!("the folder of {what} is called `{name}`: rename it");
                found.push(Diagnostic::at(message, layout.root.join(other), 1, 1).with_help(Some(help)));
            }
        }
    }
    found
}

/// Files that are never used because another one of the same folder is.
pub(super) fn doubles(layout: &Layout) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    each_folder(layout, |folder, names| {
        let stems = ["handler", "handler.server", "handler.client", "handler.worker"];
        let lists = stems.map(|stem| EXTENSIONS.map(|extension| format!("{stem}.{extension}")).to_vec());
        for list in lists.into_iter().chain([PAGES.map(str::to_owned).to_vec()]) {
            let mut there = list.iter().filter(|name| names.contains(name) && folder.join(name).is_file());
            let Some(used) = there.next() else { continue };
            for unused in there {
                let message = format!("`{unused}` is never used: `{used}` beside it is for the same route");
                let help = Some("keep one of them".to_owned());
                found.push(Diagnostic::at(message, folder.join(unused), 1, 1).with_help(help));
            }
        }
    });
    found
}

/// Folders of routes that are named as other frameworks name what stands for any segment. Here they are segments like
/// any other.
pub(super) fn parameters(layout: &Layout) -> Vec<Diagnostic> {
    let mut found = BTreeSet::new();
    each_folder(layout, |folder, names| {
        if !names.iter().any(|name| is_handler(name) || PAGES.contains(&name.as_str())) {
            return;
        }
        let above =
            folder.ancestors().take_while(|it| it.starts_with(&layout.routes) && **it != layout.routes);
        found.extend(above.filter(|it| parameter(it).is_some()).map(Path::to_owned));
    });
    let explain = |folder: PathBuf| {
        let name = folder.file_name().unwrap_or_default().display();
        let message = format!("the folder `{name}` answers only where the path has exactly this text");
        let help = match parameter(&folder) {
            Some(Parameter::Segment) => {
                "the folder that stands for any segment is called `-`, and `this.stepname` in its handler is the segment"
            }
            _ => {
                "a handler that never uses `next` answers for all paths below its folder: move it one folder up"
            }
        };
        Diagnostic::at(message, folder.clone(), 1, 1).with_help(Some(help.to_owned()))
    };
    found.into_iter().map(explain).collect()
}

/// What a folder stands for in other frameworks.
#[derive(Debug, PartialEq)]
enum Parameter {
    /// Any one segment: `[id]`, `:id`, `{id}`, `$id`.
    Segment,
    /// All segments that follow: `[...path]`, `[[...path]]`, `*`.
    Rest,
}

fn parameter(folder: &Path) -> Option<Parameter> {
    let name = folder.file_name()?.to_str()?;
    let inside = |open: char, close: char| name.strip_prefix(open)?.strip_suffix(close);
    match inside('[', ']').or_else(|| inside('{', '}')) {
        Some(inner) if inner.trim_start_matches('[').starts_with("...") => Some(Parameter::Rest),
        Some(inner) => (!inner.is_empty()).then_some(Parameter::Segment),
        None if ["*", "**", "$"].contains(&name) => Some(Parameter::Rest),
        None => name.starts_with([':', '$']).then_some(Parameter::Segment),
    }
}

/// Whether a file of this name answers on the server.
fn is_handler(name: &str) -> bool {
    EXTENSIONS.iter().any(|it| name == format!("handler.{it}") || name == format!("handler.server.{it}"))
}

/// Why a folder has nothing to serve, if that is so.
pub(super) fn nothing_to_serve(layout: &Layout, routes: &Routes) -> Option<Diagnostic> {
    let has_files = |folder: &Path| !names_in(folder).is_empty();
    if !routes.handlers().is_empty()
        || !routes.pages().is_empty()
        || layout.public.as_deref().is_some_and(has_files)
    {
        return None;
    }
    let folder = layout.routes.display();
    let message = format!("there is nothing to serve in `{folder}`: it has no handler.js and no page.html");
    Some(Diagnostic::new(message).with_help(Some(help_for_nothing(layout))))
}

fn help_for_nothing(layout: &Layout) -> String {
    let is_served = |folder: &Path| {
        let names = names_in(folder);
        folder.join("app").is_dir()
            || names.iter().any(|name| is_handler(name) || PAGES.contains(&name.as_str()))
    };
    if layout.routes != layout.root && is_served_alone(&layout.root) {
        return format!(
            "a folder with `app` has its routes there: move what is in `{}` into it, or delete it",
            layout.root.display()
        );
    }
    if let Some(public) = layout.public.as_deref().filter(|public| is_served(public)) {
        return format!("`{}` is for static files: move the handlers out of it", public.display());
    }
    let above = layout.root.ancestors().skip(1).take(2).find(|folder| is_served(folder));
    if let Some(above) = above {
        return format!("did you mean `{}`?", above.display());
    }
    let code = names_in(&layout.routes).into_iter().find(|name| {
        Path::new(name).extension().is_some_and(|extension| EXTENSIONS.iter().any(|it| extension == *it))
    });
    match code {
        Some(name) => format!("a handler is called handler.js; `{name}` is code like any other"),
        None => format!(
            "give another folder, or write {}: export default () => \"Hello\"",
            layout.routes.join("handler.js").display()
        ),
    }
}

/// Whether there are handlers or pages beside `app`.
fn is_served_alone(root: &Path) -> bool {
    names_in(root).iter().any(|name| name.starts_with("handler.") || PAGES.contains(&name.as_str()))
}

/// The name of a handler that a file's name was probably meant to be.
fn meant_handler(name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    let (stem, extension) = lower.rsplit_once('.')?;
    let meant_extension = match OTHER_EXTENSIONS.iter().find(|(other, _)| *other == extension) {
        Some((_, meant)) => *meant,
        None => *EXTENSIONS.iter().find(|it| **it == extension)?,
    };
    let parts: Vec<&str> = stem.split(['.', '-', '_']).filter(|part| !part.is_empty()).collect();
    let is_handler = |part: &str| part == "handler" || nearest_within(part, ["handler"], 2).is_some();
    let layer_of = |part: &str| {
        LAYERS.iter().find_map(|(layer, others)| {
            let is_meant =
                part == *layer || others.contains(&part) || nearest_within(part, [*layer], 2).is_some();
            is_meant.then_some(*layer)
        })
    };
    let meant = match *parts.as_slice() {
        [handler] if is_handler(handler) => format!("handler.{meant_extension}"),
        [handler, layer] if is_handler(handler) => format!("handler.{}.{meant_extension}", layer_of(layer)?),
        [layer, handler] if is_handler(handler) => format!("handler.{}.{meant_extension}", layer_of(layer)?),
        [handler, service, worker] if is_handler(handler) && [service, worker] == ["service", "worker"] => {
            format!("handler.worker.{meant_extension}")
        }
        [one] => {
            let layer = one.strip_prefix("handler").and_then(layer_of)?;
            format!("handler.{layer}.{meant_extension}")
        }
        _ => return None,
    };
    (meant != name).then_some(meant)
}

/// The name of a page that a file's name was probably meant to be.
fn meant_page(name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    let (stem, extension) = lower.rsplit_once('.')?;
    let is_page = ["page", "pages", "paeg", "pgae", "apge"].contains(&stem);
    let is_meant = match extension {
        "html" => is_page || stem == "index",
        "htm" | "xhtml" => is_page || stem == "index",
        "hmtl" | "htlm" | "thml" => is_page || stem == "index",
        _ => false,
    };
    let meant = if stem == "index" { PAGES[1] } else { PAGES[0] };
    (is_meant && meant != name).then(|| meant.to_owned())
}

/// Calls `see` with every folder of routes and the names in it, in order.
fn each_folder(layout: &Layout, mut see: impl FnMut(&Path, &[String])) {
    let mut seen = BTreeSet::new();
    let mut waiting = vec![layout.routes.clone()];
    while let Some(folder) = waiting.pop() {
        if Some(&folder) == layout.public.as_ref() || !seen.insert(folder.clone()) {
            continue;
        }
        let names = names_in(&folder);
        see(&folder, &names);
        let is_route = |name: &&String| !name.starts_with('.') && *name != "node_modules";
        let folders = names.iter().filter(is_route).filter_map(|name| folder.join(name).canonicalize().ok());
        waiting.extend(folders.filter(|path| path.is_dir()).collect::<Vec<_>>().into_iter().rev());
    }
}

/// The names in a folder in order, without hidden ones.
fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Parameter, meant_handler, meant_page, parameter};

    #[test]
    fn parameters_of_other_frameworks_are_known() {
        for name in ["[id]", ":id", "{id}", "$id"] {
            assert_eq!(parameter(Path::new(name)), Some(Parameter::Segment), "{name}");
        }
        for name in ["[...path]", "[[...path]]", "*", "$"] {
            assert_eq!(parameter(Path::new(name)), Some(Parameter::Rest), "{name}");
        }
        for name in ["-", "id", "[]", "a[b]", "(group)", "_id", "@me"] {
            assert_eq!(parameter(Path::new(name)), None, "{name}");
        }
    }

    #[test]
    fn names_that_are_meant_are_found() {
        for (name, meant) in [
            ("handler.sever.js", "handler.server.js"),
            ("handler.Server.js", "handler.server.js"),
            ("handler.clinet.ts", "handler.client.ts"),
            ("handler.wroker.mjs", "handler.worker.mjs"),
            ("handler.sw.js", "handler.worker.js"),
            ("handlers.js", "handler.js"),
            ("Handler.js", "handler.js"),
            ("hanlder.server.tsx", "handler.server.tsx"),
            ("handler-server.js", "handler.server.js"),
            ("server.handler.js", "handler.server.js"),
            ("handlerClient.js", "handler.client.js"),
            ("handler.service-worker.js", "handler.worker.js"),
            ("handler.es6", "handler.js"),
            ("handler.server.jsm", "handler.server.js"),
        ] {
            assert_eq!(meant_handler(name).as_deref(), Some(meant), "{name}");
        }
        for (name, meant) in
            [("Page.html", "page.html"), ("page.htm", "page.html"), ("pages.html", "page.html")]
        {
            assert_eq!(meant_page(name).as_deref(), Some(meant), "{name}");
        }
    }

    #[test]
    fn other_names_are_left_alone() {
        for name in [
            "handler.js",
            "handler.server.ts",
            "handler.test.js",
            "handler.spec.ts",
            "handler.d.ts",
            "handler.json",
            "handler.css",
            "db.js",
            "server.js",
            "worker.js",
            "helper.js",
            "handler.test.server.js",
            "channel.js",
        ] {
            assert_eq!(meant_handler(name), None, "{name}");
        }
        for name in ["page.html", "index.html", "footer.html", "page.css"] {
            assert_eq!(meant_page(name), None, "{name}");
        }
    }
}
