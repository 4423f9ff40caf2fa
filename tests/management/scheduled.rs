//! Messages that wait at an exchange, seen and cancelled over HTTP.

use serde_json::{Value, json};

use crate::http::{ask, get};
use crate::support::TestBroker;

const LATER: &str = "/api/exchanges/%2F/later";

#[test]
fn what_is_scheduled_is_listed_in_due_order_and_can_be_cancelled() {
    let mut broker = TestBroker::start();
    let exchange = json!({"type": "x-delayed-message", "durable": true,
        "arguments": {"x-delayed-type": "direct"}});
    assert_eq!(ask(&broker, "PUT", LATER, Some(&exchange)).status, 201);
    assert_eq!(
        get(&broker, &format!("{LATER}/scheduled")),
        json!({"count": 0, "messages": [], "next_after": null})
    );
    for hours in [3, 1, 2] {
        let properties = json!({"delivery_mode": 2, "headers": {"x-delay": hours * 3_600_000}});
        let message = json!({"properties": properties, "routing_key": "k",
            "payload": format!("in {hours} h"), "payload_encoding": "string"});
        ask(&broker, "POST", &format!("{LATER}/publish"), Some(&message));
    }
    let page = |broker: &TestBroker, query: &str| {
        let page = get(broker, &format!("{LATER}/scheduled?{query}"));
        let rows = page["messages"].as_array().expect("rows").clone();
        let texts: Vec<Value> = rows.iter().map(|row| row["payload"].clone()).collect();
        (page["count"].clone(), texts, rows, page["next_after"].clone())
    };
    let (count, texts, rows, next) = page(&broker, "count=2");
    assert_eq!((count, texts), (json!(3), vec![json!("in 1 h"), json!("in 2 h")]));
    assert_eq!(get(&broker, LATER)["messages_delayed"], 3);
    assert!(rows[0]["due_at"].as_u64() < rows[1]["due_at"].as_u64());
    let after = next.as_str().expect("there are more");
    let (_, texts, _, next) = page(&broker, &format!("count=2&after={after}"));
    assert_eq!((texts, next), (vec![json!("in 3 h")], Value::Null));

    let second = format!("{LATER}/scheduled/{}", rows[1]["id"].as_str().expect("text"));
    assert_eq!(ask(&broker, "DELETE", &second, None).status, 204);
    assert_eq!(ask(&broker, "DELETE", &second, None).status, 404);
    broker.restart();
    crate::support::eventually("it is read back", || page(&broker, "").1.len() == 2);
    let (count, texts, ..) = page(&broker, "");
    assert_eq!((count, texts), (json!(2), vec![json!("in 1 h"), json!("in 3 h")]));

    for (method, path, status) in [
        ("GET", "/api/exchanges/%2F/nope/scheduled".to_owned(), 404),
        ("GET", format!("{LATER}/scheduled?after=x"), 400),
        ("DELETE", format!("{LATER}/scheduled/x"), 404),
    ] {
        assert_eq!(ask(&broker, method, &path, None).status, status, "{path}");
    }
}
