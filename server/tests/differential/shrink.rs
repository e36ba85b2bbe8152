//! A case that shows a difference, made as small as it still does: whole runs of steps are left out, then shorter ones,
//! then single ones, each time from a fresh start.

use std::time::{Duration, Instant};

use crate::bout::Difference;
use crate::case::{Case, Step};

/// How long it may take.
const TIME_MAX: Duration = Duration::from_mins(1);

/// The smallest case found, and its difference; `hold` says whether a case shows one.
pub fn shrink(
    case: &Case,
    mut found: Difference,
    mut hold: impl FnMut(&Case) -> Option<Difference>,
) -> (Case, Difference) {
    let (start, mut case) = (Instant::now(), case.clone());
    let mut length = case.steps.len().div_ceil(2);
    while length > 0 {
        let (mut at, mut shorter) = (0, false);
        while at < case.steps.len() && start.elapsed() < TIME_MAX {
            let end = (at + length).min(case.steps.len());
            let steps: Vec<Step> = case.steps[..at].iter().chain(&case.steps[end..]).cloned().collect();
            let smaller = Case { steps, ..case.clone() };
            match hold(&smaller) {
                // Another difference is another story.
                Some(difference) if difference.kind() == found.kind() => {
                    (case, found, shorter) = (smaller, difference, true);
                }
                _ => at = end,
            }
        }
        // What was needed may not be any more.
        if length > 1 || !shorter {
            length /= 2;
        }
    }
    (case, found)
}
