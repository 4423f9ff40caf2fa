//! A server that is asked who somebody is and what they may do, or for keys; it remembers what it
//! was asked.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use tokio::runtime::Runtime;

/// Something that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    /// The parameters as they came, decoded: `name=value`.
    pub(crate) parameters: Vec<String>,
}

impl Asked {
    /// A parameter's value; nothing if it is not there.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        let of_name = |each: &'_ String| each.split_once('=').is_some_and(|(key, _)| key == name);
        let found = self.parameters.iter().find(|each| of_name(each));
        found.and_then(|each| each.split_once('=')).map_or("", |(_, value)| value)
    }
}

type Answering = Arc<dyn Fn(&Asked) -> (u16, String) + Send + Sync>;

struct Shared {
    asked: Mutex<Vec<Asked>>,
    answering: Mutex<Answering>,
}

/// A server on a port and a runtime of its own.
pub(crate) struct Elsewhere {
    runtime: Option<Runtime>,
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Elsewhere {
    /// One that answers in this way.
    pub(crate) fn answering(
        answer: impl Fn(&Asked) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        let shared =
            Arc::new(Shared { asked: Mutex::default(), answering: Mutex::new(Arc::new(answer)) });
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().fallback(answer_one).with_state(Arc::clone(&shared));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { runtime: Some(runtime), address, shared }
    }

    /// One that says yes to everything but to wrong passwords.
    pub(crate) fn allowing() -> Self {
        Self::answering(|asked| match asked.parameter("password") {
            "wrong" => (200, "deny".into()),
            _ => (200, "allow".into()),
        })
    }

    /// Answers in another way from now on.
    pub(crate) fn answer(&self, answer: impl Fn(&Asked) -> (u16, String) + Send + Sync + 'static) {
        *self.shared.answering.lock().expect("no panic") = Arc::new(answer);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How much was asked since then.
    pub(crate) fn count_asked(&self) -> usize {
        self.shared.asked.lock().expect("no panic").len()
    }

    /// What was asked since this was last called.
    pub(crate) fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.shared.asked.lock().expect("no panic"))
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        // An answer that a test holds back must not hold back its end.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn answer_one(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    body: String,
) -> (StatusCode, String) {
    let form = if method == Method::POST { &body } else { uri.query().unwrap_or_default() };
    let parameters = form_urlencoded::parse(form.as_bytes());
    let asked = Asked {
        method: method.to_string(),
        path: uri.path().into(),
        parameters: parameters.map(|(name, value)| format!("{name}={value}")).collect(),
    };
    shared.asked.lock().expect("no panic").push(asked.clone());
    let answering = Arc::clone(&*shared.answering.lock().expect("no panic"));
    let answered = tokio::task::spawn_blocking(move || answering(&asked)).await;
    let (status, body) = answered.expect("the test's answer does not panic");
    (StatusCode::from_u16(status).expect("a status"), body)
}
