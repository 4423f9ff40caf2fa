//! Password hashes in RabbitMQ's formats, and argon2id.
//!
//! RabbitMQ's are a salt of four bytes, then the hash of salt and password, all in base64; they
//! come and go unchanged with definitions. argon2id's are PHC strings (`$argon2id$v=19$…`).

use argon2::password_hash::{PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Argon2, PasswordHash as PhcHash};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;

use crate::config::PasswordHashing;

/// How a password is hashed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HashingAlgorithm {
    /// SHA-256, RabbitMQ's default.
    #[default]
    Sha256,
    /// SHA-512.
    Sha512,
    /// MD5, of very old definitions; new passwords are not hashed with it.
    Md5,
    /// argon2id, which is slow on purpose. RabbitMQ does not know it.
    Argon2id,
}

/// A salted hash. Who has none cannot log in with a password.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PasswordHash {
    algorithm: HashingAlgorithm,
    /// Salt and hash; of argon2id the PHC string. Empty: there is no password.
    stored: Box<[u8]>,
}

/// A hash that cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the password hash is not base64, or no argon2id string")]
pub struct BadHash;

impl HashingAlgorithm {
    /// Its name in definitions and in the HTTP API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "rabbit_password_hashing_sha256",
            Self::Sha512 => "rabbit_password_hashing_sha512",
            Self::Md5 => "rabbit_password_hashing_md5",
            Self::Argon2id => "warren_password_hashing_argon2id",
        }
    }

    /// The algorithm of a name.
    pub fn of_name(name: &str) -> Option<Self> {
        let all = [Self::Sha256, Self::Sha512, Self::Md5, Self::Argon2id];
        all.into_iter().find(|each| each.name() == name)
    }

    fn salted(self, salt: &[u8], password: &[u8]) -> Vec<u8> {
        fn of<D: Digest>(salt: &[u8], password: &[u8]) -> Vec<u8> {
            D::new().chain_update(salt).chain_update(password).finalize().to_vec()
        }
        match self {
            Self::Sha256 | Self::Argon2id => of::<Sha256>(salt, password),
            Self::Sha512 => of::<Sha512>(salt, password),
            Self::Md5 => of::<Md5>(salt, password),
        }
    }
}

impl From<PasswordHashing> for HashingAlgorithm {
    fn from(setting: PasswordHashing) -> Self {
        match setting {
            PasswordHashing::Sha256 => Self::Sha256,
            PasswordHashing::Sha512 => Self::Sha512,
            PasswordHashing::Argon2id => Self::Argon2id,
        }
    }
}

impl PasswordHash {
    /// Hashes a password with a new salt.
    pub fn of(password: &[u8], algorithm: HashingAlgorithm) -> Self {
        let salt: [u8; 16] = rand::random();
        let stored = if algorithm == HashingAlgorithm::Argon2id {
            let salt = SaltString::encode_b64(&salt).expect("16 bytes are a salt");
            let hash = Argon2::default().hash_password(password, &salt);
            hash.expect("the default parameters are good").to_string().into_bytes()
        } else {
            let salt = &salt[..4];
            [salt, &algorithm.salted(salt, password)].concat()
        };
        Self { algorithm, stored: stored.into() }
    }

    /// A hash as definitions and the HTTP API have it. An empty one is of no password.
    pub fn parse(text: &str, algorithm: HashingAlgorithm) -> Result<Self, BadHash> {
        let stored = match algorithm {
            HashingAlgorithm::Argon2id if text.is_empty() => Vec::new(),
            HashingAlgorithm::Argon2id => {
                PhcHash::new(text).map_err(|_| BadHash)?;
                text.as_bytes().to_vec()
            }
            HashingAlgorithm::Sha256 | HashingAlgorithm::Sha512 | HashingAlgorithm::Md5 => {
                STANDARD.decode(text).map_err(|_| BadHash)?
            }
        };
        Ok(Self { algorithm, stored: stored.into() })
    }

    /// As definitions and the HTTP API have it.
    pub fn text(&self) -> String {
        match self.algorithm {
            HashingAlgorithm::Argon2id => String::from_utf8_lossy(&self.stored).into_owned(),
            HashingAlgorithm::Sha256 | HashingAlgorithm::Sha512 | HashingAlgorithm::Md5 => {
                STANDARD.encode(&self.stored)
            }
        }
    }

    /// How it was made.
    pub fn algorithm(&self) -> HashingAlgorithm {
        self.algorithm
    }

    /// Whether there is no password to log in with.
    pub fn is_none(&self) -> bool {
        self.stored.is_empty()
    }

    /// Whether it is the hash of this password; takes as long if it is not.
    pub fn is_of(&self, password: &[u8]) -> bool {
        if self.algorithm == HashingAlgorithm::Argon2id {
            let Ok(text) = std::str::from_utf8(&self.stored) else { return false };
            let Ok(hash) = PhcHash::new(text) else { return false };
            return Argon2::default().verify_password(password, &hash).is_ok();
        }
        let Some((salt, hash)) = self.stored.split_at_checked(4) else { return false };
        self.algorithm.salted(salt, password).ct_eq(hash).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [HashingAlgorithm; 4] = [
        HashingAlgorithm::Sha256,
        HashingAlgorithm::Sha512,
        HashingAlgorithm::Md5,
        HashingAlgorithm::Argon2id,
    ];

    #[test]
    fn a_hash_is_of_its_password_and_of_no_other() {
        for algorithm in ALL {
            let hash = PasswordHash::of("pässword".as_bytes(), algorithm);
            let back = PasswordHash::parse(&hash.text(), algorithm).expect("good");
            assert_eq!(back, hash);
            assert!(back.is_of("pässword".as_bytes()));
            assert!(!back.is_of(b"password"));
            assert!(!back.is_of(b""));
            assert_eq!(HashingAlgorithm::of_name(algorithm.name()), Some(algorithm));
        }
    }

    #[test]
    fn the_hash_that_rabbitmqs_documentation_makes() {
        // rabbitmq.com/docs/passwords: salt 908D C60A, password test12.
        let hash = PasswordHash::parse(
            "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR",
            HashingAlgorithm::Sha256,
        );
        assert!(hash.expect("good").is_of(b"test12"));
    }

    #[test]
    fn no_password_is_no_way_in() {
        for algorithm in ALL {
            let none = PasswordHash::parse("", algorithm).expect("good");
            assert!(none.is_none() && !none.is_of(b""));
        }
        // RabbitMQ takes any base64; nothing is the hash of such a thing.
        let short = PasswordHash::parse("AAAA", HashingAlgorithm::Sha256).expect("good");
        assert!(!short.is_of(b""));
    }

    #[test]
    fn what_is_no_hash() {
        assert_eq!(PasswordHash::parse("%", HashingAlgorithm::Sha256), Err(BadHash));
        assert_eq!(PasswordHash::parse("kI3GCqW5", HashingAlgorithm::Argon2id), Err(BadHash));
    }
}
