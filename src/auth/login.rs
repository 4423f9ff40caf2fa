//! Who comes in: a SASL response, or a name and a password, checked.

use std::net::IpAddr;

use super::Auth;
use super::attempts::{Attempts, Source};
use super::backend::{Attempt, Principal};
use super::password::HashingAlgorithm;
use super::sasl::{self, BadResponse, Login};
use crate::config::{ExternalLogin, Mechanism};

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
    /// A backend could not be asked, or could make nothing of what it was told.
    #[error("{0}")]
    Failed(String),
}

impl Refused {
    /// A backend's refusal.
    pub(super) fn by(backend: &'static str, user: &str, why: impl Into<String>) -> Self {
        Self::ByBackend { backend, user: user.into(), why: why.into() }
    }

    /// Who they said they are, if that is known.
    pub fn user(&self) -> &str {
        match self {
            Self::InvalidCredentials(user)
            | Self::NotLoopback(user)
            | Self::ByBackend { user, .. } => user,
            Self::UnknownMechanism(_)
            | Self::Malformed(_)
            | Self::NamelessCertificate
            | Self::Failed(_) => "",
        }
    }

    /// Whether it would be the same the next time.
    pub(super) fn is_final(&self) -> bool {
        !matches!(self, Self::Failed(_))
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

    /// Checks a SASL response. It may take its time; [`Self::log_in_slowly`] keeps that from others.
    pub fn log_in(
        &self,
        mechanism: &str,
        response: &[u8],
        origin: &Origin,
    ) -> Result<Principal, Refused> {
        let checked =
            self.log_in_by(mechanism, response, origin, |attempt| Some(self.chain.admit(attempt)));
        checked.unwrap_or_else(|| Err(Refused::InvalidCredentials(String::new())))
    }

    /// Checks a SASL response if nobody has to be waited for; `None` otherwise.
    pub fn log_in_at_once(
        &self,
        mechanism: &str,
        response: &[u8],
        origin: &Origin,
    ) -> Option<Result<Principal, Refused>> {
        self.log_in_by(mechanism, response, origin, |attempt| self.admit_at_once(attempt))
    }

    fn log_in_by(
        &self,
        mechanism: &str,
        response: &[u8],
        origin: &Origin,
        admit: impl FnOnce(&Attempt<'_>) -> Option<Result<Principal, Refused>>,
    ) -> Option<Result<Principal, Refused>> {
        match sasl::read(self.offered(origin), mechanism, response) {
            Ok(Login::Password { user, password }) => {
                let name = String::from_utf8_lossy(user);
                self.checked(&Attempt { name: &name, password: Some(password), origin }, admit)
            }
            Ok(Login::Certificate) => match self.certified(origin) {
                Some(name) => self.checked(&Attempt { name: &name, password: None, origin }, admit),
                None => Some(self.counted("", origin, Err(Refused::NamelessCertificate))),
            },
            Ok(Login::Anonymous) => {
                let name = &self.config.anonymous_user;
                self.checked(&Attempt { name, password: None, origin }, admit)
            }
            Err(refused) => Some(self.counted("", origin, Err(refused))),
        }
    }

    /// Checks a name and a password. It may take its time; [`Self::check_password_slowly`] keeps
    /// that from others.
    pub fn check_password(
        &self,
        name: &str,
        password: &[u8],
        origin: &Origin,
    ) -> Result<Principal, Refused> {
        let attempt = Attempt { name, password: Some(password), origin };
        let checked = self.checked(&attempt, |attempt| Some(self.chain.admit(attempt)));
        checked.unwrap_or_else(|| Err(Refused::InvalidCredentials(name.into())))
    }

    /// Checks a name and a password if nobody has to be waited for; `None` otherwise.
    pub(super) fn check_password_at_once(
        &self,
        name: &str,
        password: &[u8],
        origin: &Origin,
    ) -> Option<Result<Principal, Refused>> {
        let attempt = Attempt { name, password: Some(password), origin };
        self.checked(&attempt, |attempt| self.admit_at_once(attempt))
    }

    fn admit_at_once(&self, attempt: &Attempt<'_>) -> Option<Result<Principal, Refused>> {
        // What an unknown user's password is compared with is hashed as new passwords are.
        let user = self.user(attempt.name);
        let algorithm = user
            .map_or_else(|| self.config.password_hashing.into(), |user| user.password.algorithm());
        let is_slow = algorithm == HashingAlgorithm::Argon2id && attempt.password.is_some();
        if is_slow { None } else { self.chain.admit_at_once(attempt) }
    }

    /// An attempt with what somebody says of it, if they do: counted, and refused to those who are
    /// too far away.
    fn checked(
        &self,
        attempt: &Attempt<'_>,
        admit: impl FnOnce(&Attempt<'_>) -> Option<Result<Principal, Refused>>,
    ) -> Option<Result<Principal, Refused>> {
        let is_near = attempt.origin.address.to_canonical().is_loopback();
        let checked = admit(attempt)?.and_then(|principal| {
            if self.loopback_only.contains(&principal.name) && !is_near {
                return Err(Refused::NotLoopback(principal.name.to_string()));
            }
            Ok(principal)
        });
        Some(self.counted(attempt.name, attempt.origin, checked))
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
}
