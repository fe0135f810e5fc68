//! `cargo xtask guard`: the instructions of the hot paths of `crates/proto`, counted by valgrind's callgrind and compared
//! with those in `crates/guard/counts.json`.
//!
//! A count says nothing about time, but it is the same on a busy machine: a path that has become longer is found without
//! a quiet one. It depends on the compiler, on the C library, on valgrind and on the kind of processor, which are recorded
//! with it. Where they differ there is nothing to compare with, and the counts are only printed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::checkout::{Checkout, complete, executable, show};
use crate::failure::{Outcome, While, fail};
use crate::machine::{Machine, Surroundings, apt_install, find_program, may_use_apt};

const VALGRIND: &str = "valgrind";
const PACKAGE: &str = "liveline-guard";
/// How much longer a path may be than its count.
const TOLERANCE: f64 = 0.03;
const RENEW: &str = "cargo xtask guard --renew";

/// What counts depend on, by name.
type Tools = BTreeMap<String, String>;

/// A hot path of the program `crates/guard`.
#[derive(Debug, PartialEq)]
struct Case {
    name: String,
    operations: f64,
}

/// The counts that were recorded: instructions of each case for one operation.
#[derive(Debug, Default, PartialEq)]
struct Counts {
    tools: Tools,
    instructions: BTreeMap<String, f64>,
}

/// How a count compares with the recorded one.
#[derive(Debug, PartialEq)]
enum Verdict {
    Within,
    Longer,
    /// So much shorter that a later change could take it back unnoticed.
    Shorter,
    /// It was not recorded.
    New,
}

/// Counts and compares; with `--renew` records instead.
pub fn guard(checkout: &Checkout, arguments: &[&str]) -> Outcome {
    let renews = match arguments {
        [] => false,
        ["--renew"] => true,
        _ => return fail("guard takes only --renew"),
    };
    if find_program(VALGRIND).is_none() && may_use_apt() {
        apt_install(&[VALGRIND])?;
    }
    let Some(valgrind) = find_program(VALGRIND) else {
        return fail("the guard needs valgrind: install it (Debian, Ubuntu: sudo apt-get install valgrind)");
    };
    complete(checkout.cargo("build").args(["--quiet", "--profile", "dist", "--package", PACKAGE]))?;
    let program = checkout.target.join("dist").join(executable(PACKAGE));
    let report = checkout.target.join("guard.callgrind");
    let mut now = Counts { tools: tools(&valgrind)?, ..Counts::default() };
    let listed = cases(&output(&mut Command::new(&program))?)?;
    for Case { name, operations } in &listed {
        let total = count(&valgrind, &program, name, &report)?;
        now.instructions.insert(name.clone(), (total / operations).round());
    }
    let file = checkout.root.join("crates/guard/counts.json");
    if renews {
        let text = format!("{:#}\n", now.json());
        fs::write(&file, text).while_doing(format_args!("writing {}", file.display()))?;
        print!("{}", table(&listed, &now, &now));
        println!("recorded in {}", file.display());
        return Ok(());
    }
    let text = fs::read_to_string(&file)
        .while_doing(format_args!("reading {}, which `{RENEW}` writes", file.display()))?;
    let recorded = Counts::parse(&text).while_doing(format_args!("reading {}", file.display()))?;
    print!("{}", table(&listed, &recorded, &now));
    judge(&listed, &recorded, &now)
}

/// The instructions of one run of a case.
fn count(valgrind: &Path, program: &Path, case: &str, report: &Path) -> Outcome<f64> {
    let mut command = Command::new(valgrind);
    command.args(["--tool=callgrind", "--quiet", "--toggle-collect=*measured*"]);
    command.arg(format!("--callgrind-out-file={}", report.display())).arg(program).arg(case);
    complete(&mut command)?;
    let text = fs::read_to_string(report).while_doing(format_args!("reading {}", report.display()))?;
    match total(&text) {
        Some(total) if total > 0.0 => Ok(total),
        _ => fail(format!("callgrind has counted nothing of `{case}`: see {}", report.display())),
    }
}

/// The sum of a report of callgrind.
fn total(report: &str) -> Option<f64> {
    report.lines().find_map(|line| line.strip_prefix("totals:"))?.trim().parse().ok()
}

/// The list that the program prints.
fn cases(list: &str) -> Outcome<Vec<Case>> {
    let parsed = list.lines().map(|line| {
        let (name, operations) = line.split_once('\t')?;
        Some(Case { name: name.to_owned(), operations: operations.parse().ok()? })
    });
    match parsed.collect() {
        Some(cases) => Ok(cases),
        None => fail(format!("{PACKAGE} prints no list of cases:\n{list}")),
    }
}

/// The compiler, the machine it compiles for, the C library and valgrind.
fn tools(valgrind: &Path) -> Outcome<Tools> {
    let libc = output(Command::new("getconf").arg("GNU_LIBC_VERSION"));
    let tools = [
        ("rustc", output(Command::new("rustc").arg("--version"))?),
        ("target", Machine.triple()?),
        ("libc", libc.unwrap_or_else(|_| "not glibc".to_owned())),
        ("valgrind", output(Command::new(valgrind).arg("--version"))?),
        ("processor", processor(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default())),
    ];
    Ok(tools.into_iter().map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect())
}

/// The kind of processor: libraries choose their code by what it can do. `cpuinfo` is /proc/cpuinfo.
fn processor(cpuinfo: &str) -> String {
    let of = |name: &str| {
        let mut fields = cpuinfo.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(field, _)| field.trim() == name).map_or("unknown", |(_, value)| value.trim())
    };
    format!("{}, family {}, model {}", of("model name"), of("cpu family"), of("model"))
}

fn output(command: &mut Command) -> Outcome<String> {
    let shown = show(command);
    let output = command.stdin(Stdio::null()).output().while_doing(format_args!("starting `{shown}`"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => {
            fail(format!("`{shown}` failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr)))
        }
    }
}

impl Counts {
    fn json(&self) -> Value {
        // Whole numbers without a decimal point.
        let whole = |(name, count): (&String, &f64)| (name.clone(), json!(*count as u64));
        let instructions: serde_json::Map<_, _> = self.instructions.iter().map(whole).collect();
        json!({ "tools": self.tools, "instructions": instructions })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let entries = |name: &str| {
            value[name].as_object().ok_or_else(|| format!("it has no object `{name}`; `{RENEW}` makes one"))
        };
        let mut counts = Self::default();
        for (name, value) in entries("tools")? {
            let value = value.as_str().ok_or_else(|| format!("`{name}` is no text"))?;
            counts.tools.insert(name.clone(), value.to_owned());
        }
        for (name, value) in entries("instructions")? {
            let value = value.as_f64().filter(|value| *value > 0.0);
            counts.instructions.insert(name.clone(), value.ok_or_else(|| format!("`{name}` is no count"))?);
        }
        Ok(counts)
    }

    fn verdict(&self, name: &str, now: f64) -> Verdict {
        match self.instructions.get(name) {
            None => Verdict::New,
            Some(recorded) if now > recorded * (1.0 + TOLERANCE) => Verdict::Longer,
            Some(recorded) if now < recorded * (1.0 - TOLERANCE) => Verdict::Shorter,
            Some(_) => Verdict::Within,
        }
    }

    /// Which tools are others than those of `recorded`.
    fn other_tools(&self, recorded: &Self) -> Vec<String> {
        let none = String::new();
        let names: std::collections::BTreeSet<_> = self.tools.keys().chain(recorded.tools.keys()).collect();
        let both = names.into_iter().map(|name| {
            (name, recorded.tools.get(name).unwrap_or(&none), self.tools.get(name).unwrap_or(&none))
        });
        both.filter(|(_, before, now)| before != now)
            .map(|(name, before, now)| format!("{name} is {now}, and was {before}"))
            .collect()
    }
}

fn table(cases: &[Case], recorded: &Counts, now: &Counts) -> String {
    let mut table = "| hot path | instructions | recorded | change |\n|---|---|---|---|\n".to_owned();
    for Case { name, .. } in cases {
        let counted = now.instructions.get(name).copied().unwrap_or(f64::NAN);
        let (before, change) = match recorded.instructions.get(name) {
            Some(before) => (format!("{before}"), format!("{:+.1} %", (counted / before - 1.0) * 100.0)),
            None => ("no".to_owned(), String::new()),
        };
        table += &format!("| {name} | {counted} | {before} | {change} |\n");
    }
    table
}

/// Fails where a path has become longer.
fn judge(cases: &[Case], recorded: &Counts, now: &Counts) -> Outcome {
    let others = now.other_tools(recorded);
    if !others.is_empty() {
        println!(
            "not compared: {}. Counts of different tools differ; record these with `{RENEW}`.",
            others.join("; ")
        );
        return Ok(());
    }
    let named = |wanted: Verdict| {
        let verdict =
            |name: &str| recorded.verdict(name, now.instructions.get(name).copied().unwrap_or(f64::NAN));
        let found = cases.iter().filter(move |case| verdict(&case.name) == wanted);
        found.map(|case| case.name.as_str()).collect::<Vec<_>>().join("; ")
    };
    let gone: Vec<_> = recorded
        .instructions
        .keys()
        .filter(|name| cases.iter().all(|case| case.name != **name))
        .map(String::as_str)
        .collect();
    let (longer, shorter, new) = (named(Verdict::Longer), named(Verdict::Shorter), named(Verdict::New));
    if !shorter.is_empty() {
        println!("shorter than recorded: {shorter}. Keep the gain with `{RENEW}`.");
    }
    match (new.is_empty() && gone.is_empty(), longer.is_empty()) {
        (true, true) => Ok(()),
        (false, _) => fail(format!(
            "the recorded cases are not those of {PACKAGE} (only here: {new}; only recorded: {}): `{RENEW}`",
            gone.join("; ")
        )),
        (true, false) => fail(format!(
            "more than {:.0} % longer than recorded: {longer}. Shorten the path; where the instructions are worth it, \
             record them with `{RENEW}` and say why in the commit.",
            TOLERANCE * 100.0
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(compiler: &str, instructions: &[(&str, f64)]) -> Counts {
        Counts {
            tools: [("rustc".to_owned(), compiler.to_owned())].into(),
            instructions: instructions.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
        }
    }

    fn judged(now: &Counts) -> Outcome {
        let cases: Vec<_> =
            now.instructions.keys().map(|name| Case { name: name.clone(), operations: 1.0 }).collect();
        judge(&cases, &counts("1.95", &[("echo", 1000.0), ("parser", 100.0)]), now)
    }

    #[test]
    fn processor_names_the_first_of_cpuinfo() {
        let cpuinfo =
            "processor\t: 0\ncpu family\t: 6\nmodel\t\t: 143\nmodel name\t: Some CPU\n\nmodel\t\t: 1\n";
        assert_eq!(processor(cpuinfo), "Some CPU, family 6, model 143");
        assert_eq!(processor(""), "unknown, family unknown, model unknown");
    }

    #[test]
    fn judge_three_percent_more_is_the_limit() {
        judged(&counts("1.95", &[("echo", 1030.0), ("parser", 50.0)])).expect("neither is longer");
        let failure =
            judged(&counts("1.95", &[("echo", 1031.0), ("parser", 100.0)])).expect_err("it is longer");
        let text = failure.to_string();
        assert!(text.contains("longer than recorded: echo.") && text.contains(RENEW), "{text}");
    }

    #[test]
    fn judge_another_compiler_is_not_compared() {
        judged(&counts("1.96", &[("echo", 5000.0), ("parser", 100.0)])).expect("nothing to compare with");
        assert_eq!(
            counts("1.96", &[]).other_tools(&counts("1.95", &[])),
            ["rustc is 1.96, and was 1.95".to_owned()]
        );
    }

    #[test]
    fn judge_cases_that_were_not_recorded_or_are_gone_are_errors() {
        judged(&counts("1.95", &[("echo", 1.0), ("parser", 1.0), ("third", 1.0)])).expect_err("one is new");
        judged(&counts("1.95", &[("echo", 1.0)])).expect_err("one is gone");
    }

    #[test]
    fn counts_are_read_as_they_were_written() {
        let counts = counts("1.95", &[("echo", 480.0)]);
        assert_eq!(Counts::parse(&counts.json().to_string()), Ok(counts));
        for text in [
            "",
            "{}",
            r#"{"tools":{},"instructions":{"echo":0}}"#,
            r#"{"tools":{"rustc":1},"instructions":{}}"#,
        ] {
            Counts::parse(text).expect_err(text);
        }
    }

    #[test]
    fn total_is_that_of_the_report() {
        assert_eq!(total("events: Ir\nsummary: 7\n\ntotals: 491548\n"), Some(491_548.0));
        assert_eq!(total("events: Ir\n"), None);
    }

    #[test]
    fn cases_have_names_with_spaces() {
        let case = Case { name: "plain request".to_owned(), operations: 1024.0 };
        assert_eq!(cases("plain request\t1024\n").expect("a list"), [case]);
        assert!(cases("usage").is_err());
    }
}
