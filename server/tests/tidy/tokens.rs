//! Rust's text as words and signs with their lines: comments, texts, characters and lifetimes are gone.
//!
//! Contract: enough of the language for the checker, not a compiler's lexer. It never fails; what it cannot read is a
//! sign of one byte.

/// A word, `::`, or a single sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    /// Counted from 1.
    pub line: usize,
}

pub fn tokens(source: &str) -> Vec<Token> {
    let mut reader = Reader { rest: source.as_bytes(), line: 1, out: Vec::new() };
    while !reader.rest.is_empty() {
        reader.one();
    }
    reader.out
}

struct Reader<'a> {
    rest: &'a [u8],
    line: usize,
    out: Vec<Token>,
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

impl Reader<'_> {
    fn skip(&mut self, bytes: usize) {
        let (gone, rest) = self.rest.split_at(bytes.min(self.rest.len()));
        self.line += gone.split(|&byte| byte == b'\n').count() - 1;
        self.rest = rest;
    }

    fn push(&mut self, bytes: usize) {
        let text = String::from_utf8_lossy(&self.rest[..bytes]).into_owned();
        self.out.push(Token { text, line: self.line });
        self.skip(bytes);
    }

    fn one(&mut self) {
        match self.rest {
            [byte, ..] if byte.is_ascii_whitespace() => self.skip(1),
            [b'/', b'/', ..] => self.skip(self.length_to(b"\n")),
            [b'/', b'*', ..] => self.block_comment(),
            [b'"', ..] => self.text(1),
            [b'\'', ..] => self.quote(),
            [b':', b':', ..] => self.push(2),
            [byte, ..] if is_word(*byte) => self.word(),
            _ => self.push(1),
        }
    }

    /// Bytes up to the end of the first `end`, or of everything.
    fn length_to(&self, end: &[u8]) -> usize {
        let at = self.rest.windows(end.len()).position(|window| window == end);
        at.map_or(self.rest.len(), |at| at + end.len())
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        loop {
            match self.rest {
                [] => return,
                [b'/', b'*', ..] => {
                    depth += 1;
                    self.skip(2);
                }
                [b'*', b'/', ..] => {
                    depth -= 1;
                    self.skip(2);
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.skip(1),
            }
        }
    }

    /// A text in double quotes whose opening is so many bytes long.
    fn text(&mut self, opening: usize) {
        self.skip(opening);
        loop {
            match self.rest {
                [] => return,
                [b'"', ..] => return self.skip(1),
                [b'\\', ..] => self.skip(2),
                _ => self.skip(1),
            }
        }
    }

    /// A character, or the quote of a lifetime.
    fn quote(&mut self) {
        match self.rest {
            [_, b'\\', _, ..] => {
                self.skip(3);
                self.skip(self.length_to(b"'"));
            }
            [_, first, b'\'', ..] if *first != b'\'' => self.skip(3),
            [_, first, ..] if *first >= 0x80 => self.skip(self.length_to(b"'").max(2)),
            _ => {
                // A lifetime: its name is no word of the program.
                let name = self.rest[1..].iter().take_while(|&&byte| is_word(byte)).count();
                self.skip(1 + name);
            }
        }
    }

    fn word(&mut self) {
        let length = self.rest.iter().take_while(|&&byte| is_word(byte)).count();
        let (word, after) = self.rest.split_at(length);
        let hashes = after.iter().take_while(|&&byte| byte == b'#').count();
        let opens = after.get(hashes) == Some(&b'"');
        match word {
            b"r" | b"br" | b"cr" if opens => {
                self.skip(length + hashes + 1);
                let end = [&b"\""[..], &b"#".repeat(hashes)].concat();
                self.skip(self.length_to(&end));
            }
            b"b" | b"c" if opens && hashes == 0 => self.text(length + 1),
            b"b" if after.first() == Some(&b'\'') => {
                self.skip(1);
                self.quote();
            }
            b"r" if hashes == 1 => self.skip(2),
            _ => self.push(length),
        }
    }
}
