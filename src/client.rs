//! HTTP as a client: a bound on time and size, and the certificates that count.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use crate::config::VerifyPeer;

/// What an answer may have in bytes: a set of keys is a few thousand.
const LONGEST_ANSWER: u64 = 1 << 20;
/// How often a request is sent again whose connection was closed meanwhile, as RabbitMQ does.
const RETRIES: usize = 3;

/// A setting with which nobody can be asked.
#[derive(Debug, thiserror::Error)]
#[error("{setting}: {why}")]
pub struct BadClientSetting {
    /// The setting.
    pub setting: &'static str,
    /// What is wrong with it.
    pub why: String,
}

/// Whom to believe, and what to show.
pub(crate) struct Certificates<'a> {
    pub(crate) verify: VerifyPeer,
    pub(crate) ca: (&'static str, &'a Path),
    /// A certificate and its key.
    pub(crate) own: Option<[(&'static str, &'a Path); 2]>,
}

impl Certificates<'_> {
    /// What sends requests, each of which may take so long, and so long of that for its connection.
    pub(crate) fn agent(
        &self,
        timeout: Duration,
        connect: Duration,
    ) -> Result<ureq::Agent, BadClientSetting> {
        let mut tls = TlsConfig::builder()
            .disable_verification(self.verify == VerifyPeer::None)
            .root_certs(roots(self.ca)?);
        if let Some(own) = &self.own {
            tls = tls.client_cert(own_certificate(own)?);
        }
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // Passwords go where the settings say and nowhere else.
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(timeout))
            .timeout_connect(Some(connect))
            .tls_config(tls.build())
            .build();
        Ok(agent.into())
    }
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Why nothing did, as RabbitMQ has it where it is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NoAnswer(pub(crate) String);

/// Something that asks over HTTP.
pub(crate) struct Client {
    agent: ureq::Agent,
}

impl Client {
    pub(crate) fn new(
        certificates: &Certificates<'_>,
        timeout: Duration,
        connect: Duration,
    ) -> Result<Self, BadClientSetting> {
        Ok(Self { agent: certificates.agent(timeout, connect)? })
    }

    pub(crate) fn get(&self, url: &str) -> Result<Answer, NoAnswer> {
        self.patiently(|agent| agent.get(url).call())
    }

    pub(crate) fn post(&self, url: &str, form: &str) -> Result<Answer, NoAnswer> {
        let content_type = "application/x-www-form-urlencoded";
        self.patiently(|agent| agent.post(url).content_type(content_type).send(form))
    }

    /// A connection that was kept open may be gone by now.
    fn patiently(
        &self,
        send: impl Fn(&ureq::Agent) -> Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Answer, NoAnswer> {
        let mut tries = 0;
        let mut response = loop {
            match send(&self.agent) {
                Ok(response) => break response,
                Err(error) if tries < RETRIES && was_closed(&error) => tries += 1,
                Err(error) => return Err(no_answer(&error)),
            }
        };
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(LONGEST_ANSWER).read_to_string();
        Ok(Answer { status, body: body.map_err(|error| no_answer(&error))? })
    }
}

fn was_closed(error: &ureq::Error) -> bool {
    let ureq::Error::Io(error) = error else { return false };
    let closed = [ErrorKind::ConnectionReset, ErrorKind::ConnectionAborted, ErrorKind::BrokenPipe];
    closed.contains(&error.kind()) || error.kind() == ErrorKind::UnexpectedEof
}

fn no_answer(error: &ureq::Error) -> NoAnswer {
    let is_refused = |error: &std::io::Error| error.kind() == ErrorKind::ConnectionRefused;
    NoAnswer(if matches!(error, ureq::Error::Timeout(_)) {
        "timeout".into()
    } else if matches!(error, ureq::Error::Io(error) if is_refused(error)) {
        "econnrefused".into()
    } else if matches!(error, ureq::Error::HostNotFound) {
        "nxdomain".into()
    } else {
        error.to_string()
    })
}

fn roots((setting, file): (&'static str, &Path)) -> Result<RootCerts, BadClientSetting> {
    if file.as_os_str().is_empty() {
        return Ok(RootCerts::WebPki);
    }
    let certificates = certificates_of(setting, file)?;
    Ok(RootCerts::Specific(Arc::new(certificates)))
}

fn own_certificate(
    [(setting, certificate), (key_setting, key)]: &[(&'static str, &Path); 2],
) -> Result<Option<ClientCert>, BadClientSetting> {
    if certificate.as_os_str().is_empty() {
        return Ok(None);
    }
    let chain = certificates_of(setting, certificate)?;
    let bad = |error: ureq::Error| unusable(key_setting, key, &error.to_string());
    let key = PrivateKey::from_pem(&read(key_setting, key)?).map_err(bad)?;
    Ok(Some(ClientCert::new_with_certs(&chain, key)))
}

fn certificates_of(
    setting: &'static str,
    file: &Path,
) -> Result<Vec<Certificate<'static>>, BadClientSetting> {
    let pem = read(setting, file)?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(unusable(setting, file, &error.to_string())),
        }
    }
    if certificates.is_empty() {
        return Err(unusable(setting, file, "has no certificate"));
    }
    Ok(certificates)
}

/// A file that a setting names.
pub(crate) fn read(setting: &'static str, file: &Path) -> Result<Vec<u8>, BadClientSetting> {
    std::fs::read(file).map_err(|error| unusable(setting, file, &error.to_string()))
}

/// A file that a setting names and that is of no use.
pub(crate) fn unusable(setting: &'static str, file: &Path, why: &str) -> BadClientSetting {
    BadClientSetting { setting, why: format!("{}: {why}", file.display()) }
}
