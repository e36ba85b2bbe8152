//! Three real nodes and a real ZooKeeper: after the commands of some cases, leader, synced replica, replica, and every node
//! that was killed and recovered from its disk hold the same.

use crate::case::{CONNECTIONS, Case};
use crate::common::cluster::Cluster;
use crate::common::process::Server;
use crate::common::wait_for;
use crate::oracle::{Connection, Value, request, show};
use crate::setting;
use crate::shapes::Table;

/// Cases whose commands are run, one after the other, on the same data.
const CASES: u64 = 6;

/// Say the commands of a case to a node. Those of one connection that follow each other go together.
fn say(node: &Server, case: &Case) {
    let open = |_| wait_for("the leader to listen", || Connection::open(node.port).ok());
    let mut connections: Vec<Connection> = (0..CONNECTIONS).map(open).collect();
    // Its reply is of both sides of a comparison, and there is one side here.
    let steps: Vec<_> = case.steps.iter().filter(|step| step.words[0] != "TRAVEL").collect();
    for turn in steps.chunk_by(|step, next| step.connection == next.connection) {
        let connection = &mut connections[turn[0].connection];
        connection.send(&turn.iter().flat_map(|step| request(&step.words)).collect::<Vec<u8>>()).unwrap();
        for step in turn {
            let reply = connection.receive();
            assert!(reply.is_ok(), "seed {}: {step}: {reply:?}", case.seed);
        }
    }
}

fn digest(node: &Server) -> Option<String> {
    match Connection::open(node.port).ok()?.ask(&["DEBUG", "DIGEST"]).ok()? {
        value @ Value::Status(_) => Some(show(&value)),
        _ => None,
    }
}

/// The digest that all nodes come to have. Until then keys may end, and what the leader wrote is on its way.
fn common_digest(cluster: &Cluster) -> String {
    cluster.wait_level();
    // What others left to see that writes are taken is no part of it.
    let leader = &cluster.nodes[cluster.leader()];
    let left = Connection::open(leader.port).unwrap().ask(&["DEL", "mark", "probe"]).unwrap();
    assert_eq!(left, Value::Int(2));
    wait_for("all nodes to hold the same", || {
        let digests: Vec<_> = cluster.nodes.iter().map(digest).collect();
        digests[0].clone().filter(|first| digests.iter().all(|other| other.as_ref() == Some(first)))
    })
}

#[test]
fn all_nodes_and_those_recovered_from_disk_hold_the_same() {
    let seed = setting("DIFFERENTIAL_SEED").unwrap_or(20_261_122);
    println!("DIFFERENTIAL_SEED={seed}");
    // Connections neither wait nor are told what they did not ask for.
    let mut table = Table::known(|_| true, false);
    table.besides.retain(|group| matches!(group.name, "key" | "script"));
    let mut cluster = Cluster::start(3, &["--enable-debug-command", "yes"]);
    for number in 0..CASES {
        let leader = cluster.leader();
        let case = Case::of(seed + number, &table);
        say(&cluster.nodes[leader], &case);
        let before = common_digest(&cluster);
        assert_ne!(before, format!("+{}", "0".repeat(40)), "there is something to compare");
        if number % 2 == 1 {
            // From here on recovery begins with a snapshot.
            let saved = Connection::open(cluster.nodes[leader].port).unwrap().ask(&["SAVE"]).unwrap();
            assert_eq!(show(&saved), "+OK");
        }
        if number % 3 == 2 {
            cluster.nodes.iter_mut().for_each(Server::kill);
            cluster.nodes.iter_mut().for_each(Server::start);
        } else {
            let killed = if number % 3 == 0 { cluster.synced() } else { leader };
            cluster.nodes[killed].kill();
            cluster.leader();
            cluster.nodes[killed].start();
        }
        assert_eq!(common_digest(&cluster), before, "seed {}", case.seed);
    }
}
