//! Who is behind what happens, for those who listen to events (`user_who_performed_action`).
//!
//! A change passes through many hands that have no other use for the name, so it stays with the task
//! that carries the change out: a session's or an HTTP request's. What no such task does, the broker
//! does by itself.

use std::cell::RefCell;

use tokio::task_local;

use crate::names::UserName;

/// What RabbitMQ calls itself where a user could stand.
const INTERNAL: &str = "rmq-internal";

task_local! {
    static ACTOR: RefCell<Option<UserName>>;
}

/// Runs a task that may say, in [`act_as`], for whom it acts.
/// Not an `async fn`, whose future would hold the task's twice.
pub fn acting<F: Future>(task: F) -> impl Future<Output = F::Output> {
    ACTOR.scope(RefCell::default(), task)
}

/// The same of what runs on a thread of its own, for whoever acts now.
pub fn carried<R>(work: impl FnOnce() -> R) -> impl FnOnce() -> R {
    let by = ACTOR.try_with(|actor| actor.borrow().clone()).unwrap_or_default();
    || ACTOR.sync_scope(RefCell::new(by), work)
}

/// From now on this task acts for a user, or for nobody.
pub fn act_as(user: Option<&UserName>) {
    // A task that is not `acting` (a test's) stays the broker itself.
    let _ = ACTOR.try_with(|actor| *actor.borrow_mut() = user.cloned());
}

/// For whom this task acts.
pub(super) fn actor() -> UserName {
    let by = ACTOR.try_with(|actor| actor.borrow().clone()).ok().flatten();
    by.unwrap_or_else(|| INTERNAL.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_acts_for_whom_it_says_and_so_does_what_it_carries() {
        assert_eq!(actor().as_str(), INTERNAL);
        let carried = acting(async {
            assert_eq!(actor().as_str(), INTERNAL);
            act_as(Some(&"anna".into()));
            assert_eq!(actor().as_str(), "anna");
            carried(actor)
        });
        let carried = carried.await;
        assert_eq!(carried().as_str(), "anna");
        assert_eq!(actor().as_str(), INTERNAL);
    }
}
