//! A backend's answers, remembered for a while: RabbitMQ's rabbitmq_auth_backend_cache.

use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};

use super::backend::{Attempt, Backend, Known, Principal, Question, Verdict};
use super::login::Refused;
use crate::config::AuthCacheConfig;

/// How many answers are remembered of each kind; beyond it they are all forgotten, which costs a
/// question each and nothing else.
const REMEMBERED: usize = 10_000;

/// Answers by what was asked.
struct Answers<K, A> {
    answers: Mutex<FxHashMap<K, (A, Instant)>>,
    time: Duration,
}

/// Whose question it was: name, tags, address; and what they asked.
type Asked = (Box<str>, Box<str>, IpAddr, Question);

/// A backend whose answers are remembered.
pub(super) struct Cached {
    inner: Arc<dyn Backend>,
    refusals: bool,
    /// Passwords are not kept, only what tells one from another while this broker runs.
    salt: [u8; 32],
    logins: Answers<[u8; 32], Result<Known, Refused>>,
    verdicts: Answers<Asked, Verdict>,
}

impl<K: Hash + Eq, A: Clone> Answers<K, A> {
    fn new(time: Duration) -> Self {
        Self { answers: Mutex::default(), time }
    }

    fn get(&self, key: &K, now: Instant) -> Option<A> {
        let answers = self.answers.lock();
        answers.get(key).filter(|(_, until)| now < *until).map(|(answer, _)| answer.clone())
    }

    fn put(&self, key: K, answer: A, now: Instant) {
        let Some(until) = now.checked_add(self.time) else { return };
        let mut answers = self.answers.lock();
        if answers.len() >= REMEMBERED {
            answers.clear();
        }
        answers.insert(key, (answer, until));
    }
}

impl Cached {
    /// The backend itself if it answers from memory: nothing is to outlive a change for longer
    /// than it has to.
    pub(super) fn of(inner: Arc<dyn Backend>, config: &AuthCacheConfig) -> Arc<dyn Backend> {
        if inner.is_quick() {
            return inner;
        }
        let time = Duration::from_secs(config.ttl);
        Arc::new(Self {
            inner,
            refusals: config.refusals,
            salt: rand::random(),
            logins: Answers::new(time),
            verdicts: Answers::new(time),
        })
    }

    fn key(&self, attempt: &Attempt<'_>) -> [u8; 32] {
        let mut hash = Sha256::new_with_prefix(self.salt);
        hash.update((attempt.name.len() as u64).to_be_bytes());
        hash.update(attempt.name);
        hash.update([u8::from(attempt.password.is_some())]);
        hash.update(attempt.password.unwrap_or_default());
        hash.finalize().into()
    }
}

impl Backend for Cached {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn authenticate(&self, attempt: &Attempt<'_>) -> Result<Known, Refused> {
        let (key, now) = (self.key(attempt), Instant::now());
        if let Some(answer) = self.logins.get(&key, now) {
            return answer;
        }
        let answer = self.inner.authenticate(attempt);
        // Nobody is locked out because the server was away for a moment.
        if answer.is_ok() || self.refusals && answer.as_ref().is_err_and(Refused::is_final) {
            self.logins.put(key, answer.clone(), now);
        }
        answer
    }

    fn may(&self, who: &Principal, question: &Question) -> Verdict {
        let tags = who.tags.join(" ");
        let key = (who.name.as_str().into(), tags.into(), who.from, question.clone());
        let now = Instant::now();
        if let Some(verdict) = self.verdicts.get(&key, now) {
            return verdict;
        }
        let verdict = self.inner.may(who, question);
        match verdict {
            Verdict::Allowed => self.verdicts.put(key, verdict.clone(), now),
            Verdict::Refused(_) if self.refusals => self.verdicts.put(key, verdict.clone(), now),
            Verdict::Refused(_) | Verdict::Failed(_) => {}
        }
        verdict
    }

    fn is_quick(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::backend::Deed;
    use super::super::login::Origin;
    use super::*;

    /// Lets `anna` in with any password that is not "wrong", and says no to everything.
    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Backend for Counting {
        fn name(&self) -> &'static str {
            "counting"
        }

        fn authenticate(&self, attempt: &Attempt<'_>) -> Result<Known, Refused> {
            self.0.fetch_add(1, Ordering::Relaxed);
            if attempt.password == Some(b"wrong") {
                return Err(Refused::InvalidCredentials(attempt.name.into()));
            }
            Ok(Known { name: attempt.name.into(), tags: vec![], token: None })
        }

        fn may(&self, who: &Principal, question: &Question) -> Verdict {
            self.0.fetch_add(1, Ordering::Relaxed);
            (who.name.as_str() == "anna" && question.deed == Deed::Enter).into()
        }

        fn is_quick(&self) -> bool {
            false
        }
    }

    fn asked(refusals: bool, ttl: u64, ask: impl Fn(&dyn Backend)) -> usize {
        let inner = Arc::new(Counting::default());
        let config = AuthCacheConfig { ttl, refusals, ..AuthCacheConfig::default() };
        ask(&*Cached::of(Arc::clone(&inner) as _, &config));
        inner.0.load(Ordering::Relaxed)
    }

    fn log_in(backend: &dyn Backend, name: &str, password: &str) {
        let origin = Origin::of("http", [127, 0, 0, 1].into());
        let password = Some(password.as_bytes());
        let _ = backend.authenticate(&Attempt { name, password, origin: &origin });
    }

    fn enter(backend: &dyn Backend, name: &str) {
        let who = Principal {
            name: name.into(),
            tags: vec![],
            from: [127, 0, 0, 1].into(),
            backend: None,
            token: None,
        };
        backend.may(&who, &Question { vhost: "/".into(), deed: Deed::Enter });
    }

    #[test]
    fn what_was_asked_is_not_asked_again() {
        let twice = |backend: &dyn Backend| {
            for _ in 0..2 {
                log_in(backend, "anna", "a");
                enter(backend, "anna");
            }
        };
        assert_eq!(asked(false, 60, twice), 2);
        assert_eq!(asked(false, 0, twice), 4, "remembered for no time");
    }

    #[test]
    fn another_password_is_another_question() {
        let others = |backend: &dyn Backend| {
            for (name, password) in [("a", "bc"), ("ab", "c"), ("a", "bd"), ("a", "bc")] {
                log_in(backend, name, password);
            }
        };
        assert_eq!(asked(false, 60, others), 3);
    }

    #[test]
    fn refusals_are_remembered_only_if_that_is_wanted() {
        let twice = |backend: &dyn Backend| {
            for _ in 0..2 {
                log_in(backend, "anna", "wrong");
                enter(backend, "otto");
            }
        };
        assert_eq!(asked(false, 60, twice), 4);
        assert_eq!(asked(true, 60, twice), 2);
    }
}
