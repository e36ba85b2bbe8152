//! For how long nothing was acknowledged.

use super::{Operation, Outcome};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Longest times between two acknowledgements, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::struct_field_names, reason = "units stand last in names")]
pub struct Gaps {
    /// Until the fault: what this machine does to a store that is well.
    pub before_ms: u64,
    /// From the fault on: how long nobody was served.
    pub fault_ms: u64,
    /// From the fault on, of the one client that waited longest.
    pub fault_client_ms: u64,
}

/// The gaps up to `end_ms`, when the writer stopped. A gap that spans the fault belongs to the fault, and the time
/// from the last acknowledgement to the end is a gap too: a store that never comes back has a long one.
pub fn gaps(operations: &[Operation], fault_ms: Option<u64>, end_ms: u64) -> Gaps {
    let fault_ms = fault_ms.unwrap_or(u64::MAX);
    let mut everyone = Vec::new();
    let mut clients: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    for operation in operations {
        let times = clients.entry(operation.client).or_default();
        if let Outcome::Acknowledged(_) = operation.outcome {
            everyone.push(operation.at_ms);
            times.push(operation.at_ms);
        }
    }
    everyone.sort_unstable();
    let (before_ms, after_ms) = longest(&everyone, fault_ms, end_ms);
    let fault_client_ms = clients.values().map(|times| longest(times, fault_ms, end_ms).1).max().unwrap_or(0);
    Gaps { before_ms, fault_ms: after_ms, fault_client_ms }
}

/// The longest gap that was over at the fault, and the longest of the others.
fn longest(times: &[u64], fault_ms: u64, end_ms: u64) -> (u64, u64) {
    let (mut before, mut after) = (0, 0);
    let mut last = times.first().copied().unwrap_or(0);
    for &time in times.iter().chain([&end_ms]) {
        let gap = time.saturating_sub(last);
        if time <= fault_ms {
            before = before.max(gap);
        } else {
            after = after.max(gap);
        }
        last = last.max(time);
    }
    (before, after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Kind;

    fn acknowledged(client: usize, times: &[u64]) -> Vec<Operation> {
        let operation = |&at_ms| Operation {
            client,
            number: at_ms,
            kind: Kind::Set,
            outcome: Outcome::Acknowledged(0),
            at_ms,
        };
        times.iter().map(operation).collect()
    }

    #[test]
    fn without_a_fault_all_gaps_are_before_it() {
        let found = gaps(&acknowledged(0, &[10, 15, 40, 45]), None, 50);
        assert_eq!(found, Gaps { before_ms: 25, fault_ms: 0, fault_client_ms: 0 });
    }

    #[test]
    fn the_gap_that_spans_the_fault_belongs_to_it() {
        let found = gaps(&acknowledged(0, &[10, 20, 520, 525]), Some(30), 530);
        assert_eq!(found, Gaps { before_ms: 10, fault_ms: 500, fault_client_ms: 500 });
    }

    #[test]
    fn one_client_may_wait_longer_than_all_of_them() {
        let mut operations = acknowledged(0, &[10, 100, 200, 300]);
        operations.extend(acknowledged(1, &[12, 290]));
        assert_eq!(
            gaps(&operations, Some(20), 300),
            Gaps { before_ms: 2, fault_ms: 100, fault_client_ms: 278 }
        );
    }

    #[test]
    fn a_store_that_does_not_come_back_has_a_gap_to_the_end() {
        let found = gaps(&acknowledged(0, &[10, 20]), Some(25), 9_000);
        assert_eq!(found.fault_ms, 8_980);
        assert_eq!(gaps(&[], Some(5), 100).fault_ms, 100);
    }

    #[test]
    fn refused_and_ambiguous_operations_close_no_gap() {
        let mut operations = acknowledged(0, &[10, 500]);
        operations.extend(acknowledged(0, &[200]));
        operations[2].outcome = Outcome::Refused;
        assert_eq!(gaps(&operations, Some(20), 500).fault_ms, 490);
    }

    #[test]
    fn a_client_that_was_never_acknowledged_counts_from_the_start() {
        let mut operations = acknowledged(0, &[10, 20, 30]);
        operations.extend(acknowledged(1, &[15]));
        operations[3].outcome = Outcome::Ambiguous;
        assert_eq!(gaps(&operations, Some(5), 30).fault_client_ms, 30);
    }
}
