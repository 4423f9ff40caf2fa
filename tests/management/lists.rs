//! Lists over HTTP: pages, order, columns, and ten thousand queues.

use serde_json::json;

use crate::http::{get, send};
use crate::support::TestBroker;

#[test]
fn pages_of_queues() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    for number in 0..7 {
        client.declare(&format!("q{number}"));
    }
    client.publish_numbers("q3", 0..4);
    client.publish("q5", b"x");
    client.sync();
    let page =
        get(&broker, "/api/queues?page=1&page_size=2&sort=messages&sort_reverse=true&columns=name");
    let expected = json!({"total_count": 7, "item_count": 2, "filtered_count": 7, "page": 1,
        "page_size": 2, "page_count": 4, "items": [{"name": "q3"}, {"name": "q5"}]});
    assert_eq!(page, expected);
    let rates = get(&broker, "/api/queues/%2F?columns=name,message_stats.publish&name=q3");
    assert_eq!(rates, json!([{"name": "q3", "message_stats": {"publish": 4}}]));
    let bare = get(&broker, "/api/queues?disable_stats=true&page=1&name=q1");
    assert!(bare["items"][0].get("messages").is_none());
    let totals = get(&broker, "/api/queues?disable_stats=true&enable_queue_totals=true&name=q3");
    assert_eq!(totals[0]["messages_ready"], 4);
}

#[test]
fn a_long_list_is_compressed_if_asked_for() {
    let broker = TestBroker::start();
    let asked = send(&broker, "GET", "/api/exchanges", &[("Accept-Encoding", "gzip")], b"");
    assert_eq!(asked.header("content-encoding"), Some("gzip"));
    assert_eq!(asked.body[..2], [0x1f, 0x8b]);
    let plain = send(&broker, "GET", "/api/exchanges", &[], b"");
    assert_eq!(plain.header("content-encoding"), None);
    assert!(plain.body.len() > asked.body.len());
}
