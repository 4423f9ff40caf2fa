//! A connection before its first protocol byte: what a proxy says about it, and TLS.
//!
//! Owns handshakes, certificates and their reload; the AMQP ports are served on the
//! [`Stream`]s that come out. It must not know AMQP or HTTP.

mod certificate;
mod proxy;
mod stream;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

pub use certificate::PeerCertificate;
pub use proxy::{BadProxyHeader, BadRange, Ranges};
pub use stream::{Reader, Stream, Writer};
pub use tls::{BadTls, Expiry, Tls, TlsFacts};

/// How connections of one port are made ready.
#[derive(Clone)]
pub struct Transport {
    /// Whose PROXY headers are believed; they have to send one.
    pub proxies: Ranges,
    /// Certificates, if the port speaks TLS.
    pub tls: Option<Arc<Tls>>,
    /// How long a PROXY header and a TLS handshake may take.
    pub timeout: Duration,
}

/// A connection whose first protocol byte is to come.
pub struct Ready {
    /// What is read and written.
    pub stream: Stream,
    /// Who is at the other end, also if a proxy stands between.
    pub peer: SocketAddr,
    /// What TLS found out.
    pub tls: Option<TlsFacts>,
}

/// Why a connection did not become ready.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// It took too long.
    #[error("the handshake timed out")]
    TimedOut,
    /// A trusted proxy sent no PROXY header, or a bad one.
    #[error(transparent)]
    Proxy(#[from] BadProxyHeader),
    /// No TLS, or a certificate that is not accepted.
    #[error("TLS: {0}")]
    Tls(io::Error),
}

impl Transport {
    /// Whether a connection from here is ready as it is.
    pub fn has_nothing_to_do(&self, peer: SocketAddr) -> bool {
        self.tls.is_none() && !self.proxies.contain(peer.ip())
    }

    /// Makes a connection ready.
    pub async fn prepare(&self, socket: TcpStream, peer: SocketAddr) -> Result<Ready, NotReady> {
        if self.has_nothing_to_do(peer) {
            return Ok(Ready { stream: Stream::Plain(socket), peer, tls: None });
        }
        let ready = timeout(self.timeout, self.shake_hands(socket, peer)).await;
        ready.unwrap_or(Err(NotReady::TimedOut))
    }

    async fn shake_hands(
        &self,
        mut socket: TcpStream,
        mut peer: SocketAddr,
    ) -> Result<Ready, NotReady> {
        if self.proxies.contain(peer.ip())
            && let Some(source) = proxy::read_header(&mut socket).await?
        {
            peer = source;
        }
        let Some(tls) = &self.tls else {
            return Ok(Ready { stream: Stream::Plain(socket), peer, tls: None });
        };
        let (stream, facts) = tls.accept(socket).await.map_err(NotReady::Tls)?;
        let stream = Stream::Tls(Box::new(stream));
        Ok(Ready { stream, peer, tls: Some(facts) })
    }
}
