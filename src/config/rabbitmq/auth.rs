//! RabbitMQ's settings of logins and of the backends that are asked (`auth_*`).

use std::collections::BTreeMap;

use super::{Apply, Expected, flag, last, list, number, seconds, set, word};
use crate::config::{
    AskingMethod, BackendChoice, BackendKind, Config, ExternalLogin, Mechanism, PasswordHashing,
    VerifyPeer,
};

const BACKENDS: Expected = "internal, http, oauth2 or cache; Warren has no other backends";
const ONE_PROVIDER: Expected = "no such setting: Warren knows one resource server and one provider";

/// Keys, with `*` for a part that may be anything.
pub(super) const KEYS: &[(&str, Apply)] = &[
    ("ssl_cert_login_from", |c, _, v| {
        let known = [
            ("distinguished_name", ExternalLogin::DistinguishedName),
            ("common_name", ExternalLogin::CommonName),
            ("subject_alternative_name", ExternalLogin::SubjectAlternativeName),
            ("subject_alt_name", ExternalLogin::SubjectAlternativeName),
        ];
        set(&mut c.auth.external_login, word(v, &known)?)
    }),
    ("anonymous_login_user", |c, _, v| {
        let nobody = v == "none";
        set(&mut c.auth.anonymous_user, if nobody { String::new() } else { v.into() })
    }),
    ("auth_mechanisms.*", |c, key, v| {
        let known = [
            ("PLAIN", Mechanism::Plain),
            ("AMQPLAIN", Mechanism::Amqplain),
            ("EXTERNAL", Mechanism::External),
            ("ANONYMOUS", Mechanism::Anonymous),
        ];
        list(&mut c.auth.mechanisms, key, word(v, &known)?);
        Ok(())
    }),
    ("password_hashing_module", |c, _, v| {
        let known = [
            ("rabbit_password_hashing_sha256", PasswordHashing::Sha256),
            ("rabbit_password_hashing_sha512", PasswordHashing::Sha512),
        ];
        set(&mut c.auth.password_hashing, word(v, &known)?)
    }),
    ("credential_validator.min_length", |c, _, v| set(&mut c.auth.min_password_length, number(v)?)),
    ("track_auth_attempt_source", |c, _, v| set(&mut c.auth.track_attempt_source, flag(v)?)),
    ("auth_http.http_method", |c, _, v| {
        let known = [("get", AskingMethod::Get), ("post", AskingMethod::Post)];
        set(&mut c.auth.http.method, word(v, &known)?)
    }),
    ("auth_http.user_path", |c, _, v| set(&mut c.auth.http.user_path, v.into())),
    ("auth_http.vhost_path", |c, _, v| set(&mut c.auth.http.vhost_path, v.into())),
    ("auth_http.resource_path", |c, _, v| set(&mut c.auth.http.resource_path, v.into())),
    ("auth_http.topic_path", |c, _, v| set(&mut c.auth.http.topic_path, v.into())),
    ("auth_http.request_timeout", |c, _, v| set(&mut c.auth.http.request_timeout, seconds(v)?)),
    ("auth_http.connection_timeout", |c, _, v| {
        set(&mut c.auth.http.connection_timeout, seconds(v)?)
    }),
    ("auth_http.authorization_failure_disclosure", |c, _, v| {
        set(&mut c.auth.http.authorization_failure_disclosure, flag(v)?)
    }),
    ("auth_http.ssl_options.verify", |c, _, v| set(&mut c.auth.http.verify, verify(v)?)),
    ("auth_http.ssl_options.cacertfile", |c, _, v| set(&mut c.auth.http.ca, v.into())),
    ("auth_http.ssl_options.certfile", |c, _, v| set(&mut c.auth.http.certificate, v.into())),
    ("auth_http.ssl_options.keyfile", |c, _, v| set(&mut c.auth.http.key, v.into())),
    ("auth_cache.cache_ttl", |c, _, v| set(&mut c.auth.cache.ttl, seconds(v)?)),
    ("auth_cache.cache_refusals", |c, _, v| set(&mut c.auth.cache.refusals, flag(v)?)),
    ("auth_oauth2.resource_server_id", |c, _, v| {
        set(&mut c.auth.oauth2.resource_server_id, v.into())
    }),
    ("auth_oauth2.verify_aud", |c, _, v| set(&mut c.auth.oauth2.verify_aud, flag(v)?)),
    ("auth_oauth2.require_exp", |c, _, v| set(&mut c.auth.oauth2.require_exp, flag(v)?)),
    ("auth_oauth2.scope_prefix", |c, _, v| set(&mut c.auth.oauth2.scope_prefix, v.into())),
    ("auth_oauth2.additional_scopes_key", |c, _, v| {
        set(&mut c.auth.oauth2.additional_scopes_key, v.into())
    }),
    ("auth_oauth2.preferred_username_claims.*", |c, key, v| {
        list(&mut c.auth.oauth2.preferred_username_claims, key, v.to_owned());
        Ok(())
    }),
    ("auth_oauth2.issuer", |c, _, v| set(&mut c.auth.oauth2.issuer, v.into())),
    ("auth_oauth2.discovery_endpoint_path", |c, _, v| {
        set(&mut c.auth.oauth2.discovery_endpoint_path, v.into())
    }),
    ("auth_oauth2.jwks_uri", |c, _, v| set(&mut c.auth.oauth2.jwks_url, v.into())),
    ("auth_oauth2.jwks_url", |c, _, v| set(&mut c.auth.oauth2.jwks_url, v.into())),
    ("auth_oauth2.signing_keys.*", |c, key, v| {
        c.auth.oauth2.signing_keys.push(format!("{};{v}", last(key)));
        Ok(())
    }),
    ("auth_oauth2.default_key", |c, _, v| set(&mut c.auth.oauth2.default_key, v.into())),
    ("auth_oauth2.algorithms.*", |c, key, v| {
        list(&mut c.auth.oauth2.algorithms, key, v.to_owned());
        Ok(())
    }),
    ("auth_oauth2.https.peer_verification", |c, _, v| set(&mut c.auth.oauth2.verify, verify(v)?)),
    ("auth_oauth2.https.verify", |c, _, v| set(&mut c.auth.oauth2.verify, verify(v)?)),
    ("auth_oauth2.https.cacertfile", |c, _, v| set(&mut c.auth.oauth2.ca, v.into())),
    // Who may come in would be another matter without these: better not to start.
    ("auth_oauth2.default_oauth_provider", |_, _, _| Err(ONE_PROVIDER)),
    ("auth_oauth2.oauth_providers.*", |_, _, _| Err(ONE_PROVIDER)),
    ("auth_oauth2.resource_servers.*", |_, _, _| Err(ONE_PROVIDER)),
    ("auth_oauth2.resource_server_type", |_, _, _| {
        Err("no such setting: Warren does not read rich authorization requests")
    }),
    ("auth_oauth2.discovery_endpoint_params.*", |_, _, _| {
        Err("no such setting: give auth_oauth2.jwks_uri instead")
    }),
];

/// What changes nothing here: how a browser gets its token, what rustls does in any case.
pub(super) const PASSED_OVER: &[&str] = &[
    "auth_cache.cache_module",
    "auth_http.ssl_options",
    "auth_oauth2.authorization_endpoint",
    "auth_oauth2.end_session_endpoint",
    "auth_oauth2.https.crl_check",
    "auth_oauth2.https.depth",
    "auth_oauth2.https.fail_if_no_peer_cert",
    "auth_oauth2.https.hostname_verification",
    "auth_oauth2.token_endpoint",
];

/// Two halves of one thing, each on a line of its own.
type Halves<T> = (Option<T>, Option<T>);

/// Settings that are made of several lines, in whichever order these come.
#[derive(Default)]
pub(super) struct Pairs {
    /// The chain of backends, by place: who somebody is, what they may do.
    backends: BTreeMap<u32, Halves<BackendKind>>,
    cached: Halves<BackendKind>,
    /// What a scope is called, and what it stands for.
    aliases: BTreeMap<String, Halves<String>>,
}

impl Pairs {
    /// Takes a line, if it belongs to such a setting.
    pub(super) fn take(&mut self, key: &str, value: &str) -> Option<Result<(), Expected>> {
        if let Some(place) = key.strip_prefix("auth_backends.") {
            return Some(self.take_backend(place, value));
        }
        if let Some(part) = key.strip_prefix("auth_cache.cached_backend") {
            return Some(backend(value).and_then(|kind| put(&mut self.cached, part, kind)));
        }
        let alias = key.strip_prefix("auth_oauth2.scope_aliases.")?;
        match alias.rsplit_once('.') {
            Some((index, "alias")) => self.alias(index).0 = Some(value.into()),
            Some((index, "scope")) => self.alias(index).1 = Some(value.into()),
            Some(_) | None => *self.alias(alias) = (Some(alias.into()), Some(value.into())),
        }
        Some(Ok(()))
    }

    fn take_backend(&mut self, place: &str, value: &str) -> Result<(), Expected> {
        let digits = place.find('.').unwrap_or(place.len());
        let (number, part) = place.split_at(digits);
        let number = number.parse().map_err(|_| "a number behind auth_backends.")?;
        put(self.backends.entry(number).or_default(), part, backend(value)?)
    }

    fn alias(&mut self, index: &str) -> &mut Halves<String> {
        self.aliases.entry(index.into()).or_default()
    }

    /// Sets what the lines came to. Half of a pair stands for both, as with RabbitMQ; half of an
    /// alias for nothing.
    pub(super) fn settle(self, config: &mut Config) {
        let auth = &mut config.auth;
        if !self.backends.is_empty() {
            auth.backends = self.backends.into_values().filter_map(whole).collect();
        }
        if let Some(cached) = whole(self.cached) {
            auth.cache.backend = cached;
        }
        for halves in self.aliases.into_values() {
            if let (Some(alias), Some(scopes)) = halves {
                auth.oauth2.scope_aliases.push(format!("{alias}={scopes}"));
            }
        }
    }
}

fn put(halves: &mut Halves<BackendKind>, part: &str, kind: BackendKind) -> Result<(), Expected> {
    match part {
        "" => *halves = (Some(kind), Some(kind)),
        ".authn" => halves.0 = Some(kind),
        ".authz" => halves.1 = Some(kind),
        _ => return Err("nothing but .authn or .authz behind it"),
    }
    Ok(())
}

fn whole((authn, authz): Halves<BackendKind>) -> Option<BackendChoice> {
    let (authn, authz) = (authn.or(authz)?, authz.or(authn)?);
    Some(BackendChoice { authn, authz })
}

fn backend(value: &str) -> Result<BackendKind, Expected> {
    BackendKind::named(value).ok_or(BACKENDS)
}

fn verify(value: &str) -> Result<VerifyPeer, Expected> {
    word(value, &[("verify_peer", VerifyPeer::Peer), ("verify_none", VerifyPeer::None)])
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::apply;
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let mut config = Config::default();
        let read = apply(&mut config, Path::new("rabbitmq.conf"), text, &|_| None);
        read.map(|_| config).map_err(|bad| bad.to_string())
    }

    #[test]
    fn the_chain_is_in_the_order_of_its_numbers() {
        let config = read(
            "auth_backends.3 = cache
             auth_backends.1.authz = internal
             auth_backends.2 = rabbit_auth_backend_http
             auth_backends.1.authn = oauth2
             auth_cache.cached_backend = http
             auth_cache.cache_ttl = 2500",
        );
        let auth = config.expect("good").auth;
        let chain: Vec<String> = auth.backends.into_iter().map(String::from).collect();
        assert_eq!(chain, ["oauth2;internal", "http", "cache"]);
        assert_eq!((String::from(auth.cache.backend).as_str(), auth.cache.ttl), ("http", 3));
    }

    #[test]
    fn what_warren_does_not_have_is_no_silence() {
        let said = |text: &str| read(text).expect_err("refused");
        assert_eq!(
            said("auth_backends.1 = ldap"),
            "rabbitmq.conf:1: auth_backends.1 = ldap: expected internal, http, oauth2 or cache; \
             Warren has no other backends"
        );
        assert!(said("auth_backends.first = http").contains("expected a number"));
        assert!(said("auth_backends.1.both = http").contains("expected nothing but .authn"));
        for key in ["oauth_providers.a.issuer", "resource_servers.a.id", "resource_server_type"] {
            assert!(said(&format!("auth_oauth2.{key} = a")).contains("no such setting"), "{key}");
        }
        assert!(said("auth_http.user_pat = a").contains("did you mean auth_http.user_path?"));
    }

    #[test]
    fn tokens() {
        let config = read(
            "auth_oauth2.resource_server_id = rabbitmq
             auth_oauth2.scope_prefix = r.
             auth_oauth2.preferred_username_claims.1 = user_name
             auth_oauth2.preferred_username_claims.2 = email
             auth_oauth2.signing_keys.k1 = /keys/k1.pem
             auth_oauth2.scope_aliases.admin = rabbitmq.tag:administrator rabbitmq.read:*/*
             auth_oauth2.scope_aliases.1.scope = rabbitmq.read:a/b
             auth_oauth2.scope_aliases.1.alias = reader
             auth_oauth2.https.verify = verify_none
             auth_oauth2.algorithms.1 = RS256
             auth_oauth2.require_exp = false",
        );
        let oauth2 = config.expect("good").auth.oauth2;
        assert_eq!(oauth2.preferred_username_claims, ["user_name", "email"]);
        assert_eq!(oauth2.signing_keys, ["k1;/keys/k1.pem"]);
        let admin = "admin=rabbitmq.tag:administrator rabbitmq.read:*/*";
        assert_eq!(oauth2.scope_aliases, ["reader=rabbitmq.read:a/b", admin]);
        assert_eq!((oauth2.verify, oauth2.require_exp), (VerifyPeer::None, false));
        assert_eq!((&*oauth2.scope_prefix, &*oauth2.algorithms[0]), ("r.", "RS256"));
    }
}
