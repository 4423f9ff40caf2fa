//! The read buffer of a connection: large reads, and frames handed out in place.

use std::io::{self, ErrorKind, Read};

use anyhow::Context;

use crate::wire::frame::{Frame, OVERHEAD, Split, split};

/// Room for a handshake and for idle connections, of which there may be thousands.
const SMALL: usize = 8 * 1024;
/// Room for a read under load. More does not get faster, and this stays in the L2 cache.
const LARGE: usize = 256 * 1024;

/// What came of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filled {
    /// There are new bytes.
    More,
    /// Nothing came before the socket's read timeout.
    Quiet,
    /// The broker closed the socket.
    End,
}

/// Whether a socket's timeout or a signal ended a system call, and the call may be repeated.
pub(super) fn is_pause(fault: &io::Error) -> bool {
    matches!(fault.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Bytes that came and are not taken yet.
pub(super) struct Input {
    bytes: Vec<u8>,
    from: usize,
    to: usize,
    max_payload: usize,
}

impl Input {
    /// An empty one that refuses frames with a larger payload.
    pub(super) fn new(max_payload: usize) -> Self {
        Self { bytes: vec![0; SMALL], from: 0, to: 0, max_payload }
    }

    /// Makes room for load, and for the largest frame that was agreed upon.
    pub(super) fn grow(&mut self, max_payload: usize) {
        self.max_payload = max_payload;
        self.bytes.resize(LARGE.max(2 * (max_payload + OVERHEAD)), 0);
    }

    /// Reads once, as much as there is and fits.
    pub(super) fn fill(&mut self, mut stream: impl Read) -> anyhow::Result<Filled> {
        self.bytes.copy_within(self.from..self.to, 0);
        self.to -= self.from;
        self.from = 0;
        if self.to == self.bytes.len() {
            self.bytes.resize(2 * self.to, 0);
        }
        match stream.read(&mut self.bytes[self.to..]) {
            Ok(0) => Ok(Filled::End),
            Ok(len) => {
                self.to += len;
                Ok(Filled::More)
            }
            Err(fault) if is_pause(&fault) => Ok(Filled::Quiet),
            Err(fault) => Err(fault).context("reading from the broker"),
        }
    }

    /// Takes the next frame, if all of it has come.
    #[inline]
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Frame<'_>>> {
        match split(&self.bytes[self.from..self.to], self.max_payload)? {
            Split::Whole(frame) => {
                self.from += frame.wire_len();
                Ok(Some(frame))
            }
            Split::Needs(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_in_two_reads_is_put_together() {
        let heartbeat = [8, 0, 0, 0, 0, 0, 0, 0xCE];
        let mut input = Input::new(100);
        let mut bytes = heartbeat.to_vec();
        bytes.extend(&heartbeat[..3]);
        assert_eq!(input.fill(&bytes[..]).unwrap(), Filled::More);
        assert!(input.next().unwrap().is_some());
        assert!(input.next().unwrap().is_none());
        assert_eq!(input.fill(&heartbeat[3..]).unwrap(), Filled::More);
        assert!(input.next().unwrap().is_some());
        assert_eq!(input.fill(&[][..]).unwrap(), Filled::End);
    }

    #[test]
    fn a_frame_larger_than_the_buffer_makes_it_grow() {
        let mut frame = vec![3, 0, 1, 0, 0, 0x40, 0];
        frame.resize(7 + 0x4000, 7);
        frame.push(0xCE);
        let mut input = Input::new(0x4000);
        let mut rest = &frame[..];
        while input.next().unwrap().is_none() {
            assert_eq!(input.fill(&mut rest).unwrap(), Filled::More);
        }
        assert!(rest.is_empty());
    }
}
