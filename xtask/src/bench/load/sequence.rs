//! Finds what was lost, came twice or came out of order, from the numbers of one sender's messages.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::AddAssign;

/// One receiver's view of one sender, whose numbers count from 1.
#[derive(Debug, Default)]
pub struct Sequence {
    newest: u64,
    /// Numbers below the newest that have not come.
    missing: BTreeSet<u64>,
    faults: Faults,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    pub lost: u64,
    pub duplicated: u64,
    pub disordered: u64,
}

impl Sequence {
    pub fn receive(&mut self, number: u64) {
        if number > self.newest {
            self.missing.extend(self.newest + 1..number);
            self.newest = number;
        } else if self.missing.remove(&number) {
            self.faults.disordered += 1;
        } else {
            self.faults.duplicated += 1;
        }
    }

    /// The faults, when the sender has sent `sent` messages and nothing is on the way any more.
    pub fn close(&self, sent: u64) -> Faults {
        let unheard = sent.saturating_sub(self.newest);
        Faults { lost: self.missing.len() as u64 + unheard, ..self.faults }
    }
}

impl Faults {
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, duplicated, disordered } = self;
        write!(formatter, "{lost} lost, {duplicated} twice, {disordered} out of order")
    }
}

impl AddAssign for Faults {
    fn add_assign(&mut self, other: Self) {
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.disordered += other.disordered;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(numbers: &[u64], sent: u64) -> Faults {
        let mut sequence = Sequence::default();
        numbers.iter().for_each(|number| sequence.receive(*number));
        sequence.close(sent)
    }

    #[test]
    fn close_everything_in_order_is_no_fault() {
        assert!(faults(&[1, 2, 3], 3).is_none());
        assert!(faults(&[], 0).is_none());
    }

    #[test]
    fn close_finds_a_loss_in_the_middle_and_at_the_end() {
        assert_eq!(faults(&[1, 3], 3), Faults { lost: 1, ..Faults::default() });
        assert_eq!(faults(&[2], 3), Faults { lost: 2, ..Faults::default() });
    }

    #[test]
    fn close_finds_a_duplicate() {
        assert_eq!(faults(&[1, 2, 2, 3, 1], 3), Faults { duplicated: 2, ..Faults::default() });
    }

    #[test]
    fn close_finds_a_swap() {
        assert_eq!(faults(&[1, 3, 2, 4], 4), Faults { disordered: 1, ..Faults::default() });
    }
}
