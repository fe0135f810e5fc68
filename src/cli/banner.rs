//! The first lines that `dev` and `serve` print: one line for programs, some more at a terminal.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;

use super::args::Server;
#[cfg(unix)]
use super::keys;
use super::paint::{Style, styled, visible};
use super::{log, print};
use crate::config::Config;
use crate::dialect;
use crate::ext::Mode;
use crate::metrics::colors;
use crate::metrics::output::Stream;
use crate::router::{Layer, Layout};
use crate::server::Listener;

/// The text before the address.
const LISTENING: &str = "listening on";

const STOP: &str = "Ctrl+C stops.";

/// Prints where the server listens.
pub(super) fn show(args: &Server, config: &Config, listener: &Listener) {
    let (mode, layout) = (config.mode, &config.layout);
    if !colors::is_terminal(Stream::Output) || log::is_for_programs() {
        return print(&format!("{LISTENING} http://{}", listener.authority()));
    }
    let paint = |style, text: &str| match colors::are_on(Stream::Output) {
        true => styled(style, text),
        false => text.to_owned(),
    };
    let name = paint(Style::Bold, concat!("liveline ", env!("CARGO_PKG_VERSION")));
    let command = if mode == Mode::Development { "dev" } else { "serve" };
    print(&format!("\n  {name} {}\n", paint(Style::Dim, command)));
    let rows = rows(args, mode, layout, listener);
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, value) in &rows {
        // The first line is not coloured, for programs that read it.
        let (name, value) = match *name {
            LISTENING => (LISTENING.to_owned(), value.clone()),
            name if value.starts_with("http") => {
                (paint(Style::Dim, &format!("{name:width$}")), paint(Style::Link, value))
            }
            name => (paint(Style::Dim, &format!("{name:width$}")), paint(Style::Bold, value)),
        };
        print(&format!("  {name} {value}"));
    }
    if mode == Mode::Development {
        print(&format!("\n  {}", paint(Style::Dim, "Saved files are reloaded at once.")));
        #[cfg(unix)]
        if keys::are_there() && keys::listen(local_url(listener)).is_ok() {
            return print(&format!("  {}\n", paint(Style::Dim, keys::HINT)));
        }
        return print(&format!("  {}\n", paint(Style::Dim, STOP)));
    }
    print(&format!("\n  {}\n", paint(Style::Dim, STOP)));
}

/// The address of the site, as a browser on this machine can open it.
pub(super) fn local_url(listener: &Listener) -> String {
    url_to_open(listener.addresses()[0], &listener.authority())
}

fn url_to_open(first: SocketAddr, authority: &str) -> String {
    if first.ip().is_unspecified() || first.ip() == IpAddr::V6(Ipv6Addr::LOCALHOST) {
        return format!("http://localhost:{}", first.port());
    }
    format!("http://{authority}")
}

fn rows(args: &Server, mode: Mode, layout: &Layout, listener: &Listener) -> Vec<(&'static str, String)> {
    let listening = listener.addresses()[0];
    let mut rows = vec![(LISTENING, local_url(listener))];
    match network_address(listening) {
        Some(address) => {
            rows.push(("network", format!("http://{}", SocketAddr::new(address, listening.port()))))
        }
        None if mode == Mode::Development && listening.ip().is_loopback() => {
            rows.push(("network", "only this machine; use --host 0.0.0.0 for others".to_owned()));
        }
        None => {}
    }
    rows.push(("handlers", handlers(layout)));
    rows.push(("database", place_of(args.database.as_deref())));
    if args.session_store != Path::new("memory") {
        rows.push(("sessions", place_of(Some(&args.session_store))));
    }
    if args.workers > 1 {
        rows.push(("workers", args.workers.to_string()));
    }
    rows
}

/// How many handlers there are, and in which folder.
fn handlers(layout: &Layout) -> String {
    let folder = shown(&layout.routes);
    let Ok((routes, _)) = dialect::read(layout) else { return folder };
    let count = |layer: Layer| routes.handlers().iter().filter(|handler| handler.layer == layer).count();
    let counts = [
        (count(Layer::Server), "handler", "handlers"),
        (count(Layer::Client), "in pages", "in pages"),
        (count(Layer::Worker), "in workers", "in workers"),
        (routes.pages().len(), "page", "pages"),
    ];
    let counts = counts.into_iter().enumerate().filter(|(place, (count, ..))| *place == 0 || *count > 0);
    let counts: Vec<_> = counts
        .map(|(place, (count, one, many))| match place {
            0 => count.to_string(),
            _ => format!("{count} {}", if count == 1 { one } else { many }),
        })
        .collect();
    let empty = routes.handlers().is_empty() && routes.pages().is_empty();
    let hint = if empty { ": create handler.js there" } else { "" };
    format!("{} in {folder}{hint}", counts.join(", "))
}

fn place_of(database: Option<&Path>) -> String {
    database.map_or_else(|| "in memory".to_owned(), shown)
}

/// A path, relative to the working folder if it is below it.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let short = here.and_then(|here| path.strip_prefix(here).ok());
    let short = short.filter(|short| !short.as_os_str().is_empty()).unwrap_or(path);
    visible(&short.display().to_string())
}

/// The address by which other machines reach the server, if it listens on one.
fn network_address(listening: SocketAddr) -> Option<IpAddr> {
    let ip = listening.ip();
    if ip.is_loopback() {
        return None;
    }
    if !ip.is_unspecified() {
        return Some(ip);
    }
    // Nothing is sent: the system only chooses the address that it would send from.
    let from = |own: IpAddr, other: IpAddr| {
        let socket = UdpSocket::bind((own, 0)).ok()?;
        socket.connect((other, 9)).ok()?;
        socket.local_addr().ok().map(|address| address.ip())
    };
    let documentation = Ipv4Addr::new(192, 0, 2, 1);
    let found = from(Ipv4Addr::UNSPECIFIED.into(), documentation.into()).or_else(|| {
        from(Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into())
    });
    found.filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::url_to_open;

    #[test]
    fn url_to_open_can_be_opened_on_this_machine() {
        for (listening, url) in [
            ("127.0.0.1:3000", "http://127.0.0.1:3000"),
            ("0.0.0.0:80", "http://localhost:80"),
            ("[::]:3000", "http://localhost:3000"),
            ("[::1]:3000", "http://localhost:3000"),
            ("192.168.0.2:1", "http://192.168.0.2:1"),
        ] {
            assert_eq!(url_to_open(listening.parse().expect("an address"), listening), url);
        }
    }
}
