//! The limit of open files, which limits connections, too.

/// Descriptors reserved for databases, static files, modules and upstreams: an eighth, within these bounds.
const RESERVE: std::ops::RangeInclusive<usize> = 16..=512;

/// Raises the limit of open files as far as the process may. Returns how many connections it allows, if there is a limit.
pub(crate) fn for_connections() -> Option<usize> {
    let files = raise()?;
    Some(files.saturating_sub(reserve(files)).max(1))
}

fn reserve(files: usize) -> usize {
    (files / 8).clamp(*RESERVE.start(), *RESERVE.end())
}

/// Raises the soft limit to the hard one.
#[cfg(unix)]
fn raise() -> Option<usize> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let granted = match raised {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!("the limit of open files stays as it is: {error}");
            limit.current
        }
    };
    granted.and_then(|files| files.try_into().ok())
}

#[cfg(not(unix))]
fn raise() -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_files_are_left_for_what_is_no_connection() {
        assert_eq!([64, 1024, 20_000].map(reserve), [16, 128, 512]);
    }

    #[cfg(unix)]
    #[test]
    fn the_limit_is_the_hard_one() {
        let most = for_connections();
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
        assert!(most.zip(limit.current).is_none_or(|(most, files)| (1..files).contains(&(most as u64))));
    }
}
