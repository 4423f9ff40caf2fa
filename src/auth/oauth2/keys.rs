//! The keys that tokens are signed with: from files, or fetched from whoever signs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use parking_lot::Mutex;
use serde_json::{Map, Value};

use super::BadToken;
use crate::auth::BadBackendSetting;
use crate::client::{self, Certificates, Client};
use crate::config::OAuth2Config;

/// The keys of one signer.
pub(super) struct Keys {
    client: Client,
    source: Source,
    /// Keys of the settings, by their ids.
    given: BTreeMap<String, Key>,
    default_key: Option<String>,
    /// Algorithms that are taken; empty is all that fit.
    algorithms: Vec<Algorithm>,
    refresh: Option<Duration>,
    floor: Duration,
    found: Mutex<Found>,
    /// Held by whoever looks for keys. Others who miss the same one wait for what that brings; all
    /// of them are on threads for blocking work.
    looking: Mutex<()>,
}

/// Where keys come from, besides the settings.
enum Source {
    None,
    File(PathBuf),
    Url(String),
    /// Where it is told where they are.
    Discovery(String),
}

/// What the last look came to.
#[derive(Default)]
struct Found {
    keys: Arc<BTreeMap<String, Key>>,
    /// When that was; `None`: never.
    at: Option<Instant>,
    /// When somebody last looked, whatever came of it.
    tried: Option<Instant>,
}

/// A key, and what it may be used with.
#[derive(Clone)]
struct Key {
    key: DecodingKey,
    algorithm: Option<Algorithm>,
}

impl Keys {
    pub(super) fn new(config: &OAuth2Config) -> Result<Self, BadBackendSetting> {
        let timeout = Duration::from_secs(config.timeout);
        let certificates =
            Certificates { verify: config.verify, ca: ("auth.oauth2.ca", &config.ca), own: None };
        let algorithm = |name: &String| {
            let why = format!("{name:?} is no algorithm that Warren knows");
            name.parse().map_err(|_| BadBackendSetting { setting: "auth.oauth2.algorithms", why })
        };
        let given = config.signing_keys.iter().map(|each| signing_key(each));
        let keys = Self {
            client: Client::new(&certificates, timeout, timeout)?,
            source: Source::of(config),
            given: given.collect::<Result<_, _>>()?,
            default_key: Some(config.default_key.clone()).filter(|id| !id.is_empty()),
            algorithms: config.algorithms.iter().map(algorithm).collect::<Result<_, _>>()?,
            refresh: (config.refresh > 0).then(|| Duration::from_secs(config.refresh)),
            floor: Duration::from_secs(config.refresh_floor),
            found: Mutex::default(),
            looking: Mutex::default(),
        };
        // A file that is wrong is better known at the start.
        if let Source::File(file) = &keys.source {
            let text = client::read("auth.oauth2.jwks_file", file)?;
            let set = key_set(&text);
            let why = "is no set of keys (JWKS)";
            set.ok_or_else(|| client::unusable("auth.oauth2.jwks_file", file, why))?;
        }
        Ok(keys)
    }

    /// What a token says, if it is signed by whoever it should be.
    pub(super) fn verified(
        &self,
        token: &[u8],
        now: Instant,
    ) -> Result<Map<String, Value>, BadToken> {
        let header = decode_header(token).map_err(|_| BadToken::Unreadable)?;
        let id = header.kid.as_ref().or(self.default_key.as_ref()).ok_or(BadToken::UnknownKey)?;
        let Key { key, algorithm } = self.key(id, now)?;
        let mut validation = Validation::new_for_family(key.family());
        validation.algorithms.retain(|each| {
            algorithm.is_none_or(|only| only == *each)
                && (self.algorithms.is_empty() || self.algorithms.contains(each))
        });
        // Whom it is for and for how long is read in RabbitMQ's way.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let token = decode::<Map<String, Value>>(token, &key, &validation);
        token.map(|token| token.claims).map_err(|_| BadToken::BadSignature)
    }

    fn key(&self, id: &str, now: Instant) -> Result<Key, BadToken> {
        if let Some(key) = self.given.get(id) {
            return Ok(key.clone());
        }
        if matches!(self.source, Source::None) {
            return Err(BadToken::UnknownKey);
        }
        if let Some(key) = self.fresh(id, now) {
            return Ok(key);
        }
        let _looking = self.looking.lock();
        // Somebody else may have looked while this one waited.
        if let Some(key) = self.fresh(id, now) {
            return Ok(key);
        }
        let failed = self.look(now).err();
        let old = self.found.lock().keys.get(id).cloned();
        old.ok_or_else(|| failed.map_or(BadToken::UnknownKey, BadToken::NoKeys))
    }

    /// A key that need not be looked for.
    fn fresh(&self, id: &str, now: Instant) -> Option<Key> {
        let found = self.found.lock();
        let at = found.at?;
        let is_old =
            self.refresh.is_some_and(|refresh| now.saturating_duration_since(at) >= refresh);
        if is_old { None } else { found.keys.get(id).cloned() }
    }

    /// Looks for keys, unless that was done just now: whoever sends tokens with ids that nobody
    /// knows makes no work for others.
    fn look(&self, now: Instant) -> Result<(), String> {
        {
            let mut found = self.found.lock();
            if found.tried.is_some_and(|tried| now.saturating_duration_since(tried) < self.floor) {
                return Ok(());
            }
            found.tried = Some(now);
        }
        let begun = Instant::now();
        let fetched = self.fetch();
        // The time that it took is no time between two looks.
        self.found.lock().tried = Some(now + begun.elapsed());
        let keys = fetched.inspect_err(|why| {
            tracing::warn!("cannot get the keys of OAuth 2 tokens: {why}");
        })?;
        tracing::info!(keys = keys.len(), "got the keys of OAuth 2 tokens");
        let mut found = self.found.lock();
        found.keys = Arc::new(keys);
        found.at = Some(now);
        Ok(())
    }

    fn fetch(&self) -> Result<BTreeMap<String, Key>, String> {
        let text = match &self.source {
            Source::None => return Ok(BTreeMap::new()),
            Source::File(file) => {
                std::fs::read(file).map_err(|why| format!("{}: {why}", file.display()))?
            }
            Source::Url(url) => self.get(url)?.into(),
            Source::Discovery(url) => {
                let told: Value = serde_json::from_str(&self.get(url)?)
                    .map_err(|why| format!("{url} is no JSON: {why}"))?;
                let keys = told.get("jwks_uri").and_then(Value::as_str);
                let keys = keys.filter(|keys| OAuth2Config::may_have_keys(keys));
                let keys = keys.ok_or_else(|| format!("{url} has no jwks_uri with https"))?;
                self.get(keys)?.into()
            }
        };
        key_set(&text).ok_or_else(|| "what came is no set of keys (JWKS)".into())
    }

    fn get(&self, url: &str) -> Result<String, String> {
        let answer = self.client.get(url).map_err(|why| format!("{url}: {why}"))?;
        match answer.status {
            200 => Ok(answer.body),
            status => Err(format!("{url}: status {status}")),
        }
    }
}

impl Source {
    fn of(config: &OAuth2Config) -> Self {
        if !config.jwks_file.as_os_str().is_empty() {
            return Self::File(config.jwks_file.clone());
        }
        if !config.jwks_url.is_empty() {
            return Self::Url(config.jwks_url.clone());
        }
        if config.issuer.is_empty() {
            return Self::None;
        }
        let issuer = config.issuer.trim_end_matches('/');
        let path = config.discovery_endpoint_path.trim_start_matches('/');
        Self::Discovery(format!("{issuer}/{path}"))
    }
}

/// A key of the settings: `id;file.pem`.
fn signing_key(text: &str) -> Result<(String, Key), BadBackendSetting> {
    const SETTING: &str = "auth.oauth2.signing_keys";
    let bad = || BadBackendSetting { setting: SETTING, why: format!("{text:?}: expected id;file") };
    let (id, file) = text.split_once(';').ok_or_else(bad)?;
    let file = PathBuf::from(file);
    let pem = client::read(SETTING, &file)?;
    let key = DecodingKey::from_rsa_pem(&pem)
        .or_else(|_| DecodingKey::from_ec_pem(&pem))
        .or_else(|_| DecodingKey::from_ed_pem(&pem));
    let key = key.map_err(|_| client::unusable(SETTING, &file, "has no public key"))?;
    Ok((id.to_owned(), Key { key, algorithm: None }))
}

/// The keys of a set, by their ids; those of kinds that are not known are left out. `None`: it is
/// no set at all.
fn key_set(text: &[u8]) -> Option<BTreeMap<String, Key>> {
    let set: Value = serde_json::from_slice(text).ok()?;
    let keys = set.get("keys")?.as_array()?;
    Some(keys.iter().filter_map(key).collect())
}

fn key(value: &Value) -> Option<(String, Key)> {
    let jwk = serde_json::from_value::<Jwk>(value.clone()).ok()?;
    if jwk.common.public_key_use == Some(PublicKeyUse::Encryption) {
        return None;
    }
    let algorithm = jwk.common.key_algorithm.and_then(|name| name.to_string().parse().ok());
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    Some((jwk.common.key_id?, Key { key, algorithm }))
}
