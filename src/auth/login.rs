//! Who comes in: a SASL response, or a name and a password, checked.

use std::net::IpAddr;

use super::Auth;
use super::attempts::{Attempts, Source};
use super::backend::{Attempt, Principal};
use super::sasl::{self, BadResponse, Login};
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
    /// A backend other than the accounts said no.
    #[error("user '{user}' - {backend}: {why}")]
    ByBackend {
        /// Which.
        backend: &'static str,
        /// Who they said they are.
        user: String,
        /// What it said.
        why: String,
    },
    /// A backend could not be asked.
    #[error("no answer: {0}")]
    Unanswered(String),
}

impl Refused {
    /// A backend's refusal.
    pub(super) fn by(backend: &'static str, user: &str, why: impl Into<String>) -> Self {
        Self::ByBackend { backend, user: user.into(), why: why.into() }
    }

    /// Whether it would be the same the next time.
    pub(super) fn is_final(&self) -> bool {
        !matches!(self, Self::Unanswered(_))
    }
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
    ) -> Result<Principal, Refused> {
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
    ) -> Result<Principal, Refused> {
        let checked = self.admit(&Attempt { name, password: Some(password), origin });
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

    /// Somebody of whom somebody else has made sure that they are this user.
    fn let_in(&self, name: &str, origin: &Origin) -> Result<Principal, Refused> {
        self.admit(&Attempt { name, password: None, origin })
    }

    fn admit(&self, attempt: &Attempt<'_>) -> Result<Principal, Refused> {
        let principal = self.chain.admit(attempt)?;
        let is_near = attempt.origin.address.to_canonical().is_loopback();
        if self.loopback_only.contains(&principal.name) && !is_near {
            return Err(Refused::NotLoopback(principal.name.to_string()));
        }
        Ok(principal)
    }

    fn counted(
        &self,
        name: &str,
        origin: &Origin,
        result: Result<Principal, Refused>,
    ) -> Result<Principal, Refused> {
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

    pub(super) fn hashes_slowly(&self) -> bool {
        self.config.password_hashing == PasswordHashing::Argon2id
    }
}
