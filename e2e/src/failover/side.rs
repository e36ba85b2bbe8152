//! What is measured: this store, or Redis with Sentinel, told apart by nothing but this.

use crate::ground::keepers::Keepers;
use crate::ground::network::Machine;
use crate::ground::nodes::{NODES, Node, pair};
use crate::ground::peers::Peers;
use crate::ground::process::Process;
use crate::resp::{Client, Reply};
use std::io;
use std::time::Duration;

const CONNECT_TIME_MAX: Duration = Duration::from_millis(50);
/// A client gives a connection up after this: it is what a silent leader costs a client that has another one to go to.
const REPLY_TIME_MAX: Duration = Duration::from_millis(100);

pub trait Side: Sync {
    fn name(&self) -> &'static str;

    /// A connection to the leader, found as a client finds it; `first` is whom it asks first.
    fn find(&self, first: usize) -> io::Result<Client>;

    /// The leader and the one that is to take over, when all nodes have their part.
    fn healthy(&self) -> Option<(usize, usize)>;

    fn process(&self, number: usize) -> &Process;

    fn machine(&self, number: usize) -> Machine;

    /// The machines' processes that decide who leads.
    fn coordinators(&self) -> &[Process];

    /// Orders the leader to hand over.
    fn hand_over(&self, leader: usize) -> io::Result<Reply>;

    /// After a round that failed: makes it fit for other failures, or ends the run.
    fn give_up(&self, error: String) -> Result<(), String>;
}

pub struct Ours {
    pub nodes: Vec<Node>,
    pub keepers: Keepers,
}

impl Side for Ours {
    fn name(&self) -> &'static str {
        "Botellier"
    }

    fn find(&self, first: usize) -> io::Result<Client> {
        for number in (0..NODES).map(|step| (first + step) % NODES) {
            let Ok(mut client) = Client::connect(Node::address(number), CONNECT_TIME_MAX, REPLY_TIME_MAX)
            else {
                continue;
            };
            if let Ok(Reply::Array(items)) = client.call(&["ROLE"])
                && items.first() == Some(&Reply::Bulk(Some("master".into())))
            {
                return Ok(client);
            }
        }
        Err(io::ErrorKind::NotConnected.into())
    }

    fn healthy(&self) -> Option<(usize, usize)> {
        let (leader, synced, _) = pair(&self.nodes)?;
        let synced = synced?;
        let replica = (0..NODES).find(|number| *number != leader && *number != synced)?;
        let role = |number: usize| self.nodes[number].status().map(|status| status.role);
        let fits = role(synced)? == "synced" && role(replica)? == "replica";
        // Named, and level: the third one takes over from the synced replica.
        let Reply::Array(mut role) = self.nodes[leader].order(&["ROLE"]).ok()? else { return None };
        let Some(Reply::Array(replicas)) = role.pop() else { return None };
        (fits && replicas.len() == NODES - 1).then_some((leader, synced))
    }

    fn process(&self, number: usize) -> &Process {
        &self.nodes[number].process
    }

    fn machine(&self, number: usize) -> Machine {
        Machine::Node(number)
    }

    fn coordinators(&self) -> &[Process] {
        &self.keepers.members
    }

    fn hand_over(&self, leader: usize) -> io::Result<Reply> {
        self.nodes[leader].order(&["FAILOVER"])
    }

    fn give_up(&self, error: String) -> Result<(), String> {
        Err(error)
    }
}

impl Side for Peers {
    fn name(&self) -> &'static str {
        "Redis + Sentinel"
    }

    fn find(&self, first: usize) -> io::Result<Client> {
        let master = Self::master(first, true)?;
        let mut client = Client::connect(Self::address(master), CONNECT_TIME_MAX, REPLY_TIME_MAX)?;
        match client.call(&["ROLE"])? {
            Reply::Array(items) if items.first() == Some(&Reply::Bulk(Some("master".into()))) => Ok(client),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn healthy(&self) -> Option<(usize, usize)> {
        Self::rejoin()?;
        Peers::healthy().map(|master| (master, (master + 1) % crate::ground::peers::PEERS))
    }

    fn process(&self, number: usize) -> &Process {
        &self.servers[number]
    }

    fn machine(&self, number: usize) -> Machine {
        Machine::Peer(number)
    }

    fn coordinators(&self) -> &[Process] {
        &self.sentinels
    }

    fn hand_over(&self, _leader: usize) -> io::Result<Reply> {
        Self::fail_over()
    }

    fn give_up(&self, _error: String) -> Result<(), String> {
        self.start_again()
    }
}
