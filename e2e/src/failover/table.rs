//! What was measured, as a table in Markdown. Pure.

use crate::history::percentile;
use std::fmt::Write as _;

/// All rounds of one failure on one side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    pub failure: &'static str,
    pub side: &'static str,
    /// Microseconds without an acknowledged write, of each round.
    pub gaps_us: Vec<u64>,
    pub acknowledged: usize,
    pub lost: usize,
    /// It did not recover from one more, and had no other.
    pub stuck: bool,
}

pub fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| failure | store | rounds | p50 | p99 | max | acknowledged writes | lost |\n|---|---|--:|--:|--:|--:|--:|--:|\n",
    );
    for row in rows.iter().filter(|row| row.stuck || !row.gaps_us.is_empty()) {
        let show = |percent| match row.gaps_us[..] {
            [] => String::new(),
            ref gaps => milliseconds(percentile(gaps, percent)),
        };
        let stuck = if row.stuck { ", then it did not recover" } else { "" };
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "| {} | {} | {}{stuck} | {} | {} | {} | {} | {} |",
            row.failure,
            row.side,
            row.gaps_us.len(),
            show(50),
            show(99),
            show(100),
            row.acknowledged,
            row.lost
        );
    }
    text
}

fn milliseconds(us: u64) -> String {
    if us < 100_000 { format!("{:.1} ms", us as f64 / 1e3) } else { format!("{} ms", us / 1000) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_shows_percentiles_and_losses() {
        let row = Row {
            failure: "kill -9 leader",
            side: "Botellier",
            gaps_us: vec![12_340, 150_000, 90_000],
            acknowledged: 10,
            lost: 0,
            stuck: false,
        };
        let text = markdown(&[row.clone(), Row::default()]);
        assert_eq!(
            text.lines().last(),
            Some("| kill -9 leader | Botellier | 3 | 90.0 ms | 150 ms | 150 ms | 10 | 0 |")
        );
        assert_eq!(text.lines().count(), 3, "what was not measured is not shown");
        let text = markdown(&[Row { stuck: true, ..row }]);
        assert!(text.contains("| 3, then it did not recover | 90.0 ms |"), "{text}");
    }
}
