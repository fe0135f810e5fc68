//! What is measured, and how much of it.

use std::path::PathBuf;
use std::time::Duration;

use crate::checkout::Checkout;
use crate::failure::{Outcome, While, fail};

/// The names of the groups, in the order they run.
pub const GROUPS: [&str; 12] = [
    "start", "http", "echo", "fanout", "events", "connect", "hostile", "resident", "idle", "actors",
    "fastify", "topics",
];

/// The groups with the headline figures, for `--quick`.
const HEADLINES: [&str; 7] = ["start", "http", "echo", "fanout", "resident", "idle", "hostile"];

/// How much is measured when the arguments do not set it.
struct Extent {
    rounds: u32,
    /// Seconds of one round, and of the load before it.
    seconds: u32,
    warmup: u32,
}

/// For groups that were named.
const FULL: Extent = Extent { rounds: 7, seconds: 8, warmup: 3 };
/// All groups within half an hour.
const ALL: Extent = Extent { rounds: 5, seconds: 2, warmup: 1 };
/// The headlines within five minutes.
const QUICK: Extent = Extent { rounds: 3, seconds: 1, warmup: 0 };

pub struct Plan {
    pub groups: Vec<&'static str>,
    pub rounds: usize,
    pub duration: Duration,
    pub warmup: Duration,
    /// Names of the peers; empty means all.
    pub only: Vec<String>,
    pub json: Option<PathBuf>,
    pub chart: Option<PathBuf>,
    /// Tiny counts, our own peer, and correctness instead of figures.
    pub smoke: bool,
    /// The headline figures alone, each against the peers that its limits name.
    pub quick: bool,
}

impl Plan {
    pub fn parse(checkout: &Checkout, arguments: &[&str]) -> Outcome<Self> {
        let mut plan = Self {
            groups: Vec::new(),
            rounds: 0,
            duration: Duration::ZERO,
            warmup: Duration::ZERO,
            only: Vec::new(),
            json: None,
            chart: None,
            smoke: false,
            quick: false,
        };
        let (mut rounds, mut seconds, mut warmup) = (None, None, None);
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            if let Some(group) = GROUPS.into_iter().find(|group| group == argument) {
                plan.groups.push(group);
                continue;
            }
            if *argument == "--smoke" {
                plan.smoke = true;
                continue;
            }
            if *argument == "--quick" {
                plan.quick = true;
                continue;
            }
            let mut value = || match arguments.next() {
                Some(value) => Ok(*value),
                None => fail(format!("{argument} needs a value")),
            };
            let number = |text: &str| text.parse::<u32>().while_doing(format_args!("{argument} {text}"));
            match *argument {
                "--rounds" => rounds = Some(number(value()?)?.max(1)),
                "--seconds" => seconds = Some(number(value()?)?.max(1)),
                "--warmup" => warmup = Some(number(value()?)?),
                "--only" => plan.only = value()?.split(',').map(str::to_owned).collect(),
                "--json" => plan.json = Some(checkout.caller.join(value()?)),
                "--chart" => plan.chart = Some(checkout.caller.join(value()?)),
                other => {
                    let groups = GROUPS.join(", ");
                    return fail(format!("bench: unknown option or group {other}; the groups are {groups}"));
                }
            }
        }
        let extent = match (plan.quick, plan.groups.is_empty()) {
            (true, _) => QUICK,
            (false, true) => ALL,
            (false, false) => FULL,
        };
        if plan.groups.is_empty() {
            plan.groups = if plan.quick { HEADLINES.to_vec() } else { GROUPS.to_vec() };
        }
        plan.rounds = rounds.unwrap_or(extent.rounds) as usize;
        plan.duration = Duration::from_secs(seconds.unwrap_or(extent.seconds).into());
        plan.warmup = Duration::from_secs(warmup.unwrap_or(extent.warmup).into());
        Ok(plan)
    }

    /// Whether a peer was asked for.
    pub fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|wanted| wanted == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Outcome<Plan> {
        let folder = PathBuf::from("/somewhere");
        let checkout = Checkout {
            root: folder.clone(),
            target: folder.clone(),
            program: folder.clone(),
            caller: folder,
        };
        Plan::parse(&checkout, arguments)
    }

    #[test]
    fn parse_nothing_is_everything_in_short_rounds() {
        let plan = parse(&[]).expect("a plan");
        assert_eq!((plan.groups.len(), plan.rounds, plan.duration.as_secs()), (GROUPS.len(), 5, 2));
    }

    #[test]
    fn parse_named_groups_get_long_rounds_and_what_was_said() {
        let plan = parse(&["idle", "http", "--rounds", "2", "--json", "out.json"]).expect("a plan");
        assert_eq!((&plan.groups[..], plan.rounds, plan.duration.as_secs()), (&["idle", "http"][..], 2, 8));
        assert_eq!(plan.json, Some(PathBuf::from("/somewhere/out.json")));
    }

    #[test]
    fn parse_quick_is_the_headlines_or_named_groups_in_the_shortest_rounds() {
        let plan = parse(&["--quick"]).expect("a plan");
        assert_eq!((&plan.groups[..], plan.rounds, plan.duration.as_secs()), (&HEADLINES[..], 3, 1));
        let plan = parse(&["--quick", "idle", "--rounds", "4"]).expect("a plan");
        assert_eq!((&plan.groups[..], plan.rounds, plan.duration.as_secs()), (&["idle"][..], 4, 1));
    }

    #[test]
    fn parse_unknown_names_and_lost_values_are_errors() {
        assert!(parse(&["htpp"]).is_err());
        assert!(parse(&["--rounds"]).is_err());
        assert!(parse(&["--rounds", "many"]).is_err());
    }
}
