//! Who comes in: a SASL response, or a name and a password, checked.

use std::net::IpAddr;
use std::sync::Arc;

use super::attempts::{Attempts, Source};
use super::sasl::{self, BadResponse, Login};
use super::{Auth, User};
use crate::config::{ExternalLogin, Mechanism, PasswordHashing};

/// Where somebody comes from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// `amqp091` or `http`.
    pub protocol: &'static str,
    /// Their address.
    pub address: IpAddr,
    /// What their certificate says, if they have a verified one.
    pub certificate: Option<CertificateNames>,
}

/// Names that a client's certificate has, one of which is its user (`auth.external_login`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateNames {
    /// The subject, such as `CN=client,O=Warren`.
    pub distinguished_name: String,
    /// The subject's common name.
    pub common_name: Option<String>,
    /// The first alternative name.
    pub alternative_name: Option<String>,
}

/// Why somebody may not come in. What is told to them never says which.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The mechanism is none of ours.
    #[error("unknown authentication mechanism '{0}'")]
    UnknownMechanism(String),
    /// The response cannot be read.
    #[error("malformed response: {0}")]
    Malformed(#[from] BadResponse),
    /// No such user, or another password.
    #[error("user '{0}' - invalid credentials")]
    InvalidCredentials(String),
    /// A user that may only come from this machine.
    #[error("user '{0}' can only connect via localhost")]
    NotLoopback(String),
    /// A certificate without the name that was to be the user's.
    #[error("the client's certificate does not name a user")]
    NamelessCertificate,
}

impl Origin {
    /// Somebody at an address, without a certificate.
    pub fn of(protocol: &'static str, address: IpAddr) -> Self {
        Self { protocol, address, certificate: None }
    }
}

impl Auth {
    /// The mechanisms that somebody from there may use, as connection.start names them.
    pub fn mechanisms(&self, origin: &Origin) -> String {
        let names: Vec<&str> = self.offered(origin).map(sasl::name).collect();
        names.join(" ")
    }

    fn offered(&self, origin: &Origin) -> impl Iterator<Item = Mechanism> {
        let all = self.config.mechanisms.iter().copied();
        all.filter(|each| *each != Mechanism::External || origin.certificate.is_some())
    }

    /// Checks a SASL response.
    pub fn log_in(
        &self,
        mechanism: &str,
        response: &[u8],
        origin: &Origin,
    ) -> Result<Arc<User>, Refused> {
        match sasl::read(self.offered(origin), mechanism, response) {
            Ok(Login::Password { user, password }) => {
                self.check_password(&String::from_utf8_lossy(user), password, origin)
            }
            Ok(Login::Certificate) => match self.certified(origin) {
                Some(name) => self.counted(&name, origin, self.let_in(&name, origin)),
                None => self.counted("", origin, Err(Refused::NamelessCertificate)),
            },
            Ok(Login::Anonymous) => {
                let name = &self.config.anonymous_user;
                self.counted(name, origin, self.let_in(name, origin))
            }
            Err(refused) => self.counted("", origin, Err(refused)),
        }
    }

    /// Checks a name and a password.
    pub fn check_password(
        &self,
        name: &str,
        password: &[u8],
        origin: &Origin,
    ) -> Result<Arc<User>, Refused> {
        let known = self.user(name).filter(|user| !user.password.is_none());
        // A user that does not exist costs as much time as one with another password.
        let hash = known.as_ref().map_or(&self.hash_of_nobody, |user| &user.password);
        let right = hash.is_of(password) && !password.is_empty() && known.is_some();
        let checked = if right {
            self.let_in(name, origin)
        } else {
            Err(Refused::InvalidCredentials(name.into()))
        };
        self.counted(name, origin, checked)
    }

    /// The user that a client's certificate is of.
    fn certified(&self, origin: &Origin) -> Option<String> {
        let names = origin.certificate.clone()?;
        let name = match self.config.external_login {
            ExternalLogin::DistinguishedName => Some(names.distinguished_name),
            ExternalLogin::CommonName => names.common_name,
            ExternalLogin::SubjectAlternativeName => names.alternative_name,
        };
        name.filter(|name| !name.is_empty())
    }

    /// Somebody who has shown that they are this user.
    fn let_in(&self, name: &str, origin: &Origin) -> Result<Arc<User>, Refused> {
        let unknown = || Refused::InvalidCredentials(name.into());
        let user = self.user(name).ok_or_else(unknown)?;
        let loopback = origin.address.to_canonical().is_loopback();
        if self.loopback_only.contains(&user.name) && !loopback {
            return Err(Refused::NotLoopback(name.into()));
        }
        Ok(user)
    }

    fn counted(
        &self,
        name: &str,
        origin: &Origin,
        result: Result<Arc<User>, Refused>,
    ) -> Result<Arc<User>, Refused> {
        let (protocol, address) = (origin.protocol, origin.address);
        let source = Source { protocol, address, user: name.into() };
        self.attempts.count(source, result.is_ok());
        result
    }

    /// How often somebody tried to come in, by protocol.
    pub fn attempts(&self) -> Vec<(&'static str, Attempts)> {
        self.attempts.by_protocol()
    }

    /// How often somebody tried to come in, by where they came from; nothing unless
    /// `auth.track_attempt_source` is set.
    pub fn attempts_by_source(&self) -> Vec<(Source, Attempts)> {
        self.attempts.by_source()
    }

    /// Counts from zero again.
    pub fn forget_attempts(&self) {
        self.attempts.forget();
    }

    /// Whether checking a password takes so long that others should not have to wait for it.
    pub fn is_slow(&self) -> bool {
        self.config.password_hashing == PasswordHashing::Argon2id
    }
}
