//! Accounts as an administrator and a client see them.

use std::net::{IpAddr, Ipv4Addr};

use parking_lot::Mutex;

use super::password::HashingAlgorithm;
use super::*;
use crate::config::{ExternalLogin, Mechanism, PasswordHashing};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const AWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

fn from(address: IpAddr) -> Origin {
    Origin::of("amqp091", address)
}

/// Who comes in with a response.
fn log_in(
    auth: &Auth,
    mechanism: &str,
    response: &[u8],
    address: IpAddr,
) -> Result<UserName, Refused> {
    auth.log_in(mechanism, response, &from(address)).map(|user| user.name)
}

/// What was written, last value first.
type Written = Arc<Mutex<Vec<RowChange>>>;

fn empty(config: AuthConfig) -> (Auth, Written) {
    let written = Written::default();
    let rows = Arc::clone(&written);
    let write = move |changes: &[RowChange]| {
        rows.lock().extend_from_slice(changes);
        LogPosition::default()
    };
    let outside = Outside::default();
    (Auth::new(config, &outside, &DefaultsConfig::default(), write), written)
}

fn auth() -> Auth {
    let (auth, _) = empty(AuthConfig::default());
    auth.begin(&DefaultsConfig::default()).expect("good defaults");
    auth
}

/// The accounts of what a restart finds.
fn restarted(written: &Written) -> Auth {
    let (auth, _) = empty(AuthConfig::default());
    let mut rows = std::collections::BTreeMap::new();
    for change in written.lock().iter() {
        assert!(rows::is_one(&change.key));
        match &change.value {
            Some(value) => rows.insert(change.key.clone(), value.clone()),
            None => Some(rows.remove(&change.key).expect("what goes was there")),
        };
    }
    for (key, value) in rows {
        auth.restore(&key, &value).expect("good");
    }
    auth.begin(&DefaultsConfig::default()).expect("good defaults");
    auth
}

fn password(text: &str) -> Credentials {
    Credentials::Password(text.into())
}

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).expect("good")
}

fn permission(vhost: &str, user: &str) -> Permission {
    Permission {
        vhost: vhost.into(),
        user: user.into(),
        configure: pattern("^a"),
        write: pattern(".*"),
        read: pattern(""),
    }
}

fn topic_permission(user: &str, exchange: &str) -> TopicPermission {
    TopicPermission {
        vhost: "/".into(),
        user: user.into(),
        exchange: exchange.into(),
        write: TopicPattern::parse("^{username}").expect("good"),
        read: TopicPattern::parse(".*").expect("good"),
    }
}

#[test]
fn right_credentials_in_both_mechanisms() {
    let guest = Ok(UserName::from("guest"));
    assert_eq!(log_in(&auth(), "PLAIN", b"\0guest\0guest", HERE), guest);
    let table = b"\x05LOGINS\0\0\0\x05guest\x08PASSWORDS\0\0\0\x05guest";
    assert_eq!(log_in(&auth(), "AMQPLAIN", table, HERE), guest);
}

#[test]
fn wrong_credentials() {
    let refused = Err(Refused::InvalidCredentials("guest".into()));
    assert_eq!(log_in(&auth(), "PLAIN", b"\0guest\0wrong", HERE), refused);
    assert_eq!(log_in(&auth(), "PLAIN", b"\0guest\0", HERE), refused);
    let refused = Err(Refused::InvalidCredentials("nobody".into()));
    assert_eq!(log_in(&auth(), "PLAIN", b"\0nobody\0", HERE), refused);
    // Whatever unknown users are compared with is no password of theirs.
    assert_eq!(log_in(&auth(), "PLAIN", b"\0nobody\0nobody", HERE), refused);
}

#[test]
fn guest_stays_at_home() {
    let refused = Err(Refused::NotLoopback("guest".into()));
    assert_eq!(log_in(&auth(), "PLAIN", b"\0guest\0guest", AWAY), refused);
    let mapped = "::ffff:127.0.0.1".parse().expect("an address");
    assert!(log_in(&auth(), "PLAIN", b"\0guest\0guest", mapped).is_ok());
}

#[test]
fn what_cannot_be_read() {
    let refused = |mechanism, response: &[u8]| log_in(&auth(), mechanism, response, HERE);
    assert_eq!(refused("COMPAT", b""), Err(Refused::UnknownMechanism("COMPAT".into())));
    for response in [&b""[..], b"guest guest", b"\0guest", b"\0guest\0guest\0guest"] {
        assert!(matches!(refused("PLAIN", response), Err(Refused::Malformed(_))));
    }
    for response in [&b"\x05LOGI"[..], b"", b"\x05LOGINS\0\0\0\x05guest"] {
        assert!(matches!(refused("AMQPLAIN", response), Err(Refused::Malformed(_))));
    }
}

#[test]
fn a_certificate_names_its_user() {
    let certificate = CertificateNames {
        distinguished_name: "CN=anna,O=Warren".into(),
        common_name: Some("anna".into()),
        alternative_name: None,
    };
    let certified = Origin { certificate: Some(certificate), ..from(AWAY) };
    let comes_in = |external_login, origin: &Origin| {
        let mechanisms = vec![Mechanism::Plain, Mechanism::External];
        let config = AuthConfig { mechanisms, external_login, ..AuthConfig::default() };
        let (auth, _) = empty(config);
        for name in ["anna", "CN=anna,O=Warren"] {
            auth.put_user(name, Credentials::None, vec![], "test").expect("put");
        }
        auth.log_in("EXTERNAL", b"", origin).map(|user| user.name.to_string())
    };
    let by_subject = comes_in(ExternalLogin::DistinguishedName, &certified);
    assert_eq!(by_subject, Ok("CN=anna,O=Warren".into()));
    assert_eq!(comes_in(ExternalLogin::CommonName, &certified), Ok("anna".into()));
    let by_alternative = comes_in(ExternalLogin::SubjectAlternativeName, &certified);
    assert_eq!(by_alternative, Err(Refused::NamelessCertificate));
    // Without a certificate the mechanism is not even offered.
    let unknown = Err(Refused::UnknownMechanism("EXTERNAL".into()));
    assert_eq!(comes_in(ExternalLogin::CommonName, &from(AWAY)), unknown);
}

#[test]
fn mechanisms_are_those_of_the_settings() {
    assert_eq!(auth().mechanisms(&from(HERE)), "PLAIN AMQPLAIN");
    let unknown = Err(Refused::UnknownMechanism("ANONYMOUS".into()));
    assert_eq!(log_in(&auth(), "ANONYMOUS", b"", HERE), unknown);
    let config = AuthConfig {
        mechanisms: vec![Mechanism::Anonymous],
        anonymous_user: "guest".into(),
        ..AuthConfig::default()
    };
    let (auth, _) = empty(config);
    auth.begin(&DefaultsConfig::default()).expect("good defaults");
    assert_eq!(auth.mechanisms(&from(HERE)), "ANONYMOUS");
    assert_eq!(log_in(&auth, "ANONYMOUS", b"", HERE), Ok("guest".into()));
    let refused = Err(Refused::NotLoopback("guest".into()));
    assert_eq!(log_in(&auth, "ANONYMOUS", b"", AWAY), refused);
    let unknown = Err(Refused::UnknownMechanism("PLAIN".into()));
    assert_eq!(log_in(&auth, "PLAIN", b"\0guest\0guest", HERE), unknown);
}

#[test]
fn attempts_are_counted() {
    let auth = auth();
    for (response, address) in
        [(&b"\0guest\0guest"[..], HERE), (b"\0guest\0guest", AWAY), (b"guest", HERE)]
    {
        let _ = log_in(&auth, "PLAIN", response, address);
    }
    assert_eq!(auth.attempts(), [("amqp091", Attempts { succeeded: 1, failed: 2 })]);
    auth.forget_attempts();
    assert!(auth.attempts().is_empty());
}

#[test]
fn a_user_comes_changes_and_goes() {
    let auth = auth();
    let put = |word, tags: &[&str]| {
        let tags = tags.iter().map(|&tag| tag.into()).collect();
        auth.put_user("anna", password(word), tags, "test").expect("put").new
    };
    let comes_in = |word: &str| auth.check_password("anna", word.as_bytes(), &from(AWAY)).is_ok();
    assert!(put("one", &["monitoring"]));
    assert!(comes_in("one") && !comes_in("two"));
    assert!(!put("two", &[]), "changed, not new");
    assert!(comes_in("two") && !comes_in("one"));
    assert!(!auth.user("anna").expect("there").has_tag("monitoring"));
    auth.put_user("anna", Credentials::None, vec![], "test").expect("put");
    assert!(!comes_in("two") && !comes_in(""));
    auth.delete_user("anna", "test").expect("there");
    let missing = Err(AccountError::NoSuchUser("anna".into()));
    assert_eq!(auth.delete_user("anna", "test"), missing);
    let names: Vec<String> = auth.users().iter().map(|user| user.name.to_string()).collect();
    assert_eq!(names, ["guest"]);
}

#[test]
fn names_and_passwords_have_rules() {
    let config = AuthConfig { min_password_length: 4, ..AuthConfig::default() };
    let (auth, _) = empty(config);
    let put = |name, credentials| auth.put_user(name, credentials, vec![], "test").map(|_| ());
    assert_eq!(put("", password("pässe")), Err(AccountError::NoName));
    assert_eq!(put("a", password("")), Err(AccountError::BlankPassword));
    assert_eq!(put("a", password("äää")), Err(AccountError::PasswordTooShort { minimum: 4 }));
    assert_eq!(put("a", password("ääää")), Ok(()));
}

#[test]
fn new_passwords_are_hashed_as_the_setting_says_and_old_ones_stay_good() {
    let setting = PasswordHashing::Argon2id;
    let config = AuthConfig { password_hashing: setting, ..AuthConfig::default() };
    let (auth, _) = empty(config);
    auth.put_user("new", password("secret"), vec![], "test").expect("put");
    let old = PasswordHash::of(b"secret", HashingAlgorithm::Md5);
    auth.put_user("old", Credentials::Hash(old), vec![], "test").expect("put");
    for (name, algorithm) in [("new", HashingAlgorithm::Argon2id), ("old", HashingAlgorithm::Md5)] {
        assert!(auth.check_password(name, b"secret", &from(AWAY)).is_ok());
        let user = auth.user(name).expect("there");
        assert_eq!(user.password.algorithm(), algorithm);
        assert!(auth.check_password(name, b"Secret", &from(AWAY)).is_err());
    }
}

#[test]
fn permissions_belong_to_a_user_and_a_vhost() {
    let auth = auth();
    let missing = AccountError::NoSuchUser("anna".into());
    assert_eq!(auth.put_permission(permission("/", "anna"), "test"), Err(missing.clone()));
    assert_eq!(auth.put_topic_permission(topic_permission("anna", "x"), "test"), Err(missing));
    auth.put_user("anna", password("secret"), vec![], "test").expect("put");
    assert!(auth.put_permission(permission("/", "anna"), "test").expect("put").new);
    assert!(!auth.put_permission(permission("/", "anna"), "test").expect("put").new);
    assert!(auth.put_permission(permission("other", "anna"), "test").expect("put").new);
    assert!(auth.put_topic_permission(topic_permission("anna", "x"), "test").expect("put").new);
    assert!(!auth.put_topic_permission(topic_permission("anna", "x"), "test").expect("put").new);
    assert!(auth.put_topic_permission(topic_permission("anna", "y"), "test").expect("put").new);
    assert_eq!(auth.permissions().len(), 3, "guest's too");
    assert_eq!(auth.topic_permissions_of("/", "anna").len(), 2);
    auth.delete_topic_permissions("/", "anna", Some("x"), "test").expect("there");
    assert_eq!(auth.topic_permissions().len(), 1);
    let none = AccountError::NoSuchPermission { user: "anna".into(), vhost: "/".into() };
    let again = auth.delete_topic_permissions("/", "anna", Some("x"), "test");
    assert_eq!(again, Err(none.clone()));
    auth.delete_permission("/", "anna", "test").expect("there");
    assert_eq!(auth.delete_permission("/", "anna", "test"), Err(none));
    auth.vhost_deleted("other");
    assert_eq!(auth.permission("other", "anna"), None);
    auth.put_permission(permission("/", "anna"), "test").expect("put");
    auth.delete_user("anna", "test").expect("there");
    assert_eq!((auth.permissions().len(), auth.topic_permissions().len()), (1, 0));
}

#[test]
fn every_change_is_a_new_version() {
    let auth = auth();
    let mut last = auth.version();
    let mut changed = || std::mem::replace(&mut last, auth.version()) != auth.version();
    auth.put_user("anna", password("secret"), vec![], "test").expect("put");
    assert!(changed());
    auth.put_permission(permission("/", "anna"), "test").expect("put");
    assert!(changed());
    auth.put_topic_permission(topic_permission("anna", "x"), "test").expect("put");
    assert!(changed());
    auth.delete_user("anna", "test").expect("there");
    assert!(changed());
    assert!(auth.delete_user("anna", "test").is_err());
    assert!(!changed(), "nothing was");
}

#[test]
fn a_restart_finds_everything_as_it_was() {
    let (auth, written) = empty(AuthConfig::default());
    auth.begin(&DefaultsConfig::default()).expect("good defaults");
    auth.put_user("anna", password("secret"), vec!["administrator".into()], "test").expect("put");
    auth.put_user("otto", password("secret"), vec![], "test").expect("put");
    for user in ["anna", "otto"] {
        auth.put_permission(permission("/", user), "test").expect("put");
        auth.put_topic_permission(topic_permission(user, "x"), "test").expect("put");
        auth.put_topic_permission(topic_permission(user, "y"), "test").expect("put");
    }
    auth.delete_topic_permissions("/", "anna", Some("y"), "test").expect("there");
    auth.delete_user("otto", "test").expect("there");
    auth.delete_user("guest", "test").expect("there");
    let back = restarted(&written);
    assert_eq!(back.users(), auth.users());
    assert_eq!(back.permissions(), auth.permissions());
    assert_eq!(back.topic_permissions(), auth.topic_permissions());
    assert_eq!(back.users().len(), 1, "the default user is made once");
}

#[test]
fn rows_of_a_newer_warren_are_refused() {
    let (auth, _) = empty(AuthConfig::default());
    let row = rows::begun();
    assert_eq!(auth.restore(&row.key, &[9]), Err(BadRow::Unknown));
    assert_eq!(auth.restore(b"U\x01a", &[1]), Err(BadRow::Malformed));
    assert_eq!(auth.restore(b"U\x01a", b""), Err(BadRow::Malformed));
}
