//! What the documents show, done: handlers load, commands print what is shown, and lines carry the frames.
//!
//! A section of a document, from one `## ` heading to the next, is a site of its own:
//!
//! | fenced block | what is done with it |
//! |---|---|
//! | ```` ```js title="routes/PATH" ```` | a file of the site, as `title="public/PATH"` is; it must load |
//! | ```` ```console ```` | every `$ curl ...` is sent, and has to print what follows; see `curl.rs` |
//! | ```` ```frames ```` | a conversation over a line; see `frames.rs` |

mod curl;
mod fences;
mod frames;
mod language_model;

use std::fs;
use std::path::Path;

use crate::support::{Host, Site};
use curl::Curl;
use fences::{Fence, Section, sections};

#[test]
fn the_readme_works_as_shown() {
    works_as_shown("README.md", |site| site);
}

#[test]
fn every_document_works_as_shown() {
    // The page about databases needs servers: see the tests of drivers.
    for document in documents("docs").iter().filter(|document| *document != "docs/databases.md") {
        works_as_shown(document, |site| site);
    }
}

#[test]
fn every_page_about_handlers_works_as_shown() {
    pages_of_an_index("docs/handlers").iter().for_each(|page| works_as_shown(page, |site| site));
}

#[test]
fn every_recipe_works_as_shown() {
    pages_of_an_index("docs/recipes").iter().for_each(|recipe| works_as_shown(recipe, |site| site));
}

/// The documents in a folder; its README has to list the others.
#[track_caller]
fn pages_of_an_index(folder: &str) -> Vec<String> {
    let pages = documents(folder);
    let index = fs::read_to_string(root().join(folder).join("README.md")).expect("an index");
    for page in &pages {
        let file = page.rsplit('/').next().expect("a name");
        let is_listed = file == "README.md" || index.contains(&format!("({file})"));
        assert!(is_listed, "{page} is not listed in {folder}/README.md");
    }
    pages
}

/// The documents in a folder, without those of its subfolders.
fn documents(folder: &str) -> Vec<String> {
    let files = fs::read_dir(root().join(folder)).expect("a folder of documents").flatten();
    let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(".md")).map(|name| format!("{folder}/{name}")).collect()
}

/// Does what a document shows. `prepare` adds to each of its sites what the document expects there.
#[track_caller]
pub fn works_as_shown(document: &str, prepare: impl Fn(Site) -> Site) {
    let markdown = fs::read_to_string(root().join(document)).unwrap_or_else(|it| panic!("{document}: {it}"));
    for section in sections(&markdown) {
        let Some(host) = serve(document, &section, &prepare) else { continue };
        for fence in &section.fences {
            let place = format!("{document}:{}", fence.line);
            match fence.language() {
                "console" => show_console(&host, fence, &place),
                "frames" => frames::play(&host, &fence.content, &place),
                _ => {}
            }
        }
    }
}

/// The section's files, loaded and served; `None` where it has none.
fn serve(document: &str, section: &Section, prepare: impl Fn(Site) -> Site) -> Option<Host> {
    let files: Vec<_> = section.fences.iter().filter_map(|fence| Some((fence.title()?, fence))).collect();
    if files.is_empty() {
        return None;
    }
    let site = files.into_iter().fold(prepare(Site::new()), |site, (title, fence)| {
        let path = title.strip_prefix("routes/").or(Some(title).filter(|title| title.starts_with("public/")));
        let path =
            path.unwrap_or_else(|| panic!("{document}:{}: {title} is in no folder of a site", fence.line));
        site.file(path, &fence.content)
    });
    let checked = site.run("check");
    let heading = &section.heading;
    assert_eq!(checked.code, Some(0), "{document}, {heading:?}: handlers do not load: {}", checked.output());
    Some(site.serve())
}

/// Sends the block's commands one after the other.
fn show_console(host: &Host, fence: &Fence, place: &str) {
    let mut jar = curl::Jar::new();
    for (command, output) in fence.commands().filter(|(command, _)| command.starts_with("curl ")) {
        let curl = Curl::parse(&command).unwrap_or_else(|error| panic!("{place}: `{command}`: {error}"));
        curl.send(host, &mut jar).expect_printed(output, &format!("{place}: `{command}`"));
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
