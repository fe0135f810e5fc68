//! What a misspelt name was meant to be.

/// The candidate that is nearest to a name, if it is near enough to be meant: so many steps of a typist apart at most,
/// each a letter too many, too few, another one, or two swapped; capitals count as nothing.
pub(super) fn nearest<'a>(
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

/// So many steps may be wrong in a name of this length.
pub(super) fn steps_for(name: &str) -> usize {
    match name.chars().count() {
        0..=2 => 0,
        3..=5 => 1,
        6..=11 => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn nearest_counts_swapped_letters_once_and_capitals_not_at_all() {
        let methods = || ["GET", "POST", "DELETE"].into_iter();
        let found = ["Get", "GETT", "psot", "DELTE", "GRAB", "GET"].map(|name| nearest(name, methods(), 1));
        assert_eq!(found, [Some("GET"), Some("GET"), Some("POST"), Some("DELETE"), None, None]);
    }
}
