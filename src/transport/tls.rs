//! Certificates and keys, from files to handshakes, with rustls.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{
    ClientHello, ResolvesServerCert, VerifierBuilderError, WebPkiClientVerifier,
};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig, SupportedProtocolVersion, version};
use tokio_rustls::server::TlsStream;

use super::certificate::{PeerCertificate, expiry};
use crate::config::{TlsConfig, TlsVersion, VerifyPeer};

/// Certificates, and what is asked of clients. Can be read again while the broker runs.
pub struct Tls {
    settings: TlsConfig,
    current: RwLock<Arc<ServerConfig>>,
}

/// What a handshake found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// `tlsv1.2` or `tlsv1.3`.
    pub protocol: &'static str,
    /// The cipher suite's name, such as `TLS13_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// The client's certificate, if it was verified.
    pub certificate: Option<PeerCertificate>,
}

/// When a file's certificate expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// Which setting names it.
    pub setting: &'static str,
    /// The file.
    pub file: PathBuf,
    /// In seconds since 1970.
    pub at: i64,
    /// In words.
    pub date: String,
}

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadTls {
    /// A file cannot be read, or is no PEM.
    #[error("{setting}: {}: {why}", file.display())]
    File {
        /// Which setting names it.
        setting: &'static str,
        /// The file.
        file: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A key that does not fit its certificate, or ciphers that do not go together.
    #[error("tls: {0}")]
    Refused(#[from] rustls::Error),
    /// Certificates of authorities that cannot be used.
    #[error("tls.ca: {0}")]
    Authorities(#[from] VerifierBuilderError),
    /// A setting that makes no sense.
    #[error("{setting} = {value:?}: {why}")]
    Setting {
        /// Which.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl Tls {
    /// Reads the files that the settings name. `None`: they name none.
    pub fn load(settings: &TlsConfig) -> Result<Option<Self>, BadTls> {
        if settings.certificate.as_os_str().is_empty() {
            return Ok(None);
        }
        let current = RwLock::new(Arc::new(server_config(settings)?));
        Ok(Some(Self { settings: settings.clone(), current }))
    }

    /// Reads the files again. Connections that are open stay as they are; if a file cannot be
    /// used, so do the certificates.
    pub fn reload(&self) -> Result<(), BadTls> {
        let config = Arc::new(server_config(&self.settings)?);
        *self.current.write() = config;
        Ok(())
    }

    /// The files that certificates are read from, each with when the first one in it expires: in
    /// seconds since 1970, and in words. What cannot be read is left out.
    pub fn expiries(&self) -> Vec<Expiry> {
        let settings = &self.settings;
        let of_hosts = settings.sni.iter().filter_map(|text| text.split(';').nth(1));
        let of_hosts = of_hosts.map(|file| ("tls.sni", PathBuf::from(file.trim())));
        let asked = settings.verify == VerifyPeer::Peer;
        let named = [("tls.certificate", settings.certificate.clone())];
        let authorities = asked.then(|| ("tls.ca", settings.ca.clone()));
        let all = named.into_iter().chain(of_hosts).chain(authorities);
        let expiry = |(setting, file): (&'static str, PathBuf)| {
            let found = certificates(setting, &file).ok()?;
            let (at, date) = found.iter().filter_map(|der| expiry(der)).min()?;
            Some(Expiry { setting, file, at, date })
        };
        all.filter_map(expiry).collect()
    }

    /// A handshake.
    pub(super) async fn accept(
        &self,
        socket: TcpStream,
    ) -> io::Result<(TlsStream<TcpStream>, TlsFacts)> {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.current.read()));
        let stream = acceptor.accept(socket).await?;
        let (_, connection) = stream.get_ref();
        let protocol = match connection.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => "tlsv1.2",
            _ => "tlsv1.3",
        };
        let suite = connection.negotiated_cipher_suite();
        let cipher = suite.map_or_else(String::new, |suite| format!("{:?}", suite.suite()));
        let first = connection.peer_certificates().and_then(<[CertificateDer<'_>]>::first);
        let certificate = first.and_then(|der| PeerCertificate::read(der));
        Ok((stream, TlsFacts { protocol, cipher, certificate }))
    }
}

fn server_config(settings: &TlsConfig) -> Result<ServerConfig, BadTls> {
    let provider = Arc::new(provider(&settings.ciphers)?);
    let certificates = Certificates::load(settings, &provider)?;
    let versions: Vec<&SupportedProtocolVersion> = settings
        .versions
        .iter()
        .map(|each| match each {
            TlsVersion::V1_2 => &version::TLS12,
            TlsVersion::V1_3 => &version::TLS13,
        })
        .collect();
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_protocol_versions(&versions)?;
    let builder = match settings.verify {
        VerifyPeer::None => builder.with_no_client_auth(),
        VerifyPeer::Peer => {
            let roots = Arc::new(authorities(&settings.ca)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            let verifier = if settings.fail_if_no_peer_cert {
                verifier.build()?
            } else {
                verifier.allow_unauthenticated().build()?
            };
            builder.with_client_cert_verifier(verifier)
        }
    };
    Ok(builder.with_cert_resolver(Arc::new(certificates)))
}

/// The cipher suites that were asked for, or all that are good.
fn provider(ciphers: &[String]) -> Result<CryptoProvider, BadTls> {
    let mut provider = ring::default_provider();
    let name = |suite: &rustls::SupportedCipherSuite| format!("{:?}", suite.suite());
    for wanted in ciphers {
        if !provider.cipher_suites.iter().any(|suite| name(suite) == *wanted) {
            let why = "no such cipher suite; names are rustls's, e.g. TLS13_AES_256_GCM_SHA384";
            return Err(BadTls::Setting { setting: "tls.ciphers", value: wanted.clone(), why });
        }
    }
    if !ciphers.is_empty() {
        provider.cipher_suites.retain(|suite| ciphers.contains(&name(suite)));
    }
    Ok(provider)
}

/// Which certificate is shown: the one of the host that the client asks for, or the default.
struct Certificates {
    default: Arc<CertifiedKey>,
    by_host: HashMap<String, Arc<CertifiedKey>>,
}

impl Certificates {
    fn load(settings: &TlsConfig, provider: &CryptoProvider) -> Result<Self, BadTls> {
        let load = |certificate: &Path, key: &Path| certified(certificate, key, provider);
        let default = load(&settings.certificate, &settings.key)?;
        let mut by_host = HashMap::new();
        for text in &settings.sni {
            let [host, certificate, key] = text.split(';').collect::<Vec<_>>()[..] else {
                let why = "expected host;certificate;key";
                return Err(BadTls::Setting { setting: "tls.sni", value: text.clone(), why });
            };
            let certified = load(certificate.trim().as_ref(), key.trim().as_ref())?;
            by_host.insert(host.trim().to_lowercase(), certified);
        }
        Ok(Self { default, by_host })
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("hosts", &self.by_host.len()).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host = hello.server_name().map(str::to_lowercase);
        let of_host = host.and_then(|host| self.by_host.get(&host));
        Some(Arc::clone(of_host.unwrap_or(&self.default)))
    }
}

fn certified(
    certificate: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, BadTls> {
    let chain = certificates("tls.certificate", certificate)?;
    let bad_key = |why: String| BadTls::File { setting: "tls.key", file: key.into(), why };
    let key = PrivateKeyDer::from_pem_file(key).map_err(|why| bad_key(why.to_string()))?;
    Ok(Arc::new(CertifiedKey::from_der(chain, key, provider)?))
}

fn authorities(file: &Path) -> Result<RootCertStore, BadTls> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("tls.ca", file)? {
        roots.add(certificate)?;
    }
    Ok(roots)
}

fn certificates(
    setting: &'static str,
    file: &Path,
) -> Result<Vec<CertificateDer<'static>>, BadTls> {
    let bad = |why: String| BadTls::File { setting, file: file.into(), why };
    let found = CertificateDer::pem_file_iter(file).map_err(|why| bad(why.to_string()))?;
    let found: Result<Vec<_>, _> = found.collect();
    let found = found.map_err(|why| bad(why.to_string()))?;
    if found.is_empty() { Err(bad("there is no certificate in it".into())) } else { Ok(found) }
}
