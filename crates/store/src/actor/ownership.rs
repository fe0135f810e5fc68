//! Who may write an actor's file.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::{Address, StorageError};

/// The right to be an actor's only owner. Every write checks it. Clones are the same right.
#[derive(Debug, Clone)]
pub struct Lease {
    token: u64,
    valid: Arc<AtomicBool>,
}

impl Lease {
    /// A new right of this token, which is higher than that of every lease before it on the same actor.
    pub fn new(token: u64) -> Lease {
        Lease { token, valid: Arc::new(AtomicBool::new(true)) }
    }

    /// Its number.
    pub fn token(&self) -> u64 {
        self.token
    }

    /// Whether the owner may still write.
    pub fn is_valid(&self) -> bool {
        self.valid.load(Ordering::Acquire)
    }

    /// Ends the right for every clone.
    pub fn revoke(&self) {
        self.valid.store(false, Ordering::Release);
    }
}

/// Decides which owner an actor has. Leases that other processes have are what Redis will hold.
pub trait Ownership: Send + Sync {
    /// Makes the caller the actor's owner with this token. Revokes the lease of an older token.
    ///
    /// # Errors
    ///
    /// [`StorageError::NotOwner`] if the owner has a newer token.
    fn acquire(&self, address: &Address, token: u64) -> Result<Lease, StorageError>;

    /// The owner has closed the actor's file.
    fn release(&self, address: &Address, token: u64);
}

/// Ownership among the threads of one process.
#[derive(Debug, Default)]
pub struct InProcess(Mutex<HashMap<Address, Lease>>);

impl Ownership for InProcess {
    fn acquire(&self, address: &Address, token: u64) -> Result<Lease, StorageError> {
        let mut leases = self.0.lock().expect("nothing panics while the lock is held");
        if let Some(before) = leases.get(address) {
            if before.token() > token {
                return Err(StorageError::NotOwner(address.to_string()));
            }
            before.revoke();
        }
        let lease = Lease::new(token);
        leases.insert(address.clone(), lease.clone());
        Ok(lease)
    }

    fn release(&self, address: &Address, token: u64) {
        let mut leases = self.0.lock().expect("nothing panics while the lock is held");
        if leases.get(address).is_some_and(|lease| lease.token() == token)
            && let Some(lease) = leases.remove(address)
        {
            lease.revoke();
        }
    }
}
