//! How many bytes the results of queries may take, each and all together.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{SqlError, Value};

/// All results together may take this many times the limit of one.
const RESULTS: usize = 8;

/// The default limit of one result, in bytes.
const DEFAULT: usize = 64 << 20;

/// Counts the bytes of all results that the process holds outside of JavaScript: those on their way there, and those
/// that live queries compare with. Clones share the count.
#[derive(Clone)]
pub struct ResultBudget(Arc<Shared>);

struct Shared {
    most: usize,
    held: AtomicUsize,
}

impl Default for ResultBudget {
    fn default() -> ResultBudget {
        ResultBudget::new(DEFAULT)
    }
}

impl ResultBudget {
    /// Limits each result to `most` bytes, and all together to eight times as many.
    pub fn new(most: usize) -> ResultBudget {
        ResultBudget(Arc::new(Shared { most, held: AtomicUsize::new(0) }))
    }

    /// Bytes that one result may take.
    pub fn most(&self) -> usize {
        self.0.most
    }

    /// Bytes held now.
    pub fn held(&self) -> usize {
        self.0.held.load(Ordering::Relaxed)
    }

    /// Bytes that all results together may take.
    pub fn budget(&self) -> usize {
        self.0.most.saturating_mul(RESULTS)
    }

    /// Begins a result, of which no row is known yet.
    pub(super) fn begin(&self) -> HeldResult {
        HeldResult { results: self.clone(), bytes: 0 }
    }

    /// The error for a value that is larger than a result may be.
    pub(super) fn value_too_large(&self) -> SqlError {
        SqlError::new("SQLITE_TOOBIG", format!("a value or a row is larger than {}", self.limit()))
    }

    fn limit(&self) -> impl fmt::Display {
        format!("the limit of {} bytes (see --max-result)", self.0.most)
    }
}

/// The bytes that one result takes, which are free again when this is dropped.
pub struct HeldResult {
    results: ResultBudget,
    bytes: usize,
}

impl HeldResult {
    /// Bytes of the result.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Counts one more row of so many values, which take `bytes` in addition to the values themselves. Fails where the
    /// result or all results together would be too large.
    pub(super) fn grow(&mut self, values: usize, bytes: usize) -> Result<(), SqlError> {
        let Shared { most, held } = &*self.results.0;
        let more = size_of::<Box<[Value]>>() + values * size_of::<Value>() + bytes;
        if self.bytes + more > *most {
            let limit = self.results.limit();
            let message =
                format!("the result is larger than {limit}; select less of it, for example with LIMIT");
            return Err(SqlError::new("SQLITE_TOOBIG", message));
        }
        if held.fetch_add(more, Ordering::Relaxed) + more > self.results.budget() {
            held.fetch_sub(more, Ordering::Relaxed);
            let message =
                format!("all results together are larger than {RESULTS} times {}", self.results.limit());
            return Err(SqlError::new("SQLITE_NOMEM", message));
        }
        self.bytes += more;
        Ok(())
    }
}

impl Drop for HeldResult {
    fn drop(&mut self) {
        self.results.0.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl fmt::Debug for HeldResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_result_and_all_results_have_limits() {
        let results = ResultBudget::new(1000);
        let code = |grown: Result<(), SqlError>| grown.map_err(|error| error.code);
        let mut all: Vec<_> = (0..RESULTS).map(|_| results.begin()).collect();
        for held in &mut all {
            assert_eq!(code(held.grow(1, 900)), Ok(()));
            assert_eq!(code(held.grow(1, 900)), Err("SQLITE_TOOBIG"));
        }
        let mut another = results.begin();
        assert_eq!(code(another.grow(1, 900)), Err("SQLITE_NOMEM"));
        all.pop();
        assert_eq!(code(another.grow(1, 900)), Ok(()));
        drop((all, another));
        assert_eq!(results.held(), 0);
    }
}
