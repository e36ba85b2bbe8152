//! Glob patterns as Redis matches them: `*`, `?`, `[a-z]`, `[^a]` and `\` before a byte taken as it is.
//!
//! Contract: the same verdict as Redis 7's `stringmatchlen` for every pattern and every subject, bytes and not
//! characters, in time O(pattern × subject). Deliberately absent: `{a,b}` and `[!a]`, which Redis lacks too.
//! Quirks kept on purpose: an unclosed class ends with the pattern, a lone `\` at the end stands for itself, and
//! an empty subject matches only the empty pattern (`*` is asked apart by those who mean "everything").

/// Whether `subject` matches `pattern`; with `nocase`, ASCII letters are compared without regard to case.
pub fn matches(pattern: &[u8], subject: &[u8], nocase: bool) -> bool {
    if subject.is_empty() {
        return pattern.is_empty();
    }
    let (mut p, mut s) = (0, 0);
    // Where to resume when the part after the latest star fails: the star's end, and one byte further on.
    let mut retry: Option<(usize, usize)> = None;
    while s < subject.len() {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            retry = Some((p, s));
            continue;
        }
        if let Some(next) = step(&pattern[p..], subject[s], nocase) {
            p += next;
            s += 1;
            continue;
        }
        match retry {
            Some((after_star, from)) => {
                p = after_star;
                s = from + 1;
                retry = Some((after_star, s));
            }
            None => return false,
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// Whether the pattern holds anything that makes it more than a plain name.
pub fn is_pattern(pattern: &[u8]) -> bool {
    pattern.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// Matches one byte against the pattern's first element: the element's length if it fits.
fn step(pattern: &[u8], byte: u8, nocase: bool) -> Option<usize> {
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', class @ ..] => {
            let (fits, length) = in_class(class, byte, nocase);
            fits.then_some(1 + length)
        }
        [b'\\', literal, ..] => same(*literal, byte, nocase).then_some(2),
        [literal, ..] => same(*literal, byte, nocase).then_some(1),
    }
}

/// Whether a byte is in the class whose text follows the `[`, and how long that text is with its `]`.
fn in_class(class: &[u8], byte: u8, nocase: bool) -> (bool, usize) {
    let negated = class.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    loop {
        match &class[at..] {
            [] => break,
            [b'\\', literal, ..] => {
                // Redis compares an escaped member exactly, whatever the case rule.
                found |= *literal == byte;
                at += 2;
            }
            [b']', ..] => {
                at += 1;
                break;
            }
            [low, b'-', high, ..] => {
                found |= in_range(*low, *high, byte, nocase);
                at += 3;
            }
            [literal, ..] => {
                found |= same(*literal, byte, nocase);
                at += 1;
            }
        }
    }
    (found != negated, at)
}

/// Ranges compare as C's signed characters do, turned round when written the wrong way round.
fn in_range(low: u8, high: u8, byte: u8, nocase: bool) -> bool {
    let (low, high) = if (low as i8) > (high as i8) { (high, low) } else { (low, high) };
    let [low, high, byte] = [low, high, byte].map(|b| if nocase { b.to_ascii_lowercase() } else { b } as i8);
    (low..=high).contains(&byte)
}

fn same(a: u8, b: u8, nocase: bool) -> bool {
    if nocase { a.eq_ignore_ascii_case(&b) } else { a == b }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, subject: &str) -> bool {
        matches(pattern.as_bytes(), subject.as_bytes(), false)
    }

    #[test]
    fn stars_and_question_marks() {
        for (pattern, subject, expected) in [
            ("*", "anything", true),
            ("", "", true),
            ("", "a", false),
            ("*", "", false),
            ("a*", "a", true),
            ("a**", "a", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abcd", false),
            ("*ab", "aab", true),
            ("?", "a", true),
            ("?", "", false),
            ("a?c", "abc", true),
            ("a?", "a", false),
        ] {
            assert_eq!(fits(pattern, subject), expected, "{pattern:?} on {subject:?}");
        }
    }

    #[test]
    fn classes_ranges_and_escapes() {
        for (pattern, subject, expected) in [
            ("[abc]", "b", true),
            ("[^abc]", "b", false),
            ("[^abc]", "d", true),
            ("[a-c]x", "bx", true),
            ("[c-a]x", "bx", true),
            // The bracket after a dash ends the range, and the pattern ends the class.
            ("[a-]", "-", false),
            ("[a-]", "^", true),
            ("[a", "a", true),
            ("[", "[", false),
            ("[^", "x", true),
            ("[\\]]", "]", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("a\\", "a\\", true),
        ] {
            assert_eq!(fits(pattern, subject), expected, "{pattern:?} on {subject:?}");
        }
    }

    #[test]
    fn case_is_ignored_on_request_except_after_a_backslash_in_a_class() {
        assert!(matches(b"MAX*", b"maxclients", true));
        assert!(!matches(b"MAX*", b"maxclients", false));
        assert!(matches(b"[A-C]", b"b", true));
        assert!(!matches(b"[\\A]", b"a", true));
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = "a*".repeat(60) + "b";
        assert!(!fits(&pattern, &"a".repeat(5_000)));
    }
}
