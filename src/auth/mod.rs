//! Who may come in: users, and the SASL mechanisms by which they say who they are.
//!
//! Owns passwords (salted hashes, RabbitMQ's format) and their check. It must not know
//! connections or frames.

mod password;
mod sasl;

use std::collections::HashMap;
use std::net::IpAddr;

use parking_lot::RwLock;

use crate::config::DefaultsConfig;
use crate::names::UserName;
use password::PasswordHash;
pub use sasl::{BadResponse, MECHANISMS};

/// The users of a broker.
pub struct Users {
    users: RwLock<HashMap<UserName, PasswordHash>>,
    loopback_only: Vec<UserName>,
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
}

impl Users {
    /// The users that a new broker has.
    pub fn new(defaults: &DefaultsConfig) -> Self {
        let user = UserName::from(defaults.user.as_str());
        let users = HashMap::from([(user, PasswordHash::of(defaults.pass.as_bytes()))]);
        let loopback_only =
            defaults.loopback_users.iter().map(|name| name.as_str().into()).collect();
        Self { users: RwLock::new(users), loopback_only }
    }

    /// Checks a SASL response of somebody who comes from `from`.
    pub fn log_in(
        &self,
        mechanism: &str,
        response: &[u8],
        from: IpAddr,
    ) -> Result<UserName, Refused> {
        let login = sasl::read(mechanism, response)?;
        let name = UserName::from(String::from_utf8_lossy(login.user).into_owned());
        let known = self.users.read().get(&name).cloned();
        // A user that does not exist costs as much time as one with another password.
        let hash = known.clone().unwrap_or_default();
        let right = hash.is_of(login.password) && known.is_some() && !login.password.is_empty();
        if !right {
            return Err(Refused::InvalidCredentials(name.to_string()));
        }
        if self.loopback_only.contains(&name) && !is_loopback(from) {
            return Err(Refused::NotLoopback(name.to_string()));
        }
        Ok(name)
    }
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const AWAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn users() -> Users {
        Users::new(&DefaultsConfig::default())
    }

    #[test]
    fn right_credentials_in_both_mechanisms() {
        let guest = Ok(UserName::from("guest"));
        assert_eq!(users().log_in("PLAIN", b"\0guest\0guest", HERE), guest);
        let table = b"\x05LOGINS\0\0\0\x05guest\x08PASSWORDS\0\0\0\x05guest";
        assert_eq!(users().log_in("AMQPLAIN", table, HERE), guest);
    }

    #[test]
    fn wrong_credentials() {
        let refused = Err(Refused::InvalidCredentials("guest".into()));
        assert_eq!(users().log_in("PLAIN", b"\0guest\0wrong", HERE), refused);
        assert_eq!(users().log_in("PLAIN", b"\0guest\0", HERE), refused);
        let refused = Err(Refused::InvalidCredentials("nobody".into()));
        assert_eq!(users().log_in("PLAIN", b"\0nobody\0", HERE), refused);
    }

    #[test]
    fn guest_stays_at_home() {
        let refused = Err(Refused::NotLoopback("guest".into()));
        assert_eq!(users().log_in("PLAIN", b"\0guest\0guest", AWAY), refused);
        let mapped = "::ffff:127.0.0.1".parse().expect("an address");
        assert!(users().log_in("PLAIN", b"\0guest\0guest", mapped).is_ok());
    }

    #[test]
    fn what_cannot_be_read() {
        let refused = |mechanism, response: &[u8]| users().log_in(mechanism, response, HERE);
        assert_eq!(refused("COMPAT", b""), Err(Refused::UnknownMechanism("COMPAT".into())));
        for response in [&b""[..], b"guest guest", b"\0guest", b"\0guest\0guest\0guest"] {
            assert!(matches!(refused("PLAIN", response), Err(Refused::Malformed(_))));
        }
        for response in [&b"\x05LOGI"[..], b"", b"\x05LOGINS\0\0\0\x05guest"] {
            assert!(matches!(refused("AMQPLAIN", response), Err(Refused::Malformed(_))));
        }
    }
}
