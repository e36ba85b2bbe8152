//! What the leader wishes of its followers.

use super::*;
use crate::replication::history::History;
use crate::replication::member::FORMAT;

const LEASE: Duration = Duration::from_millis(400);

fn member(id: &str) -> Member {
    Member { id: id.into(), incarnation: "1".into() }
}

fn at(ms: u64) -> Time {
    Time::from_nanos(ms * 1_000_000)
}

fn log(offset: Offset) -> LogState {
    LogState { end: Position { epoch: 1, offset, crc: 0 }, held: offset, durable: offset }
}

/// A leader whose log ends at 100, with synced replica `b`, and `b` and `c` connected and level.
fn led() -> Leader {
    let config = Config {
        format: FORMAT,
        cluster: "c".into(),
        version: 1,
        epoch: 1,
        leader: member("a"),
        synced: Some(member("b")),
        attempt: "1".into(),
    };
    let settings = Settings::new(Durability::Required, LEASE);
    let mut leader = Leader::new(at(1000), settings, member("a"), None, &config, log(100));
    for (number, id) in [(1, "b"), (2, "c")] {
        let connection = ConnectionId::incoming(number);
        let history = History { end: log(100).end, ..History::default() };
        let (id, incarnation, cluster) = (id.into(), "1".into(), Some("c".into()));
        let hello = Hello {
            protocol: wire::PROTOCOL,
            id,
            incarnation,
            cluster,
            whole: true,
            history,
            ..Hello::default()
        };
        leader.hello(at(1000), connection, &hello, &mut Vec::new());
        leader.compared(at(1000), connection, Some(log(100).end), &mut Vec::new());
        ack(&mut leader, 1000, number, 100);
    }
    leader
}

/// A follower answers a heartbeat of that moment.
fn ack(leader: &mut Leader, ms: u64, number: u64, held: Offset) {
    let ack = Ack { held, durable: held, whole: true, stamp: at(ms), granted: LEASE };
    leader.ack(at(ms), ConnectionId::incoming(number), &ack, &mut Vec::new());
}

#[test]
fn nobody_is_named_who_stalls_as_the_one_before_does() {
    let mut leader = led();
    leader.log(at(1000), log(200), &mut Vec::new());
    for ms in (1000..=2000).step_by(20) {
        leader.tick(at(ms), &mut Vec::new());
        ack(&mut leader, ms, 1, 100);
        ack(&mut leader, ms, 2, 100);
    }
    assert_eq!(leader.wish(at(2000)), None, "both answer, and neither gets on");
    ack(&mut leader, 2000, 2, 150);
    assert_eq!(leader.wish(at(2000)), Some(Wish::Name(member("c"))), "one gets on");
}

/// How many heartbeats ask `b` and `c` for a lease, and how many for none, from then until then; some of them answer.
fn beats(leader: &mut Leader, range: std::ops::RangeInclusive<u64>, answering: &[u64]) -> [[usize; 2]; 2] {
    let mut sent = [[0; 2]; 2];
    for ms in range.step_by(10) {
        let mut out = Vec::new();
        leader.tick(at(ms), &mut out);
        for action in out {
            if let Action::Send { connection, frame: Frame { body: Body::Heartbeat(beat), .. } } = action {
                let peer = usize::from(connection != ConnectionId::incoming(1));
                sent[peer][usize::from(beat.lease.is_zero())] += 1;
            }
        }
        answering.iter().for_each(|number| ack(leader, ms, *number, 100));
    }
    sent
}

#[test]
fn who_does_not_answer_is_asked_for_no_lease_until_it_does() {
    let mut leader = led();
    let both = beats(&mut leader, 1000..=1400, &[1, 2]);
    assert!(both[0][0] >= 8 && both[0] == both[1] && both[0][1] == 0, "{both:?}");
    beats(&mut leader, 1410..=1600, &[2]);
    let deaf = beats(&mut leader, 1610..=2010, &[2]);
    assert!(deaf[0][0] == 0 && deaf[0][1] >= 8, "{deaf:?}");
    assert!(deaf[1][1] == 0 && deaf[1][0] >= 8, "the other is not concerned: {deaf:?}");
    ack(&mut leader, 2010, 1, 100);
    let back = beats(&mut leader, 2020..=2420, &[1, 2]);
    assert!(back[0][0] >= 8 && back[0][1] == 0, "{back:?}");
}

#[test]
fn who_waited_long_for_its_welcome_is_asked_for_a_lease_at_first() {
    let mut leader = led();
    let connection = ConnectionId::incoming(3);
    let hello = Hello {
        protocol: wire::PROTOCOL,
        id: "d".into(),
        incarnation: "1".into(),
        cluster: Some("c".into()),
        ..Hello::default()
    };
    leader.hello(at(1000), connection, &hello, &mut Vec::new());
    beats(&mut leader, 1000..=2000, &[1, 2]);
    let mut out = Vec::new();
    leader.compared(at(2000), connection, None, &mut out);
    for ms in (2010..=2150).step_by(10) {
        leader.tick(at(ms), &mut out);
    }
    let leases: Vec<Duration> = out
        .iter()
        .filter_map(|action| match action {
            Action::Send { connection: to, frame: Frame { body: Body::Heartbeat(beat), .. } } => {
                (*to == connection).then_some(beat.lease)
            }
            _ => None,
        })
        .collect();
    assert!(leases.len() >= 3 && leases.iter().all(|lease| *lease == LEASE), "{leases:?}");
}

#[test]
fn a_synced_replica_that_falls_silent_is_replaced_by_a_level_one() {
    let mut leader = led();
    for ms in (1000..=1500).step_by(20) {
        leader.tick(at(ms), &mut Vec::new());
        ack(&mut leader, ms, 2, 100);
    }
    assert_eq!(leader.wish(at(1500)), Some(Wish::Name(member("c"))));
}

#[test]
fn a_handover_to_one_that_falls_silent_is_given_up() {
    let mut leader = led();
    let request = HandoverRequest { to: None, timeout: Duration::from_hours(1), force: false };
    let mut orders = Vec::new();
    leader.log(at(1000), log(200), &mut orders);
    leader.hand_over(at(1000), request, &mut orders);
    assert!(orders.contains(&Action::Drain), "{orders:?}");
    orders.clear();
    leader.drained(at(1000), 200, &mut orders);
    for ms in (1000..1300).step_by(20) {
        leader.tick(at(ms), &mut orders);
    }
    assert!(!orders.contains(&Action::Undrain), "it waits as long as it may come: {orders:?}");
    for ms in (1300..1600).step_by(20) {
        leader.tick(at(ms), &mut orders);
    }
    assert!(orders.contains(&Action::HandoverEnded(HandoverEnd::NoSuchReplica)), "{orders:?}");
    assert!(orders.contains(&Action::Undrain), "{orders:?}");
}
