//! An address to listen on, out of `bind`, and the socket that listens there.

use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs as _};

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// An address or a name; `0.0.0.0` and `::` are all of their family (the latter without IPv4).
    pub host: String,
    /// Written with a leading `-`: it is no error when the machine does not have it.
    pub optional: bool,
}

impl Listen {
    /// Reads one word of `bind`; `*` and `::*` are Redis' names for all of a family.
    pub fn parse(text: &str) -> Listen {
        let (host, optional) = match text.strip_prefix('-') {
            Some(host) => (host, true),
            None => (text, false),
        };
        let host = match host {
            "*" => "0.0.0.0",
            "::*" => "::",
            other => other,
        };
        Listen { host: host.into(), optional }
    }

    /// Opens the listening sockets of this address (a name may have several), nonblocking. None at all when the
    /// machine does not have an optional address; a port in use is an error even then.
    pub fn open(&self, port: u16, backlog: u32) -> io::Result<Vec<TcpListener>> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}:{port}: {error}", self.host));
        let opened = (self.host.as_str(), port).to_socket_addrs().and_then(|addresses| {
            addresses.map(|address| open(address, backlog)).collect::<io::Result<Vec<_>>>()
        });
        match opened {
            Err(error) if self.optional && error.kind() != io::ErrorKind::AddrInUse => Ok(Vec::new()),
            other => other.map_err(named),
        }
    }
}

fn open(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // Without this `::` would take IPv4 too, and collide with `0.0.0.0` beside it.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redis_signs_are_known() {
        assert_eq!(Listen::parse("*"), Listen { host: "0.0.0.0".into(), optional: false });
        assert_eq!(Listen::parse("-::*"), Listen { host: "::".into(), optional: true });
        assert_eq!(Listen::parse("-10.0.0.1"), Listen { host: "10.0.0.1".into(), optional: true });
    }

    #[test]
    fn both_families_share_a_port() {
        let port = Listen::parse("*").open(0, 5).unwrap()[0].local_addr().unwrap().port();
        let four = Listen::parse("*").open(port, 5).unwrap();
        assert_eq!(four.len(), 1);
        // A machine without IPv6 has none to open, and that is no error for an optional address.
        assert!(Listen::parse("-::*").open(port, 5).unwrap().len() <= 1);
        assert_eq!(Listen::parse("-*").open(port, 5).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn an_address_of_another_machine_is_an_error_unless_optional() {
        let error = Listen::parse("192.0.2.1").open(0, 5).unwrap_err();
        assert!(error.to_string().starts_with("192.0.2.1:0: "), "{error}");
        assert!(Listen::parse("-192.0.2.1").open(0, 5).unwrap().is_empty());
    }
}
