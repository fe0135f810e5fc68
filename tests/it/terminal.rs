//! What people see at a terminal, and what programs get instead.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::support::terminal::{Terminal, plain};
use crate::support::{Finished, Log, Site};

const FINE: &str = "export default () => 1";

/// A handler that prints in every way there is, and then throws.
const LOUD: &str = r#"
function deep() { throw new Error("boom", { cause: new TypeError("behind it") }); }
export default async (event) => {
  console.log("printed", { number: 1, text: "t", nothing: null });
  console.error(new Error("shown"));
  console.warn("\x1b[2J\x1b]0;title\x07\x9b31m and \x1b[32mgreen");
  await null;
  deep();
};
"#;

fn loud() -> Site {
    Site::new().file("fine/handler.js", FINE).file("loud/handler.js", LOUD)
}

// -- Colours ------------------------------------------------------------------------------------------

#[test]
fn colours_are_for_terminals_or_by_choice() {
    for (environment, has_colors) in [
        (&[][..], true),
        (&[("NO_COLOR", "1")], false),
        (&[("TERM", "dumb")], false),
        (&[("TERM", "dumb"), ("CLICOLOR_FORCE", "1")], true),
        (&[("CLICOLOR", "0")], false),
        (&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], false),
    ] {
        let terminal = Terminal::start(loud(), "dev", 80, environment);
        let address = terminal.address();
        terminal.get(&address, "/loud");
        let object = terminal.screen.next("number: ");
        assert_eq!(object.contains("\u{1b}[33m1"), has_colors, "{environment:?}: {object:?}");
        let error = terminal.screen.next("ERROR");
        assert_eq!(error.contains('\u{1b}'), has_colors, "{environment:?}: {error:?}");
        let place = terminal.screen.next("loud/handler.js:2:");
        assert_eq!(place.contains("\u{1b}[36m"), has_colors, "{environment:?}: {place:?}");
        let banner = terminal.screen.text();
        let banner = banner.lines().find(|line| line.contains("database")).expect("a banner").to_owned();
        assert_eq!(banner.contains('\u{1b}'), has_colors, "{environment:?}: {banner:?}");
    }
}

#[test]
fn colours_never_reach_pipes() {
    let site = loud().file("bad/handler.js", "export const Get = () => 1;");
    for (command, code) in [("check", 1), ("routes", 0)] {
        let finished = site.run(command);
        assert_eq!(finished.code, Some(code), "{}", finished.output());
        assert!(!finished.output().contains('\u{1b}'), "{}", finished.output());
    }
    for words in [&["--help"][..], &["serve", "--help"], &["nonsense"]] {
        assert!(!Finished::of(words).output().contains('\u{1b}'));
    }
    for command in ["dev", "serve"] {
        let host = if command == "dev" { loud().dev() } else { loud().serve() };
        host.get("/loud");
        host.log.next("boom");
        host.signal("TERM");
        let log = host.log.end();
        assert!(
            !log.replace("\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m and \u{1b}[32mgreen", "").contains('\u{1b}'),
            "{log}"
        );
        host.prints("number: 1");
        assert!(!host.printed().contains('\u{1b}'), "{}", host.printed());
    }
}

#[test]
fn colours_can_be_forced_into_pipes_but_not_into_logs_for_programs() {
    let site = Site::new().file("handler.js", "export const Get = () => 1;");
    let mut line = site.command("check");
    line.env("CLICOLOR_FORCE", "1");
    let forced = line.output().expect("it runs");
    assert!(String::from_utf8_lossy(&forced.stderr).contains("\u{1b}[1;31merror:\u{1b}[0m"), "{forced:?}");

    let site = loud().arg("--log-format=json");
    let terminal = Terminal::start(site, "dev", 80, &[("CLICOLOR_FORCE", "1")]);
    let address = terminal.address();
    terminal.get(&address, "/loud");
    terminal.screen.next("boom");
    let shown = terminal.screen.text();
    assert!(!shown.contains('\u{1b}'), "{shown}");
    assert!(shown.contains("listening on http://") && !shown.contains("liveline 0"), "{shown}");
}

// -- Control characters -------------------------------------------------------------------------------

#[test]
fn nothing_that_strangers_send_commands_the_terminal() {
    let site = Site::new()
        .file("handler.js", "export default async (e) => { console.log(decodeURIComponent(e.url.search)); throw new Error(decodeURIComponent(e.url.search)); }")
        .arg("--access-log");
    let terminal = Terminal::start(site, "serve", 80, &[]);
    let address = terminal.address();
    terminal.get(&address, "/%1b%5d0;path%07?%1b%5d0;evil%07%1b%5b2J%c2%9b2J%0d%08");
    terminal.screen.next("evil");
    terminal.screen.next("ERROR");
    terminal.screen.next("/%1b%5d0;path");
    let shown = plain(&terminal.screen.text().replace("\r\n", "\n")).replace('\r', "\n");
    let commands: Vec<_> = shown.chars().filter(|c| c.is_control() && !matches!(c, '\n' | '\t')).collect();
    assert!(commands.is_empty(), "{shown:?}");
    // They can be seen.
    assert!(shown.contains(r"\u{1b}]0;evil\u{7}\u{1b}[2J\u{9b}2J\u{d}\u{8}"), "{shown:?}");
}

#[test]
fn colours_of_handlers_end_with_their_line() {
    let terminal = Terminal::start(loud(), "dev", 80, &[]);
    let address = terminal.address();
    terminal.get(&address, "/loud");
    let line = terminal.screen.next("green");
    assert_eq!(line.trim_end(), "\\u{1b}[2J\\u{1b}]0;title\\u{7}\\u{9b}31m and \u{1b}[32mgreen\u{1b}[0m");
}

// -- Errors -------------------------------------------------------------------------------------------

#[test]
fn stacks_show_what_was_written_and_each_place_on_a_line_of_its_own() {
    for command in ["dev", "serve"] {
        let terminal = Terminal::start(loud(), command, 120, &[]);
        let address = terminal.address();
        terminal.get(&address, "/loud");
        terminal.screen.next("caused by");
        terminal.screen.next("-->");
        let shown = plain(&terminal.screen.text()).replace('\r', "");
        assert!(
            !shown.contains("ext:liveline") && !shown.contains("ext:deno") && !shown.contains("file://"),
            "{shown}"
        );
        // What the handler printed itself has its place as editors open it.
        assert!(shown.contains("Error: shown\n    at default (loud/handler.js:5:17)\n"), "{shown}");
        let expected = "  --> loud/handler.js:2:25\n    |\n\
            2 | function deep() { throw new Error(\"boom\", { cause: new TypeError(\"behind it\") });";
        let compact = |text: &str| text.split('\n').map(str::trim).collect::<Vec<_>>().join("\n");
        assert!(compact(&shown).contains(&compact(expected)), "{shown}");
        assert!(shown.contains("    at default\n      --> loud/handler.js:8:3\n"), "{shown}");
        assert!(shown.contains("  caused by: TypeError: behind it\n  --> loud/handler.js:2:"), "{shown}");
        // Whatever else is known of the request stands in the first line.
        assert!(shown.lines().any(|line| line.contains("GET /loud: Error: boom exchange=")), "{shown}");
    }
}

#[test]
fn the_stack_of_an_error_has_no_frames_of_the_host() {
    let host = Site::new()
        .file("handler.js", "export default () => { try { new URL('/x'); } catch (e) { return e.stack; } }")
        .serve();
    let stack = host.get("/").text().to_owned();
    assert!(stack.contains("handler.js:1:") && !stack.contains("ext:"), "{stack}");
}

#[test]
fn excerpts_fit_into_the_terminal() {
    let long = format!("export function Get() {{ return '{}'; }}", "x".repeat(300));
    for columns in [60, 80, 120] {
        let site = Site::new().file("handler.js", &long);
        let checked = Terminal::run(site.command("check"), columns, &[]);
        assert_eq!(checked.code, Some(1));
        let shown = plain(&checked.stdout);
        let excerpt: Vec<_> = shown.lines().filter(|line| line.contains(" | ")).collect();
        assert!(
            !excerpt.is_empty() && excerpt.iter().all(|line| line.chars().count() <= columns.into()),
            "{shown}"
        );
        assert!(checked.stdout.contains("\u{1b}[32mhelp:\u{1b}[0m"), "{:?}", checked.stdout);
    }
}

// -- Relative addresses -------------------------------------------------------------------------------

#[test]
fn relative_addresses_are_errors_that_name_the_remedy() {
    let source = r#"
      const tries = {
        fetch: () => fetch("/x"), path: () => fetch("x/y?a=1"), query: () => fetch("?a"), Request: () => new Request("/x"),
        URL: () => new URL("/x"), WebSocket: () => new WebSocket("/x"), EventSource: () => new EventSource("/x"),
        scheme: () => fetch("http://"), base: () => new URL("/x", "y"),
      };
      export default async () => {
        const said = {};
        for (const name in tries) {
          try { await tries[name](); } catch (error) { said[name] = `${error.name}: ${error.message}`; }
        }
        return said;
      };"#;
    let said = Site::new().file("handler.js", source).serve().get("/").json();
    for name in ["fetch", "path", "query", "Request", "URL", "WebSocket", "EventSource"] {
        let text = said[name].as_str().unwrap_or_else(|| panic!("{name}: {said}"));
        assert!(text.contains("', event.url)"), "{name}: {text}");
        assert!(text.contains("third argument") || name == "WebSocket", "{name}: {text}");
    }
    assert!(
        said["fetch"].as_str().is_some_and(|text| text.starts_with("TypeError: Invalid URL: '/x'")),
        "{said}"
    );
    // It is not what is wrong with these.
    assert_eq!(said["scheme"], "TypeError: Invalid URL: 'http://'");
    assert_eq!(said["base"], "TypeError: Invalid URL: '/x' with base 'y'");
}

// -- The beginning ------------------------------------------------------------------------------------

#[test]
fn a_banner_greets_people() {
    let site = Site::new()
        .file("handler.js", FINE)
        .file("a/handler.server.ts", FINE)
        .file("a/handler.client.js", FINE)
        .file("a/page.html", "<p>")
        .arg("--database=site.db");
    for command in ["dev", "serve"] {
        let folder = Site::of(site.path(".")).arg("--database=site.db");
        let terminal = Terminal::start(folder, command, 60, &[]);
        let address = terminal.address();
        assert_eq!(terminal.get(&address, "/").text(), "1");
        terminal.screen.next(if command == "dev" { "q + Enter" } else { "Ctrl+C" });
        let shown = plain(&terminal.screen.text()).replace('\r', "");
        let name = format!("liveline {} {command}", env!("CARGO_PKG_VERSION"));
        for words in [name.as_str(), "listening on http://127.0.0.1:", "2, 1 in pages, 1 page in ", "site.db"]
        {
            assert!(shown.contains(words), "{words}: {shown}");
        }
        assert_eq!(shown.contains("only this machine"), command == "dev", "{shown}");
    }
}

#[test]
fn a_banner_shows_the_address_for_others() {
    let site = Site::new().file("handler.js", FINE).arg("--host=0.0.0.0");
    let terminal = Terminal::start(site, "dev", 80, &[]);
    let address = terminal.address();
    terminal.screen.next("q + Enter");
    assert!(address.starts_with("localhost:"), "{address}");
    let shown = plain(&terminal.screen.text());
    // A machine without a network has none.
    if let Some(line) = shown.lines().find(|line| line.trim_start().starts_with("network")) {
        let network = line.split_once("http://").unwrap_or_else(|| panic!("{shown}")).1.trim();
        assert!(!network.starts_with("0.") && !network.starts_with("127."), "{shown}");
        assert_eq!(terminal.get(network, "/").text(), "1");
    }
}

#[test]
fn keys_reload_and_stop() {
    let mut terminal = Terminal::start(Site::new().file("handler.js", FINE), "dev", 80, &[("CI", "1")]);
    terminal.screen.next("q + Enter");
    terminal.type_line("x");
    terminal.screen.next("r + Enter reloads");
    terminal.type_line("r");
    terminal.screen.next("reloaded in");
    terminal.type_line("o");
    terminal.screen.next("no browser was opened");
    terminal.type_line("q");
    terminal.screen.next("stopping");
    assert_eq!(terminal.ended(), Some(0));
}

#[test]
fn an_empty_folder_is_an_error() {
    let terminal = Terminal::start(Site::new().file("app/.keep", ""), "dev", 80, &[]);
    terminal.screen.next("create handler.js there");
}

// -- Help ---------------------------------------------------------------------------------------------

#[test]
fn help_is_grouped_and_breaks_no_word() {
    let whole = Finished::of(&["serve", "--help"]).stdout;
    let words: std::collections::HashSet<&str> = whole.split_whitespace().collect();
    for columns in [60, 80, 120] {
        for words_of in
            [&["--help"][..], &["serve", "--help"], &["help", "dev"], &["check", "-h"], &["top", "--help"]]
        {
            let help = Terminal::run(Finished::command(words_of), columns, &[]);
            assert_eq!(help.code, Some(0));
            let shown = plain(&help.stdout);
            for line in shown.lines() {
                assert!(line.chars().count() <= columns.into(), "{columns}, {words_of:?}: {line:?}");
            }
            assert!(shown.contains("Examples:\n  liveline "), "{words_of:?}: {shown}");
            if words_of[0] == "serve" {
                for heading in [
                    "Arguments",
                    "Address",
                    "Site",
                    "Hosts, origins and proxies",
                    "Data and sessions",
                    "Logging and metrics",
                    "Limits",
                ] {
                    assert!(shown.contains(&format!("\n{heading}:\n")), "{heading}: {shown}");
                }
                let unknown: Vec<_> = shown.split_whitespace().filter(|word| !words.contains(word)).collect();
                assert_eq!(unknown, [""; 0], "{columns}");
            }
        }
    }
}

#[test]
fn a_misspelt_argument_is_an_error_with_a_suggestion() {
    for (words, meant) in [
        (&["chekc", "."][..], "'check'"),
        (&["serve", ".", "--prot", "1"], "'--port'"),
        (&["dev", ".", "--opne"], "'--open'"),
        (&["serve", ".", "--log-format", "jsn"], "'json'"),
    ] {
        let finished = Finished::of(words);
        assert_eq!(finished.code, Some(2), "{}", finished.output());
        assert!(finished.stderr.contains(meant), "{meant}: {}", finished.output());
    }
}

// -- The browser --------------------------------------------------------------------------------------

/// A folder with a program of the name by which desktops open addresses, which notes the address.
fn desktop() -> (tempfile::TempDir, Log) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pipe = folder.path().join("opened");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let program = folder.path().join("xdg-open");
    fs::write(&program, format!("#!/bin/sh\necho \"opened $1\" > '{}'\n", pipe.display())).expect("a script");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a program");
    // Opened for both, so that neither side waits for the other to come.
    let reader = fs::OpenOptions::new().read(true).write(true).open(&pipe).expect("a pipe");
    (folder, Log::follow("the desktop", reader))
}

#[test]
#[cfg(target_os = "linux")]
fn open_opens_the_browser() {
    let (folder, opened) = desktop();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").expect("a PATH"));
    let site = Site::new().file("handler.js", FINE).arg("--open");
    let terminal = Terminal::start(site, "dev", 80, &[("DISPLAY", ":9"), ("PATH", &path)]);
    let address = terminal.address();
    assert_eq!(opened.next("opened "), format!("opened http://{address}"));
    assert_eq!(terminal.get(&address, "/").text(), "1");
}

#[test]
#[cfg(target_os = "linux")]
fn open_prints_why_it_opens_nothing_and_the_server_goes_on() {
    let nothing = tempfile::tempdir().expect("a temporary folder");
    let empty = nothing.path().display().to_string();
    for (environment, why) in [
        (&[("DISPLAY", ""), ("WAYLAND_DISPLAY", ""), ("WSL_DISTRO_NAME", "")][..], "there is no display"),
        (&[("DISPLAY", ":9"), ("CI", "true")], "CI is set"),
        (&[("DISPLAY", ":9"), ("PATH", empty.as_str())], "no browser was opened"),
    ] {
        let site = Site::new().file("handler.js", FINE).arg("--open");
        let terminal = Terminal::start(site, "dev", 80, environment);
        let address = terminal.address();
        let line = terminal.screen.next("no browser was opened");
        assert!(line.contains(why) && line.contains(&format!("open http://{address}")), "{line}");
        assert_eq!(terminal.get(&address, "/").text(), "1");
    }
}
