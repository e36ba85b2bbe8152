//! What must hold of every run.

use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug)]
pub struct Operation {
    pub write: bool,
    /// The write, or the write whose value was read (0: none).
    pub id: u64,
    pub invoked: u64,
    pub answered: u64,
    pub epoch: u64,
}

#[derive(Default)]
pub struct Checker {
    pub done: Vec<Operation>,
    /// Values that replicas showed.
    pub replica_reads: Vec<u64>,
}

impl Checker {
    /// Called as an answer leaves.
    pub fn answered(&mut self, operation: Operation) -> Result<(), String> {
        if let Some(last) = self.done.last()
            && last.epoch > operation.epoch
        {
            return Err(format!(
                "epoch {} answers after epoch {} did: {operation:?}",
                operation.epoch, last.epoch
            ));
        }
        self.done.push(operation);
        Ok(())
    }

    /// Judges a run by the log that all agree on at its end, which orders all writes.
    pub fn judge(&self, log: &[u64]) -> Result<(), String> {
        let place: BTreeMap<u64, usize> =
            log.iter().enumerate().map(|(index, id)| (*id, index + 1)).collect();
        let place = |id: u64| if id == 0 { Some(0) } else { place.get(&id).copied() };
        for id in &self.replica_reads {
            place(*id).ok_or_else(|| format!("a replica showed {id}, which was never committed"))?;
        }
        let mut operations = Vec::new();
        for operation in &self.done {
            let at = place(operation.id).ok_or_else(|| format!("lost: {operation:?}"))?;
            operations.push((operation, at));
        }
        // Nothing may go behind what was answered before it was asked.
        let mut ends: Vec<_> = operations.iter().map(|(operation, at)| (operation.answered, *at)).collect();
        ends.sort_unstable();
        operations.sort_by_key(|(operation, _)| operation.invoked);
        let (mut next, mut newest) = (0, 0);
        for (operation, at) in operations {
            while next < ends.len() && ends[next].0 < operation.invoked {
                newest = newest.max(ends[next].1);
                next += 1;
            }
            if at < newest || (operation.write && at == newest && at != 0) {
                return Err(format!(
                    "stale: {operation:?} is at {at}, {newest} was answered before it was asked"
                ));
            }
        }
        Ok(())
    }
}

#[test]
fn the_checker_finds_lost_writes_and_stale_and_dirty_reads() {
    let operation = |write, id, invoked, answered| Operation { write, id, invoked, answered, epoch: 1 };
    let judge =
        |done: &[Operation], log: &[u64]| Checker { done: done.to_vec(), ..Checker::default() }.judge(log);
    let write = operation(true, 7, 0, 10);
    assert!(judge(&[write], &[7]).is_ok());
    assert!(judge(&[write], &[]).is_err(), "lost");
    assert!(judge(&[write, operation(false, 0, 11, 12)], &[7]).is_err(), "stale");
    assert!(judge(&[write, operation(false, 0, 9, 12)], &[7]).is_ok(), "at the same time");
    assert!(judge(&[operation(false, 9, 11, 12)], &[7]).is_err(), "dirty");
    let mut checker = Checker::default();
    checker.answered(Operation { epoch: 2, ..write }).unwrap();
    assert!(checker.answered(write).is_err(), "an old leader answers");
}
