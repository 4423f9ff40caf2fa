//! The PROXY protocol, versions 1 and 2: who is at the other end of a load balancer.
//!
//! Only addresses that are named in the settings are believed, and those have to send a header:
//! anybody else could claim to come from this machine.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

use ppp::{v1, v2};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// What every header is at least as long as (`PROXY UNKNOWN\r\n`).
const SHORTEST: usize = 15;
/// The longest line of version 1, end included.
const LONGEST_LINE: usize = 107;
/// Head of version 2: signature, version, family, length.
const V2_HEAD: usize = 16;
/// What version 2's addresses and extras may take together.
const LONGEST_V2: usize = 4096;

/// Addresses, as networks such as `10.0.0.0/8`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(Vec<(IpAddr, u8)>);

/// Text that is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is neither an address nor a network such as 10.0.0.0/8")]
pub struct BadRange(pub String);

/// What a trusted address sent instead of a PROXY header.
#[derive(Debug, thiserror::Error)]
pub enum BadProxyHeader {
    /// Something else.
    #[error("a trusted proxy sent no PROXY header")]
    Missing,
    /// A header that cannot be read.
    #[error("a trusted proxy sent a PROXY header that cannot be read: {0}")]
    Malformed(String),
    /// Nothing more.
    #[error("a trusted proxy sent no whole PROXY header: {0}")]
    Truncated(#[from] io::Error),
}

impl Ranges {
    /// Reads addresses and networks.
    pub fn parse(texts: &[String]) -> Result<Self, BadRange> {
        texts.iter().map(|text| range(text)).collect::<Result<_, _>>().map(Self)
    }

    /// Whether an address is in one of them.
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|(network, prefix)| match (address, network) {
            (IpAddr::V4(address), IpAddr::V4(network)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(*prefix)).unwrap_or(0);
                (address.to_bits() ^ network.to_bits()) & mask == 0
            }
            (IpAddr::V6(address), IpAddr::V6(network)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(*prefix)).unwrap_or(0);
                (address.to_bits() ^ network.to_bits()) & mask == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        })
    }
}

fn range(text: &str) -> Result<(IpAddr, u8), BadRange> {
    let bad = || BadRange(text.into());
    let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
    let address: IpAddr = address.trim().parse().map_err(|_| bad())?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => longest,
        Some(prefix) => prefix.trim().parse().map_err(|_| bad())?,
    };
    if prefix > longest { Err(bad()) } else { Ok((address, prefix)) }
}

/// Reads who is at the other end, and not a byte more than the header. `None`: the proxy speaks for itself (a health check).
pub(super) async fn read_header(
    socket: &mut TcpStream,
) -> Result<Option<SocketAddr>, BadProxyHeader> {
    let mut bytes = vec![0; SHORTEST];
    socket.read_exact(&mut bytes).await?;
    if bytes.starts_with(v2::PROTOCOL_PREFIX) {
        bytes.push(socket.read_u8().await?);
        let rest = usize::from(u16::from_be_bytes([bytes[V2_HEAD - 2], bytes[V2_HEAD - 1]]));
        if rest > LONGEST_V2 {
            return Err(malformed("it is too long"));
        }
        bytes.resize(V2_HEAD + rest, 0);
        socket.read_exact(&mut bytes[V2_HEAD..]).await?;
        return version_2(&bytes);
    }
    if !bytes.starts_with(b"PROXY ") {
        return Err(BadProxyHeader::Missing);
    }
    while !bytes.ends_with(b"\r\n") {
        if bytes.len() == LONGEST_LINE {
            return Err(malformed("its line is too long"));
        }
        bytes.push(socket.read_u8().await?);
    }
    version_1(&bytes)
}

fn version_1(bytes: &[u8]) -> Result<Option<SocketAddr>, BadProxyHeader> {
    let header = v1::Header::try_from(bytes).map_err(malformed)?;
    Ok(match header.addresses {
        v1::Addresses::Tcp4(ends) => Some((ends.source_address, ends.source_port).into()),
        v1::Addresses::Tcp6(ends) => Some((ends.source_address, ends.source_port).into()),
        v1::Addresses::Unknown => None,
    })
}

fn version_2(bytes: &[u8]) -> Result<Option<SocketAddr>, BadProxyHeader> {
    let header = v2::Header::try_from(bytes).map_err(malformed)?;
    if header.command == v2::Command::Local {
        return Ok(None);
    }
    Ok(match header.addresses {
        v2::Addresses::IPv4(ends) => Some((ends.source_address, ends.source_port).into()),
        v2::Addresses::IPv6(ends) => Some((ends.source_address, ends.source_port).into()),
        v2::Addresses::Unspecified | v2::Addresses::Unix(_) => None,
    })
}

fn malformed(why: impl fmt::Display) -> BadProxyHeader {
    BadProxyHeader::Malformed(why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contain(range: &str, address: &str) -> bool {
        let ranges = Ranges::parse(&[range.to_owned()]).expect("good");
        ranges.contain(address.parse().expect("an address"))
    }

    #[test]
    fn networks() {
        assert!(contain("10.0.0.0/8", "10.255.0.1"));
        assert!(!contain("10.0.0.0/8", "11.0.0.1"));
        assert!(contain("10.0.0.1", "10.0.0.1") && !contain("10.0.0.1", "10.0.0.2"));
        assert!(contain("0.0.0.0/0", "192.0.2.1") && !contain("0.0.0.0/0", "::1"));
        assert!(contain("fd00::/8", "fdff::1") && contain("::1", "::1"));
        assert!(contain("::/0", "fd00::1"));
        // What an IPv6 socket says of an IPv4 client.
        assert!(contain("127.0.0.0/8", "::ffff:127.0.0.1"));
        for bad in ["", "10.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/x", "host/8"] {
            assert_eq!(Ranges::parse(&[bad.to_owned()]), Err(BadRange(bad.into())));
        }
    }

    #[test]
    fn what_a_proxy_tells() {
        let source = SocketAddr::from(([192, 0, 2, 7], 4000));
        let destination = SocketAddr::from(([10, 0, 0, 1], 5672));
        let line = version_1(b"PROXY TCP4 192.0.2.7 10.0.0.1 4000 5672\r\n").expect("good");
        assert_eq!(line, Some(source));
        let bytes = v2::Builder::with_addresses(
            v2::Version::Two | v2::Command::Proxy,
            v2::Protocol::Stream,
            (source, destination),
        );
        let bytes = bytes.build().expect("built");
        assert_eq!(version_2(&bytes).expect("good"), Some(source));
        assert_eq!(version_1(b"PROXY UNKNOWN\r\n").expect("good"), None);
        assert!(version_1(b"PROXY TCP4 nobody 10.0.0.1 4000 5672\r\n").is_err());
    }
}
