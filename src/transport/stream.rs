//! A plain or a TLS connection, whole or in halves. Which of the two it is, is found out once.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, ReadBuf,
    ReadHalf, WriteHalf,
};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_rustls::server::TlsStream;

/// What one TLS record holds at most.
const RECORD: usize = 16 * 1024;

/// A connection.
pub enum Stream {
    /// As it is.
    Plain(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream<TcpStream>>),
}

/// The half of a connection that is read.
pub enum Reader {
    /// As it is.
    Plain(OwnedReadHalf),
    /// Encrypted. What was deciphered while waiting is kept until it is read.
    Tls(Box<BufReader<ReadHalf<TlsStream<TcpStream>>>>),
}

/// The half of a connection that is written.
pub enum Writer {
    /// As it is.
    Plain(OwnedWriteHalf),
    /// Encrypted.
    Tls(WriteHalf<TlsStream<TcpStream>>),
}

impl Stream {
    /// Both halves.
    pub fn split(self) -> (Reader, Writer) {
        match self {
            Self::Plain(socket) => {
                let (read, write) = socket.into_split();
                (Reader::Plain(read), Writer::Plain(write))
            }
            Self::Tls(stream) => {
                let (read, write) = tokio::io::split(*stream);
                let read = BufReader::with_capacity(RECORD, read);
                (Reader::Tls(Box::new(read)), Writer::Tls(write))
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(task, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(task, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(task, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(task, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(task),
            Self::Tls(stream) => Pin::new(stream).poll_flush(task),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(task),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(task),
        }
    }
}

impl Reader {
    /// Waits until there is something to read, or the end.
    pub async fn readable(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(read) => read.readable().await,
            Self::Tls(read) => read.fill_buf().await.map(|_| ()),
        }
    }

    /// Reads and forgets until the peer is done.
    pub async fn drain(&mut self) {
        let mut nothing = [0; 1024];
        while let Ok(1..) = self.read(&mut nothing).await {}
    }
}

impl Writer {
    /// Writes all of it.
    pub async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(write) => write.write_all(bytes).await,
            Self::Tls(write) => {
                write.write_all(bytes).await?;
                write.flush().await
            }
        }
    }

    /// Writes some of it. Returns how much.
    pub async fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(write) => write.write_vectored(slices).await,
            Self::Tls(write) => {
                let count = write.write_vectored(slices).await?;
                write.flush().await?;
                Ok(count)
            }
        }
    }

    /// Ends the stream; the peer sees that.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(write) => write.shutdown().await,
            Self::Tls(write) => write.shutdown().await,
        }
    }
}

impl AsyncRead for Reader {
    fn poll_read(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(read) => Pin::new(read).poll_read(task, buffer),
            Self::Tls(read) => Pin::new(read).poll_read(task, buffer),
        }
    }
}
