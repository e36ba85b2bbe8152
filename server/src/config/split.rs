//! Words of a line as Redis splits it: in redis.conf, in inline commands, in arguments.
//!
//! Contract: equal to Redis' `sdssplitargs`. Double quotes know `\n \r \t \b \a \xHH` and `\` before any other byte;
//! single quotes know only `\'`. A closing quote must be followed by a blank or the end.

/// The line has an unclosed quote, or a closing quote glued to what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unbalanced quotes")]
pub struct Unbalanced;

/// Splits a line into its words, quotes and escapes resolved.
pub fn split_args(line: &[u8]) -> Result<Vec<Vec<u8>>, Unbalanced> {
    let mut words = Vec::new();
    let mut rest = skip_blank(line);
    while !rest.is_empty() {
        let (word, after) = take_word(rest)?;
        words.push(word);
        rest = skip_blank(after);
    }
    Ok(words)
}

/// Writes a value so that [`split_args`] gives it back: in double quotes, what is not printable escaped.
pub fn quote(value: &[u8]) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for &byte in value {
        match byte {
            b'\\' | b'"' => out.extend(['\\', byte as char]),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x07 => out.push_str("\\a"),
            0x08 => out.push_str("\\b"),
            b' '..=b'~' => out.push(byte as char),
            _ => {
                out.push_str("\\x");
                for digit in [byte >> 4, byte & 15] {
                    out.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
                }
            }
        }
    }
    out.push('"');
    out
}

/// C's isspace.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | 0x0b | 0x0c)
}

fn skip_blank(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|&byte| !is_blank(byte)).unwrap_or(text.len());
    &text[start..]
}

fn take_word(text: &[u8]) -> Result<(Vec<u8>, &[u8]), Unbalanced> {
    let mut word = Vec::new();
    let mut rest = text;
    loop {
        match rest {
            [] => return Ok((word, rest)),
            [byte, ..] if is_blank(*byte) => return Ok((word, rest)),
            [b'"', inside @ ..] => rest = closed(take_double(inside, &mut word)?)?,
            [b'\'', inside @ ..] => rest = closed(take_single(inside, &mut word)?)?,
            [byte, after @ ..] => {
                word.push(*byte);
                rest = after;
            }
        }
    }
}

/// What follows a closing quote: nothing, or a blank.
fn closed(rest: &[u8]) -> Result<&[u8], Unbalanced> {
    match rest.first() {
        Some(&byte) if !is_blank(byte) => Err(Unbalanced),
        _ => Ok(rest),
    }
}

fn take_double<'a>(text: &'a [u8], word: &mut Vec<u8>) -> Result<&'a [u8], Unbalanced> {
    let mut rest = text;
    loop {
        match rest {
            [] => return Err(Unbalanced),
            [b'"', after @ ..] => return Ok(after),
            [b'\\', b'x', high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                word.push(hex(*high) << 4 | hex(*low));
                rest = after;
            }
            [b'\\', escaped, after @ ..] => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                rest = after;
            }
            [byte, after @ ..] => {
                word.push(*byte);
                rest = after;
            }
        }
    }
}

fn take_single<'a>(text: &'a [u8], word: &mut Vec<u8>) -> Result<&'a [u8], Unbalanced> {
    let mut rest = text;
    loop {
        match rest {
            [] => return Err(Unbalanced),
            [b'\'', after @ ..] => return Ok(after),
            [b'\\', b'\'', after @ ..] => {
                word.push(b'\'');
                rest = after;
            }
            [byte, after @ ..] => {
                word.push(*byte);
                rest = after;
            }
        }
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.to_ascii_lowercase() - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        split_args(line.as_bytes())
            .unwrap()
            .into_iter()
            .map(|word| String::from_utf8(word).unwrap())
            .collect()
    }

    #[test]
    fn plain_words_and_blanks() {
        assert_eq!(words("  save  60\t1 \r\n"), ["save", "60", "1"]);
        assert!(words("").is_empty());
        assert!(words("   ").is_empty());
    }

    #[test]
    fn quotes_and_escapes() {
        assert_eq!(words(r#"a "b c" d"#), ["a", "b c", "d"]);
        assert_eq!(words(r#"requirepass """#), ["requirepass", ""]);
        assert_eq!(words(r#""\x41\n\"\q""#), ["A\n\"q"]);
        assert_eq!(words(r"'it\'s \n'"), [r"it's \n"]);
        // Redis lets a quote open in the middle of a word.
        assert_eq!(words(r#"a"b c""#), ["ab c"]);
        assert_eq!(split_args(br#""\xff""#).unwrap(), [vec![0xff]]);
    }

    #[test]
    fn unbalanced_quotes_are_refused() {
        for line in [r#""abc"#, "'abc", r#""a"b"#, "'a'b", r#""abc\"#, r#""abc\""#] {
            assert_eq!(split_args(line.as_bytes()), Err(Unbalanced), "{line}");
        }
    }

    #[test]
    fn what_is_quoted_comes_back() {
        let every_byte: Vec<u8> = (0..=255).collect();
        assert_eq!(split_args(quote(&every_byte).as_bytes()).unwrap(), [every_byte]);
        assert_eq!(quote(b"a b\"c"), r#""a b\"c""#);
    }
}
