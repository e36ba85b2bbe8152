//! The nodes of the shard, from what this node knows of them.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::command::server::{Member, Server};
use crate::resp::{Failure, Reply};
use crate::session::Client;

/// Hash slots of a Redis Cluster.
pub const SLOTS: i64 = 16384;

#[derive(Debug, Clone)]
pub struct Node {
    /// 40 hex digits, the same on every node and after a restart.
    pub hex: String,
    pub host: String,
    pub port: u16,
    pub offset: u64,
    pub leads: bool,
    pub is_self: bool,
}

#[derive(Debug)]
pub struct View {
    pub nodes: Vec<Node>,
    pub last_leader: Option<Node>,
}

impl View {
    /// As `client` may be told: a server that stands alone is where the client found it.
    pub fn of(server: &Server, client: &Client) -> Self {
        let status = &server.status;
        let node = |member: &Member| Node {
            hex: hex_id("node", &member.id),
            host: member.host.clone(),
            port: member.port,
            offset: if member.id == status.node { status.offset } else { member.offset },
            leads: member.id == status.leader,
            is_self: member.id == status.node,
        };
        if server.config.zookeeper.is_none() {
            return Self { nodes: vec![alone(server, client)], last_leader: None };
        }
        Self {
            nodes: status.members.iter().map(node).collect(),
            last_leader: server.last_leader.as_ref().map(|last| Node { leads: true, ..node(last) }),
        }
    }

    pub fn leader(&self) -> Option<&Node> {
        self.nodes.iter().find(|node| node.leads)
    }

    /// A line of `CLUSTER NODES`.
    pub fn line(&self, node: &Node, epoch: u64) -> String {
        let leader = self.leader();
        let (role, of) = match leader {
            _ if node.leads => ("master", "-"),
            Some(leader) => ("slave", leader.hex.as_str()),
            None => ("slave", "-"),
        };
        let myself = if node.is_self { "myself," } else { "" };
        // There is no bus; the form has a port of one.
        let bus = node.port.checked_add(10_000).unwrap_or(0);
        let slots = if node.leads { " 0-16383" } else { "" };
        let (hex, host, port) = (&node.hex, &node.host, node.port);
        format!("{hex} {host}:{port}@{bus} {myself}{role} {of} 0 0 {epoch} connected{slots}")
    }
}

fn alone(server: &Server, client: &Client) -> Node {
    let here = client.local_address.rsplit_once(':').map_or("", |(host, _)| host);
    let host = server.config.announce_host.as_deref().unwrap_or(here);
    Node {
        hex: hex_id("node", &server.status.node),
        host: host.trim_matches(['[', ']']).to_owned(),
        port: server.config.port,
        offset: server.status.offset,
        leads: true,
        is_self: true,
    }
}

/// 40 hex digits made of a name.
pub fn hex_id(kind: &str, name: &str) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::new().chain_update(kind).chain_update(name).finalize() {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.truncate(40);
    text
}

/// Where the leader is, if it is known.
pub fn leader_address(server: &Server) -> Option<(&str, u16)> {
    let status = &server.status;
    let member =
        status.members.iter().find(|member| !status.leader.is_empty() && member.id == status.leader)?;
    Some((&member.host, member.port))
}

/// The answer to a command for the leader, with its key's slot.
pub fn moved(server: &Server, key: &[u8]) -> Failure {
    match leader_address(server) {
        Some((host, port)) => Failure::text(format!("MOVED {} {host}:{port}", slot(key))),
        None => Failure::new("CLUSTERDOWN The cluster is down"),
    }
}

/// The slot of a key: of what is between its first `{` and the next `}`, if that is anything.
pub fn slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        let length = rest.iter().position(|byte| *byte == b'}').filter(|length| *length > 0)?;
        Some(&rest[..length])
    });
    crc16(tag.unwrap_or(key)) % SLOTS as u16
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc: u16, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    })
}

/// A map whose fields are known at build time.
pub fn pairs<const N: usize>(fields: [(&'static str, Reply); N]) -> Reply {
    Reply::Map(fields.into_iter().map(|(name, value)| (Reply::bulk(name), value)).collect())
}

#[cfg(test)]
mod tests {
    use super::slot;

    #[test]
    fn slots_are_those_of_the_reference() {
        assert_eq!(slot(b"123456789"), 12739);
        assert_eq!(slot(b"foo"), 12182);
        assert_eq!(slot(b"{a}b"), 15495);
        assert_eq!((slot(b"{}b"), slot(b"x{a}{b}")), (slot(b"{}b"), slot(b"a")));
    }
}
