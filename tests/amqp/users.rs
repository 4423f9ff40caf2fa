//! Users beside the default one, and what a restart leaves of them.

use warren::auth::{Credentials, Pattern, Permission};

use crate::support::{Login, TestBroker};

fn login(user: &str, password: &str) -> Login {
    Login { response: format!("\0{user}\0{password}").into_bytes(), ..Login::default() }
}

fn everything(user: &str) -> Permission {
    let all = || Pattern::parse(".*").expect("good");
    Permission { vhost: "/".into(), user: user.into(), configure: all(), write: all(), read: all() }
}

#[test]
fn a_user_made_while_the_broker_runs_can_log_in() {
    let broker = TestBroker::start();
    let auth = &broker.server().broker().auth;
    let password = Credentials::Password("secret".into());
    auth.put_user("anna", password, vec![], "test").expect("put");
    auth.put_permission(everything("anna"), "test").expect("put");
    broker.connect(&login("anna", "secret")).close();
}

#[test]
fn users_survive_a_restart_and_the_default_user_is_made_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let start = || TestBroker::with(|config| config.data.dir = directory.path().join("data"));
    let mut broker = start();
    let auth = broker.server().broker().auth.clone();
    let password = Credentials::Password("secret".into());
    auth.put_user("anna", password, vec!["monitoring".into()], "test").expect("put");
    auth.put_permission(everything("anna"), "test").expect("put");
    auth.delete_user("guest", "test").expect("there");
    let stopped = broker.begin_stop();
    broker.block_on(stopped).expect("stopped");
    drop((broker, auth));
    let broker = start();
    let auth = &broker.server().broker().auth;
    let users = auth.users();
    assert_eq!(users.len(), 1, "{users:?}");
    assert!(users[0].has_tag("monitoring"));
    assert_eq!(auth.permission("/", "anna").as_deref(), Some(&everything("anna")));
    broker.connect(&login("anna", "secret")).close();
}
