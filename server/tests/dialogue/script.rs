//! A dialogue file: its lines to steps.

use botellier_server::config::split_args;

use crate::notation::Pattern;
use crate::run::Who;

#[derive(Debug, Default)]
pub struct Script {
    /// Directives of `@start`, for the configuration of the server.
    pub start: Vec<String>,
    /// Who takes part at all (`@for`).
    only: Option<Side>,
    pub steps: Vec<(usize, Step)>,
}

/// Whom a line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Ours,
    Redis,
    /// Both over TCP.
    Tcp,
    /// Ours over TCP.
    Server,
}

impl Side {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "ours" => Some(Side::Ours),
            "redis" => Some(Side::Redis),
            "tcp" => Some(Side::Tcp),
            "server" => Some(Side::Server),
            _ => None,
        }
    }

    pub fn includes(self, who: Who) -> bool {
        match self {
            Side::Ours => who != Who::Redis,
            Side::Redis => who == Who::Redis,
            Side::Tcp => who != Who::Engine,
            Side::Server => who == Who::Server,
        }
    }
}

#[derive(Debug)]
pub enum Step {
    Send {
        connection: String,
        request: Request,
        until: bool,
    },
    Expect {
        connection: String,
        side: Option<Side>,
        what: What,
    },
    /// `@only`: the steps up to the next such line are for that side.
    Only(Option<Side>),
    Close {
        connection: String,
        half: bool,
    },
}

#[derive(Debug)]
pub enum Request {
    Words(Vec<Vec<u8>>),
    Raw(Vec<u8>),
}

#[derive(Debug, PartialEq)]
pub enum What {
    Reply(Pattern),
    /// No reply yet: the client is blocked.
    Blocked,
    /// Nothing came, and nothing is on its way.
    Nothing,
    /// The connection is closed by the server.
    Closed,
}

impl Script {
    pub fn skips(&self, who: Who) -> bool {
        self.only.is_some_and(|side| !side.includes(who))
    }

    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser::default();
        let mut lines: Vec<(usize, String)> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            match lines.last_mut() {
                Some((_, last)) if line.starts_with(' ') => {
                    last.push(' ');
                    last.push_str(line.trim());
                }
                _ => lines.push((index + 1, line.trim_end().to_owned())),
            }
        }
        for (number, line) in lines {
            parser.line(number, &line).map_err(|error| format!("{number}: {error}"))?;
        }
        Ok(parser.script)
    }
}

#[derive(Default)]
struct Parser {
    script: Script,
    /// The connection of the last request.
    connection: String,
    until: bool,
    /// A `@differs` was given for the replies that follow.
    differs: bool,
    /// It was given after the last request.
    differs_next: bool,
}

impl Parser {
    fn line(&mut self, number: usize, line: &str) -> Result<(), String> {
        let step = if let Some(directive) = line.strip_prefix('@') {
            match self.directive(directive)? {
                Some(step) => step,
                None => return Ok(()),
            }
        } else if let Some((connection, rest)) = arrow(line) {
            self.reply(connection, rest)?
        } else {
            self.request(line)?
        };
        self.script.steps.push((number, step));
        Ok(())
    }

    fn directive(&mut self, line: &str) -> Result<Option<Step>, String> {
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        let reasoned = |rest: &str| -> Result<Side, String> {
            let (side, reason) = rest.split_once(' ').unwrap_or((rest, ""));
            if reason.trim().is_empty() {
                return Err("a reason is missing".into());
            }
            Side::parse(side).ok_or_else(|| format!("whom is {side:?}?"))
        };
        match name {
            "start" => {
                let words = split_args(rest.as_bytes()).map_err(|error| error.to_string())?;
                self.script.start = words.iter().map(|word| String::from_utf8_lossy(word).into()).collect();
            }
            "for" => self.script.only = Some(reasoned(rest)?),
            "only" => return Ok(Some(Step::Only(Some(reasoned(rest)?)))),
            "all" => return Ok(Some(Step::Only(None))),
            "until" => self.until = true,
            "differs" if rest.trim().is_empty() => return Err("a reason is missing".into()),
            "differs" => (self.differs, self.differs_next) = (true, true),
            "close" => return Ok(Some(Step::Close { connection: rest.into(), half: false })),
            "half-close" => return Ok(Some(Step::Close { connection: rest.into(), half: true })),
            other => return Err(format!("unknown directive @{other}")),
        }
        Ok(None)
    }

    fn reply(&mut self, connection: &str, rest: &str) -> Result<Step, String> {
        let (side, rest) = match rest.split_once(' ') {
            Some((word, rest)) if !word.is_empty() => {
                (Some(Side::parse(word).ok_or_else(|| format!("whom is {word:?}?"))?), rest)
            }
            _ => (None, rest),
        };
        if side.is_some() && !self.differs {
            return Err("replies that differ need a '@differs REASON' before their request".into());
        }
        let what = match rest.trim() {
            "(blocked)" => What::Blocked,
            "(nothing)" => What::Nothing,
            "(closed)" => What::Closed,
            pattern => What::Reply(Pattern::parse(pattern)?),
        };
        let connection = if connection.is_empty() { self.connection.clone() } else { connection.to_owned() };
        Ok(Step::Expect { connection, side, what })
    }

    fn request(&mut self, line: &str) -> Result<Step, String> {
        let (connection, rest) = match line.split_once(": ") {
            Some((name, rest)) if is_name(name) => (name, rest),
            _ => ("", line),
        };
        connection.clone_into(&mut self.connection);
        // Replies that differ belong to the request right after the reason.
        let answered = matches!(self.script.steps.last(), Some((_, Step::Expect { side: Some(_), .. })));
        self.differs &= std::mem::take(&mut self.differs_next) || !answered;
        let words = |text: &str| split_args(text.as_bytes()).map_err(|error| error.to_string());
        let request = match rest.strip_prefix('!') {
            Some(raw) => Request::Raw(repeated(words(raw)?)?),
            None => Request::Words(words(rest)?),
        };
        let until = std::mem::take(&mut self.until);
        Ok(Step::Send { connection: connection.into(), request, until })
    }
}

/// Joins words; one such as `*70000` stands for so many of the one before.
fn repeated(words: Vec<Vec<u8>>) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut last: Vec<u8> = Vec::new();
    for word in words {
        match word.strip_prefix(b"*").and_then(|count| String::from_utf8_lossy(count).parse::<usize>().ok()) {
            Some(0) => return Err("a word is repeated at least once".into()),
            Some(count) => bytes.extend(last.repeat(count - 1)),
            None => {
                bytes.extend_from_slice(&word);
                last = word;
            }
        }
    }
    Ok(bytes)
}

/// Splits `NAME->REST`.
fn arrow(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.split_once("->")?;
    (name.is_empty() || is_name(name)).then_some((name, rest))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}
