//! Figures as a strict collector reads them (OpenMetrics 1.0, sections 4 and 5).

use std::collections::{BTreeMap, HashSet};

/// A name with its labels, and the value.
type Samples = BTreeMap<(String, BTreeMap<String, String>), f64>;

/// What one look at `/metrics` showed.
#[derive(Debug)]
pub struct Figures {
    pub samples: Samples,
    /// The kind of each family.
    pub kinds: BTreeMap<String, String>,
}

impl Figures {
    /// Reads a text, which must keep every rule.
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        let body = text.strip_suffix("# EOF\n").unwrap_or_else(|| panic!("no end: {text}"));
        let mut figures = Self { samples: Samples::new(), kinds: BTreeMap::new() };
        let mut family = String::new();
        let mut described = HashSet::new();
        for line in body.lines() {
            let Some(comment) = line.strip_prefix("# ") else {
                figures.add(&family, line);
                continue;
            };
            let mut words = comment.splitn(3, ' ');
            let (what, name, rest) = (words.next(), words.next(), words.next());
            let (Some(what), Some(name), Some(rest)) = (what, name, rest) else { panic!("{line}") };
            match what {
                "TYPE" => {
                    let known = figures.kinds.insert(name.to_owned(), rest.to_owned());
                    assert_eq!(known, None, "{name} comes twice");
                    family = name.to_owned();
                }
                "UNIT" => assert!(name == family && name.ends_with(&format!("_{rest}")), "{line}"),
                "HELP" => {
                    assert!(name == family && rest.ends_with('.') && described.insert(name), "{line}")
                }
                _ => panic!("{line}"),
            }
        }
        assert_eq!(described.len(), figures.kinds.len(), "every family is described");
        figures.check_histograms();
        figures
    }

    #[track_caller]
    fn add(&mut self, family: &str, line: &str) {
        let (name, rest) = line.split_at(line.find(['{', ' ']).unwrap_or_else(|| panic!("{line}")));
        let suffix = name.strip_prefix(family).unwrap_or_else(|| panic!("{line} is not of {family}"));
        let suffixes: &[&str] = match &*self.kinds[family] {
            "counter" => &["_total"],
            "gauge" => &[""],
            "histogram" => &["_bucket", "_sum", "_count"],
            "info" => &["_info"],
            kind => panic!("{family} is a {kind}"),
        };
        assert!(suffixes.contains(&suffix), "{line}");
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(rest) => labels(rest).unwrap_or_else(|| panic!("{line}")),
            None => (BTreeMap::new(), rest),
        };
        let value: f64 =
            rest.strip_prefix(' ').and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{line}"));
        assert!(value >= 0.0, "{line}");
        let known = self.samples.insert((name.to_owned(), labels), value);
        assert_eq!(known, None, "{line} comes twice");
    }

    #[track_caller]
    fn check_histograms(&self) {
        for (family, _) in self.kinds.iter().filter(|(_, kind)| *kind == "histogram") {
            let bucket = format!("{family}_bucket");
            let buckets = self.samples.iter().filter(|((name, _), _)| *name == bucket);
            let mut buckets: Vec<(f64, f64)> = buckets
                .map(|((_, labels), count)| (labels["le"].parse().expect("a bound"), *count))
                .collect();
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert!(buckets.is_sorted_by(|a, b| a.1 <= b.1), "{buckets:?}");
            let last = buckets.last().copied();
            assert_eq!(last, Some((f64::INFINITY, self.get(&format!("{family}_count"), &[]))));
        }
    }

    /// A sample's value, which must be there.
    #[track_caller]
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.find(name, labels).unwrap_or_else(|| panic!("no {name} {labels:?} in {self:#?}"))
    }

    /// A sample's value, if it is there.
    pub fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        self.samples.get(&(name.to_owned(), labels)).copied()
    }
}

/// Reads `name="value",...}`, and returns what follows.
fn labels(mut text: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        let (name, rest) = text.split_once("=\"")?;
        let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
        if name.is_empty() || !name.chars().all(is_name) {
            return None;
        }
        let mut value = String::new();
        let mut characters = rest.chars();
        loop {
            match characters.next()? {
                '"' => break,
                '\\' => match characters.next()? {
                    'n' => value.push('\n'),
                    same @ ('\\' | '"') => value.push(same),
                    _ => return None,
                },
                '\n' => return None,
                other => value.push(other),
            }
        }
        if labels.insert(name.to_owned(), value).is_some() {
            return None;
        }
        match characters.next()? {
            ',' => text = characters.as_str(),
            '}' => return Some((labels, characters.as_str())),
            _ => return None,
        }
    }
}
