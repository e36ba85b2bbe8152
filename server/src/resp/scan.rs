//! Where a reply ends: for one that is passed on as it is.

/// The length of the first whole reply in `bytes`; `None` if more must come. `Err` for what is no reply.
pub fn reply_length(bytes: &[u8]) -> Result<Option<usize>, NoReply> {
    let mut at = 0;
    // Values that are still to come.
    let mut missing = 1usize;
    while missing > 0 {
        let Some(line) = memchr::memchr(b'\n', bytes.get(at..).unwrap_or_default()) else { return Ok(None) };
        let text = &bytes[at..at + line];
        let text = text.strip_suffix(b"\r").ok_or(NoReply)?;
        at += line + 1;
        missing -= 1;
        let count =
            || std::str::from_utf8(&text[1..]).ok().and_then(|text| text.parse::<i64>().ok()).ok_or(NoReply);
        match text.first() {
            Some(b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(') => {}
            // A negative length is a null.
            Some(b'$' | b'=' | b'!') => {
                if let Ok(length) = usize::try_from(count()?) {
                    at += length + 2;
                }
            }
            Some(b'*' | b'~' | b'>') => missing += usize::try_from(count()?).unwrap_or(0),
            // Attributes stand before the value that they are about.
            Some(b'%') => missing += 2 * usize::try_from(count()?).unwrap_or(0),
            Some(b'|') => missing += 1 + 2 * usize::try_from(count()?).unwrap_or(0),
            _ => return Err(NoReply),
        }
    }
    Ok((at <= bytes.len()).then_some(at))
}

/// Bytes that are no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no reply")]
pub struct NoReply;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_ends_where_its_last_value_does() {
        for reply in [
            "+OK\r\n",
            "-ERR no\r\n",
            "$5\r\na\r\nbc\r\n",
            "$-1\r\n",
            "*-1\r\n",
            "*0\r\n",
            "*2\r\n*2\r\n:1\r\n$1\r\nx\r\n_\r\n",
            "%1\r\n+k\r\n~2\r\n#t\r\n,1.5\r\n",
            "|1\r\n+ttl\r\n:3\r\n+v\r\n",
            "=6\r\ntxt:hi\r\n",
        ] {
            let whole = format!("{reply}+next\r\n");
            assert_eq!(reply_length(whole.as_bytes()), Ok(Some(reply.len())), "{reply:?}");
            for cut in 0..reply.len() {
                assert_eq!(reply_length(&whole.as_bytes()[..cut]), Ok(None), "{reply:?} cut at {cut}");
            }
        }
        assert_eq!(reply_length(b"HTTP/1.1\r\n"), Err(NoReply));
        assert_eq!(reply_length(b"*x\r\n"), Err(NoReply));
    }
}
