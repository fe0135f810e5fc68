//! Password hashes. Half of `runtime-js/password.js`.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use deno_core::op2;
use tokio::sync::Semaphore;

use super::OpError;

/// How many hashes are computed at a time: each needs 19 MiB and a core for some tens of milliseconds.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// The hash of a password with a random salt, as a PHC string: Argon2id with the parameters that OWASP
/// recommends.
#[op2]
#[string]
pub(crate) async fn op_password_hash(#[string] password: String) -> Result<String, OpError> {
    compute(move || {
        let hash = Argon2::default().hash_password(password.as_bytes());
        hash.map(|hash| hash.to_string()).map_err(|error| OpError::Password(error.to_string()))
    })
    .await?
}

/// Whether a hash was made from this password. An empty `hash` returns false, after the same computation
/// time.
#[op2]
pub(crate) async fn op_password_verify(
    #[string] password: String,
    #[string] hash: String,
) -> Result<bool, OpError> {
    compute(move || {
        if hash.is_empty() {
            let _ = Argon2::default().hash_password(password.as_bytes());
            return Ok(false);
        }
        let hash = PasswordHash::new(&hash).map_err(|error| OpError::Password(error.to_string()))?;
        Ok(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    })
    .await?
}

async fn compute<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Result<T, OpError> {
    let _permit = AT_ONCE.acquire().await.expect("it is never closed");
    tokio::task::spawn_blocking(job).await.map_err(|error| OpError::Password(error.to_string()))
}
