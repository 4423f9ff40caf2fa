//! A server that is asked over HTTP who somebody is and what they may do: the protocol of
//! RabbitMQ's rabbitmq_auth_backend_http, parameter by parameter.
//!
//! It blocks; [`super::Auth::ask`] keeps that from those who have other things to do.

use std::time::Duration;

use form_urlencoded::Serializer;

use super::BadBackendSetting;
use super::backend::{Attempt, Backend, Deed, Known, Principal, Question, Verdict};
use super::login::Refused;
use crate::client::{Certificates, Client};
use crate::config::{AskingMethod, AuthHttpConfig};

/// RabbitMQ's name for it.
const NAME: &str = "rabbit_auth_backend_http";

/// A server that is asked.
pub(super) struct Http {
    client: Client,
    config: AuthHttpConfig,
}

/// What the server said.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// `allow`, with tags if it is about a user.
    Allow(Vec<String>),
    /// `deny`, with a reason or without.
    Deny(Option<Box<str>>),
    /// Something else, or nothing: told as RabbitMQ writes it.
    Nothing(Box<str>),
}

impl Http {
    pub(super) fn new(config: &AuthHttpConfig) -> Result<Self, BadBackendSetting> {
        let certificates = Certificates {
            verify: config.verify,
            ca: ("auth.http.ca", &config.ca),
            own: Some([
                ("auth.http.certificate", &config.certificate),
                ("auth.http.key", &config.key),
            ]),
        };
        let timeout = Duration::from_secs(config.request_timeout);
        let connect = Duration::from_secs(config.connection_timeout);
        let client = Client::new(&certificates, timeout, connect)?;
        Ok(Self { client, config: config.clone() })
    }

    fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Said {
        let form = Serializer::new(String::new()).extend_pairs(parameters).finish();
        let answer = match self.config.method {
            AskingMethod::Get => self.client.get(&format!("{path}?{form}")),
            AskingMethod::Post => self.client.post(path, &form),
        };
        match answer {
            Ok(answer) => understood(answer.status, &answer.body),
            Err(why) => Said::Nothing(why.to_string().into()),
        }
    }

    fn may_do(&self, who: &Principal, question: &Question) -> Said {
        let (user, vhost) = (who.name.as_str(), question.vhost.as_str());
        let tags = who.tags.join(" ");
        let config = &self.config;
        match &question.deed {
            Deed::Enter => {
                let ip = who.from.to_canonical().to_string();
                let asked = [("username", user), ("vhost", vhost), ("ip", &ip), ("tags", &tags)];
                self.ask(&config.vhost_path, &asked)
            }
            Deed::Use { right, kind, name } => self.ask(
                &config.resource_path,
                &[
                    ("username", user),
                    ("vhost", vhost),
                    ("resource", kind),
                    ("name", name),
                    ("permission", &right.to_string()),
                    ("tags", &tags),
                ],
            ),
            Deed::Topic { right, exchange, key } => self.ask(
                &config.topic_path,
                &[
                    ("username", user),
                    ("vhost", vhost),
                    ("resource", "topic"),
                    ("name", exchange),
                    ("permission", &right.to_string()),
                    ("tags", &tags),
                    ("routing_key", key),
                    ("variable_map.username", user),
                    ("variable_map.vhost", vhost),
                ],
            ),
        }
    }
}

impl Backend for Http {
    fn name(&self) -> &'static str {
        NAME
    }

    fn authenticate(&self, attempt: &Attempt<'_>) -> Result<Known, Refused> {
        let password = attempt.password.map(String::from_utf8_lossy);
        let mut asked = vec![("username", attempt.name)];
        asked.extend(password.as_ref().map(|password| ("password", password.as_ref())));
        match self.ask(&self.config.user_path, &asked) {
            Said::Allow(tags) => Ok(Known { name: attempt.name.into(), tags, token: None }),
            Said::Deny(reason) => {
                if let Some(reason) = reason {
                    tracing::info!("HTTP authentication denied for {:?}: {reason}", attempt.name);
                }
                Err(Refused::by(NAME, attempt.name, "Denied by the backing HTTP service"))
            }
            Said::Nothing(why) => {
                let who = attempt.name;
                let why = format!("{NAME} failed authenticating {who}: {why}");
                Err(Refused::Failed(why))
            }
        }
    }

    fn may(&self, who: &Principal, question: &Question) -> Verdict {
        match self.may_do(who, question) {
            Said::Allow(_) => Verdict::Allowed,
            Said::Deny(reason) => {
                if let Some(reason) = &reason {
                    tracing::info!(user = %who.name, "HTTP authorization denied: {reason}");
                }
                let disclosed = self.config.authorization_failure_disclosure;
                Verdict::Refused(reason.filter(|_| disclosed))
            }
            Said::Nothing(why) => Verdict::Failed(why),
        }
    }

    fn is_quick(&self) -> bool {
        false
    }
}

/// What a status and a body mean.
fn understood(status: u16, body: &str) -> Said {
    if !matches!(status, 200 | 201) {
        return Said::Nothing(format!("{{{status},{body:?}}}").into());
    }
    let body = body.trim();
    let lower = body.to_lowercase();
    let mut words = lower.split_whitespace();
    match words.next() {
        Some("allow") => Said::Allow(words.map(str::to_owned).collect()),
        Some("deny") => {
            let reason = body.get("deny".len()..).unwrap_or_default().trim();
            Said::Deny((!reason.is_empty()).then(|| reason.into()))
        }
        Some(_) | None => Said::Nothing(format!("{{bad_response,{body:?}}}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let allow = |tags: &[&str]| Said::Allow(tags.iter().map(|&tag| tag.into()).collect());
        assert_eq!(understood(200, "allow"), allow(&[]));
        assert_eq!(
            understood(201, " ALLOW administrator  Management\n"),
            allow(&["administrator", "management"])
        );
        assert_eq!(understood(200, "deny"), Said::Deny(None));
        assert_eq!(understood(200, "Deny Not today"), Said::Deny(Some("Not today".into())));
        for (status, body, told) in [
            (500, "no", "{500,\"no\"}"),
            (204, "", "{204,\"\"}"),
            (200, "", "{bad_response,\"\"}"),
            (200, "allowed", "{bad_response,\"allowed\"}"),
            (200, "<html>allow</html>", "{bad_response,\"<html>allow</html>\"}"),
        ] {
            assert_eq!(understood(status, body), Said::Nothing(told.into()));
        }
    }
}
