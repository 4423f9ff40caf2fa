//! Users who come with a token (JWT) that somebody else has signed: OAuth 2 as RabbitMQ has it.
//!
//! The token is the password. It says who somebody is and, by its scopes, what they may do; after
//! the login nobody has to be asked. Only keys have to be fetched, now and then.

mod claims;
mod keys;
mod scopes;
mod signatures;
#[cfg(test)]
mod tests;

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::BadBackendSetting;
use super::backend::{Attempt, Backend, Deed, Known, Principal, Question, Verdict};
use super::login::Refused;
use crate::config::OAuth2Config;
use claims::Rules;
use keys::Keys;
use scopes::Scopes;

/// RabbitMQ's name for it.
const NAME: &str = "rabbit_auth_backend_oauth2";

/// What is left of a token once it was read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Token {
    /// When it expires, in seconds since 1970.
    pub(super) expires: Option<u64>,
    scopes: Scopes,
    /// It was genuine, and is good for nothing: this is said to whoever uses it.
    lapsed: Option<BadToken>,
}

/// Why a token is refused; told in the log only.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadToken {
    #[error("provided token is invalid")]
    Unreadable,
    #[error("signature_invalid")]
    BadSignature,
    #[error("key_not_found")]
    UnknownKey,
    #[error("{0}")]
    NoKeys(String),
    #[error("no_aud_found")]
    NoAudience,
    #[error("no_matching_aud_found")]
    OtherAudience,
    #[error("Provided JWT token has expired at timestamp {expired} (validated at {now})")]
    Expired { expired: u64, now: u64 },
    #[error("Provided JWT token has an invalid exp claim: value is not a number")]
    BadExpiry,
    #[error("Provided JWT token has no exp claim")]
    NoExpiry,
    #[error("too_many_scopes")]
    TooManyScopes,
}

/// Takes tokens.
pub(super) struct OAuth2 {
    keys: Keys,
    rules: Rules,
}

impl OAuth2 {
    pub(super) fn new(config: &OAuth2Config) -> Result<Self, BadBackendSetting> {
        signatures::install();
        Ok(Self { keys: Keys::new(config)?, rules: Rules::new(config)? })
    }

    /// What a token says. It may have lapsed.
    fn read(&self, token: &[u8]) -> Result<Known, BadToken> {
        let claims = self.keys.verified(token, Instant::now())?;
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.rules.read(&claims, since_1970.as_secs())
    }
}

impl Backend for OAuth2 {
    fn name(&self) -> &'static str {
        NAME
    }

    /// The name that somebody gives does not count.
    fn authenticate(&self, attempt: &Attempt<'_>) -> Result<Known, Refused> {
        let known = self.read(attempt.password.unwrap_or_default());
        known.and_then(good).map_err(|bad| Refused::by(NAME, attempt.name, failed(&bad)))
    }

    fn may(&self, who: &Principal, question: &Question) -> Verdict {
        let Some(token) = &who.token else { return false.into() };
        if let Some(lapsed) = &token.lapsed {
            return Verdict::Failed(format!("\"{lapsed}\"").into());
        }
        let vhost = question.vhost.as_str();
        match &question.deed {
            Deed::Enter => token.scopes.enter(vhost),
            Deed::Use { right, name, .. } => token.scopes.allow(*right, vhost, name),
            Deed::Topic { right, exchange, key } => {
                token.scopes.allow_topic(*right, vhost, exchange, key)
            }
        }
        .into()
    }

    fn is_quick(&self) -> bool {
        true
    }

    /// As in RabbitMQ, one that has lapsed is taken, and then nothing may be done with it.
    fn renew(&self, secret: &[u8]) -> Result<Known, Refused> {
        self.read(secret).map_err(|bad| match bad {
            // With these RabbitMQ does not get as far as refusing.
            BadToken::Unreadable | BadToken::NoAudience | BadToken::OtherAudience => {
                Refused::Failed(failed(&bad))
            }
            BadToken::BadSignature
            | BadToken::UnknownKey
            | BadToken::NoKeys(_)
            | BadToken::Expired { .. }
            | BadToken::BadExpiry
            | BadToken::NoExpiry
            | BadToken::TooManyScopes => Refused::by(NAME, "", failed(&bad)),
        })
    }
}

/// Whoever comes in does so with a token that is good for something.
fn good(known: Known) -> Result<Known, BadToken> {
    let lapsed = known.token.as_ref().and_then(|token| token.lapsed.clone());
    lapsed.map_or(Ok(known), Err)
}

fn failed(bad: &BadToken) -> String {
    format!("Authentication using an OAuth 2/JWT token failed: {bad}")
}
