//! Opens the site in the user's browser.

use std::env;

use super::report;

/// Opens an address. Prints the reason where that is not possible.
pub(super) fn open(url: &str) {
    let refusal = reason_not_to(cfg!(target_os = "linux"), |name| env::var(name).ok());
    let failure =
        refusal.map(str::to_owned).or_else(|| open::that_detached(url).err().map(|error| error.to_string()));
    if let Some(why) = failure {
        report(&format!("no browser was opened: {why}; open {url}"));
    }
}

/// Why a browser would not be seen.
fn reason_not_to(is_linux: bool, variable: impl Fn(&str) -> Option<String>) -> Option<&'static str> {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    if is_set("CI") && variable("CI").as_deref() != Some("false") {
        return Some("this is a build machine (CI is set)");
    }
    let displays = ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"];
    (is_linux && !displays.into_iter().any(is_set)).then_some("there is no display")
}

#[cfg(test)]
mod tests {
    use super::reason_not_to;

    #[test]
    fn nothing_is_opened_where_nobody_sees_it() {
        for (is_linux, variables, opens) in [
            (true, &[("DISPLAY", ":0")][..], true),
            (true, &[("WAYLAND_DISPLAY", "wayland-0")], true),
            (true, &[("DISPLAY", "")], false),
            (true, &[("DISPLAY", ":0"), ("CI", "true")], false),
            (true, &[("DISPLAY", ":0"), ("CI", "false")], true),
            (false, &[], true),
            (false, &[("CI", "1")], false),
        ] {
            let variable = |name: &str| {
                variables.iter().find(|(it, _)| *it == name).map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(reason_not_to(is_linux, variable).is_none(), opens, "{variables:?}");
        }
    }
}
