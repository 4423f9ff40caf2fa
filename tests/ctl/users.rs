//! Users, permissions, vhosts, limits, policies, parameters.

use serde_json::json;

use crate::support::TestBroker;
use crate::tool::{ctl, done, json, refused, words};

#[test]
fn users_come_and_go_in_rabbitmqctls_words() {
    let broker = TestBroker::start();
    assert!(done(&broker, "add_user alice secret").starts_with(
        "Adding user \"alice\" ...\nDone. Don't forget to grant the user permissions"
    ));
    refused(&broker, "add_user alice secret", 70, "Error:\nUser \"alice\" already exists");
    assert_eq!(
        done(&broker, "set_user_tags alice monitoring management"),
        "Setting tags for user \"alice\" to [monitoring, management] ...\n"
    );
    assert_eq!(
        done(&broker, "list_users"),
        "Listing users ...\nuser\ttags\nalice\t[monitoring, management]\nguest\t[administrator]\n"
    );
    assert_eq!(
        done(&broker, "-q list_users"),
        "user\ttags\nalice\t[monitoring, management]\nguest\t[administrator]\n"
    );
    assert_eq!(
        done(&broker, "-s list_users"),
        "alice\t[monitoring, management]\nguest\t[administrator]\n"
    );
    assert_eq!(
        json(&broker, "list_users"),
        json!([
            {"user": "alice", "tags": ["monitoring", "management"]},
            {"user": "guest", "tags": ["administrator"]},
        ])
    );
    let login = |password| ctl(&broker, &format!("authenticate_user alice {password}"));
    assert_eq!(login("secret").out, "Authenticating user \"alice\" ...\nSuccess\n");
    done(&broker, "change_password alice other");
    assert_eq!((login("secret").status, login("other").status), (65, 0));
    refused(&broker, "authenticate_user guest wrong", 65, "user 'guest' - invalid credentials");
    refused(&broker, "change_password nobody x", 67, "User nobody does not exist");
    done(&broker, "clear_password alice");
    assert_eq!(login("other").status, 65);
    // The tags have stayed.
    assert!(done(&broker, "list_users").contains("alice\t[monitoring, management]"));
    done(&broker, "delete_user alice");
    assert_eq!(done(&broker, "delete_user alice"), "Deleting user \"alice\" ...\n");
}

#[test]
fn permissions_are_set_and_listed() {
    let broker = TestBroker::start();
    done(&broker, "add_user alice secret");
    let set = words(&broker, &["set_permissions", "-p", "/", "alice", "^a", ".*", ""]);
    assert_eq!(
        (set.status, set.out.as_str()),
        (0, "Setting permissions for user \"alice\" in vhost \"/\" ...\n")
    );
    refused(&broker, "set_permissions nobody a b c", 67, "User nobody does not exist");
    refused(&broker, "set_permissions -p /no alice a b c", 69, "Virtual host /no does not exist");
    refused(&broker, "set_permissions alice ( b c", 69, "");
    assert_eq!(
        done(&broker, "list_permissions -p /"),
        "Listing permissions for vhost \"/\" ...\nuser\tconfigure\twrite\tread\n\
         alice\t^a\t.*\t\nguest\t.*\t.*\t.*\n"
    );
    assert_eq!(
        done(&broker, "list_user_permissions alice"),
        "Listing permissions for user \"alice\" ...\nvhost\tconfigure\twrite\tread\n/\t^a\t.*\t\n"
    );
    refused(&broker, "list_user_permissions nobody", 69, "{:no_such_user, \"nobody\"}");
    done(&broker, "set_topic_permissions alice amq.topic ^a .*");
    assert_eq!(
        done(&broker, "list_topic_permissions"),
        "Listing topic permissions for vhost \"/\" ...\nuser\texchange\twrite\tread\n\
         alice\tamq.topic\t^a\t.*\n"
    );
    done(&broker, "clear_topic_permissions alice");
    done(&broker, "clear_permissions alice");
    assert_eq!(json(&broker, "list_user_permissions alice"), json!([]));
    assert_eq!(json(&broker, "list_topic_permissions"), json!([]));
}

#[test]
fn vhosts_and_limits() {
    let broker = TestBroker::start();
    let add = ["add_vhost", "v1", "--description", "a vhost", "--tags", "a,b"];
    assert_eq!(words(&broker, &add).out, "Adding vhost \"v1\" ...\n");
    done(&broker, "add_vhost v1");
    let vhosts = json(&broker, "list_vhosts name tags description");
    let v1 = json!({"name": "v1", "description": "a vhost", "tags": ["a", "b"]});
    assert!(vhosts.as_array().expect("a list").contains(&v1), "{vhosts}");
    refused(&broker, "list_vhosts bogus", 64, "Info key(s) bogus are not supported");
    let limits = ["set_vhost_limits", "-p", "v1", "{\"max-connections\": 10}"];
    assert_eq!(words(&broker, &limits).status, 0);
    assert_eq!(
        done(&broker, "list_vhost_limits -p v1"),
        "Listing limits for vhost \"v1\" ...\n{\"max-connections\":10}\n"
    );
    assert_eq!(
        done(&broker, "list_vhost_limits --global"),
        "Listing limits for all vhosts ...\nvhost\tlimits\nv1\t{\"max-connections\":10}\n"
    );
    done(&broker, "clear_vhost_limits -p v1");
    assert_eq!(done(&broker, "-q list_vhost_limits -p v1"), "{}\n");
    done(&broker, "set_user_limits guest {\"max-channels\":5}");
    assert_eq!(
        done(&broker, "list_user_limits"),
        "Listing limits for user \"guest\" ...\n{\"max-channels\":5}\n"
    );
    done(&broker, "clear_user_limits guest all");
    assert_eq!(done(&broker, "-q list_user_limits --user guest"), "{}\n");
    done(&broker, "enable_vhost_deletion_protection v1");
    refused(&broker, "delete_vhost v1", 65, "");
    done(&broker, "disable_vhost_deletion_protection v1");
    done(&broker, "update_vhost_metadata v1 --description d2");
    done(&broker, "set_vhost_tags v1 c");
    assert!(done(&broker, "list_vhosts name description tags").contains("v1\td2\t[c]"));
    assert_eq!(
        done(&broker, "trace_on -p v1"),
        "Starting tracing for vhost \"v1\" ...\nTrace enabled for vhost v1\n"
    );
    done(&broker, "trace_off -p v1");
    done(&broker, "restart_vhost -p v1");
    done(&broker, "delete_vhost v1");
    refused(&broker, "delete_vhost v1", 65, "Virtual host 'v1' does not exist");
}

#[test]
fn policies_and_parameters() {
    let broker = TestBroker::start();
    assert_eq!(
        done(&broker, "set_policy p1 ^q {\"max-length\":10} --priority 3 --apply-to queues"),
        "Setting policy \"p1\" for pattern \"^q\" to \"{\"max-length\":10}\" with priority \"3\" for \
         vhost \"/\" ...\n"
    );
    refused(&broker, "set_policy p2 ^q {\"bogus\":10}", 69, "are not recognised policy settings");
    refused(&broker, "set_policy p2 ^q {\"bogus", 69, "Could not parse JSON document");
    assert_eq!(
        done(&broker, "list_policies"),
        "Listing policies for vhost \"/\" ...\nvhost\tname\tpattern\tapply-to\tdefinition\tpriority\n\
         /\tp1\t^q\tqueues\t{\"max-length\":10}\t3\n"
    );
    assert_eq!(
        json(&broker, "list_policies"),
        json!([{
            "name": "p1", "priority": 3, "pattern": "^q", "vhost": "/", "apply-to": "queues",
            "definition": "{\"max-length\":10}",
        }])
    );
    assert!(done(&broker, "list_policies_that_match q1").contains("p1"));
    assert!(!done(&broker, "list_policies_that_match other").contains("p1"));
    refused(&broker, "clear_policy nothere", 69, "Parameter does not exist");
    done(&broker, "clear_policy p1");
    assert_eq!(json(&broker, "list_policies"), json!([]));

    done(&broker, "set_operator_policy o1 ^q {\"max-length\":10}");
    assert!(
        done(&broker, "list_operator_policies").contains("/\to1\t^q\tall\t{\"max-length\":10}\t0")
    );
    done(&broker, "set_parameter federation-upstream u {\"uri\":\"amqp://x\"}");
    assert!(
        done(&broker, "list_parameters").contains("federation-upstream\tu\t{\"uri\":\"amqp://x\"}")
    );
    done(&broker, "clear_parameter federation-upstream u");
    done(&broker, "clear_operator_policy o1");
    assert_eq!(json(&broker, "list_parameters"), json!([]));

    done(&broker, "set_global_parameter gp {\"a\":1}");
    done(&broker, "set_cluster_name here");
    let globals = done(&broker, "list_global_parameters");
    assert!(globals.contains("gp\t{\"a\":1}") && globals.contains("cluster_name\t\"here\""));
    done(&broker, "clear_global_parameter gp");
    refused(&broker, "clear_global_parameter gp", 69, "Parameter does not exist");
}
