//! What a verified token says: who somebody is, for how long, and by which scopes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::scopes::Scopes;
use super::{BadToken, Token};
use crate::auth::BadBackendSetting;
use crate::auth::backend::Known;
use crate::config::OAuth2Config;

/// How many scopes a token may have, as RabbitMQ has it.
const MOST_SCOPES: usize = 2048;
/// Where Keycloak's requesting party tokens have scopes.
const REQUESTING_PARTY: &str = "authorization.permissions.scopes";
/// What everybody is called whose token names nobody, as with RabbitMQ.
const UNKNOWN: &str = "unknown";
/// What scopes begin with that are tags.
const TAG: &str = "tag:";

/// How claims are read.
pub(super) struct Rules {
    id: String,
    verify_aud: bool,
    require_exp: bool,
    prefix: String,
    /// Where scopes are, besides `scope`.
    paths: Vec<Vec<String>>,
    aliases: BTreeMap<String, Vec<String>>,
    names: Vec<String>,
}

impl Rules {
    pub(super) fn new(config: &OAuth2Config) -> Result<Self, BadBackendSetting> {
        let path = |text: &str| text.split('.').map(str::to_owned).collect();
        let more = config.additional_scopes_key.split_whitespace();
        let names = config.preferred_username_claims.iter().cloned();
        let aliases = config.scope_aliases.iter().map(|alias| {
            let bad = || BadBackendSetting {
                setting: "auth.oauth2.scope_aliases",
                why: format!("{alias:?}: expected alias=scopes"),
            };
            let (name, scopes) = alias.split_once('=').ok_or_else(bad)?;
            Ok((name.to_owned(), words(scopes).map(str::to_owned).collect()))
        });
        Ok(Self {
            id: config.resource_server_id.clone(),
            verify_aud: config.verify_aud,
            require_exp: config.require_exp,
            prefix: config.scope_prefix.replace("{resource_server_id}", &config.resource_server_id),
            paths: [REQUESTING_PARTY].into_iter().chain(more).map(path).collect(),
            aliases: aliases.collect::<Result<_, _>>()?,
            names: names.chain(["sub".into(), "client_id".into()]).collect(),
        })
    }

    /// Reads claims, at a time in seconds since 1970. The token says itself if it has lapsed.
    pub(super) fn read(&self, claims: &Map<String, Value>, now: u64) -> Result<Known, BadToken> {
        self.check_audience(claims)?;
        let (expires, lapsed) = match self.expiry(claims, now) {
            Ok(expires) => (expires, None),
            Err(lapsed) => (None, Some(lapsed)),
        };
        let scopes = self.scopes(claims)?;
        let tags = scopes.iter().filter_map(|scope| scope.strip_prefix(TAG));
        let tags = tags.map(str::to_owned).collect();
        let scopes = Scopes::new(scopes.iter().map(String::as_str), claims);
        let token = Token { expires, scopes, lapsed };
        Ok(Known { name: self.name(claims).into(), tags, token: Some(Arc::new(token)) })
    }

    fn check_audience(&self, claims: &Map<String, Value>) -> Result<(), BadToken> {
        if !self.verify_aud {
            return Ok(());
        }
        let is_meant = match claims.get("aud") {
            None | Some(Value::Null) => return Err(BadToken::NoAudience),
            Some(Value::String(all)) => words(all).any(|each| each == self.id),
            Some(Value::Array(all)) => all.iter().any(|each| each.as_str() == Some(&self.id)),
            Some(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => false,
        };
        is_meant.then_some(()).ok_or(BadToken::OtherAudience)
    }

    fn expiry(&self, claims: &Map<String, Value>, now: u64) -> Result<Option<u64>, BadToken> {
        let Some(expiry) = claims.get("exp") else {
            return if self.require_exp { Err(BadToken::NoExpiry) } else { Ok(None) };
        };
        // Fractions of a second do not count; what is before 1970 has expired.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let whole = |number: f64| number.max(0.0) as u64;
        let expired = expiry.as_u64().or_else(|| expiry.as_f64().map(whole));
        let expired = expired.ok_or(BadToken::BadExpiry)?;
        if expired <= now {
            return Err(BadToken::Expired { expired, now });
        }
        Ok(Some(expired))
    }

    /// All scopes that are meant for this broker, without their prefix.
    fn scopes(&self, claims: &Map<String, Value>) -> Result<BTreeSet<String>, BadToken> {
        let mut all: Vec<String> = claims.get("scope").map_or_else(Vec::new, texts);
        for path in &self.paths {
            let Some((first, rest)) = path.split_first() else { continue };
            for value in claims.get(first).map_or_else(Vec::new, |value| found(value, rest)) {
                all.extend(self.scopes_of(value));
            }
        }
        let aliased = all.iter().filter_map(|scope| self.aliases.get(scope));
        let aliased: Vec<String> = aliased.flatten().cloned().collect();
        let meant = all.iter().chain(&aliased).filter_map(|each| each.strip_prefix(&*self.prefix));
        let meant: BTreeSet<String> = meant.map(str::to_owned).collect();
        if meant.len() > MOST_SCOPES {
            return Err(BadToken::TooManyScopes);
        }
        Ok(meant)
    }

    /// An object has scopes of several servers, by their ids.
    fn scopes_of(&self, value: &Value) -> Vec<String> {
        let Value::Object(servers) = value else { return texts(value) };
        let mine = servers.get(&self.id).map_or_else(Vec::new, texts);
        mine.iter().map(|scope| format!("{}.{scope}", self.id)).collect()
    }

    fn name<'c>(&self, claims: &'c Map<String, Value>) -> &'c str {
        let mut named = self.names.iter().filter_map(|name| claims.get(name)?.as_str());
        named.next().unwrap_or(UNKNOWN)
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(' ').filter(|word| !word.is_empty())
}

/// A list of texts, or the words of one.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => words(text).map(str::to_owned).collect(),
        Value::Array(all) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}

/// What is at the end of a path, in each element of the lists on the way.
fn found<'v>(value: &'v Value, path: &[String]) -> Vec<&'v Value> {
    match (path.split_first(), value) {
        (None, _) => vec![value],
        (Some((first, rest)), Value::Object(fields)) => {
            fields.get(first).map_or_else(Vec::new, |value| found(value, rest))
        }
        (Some(_), Value::Array(all)) => all.iter().flat_map(|each| found(each, path)).collect(),
        (Some(_), Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => Vec::new(),
    }
}
