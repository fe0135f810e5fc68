//! Whether the process prints with colours, for standard output and standard error.

use std::env;
use std::io::{self, IsTerminal as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::output::Stream;

/// Whether colours are off for good.
static ARE_OFF: AtomicBool = AtomicBool::new(false);

/// Turns colours off for good, for output that programs read.
pub(crate) fn turn_off() {
    ARE_OFF.store(true, Ordering::Relaxed);
}

/// Whether a stream gets colours: if it is a terminal, unless the environment decides otherwise.
pub(crate) fn are_on(stream: Stream) -> bool {
    static ON: OnceLock<[bool; 2]> = OnceLock::new();
    let wish = || wish(|name| env::var(name).ok());
    let on = ON
        .get_or_init(|| [Stream::Output, Stream::Error].map(|it| wish().unwrap_or_else(|| is_terminal(it))));
    on[usize::from(stream == Stream::Error)] && !ARE_OFF.load(Ordering::Relaxed)
}

/// Whether a stream is a terminal.
pub(crate) fn is_terminal(stream: Stream) -> bool {
    match stream {
        Stream::Output => io::stdout().is_terminal(),
        Stream::Error => io::stderr().is_terminal(),
    }
}

/// What the environment decides, for both streams: <https://no-color.org>, <https://bixense.com/clicolors>.
fn wish(variable: impl Fn(&str) -> Option<String>) -> Option<bool> {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let is_on = |name: &str| variable(name).is_some_and(|value| !value.is_empty() && value != "0");
    if is_set("NO_COLOR") {
        return Some(false);
    }
    if is_on("CLICOLOR_FORCE") || is_on("FORCE_COLOR") {
        return Some(true);
    }
    let is_without =
        variable("CLICOLOR").as_deref() == Some("0") || variable("TERM").as_deref() == Some("dumb");
    is_without.then_some(false)
}

#[cfg(test)]
mod tests {
    use super::wish;

    #[test]
    fn wish_is_read_from_the_environment() {
        for (variables, wished) in [
            (&[][..], None),
            (&[("NO_COLOR", "1")], Some(false)),
            (&[("NO_COLOR", "")], None),
            (&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], Some(false)),
            (&[("CLICOLOR_FORCE", "1"), ("TERM", "dumb")], Some(true)),
            (&[("CLICOLOR_FORCE", "0")], None),
            (&[("FORCE_COLOR", "3")], Some(true)),
            (&[("CLICOLOR", "0")], Some(false)),
            (&[("TERM", "dumb")], Some(false)),
            (&[("TERM", "xterm-256color"), ("CLICOLOR", "1")], None),
        ] {
            let variable = |name: &str| {
                variables.iter().find(|(it, _)| *it == name).map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(wish(variable), wished, "{variables:?}");
        }
    }
}
