//! The Workers dialect: which files it takes, wrangler's configuration, and what the bindings do.

mod assets;
mod bindings;
mod configuration;
mod examples;
mod functions;
mod queues;
mod web;
mod worker;

use crate::support::Site;

/// A project with this configuration and this module as its Worker.
fn worker(configuration: &str, module: &str) -> Site {
    let head = "name = \"app\"\nmain = \"worker.js\"\ncompatibility_date = \"2026-04-07\"\n";
    Site::new().file("wrangler.toml", format!("{head}{configuration}")).file("worker.js", module)
}
