//! Where the broker is and who we are: `amqp://user:password@host:port/vhost`.

use std::fmt;
use std::str::FromStr;

/// A parsed AMQP URI. What is left out is RabbitMQ's default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uri {
    pub(super) user: String,
    pub(super) password: String,
    /// A name or an address; an IPv6 address without its brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) vhost: String,
}

/// Why a URI cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUri {
    /// Another scheme; TLS is not the load generator's business.
    #[error("a broker's URI starts with amqp://")]
    Scheme,
    /// Not a number below 65536.
    #[error("the port is not a number from 0 to 65535")]
    Port,
    /// A `%` without two hexadecimal digits, or not UTF-8 behind it.
    #[error("a % stands in front of something that is no encoded character")]
    Escape,
    /// More than one path segment, or a query.
    #[error("only a vhost may follow the port; write a / in its name as %2F")]
    Vhost,
}

impl FromStr for Uri {
    type Err = BadUri;

    fn from_str(text: &str) -> Result<Self, BadUri> {
        let rest = text.strip_prefix("amqp://").ok_or(BadUri::Scheme)?;
        let (authority, vhost) = rest.split_once('/').unwrap_or((rest, ""));
        if vhost.contains(['/', '?']) {
            return Err(BadUri::Vhost);
        }
        let (login, place) = authority.rsplit_once('@').unwrap_or(("guest:guest", authority));
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, port)) => (address, port.strip_prefix(':')),
            None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
        };
        Ok(Self {
            user: decoded(user)?,
            password: decoded(password)?,
            host: if host.is_empty() { "127.0.0.1".into() } else { decoded(host)? },
            port: port.map_or(Ok(5672), |port| port.parse().map_err(|_| BadUri::Port))?,
            vhost: if vhost.is_empty() { "/".into() } else { decoded(vhost)? },
        })
    }
}

/// Without the password: this goes into messages.
impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}:{} (vhost {})", self.user, self.host, self.port, self.vhost)
    }
}

fn decoded(text: &str) -> Result<String, BadUri> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte == b'%' {
            let (digits, behind) = rest.split_at_checked(2).ok_or(BadUri::Escape)?;
            let digit = |n: u8| char::from(n).to_digit(16).ok_or(BadUri::Escape);
            let code = digit(digits[0])? * 16 + digit(digits[1])?;
            bytes.push(u8::try_from(code).map_err(|_| BadUri::Escape)?);
            rest = behind;
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).map_err(|_| BadUri::Escape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, user: &str, password: &str, host: &str, port: u16, vhost: &str) {
        let uri: Uri = text.parse().expect("a good URI");
        assert_eq!((&*uri.user, &*uri.password), (user, password));
        assert_eq!((&*uri.host, uri.port, &*uri.vhost), (host, port, vhost));
    }

    #[test]
    fn parts_are_found_and_defaults_fill_in() {
        check("amqp://a:b@broker:1234/test", "a", "b", "broker", 1234, "test");
        check("amqp://guest:guest@127.0.0.1:5672/", "guest", "guest", "127.0.0.1", 5672, "/");
        check("amqp://broker", "guest", "guest", "broker", 5672, "/");
        check("amqp://", "guest", "guest", "127.0.0.1", 5672, "/");
        check("amqp://a@[::1]:5/%2f", "a", "", "::1", 5, "/");
        check("amqp://a:p%40ss%2F@h/v%25", "a", "p@ss/", "h", 5672, "v%");
    }

    #[test]
    fn bad_ones_are_told_apart() {
        assert_eq!("amqps://h".parse::<Uri>(), Err(BadUri::Scheme));
        assert_eq!("amqp://h:70000".parse::<Uri>(), Err(BadUri::Port));
        assert_eq!("amqp://h/%2".parse::<Uri>(), Err(BadUri::Escape));
        assert_eq!("amqp://h/%zz".parse::<Uri>(), Err(BadUri::Escape));
        assert_eq!("amqp://h/a/b".parse::<Uri>(), Err(BadUri::Vhost));
        assert_eq!("amqp://h/a?heartbeat=1".parse::<Uri>(), Err(BadUri::Vhost));
    }

    #[test]
    fn the_password_is_not_shown() {
        let uri: Uri = "amqp://me:secret@h".parse().unwrap();
        assert_eq!(uri.to_string(), "me@h:5672 (vhost /)");
    }
}
