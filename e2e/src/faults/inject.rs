//! Injects one fault and heals it.
//!
//! Whom it hits is decided when it begins, by what the nodes say then. Whatever goes wrong on the way, what was injected is
//! healed.

use super::plan::{Drawn, Fault, Who};
use crate::ground::keepers::{Keepers, MEMBERS};
use crate::ground::network::{CLIENTS, Cut, Direction, EVERYBODY, How, Machine};
use crate::ground::nodes::{NODES, Node, Trouble, pair};
use crate::ground::{lock, wait_for};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::Duration;

/// How long an ordered end may take: longer than a handover is tried for.
const FAREWELL_MAX: Duration = Duration::from_secs(15);

/// What can be broken.
pub struct World {
    pub nodes: Vec<Node>,
    pub keepers: Keepers,
    /// What the shims were told; faults overlap.
    pub troubles: Mutex<[Trouble; NODES]>,
}

impl World {
    /// The nodes that a fault hits now. If nobody leads, any do.
    fn whom(&self, who: Who, rng: &mut fastrand::Rng) -> Vec<usize> {
        let leader_synced = pair(&self.nodes).map(|(leader, synced, _)| (leader, synced));
        let (leader, synced) = leader_synced.unwrap_or((rng.usize(..NODES), None));
        let synced = synced.unwrap_or((leader + 1) % NODES);
        let replica = (0..NODES).find(|number| *number != leader && *number != synced).unwrap_or(leader);
        match who {
            Who::Leader => vec![leader],
            Who::Synced => vec![synced],
            Who::Replica => vec![replica],
            Who::Pair => vec![leader, synced],
            Who::Others => vec![leader, replica],
            Who::All => (0..NODES).collect(),
        }
    }

    fn change(&self, number: usize, change: impl FnOnce(&mut Trouble)) -> Result<(), String> {
        let mut troubles = lock(&self.troubles);
        change(&mut troubles[number]);
        self.nodes[number].trouble(troubles[number]).map_err(|error| error.to_string())
    }

    /// Injects, waits, heals. Returns whom it hit and how, for the record.
    pub fn inject(&self, drawn: &Drawn, tell: &dyn Fn(String)) -> Result<(), String> {
        let mut rng = fastrand::Rng::with_seed(drawn.seed);
        let hold = Duration::from_millis(drawn.for_ms);
        let mut nodes = |who| {
            let nodes = self.whom(who, &mut rng);
            tell(format!("{} hits {nodes:?} for {} ms", drawn.name, drawn.for_ms));
            nodes
        };
        match drawn.fault {
            Fault::Kill(who) => {
                let nodes = nodes(who);
                nodes.iter().for_each(|&node| self.nodes[node].process.kill());
                sleep(hold);
                nodes.iter().try_for_each(|&node| self.nodes[node].process.release())
            }
            Fault::Stop(who) => {
                let nodes = nodes(who);
                nodes.iter().for_each(|&node| self.nodes[node].process.stop());
                sleep(hold);
                nodes.iter().for_each(|&node| self.nodes[node].process.go_on());
                Ok(())
            }
            Fault::FullDisk(who) => self.full_disk(&nodes(who), hold),
            Fault::Clock(who) => {
                let nodes = nodes(who);
                self.clock(&nodes, hold, &mut rng)
            }
            Fault::SlowDisk(who) => {
                let nodes = nodes(who);
                self.slow_disk(&nodes, hold, &mut rng)
            }
            Fault::EmptyDisk(who) => self.empty_disk(&nodes(who), hold),
            Fault::Handover => {
                self.handover(tell);
                Ok(())
            }
            Fault::Rolling => self.rolling(tell),
            Fault::Snapshots => {
                self.snapshots(hold);
                Ok(())
            }
            Fault::KillKeepers(count) => {
                let members = rng.choose_multiple(0..MEMBERS, count);
                tell(format!("{} hits members {members:?}", drawn.name));
                members.iter().for_each(|&member| self.keepers.members[member].kill());
                sleep(hold);
                members.iter().try_for_each(|&member| self.keepers.members[member].release())
            }
            Fault::StopKeepers(count) => {
                let members = rng.choose_multiple(0..MEMBERS, count);
                tell(format!("{} hits members {members:?}", drawn.name));
                members.iter().for_each(|&member| self.keepers.members[member].stop());
                sleep(hold);
                members.iter().for_each(|&member| self.keepers.members[member].go_on());
                Ok(())
            }
            _ => self.cut(drawn, tell, &mut rng),
        }
    }

    fn cut(&self, drawn: &Drawn, tell: &dyn Fn(String), rng: &mut fastrand::Rng) -> Result<(), String> {
        let (mut direction, mut how) = (Direction::Both, drawn.how);
        let keepers: Vec<String> =
            (0..MEMBERS).map(|member| Machine::Keeper(member).address().to_string()).collect();
        let everybody = vec![EVERYBODY.to_owned()];
        let (machines, from) = match drawn.fault {
            Fault::Cut(who) => (self.machines(who, rng), everybody),
            Fault::CutOneWay(who) => {
                direction = if rng.bool() { Direction::In } else { Direction::Out };
                (self.machines(who, rng), everybody)
            }
            Fault::LoseAnswers => {
                (direction, how) = (Direction::In, How::Data);
                (self.machines(Who::Leader, rng), everybody)
            }
            Fault::CutPair => {
                let pair = self.machines(Who::Pair, rng);
                (vec![pair[0]], vec![pair[1].address().to_string()])
            }
            Fault::CutFromKeepers(who) => (self.machines(who, rng), keepers),
            Fault::CutFromClients(who) => (self.machines(who, rng), vec![CLIENTS.to_owned()]),
            // The members from each other, not from the nodes.
            _ => ((0..MEMBERS).map(Machine::Keeper).collect(), keepers),
        };
        tell(format!("{} hits {machines:?}, {direction:?} by {how:?}, for {} ms", drawn.name, drawn.for_ms));
        let mut cuts = Vec::new();
        let mut outcome = Ok(());
        for machine in &machines {
            for from in &from {
                match Cut::make(*machine, from, direction, how) {
                    Ok(cut) => cuts.push(cut),
                    Err(error) => outcome = Err(error),
                }
            }
        }
        sleep(Duration::from_millis(drawn.for_ms));
        for cut in cuts {
            let healed = cut.heal();
            outcome = outcome.and(healed);
        }
        outcome
    }

    fn machines(&self, who: Who, rng: &mut fastrand::Rng) -> Vec<Machine> {
        self.whom(who, rng).into_iter().map(Machine::Node).collect()
    }

    fn full_disk(&self, nodes: &[usize], hold: Duration) -> Result<(), String> {
        let filled: Result<Vec<()>, _> = nodes.iter().map(|&node| self.nodes[node].fill()).collect();
        sleep(hold);
        let freed: Result<Vec<()>, _> = nodes.iter().map(|&node| self.nodes[node].free()).collect();
        filled.and(freed).map(drop).map_err(|error| error.to_string())
    }

    fn empty_disk(&self, nodes: &[usize], hold: Duration) -> Result<(), String> {
        // A leader that is alone, by its own decision, has the only copy.
        if pair(&self.nodes).is_none_or(|(_, synced, _)| synced.is_none()) {
            return Ok(());
        }
        let node = &self.nodes[nodes[0]];
        node.process.kill();
        let emptied = node.empty();
        sleep(hold);
        node.process.release()?;
        emptied.map_err(|error| error.to_string())
    }

    /// By up to a day, there and back.
    fn clock(&self, nodes: &[usize], hold: Duration, rng: &mut fastrand::Rng) -> Result<(), String> {
        const STEPS_MS: [i64; 6] = [200, 1_000, 10_000, 60_000, 3_600_000, 86_400_000];
        for &node in nodes {
            let step = STEPS_MS[rng.usize(..STEPS_MS.len())] * if rng.bool() { 1 } else { -1 };
            self.change(node, |trouble| trouble.clock_ns += step * 1_000_000)?;
        }
        sleep(hold);
        nodes.iter().try_for_each(|&node| self.change(node, |trouble| trouble.clock_ns = 0))
    }

    fn slow_disk(&self, nodes: &[usize], hold: Duration, rng: &mut fastrand::Rng) -> Result<(), String> {
        for &node in nodes {
            let (sync, write) = (rng.i64(20_000..800_000), [0, 2_000, 50_000][rng.usize(..3)]);
            self.change(node, |trouble| (trouble.sync_us, trouble.write_us) = (sync, write))?;
        }
        sleep(hold);
        nodes
            .iter()
            .try_for_each(|&node| self.change(node, |trouble| (trouble.sync_us, trouble.write_us) = (0, 0)))
    }

    /// Orders the leader to hand over. It may be unable to: then it goes on.
    fn handover(&self, tell: &dyn Fn(String)) {
        let answer = pair(&self.nodes)
            .map(|(leader, ..)| (leader, self.nodes[leader].order(&["FAILOVER", "TIMEOUT", "5000"])));
        tell(format!("handover: {answer:?}"));
    }

    /// Ends each node in order and starts it again, the leader last, as a new version is rolled out.
    fn rolling(&self, tell: &dyn Fn(String)) -> Result<(), String> {
        let leader = pair(&self.nodes).map_or(0, |(leader, ..)| leader);
        for number in (0..NODES).filter(|number| *number != leader).chain([leader]) {
            let node = &self.nodes[number];
            let ended = node.process.terminate(FAREWELL_MAX);
            tell(format!(
                "rolling: {number} ended {}",
                if ended { "in order" } else { "by force or an error" }
            ));
            node.process.release()?;
            // Other faults may keep it from ever coming back.
            let back = wait_for("the node", Duration::from_secs(4), || {
                let role = node.status()?.role;
                (role == "replica" || role == "synced" || role == "leader").then_some(())
            });
            if let Err(error) = back {
                tell(format!("rolling: {number}: {error}"));
            }
        }
        Ok(())
    }

    fn snapshots(&self, hold: Duration) {
        let until = std::time::Instant::now() + hold;
        while std::time::Instant::now() < until {
            for node in &self.nodes {
                // One that is down takes none.
                let _ = node.order(&["BGSAVE"]);
            }
            sleep(Duration::from_millis(100));
        }
    }
}
