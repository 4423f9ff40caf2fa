//! Settings of who may come in, and of who is asked: the broker's own accounts, or others.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::security::{ExternalLogin, Mechanism, VerifyPeer};

/// Who may come in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// Who is asked, one after the other until one lets somebody in.
    pub backends: Vec<BackendChoice>,
    /// How new passwords are hashed.
    pub password_hashing: PasswordHashing,
    /// How many characters a new password has at least.
    pub min_password_length: usize,
    /// The SASL mechanisms that are offered.
    pub mechanisms: Vec<Mechanism>,
    /// Who comes in with ANONYMOUS.
    pub anonymous_user: String,
    /// What in a client's certificate is its user, for EXTERNAL.
    pub external_login: ExternalLogin,
    /// Whether attempts to log in are counted for each address and name.
    pub track_attempt_source: bool,
    /// What the backend `cache` remembers, and of whom.
    pub cache: AuthCacheConfig,
    /// Whom the backend `http` asks.
    pub http: AuthHttpConfig,
    /// Which tokens the backend `oauth2` takes.
    pub oauth2: OAuth2Config,
}

/// How new passwords are hashed; what was hashed otherwise stays good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PasswordHashing {
    /// Salted SHA-256, RabbitMQ's default.
    #[default]
    Sha256,
    /// Salted SHA-512.
    Sha512,
    /// argon2id, which RabbitMQ does not know.
    Argon2id,
}

/// Somebody who knows users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendKind {
    /// The broker's own accounts.
    Internal,
    /// A server that is asked over HTTP.
    Http,
    /// Tokens that somebody else has signed.
    OAuth2,
    /// Another backend whose answers are remembered.
    Cache,
}

/// A place in the chain of backends: `"http"`, or `"oauth2;internal"` where one says who somebody
/// is, and another one what they may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BackendChoice {
    /// Who says who somebody is.
    pub authn: BackendKind,
    /// Who says what they may do.
    pub authz: BackendKind,
}

/// A backend's name that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?}: expected internal, http, oauth2 or cache, or two of them as in \"http;internal\"")]
pub struct BadBackend(String);

/// What the backend `cache` remembers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthCacheConfig {
    /// Whose answers.
    pub backend: BackendChoice,
    /// For how many seconds.
    pub ttl: u64,
    /// Whether refusals are remembered too.
    pub refusals: bool,
}

/// Whom the backend `http` asks, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthHttpConfig {
    /// Who somebody is.
    pub user_path: String,
    /// Whether they may enter a vhost.
    pub vhost_path: String,
    /// What they may do with a queue or an exchange.
    pub resource_path: String,
    /// Whether they may use a routing key.
    pub topic_path: String,
    /// How the parameters are sent.
    pub method: AskingMethod,
    /// Seconds that an answer may take.
    pub request_timeout: u64,
    /// Seconds of these for the connection.
    pub connection_timeout: u64,
    /// How many requests there may be at a time.
    pub connections: usize,
    /// Seconds for which a client's connection goes by an answer.
    pub remember: u64,
    /// Whether clients are told the reasons of refusals.
    pub authorization_failure_disclosure: bool,
    /// Whether the server's certificate is verified.
    pub verify: VerifyPeer,
    /// Certificates of the authorities that it has to be signed by, PEM.
    pub ca: PathBuf,
    /// The certificate that is shown to it, PEM.
    pub certificate: PathBuf,
    /// That certificate's key, PEM.
    pub key: PathBuf,
}

/// How parameters are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AskingMethod {
    /// In the address.
    #[default]
    Get,
    /// In the body.
    Post,
}

/// Which tokens the backend `oauth2` takes, and what they say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OAuth2Config {
    /// What tokens call this broker.
    pub resource_server_id: String,
    /// Whether tokens have to be meant for this broker.
    pub verify_aud: bool,
    /// Whether tokens have to expire.
    pub require_exp: bool,
    /// What scopes begin with that are meant for this broker.
    pub scope_prefix: String,
    /// Further claims with scopes.
    pub additional_scopes_key: String,
    /// What other scopes stand for.
    pub scope_aliases: Vec<String>,
    /// Claims that have the user's name.
    pub preferred_username_claims: Vec<String>,
    /// Who signs, if it says where its keys are.
    pub issuer: String,
    /// Where below the issuer it says that.
    pub discovery_endpoint_path: String,
    /// Where keys are.
    pub jwks_url: String,
    /// A file with keys.
    pub jwks_file: PathBuf,
    /// Single keys, as `id;file`.
    pub signing_keys: Vec<String>,
    /// The key of tokens that do not name theirs.
    pub default_key: String,
    /// Algorithms that are taken; empty is all that fit the keys.
    pub algorithms: Vec<String>,
    /// Seconds after which keys are fetched again.
    pub refresh: u64,
    /// Seconds between two looks for keys that are not there.
    pub refresh_floor: u64,
    /// Seconds that fetching keys may take.
    pub timeout: u64,
    /// Whether the certificate of whoever has the keys is verified.
    pub verify: VerifyPeer,
    /// Certificates of the authorities that it has to be signed by, PEM.
    pub ca: PathBuf,
}

impl BackendChoice {
    /// One that is asked everything.
    pub const fn both(kind: BackendKind) -> Self {
        Self { authn: kind, authz: kind }
    }
}

impl BackendKind {
    /// The backend of a name, RabbitMQ's module names included.
    pub fn named(name: &str) -> Option<Self> {
        match name.strip_prefix("rabbit_auth_backend_").unwrap_or(name) {
            "internal" => Some(Self::Internal),
            "http" => Some(Self::Http),
            "oauth" | "oauth2" => Some(Self::OAuth2),
            "cache" => Some(Self::Cache),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Http => "http",
            Self::OAuth2 => "oauth2",
            Self::Cache => "cache",
        }
    }
}

impl TryFrom<String> for BackendChoice {
    type Error = BadBackend;

    fn try_from(text: String) -> Result<Self, BadBackend> {
        let (authn, authz) = text.split_once(';').unwrap_or((&text, &text));
        match (BackendKind::named(authn.trim()), BackendKind::named(authz.trim())) {
            (Some(authn), Some(authz)) => Ok(Self { authn, authz }),
            (None, _) | (_, None) => Err(BadBackend(text)),
        }
    }
}

impl From<BackendChoice> for String {
    fn from(choice: BackendChoice) -> Self {
        let BackendChoice { authn, authz } = choice;
        if authn == authz {
            return authn.name().into();
        }
        format!("{};{}", authn.name(), authz.name())
    }
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            backends: vec![BackendChoice::both(BackendKind::Internal)],
            password_hashing: PasswordHashing::default(),
            min_password_length: 1,
            mechanisms: vec![Mechanism::Plain, Mechanism::Amqplain],
            anonymous_user: String::new(),
            external_login: ExternalLogin::default(),
            track_attempt_source: false,
            cache: AuthCacheConfig::default(),
            http: AuthHttpConfig::default(),
            oauth2: OAuth2Config::default(),
        }
    }
}

impl Default for AuthCacheConfig {
    fn default() -> Self {
        Self { backend: BackendChoice::both(BackendKind::Http), ttl: 15, refusals: false }
    }
}

impl Default for AuthHttpConfig {
    fn default() -> Self {
        let path = |what: &str| format!("http://localhost:8000/auth/{what}");
        Self {
            user_path: path("user"),
            vhost_path: path("vhost"),
            resource_path: path("resource"),
            topic_path: path("topic"),
            method: AskingMethod::default(),
            request_timeout: 15,
            connection_timeout: 15,
            connections: 32,
            remember: 15,
            authorization_failure_disclosure: false,
            verify: VerifyPeer::Peer,
            ca: PathBuf::new(),
            certificate: PathBuf::new(),
            key: PathBuf::new(),
        }
    }
}

impl Default for OAuth2Config {
    fn default() -> Self {
        Self {
            resource_server_id: String::new(),
            verify_aud: true,
            require_exp: true,
            scope_prefix: "{resource_server_id}.".into(),
            additional_scopes_key: String::new(),
            scope_aliases: Vec::new(),
            preferred_username_claims: Vec::new(),
            issuer: String::new(),
            discovery_endpoint_path: ".well-known/openid-configuration".into(),
            jwks_url: String::new(),
            jwks_file: PathBuf::new(),
            signing_keys: Vec::new(),
            default_key: String::new(),
            algorithms: Vec::new(),
            refresh: 3600,
            refresh_floor: 10,
            timeout: 15,
            verify: VerifyPeer::Peer,
            ca: PathBuf::new(),
        }
    }
}

impl AuthConfig {
    /// Whether a backend is in the chain, or behind the cache that is.
    pub fn uses(&self, kind: BackendKind) -> bool {
        let has = |choice: &BackendChoice, kind| choice.authn == kind || choice.authz == kind;
        let cached = self.backends.iter().any(|each| has(each, BackendKind::Cache));
        self.backends.iter().any(|each| has(each, kind)) || cached && has(&self.cache.backend, kind)
    }

    /// A setting, its value, and what is wrong with it.
    pub(super) fn wrong(&self) -> Option<(&'static str, String, &'static str)> {
        let cached = self.cache.backend;
        if self.backends.is_empty() {
            return Some(("auth.backends", "[]".into(), "must name at least one backend"));
        }
        if cached.authn == BackendKind::Cache || cached.authz == BackendKind::Cache {
            let why = "must be another backend than the cache itself";
            return Some(("auth.cache.backend", cached.into(), why));
        }
        if self.http.connections == 0 {
            return Some(("auth.http.connections", "0".into(), "must be at least 1"));
        }
        for (setting, seconds) in [
            ("auth.http.request_timeout", self.http.request_timeout),
            ("auth.http.connection_timeout", self.http.connection_timeout),
            ("auth.oauth2.timeout", self.oauth2.timeout),
        ] {
            if !(1..=3600).contains(&seconds) {
                return Some((setting, seconds.to_string(), "must be from 1 to 3600"));
            }
        }
        let OAuth2Config { resource_server_id: id, issuer, jwks_url, .. } = &self.oauth2;
        if self.uses(BackendKind::OAuth2) && id.is_empty() {
            let why = "must be what tokens call this broker";
            return Some(("auth.oauth2.resource_server_id", id.clone(), why));
        }
        let bad = |url: &str| !url.is_empty() && !OAuth2Config::may_have_keys(url);
        let why = "must be https (http is taken from this machine only)";
        if bad(issuer) {
            return Some(("auth.oauth2.issuer", issuer.clone(), why));
        }
        bad(jwks_url).then(|| ("auth.oauth2.jwks_url", jwks_url.clone(), why))
    }
}

impl OAuth2Config {
    /// Whether nobody can change on the way what comes from an address.
    pub fn may_have_keys(url: &str) -> bool {
        url.starts_with("https://") || is_near(url)
    }
}

/// Whether an address is on this machine.
fn is_near(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return false;
    }
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let is_loopback = |ip: std::net::IpAddr| ip.is_loopback();
    host == "localhost" || host.parse().is_ok_and(is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_the_chain() {
        let read = |text: &str| BackendChoice::try_from(text.to_owned());
        let both = BackendChoice::both;
        assert_eq!(read("internal"), Ok(both(BackendKind::Internal)));
        assert_eq!(read("rabbit_auth_backend_oauth2"), Ok(both(BackendKind::OAuth2)));
        let mixed = BackendChoice { authn: BackendKind::OAuth2, authz: BackendKind::Internal };
        assert_eq!(read("oauth2;internal"), Ok(mixed));
        assert_eq!(String::from(mixed), "oauth2;internal");
        assert!(read("ldap").expect_err("none").to_string().starts_with("\"ldap\": expected"));
    }

    #[test]
    fn what_makes_no_sense() {
        let wrong = |change: fn(&mut AuthConfig)| {
            let mut config = AuthConfig::default();
            change(&mut config);
            config.wrong().map(|(setting, ..)| setting)
        };
        assert_eq!(wrong(|_| {}), None);
        assert_eq!(wrong(|c| c.backends.clear()), Some("auth.backends"));
        assert_eq!(wrong(|c| c.http.connections = 0), Some("auth.http.connections"));
        assert_eq!(wrong(|c| c.http.request_timeout = 0), Some("auth.http.request_timeout"));
        assert_eq!(wrong(|c| c.oauth2.timeout = 3601), Some("auth.oauth2.timeout"));
        let oauth2 =
            |c: &mut AuthConfig| c.backends = vec![BackendChoice::both(BackendKind::OAuth2)];
        let _: fn(&mut AuthConfig) = oauth2;
        assert_eq!(wrong(oauth2), Some("auth.oauth2.resource_server_id"));
        assert_eq!(
            wrong(|c| {
                c.backends = vec![BackendChoice::both(BackendKind::Cache)];
                c.cache.backend = BackendChoice::both(BackendKind::OAuth2);
            }),
            Some("auth.oauth2.resource_server_id")
        );
        assert_eq!(
            wrong(|c| c.cache.backend = BackendChoice::both(BackendKind::Cache)),
            Some("auth.cache.backend")
        );
    }

    #[test]
    fn keys_come_by_https_or_from_this_machine() {
        let taken = |url: &str| {
            let oauth2 = OAuth2Config { jwks_url: url.into(), ..OAuth2Config::default() };
            AuthConfig { oauth2, ..AuthConfig::default() }.wrong().is_none()
        };
        for good in
            ["", "https://a/b", "http://localhost/k", "http://127.0.0.1:1/", "http://[::1]:1"]
        {
            assert!(taken(good), "{good}");
        }
        for bad in ["http://a/b", "a", "http://localhost.a/", "http://localhost:x@a/", "file:///k"]
        {
            assert!(!taken(bad), "{bad}");
        }
    }
}
