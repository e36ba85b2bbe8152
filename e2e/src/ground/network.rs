//! Network namespaces on a bridge, and a firewall in each.
//!
//! Every machine has two addresses: the first is what nodes, ZooKeeper and clients use, and what is cut; by the second
//! the harness gives its orders, whatever is cut.

use super::run;
use std::net::Ipv4Addr;

/// Where the clients are: the bridge itself.
pub const CLIENTS: &str = "10.99.0.1";
/// Everybody, by the addresses that are cut.
pub const EVERYBODY: &str = "10.99.0.0/24";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Machine {
    /// A node of the store.
    Node(usize),
    /// A member of the ZooKeeper ensemble.
    Keeper(usize),
    /// A server of the peer that is measured beside, with a Sentinel.
    Peer(usize),
}

impl Machine {
    /// The last number of its addresses.
    fn number(self) -> u8 {
        (match self {
            Self::Node(number) => 11 + number,
            Self::Keeper(number) => 21 + number,
            Self::Peer(number) => 31 + number,
        }) as u8
    }

    /// Its network namespace, and the other end of its cable.
    pub fn name(self) -> String {
        match self {
            Self::Node(number) => format!("node{number}"),
            Self::Keeper(number) => format!("keeper{number}"),
            Self::Peer(number) => format!("peer{number}"),
        }
    }

    pub fn address(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 99, 0, self.number())
    }

    /// For the harness; never cut.
    pub fn orders(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 99, 1, self.number())
    }

    /// The command that runs another one there.
    pub fn inside(self) -> [String; 2] {
        ["nsenter".to_owned(), format!("--net=/run/netns/{}", self.name())]
    }
}

/// Makes the bridge and the machines.
pub fn make(machines: &[Machine]) -> Result<(), String> {
    run(&["mount", "-t", "tmpfs", "tmpfs", "/run"])?;
    run(&["mkdir", "-p", "/run/netns"])?;
    run(&["ip", "link", "set", "lo", "up"])?;
    run(&["ip", "link", "add", "bridge", "type", "bridge"])?;
    run(&["ip", "addr", "add", &format!("{CLIENTS}/24"), "dev", "bridge"])?;
    run(&["ip", "addr", "add", "10.99.1.1/24", "dev", "bridge"])?;
    run(&["ip", "link", "set", "bridge", "up"])?;
    machines.iter().try_for_each(|machine| connect(*machine))
}

fn connect(machine: Machine) -> Result<(), String> {
    let name = machine.name();
    run(&["ip", "netns", "add", &name])?;
    run(&["ip", "link", "add", &name, "type", "veth", "peer", "name", "eth0", "netns", &name])?;
    run(&["ip", "link", "set", &name, "master", "bridge", "up"])?;
    for address in [machine.address(), machine.orders()] {
        run(&["ip", "-n", &name, "addr", "add", &format!("{address}/24"), "dev", "eth0"])?;
    }
    run(&["ip", "-n", &name, "link", "set", "eth0", "up"])?;
    run(&["ip", "-n", &name, "link", "set", "lo", "up"])
}

/// How a firewall refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Drop,
    /// By a TCP reset.
    Reset,
    /// By an ICMP message.
    Unreachable,
    /// What carries data is dropped; that what was sent arrived is still told.
    Data,
}

/// As the machine sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Both,
    In,
    Out,
}

/// A cut that is in force until it is healed.
#[derive(Debug)]
pub struct Cut {
    machine: Machine,
    rules: Vec<Vec<String>>,
}

impl Cut {
    /// Cuts a machine off from an address.
    pub fn make(machine: Machine, from: &str, direction: Direction, how: How) -> Result<Self, String> {
        let mut cut = Self { machine, rules: Vec::new() };
        for rule in rules(from, direction, how) {
            iptables(machine, "-A", &rule)?;
            cut.rules.push(rule);
        }
        Ok(cut)
    }

    pub fn heal(self) -> Result<(), String> {
        self.rules.iter().try_for_each(|rule| iptables(self.machine, "-D", rule))
    }
}

/// A reset that answers what comes in passes the rules for what goes out.
fn rules(from: &str, direction: Direction, how: How) -> Vec<Vec<String>> {
    let target = match how {
        How::Drop => "-j DROP",
        How::Reset => "-p tcp -j REJECT --reject-with tcp-reset",
        How::Unreachable => "-j REJECT --reject-with icmp-host-unreachable",
        // A segment of TCP without data has 40 to 60 bytes.
        How::Data => "-p tcp -m length --length 61:65535 -j DROP",
    };
    let out = match how {
        How::Reset => "-p tcp ! --tcp-flags RST RST -j REJECT --reject-with tcp-reset",
        How::Unreachable => "-p tcp -j REJECT --reject-with icmp-host-unreachable",
        How::Drop | How::Data => target,
    };
    let words = |text: String| text.split(' ').map(str::to_owned).collect();
    let mut rules = Vec::new();
    if direction != Direction::Out {
        rules.push(words(format!("INPUT -s {from} {target}")));
    }
    if direction != Direction::In {
        rules.push(words(format!("OUTPUT -d {from} {out}")));
    }
    rules
}

fn iptables(machine: Machine, change: &str, rule: &[String]) -> Result<(), String> {
    let inside = machine.inside();
    let mut command = vec![inside[0].as_str(), inside[1].as_str(), "iptables", "-w", change];
    command.extend(rule.iter().map(String::as_str));
    run(&command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(direction: Direction, how: How) -> Vec<String> {
        rules("10.99.0.12", direction, how).iter().map(|rule| rule.join(" ")).collect()
    }

    #[test]
    fn a_cut_of_one_way_leaves_the_other_open() {
        assert_eq!(texts(Direction::In, How::Drop), ["INPUT -s 10.99.0.12 -j DROP"]);
        assert_eq!(texts(Direction::Out, How::Drop), ["OUTPUT -d 10.99.0.12 -j DROP"]);
    }

    #[test]
    fn a_reset_gets_out_through_a_cut_of_both_ways() {
        let rules = texts(Direction::Both, How::Reset);
        assert!(rules[0].starts_with("INPUT") && rules[0].ends_with("--reject-with tcp-reset"));
        assert!(rules[1].contains("! --tcp-flags RST RST"));
    }
}
