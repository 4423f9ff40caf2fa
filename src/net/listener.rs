//! The AMQP port: accepts connections and gives each its session.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::session::{Common, serve};
use crate::broker::Broker;
use crate::broker::actor::acting;
use crate::config::AmqpConfig;
use crate::transport::Transport;

/// How long to wait when the system has no file descriptor left for another connection.
const OUT_OF_SOCKETS: Duration = Duration::from_millis(100);

/// Opens the port.
pub fn listen(config: &AmqpConfig, port: u16) -> io::Result<TcpListener> {
    let address = SocketAddr::new(config.bind, port);
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(config.backlog)
}

/// Accepts connections until the task is ended.
///
/// While an operator has suspended listening the port is closed, so that load balancers see it.
pub async fn accept(mut listener: TcpListener, broker: Arc<Broker>, transport: Transport) {
    let common = Arc::new(Common { broker });
    let transport = Arc::new(transport);
    let control = &common.broker.control;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, peer)) => welcome(&common, &transport, socket, peer),
                Err(error) => {
                    tracing::error!(%error, "cannot accept a connection");
                    tokio::time::sleep(OUT_OF_SOCKETS).await;
                }
            },
            () = control.accepting(false) => {
                let Ok(address) = listener.local_addr() else { continue };
                drop(listener);
                control.accepting(true).await;
                listener = reopen(&common.broker.config.amqp, address.port()).await;
            }
        }
    }
}

/// Opens a port again that was this broker's: if somebody else has it by now, once they let go.
async fn reopen(config: &AmqpConfig, port: u16) -> TcpListener {
    loop {
        match listen(config, port) {
            Ok(listener) => return listener,
            Err(error) => {
                tracing::error!(%error, port, "cannot listen again");
                tokio::time::sleep(OUT_OF_SOCKETS).await;
            }
        }
    }
}

fn welcome(common: &Arc<Common>, transport: &Arc<Transport>, socket: TcpStream, peer: SocketAddr) {
    let max = common.broker.config.amqp.max_connections;
    // Those that are shaking hands count too: nobody is to hold sockets without end.
    let there = common.broker.peers.len() + Arc::strong_count(transport) - 1;
    if max != 0 && there >= max {
        tracing::warn!(%peer, "refused: amqp.max_connections ({max}) is reached");
        return;
    }
    // Small frames must not wait for more: the writer gathers what belongs together.
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let to = socket.local_addr().unwrap_or(peer);
    let common = Arc::clone(common);
    let handshake = Arc::clone(transport);
    tokio::spawn(acting(async move {
        match handshake.prepare(socket, peer).await {
            Ok(ready) => {
                drop(handshake);
                serve(common, ready, to).await;
            }
            Err(error) => tracing::warn!(%peer, "connection refused: {error}"),
        }
    }));
}
