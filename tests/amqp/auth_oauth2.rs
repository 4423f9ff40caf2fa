//! Clients whose password is a token (OAuth 2, JWT). Closes and texts are RabbitMQ's
//! (rabbitmq_auth_backend_oauth2 4.3).

use serde_json::json;
use warren::auth::{Credentials, Pattern, Permission};
use warren::config::{BackendChoice, BackendKind, Config};

use crate::support::client::{Consume, close_of, declare, publish};
use crate::support::token::{Signer, key_set, now};
use crate::support::{Client, Elsewhere, Heard, Login, Payload, TestBroker, eventually};

const EVERYTHING: &str = "rabbitmq.configure:*/* rabbitmq.write:*/*/* rabbitmq.read:*/*/*";

/// Takes the tokens of whoever has its keys there.
fn taking(config: &mut Config, keys: &Elsewhere) {
    config.auth.backends = vec![BackendChoice::both(BackendKind::OAuth2)];
    config.auth.oauth2.resource_server_id = "rabbitmq".into();
    config.auth.oauth2.jwks_url = keys.url("/keys");
}

struct World {
    signer: Signer,
    keys: Elsewhere,
    broker: TestBroker,
}

impl World {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Config)) -> Self {
        let signer = Signer::new("one");
        let set = key_set(&[&signer]);
        let keys = Elsewhere::answering(move |_| (200, set.clone()));
        let broker = TestBroker::with(|config| {
            taking(config, &keys);
            change(config);
        });
        Self { signer, keys, broker }
    }

    /// A client with a token, and channel 1.
    fn client(&self, token: &str) -> Client {
        let mut client = self.broker.connect(&Login::of("ignored", token));
        client.open_channel(1);
        client
    }

    fn login(&self, token: &str) -> Heard {
        let mut client = self.broker.stranger();
        client.say(&warren::wire::PROTOCOL_HEADER);
        client.expect(0, 10, 10);
        client.method(0, &Login::of("", token).start_ok());
        client.hear()
    }
}

fn update_secret(client: &mut Client, secret: &str) {
    client.method(0, &Payload::method(10, 70).long(secret).short("renewed"));
}

#[track_caller]
fn is_refused(client: &mut Client, by: (u16, u16), text: &str) {
    let close = close_of(&client.expect(1, 20, 40));
    assert_eq!(close, (403, by, format!("ACCESS_REFUSED - {text} refused for user 'anna'")));
    client.method(1, &Payload::method(20, 41));
    client.open_channel(1);
}

fn exchange(client: &mut Client, name: &str) {
    let declare = Payload::method(40, 10).u16(0).short(name).short("topic").u8(0);
    client.method(1, &declare.table(&Payload::new()));
    client.expect(1, 40, 11);
}

#[test]
fn scopes_are_permissions() {
    let world = World::new();
    let scopes = "rabbitmq.configure:%2F/q* rabbitmq.write:%2F/q rabbitmq.read:%2F/q \
                  rabbitmq.write:%2F/amq.default other.read:*/* read:*/*";
    let mut client = world.client(&world.signer.token(60, scopes));
    client.declare("q");
    client.publish("q", "x");
    assert!(client.get("q", true).is_some());
    client.method(1, &declare("r", 0));
    is_refused(&mut client, (50, 10), "configure access to queue 'r' in vhost '/'");
    client.declare("q2");
    client.method(1, &Payload::method(60, 70).u16(0).short("q2").u8(0));
    is_refused(&mut client, (60, 70), "read access to queue 'q2' in vhost '/'");
    client.say(&publish(1, "amq.direct", "k", b"x", 8192));
    is_refused(&mut client, (60, 40), "write access to exchange 'amq.direct' in vhost '/'");
    let user = &world.broker.server().broker().peers.open()[0];
    assert_eq!(user.identity().expect("open").user.as_str(), "anna", "the token's name counts");
}

#[test]
fn routing_keys_need_scopes_that_speak_of_them() {
    let world = World::new();
    let scopes = "rabbitmq.configure:*/* rabbitmq.write:*/x/anna.* rabbitmq.write:*/y";
    let mut client = world.client(&world.signer.token(60, scopes));
    exchange(&mut client, "x");
    exchange(&mut client, "y");
    client.say(&publish(1, "x", "anna.one", b"x", 8192));
    client.sync();
    client.say(&publish(1, "x", "otto.one", b"x", 8192));
    let topic = "write access to topic 'otto.one' in exchange topic 'x' in vhost '/'";
    is_refused(&mut client, (60, 40), topic);
    client.say(&publish(1, "y", "a", b"x", 8192));
    is_refused(
        &mut client,
        (60, 40),
        "write access to topic 'a' in exchange topic 'y' in vhost '/'",
    );
}

#[test]
fn who_does_not_come_in() {
    let world = World::new();
    let claims = |change: serde_json::Value| {
        let mut claims = json!({
            "aud": ["rabbitmq"], "sub": "anna", "exp": now() + 60, "scope": EVERYTHING,
        });
        for (name, value) in change.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        world.signer.sign(&claims)
    };
    assert_eq!(world.login(&claims(json!({}))).id, (10, 30));
    let text = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For \
                details see the broker logfile.";
    let refused = |token: &str| {
        assert_eq!(close_of(&world.login(token)), (403, (0, 0), text.to_owned()), "{token}");
    };
    refused("guest");
    refused("");
    refused(&claims(json!({"exp": now() - 1})));
    refused(&claims(json!({"exp": null})));
    refused(&claims(json!({"aud": "other"})));
    refused(&Signer::new("one").token(60, EVERYTHING));
    // Whoever has no scope in a vhost is not let into it.
    let mut client = world.broker.stranger();
    let elsewhere = world.signer.token(60, "rabbitmq.read:other/* rabbitmq.tag:administrator");
    client.ask_in(&Login::of("", &elsewhere));
    let text = "NOT_ALLOWED - access to vhost '/' refused for user 'anna'";
    assert_eq!(close_of(&client.expect(0, 10, 50)), (530, (10, 40), text.into()));
}

#[test]
fn an_expired_token_ends_its_connection() {
    let world = World::new();
    let mut client = world.client(&world.signer.token(2, EVERYTHING));
    // One that expires in the far future is none of today's business.
    let mut other = world.client(&world.signer.token(u64::MAX / 2, EVERYTHING));
    client.declare("q");
    let close = close_of(&client.expect(0, 10, 50));
    assert_eq!(close, (320, (0, 0), "CONNECTION_FORCED - credential expired".into()));
    other.sync();
}

#[test]
fn a_new_token_in_time_keeps_it_open() {
    let world = World::new();
    let mut client = world.client(&world.signer.token(2, EVERYTHING));
    let mut other = world.client(&world.signer.token(2, EVERYTHING));
    update_secret(&mut client, &world.signer.token(60, EVERYTHING));
    client.expect(0, 10, 71);
    // By then the first one's old token has expired as well.
    assert_eq!(close_of(&other.expect(0, 10, 50)).0, 320);
    client.declare("q");
    client.close();
}

#[test]
fn a_new_token_has_to_be_good_and_of_the_same_user() {
    let world = World::new();
    let of_otto = world.signer.sign(&json!({
        "aud": "rabbitmq", "sub": "otto", "exp": now() + 60, "scope": EVERYTHING,
    }));
    let forged = Signer::new("one").token(60, EVERYTHING);
    let expired = world.signer.sign(&json!({"aud": "rabbitmq", "sub": "anna", "exp": 1}));
    let endless = world.signer.sign(&json!({"aud": "rabbitmq", "sub": "anna"}));
    let lapsed = "NOT_ALLOWED - access to vhost '/' refused for user 'anna', backend \
                  rabbit_auth_backend_oauth2 returned an error: \"Provided JWT token has";
    let refused = "NOT_ALLOWED - New secret was refused by one of the backends";
    let failed = "NOT_ALLOWED - Secret update failed";
    for (bad, text) in [
        (of_otto.as_str(), refused),
        (&forged, refused),
        (&expired, &format!("{lapsed} expired at timestamp 1 (validated at ")),
        (&endless, &format!("{lapsed} no exp claim\"")),
        (&world.signer.sign(&json!({"aud": "other", "exp": now() + 60})), failed),
        ("secret", failed),
        ("", failed),
    ] {
        let mut client = world.client(&world.signer.token(60, EVERYTHING));
        update_secret(&mut client, bad);
        let (code, by, said) = close_of(&client.expect(0, 10, 50));
        assert_eq!((code, by), (530, (10, 70)));
        assert!(said.starts_with(text), "{said}");
    }
    let mut client = world.client(&world.signer.token(60, EVERYTHING));
    update_secret(&mut client, &world.signer.token(60, "rabbitmq.read:other/*"));
    let text = "NOT_ALLOWED - access to vhost '/' refused for user 'anna'";
    assert_eq!(close_of(&client.expect(0, 10, 50)), (530, (10, 70), text.into()));
}

#[test]
fn what_a_new_token_does_not_allow_ends() {
    let world = World::new();
    let mut client = world.client(&world.signer.token(60, EVERYTHING));
    client.declare("kept");
    client.declare("lost");
    client.consume_as(1, "kept", Consume { tag: "kept", ..Consume::default() });
    client.consume_as(1, "lost", Consume { tag: "lost", ..Consume::default() });
    client.publish("kept", "one");
    assert_eq!(client.delivery().text(), "one");
    update_secret(&mut client, &world.signer.token(60, "rabbitmq.read:*/kept"));
    let (first, second) = (client.hear(), client.hear());
    let mut heard = [first.id, second.id];
    heard.sort_unstable();
    assert_eq!(heard, [(10, 71), (60, 30)], "an answer, and a cancel");
    eventually("the consumer is gone", || world.broker.counts("lost").consumers == 0);
    assert_eq!(world.broker.counts("kept").consumers, 1);
    client.publish("kept", "two");
    is_refused(&mut client, (60, 40), "write access to exchange 'amq.default' in vhost '/'");
}

#[test]
fn keys_are_fetched_when_they_are_needed() {
    let world = World::with(|config| config.auth.oauth2.refresh_floor = 0);
    assert_eq!(world.keys.count_asked(), 0);
    let token = world.signer.token(60, EVERYTHING);
    world.client(&token).close();
    world.client(&token).close();
    assert_eq!(world.keys.take_asked().len(), 1);
    let next = Signer::new("two");
    let set = key_set(&[&next]);
    world.keys.answer(move |_| (200, set.clone()));
    world.client(&next.token(60, EVERYTHING)).close();
    assert_eq!(world.keys.take_asked().len(), 1, "an unknown key is looked for");
    assert_eq!(close_of(&world.login(&token)).0, 403, "what is withdrawn is withdrawn");
}

#[test]
fn unknown_keys_are_not_looked_for_all_the_time() {
    let world = World::new();
    for _ in 0..5 {
        let stranger = Signer::new("unknown").token(60, EVERYTHING);
        assert_eq!(close_of(&world.login(&stranger)).0, 403);
    }
    assert_eq!(world.keys.take_asked().len(), 1);
}

#[test]
fn an_issuer_says_where_its_keys_are() {
    let signer = Signer::new("one");
    let set = key_set(&[&signer]);
    let server = Elsewhere::answering(|_| (404, String::new()));
    let keys = json!({"issuer": "me", "jwks_uri": server.url("/the/keys")}).to_string();
    server.answer(move |asked| match asked.path.as_str() {
        "/realm/.well-known/openid-configuration" => (200, keys.clone()),
        "/the/keys" => (200, set.clone()),
        _ => (404, String::new()),
    });
    let broker = TestBroker::with(|config| {
        taking(config, &server);
        config.auth.oauth2.jwks_url = String::new();
        config.auth.oauth2.issuer = server.url("/realm/");
    });
    broker.connect(&Login::of("", &signer.token(60, EVERYTHING))).close();
}

#[test]
fn the_token_says_who_and_the_accounts_what() {
    let world = World::with(|config| {
        config.auth.backends =
            vec![BackendChoice { authn: BackendKind::OAuth2, authz: BackendKind::Internal }];
    });
    let token = world.signer.token(60, EVERYTHING);
    assert_eq!(close_of(&world.login(&token)).0, 403, "the accounts do not know her");
    let auth = &world.broker.server().broker().auth;
    auth.put_user("anna", Credentials::None, vec![], "test").expect("put");
    let pattern = |text| Pattern::parse(text).expect("good");
    let permission = Permission {
        vhost: "/".into(),
        user: "anna".into(),
        configure: pattern("^mine"),
        write: pattern(""),
        read: pattern(""),
    };
    auth.put_permission(permission, "test").expect("put");
    let mut client = world.client(&token);
    client.declare("mine");
    client.method(1, &declare("other", 0));
    is_refused(&mut client, (50, 10), "configure access to queue 'other' in vhost '/'");
}

#[test]
fn any_secret_is_as_good_as_the_old_one_where_none_expires() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    update_secret(&mut client, "whatever");
    client.expect(0, 10, 71);
    client.close();
}

#[test]
fn the_keys_of_rabbitmq_conf() {
    let signer = Signer::new("one");
    let set = key_set(&[&signer]);
    let keys = Elsewhere::answering(move |_| (200, set.clone()));
    let file = tempfile::Builder::new().suffix(".conf").tempfile().expect("a file");
    let text = format!(
        "auth_backends.1 = rabbit_auth_backend_oauth2
         auth_backends.2 = rabbit_auth_backend_internal
         auth_oauth2.resource_server_id = rabbitmq
         auth_oauth2.jwks_uri = {}
         auth_oauth2.scope_prefix = r.
         auth_oauth2.additional_scopes_key = roles
         auth_oauth2.preferred_username_claims.1 = email
         auth_oauth2.scope_aliases.dev = r.configure:*/* r.read:*/*
         auth_oauth2.algorithms.1 = ES256",
        keys.url("/keys")
    );
    std::fs::write(file.path(), text).expect("written");
    let loaded = Config::load(Some(file.path()), |_| None).expect("good");
    assert_eq!(loaded.notes, [""; 0], "nothing is passed over");
    let broker = TestBroker::with(|config| config.auth = loaded.auth);
    broker.client().close();
    let token = signer.sign(&json!({
        "aud": "rabbitmq", "email": "anna@example.org", "sub": "4711", "exp": now() + 60,
        "roles": "dev",
    }));
    let mut client = broker.connect(&Login::of("", &token));
    client.open_channel(1);
    client.declare("q");
    client.publish("q", "x");
    let text = close_of(&client.expect(1, 20, 40)).2;
    assert!(text.ends_with("refused for user 'anna@example.org'"), "{text}");
}
