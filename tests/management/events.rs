//! Events say who did what, also where that was done over HTTP.

use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldArray, FieldTable};
use serde_json::{Value, json};

use crate::http::ask;
use crate::support::TestBroker;
use crate::support::notices::{hear, listen, text};

/// Compared with RabbitMQ 4.3.6's event exchange: who did what, over AMQP, over HTTP, or the broker.
#[test]
fn events_say_who_did_it() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = connection.create_channel().await.expect("open");
        let mut events = listen(&channel, "amq.rabbitmq.event").await;
        let by = |facts: &FieldTable| text(facts, "user_who_performed_action");
        let http = |method: &str, path: &str, body: Value| {
            let answer = ask(&broker, method, path, Some(&body));
            assert!((200..300).contains(&answer.status), "{method} {path}: {answer:?}");
        };
        http("PUT", "/api/users/anna", json!({"password": "x", "tags": "administrator"}));
        let (facts, _) = hear(&mut events, "user.created").await;
        assert_eq!((text(&facts, "name"), by(&facts)), ("anna".into(), "guest".into()));
        let (facts, _) = hear(&mut events, "user.tags.set").await;
        let tags = FieldArray::from(vec![AMQPValue::LongString("administrator".into())]);
        assert_eq!(facts.inner().get("tags"), Some(&AMQPValue::FieldArray(tags)));
        let all = json!({"configure": ".*", "write": ".*", "read": ".*"});
        http("PUT", "/api/permissions/%2F/anna", all);
        let (facts, _) = hear(&mut events, "permission.created").await;
        assert_eq!(by(&facts), "guest");

        // Over AMQP.
        let connect = async |password: &str| {
            let url = format!("amqp://anna:{password}@{}", broker.address());
            lapin::Connection::connect(&url, lapin::ConnectionProperties::default()).await
        };
        let annas = connect("x").await.expect("she is let in");
        let (facts, _) = hear(&mut events, "user.authentication.success").await;
        assert_eq!(text(&facts, "name"), "anna");
        assert_eq!(facts.inner().get("user_who_performed_action"), None);
        let (facts, _) = hear(&mut events, "connection.created").await;
        assert_eq!((by(&facts), text(&facts, "type")), ("anna".into(), "network".into()));
        let other = annas.create_channel().await.expect("open");
        let (facts, _) = hear(&mut events, "channel.created").await;
        assert!(text(&facts, "name").ends_with(" (1)"), "{facts:?}");
        let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        other.queue_declare("hers".into(), options, FieldTable::default()).await.expect("declared");
        let (facts, _) = hear(&mut events, "queue.created").await;
        assert_eq!(by(&facts), "anna");
        assert_eq!(text(&facts, "type"), "rabbit_classic_queue");
        annas.close(200, "".into()).await.expect("closed");
        let (facts, _) = hear(&mut events, "queue.deleted").await;
        assert_eq!((text(&facts, "name"), by(&facts)), ("hers".into(), "rmq-internal".into()));
        assert_eq!(by(&hear(&mut events, "connection.closed").await.0), "anna");
        connect("wrong").await.expect_err("her password is another");
        let (facts, _) = hear(&mut events, "user.authentication.failure").await;
        assert_eq!(text(&facts, "error"), "user 'anna' - invalid credentials");

        // Facts are tables and numbers where they are in RabbitMQ.
        let policy = json!({"pattern": "^q", "definition": {"max-length": 3}, "priority": 1});
        http("PUT", "/api/policies/%2F/p", policy.clone());
        let (facts, _) = hear(&mut events, "policy.set").await;
        assert_eq!(facts.inner().get("priority"), Some(&AMQPValue::LongLongInt(1)));
        let Some(AMQPValue::FieldTable(definition)) = facts.inner().get("definition") else {
            panic!("{facts:?}")
        };
        assert_eq!(definition.inner().get("max-length"), Some(&AMQPValue::LongLongInt(3)));
        http("PUT", "/api/operator-policies/%2F/o", policy);
        let (facts, _) = hear(&mut events, "parameter.set").await;
        assert_eq!(text(&facts, "component"), "operator_policy");
        http("DELETE", "/api/operator-policies/%2F/o", json!({}));
        assert_eq!(by(&hear(&mut events, "operator.policy.cleared").await.0), "guest");
        http("PUT", "/api/global-parameters/g", json!({"value": {"a": 1}}));
        let (facts, _) = hear(&mut events, "parameter.set").await;
        assert_eq!(text(&facts, "component"), "global");
        assert_eq!(facts.inner().get("vhost"), None);
        http("PUT", "/api/user-limits/anna/max-connections", json!({"value": 5}));
        let (facts, _) = hear(&mut events, "user.limits.set").await;
        assert_eq!(text(&facts, "username"), "anna");
        assert_eq!(facts.inner().get("max-connections"), Some(&AMQPValue::LongLongInt(5)));
        http("DELETE", "/api/user-limits/anna/max-connections", json!({}));
        hear(&mut events, "user.limits.cleared").await;

        // A vhost, with all that is in it.
        http("PUT", "/api/vhosts/v", json!({"description": "d", "tags": "a,b"}));
        let (facts, _) = hear(&mut events, "vhost.created").await;
        assert_eq!((text(&facts, "description"), by(&facts)), ("d".into(), "guest".into()));
        http("PUT", "/api/vhosts/v", json!({"description": "e"}));
        assert_eq!(text(&hear(&mut events, "vhost.updated").await.0, "description"), "e");
        http("PUT", "/api/vhost-limits/v/max-queues", json!({"value": 5}));
        let (facts, _) = hear(&mut events, "vhost.limits.set").await;
        assert_eq!(facts.inner().get("max-queues"), Some(&AMQPValue::LongLongInt(5)));
        http("PUT", "/api/queues/v/q", json!({"durable": true}));
        http("DELETE", "/api/vhosts/v", json!({}));
        let (facts, _) = hear(&mut events, "queue.deleted").await;
        assert_eq!((text(&facts, "name"), by(&facts)), ("q".into(), "guest".into()));
        hear(&mut events, "vhost.deleted").await;
    });
}
