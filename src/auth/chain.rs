//! The chain of backends: who is asked, in which order (`auth.backends`).

use std::sync::Arc;

use super::BadBackendSetting;
use super::backend::{Attempt, Backend, Principal};
use super::cache::Cached;
use super::http::Http;
use super::login::Refused;
use super::oauth2::OAuth2;
use crate::config::{AuthConfig, BackendChoice, BackendKind};

/// The backends that are not the broker's own accounts, as far as the settings want them.
#[derive(Default)]
pub struct Outside {
    http: Option<Arc<dyn Backend>>,
    oauth2: Option<Arc<dyn Backend>>,
}

/// Who is asked, one after the other until one lets somebody in.
pub(super) struct Chain {
    links: Vec<Link>,
    internal: Arc<dyn Backend>,
}

/// Who says who somebody is, and who says what they may do.
struct Link {
    authn: Arc<dyn Backend>,
    authz: Arc<dyn Backend>,
}

impl Outside {
    /// Reads what these backends need: certificates and keys.
    pub fn load(config: &AuthConfig) -> Result<Self, BadBackendSetting> {
        let mut outside = Self::default();
        if config.uses(BackendKind::Http) {
            outside.http = Some(Arc::new(Http::new(&config.http)?));
        }
        if config.uses(BackendKind::OAuth2) {
            outside.oauth2 = Some(Arc::new(OAuth2::new(&config.oauth2)?));
        }
        Ok(outside)
    }
}

impl Chain {
    pub(super) fn new(config: &AuthConfig, outside: &Outside, internal: Arc<dyn Backend>) -> Self {
        let single = |kind| match kind {
            BackendKind::Http => outside.http.clone(),
            BackendKind::OAuth2 => outside.oauth2.clone(),
            BackendKind::Internal | BackendKind::Cache => Some(Arc::clone(&internal)),
        };
        let cached = |kind| Some(Cached::of(single(kind)?, &config.cache));
        let BackendChoice { authn, authz } = config.cache.backend;
        // One cache for each backend, however often it stands in the chain.
        let cached_authn = cached(authn);
        let cached_authz = if authn == authz { cached_authn.clone() } else { cached(authz) };
        let of = |kind, cached: &Option<Arc<dyn Backend>>| {
            if kind == BackendKind::Cache { cached.clone() } else { single(kind) }
        };
        let links = config.backends.iter().filter_map(|choice| {
            let (authn, authz) =
                (of(choice.authn, &cached_authn)?, of(choice.authz, &cached_authz)?);
            Some(Link { authn, authz })
        });
        let links = links.collect();
        Self { links, internal }
    }

    /// The same as [`Self::admit`] if the broker's own accounts know, and nobody stands before
    /// them; `None`: others have to be asked.
    pub(super) fn admit_at_once(
        &self,
        attempt: &Attempt<'_>,
    ) -> Option<Result<Principal, Refused>> {
        let mut refused = None;
        for link in &self.links {
            let internal = |backend| Arc::ptr_eq(backend, &self.internal);
            if !internal(&link.authn) || !internal(&link.authz) {
                return None;
            }
            match self.admit_by(link, attempt) {
                Ok(principal) => return Some(Ok(principal)),
                Err(by_the_accounts) => refused = Some(Err(by_the_accounts)),
            }
        }
        refused
    }

    /// Lets somebody in, or says why the last backend does not.
    pub(super) fn admit(&self, attempt: &Attempt<'_>) -> Result<Principal, Refused> {
        let mut refused = Refused::InvalidCredentials(attempt.name.into());
        for link in &self.links {
            match self.admit_by(link, attempt) {
                Ok(principal) => return Ok(principal),
                Err(by_this_one) => refused = by_this_one,
            }
        }
        Err(refused)
    }

    fn admit_by(&self, link: &Link, attempt: &Attempt<'_>) -> Result<Principal, Refused> {
        let Link { authn, authz } = link;
        let mut known = authn.authenticate(attempt)?;
        if !Arc::ptr_eq(authn, authz) {
            let adopted = authz.adopt(&Attempt { name: known.name.as_str(), ..*attempt })?;
            known.tags.extend(adopted.tags);
            known.token = adopted.token;
        }
        let backend = (!Arc::ptr_eq(authz, &self.internal)).then(|| Arc::clone(authz));
        Ok(Principal {
            name: known.name,
            tags: known.tags,
            from: attempt.origin.address,
            backend,
            token: known.token,
        })
    }
}
