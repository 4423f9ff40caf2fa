//! Asking those who take their time, without anybody else having to wait for it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::Auth;
use super::backend::{Principal, Question, Verdict};
use super::login::{Origin, Refused};
use crate::config::AuthConfig;

/// How many are asked at a time, and how long others wait for their turn.
pub(super) struct Asking {
    places: Arc<Semaphore>,
    patience: Duration,
}

/// Nobody could be asked.
struct TooLate;

impl Asking {
    pub(super) fn new(config: &AuthConfig) -> Self {
        Self {
            places: Arc::new(Semaphore::new(config.http.connections.max(1))),
            patience: Duration::from_secs(config.http.request_timeout.max(1)),
        }
    }

    /// Runs something on a thread for blocking work, once there is a place.
    async fn run<T: Send + 'static>(
        &self,
        ask: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, TooLate> {
        let place = timeout(self.patience, Arc::clone(&self.places).acquire_owned()).await;
        let place = place.map_err(|_| TooLate)?.map_err(|_| TooLate)?;
        let asked = tokio::task::spawn_blocking(move || {
            // Held until the answer is there, also if nobody waits for it any more.
            let _place = place;
            ask()
        });
        asked.await.map_err(|_| TooLate)
    }
}

impl Auth {
    /// [`Self::log_in`] on a thread for blocking work.
    pub async fn log_in_slowly(
        self: Arc<Self>,
        mechanism: String,
        response: Vec<u8>,
        origin: Origin,
    ) -> Result<Principal, Refused> {
        let auth = Arc::clone(&self);
        let ask = move || auth.log_in(&mechanism, &response, &origin);
        self.asking.run(ask).await.unwrap_or_else(|TooLate| Err(Refused::Failed(too_late())))
    }

    /// [`Self::check_password`], on a thread for blocking work unless nobody has to be waited for.
    pub async fn check_password_slowly(
        self: Arc<Self>,
        name: String,
        password: Vec<u8>,
        origin: Origin,
    ) -> Result<Principal, Refused> {
        if let Some(checked) = self.check_password_at_once(&name, &password, &origin) {
            return checked;
        }
        let auth = Arc::clone(&self);
        let ask = move || auth.check_password(&name, &password, &origin);
        self.asking.run(ask).await.unwrap_or_else(|TooLate| Err(Refused::Failed(too_late())))
    }

    /// Takes a new secret in place of one that expires, on a thread for blocking work.
    pub async fn renew(
        self: Arc<Self>,
        who: Arc<Principal>,
        secret: Vec<u8>,
    ) -> Result<Principal, Refused> {
        let ask = move || renewed(&who, &secret);
        self.asking.run(ask).await.unwrap_or_else(|TooLate| Err(Refused::Failed(too_late())))
    }

    /// Whether somebody may do something, on a thread for blocking work if their backend takes its
    /// time.
    pub async fn ask(self: Arc<Self>, who: Arc<Principal>, question: Question) -> Verdict {
        let backend = Arc::clone(who.backend.as_ref().unwrap_or(&self.internal));
        if backend.is_quick() {
            return backend.may(&who, &question);
        }
        let ask = move || backend.may(&who, &question);
        self.asking.run(ask).await.unwrap_or_else(|TooLate| Verdict::Failed(too_late().into()))
    }
}

/// As RabbitMQ tells it of a backend that does not answer.
fn too_late() -> String {
    "timeout".into()
}

/// A secret that does not expire need not be renewed, and stays.
fn renewed(who: &Principal, secret: &[u8]) -> Result<Principal, Refused> {
    let (Some(backend), Some(_)) = (&who.backend, who.expires()) else { return Ok(who.clone()) };
    let known = backend.renew(secret)?;
    if known.name != who.name {
        let why = "Not allowed to change username on refreshed token";
        return Err(Refused::by(backend.name(), who.name.as_str(), why));
    }
    Ok(Principal { tags: known.tags, token: known.token, ..who.clone() })
}
