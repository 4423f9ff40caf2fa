//! Settings of logins and of TLS.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// SASL mechanisms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Mechanism {
    /// A name and a password.
    Plain,
    /// The same, in a table.
    Amqplain,
    /// The client's certificate; offered to those who have one.
    External,
    /// Whoever comes is one user.
    Anonymous,
}

/// What in a client's certificate is its user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExternalLogin {
    /// The subject, such as `CN=client,O=Warren`.
    #[default]
    DistinguishedName,
    /// The subject's common name.
    CommonName,
    /// The first alternative name.
    SubjectAlternativeName,
}

/// TLS, on a port of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate and its chain, PEM; empty is no TLS.
    pub certificate: PathBuf,
    /// The certificate's key, PEM.
    pub key: PathBuf,
    /// Further certificates, as `host;certificate;key`.
    pub sni: Vec<String>,
    /// Certificates of the authorities that clients' certificates are signed by, PEM.
    pub ca: PathBuf,
    /// Whether clients are asked for certificates.
    pub verify: VerifyPeer,
    /// Whether clients without a certificate are refused.
    pub fail_if_no_peer_cert: bool,
    /// The versions that are spoken.
    pub versions: Vec<TlsVersion>,
    /// The cipher suites that are spoken; empty is all that are good.
    pub ciphers: Vec<String>,
    /// The AMQP port; 0 lets the system choose.
    pub amqp_port: u16,
    /// Seconds that a handshake may take, that of a proxy included.
    pub handshake_timeout: u64,
}

/// Whether clients are asked for certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VerifyPeer {
    /// No.
    #[default]
    None,
    /// Yes, and what they show is verified.
    Peer,
}

/// Versions of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TlsVersion {
    /// TLS 1.2
    #[serde(rename = "1.2")]
    V1_2,
    /// TLS 1.3
    #[serde(rename = "1.3")]
    V1_3,
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self {
            certificate: PathBuf::new(),
            key: PathBuf::new(),
            sni: Vec::new(),
            ca: PathBuf::new(),
            verify: VerifyPeer::default(),
            fail_if_no_peer_cert: false,
            versions: vec![TlsVersion::V1_2, TlsVersion::V1_3],
            ciphers: Vec::new(),
            amqp_port: 5671,
            handshake_timeout: 5,
        }
    }
}
