//! Counts RESP2 replies in a stream of bytes, however it is cut.
//!
//! Contract: an error reply, a null or a 0 is an error: a benchmark of refusals measures nothing.

#[derive(Default)]
pub struct Replies {
    /// Values still to come before the reply is whole.
    open: usize,
    /// Bytes of a string, with its end, still to pass over.
    skip: usize,
    /// The head of a value, when it was cut.
    head: Vec<u8>,
}

impl Replies {
    /// Takes bytes; gives how many replies ended in them.
    pub fn take(&mut self, mut bytes: &[u8]) -> Result<usize, String> {
        let mut whole = 0;
        loop {
            if self.skip > 0 {
                let passed = self.skip.min(bytes.len());
                self.skip -= passed;
                bytes = &bytes[passed..];
                if self.skip > 0 {
                    return Ok(whole);
                }
                whole += self.value_done();
            }
            let Some(end) = bytes.iter().position(|&byte| byte == b'\n') else {
                self.head.extend_from_slice(bytes);
                return Ok(whole);
            };
            let (line, rest) = bytes.split_at(end + 1);
            bytes = rest;
            if self.head.is_empty() {
                whole += self.line(line)?;
            } else {
                let mut head = std::mem::take(&mut self.head);
                head.extend_from_slice(line);
                whole += self.line(&head)?;
            }
        }
    }

    fn line(&mut self, line: &[u8]) -> Result<usize, String> {
        let number = || -> Result<usize, String> {
            let text = String::from_utf8_lossy(line).trim_end()[1..].to_owned();
            text.parse().map_err(|_| format!("unexpected reply {text:?}"))
        };
        match line[0] {
            // Only WAIT answers 0, when no replica has the write.
            b':' if line == b":0\r\n" => Err("no replica had the write".into()),
            b'+' | b':' => Ok(self.value_done()),
            b'$' => {
                self.skip = number()? + 2;
                Ok(0)
            }
            b'*' => match number()? {
                0 => Ok(self.value_done()),
                items => {
                    // The array takes the place of one value.
                    self.open = self.open.saturating_sub(1) + items;
                    Ok(0)
                }
            },
            _ => Err(format!("the server answered {}", String::from_utf8_lossy(line).trim_end())),
        }
    }

    fn value_done(&mut self) -> usize {
        self.open = self.open.saturating_sub(1);
        usize::from(self.open == 0)
    }
}
