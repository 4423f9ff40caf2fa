//! Tokens and their keys, as files have them.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use serde_json::{Map, Value, json};

use super::*;

/// A public RSA key as JWK and as PEM, and tokens of `{"sub":"anna"}` that were signed with what
/// belongs to it.
fn rsa(what: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("tests/rsa.json")).expect("JSON");
    all[what].clone()
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn token(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let said = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
    let signature = sign(said.as_bytes());
    format!("{said}.{}", encoded(signature))
}

/// A pair of keys on P-256.
struct Curve(EcdsaKeyPair);

impl Curve {
    fn new() -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let made = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("made");
        Self(EcdsaKeyPair::from_pkcs8(algorithm, made.as_ref(), &random).expect("a key"))
    }

    fn jwk(&self, id: &str) -> Value {
        let (x, y) = self.0.public_key().as_ref()[1..].split_at(32);
        json!({"kty": "EC", "crv": "P-256", "kid": id, "x": encoded(x), "y": encoded(y)})
    }

    fn token(&self, id: &str, claims: &Value) -> String {
        let header = json!({"alg": "ES256", "kid": id});
        let sign = |said: &[u8]| self.0.sign(&SystemRandom::new(), said).expect("signed");
        token(&header, claims, |said| sign(said).as_ref().to_vec())
    }
}

fn secret_token(header: &Value, secret: &[u8]) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
    token(header, &json!({"sub": "anna"}), |said| ring::hmac::sign(&key, said).as_ref().to_vec())
}

/// A file of keys that goes with its test.
struct KeyFile(tempfile::NamedTempFile);

impl KeyFile {
    fn of(keys: &[Value]) -> Self {
        let file = Self(tempfile::NamedTempFile::new().expect("a file"));
        file.write(keys);
        file
    }

    fn write(&self, keys: &[Value]) {
        std::fs::write(self.0.path(), json!({"keys": keys}).to_string()).expect("written");
    }

    fn config(&self) -> OAuth2Config {
        OAuth2Config { jwks_file: self.0.path().into(), ..OAuth2Config::default() }
    }
}

fn keys(config: &OAuth2Config) -> Keys {
    signatures::install();
    Keys::new(config).expect("good")
}

fn verified(keys: &Keys, token: &str) -> Result<(), BadToken> {
    keys.verified(token.as_bytes(), Instant::now()).map(|_| ())
}

#[test]
fn each_kind_of_key_verifies_its_tokens_and_no_others() {
    let curve = Curve::new();
    let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("made");
    let edwards = Ed25519KeyPair::from_pkcs8(made.as_ref()).expect("a key");
    let edwards_jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed",
                             "x": encoded(edwards.public_key())});
    let secret = json!({"kty": "oct", "kid": "secret", "k": encoded("a shared secret")});
    let unknown = json!({"kty": "new", "kid": "new"});
    let all = [curve.jwk("ec"), edwards_jwk, secret, rsa("jwk"), unknown, json!(1)];
    let file = KeyFile::of(&all);
    let keys = keys(&file.config());
    let claims = json!({"sub": "anna"});
    let by_edwards =
        |header: &Value| token(header, &claims, |said| edwards.sign(said).as_ref().to_vec());
    let good = [
        curve.token("ec", &claims),
        by_edwards(&json!({"alg": "EdDSA", "kid": "ed"})),
        secret_token(&json!({"alg": "HS256", "kid": "secret"}), b"a shared secret"),
        rsa("RS256").as_str().expect("a token").into(),
        rsa("PS384").as_str().expect("a token").into(),
    ];
    for token in &good {
        assert_eq!(verified(&keys, token), Ok(()), "{token}");
        // Other claims under the same signature.
        let parts: Vec<&str> = token.split('.').collect();
        let forged = format!("{}.{}.{}", parts[0], encoded(r#"{"sub":"otto"}"#), parts[2]);
        assert_eq!(verified(&keys, &forged), Err(BadToken::BadSignature), "{forged}");
    }
    let by_another = Curve::new().token("ec", &claims);
    assert_eq!(verified(&keys, &by_another), Err(BadToken::BadSignature));
    assert_eq!(verified(&keys, &curve.token("new", &claims)), Err(BadToken::UnknownKey));
}

#[test]
fn a_public_key_is_no_secret_and_no_signature_is_none() {
    let file = KeyFile::of(&[rsa("jwk")]);
    let keys = keys(&file.config());
    let modulus = rsa("jwk")["n"].as_str().expect("text").to_owned();
    let pem = rsa("pem").as_str().expect("text").to_owned();
    let raw = URL_SAFE_NO_PAD.decode(&modulus).expect("base64");
    let header = json!({"alg": "HS256", "kid": "rsa"});
    for secret in [pem.as_bytes(), modulus.as_bytes(), &raw] {
        let forged = secret_token(&header, secret);
        assert_eq!(verified(&keys, &forged), Err(BadToken::BadSignature));
    }
    for algorithm in ["none", "None", "NONE"] {
        let header = json!({"alg": algorithm, "kid": "rsa"});
        let unsigned = token(&header, &json!({"sub": "anna"}), |_| Vec::new());
        assert!(verified(&keys, &unsigned).is_err());
    }
    for text in ["", ".", "..", "a.b.c", "guest", "e30.e30.", "\u{0}"] {
        assert!(verified(&keys, text).is_err(), "{text}");
    }
}

#[test]
fn keys_say_what_they_are_for_and_so_do_settings() {
    let mut for_pss = rsa("jwk");
    for_pss["alg"] = json!("PS384");
    let file = KeyFile::of(&[for_pss]);
    let text = |what| rsa(what).as_str().expect("a token").to_owned();
    let pss_only = keys(&file.config());
    assert_eq!(verified(&pss_only, &text("PS384")), Ok(()));
    assert_eq!(verified(&pss_only, &text("RS256")), Err(BadToken::BadSignature));

    let file = KeyFile::of(&[rsa("jwk")]);
    let strict = OAuth2Config { algorithms: vec!["RS256".into()], ..file.config() };
    let strict = keys(&strict);
    assert_eq!(verified(&strict, &text("RS256")), Ok(()));
    assert_eq!(verified(&strict, &text("PS384")), Err(BadToken::BadSignature));

    let mut for_encryption = rsa("jwk");
    for_encryption["use"] = json!("enc");
    let file = KeyFile::of(&[for_encryption]);
    assert_eq!(verified(&keys(&file.config()), &text("RS256")), Err(BadToken::UnknownKey));
}

#[test]
fn keys_of_the_settings() {
    let pem = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(pem.path(), rsa("pem").as_str().expect("text")).expect("written");
    let given = format!("rsa;{}", pem.path().display());
    let config = OAuth2Config { signing_keys: vec![given], ..OAuth2Config::default() };
    let signed = rsa("RS256").as_str().expect("a token").to_owned();
    assert_eq!(verified(&keys(&config), &signed), Ok(()));

    // A token that names no key.
    let curve = Curve::new();
    let file = KeyFile::of(&[curve.jwk("mine")]);
    let sign = |said: &[u8]| curve.0.sign(&SystemRandom::new(), said).expect("signed");
    let nameless = token(&json!({"alg": "ES256"}), &json!({}), |said| sign(said).as_ref().to_vec());
    assert_eq!(verified(&keys(&file.config()), &nameless), Err(BadToken::UnknownKey));
    let config = OAuth2Config { default_key: "mine".into(), ..file.config() };
    assert_eq!(verified(&keys(&config), &nameless), Ok(()));
}

#[test]
fn settings_that_cannot_be_used_are_named() {
    let said = |config: &OAuth2Config| Keys::new(config).map(|_| ()).expect_err("bad").to_string();
    let with_file = |file: PathBuf| OAuth2Config { jwks_file: file, ..OAuth2Config::default() };
    assert!(said(&with_file("/nowhere".into())).starts_with("auth.oauth2.jwks_file: /nowhere: "));
    let empty = tempfile::NamedTempFile::new().expect("a file");
    let why = said(&with_file(empty.path().into()));
    assert!(why.ends_with("is no set of keys (JWKS)"), "{why}");
    let config = OAuth2Config { algorithms: vec!["rot13".into()], ..OAuth2Config::default() };
    assert!(said(&config).starts_with("auth.oauth2.algorithms: \"rot13\" is no algorithm"));
    let given = vec![format!("a;{}", empty.path().display())];
    let config = OAuth2Config { signing_keys: given, ..OAuth2Config::default() };
    assert!(said(&config).ends_with("has no public key"));
}

#[test]
fn new_keys_are_looked_for_and_old_ones_forgotten_each_in_its_time() {
    let (first, second) = (Curve::new(), Curve::new());
    let claims = json!({});
    let (old, new) = (first.token("1", &claims), second.token("2", &claims));
    let file = KeyFile::of(&[first.jwk("1")]);
    let keys = keys(&OAuth2Config { refresh: 100, refresh_floor: 10, ..file.config() });
    let start = Instant::now();
    let at = |token: &str, seconds| {
        keys.verified(token.as_bytes(), start + Duration::from_secs(seconds)).map(|_| ())
    };
    assert_eq!(at(&old, 0), Ok(()));
    file.write(&[second.jwk("2")]);
    assert_eq!(at(&new, 5), Err(BadToken::UnknownKey), "somebody has just looked");
    assert_eq!(at(&old, 5), Ok(()));
    assert_eq!(at(&new, 20), Ok(()), "an unknown key is looked for");
    assert_eq!(at(&old, 20), Err(BadToken::UnknownKey), "what is withdrawn is forgotten");
    file.write(&[first.jwk("1")]);
    assert_eq!(at(&new, 119), Ok(()));
    assert_eq!(at(&new, 130), Err(BadToken::UnknownKey), "looked at again after a time");
    assert_eq!(at(&old, 130), Ok(()));
    std::fs::write(file.0.path(), "gone wrong").expect("written");
    assert_eq!(at(&old, 300), Ok(()), "better old keys than none");
}

/// What claims say at second 1000.
fn read(config: &OAuth2Config, claims: Value) -> Result<Known, BadToken> {
    let claims: Map<String, Value> = serde_json::from_value(claims).expect("an object");
    Rules::new(config).expect("good").read(&claims, 1000).and_then(good)
}

fn config() -> OAuth2Config {
    OAuth2Config { resource_server_id: "rabbit".into(), ..OAuth2Config::default() }
}

#[test]
fn for_whom_and_for_how_long() {
    let outcome = |config: &OAuth2Config, claims| read(config, claims).map(|_| ());
    for aud in [json!("rabbit"), json!("a rabbit"), json!(["a", "rabbit"])] {
        assert_eq!(outcome(&config(), json!({"aud": aud, "exp": 1001})), Ok(()));
    }
    for (claims, bad) in [
        (json!({"exp": 1001}), BadToken::NoAudience),
        (json!({"exp": 1001, "aud": "other"}), BadToken::OtherAudience),
        (json!({"exp": 1001, "aud": ["rabbits", 1]}), BadToken::OtherAudience),
        (json!({"exp": 1001, "aud": {"rabbit": 1}}), BadToken::OtherAudience),
        (json!({"aud": "rabbit"}), BadToken::NoExpiry),
        (json!({"aud": "rabbit", "exp": "1001"}), BadToken::BadExpiry),
        (json!({"aud": "rabbit", "exp": null}), BadToken::BadExpiry),
        (json!({"aud": "rabbit", "exp": 1000}), BadToken::Expired { expired: 1000, now: 1000 }),
        (json!({"aud": "rabbit", "exp": -5}), BadToken::Expired { expired: 0, now: 1000 }),
        (json!({"aud": "rabbit", "exp": 1000.9}), BadToken::Expired { expired: 1000, now: 1000 }),
    ] {
        assert_eq!(outcome(&config(), claims), Err(bad));
    }
    let lax = OAuth2Config { verify_aud: false, require_exp: false, ..config() };
    assert_eq!(outcome(&lax, json!({})), Ok(()));
    assert!(outcome(&lax, json!({"exp": 1})).is_err(), "what expires has expired");
}

#[test]
fn names_and_tags() {
    let known = |config: &OAuth2Config, mut claims: Value| {
        claims["aud"] = json!("rabbit");
        claims["exp"] = json!(2000);
        read(config, claims).expect("good")
    };
    let name = |config: &OAuth2Config, claims| known(config, claims).name.to_string();
    assert_eq!(name(&config(), json!({"sub": "s", "client_id": "c"})), "s");
    assert_eq!(name(&config(), json!({"sub": 1, "client_id": "c"})), "c");
    assert_eq!(name(&config(), json!({})), "unknown");
    let preferring =
        OAuth2Config { preferred_username_claims: vec!["user_name".into()], ..config() };
    assert_eq!(name(&preferring, json!({"sub": "s", "user_name": "u"})), "u");
    assert_eq!(name(&preferring, json!({"sub": "s"})), "s");
    let scope = "rabbit.tag:administrator tag:other rabbit.tag:x other.tag:y";
    assert_eq!(known(&config(), json!({"scope": scope})).tags, ["administrator", "x"]);
}

#[test]
fn scopes_come_from_many_places() {
    let may = |config: &OAuth2Config, claims: Value| {
        let lax = OAuth2Config { verify_aud: false, require_exp: false, ..config.clone() };
        let token = read(&lax, claims).expect("good").token.expect("always");
        ["a", "b", "c"].map(|name| token.scopes.allow(crate::auth::Right::Read, "v", name))
    };
    let all = json!(["rabbit.read:v/a", "read:v/b", "other.read:v/c", 1]);
    assert_eq!(may(&config(), json!({"scope": all})), [true, false, false]);
    let without = OAuth2Config { scope_prefix: String::new(), ..config() };
    assert_eq!(may(&without, json!({"scope": all})), [false, true, false]);
    let other = OAuth2Config { scope_prefix: "other.".into(), ..config() };
    assert_eq!(may(&other, json!({"scope": all})), [false, false, true]);

    let more = OAuth2Config { additional_scopes_key: "roles deep.down".into(), ..config() };
    let claims = json!({
        "roles": {"rabbit": "read:v/a", "other": "read:v/b"},
        "deep": [{"down": ["rabbit.read:v/b"]}, {"up": 1}, {"down": "rabbit.read:v/c"}],
    });
    assert_eq!(may(&more, claims.clone()), [true, true, true]);
    assert_eq!(may(&config(), claims), [false, false, false]);

    let party = json!({"authorization": {"permissions": [
        {"scopes": ["rabbit.read:v/a"]}, {"rsname": "x"}, {"scopes": ["rabbit.read:v/b"]}]}});
    assert_eq!(may(&config(), party), [true, true, false]);

    let alias = "reader=rabbit.read:v/a rabbit.read:v/c".to_owned();
    let aliased = OAuth2Config { scope_aliases: vec![alias], ..config() };
    assert_eq!(may(&aliased, json!({"scope": "reader"})), [true, false, true]);
    assert!(Rules::new(&OAuth2Config { scope_aliases: vec!["x".into()], ..config() }).is_err());
}

#[test]
fn a_token_has_only_so_many_scopes() {
    let scopes = |count: usize| -> Vec<String> {
        (0..count).map(|number| format!("rabbit.read:v/{number}")).collect()
    };
    let claims = |count| json!({"aud": "rabbit", "exp": 2000, "scope": scopes(count)});
    assert!(read(&config(), claims(2048)).is_ok());
    assert!(matches!(read(&config(), claims(2049)), Err(BadToken::TooManyScopes)));
}
