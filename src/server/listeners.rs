//! The ports of a broker, opened before anything else: what is taken is found out at once.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpListener;

use super::CannotStart;
use crate::config::Config;
use crate::management::Ports;
use crate::net;

/// All ports.
pub(super) struct Listeners {
    amqp: TcpListener,
    amqps: Option<TcpListener>,
    http: TcpListener,
    https: Option<TcpListener>,
    prometheus: TcpListener,
    prometheus_tls: Option<TcpListener>,
}

/// One port, and what is spoken there.
pub(super) enum Listener {
    Amqp(TcpListener),
    Http(TcpListener),
    Prometheus(TcpListener),
}

impl Listeners {
    /// Opens them. Those with TLS need a certificate.
    pub(super) async fn open(config: &Config, has_certificate: bool) -> Result<Self, CannotStart> {
        let (http, prometheus) = (&config.http, &config.prometheus);
        for (wanted, setting) in
            [(http.https, "http.https"), (prometheus.https, "prometheus.https")]
        {
            if wanted && !has_certificate {
                return Err(CannotStart::NoCertificate(setting));
            }
        }
        Ok(Self {
            amqp: amqp(config, "AMQP", config.amqp.port)?,
            amqps: match has_certificate {
                true => Some(amqp(config, "AMQP TLS", config.tls.amqp_port)?),
                false => None,
            },
            http: bind("HTTP", http.bind, http.port).await?,
            https: match http.https {
                true => Some(bind("HTTPS", http.bind, http.https_port).await?),
                false => None,
            },
            prometheus: bind("Prometheus", prometheus.bind, prometheus.port).await?,
            prometheus_tls: match prometheus.https {
                true => Some(bind("Prometheus TLS", prometheus.bind, prometheus.https_port).await?),
                false => None,
            },
        })
    }

    /// Where they are.
    pub(super) fn ports(&self) -> Result<Ports, CannotStart> {
        let of = |what, listener: &TcpListener| {
            let unset = SocketAddr::from(([0, 0, 0, 0], 0));
            listener.local_addr().map_err(|why| cannot(what, unset, why))
        };
        let some = |what, listener: &Option<TcpListener>| {
            listener.as_ref().map(|listener| of(what, listener)).transpose()
        };
        Ok(Ports {
            amqp: of("AMQP", &self.amqp)?,
            amqps: some("AMQP TLS", &self.amqps)?,
            http: of("HTTP", &self.http)?,
            https: some("HTTPS", &self.https)?,
            prometheus: of("Prometheus", &self.prometheus)?,
            prometheus_tls: some("Prometheus TLS", &self.prometheus_tls)?,
        })
    }

    /// Each of them, and whether TLS is spoken there.
    pub(super) fn of_each(self) -> impl Iterator<Item = (Listener, bool)> {
        let plain = [
            Listener::Amqp(self.amqp),
            Listener::Http(self.http),
            Listener::Prometheus(self.prometheus),
        ];
        let encrypted = [
            self.amqps.map(Listener::Amqp),
            self.https.map(Listener::Http),
            self.prometheus_tls.map(Listener::Prometheus),
        ];
        let plain = plain.into_iter().map(|listener| (listener, false));
        plain.chain(encrypted.into_iter().flatten().map(|listener| (listener, true)))
    }
}

fn amqp(config: &Config, what: &'static str, port: u16) -> Result<TcpListener, CannotStart> {
    let address = SocketAddr::new(config.amqp.bind, port);
    net::listener::listen(&config.amqp, port).map_err(|why| cannot(what, address, why))
}

async fn bind(what: &'static str, to: IpAddr, port: u16) -> Result<TcpListener, CannotStart> {
    let address = SocketAddr::new(to, port);
    TcpListener::bind(address).await.map_err(|why| cannot(what, address, why))
}

fn cannot(what: &'static str, address: SocketAddr, why: io::Error) -> CannotStart {
    CannotStart::Port { what, address, why }
}
