//! The project's own commands: `cargo xtask run`, `cargo xtask test` and a few more (see [`USAGE`]).
//!
//! Compiles in seconds on a machine that has nothing but cargo: only the benchmarks and `order`, on Linux, use libraries.
//!
//! | module | owns |
//! |---|---|
//! | `engine` | which JavaScript engine to build with, and why |
//! | `libclang` | the library that reads C headers while Node's half is built |
//! | `quickjs` | what building the QuickJS engine needs besides cargo |
//! | `checkout` | the folders, and how cargo is called |
//! | `machine` | programs, root, apt-get, the network |
//! | `databases` | servers and npm packages for the tests of database drivers |
//! | `tools` | subcommands of cargo that are installed from crates.io: cargo-deny, cargo-mutants |
//! | `run`, `tests`, `dist`, `pgo`, `order`, `bundle`, `npm`, `oracle`, `streams`, `graphql`, `autobahn`, `bench`, `guard`, `slowhttp`, `attack` | the commands |

#[cfg(target_os = "linux")]
mod attack;
mod autobahn;
#[cfg(target_os = "linux")]
mod bench;
mod bundle;
mod checkout;
mod databases;
#[cfg(target_os = "linux")]
mod dist;
mod engine;
mod failure;
mod graphql;
#[cfg(target_os = "linux")]
mod guard;
mod libclang;
mod machine;
mod npm;
mod oracle;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod order;
#[cfg(target_os = "linux")]
mod pgo;
mod quickjs;
mod run;
#[cfg(target_os = "linux")]
mod slowhttp;
mod streams;
mod tests;
mod tools;

use std::process::ExitCode;

use checkout::Checkout;
use failure::{Outcome, fail};
use machine::Machine;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  run [--] [ARGS]   build liveline (quick profile) and start it with ARGS; without ARGS: dev examples
  test [ARGS]       run every test; with ARGS: only `cargo test ARGS` with the chosen engine
  engine            print which JavaScript engine is built, and why
  bundle [--check]  make the scripts that browsers run of runtime-js/, after a change there; needs node and npm
  npm [NAME...]     run packages from the npm registry in handlers, and applications of Express and others; with NAMEs
                    only those packages; --write: write the table of docs/npm.md
  oracle NAME [SCRIPT...]
                    run scripts on another system (workers: workerd by wrangler) and on ours, and compare what they saw
                    --record: only there, and keep it in tests/oracle; --check: only ours, against what was kept
  streams [FILE...] run the conformance suite of Durable Streams, and its client, from npm
  graphql           run clients of GraphQL from npm against scripts of aiwebengine
  cargo CMD [ARGS]  any cargo command with the chosen engine's features and environment
  deny              check the licences and sources of all dependencies, and that none is banned (.cargo/deny.toml)
  mutants [ARGS]    change crates/proto in one place at a time and list the changes that no test finds; ARGS are those
                    of `cargo mutants`, such as --file '*resume*' or --shard 1/10
  autobahn [client|server] [--cases 1.*,2.*]
                    the Autobahn testsuite (Python 2.7) against our WebSockets
  bench [GROUP...]  compare liveline with its peers: start, http, echo, fanout, events, connect, hostile,
                    resident, idle, actors, fastify; without a name all of them, in half an hour
                    --rounds N, --seconds N, --warmup N: how long; --only NAME,...: which peers
                    --json FILE, --chart DIR: the figures for machines, and as pictures
                    --quick: the headline figures in short rounds, within five minutes
                    --smoke: a minute's run that checks that every message comes, and measures nothing
  bench baseline-server [--port N]
                    the benchmark's baseline: a bare epoll server that parses as little as possible
  dist [--pgo]      build liveline as it is shipped (dist profile) into target/dist, which takes several times as long;
                    --pgo: twice, the second time for what the first one has done under load (llvm-tools of rustup)
  pgo               count which branches the quick profile takes under the benchmarks' load, and write that to xtask/pgo,
                    by which later builds of it are guided (x86-64 Linux; llvm-tools of rustup)
  order [--check]   find the functions that run when a server starts, answers and sends, and write them to
                    xtask/order/functions.txt, so that the linker places them side by side (x86-64 Linux);
                    --check: fails where many of that file are not in the program any more
  guard [--renew]   count the instructions of the hot paths of crates/proto by valgrind's callgrind; fails where one has
                    3 % more than recorded in crates/guard/counts.json; --renew: record the counts of now
  slowhttp [--seconds N]
                    run slowhttptest in its four modes, N seconds each, beside ordinary clients
  attack [NAME...]  what one client can do to the others: trips (of the CPU limit), stuck (code that V8 cannot
                    stop), memory, channel (10,000 members come and go); fails where a bound does not hold

RUSTY_V8_ARCHIVE=FILE names the V8 library; LIVELINE_ENGINE=v8|quickjs settles the engine.
LIVELINE_BIN=FILE makes `autobahn`, `bench`, `slowhttp` and `attack` take that executable instead of building one.
LIVELINE_SKIP_BROWSER=1 makes `test` leave out the tests that need node, npm and Chromium.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Outcome {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["run", rest @ ..] => run::run(&Checkout::find()?, rest),
        ["test", rest @ ..] => tests::test(&Checkout::find()?, rest),
        ["cargo", command, rest @ ..] => run::cargo(&Checkout::find()?, command, rest),
        ["deny"] => tools::deny(&Checkout::find()?),
        ["mutants", rest @ ..] => tools::mutants(&Checkout::find()?, rest),
        ["autobahn", rest @ ..] => autobahn::autobahn(&Checkout::find()?, rest),
        ["oracle", rest @ ..] => oracle::oracle(&Checkout::find()?, rest),
        ["npm", rest @ ..] => npm::npm(&Checkout::find()?, rest),
        ["streams", rest @ ..] => streams::streams(&Checkout::find()?, rest),
        ["graphql"] => graphql::graphql(&Checkout::find()?),
        ["bundle", rest @ ..] => bundle::bundle(&Checkout::find()?, rest),
        ["engine"] => {
            println!("{}", engine::choose(&Checkout::find()?, &Machine)?);
            Ok(())
        }
        #[cfg(target_os = "linux")]
        ["bench", "baseline-server", rest @ ..] => bench::baseline_server(rest),
        #[cfg(target_os = "linux")]
        ["bench", rest @ ..] => bench::bench(&Checkout::find()?, rest),
        #[cfg(target_os = "linux")]
        ["dist", rest @ ..] => dist::dist(&Checkout::find()?, rest),
        #[cfg(target_os = "linux")]
        ["pgo", rest @ ..] => pgo::record(&Checkout::find()?, rest),
        #[cfg(not(target_os = "linux"))]
        ["pgo", ..] => fail("counts are recorded on Linux with an x86-64 processor"),
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        ["order", rest @ ..] => order::order(&Checkout::find()?, rest),
        #[cfg(target_os = "linux")]
        ["guard", rest @ ..] => guard::guard(&Checkout::find()?, rest),
        #[cfg(target_os = "linux")]
        ["slowhttp", rest @ ..] => slowhttp::run(&Checkout::find()?, rest),
        #[cfg(target_os = "linux")]
        ["attack", rest @ ..] => attack::run(&Checkout::find()?, rest),
        #[cfg(not(target_os = "linux"))]
        ["slowhttp", ..] => fail("slowhttptest is a program of Debian's: run it on Linux"),
        #[cfg(not(target_os = "linux"))]
        ["dist", ..] => fail("`cargo xtask cargo build --profile dist --bin liveline` builds it here"),
        #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
        ["order", "--check"] => {
            println!("not checked: the record is of Linux with an x86-64 processor");
            Ok(())
        }
        #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
        ["order", ..] => fail("the order of functions is recorded on Linux with an x86-64 processor"),
        #[cfg(not(target_os = "linux"))]
        ["guard", ..] => fail("valgrind and the recorded counts are those of Linux: run the guard there"),
        #[cfg(not(target_os = "linux"))]
        ["attack", ..] => fail("the attacks read /proc: run them on Linux"),
        #[cfg(not(target_os = "linux"))]
        ["bench", ..] => fail("the benchmarks read /proc and pin with taskset: run them on Linux"),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        [] => fail(USAGE),
        [other, ..] => fail(format!("unknown or incomplete command `{other}`\n\n{USAGE}")),
    }
}
