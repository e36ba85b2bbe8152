//! Compares one client's operations with what the store holds at the end.
//!
//! Pure: it is told what was found, so that known-bad histories can be tested.

use super::{Kind, Operation, Outcome, value};
use std::collections::{BTreeMap, BTreeSet};

/// What the store holds of one client's keys.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Values by operation number of the keys that are written once; a key that is not there has no entry.
    pub sets: BTreeMap<u64, String>,
    pub register: Option<String>,
    pub counter: Option<String>,
    pub list: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Acknowledged writes that are not there.
    pub lost: Vec<String>,
    /// What is there although nothing that was sent explains it.
    pub wrong: Vec<String>,
}

impl Verdict {
    pub fn extend(&mut self, other: Self) {
        self.lost.extend(other.lost);
        self.wrong.extend(other.wrong);
    }
}

/// Judges one client; `operations` are in the order in which it sent them.
pub fn check(client: usize, operations: &[Operation], found: &Found) -> Verdict {
    let of = |kind| operations.iter().filter(move |operation| operation.kind == kind);
    let mut verdict = sets(client, of(Kind::Set), found);
    verdict.extend(register(client, of(Kind::Register), found));
    verdict.extend(counter(client, of(Kind::Increment), found));
    verdict.extend(list(client, of(Kind::Push), found));
    verdict
}

fn sets<'a>(client: usize, operations: impl Iterator<Item = &'a Operation>, found: &Found) -> Verdict {
    let mut verdict = Verdict::default();
    for operation in operations {
        let number = operation.number;
        match (operation.outcome, found.sets.get(&number)) {
            (Outcome::Acknowledged(_), None) => verdict.lost.push(format!("key {client}:{number}")),
            (Outcome::Refused, Some(_)) => {
                verdict.wrong.push(format!("key {client}:{number} is there, but its SET was refused"));
            }
            (_, Some(held)) if *held != value(client, number) => {
                verdict.wrong.push(format!("key {client}:{number} holds {held:?}"));
            }
            _ => {}
        }
    }
    verdict
}

/// The register holds the last acknowledged write, or one whose outcome is not known.
fn register<'a>(client: usize, operations: impl Iterator<Item = &'a Operation>, found: &Found) -> Verdict {
    let mut verdict = Verdict::default();
    let (mut last, mut possible) = (None, BTreeSet::new());
    for operation in operations {
        match operation.outcome {
            Outcome::Acknowledged(_) => last = Some(operation.number),
            Outcome::Ambiguous => drop(possible.insert(operation.number)),
            Outcome::Refused => {}
        }
    }
    let held = found.register.as_ref().map(|text| text.parse::<u64>());
    match (held, last) {
        (None, None) => {}
        (None, Some(last)) => verdict.lost.push(format!("register {client} = {last}")),
        (Some(Ok(held)), last) if Some(held) == last || possible.contains(&held) => {}
        (Some(Ok(held)), Some(last)) if held < last => {
            verdict.lost.push(format!("register {client} = {last}: it holds {held}"));
        }
        (Some(_), _) => verdict.wrong.push(format!("register {client} holds {:?}", found.register)),
    }
    verdict
}

/// Each reply is larger than the one before, and the end lies between what surely and what possibly happened.
fn counter<'a>(client: usize, operations: impl Iterator<Item = &'a Operation>, found: &Found) -> Verdict {
    let mut verdict = Verdict::default();
    let (mut least, mut acknowledged, mut ambiguous) = (0, 0, 0);
    for operation in operations {
        match operation.outcome {
            Outcome::Acknowledged(reply) => {
                acknowledged += 1;
                if reply <= least {
                    verdict.lost.push(format!("counter {client}: {reply} was answered after {least}"));
                } else if reply > acknowledged + ambiguous {
                    verdict.wrong.push(format!("counter {client}: {reply} counts more than was sent"));
                }
                least = least.max(reply);
            }
            Outcome::Ambiguous => ambiguous += 1,
            Outcome::Refused => {}
        }
    }
    match found.counter.as_deref().unwrap_or("0").parse::<i64>() {
        Ok(held) if held < least.max(acknowledged) => {
            verdict.lost.push(format!("counter {client} = {}: it holds {held}", least.max(acknowledged)));
        }
        Ok(held) if held <= acknowledged + ambiguous => {}
        _ => verdict.wrong.push(format!("counter {client} holds {:?}", found.counter)),
    }
    verdict
}

/// Acknowledged elements are there once and in order; others only if their outcome is not known.
fn list<'a>(client: usize, operations: impl Iterator<Item = &'a Operation>, found: &Found) -> Verdict {
    let mut verdict = Verdict::default();
    let (mut sure, mut possible) = (BTreeSet::new(), BTreeSet::new());
    for operation in operations {
        match operation.outcome {
            Outcome::Acknowledged(_) => drop(sure.insert(operation.number)),
            Outcome::Ambiguous => drop(possible.insert(operation.number)),
            Outcome::Refused => {}
        }
    }
    let (mut seen, mut last) = (BTreeSet::new(), None);
    for text in &found.list {
        let Ok(number) = text.parse::<u64>() else {
            verdict.wrong.push(format!("list {client} holds {text:?}"));
            continue;
        };
        if !seen.insert(number) {
            verdict.wrong.push(format!("list {client} holds {number} twice"));
        } else if sure.contains(&number) {
            if last > Some(number) {
                verdict.wrong.push(format!("list {client} holds {number} after {last:?}"));
            }
            last = Some(number);
        } else if !possible.contains(&number) {
            verdict.wrong.push(format!("list {client} holds {number}, which was not acknowledged"));
        }
    }
    verdict.lost.extend(sure.difference(&seen).map(|number| format!("list {client}: element {number}")));
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Acknowledged, Ambiguous, Refused};

    fn operations(kind: Kind, outcomes: &[Outcome]) -> Vec<Operation> {
        let operation = |(number, &outcome): (usize, _)| Operation {
            client: 1,
            number: number as u64,
            kind,
            outcome,
            at_ms: 0,
        };
        outcomes.iter().enumerate().map(operation).collect()
    }

    /// How many writes are lost and how many things are wrong.
    fn judge(kind: Kind, outcomes: &[Outcome], found: &Found) -> (usize, usize) {
        let verdict = check(1, &operations(kind, outcomes), found);
        (verdict.lost.len(), verdict.wrong.len())
    }

    fn sets(numbers: &[u64]) -> Found {
        Found { sets: numbers.iter().map(|&number| (number, value(1, number))).collect(), ..Found::default() }
    }

    #[test]
    fn a_missing_acknowledged_key_is_lost() {
        let told = [Acknowledged(0), Acknowledged(0)];
        assert_eq!(judge(Kind::Set, &told, &sets(&[0, 1])), (0, 0));
        assert_eq!(judge(Kind::Set, &told, &sets(&[0])), (1, 0));
    }

    #[test]
    fn an_ambiguous_key_may_be_there_or_not_but_never_changed() {
        assert_eq!(judge(Kind::Set, &[Ambiguous], &sets(&[])), (0, 0));
        assert_eq!(judge(Kind::Set, &[Ambiguous], &sets(&[0])), (0, 0));
        let changed = Found { sets: [(0, "other".to_owned())].into(), ..Found::default() };
        assert_eq!(judge(Kind::Set, &[Ambiguous], &changed), (0, 1));
        assert_eq!(judge(Kind::Set, &[Acknowledged(0)], &changed), (0, 1));
    }

    #[test]
    fn a_refused_key_must_not_be_there() {
        assert_eq!(judge(Kind::Set, &[Refused], &sets(&[])), (0, 0));
        assert_eq!(judge(Kind::Set, &[Refused], &sets(&[0])), (0, 1));
    }

    #[test]
    fn a_register_keeps_its_last_acknowledged_value() {
        let held = |text: &str| Found { register: Some(text.into()), ..Found::default() };
        let told = [Acknowledged(0), Ambiguous, Acknowledged(0), Refused, Ambiguous];
        for good in ["2", "1", "4"] {
            assert_eq!(judge(Kind::Register, &told, &held(good)), (0, 0), "{good}");
        }
        assert_eq!(judge(Kind::Register, &told, &held("0")), (1, 0));
        assert_eq!(judge(Kind::Register, &told, &Found::default()), (1, 0));
        assert_eq!(judge(Kind::Register, &told, &held("3")), (0, 1));
        assert_eq!(judge(Kind::Register, &told, &held("x")), (0, 1));
    }

    #[test]
    fn a_counter_never_goes_back() {
        let held = |text: &str| Found { counter: Some(text.into()), ..Found::default() };
        let told = [Acknowledged(1), Ambiguous, Acknowledged(3), Ambiguous];
        assert_eq!(judge(Kind::Increment, &told, &held("3")), (0, 0));
        assert_eq!(judge(Kind::Increment, &told, &held("4")), (0, 0));
        assert_eq!(judge(Kind::Increment, &told, &held("2")), (1, 0));
        assert_eq!(judge(Kind::Increment, &told, &held("5")), (0, 1));
        assert_eq!(judge(Kind::Increment, &told, &Found::default()), (1, 0));
        // A failover lost the first increment: the second one is answered by the same number.
        assert_eq!(judge(Kind::Increment, &[Acknowledged(1), Acknowledged(1)], &held("2")), (1, 0));
        assert_eq!(judge(Kind::Increment, &[Acknowledged(2)], &held("2")), (0, 2));
    }

    #[test]
    fn a_list_holds_every_acknowledged_element_once_and_in_order() {
        let held = |numbers: &[u64]| Found {
            list: numbers.iter().map(u64::to_string).collect(),
            ..Found::default()
        };
        let told = [Acknowledged(1), Ambiguous, Acknowledged(2), Refused];
        assert_eq!(judge(Kind::Push, &told, &held(&[0, 2])), (0, 0));
        assert_eq!(judge(Kind::Push, &told, &held(&[0, 1, 2])), (0, 0));
        assert_eq!(judge(Kind::Push, &told, &held(&[0, 2, 1])), (0, 0));
        assert_eq!(judge(Kind::Push, &told, &held(&[0])), (1, 0));
        assert_eq!(judge(Kind::Push, &told, &held(&[2, 0])), (0, 1));
        assert_eq!(judge(Kind::Push, &told, &held(&[0, 2, 2])), (0, 1));
        assert_eq!(judge(Kind::Push, &told, &held(&[0, 2, 3])), (0, 1));
        assert_eq!(judge(Kind::Push, &told, &Found::default()), (2, 0));
    }
}
