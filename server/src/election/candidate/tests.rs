//! A node whose data is damaged, among others.

use super::*;
use crate::replication::history::History;
use crate::replication::member::{Durability, FORMAT};
use crate::replication::protocol::{Loss, WriteOutcome};
use crate::replication::wire::{Heartbeat, Hello, Plan, Refused, Welcome};

fn member(id: &str) -> Member {
    Member { id: id.into(), incarnation: "1".into() }
}

fn info(id: &str) -> NodeInfo {
    NodeInfo {
        format: FORMAT,
        id: id.into(),
        incarnation: "1".into(),
        host: id.into(),
        port: 1,
        replication_port: 2,
        zone: None,
        epoch: 1,
        offset: 100,
        role: RoleName::Replica,
        position: position(100),
        whole: false,
        cluster: Some("c".into()),
        remembered: None,
    }
}

fn position(offset: Offset) -> Position {
    Position { epoch: 1, offset, crc: 0 }
}

fn config() -> Config {
    let (leader, synced) = (member("a"), Some(member("b")));
    let (cluster, attempt) = ("c".into(), "x".into());
    Config { format: FORMAT, cluster, version: 1, epoch: 1, leader, synced, attempt }
}

/// A node that is not whole, as it finds the registry; `others` are there too.
fn born(id: &str, others: &[&str], damaged: bool) -> Candidate {
    let log = LogState { end: position(100), held: 100, durable: 100 };
    let memory = Memory { cluster: Some("c".into()), config: Some(config()), whole: false };
    let settings = Settings::new(Durability::Required, Duration::from_millis(400));
    let birth = Birth { settings, info: info(id), log, commit: 0, memory, seed: 1 };
    let (mut node, mut out) = (Candidate::new(Time::ZERO, birth), Vec::new());
    if damaged {
        node.set_damaged();
    }
    let nodes = others.iter().chain([&id]).map(|id| info(id)).collect();
    for event in
        [RegistryEvent::Restored, RegistryEvent::Nodes(nodes), RegistryEvent::Config(Some((config(), 1)))]
    {
        node.on(Time::ZERO, Event::Registry(event), &mut out);
    }
    node
}

/// Lets a minute pass; what it tried to write.
fn tried(node: &mut Candidate) -> Option<Config> {
    let mut tried = None;
    for step in 1..6000u64 {
        let mut out = Vec::new();
        node.on(Time::from_nanos(step * 10_000_000), Event::Tick, &mut out);
        tried = tried.or(out.into_iter().find_map(|action| match action {
            Action::Write { config, .. } => Some(config),
            _ => None,
        }));
    }
    tried
}

/// Whether it tried to lead meanwhile.
fn tries(node: &mut Candidate) -> bool {
    tried(node).is_some()
}

/// Another node greets it; what it answers.
fn greeted(node: &mut Candidate, by: &str, end: Position) -> Refused {
    let hello = Hello {
        protocol: crate::replication::wire::PROTOCOL,
        password: bytes::Bytes::new(),
        cluster: Some("c".into()),
        id: by.into(),
        incarnation: "1".into(),
        zone: None,
        remembered: config().stamp(),
        whole: false,
        copy: false,
        history: History { base: 0, end, epochs: Vec::new() },
    };
    let (connection, mut out) = (ConnectionId::incoming(1), Vec::new());
    let frame = Frame { epoch: 1, version: 1, body: Body::Hello(Box::new(hello)) };
    node.on(Time::ZERO, Event::Frame { connection, frame }, &mut out);
    let answers = out.into_iter().filter_map(|action| match action {
        Action::Send { frame: Frame { body: Body::Refused(refused), .. }, .. } => Some(refused),
        _ => None,
    });
    answers.last().expect("a node that does not lead says so")
}

#[test]
fn of_two_that_may_have_lost_their_ends_the_further_one_leads_but_a_damaged_one_never() {
    for (damaged, leads) in [(false, true), (true, false)] {
        let mut leader = born("a", &["b"], damaged);
        greeted(&mut leader, "b", position(40));
        assert_eq!(tries(&mut leader), leads, "damaged: {damaged}");
    }
}

#[test]
fn nobody_leads_past_a_damaged_node_because_it_seems_to_hold_more() {
    let mut damaged = born("b", &["a"], true);
    let refused = greeted(&mut damaged, "a", position(100));
    assert!(!refused.whole);
    // The damaged one greets with the same as it answers.
    for (end, leads) in [(position(40), true), (refused.position, false)] {
        let mut leader = born("a", &["b"], false);
        greeted(&mut leader, "b", end);
        assert_eq!(tries(&mut leader), leads, "{end}");
    }
}

#[test]
fn an_operator_may_have_a_damaged_node_lead_and_a_copy_ends_the_damage() {
    let mut ordered = born("a", &["b"], true);
    let after = Time::from_nanos(10_000_000_000);
    let loss = Loss { epoch: 2, from: position(100), by: vec![member("b")], known: 0 };
    assert_eq!(forced(&mut ordered, after), Ok(loss));
    assert!(ordered.view.claiming());
    let mut healed = born("b", &["a"], true);
    assert!(healed.status().damaged && healed.common.copy_next);
    healed.on(Time::ZERO, Event::Installed { position: Some(position(100)) }, &mut Vec::new());
    assert!(!healed.status().damaged && !healed.status().whole);
}

fn forced(node: &mut Candidate, now: Time) -> Result<Loss, String> {
    let mut out = Vec::new();
    node.on(now, Event::ForceLead, &mut out);
    let answer = out.into_iter().find_map(|action| match action {
        Action::Forced(answer) => Some(answer),
        _ => None,
    });
    answer.expect("an order is answered at once")
}

#[test]
fn an_order_to_lead_is_for_now_and_not_past_who_holds_everything() {
    let after = Time::from_nanos(10_000_000_000);
    let mut early = born("c", &[], false);
    assert_eq!(forced(&mut early, Time::ZERO), Err("a leader was heard a moment ago".into()));
    assert!(!tries(&mut early), "it was an order for then");

    let whole = NodeInfo { whole: true, ..info("b") };
    for (nodes, possible) in [(vec![info("c"), whole], false), (vec![info("c"), info("b")], true)] {
        let mut node = born("c", &[], false);
        node.on(after, Event::Registry(RegistryEvent::Nodes(nodes)), &mut Vec::new());
        assert_eq!(forced(&mut node, after).is_ok(), possible);
    }

    let mut apart = born("c", &[], false);
    apart.on(after, Event::Registry(RegistryEvent::Lost), &mut Vec::new());
    assert_eq!(forced(&mut apart, after), Err("there is no connection to ZooKeeper".into()));
}

#[test]
fn damaged_data_of_no_cluster_joins_none() {
    let mut node = born("b", &["a"], true);
    node.common.memory = Memory::default();
    node.common.log = LogState::default();
    assert!(!node.accept(&config(), &mut Vec::new()));
    assert!(node.foreign);
}

#[test]
fn a_leader_that_does_not_hear_this_node_is_silent_whatever_it_sends() {
    let mut node = born("b", &["a"], false);
    let (connection, mut out) = (ConnectionId::outgoing(1), Vec::new());
    node.on(Time::ZERO, Event::Opened { connection }, &mut out);
    let mut send = |node: &mut Candidate, ms: u64, body| {
        let frame = Frame { epoch: 1, version: 1, body };
        node.on(Time::from_nanos(ms * 1_000_000), Event::Frame { connection, frame }, &mut out);
        out.drain(..).any(|action| matches!(action, Action::Write { .. }))
    };
    let welcome = Welcome { cluster: "c".into(), plan: Plan::Resume(position(100)), token: 1 };
    send(&mut node, 0, Body::Welcome(welcome));
    // Whether it tried to lead, and for how long it then heard nothing.
    let mut hear = |range: std::ops::Range<u64>, lease: u64| {
        let (lease, mut tried) = (Duration::from_millis(lease), false);
        for ms in range.step_by(10) {
            let stamp = Time::from_nanos(ms);
            let beat = Heartbeat { stamp, commit: 0, needed: 0, lease, wall_ms: 0 };
            tried |= send(&mut node, ms, Body::Heartbeat(beat));
            tried |= send(&mut node, ms, Body::Records { start: 100, commit: 0, bytes: bytes::Bytes::new() });
        }
        (tried, node.status().silence)
    };
    assert_eq!(hear(10..1000, 400), (false, Duration::ZERO));
    let (tried, silence) = hear(1000..1300, 0);
    assert!(!tried && silence >= Duration::from_millis(290), "{silence:?}");
    assert_eq!(hear(1300..1310, 400), (false, Duration::ZERO), "it is heard again");
    assert!(hear(1310..2000, 0).0, "it takes over");
}

#[test]
fn a_leader_whose_registry_was_wiped_leads_no_more_if_a_registered_node_knows_a_later_epoch() {
    for (epoch, leads) in [(2, true), (3, false)] {
        let (now, mut out) = (Time::from_nanos(60_000_000_000), Vec::new());
        let mut leader = born("a", &["b"], false);
        greeted(&mut leader, "b", position(40));
        let claimed = tried(&mut leader).expect("it takes the lead again");
        assert_eq!(claimed.epoch, 2);
        let outcome = WriteOutcome::Won { version: 2 };
        let written = RegistryEvent::Written { attempt: claimed.attempt.clone(), outcome };
        leader.on(now, Event::Registry(written), &mut out);
        leader.on(now, Event::Registry(RegistryEvent::Config(None)), &mut out);
        let known = NodeInfo { epoch, position: Position { epoch, ..position(100) }, ..info("b") };
        let nodes = vec![info("a"), known];
        leader.on(now, Event::Registry(RegistryEvent::Nodes(nodes)), &mut out);
        assert_eq!(matches!(leader.role, Role::Leader(_)), leads, "epoch {epoch}");
    }
}
