//! What a user may do: every operation with exactly the rights it needs, and without each of them.
//! Rights and texts are RabbitMQ's.

use std::sync::Arc;

use warren::auth::{Auth, Credentials, Pattern, Permission, TopicPattern, TopicPermission};

use crate::support::client::{
    Consume, close_of, consume, declare, publish, publish_frames, publish_method,
};
use crate::support::{Client, Login, Payload, TestBroker};

const CONFIGURE: usize = 0;
const WRITE: usize = 1;
const READ: usize = 2;
const RIGHTS: [&str; 3] = ["configure", "write", "read"];

/// A right that an operation needs: which, on what kind of thing, of what name.
type Need = (usize, &'static str, &'static str);

/// Something that a client asks on channel 1, where queue `q` and topic exchanges `x` and `y` are.
struct Operation {
    what: &'static str,
    by: (u16, u16),
    needs: &'static [Need],
    asks: fn() -> Vec<u8>,
}

fn method(payload: &Payload) -> Vec<u8> {
    payload.frame(1, 1)
}

fn exchange(name: &str, bits: u8, arguments: &Payload) -> Payload {
    Payload::method(40, 10).u16(0).short(name).short("topic").u8(bits).table(arguments)
}

fn queue_with(name: &str, arguments: &Payload) -> Payload {
    Payload::method(50, 10).u16(0).short(name).u8(0).table(arguments)
}

fn binding(class: u16, id: u16, destination: &str) -> Payload {
    let names = Payload::method(class, id).u16(0).short(destination).short("x").short("a.b");
    // queue.unbind has no bits.
    let bits = if (class, id) == (50, 50) { names } else { names.u8(0) };
    bits.table(&Payload::new())
}

const OPERATIONS: &[Operation] = &[
    Operation {
        what: "declare an exchange",
        by: (40, 10),
        needs: &[(CONFIGURE, "exchange", "new")],
        asks: || method(&exchange("new", 0, &Payload::new())),
    },
    Operation {
        what: "declare an exchange that is there",
        by: (40, 10),
        needs: &[(CONFIGURE, "exchange", "x")],
        asks: || method(&exchange("x", 0, &Payload::new().text("alternate-exchange", "y"))),
    },
    Operation {
        what: "declare an exchange with an alternate one",
        by: (40, 10),
        needs: &[
            (CONFIGURE, "exchange", "alternating"),
            (READ, "exchange", "alternating"),
            (WRITE, "exchange", "y"),
        ],
        asks: || {
            method(&exchange("alternating", 0, &Payload::new().text("alternate-exchange", "y")))
        },
    },
    Operation {
        what: "ask for an exchange",
        by: (40, 10),
        needs: &[],
        asks: || method(&exchange("x", 1, &Payload::new())),
    },
    Operation {
        what: "delete an exchange",
        by: (40, 20),
        needs: &[(CONFIGURE, "exchange", "gone")],
        asks: || method(&Payload::method(40, 20).u16(0).short("gone").u8(0)),
    },
    Operation {
        what: "bind an exchange",
        by: (40, 30),
        needs: &[(WRITE, "exchange", "y"), (READ, "exchange", "x")],
        asks: || method(&binding(40, 30, "y")),
    },
    Operation {
        what: "unbind an exchange",
        by: (40, 40),
        needs: &[(WRITE, "exchange", "y"), (READ, "exchange", "x")],
        asks: || method(&binding(40, 40, "y")),
    },
    Operation {
        what: "declare a queue",
        by: (50, 10),
        needs: &[(CONFIGURE, "queue", "new")],
        asks: || method(&declare("new", 0)),
    },
    Operation {
        what: "declare a queue with a dead-letter exchange",
        by: (50, 10),
        needs: &[
            (CONFIGURE, "queue", "mortal"),
            (READ, "queue", "mortal"),
            (WRITE, "exchange", "y"),
        ],
        asks: || method(&queue_with("mortal", &Payload::new().text("x-dead-letter-exchange", "y"))),
    },
    Operation {
        what: "declare a queue whose dead letters go to the default exchange",
        by: (50, 10),
        needs: &[
            (CONFIGURE, "queue", "mortal2"),
            (READ, "queue", "mortal2"),
            (WRITE, "exchange", "amq.default"),
        ],
        asks: || method(&queue_with("mortal2", &Payload::new().text("x-dead-letter-exchange", ""))),
    },
    Operation {
        what: "ask for a queue",
        by: (50, 10),
        needs: &[],
        asks: || method(&declare("q", 1)),
    },
    Operation {
        what: "bind a queue",
        by: (50, 20),
        needs: &[(WRITE, "queue", "q"), (READ, "exchange", "x")],
        asks: || method(&binding(50, 20, "q")),
    },
    Operation {
        what: "unbind a queue",
        by: (50, 50),
        needs: &[(WRITE, "queue", "q"), (READ, "exchange", "x")],
        asks: || method(&binding(50, 50, "q")),
    },
    Operation {
        what: "purge",
        by: (50, 30),
        needs: &[(READ, "queue", "q")],
        asks: || method(&Payload::method(50, 30).u16(0).short("q").u8(0)),
    },
    Operation {
        what: "delete a queue, whether it is there or not",
        by: (50, 40),
        needs: &[(CONFIGURE, "queue", "gone")],
        asks: || method(&Payload::method(50, 40).u16(0).short("gone").u8(0)),
    },
    Operation {
        what: "consume",
        by: (60, 20),
        needs: &[(READ, "queue", "q")],
        asks: || method(&consume("q", Consume::default())),
    },
    Operation {
        what: "consume replies",
        by: (60, 20),
        needs: &[],
        asks: || {
            let how = Consume { no_ack: true, ..Consume::default() };
            method(&consume("amq.rabbitmq.reply-to", how))
        },
    },
    Operation {
        what: "get",
        by: (60, 70),
        needs: &[(READ, "queue", "q")],
        asks: || method(&Payload::method(60, 70).u16(0).short("q").u8(1)),
    },
    Operation {
        what: "publish",
        by: (60, 40),
        needs: &[(WRITE, "exchange", "x")],
        asks: || publish(1, "x", "a.b", b"x", 8192),
    },
    Operation {
        what: "publish to the default exchange",
        by: (60, 40),
        needs: &[(WRITE, "exchange", "amq.default")],
        asks: || publish(1, "", "nowhere", b"x", 8192),
    },
    Operation {
        what: "answer a request",
        by: (60, 40),
        needs: &[(WRITE, "exchange", "amq.default")],
        asks: || publish(1, "", "amq.rabbitmq.reply-to.nobody", b"x", 8192),
    },
];

/// A broker with a user `anna`, and what the operations are about.
fn broker() -> TestBroker {
    let broker = TestBroker::start();
    let auth = auth(&broker);
    let password = Credentials::Password("secret".into());
    auth.put_user("anna", password, vec![], "test").expect("put");
    permit(&auth, ["", "", ""]);
    let mut guest = broker.client();
    guest.declare("q");
    for (name, arguments) in
        [("x", Payload::new().text("alternate-exchange", "y")), ("y", Payload::new())]
    {
        guest.method(1, &exchange(name, 0, &arguments));
        guest.expect(1, 40, 11);
    }
    guest.close();
    broker
}

fn auth(broker: &TestBroker) -> Arc<Auth> {
    Arc::clone(&broker.server().broker().auth)
}

/// Gives anna these permissions, in place of those she had.
fn permit(auth: &Auth, [configure, write, read]: [&str; 3]) {
    let pattern = |text| Pattern::parse(text).expect("good");
    let permission = Permission {
        vhost: "/".into(),
        user: "anna".into(),
        configure: pattern(configure),
        write: pattern(write),
        read: pattern(read),
    };
    auth.put_permission(permission, "test").expect("put");
}

/// Exactly these rights.
fn permit_only<'a>(auth: &Auth, needs: impl Iterator<Item = &'a Need>) {
    let mut patterns: [String; 3] = Default::default();
    for (right, _, name) in needs {
        let pattern = &mut patterns[*right];
        let bar = if pattern.is_empty() { "" } else { "|" };
        pattern.push_str(&format!("{bar}^{name}$"));
    }
    permit(auth, patterns.each_ref().map(String::as_str));
}

fn anna() -> Login {
    Login { response: b"\0anna\0secret".to_vec(), ..Login::default() }
}

fn client(broker: &TestBroker) -> Client {
    let mut client = broker.connect(&anna());
    client.open_channel(1);
    client
}

/// Everything said so far was allowed.
#[track_caller]
fn is_content(client: &mut Client, what: &str) {
    client.method(1, &Payload::method(20, 20).u8(1));
    loop {
        let heard = client.hear();
        assert_ne!(heard.id, (20, 40), "{what}: {:?}", heard.method);
        if heard.id == (20, 21) {
            return;
        }
    }
}

/// The channel is closed with 403 and this text; another is opened.
#[track_caller]
fn is_refused(client: &mut Client, by: (u16, u16), text: &str) {
    let heard = client.expect(1, 20, 40);
    assert_eq!(close_of(&heard), (403, by, format!("ACCESS_REFUSED - {text}")));
    client.method(1, &Payload::method(20, 41));
    client.open_channel(1);
}

#[test]
fn every_operation_with_the_rights_it_needs_and_without_each_of_them() {
    let broker = broker();
    let auth = auth(&broker);
    let mut client = client(&broker);
    for Operation { what, by, needs, asks } in OPERATIONS {
        for missing in 0..needs.len() {
            let rest = needs.iter().enumerate().filter(|(at, _)| *at != missing);
            permit_only(&auth, rest.map(|(_, need)| need));
            client.say(&asks());
            let (right, kind, name) = needs[missing];
            let right = RIGHTS[right];
            let text =
                format!("{right} access to {kind} '{name}' in vhost '/' refused for user 'anna'");
            is_refused(&mut client, *by, &text);
        }
        permit_only(&auth, needs.iter());
        client.say(&asks());
        is_content(&mut client, what);
    }
}

#[test]
fn a_server_named_queue_has_a_name_too() {
    let broker = broker();
    let mut client = client(&broker);
    permit(&auth(&broker), ["^amq\\.gen-", "", ""]);
    client.declare("");
    permit(&auth(&broker), ["^mine", "", ""]);
    client.method(1, &declare("", 0));
    let close = close_of(&client.expect(1, 20, 40));
    assert!(
        close.2.starts_with("ACCESS_REFUSED - configure access to queue 'amq.gen-"),
        "{close:?}"
    );
}

#[test]
fn what_was_allowed_is_not_remembered_beyond_a_change() {
    let broker = broker();
    let mut client = client(&broker);
    let publishes = |client: &mut Client| client.say(&publish(1, "x", "a.b", b"x", 8192));
    for _ in 0..3 {
        permit(&auth(&broker), ["", ".*", ""]);
        publishes(&mut client);
        publishes(&mut client);
        is_content(&mut client, "publish");
        permit(&auth(&broker), ["", "^y$", ""]);
        publishes(&mut client);
        let text = "write access to exchange 'x' in vhost '/' refused for user 'anna'";
        is_refused(&mut client, (60, 40), text);
    }
}

#[test]
fn what_was_allowed_is_not_remembered_because_something_else_was_asked_since() {
    let broker = broker();
    let mut client = client(&broker);
    let text = "write access to exchange 'x' in vhost '/' refused for user 'anna'";
    let publishes = |client: &mut Client| client.say(&publish(1, "x", "a.b", b"x", 8192));
    let claims = |client: &mut Client| {
        let header = Payload::new().u16(60).u16(0).u64(1).u16(1 << 4).short("anna");
        client.say(&publish_frames(1, &publish_method("x", "a.b", 0), &header, b"x", 8192));
    };
    for step in 0..2 {
        permit(&auth(&broker), ["", ".*", ".*"]);
        publishes(&mut client);
        is_content(&mut client, "publish");
        permit(&auth(&broker), ["", "^y$", ".*"]);
        if step == 0 {
            // What is asked here takes note of the change.
            client.get("q", true);
            publishes(&mut client);
        } else {
            claims(&mut client);
        }
        is_refused(&mut client, (60, 40), text);
    }
}

#[test]
fn a_vhost_is_for_those_who_have_permissions_in_it() {
    let broker = broker();
    // Empty permissions are permissions: nothing may be done, but one may be there.
    broker.connect(&anna()).close();
    auth(&broker).delete_permission("/", "anna", "test").expect("there");
    let mut client = broker.stranger();
    client.say(&warren::wire::PROTOCOL_HEADER);
    client.expect(0, 10, 10);
    client.method(0, &anna().start_ok());
    client.expect(0, 10, 30);
    client.tune(&anna());
    client.method(0, &anna().open());
    let text = "NOT_ALLOWED - access to vhost '/' refused for user 'anna'";
    assert_eq!(close_of(&client.expect(0, 10, 50)), (530, (10, 40), text.into()));
}

fn permit_topic(auth: &Auth, exchange: &str, write: &str, read: &str) {
    let permission = TopicPermission {
        vhost: "/".into(),
        user: "anna".into(),
        exchange: exchange.into(),
        write: TopicPattern::parse(write).expect("good"),
        read: TopicPattern::parse(read).expect("good"),
    };
    auth.put_topic_permission(permission, "test").expect("put");
}

#[test]
fn topic_permissions_are_about_routing_keys() {
    let broker = broker();
    let auth = auth(&broker);
    permit(&auth, [".*", ".*", ".*"]);
    permit_topic(&auth, "x", "^{username}\\.", "^a\\.");
    let mut client = client(&broker);
    let publishes = |client: &mut Client, exchange: &str, key: &str| {
        client.say(&publish(1, exchange, key, b"x", 8192));
    };
    // Twice: the first time finds the route, the second remembers it.
    publishes(&mut client, "x", "anna.one");
    publishes(&mut client, "x", "anna.one");
    publishes(&mut client, "y", "otto.one");
    is_content(&mut client, "publish");
    let refused = |right, key| {
        format!(
            "{right} access to topic '{key}' in exchange topic 'x' in vhost '/' refused for user \
             'anna'"
        )
    };
    publishes(&mut client, "x", "otto.one");
    is_refused(&mut client, (60, 40), &refused("write", "otto.one"));
    // Every CC is asked for as well.
    let keys = Payload::new().u8(b'S').long("otto.two");
    let headers = Payload::new().entry("CC", b'A', Payload::new().long(&keys.0).0);
    let header = Payload::new().u16(60).u16(0).u64(1).u16(1 << 13).table(&headers);
    client.say(&publish_frames(1, &publish_method("x", "anna.one", 0), &header, b"x", 8192));
    is_refused(&mut client, (60, 40), &refused("write", "otto.two"));
    // Binding reads, unbinding too.
    client.say(&method(&binding(50, 20, "q")));
    is_content(&mut client, "bind");
    permit_topic(&auth, "x", "", "^b\\.");
    for (class, id) in [(50, 20), (50, 50), (40, 30), (40, 40)] {
        client.say(&method(&binding(class, id, if class == 50 { "q" } else { "y" })));
        is_refused(&mut client, (class, id), &refused("read", "a.b"));
    }
    publishes(&mut client, "x", "anna.one");
    is_refused(&mut client, (60, 40), &refused("write", "anna.one"));
}

#[test]
fn only_an_impersonator_may_claim_to_be_somebody_else() {
    let broker = broker();
    let auth = auth(&broker);
    permit(&auth, [".*", ".*", ".*"]);
    let mut client = client(&broker);
    let claims = |client: &mut Client, user: &str| {
        let header = Payload::new().u16(60).u16(0).u64(1).u16(1 << 4).short(user);
        client.say(&publish_frames(1, &publish_method("x", "a.b", 0), &header, b"x", 8192));
    };
    claims(&mut client, "anna");
    is_content(&mut client, "her own name");
    claims(&mut client, "otto");
    client.channel_is_closed(1, 406, (60, 40));
    client.open_channel(1);
    let password = Credentials::Password("secret".into());
    auth.put_user("anna", password, vec!["impersonator".into()], "test").expect("put");
    claims(&mut client, "otto");
    is_content(&mut client, "an impersonator");
}

#[test]
fn whoever_is_deleted_has_to_leave_and_others_stay() {
    let broker = broker();
    let (mut one, mut two, mut guest) = (client(&broker), client(&broker), broker.client());
    // Neither a new password nor other permissions close connections.
    let password = Credentials::Password("other".into());
    auth(&broker).put_user("anna", password, vec![], "test").expect("put");
    permit(&auth(&broker), ["", "", ""]);
    one.sync();
    broker.server().broker().delete_user("anna", "test").expect("there");
    for client in [&mut one, &mut two] {
        let text = "CONNECTION_FORCED - user 'anna' was deleted";
        assert_eq!(close_of(&client.expect(0, 10, 50)), (320, (0, 0), text.into()));
    }
    guest.sync();
}
