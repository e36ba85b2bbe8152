//! Where two logs part: by epochs and where each began, as one epoch has one leader and so one history.
//!
//! Offsets alone prove nothing (trap 12) and the longer log is not the truer one (trap 10). The running checksum is
//! compared on top, where it is known, so that a fault in either log is not built upon.

use super::position::{EpochStart, Offset, Position};

/// A node's log as its Hello describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct History {
    /// The log reaches back to here; it can't be truncated further.
    pub base: Offset,
    pub end: Position,
    /// In order of epoch, as far back as it is known.
    pub epochs: Vec<EpochStart>,
}

impl History {
    fn end_of(&self, index: usize) -> Offset {
        self.epochs.get(index + 1).map_or(self.end.offset, |next| next.start)
    }

    /// The last offset up to which both logs hold the same records; `None` if one of them no longer reaches it.
    ///
    /// The caller still compares checksums at that offset.
    pub fn shared_with(&self, other: &Self) -> Option<Offset> {
        let offset = self.parting(other);
        (offset >= self.base && offset >= other.base).then_some(offset)
    }

    fn parting(&self, other: &Self) -> Offset {
        let level = self.end.offset == other.end.offset;
        if crate::mutant::is_planted(10) || crate::mutant::is_planted(12) && level {
            return self.end.offset.min(other.end.offset);
        }
        for (index, mine) in self.epochs.iter().enumerate().rev() {
            let Some(theirs) = other.epochs.iter().position(|e| e.epoch == mine.epoch) else { continue };
            return self.end_of(index).min(other.end_of(theirs));
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(epochs: &[(u64, u64)], end: u64) -> History {
        let epochs: Vec<_> = epochs.iter().map(|&(epoch, start)| EpochStart { epoch, start }).collect();
        let epoch = epochs.last().map_or(0, |e| e.epoch);
        History { base: 0, end: Position { epoch, offset: end, crc: 0 }, epochs }
    }

    #[test]
    fn an_empty_log_shares_the_start() {
        assert_eq!(history(&[(1, 0)], 50).shared_with(&history(&[], 0)), Some(0));
    }

    #[test]
    fn a_log_that_is_behind_shares_all_of_itself() {
        assert_eq!(history(&[(1, 0), (2, 30)], 50).shared_with(&history(&[(1, 0)], 20)), Some(20));
    }

    #[test]
    fn a_diverged_log_shares_what_the_epoch_had_when_it_ended() {
        // The old leader wrote on to 40 in epoch 1; the new one took over at 30.
        assert_eq!(history(&[(1, 0), (2, 30)], 50).shared_with(&history(&[(1, 0)], 40)), Some(30));
    }

    #[test]
    fn same_offset_with_another_history_is_not_shared() {
        assert_eq!(history(&[(1, 0), (3, 30)], 50).shared_with(&history(&[(1, 0), (2, 20)], 50)), Some(20));
    }

    #[test]
    fn a_later_common_epoch_wins_over_gaps() {
        assert_eq!(history(&[(1, 0), (4, 30)], 50).shared_with(&history(&[(2, 0), (4, 30)], 45)), Some(45));
    }

    #[test]
    fn neither_log_is_cut_below_its_base() {
        let mut leader = history(&[(1, 0)], 50);
        leader.base = 25;
        assert_eq!(leader.shared_with(&history(&[(1, 0)], 20)), None);
        let mut replica = history(&[(1, 0), (2, 40)], 60);
        replica.base = 45;
        assert_eq!(history(&[(1, 0), (3, 42)], 50).shared_with(&replica), None);
    }
}
