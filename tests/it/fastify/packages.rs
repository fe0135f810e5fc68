//! What `node_modules` has: the host's own modules serve beside packages of the same names. FW-A2.

use super::{open, order, shop};
use crate::support::{Finished, Site};

/// The shop with packages that fail when they are loaded.
fn with_packages(version: &str) -> Site {
    ["fastify", "fastify-plugin", "@fastify/websocket", "@fastify/autoload", "@fastify/cors"]
        .into_iter()
        .fold(shop(), |site, name| {
            let folder = format!("mock-srv/node_modules/{name}");
            site.file(
                &format!("{folder}/package.json"),
                format!(r#"{{ "name": "{name}", "version": "{version}", "main": "index.js" }}"#),
            )
            .file(&format!("{folder}/index.js"), "throw new Error('the package of node_modules was loaded');")
        })
}

#[test]
fn the_hosts_modules_serve_whatever_is_installed() {
    for version in ["9.0.0", "10.0.0", "11.3.6"] {
        let host = with_packages(version).dev();
        let mut socket = open(&host, "/orders/electronics");
        assert_eq!(
            (order(&mut socket).0, order(&mut socket).0),
            ("A1".to_owned(), "A2".to_owned()),
            "{version}"
        );
    }
}

#[test]
fn routes_shows_which_modules_serve_and_why() {
    let site = with_packages("10.0.0");
    let routes = Finished::of(&["routes", "--why", site.served().to_str().expect("a path of text")]);

    assert_eq!(routes.code, Some(0), "{}", routes.output());
    for name in ["@fastify/websocket", "@fastify/autoload", "@fastify/cors", "fastify-plugin"] {
        let line = format!("{name} is liveline's own; version 10.0.0 in node_modules is not used");
        assert!(routes.stdout.contains(&line), "no {line:?} in {}", routes.output());
    }
    assert!(routes.stdout.contains("@fastify/sensible is liveline's own\n"), "{}", routes.output());
}

/// Fastify of npm itself is run by `tests/oracle/fastify/apps/npm`.
#[test]
fn a_project_that_wants_npms_has_those() {
    let site = with_packages("10.0.0")
        .file("mock-srv/package.json", r#"{ "liveline": { "fastify": "npm" } }"#)
        .file(
            "mock-srv/node_modules/fastify/index.js",
            "module.exports = () => require('node:http').createServer((request, response) => response.end('npm'));",
        )
        .file(
            "mock-srv/app.mjs",
            "import fastify from 'fastify';
             fastify().listen(3000);",
        );
    let routes = Finished::of(&["routes", "--why", site.served().to_str().expect("a path of text")]);
    assert!(
        routes.stdout.contains("fastify is npm's 10.0.0 in node_modules, as package.json chooses\n"),
        "{}",
        routes.output()
    );
    assert!(
        routes.stdout.contains("@fastify/sensible is npm's, as package.json chooses, and is not installed\n"),
        "{}",
        routes.output()
    );
    assert!(!routes.stdout.contains("fastify-cors"), "{}", routes.output());

    assert_eq!(site.dev().get("/").text(), "npm");
}
