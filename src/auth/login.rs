//! Who comes in: a SASL response, checked.

use std::net::IpAddr;
use std::sync::Arc;

use super::sasl::{self, BadResponse};
use super::{Auth, User};
use crate::names::UserName;

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
}

impl Auth {
    /// Checks a SASL response of somebody who comes from `from`.
    pub fn log_in(
        &self,
        mechanism: &str,
        response: &[u8],
        from: IpAddr,
    ) -> Result<UserName, Refused> {
        let login = sasl::read(mechanism, response)?;
        let name = String::from_utf8_lossy(login.user);
        self.check_password(&name, login.password, from).map(|user| user.name.clone())
    }

    /// Checks a name and a password of somebody who comes from `from`.
    pub fn check_password(
        &self,
        name: &str,
        password: &[u8],
        from: IpAddr,
    ) -> Result<Arc<User>, Refused> {
        let known = self.user(name).filter(|user| !user.password.is_none());
        // A user that does not exist costs as much time as one with another password.
        let hash = known.as_ref().map_or(&self.hash_of_nobody, |user| &user.password);
        let right = hash.is_of(password) && !password.is_empty();
        let refused = || Refused::InvalidCredentials(name.into());
        let user = known.filter(|_| right).ok_or_else(refused)?;
        if self.loopback_only.contains(&user.name) && !is_loopback(from) {
            return Err(Refused::NotLoopback(name.into()));
        }
        Ok(user)
    }
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}
