//! A connection's writer: swaps the outbox's buffer out and writes it.

use std::io;
use std::sync::Arc;

use crate::broker::peers::Peer;
use crate::transport::Writer;
use crate::wire::encode::Out;

/// How many slices one vectored write takes at most; the system allows 1024.
const SLICES: usize = 256;

/// Writes until the outbox is closed and empty, or the peer is gone.
pub(super) async fn run(peer: Arc<Peer>, mut socket: Writer) {
    let outbox = &peer.outbox;
    while let Some(out) = outbox.take().await {
        if let Err(error) = write(&mut socket, &out).await {
            tracing::debug!(connection = %peer.name(), %error, "cannot write to a client");
            outbox.break_off();
            return;
        }
        peer.socket.sent.add(1);
        peer.socket.sent_bytes.add(out.len() as u64);
        outbox.written(out);
    }
    // The peer sees the end of the stream; if it is gone already, so much the better.
    let _ = socket.shutdown().await;
}

async fn write(socket: &mut Writer, out: &Out) -> io::Result<()> {
    if let Some(bytes) = out.contiguous() {
        return socket.write_all(bytes).await;
    }
    let mut sent = 0;
    while sent < out.len() {
        let slices = out.slices(sent, SLICES);
        match socket.write_vectored(&slices).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => sent += count,
        }
    }
    Ok(())
}
