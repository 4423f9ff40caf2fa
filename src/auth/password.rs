//! Password hashes in RabbitMQ's format: a salt of four bytes, then SHA-256 of salt and password.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A salted hash. The default one is of no password.
#[derive(Clone, Default)]
pub(super) struct PasswordHash {
    salt: [u8; 4],
    hash: [u8; 32],
}

impl PasswordHash {
    /// Hashes a password with a new salt.
    pub(super) fn of(password: &[u8]) -> Self {
        let salt = rand::random();
        Self { salt, hash: hash(salt, password) }
    }

    /// Whether it is the hash of this password; takes as long if it is not.
    pub(super) fn is_of(&self, password: &[u8]) -> bool {
        hash(self.salt, password).ct_eq(&self.hash).into()
    }
}

fn hash(salt: [u8; 4], password: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(salt).chain_update(password).finalize().into()
}
