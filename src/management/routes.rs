//! The routes and what they are called: a router that remembers its paths, so that what is said of
//! the API (`openapi`) is said of the routes that there are.

use std::sync::Arc;

use axum::Router;
use axum::routing::MethodRouter;

use super::api::Api;

/// Routes of the API, with their paths in the order in which they were added.
#[derive(Default)]
pub(super) struct Routes {
    router: Router<Arc<Api>>,
    paths: Vec<&'static str>,
}

impl Routes {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds a path, below `/api`, with what answers there.
    pub(super) fn route(mut self, path: &'static str, methods: MethodRouter<Arc<Api>>) -> Self {
        self.router = self.router.route(path, methods);
        self.paths.push(path);
        self
    }

    /// Adds a family of endpoints.
    pub(super) fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.paths.extend(other.paths);
        self
    }

    /// The router, and all its paths.
    pub(super) fn into_parts(self) -> (Router<Arc<Api>>, Vec<&'static str>) {
        (self.router, self.paths)
    }
}
