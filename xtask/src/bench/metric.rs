//! One number of the table: the values of each peer, and the limits for ours.

use super::stats::{Spread, ratios, spread};

/// A row of measuring.md with its values.
pub struct Metric {
    /// Its name there, such as `W3`.
    pub id: &'static str,
    pub title: String,
    pub unit: &'static str,
    pub better: Better,
    /// The name of our series.
    pub ours: &'static str,
    pub series: Vec<Series>,
    pub bar: Option<Bar>,
    /// What else was seen.
    pub notes: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Better {
    More,
    Less,
}

/// One peer's values, one for each round.
#[derive(Clone, Debug)]
pub struct Series {
    pub name: &'static str,
    pub values: Vec<f64>,
}

/// What we are held against.
pub struct Bar {
    pub against: Against,
    pub gate: f64,
    pub goal: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Against {
    /// The ratio to one peer.
    One(&'static str),
    /// The ratio to whichever other series has the best median, except the baseline.
    Best,
    /// Our value as it is.
    Absolute,
}

impl Metric {
    pub fn series(&self, name: &str) -> Option<&Series> {
        self.series.iter().find(|series| series.name == name && !series.values.is_empty())
    }

    /// Ours over another's, round by round.
    pub fn ratio(&self, to: &Series) -> Option<Spread> {
        spread(&ratios(&self.series(self.ours)?.values, &to.values))
    }

    /// The other that the bar names.
    pub fn rival(&self) -> Option<&Series> {
        match self.bar.as_ref()?.against {
            Against::One(name) => self.series(name),
            Against::Absolute => None,
            Against::Best => {
                let others = self
                    .series
                    .iter()
                    .filter(|one| one.name != super::peers::BASELINE && !super::peers::is_ours(one.name));
                let median = |one: &Series| spread(&one.values).map_or(f64::NAN, |spread| spread.median);
                let measured = others.filter(|one| !one.values.is_empty());
                match self.better {
                    Better::More => measured.max_by(|a, b| median(a).total_cmp(&median(b))),
                    Better::Less => measured.min_by(|a, b| median(a).total_cmp(&median(b))),
                }
            }
        }
    }

    /// The value that is held against gate and goal.
    pub fn verdict(&self) -> Option<Spread> {
        match self.bar.as_ref()?.against {
            Against::Absolute => spread(&self.series(self.ours)?.values),
            _ => self.ratio(self.rival()?),
        }
    }

    pub fn meets(&self, value: f64, limit: f64) -> bool {
        match self.better {
            Better::More => value >= limit,
            Better::Less => value <= limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(better: Better, against: Against) -> Metric {
        let series = |name, values: &[f64]| Series { name, values: values.to_vec() };
        Metric {
            id: "X0",
            title: "test".to_owned(),
            unit: "things",
            better,
            ours: "liveline",
            series: vec![
                series("baseline", &[900.0, 900.0]),
                series("liveline", &[100.0, 50.0]),
                series("bun", &[50.0, 25.0]),
                series("deno", &[40.0, 20.0]),
                series("absent", &[]),
            ],
            bar: Some(Bar { against, gate: 1.0, goal: 2.5 }),
            notes: Vec::new(),
        }
    }

    #[test]
    fn verdict_best_peer_leaves_out_the_baseline_and_the_absent() {
        let more = metric(Better::More, Against::Best);
        assert_eq!(more.rival().map(|one| one.name), Some("bun"));
        assert_eq!(more.verdict().map(|spread| spread.median), Some(2.0));
        let less = metric(Better::Less, Against::Best);
        assert_eq!(less.rival().map(|one| one.name), Some("deno"));
    }

    #[test]
    fn verdict_absolute_is_our_own_median() {
        assert_eq!(metric(Better::More, Against::Absolute).verdict().map(|spread| spread.median), Some(75.0));
    }

    #[test]
    fn meets_knows_the_direction() {
        let (more, less) = (metric(Better::More, Against::Best), metric(Better::Less, Against::Best));
        assert!(more.meets(1.0, 1.0) && !more.meets(0.9, 1.0));
        assert!(less.meets(1.0, 1.0) && !less.meets(1.1, 1.0));
    }

    #[test]
    fn verdict_without_the_rival_is_none() {
        assert!(metric(Better::More, Against::One("absent")).verdict().is_none());
    }
}
