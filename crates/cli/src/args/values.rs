//! The forms of single values: addresses, names, times, sizes. What is wrong with a value is said together with what
//! to write instead.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use clap::builder::{RangedI64ValueParser, TypedValueParser};
use drystone::x509::ServerName;

/// The least MTU is the library's, the highest what UDP over IPv4 can carry (RFC 768, RFC 791).
const MTUS: std::ops::RangeInclusive<i64> = drystone::MIN_MTU as i64..=65_507;

/// A host's name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPort {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl HostPort {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let shape = || "give HOST:PORT, for example localhost:4433 or [::1]:4433".to_owned();
        let (host, port) = text.rsplit_once(':').ok_or_else(shape)?;
        let host = match host.strip_prefix('[') {
            Some(bracketed) => bracketed.strip_suffix(']').ok_or_else(shape)?,
            None if host.contains(':') => return Err(shape()),
            None => host,
        };
        let port =
            port.parse().ok().filter(|port| *port != 0).ok_or("the port is a number from 1 to 65535")?;
        if host.is_empty() { Err(shape()) } else { Ok(Self { host: host.to_owned(), port }) }
    }

    /// What the certificate is compared with: the host without the zone of a link-local address, which means something
    /// on this machine only (RFC 4007 section 6).
    pub(crate) fn name(&self) -> Result<ServerName<'static>, String> {
        let name = match self.host.split_once('%') {
            Some((address, _)) if self.host.contains(':') => address,
            _ => &self.host,
        };
        parse_name(name)
    }
}

/// Keying material that is asked for (RFC 5705).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Export {
    pub(crate) label: String,
    pub(crate) length: u16,
}

impl Export {
    /// Labels may hold colons: the last one counts.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let shape = "give LABEL:LEN, for example EXPERIMENTAL-mine:32, with a length from 1 to 65535";
        let (label, length) = text.rsplit_once(':').ok_or(shape)?;
        let length = length.parse().ok().filter(|length| *length != 0).ok_or(shape)?;
        if label.is_empty() { Err(shape.to_owned()) } else { Ok(Self { label: label.to_owned(), length }) }
    }
}

pub(crate) fn parse_name(text: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(text.to_owned())
        .map_err(|_| "this is neither a DNS name nor an IP address".to_owned())
}

/// The address of a server's socket.
pub(super) fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "give an address and a port, for example 127.0.0.1:4433, 0.0.0.0:4433 or [::]:4433; names are not looked up"
            .to_owned()
    })
}

/// The address of a client's socket, whose port may be left to the operating system.
pub(super) fn parse_bind(text: &str) -> Result<SocketAddr, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let without_port = bare.parse::<IpAddr>().map(|address| SocketAddr::new(address, 0));
    without_port.or_else(|_| text.parse()).map_err(|_| {
        "give an address of this machine, for example 192.0.2.1, 192.0.2.1:5000 or [2001:db8::1]:5000"
            .to_owned()
    })
}

/// A time that is over some day.
pub(super) fn parse_seconds(text: &str) -> Result<Duration, String> {
    let duration = parse_wait(text)?;
    if duration.is_zero() { Err("give more than 0 seconds".to_owned()) } else { Ok(duration) }
}

/// A time that may be none.
pub(super) fn parse_wait(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| "give a number of seconds".to_owned())
}

pub(super) fn mtu() -> impl TypedValueParser<Value = u16> {
    RangedI64ValueParser::<u16>::new().range(MTUS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        let parse = |text| HostPort::parse(text).map(|found| (found.host, found.port)).ok();
        assert_eq!(parse("localhost:4433"), Some(("localhost".to_owned(), 4433)));
        assert_eq!(parse("[::1]:1"), Some(("::1".to_owned(), 1)));
        for wrong in ["localhost", "::1:1", "[::1:1", ":1", "host:", "host:0", "host:65536", "host:x"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_zone_is_no_part_of_the_name() {
        let name = |text| HostPort::parse(text).unwrap().name().map(|name| name.to_str().into_owned());
        assert_eq!(name("[fe80::1%eth0]:1"), Ok("fe80::1".to_owned()));
        assert_eq!(name("example.org:1"), Ok("example.org".to_owned()));
        assert!(name("no%host:1").is_err() && name("no host:1").is_err());
    }

    #[test]
    fn own_addresses() {
        let bind = |text| parse_bind(text).map(|address| address.to_string()).ok();
        assert_eq!(bind("127.0.0.1").as_deref(), Some("127.0.0.1:0"));
        assert_eq!(bind("127.0.0.1:5000").as_deref(), Some("127.0.0.1:5000"));
        assert_eq!(bind("::1").as_deref(), Some("[::1]:0"));
        assert_eq!(bind("[::1]").as_deref(), Some("[::1]:0"));
        assert_eq!(bind("[::1]:7").as_deref(), Some("[::1]:7"));
        assert_eq!(bind("localhost"), None);
        assert!(parse_listen("127.0.0.1:0").is_ok() && parse_listen("[::]:4433").is_ok());
        for wrong in ["localhost:0", "4433", "127.0.0.1"] {
            assert!(parse_listen(wrong).unwrap_err().contains("0.0.0.0:4433"), "{wrong}");
        }
    }

    #[test]
    fn seconds() {
        assert_eq!(parse_seconds("1.5"), Ok(Duration::from_millis(1500)));
        for wrong in ["0", "-1", "nan", "soon", "1e30"] {
            assert!(parse_seconds(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_wait("0"), Ok(Duration::ZERO));
        assert!(parse_wait("-1").is_err());
    }

    #[test]
    fn exports() {
        let export = |text| Export::parse(text).map(|found| (found.label, found.length)).ok();
        assert_eq!(export("EXTRACTOR-dtls_srtp:60"), Some(("EXTRACTOR-dtls_srtp".to_owned(), 60)));
        assert_eq!(export("a:b:1"), Some(("a:b".to_owned(), 1)));
        for wrong in ["a", "a:", ":1", "a:0", "a:65536", "a:x"] {
            assert_eq!(export(wrong), None, "{wrong}");
        }
    }
}
