//! Who takes part, and how each is started and spoken to.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::load::{Dialect, Way};
use super::nchan;
use super::server::Launch;
use super::workshop::Workshop;
use crate::checkout::complete;
use crate::engine;
use crate::failure::{Outcome, While, fail};
use crate::machine::{Machine, find_program};
use crate::run;

pub const FLOOR: &str = "floor";
/// We, spoken to over live lines.
pub const LIVELINE: &str = "liveline";
/// We, spoken to over WebSockets without a line.
pub const RAW: &str = "liveline-raw";
/// We, spoken to over lines that can be resumed.
pub const NUMBERED: &str = "liveline-v1";
pub const BUN: &str = "bun";
pub const DENO: &str = "deno";
pub const NODE: &str = "node";
pub const WS: &str = "ws";
pub const UWS: &str = "uws";
pub const SOCKET_IO: &str = "socket.io";
pub const FASTIFY: &str = "fastify";
pub const HONO: &str = "hono";
pub const NCHAN: &str = "nchan";

#[derive(Clone)]
pub struct Contestant {
    pub name: &'static str,
    pub version: String,
    pub launch: Launch,
    dialect: Dialect,
}

pub fn is_ours(name: &str) -> bool {
    name == LIVELINE || name == NUMBERED || name == RAW
}

impl Contestant {
    pub fn is_peer(&self) -> bool {
        !is_ours(self.name) && self.name != FLOOR
    }

    /// Whether it collects its garbage when it is asked for `/gc`.
    pub fn collects(&self) -> bool {
        self.name == WS || self.name == BUN
    }

    /// How to be one of those who say what they want to hear.
    pub fn echo(&self) -> Way {
        match self.name {
            RAW => Way::new(self.dialect, "/raw", ""),
            SOCKET_IO => Way::new(self.dialect, SOCKET_IO_PATH, "echo"),
            _ => Way::new(self.dialect, "/echo", "message"),
        }
    }

    /// How to hear, and with a socket also to speak, in the room.
    pub fn room(&self) -> Way {
        match self.name {
            SOCKET_IO => Way::new(self.dialect, SOCKET_IO_PATH, "room"),
            _ => Way::new(self.dialect, "/room", "room:message"),
        }
    }

    /// How to wait.
    pub fn idle(&self) -> Way {
        match self.name {
            RAW => Way::new(self.dialect, "/raw", ""),
            SOCKET_IO => Way::new(self.dialect, SOCKET_IO_PATH, ""),
            _ => Way::new(self.dialect, "/idle", "message"),
        }
    }

    /// How to be a view that counts.
    pub fn views(&self) -> Way {
        Way::new(self.dialect, "/views", "message")
    }

    /// How to hear the room as server-sent events.
    pub fn events(&self) -> Way {
        Way::new(Dialect::Events, if self.name == NCHAN { "/sub" } else { "/room" }, "")
    }

    /// How to speak to those who hear events.
    pub fn announcer(&self) -> Way {
        match self.name {
            NCHAN => Way::new(Dialect::Http, "/pub", ""),
            _ => self.room(),
        }
    }
}

const SOCKET_IO_PATH: &str = "/socket.io/?EIO=4&transport=websocket";

/// Makes one; a peer that cannot be had is a failure that says why.
pub fn make(workshop: &Workshop<'_>, name: &'static str) -> Outcome<Contestant> {
    let contestant =
        |version: String, dialect: Dialect, launch: Launch| Contestant { name, version, launch, dialect };
    let node = |dialect: Dialect, packages: &[&str]| {
        let Some(program) = find_program("node") else { return fail("there is no node on the PATH") };
        let mut launch =
            workshop.launch(name, program, &["--expose-gc", &workshop.script(&format!("{name}.js"))]);
        let mut versions = Vec::new();
        if !packages.is_empty() {
            let modules = workshop.npm(name, packages)?;
            launch.variables.push(("NODE_PATH".to_owned(), modules.display().to_string()));
            versions.extend(
                packages.iter().filter_map(|package| package.rsplit_once('@')).map(|(_, version)| version),
            );
        }
        let own = version(&launch.program)?;
        let version = versions.first().map_or(own.clone(), |first| format!("{first} on node {own}"));
        Ok(contestant(version, dialect, launch))
    };
    match name {
        FLOOR => {
            let program = env::current_exe().while_doing("looking for xtask's own executable")?;
            let launch = workshop.launch(name, program, &["bench", "floor-server"]);
            Ok(contestant("bare epoll".to_owned(), Dialect::Http, launch))
        }
        LIVELINE | NUMBERED | RAW => {
            let program = liveline(workshop)?;
            let routes = workshop.script("routes");
            let arguments = ["serve", &routes, "--host", "127.0.0.1", "--port", "0", "--workers", "1"];
            let dialect = match name {
                RAW => Dialect::WebSocket,
                NUMBERED => Dialect::NumberedLine,
                _ => Dialect::Line,
            };
            Ok(contestant(version(&program)?, dialect, workshop.launch(name, program, &arguments)))
        }
        BUN => {
            let program = workshop.npm_program("bun@1.4.5", "@oven", "bin/bun")?;
            let launch = workshop.launch(name, program, &[&workshop.script("bun.js")]);
            Ok(contestant(version(&launch.program)?, Dialect::WebSocket, launch))
        }
        DENO => {
            let program = workshop.npm_program("deno@2.9.6", "@deno", "deno")?;
            let arguments =
                ["run", "--quiet", "--no-config", "--no-lock", "--allow-net", &workshop.script("deno.js")];
            let launch = workshop.launch(name, program, &arguments);
            Ok(contestant(version(&launch.program)?, Dialect::WebSocket, launch))
        }
        NODE => node(Dialect::Http, &[]),
        WS => node(Dialect::WebSocket, &["ws@8.23.0"]),
        UWS => node(Dialect::WebSocket, &["@rjweb/uws@1.5.0"]),
        SOCKET_IO => node(Dialect::SocketIo, &["socket.io@4.8.4"]),
        FASTIFY => node(Dialect::WebSocket, &["fastify@5.12.8", "@fastify/websocket@11.3.6"]),
        HONO => {
            node(Dialect::WebSocket, &["hono@4.13.19", "@hono/node-server@1.19.11", "@hono/node-ws@1.3.1"])
        }
        NCHAN => {
            nchan::prepare(workshop).map(|(version, launch)| contestant(version, Dialect::Events, launch))
        }
        other => fail(format!("there is no contestant {other}")),
    }
}

/// The optimised program, or for a smoke run the one that is tested.
fn liveline(workshop: &Workshop<'_>) -> Outcome<PathBuf> {
    if let Some(program) = env::var_os("LIVELINE_BIN") {
        return Ok(workshop.checkout.caller.join(program));
    }
    let checkout = workshop.checkout;
    let build = engine::choose(checkout, &Machine)?.build(checkout)?;
    if !workshop.plan.smoke {
        return run::build(checkout, &build, run::Profile::Release);
    }
    let mut cargo = checkout.cargo("build");
    complete(build.apply(&mut cargo).args(["--quiet", "--bin", "liveline"]))?;
    Ok(checkout.liveline(&checkout.target, "debug"))
}

/// The version that a program reports.
fn version(program: &Path) -> Outcome<String> {
    let output = Command::new(program).arg("--version").output();
    let output = output.while_doing(format_args!("starting {}", program.display()))?;
    Ok(version_in(&String::from_utf8_lossy(&output.stdout)))
}

/// The first word that looks like a version.
fn version_in(text: &str) -> String {
    let is_version =
        |word: &&str| word.trim_start_matches('v').starts_with(|first: char| first.is_ascii_digit());
    text.split_whitespace().find(is_version).unwrap_or("unknown").trim_start_matches('v').to_owned()
}

/// This program, but optimised: as the floor and the loader it must not be what is measured.
pub fn build_optimised(checkout: &crate::checkout::Checkout) -> Outcome<PathBuf> {
    complete(checkout.cargo("build").args(["--quiet", "--release", "--package", "xtask"]))?;
    Ok(checkout.target.join("release/xtask"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_in_every_peers_format_is_the_number() {
        assert_eq!(version_in("1.4.5\n"), "1.4.5");
        assert_eq!(version_in("deno 2.9.6 (stable, release, x86_64)\nv8 15.0\n"), "2.9.6");
        assert_eq!(version_in("v20.20.2\n"), "20.20.2");
        assert_eq!(version_in("liveline 0.1.0\n"), "0.1.0");
        assert_eq!(version_in(""), "unknown");
    }
}
