//! C1: from exec to the end of the first good answer.

use super::contestants::{Contestant, FLOOR};
use super::server::Server;
use crate::failure::{Outcome, While};

const STARTS: usize = 11;

/// One contestant's cold starts, in milliseconds, in the order of the rounds.
pub struct ColdStarts {
    pub name: &'static str,
    pub millis: Vec<f64>,
}

/// Starts everyone in turn, again and again. The floor starts nothing worth comparing.
pub fn measure(contestants: &[Contestant]) -> Outcome<Vec<ColdStarts>> {
    let contestants: Vec<_> = contestants.iter().filter(|one| one.name != FLOOR).collect();
    let blank = |one: &&Contestant| ColdStarts { name: one.name, millis: Vec::new() };
    let mut starts: Vec<ColdStarts> = contestants.iter().map(blank).collect();
    println!("measuring {STARTS} cold starts each");
    for _ in 0..STARTS {
        for (contestant, starts) in contestants.iter().zip(&mut starts) {
            let took = Server::start(&contestant.launch, None).and_then(|server| server.first_answer());
            starts.millis.push(took.while_doing(contestant.name)?.as_secs_f64() * 1e3);
        }
    }
    Ok(starts)
}
