//! What a misspelt name was meant to be.

/// The candidate that a misspelt name was meant to be.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearest_within(name, candidates, steps_for(name))
}

/// The candidate that is nearest to a name and at most `steps` mistakes away: a letter too many, a letter too few,
/// another letter, or two letters swapped. Upper and lower case are the same.
pub(crate) fn nearest_within<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
    steps: usize,
) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let near = candidates.into_iter().filter(|candidate| *candidate != name).filter_map(|candidate| {
        let distance = strsim::osa_distance(&lower, &candidate.to_lowercase());
        // Of a short name too little would be left.
        (distance <= steps && distance * 2 < candidate.chars().count().max(2))
            .then_some((distance, candidate))
    });
    // Of two that are as near, the one with the same capitals.
    near.min_by_key(|(distance, candidate)| (*distance, strsim::osa_distance(name, candidate)))
        .map(|(_, candidate)| candidate)
}

/// How many mistakes a name of this length may have.
fn steps_for(name: &str) -> usize {
    match name.chars().count() {
        0..=2 => 0,
        3..=5 => 1,
        6..=11 => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::nearest_within;

    #[test]
    fn nearest_within_counts_swapped_letters_once_and_capitals_not_at_all() {
        let methods = || ["GET", "POST", "DELETE"].into_iter();
        let found =
            ["Get", "GETT", "psot", "DELTE", "GRAB", "GET"].map(|name| nearest_within(name, methods(), 1));
        assert_eq!(found, [Some("GET"), Some("GET"), Some("POST"), Some("DELETE"), None, None]);
    }
}
