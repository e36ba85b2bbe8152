//! Histories that are known to be good or bad, and random small ones that are judged by trying every order too.

use super::*;

fn text(text: &str) -> Reply {
    Reply::Text(Some(text.into()))
}

const NOTHING: Reply = Reply::Text(None);

fn get(key: &str) -> Step {
    Step::Get(key.into())
}

fn set(key: &str, text: &str) -> Step {
    Step::Set(key.into(), text.into())
}

/// An operation of one step, between two moments.
fn one(invoked: u64, returned: u64, step: Step, reply: Reply) -> Operation {
    several(invoked, returned, &[(step, reply)])
}

fn several(invoked: u64, returned: u64, steps: &[(Step, Reply)]) -> Operation {
    let (steps, replies) = steps.iter().cloned().unzip();
    Operation { client: 0, invoked, returned: Some((returned, replies)), steps }
}

fn ambiguous(invoked: u64, step: Step) -> Operation {
    Operation { client: 0, invoked, returned: None, steps: vec![step] }
}

fn is_good(history: &[Operation]) -> bool {
    check(history).is_ok()
}

#[test]
fn a_register_is_read_as_it_was_written() {
    let write = one(0, 1, set("x", "1"), Reply::Done);
    assert!(is_good(&[write.clone(), one(2, 3, get("x"), text("1"))]));
    assert!(!is_good(&[write.clone(), one(2, 3, get("x"), NOTHING)]), "a stale read");
    assert!(!is_good(&[write.clone(), one(2, 3, get("x"), text("2"))]), "a value from nowhere");
    assert!(is_good(&[one(0, 9, set("x", "1"), Reply::Done), one(2, 3, get("x"), NOTHING)]), "at once");
}

#[test]
fn what_was_read_once_is_not_unread() {
    let write = one(0, 9, set("x", "1"), Reply::Done);
    let (new, old) = (one(1, 2, get("x"), text("1")), one(3, 4, get("x"), NOTHING));
    assert!(!is_good(&[write.clone(), new.clone(), old.clone()]));
    assert!(!is_good(&[ambiguous(0, set("x", "1")), new, old]), "nor if the writer never heard of it");
}

#[test]
fn an_acknowledged_write_is_not_lost() {
    let first = one(0, 1, Step::Increment("n".into()), Reply::Number(1));
    let again = one(2, 3, Step::Increment("n".into()), Reply::Number(1));
    assert!(!is_good(&[first, again]));
    let (pushed, read) = (Step::Push("l".into(), "a".into()), Step::Range("l".into()));
    let pushed = one(0, 1, pushed, Reply::Number(1));
    assert!(is_good(&[pushed.clone(), one(2, 3, read.clone(), Reply::List(vec!["a".into()]))]));
    assert!(!is_good(&[pushed, one(2, 3, read, Reply::List(vec![]))]));
}

#[test]
fn an_ambiguous_write_happens_once_or_never_and_late_if_it_likes() {
    let unknown = ambiguous(0, Step::Increment("n".into()));
    let read = |at, number: &str| one(at, at + 1, get("n"), text(number));
    assert!(is_good(&[unknown.clone(), one(1, 2, get("n"), NOTHING), read(3, "1")]));
    assert!(!is_good(&[unknown.clone(), read(3, "1"), read(5, "2")]));
    assert!(!is_good(&[read(0, "1"), ambiguous(2, Step::Increment("n".into()))]), "not before it was asked");
}

#[test]
fn an_element_is_popped_once() {
    let pop = |at, reply| one(at, at + 1, Step::Pop("l".into()), reply);
    let push = one(0, 1, Step::Push("l".into(), "a".into()), Reply::Number(1));
    assert!(is_good(&[push.clone(), pop(2, text("a")), pop(4, NOTHING)]));
    assert!(!is_good(&[push.clone(), pop(2, text("a")), pop(4, text("a"))]));
    assert!(!is_good(&[push, pop(2, NOTHING)]));
}

#[test]
fn a_set_holds_what_was_added_and_not_removed() {
    let (add, remove) = (Step::Add("s".into(), "m".into()), Step::Remove("s".into(), "m".into()));
    let members = |at, held: &[&str]| {
        let held = held.iter().map(ToString::to_string).collect();
        one(at, at + 1, Step::Members("s".into()), Reply::Set(held))
    };
    let history = [one(0, 1, add, Reply::Number(1)), members(2, &["m"]), one(4, 5, remove, Reply::Number(1))];
    assert!(is_good(&[&history[..], &[members(6, &[])]].concat()));
    assert!(!is_good(&[&history[..], &[members(6, &["m"])]].concat()));
}

#[test]
fn a_transaction_is_seen_whole_or_not_at_all() {
    let both = [(set("x", "1"), Reply::Done), (set("y", "1"), Reply::Done)];
    let read = |x, y| several(1, 8, &[(get("x"), x), (get("y"), y)]);
    let write = several(0, 9, &both);
    assert!(is_good(&[write.clone(), read(text("1"), text("1"))]));
    assert!(is_good(&[write.clone(), read(NOTHING, NOTHING)]));
    assert!(!is_good(&[write.clone(), read(text("1"), NOTHING)]), "half of it");
    // Apart from each other both reads could be explained, together they can't.
    let apart = [one(1, 2, get("x"), text("1")), one(3, 4, get("y"), NOTHING)];
    assert!(!is_good(&[&[write], &apart[..]].concat()));
}

#[test]
fn the_order_of_real_time_is_kept_across_clients() {
    let history = [
        one(0, 1, set("x", "1"), Reply::Done),
        one(2, 3, set("x", "2"), Reply::Done),
        one(4, 5, get("x"), text("1")),
    ];
    assert!(!is_good(&history), "an overwritten value");
}

#[test]
fn a_refusal_names_the_keys_and_shows_where_it_stopped() {
    let history = [one(0, 1, set("x", "1"), Reply::Done), one(2, 3, get("x"), NOTHING)];
    let Err(Anomaly::Impossible { keys, operations }) = check(&history) else { panic!("it is impossible") };
    assert_eq!(keys, ["x".to_owned()].into());
    assert_eq!(operations.last(), Some(&history[1]));
}

/// Chance from a seed: splitmix64.
struct Rng(u64);

impl Rng {
    fn below(&mut self, count: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % count
    }
}

/// A few operations on two keys; the replies are those of some order, or of none.
fn random_history(rng: &mut Rng) -> Vec<Operation> {
    let mut state = State::default();
    (0..rng.below(6) + 2)
        .map(|number| {
            let key = ["n", "l"][rng.below(2) as usize].to_owned();
            let step = match (key.as_str(), rng.below(3)) {
                ("n", 0) => Step::Get(key),
                ("n", 1) => Step::Set(key, rng.below(3).to_string()),
                ("n", _) => Step::Increment(key),
                (_, 0) => Step::Range(key),
                (_, 1) => Step::Push(key, number.to_string()),
                _ => Step::Pop(key),
            };
            let reply = state.run(&step);
            let invoked = rng.below(10);
            let returned = reply.filter(|_| rng.below(5) > 0).map(|reply| {
                let odd = rng.below(8) == 0;
                let reply = if odd { Reply::Number(rng.below(3) as i64) } else { reply };
                (invoked + rng.below(8), vec![reply])
            });
            Operation { client: number as usize, invoked, returned, steps: vec![step] }
        })
        .collect()
}

/// The same question, answered by trying every order.
fn explained(state: &State, left: &[Operation]) -> bool {
    left.iter().all(|operation| operation.returned.is_none())
        || (0..left.len()).any(|first| {
            let operation = &left[first];
            let late = left.iter().any(|other| {
                other.returned.as_ref().is_some_and(|(returned, _)| *returned < operation.invoked)
            });
            let rest: Vec<Operation> = left
                .iter()
                .enumerate()
                .filter(|(number, _)| *number != first)
                .map(|(_, it)| it.clone())
                .collect();
            !late && state.after(operation).is_some_and(|after| explained(&after, &rest))
        })
}

#[test]
fn random_histories_are_judged_as_by_trying_every_order() {
    const COUNT: usize = 20_000;
    let mut rng = Rng(1);
    let mut good = 0;
    for number in 0..COUNT {
        let history = random_history(&mut rng);
        let expected = explained(&State::default(), &history);
        assert_eq!(is_good(&history), expected, "history {number}: {history:#?}");
        good += usize::from(expected);
    }
    assert!(good > COUNT / 10 && good < COUNT * 9 / 10, "both kinds are there: {good} of {COUNT} are good");
}

#[test]
fn a_long_history_with_many_clients_is_judged_in_time() {
    let (mut rng, mut state, mut history) = (Rng(2), State::default(), Vec::new());
    for number in 0..4_000_u64 {
        let step = if rng.below(2) == 0 { Step::Increment("n".into()) } else { get("n") };
        let Some(reply) = state.run(&step) else { panic!("it runs") };
        // Ten at a time, and now and then one without a reply that did happen.
        let returned = (rng.below(100) > 0).then(|| (number * 10 + rng.below(50), vec![reply]));
        history.push(Operation {
            client: 0,
            invoked: number * 10 - rng.below(50).min(number * 10),
            returned,
            steps: vec![step],
        });
    }
    assert!(is_good(&history));
    let last = history
        .iter_mut()
        .rev()
        .find_map(|operation| operation.returned.as_mut())
        .map(|(_, replies)| replies);
    if let Some(replies) = last {
        *replies = vec![Reply::Number(1)];
    }
    assert!(!is_good(&history));
}
