//! For how long no write was acknowledged, around one fault.
//!
//! Pure; all times are in one unit of the caller's choice.

/// The longest time between two acknowledgements next to each other of which any part lies between `from` and `to`;
/// `acknowledged` is in order. Before the first one and after the last one, `from` and `to` themselves count.
pub fn longest_stall(acknowledged: &[u64], from: u64, to: u64) -> u64 {
    let (began, ended) = stall(acknowledged, from, to);
    ended - began
}

/// From when until when it lasted, the first of the longest.
pub fn stall(acknowledged: &[u64], from: u64, to: u64) -> (u64, u64) {
    let first = acknowledged.partition_point(|at| *at <= from);
    let after = acknowledged.partition_point(|at| *at < to);
    let before = first.checked_sub(1).map_or(from, |index| acknowledged[index]);
    let end = acknowledged.get(after).copied().unwrap_or(to);
    let (mut longest, mut last) = ((before, before), before);
    for at in acknowledged[first..after.max(first)].iter().copied().chain([end]) {
        if at.saturating_sub(last) > longest.1 - longest.0 {
            longest = (last, at);
        }
        last = at;
    }
    longest
}

/// The value below or at which so many percent of them lie (nearest rank); 0 of none.
pub fn percentile(values: &[u64], percent: usize) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_that_spans_an_edge_counts_whole() {
        let acknowledged = [10, 20, 90, 100, 300, 310];
        assert_eq!(longest_stall(&acknowledged, 30, 40), 70);
        assert_eq!(longest_stall(&acknowledged, 95, 200), 200);
        assert_eq!(longest_stall(&acknowledged, 10, 20), 10);
        assert_eq!(longest_stall(&acknowledged, 5, 305), 200);
        assert_eq!(stall(&acknowledged, 5, 305), (100, 300));
        assert_eq!(stall(&acknowledged, 30, 40), (20, 90));
    }

    #[test]
    fn without_acknowledgements_the_whole_time_is_a_stall() {
        assert_eq!(longest_stall(&[], 30, 40), 10);
        assert_eq!(longest_stall(&[10], 30, 90), 80);
        assert_eq!(longest_stall(&[95], 30, 90), 65);
    }

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let values: Vec<u64> = (1..=20).rev().collect();
        assert_eq!(
            (percentile(&values, 50), percentile(&values, 99), percentile(&values, 100)),
            (10, 20, 20)
        );
        assert_eq!(percentile(&[], 50), 0);
    }
}
