//! The options that `XADD` and `XTRIM` share.

use super::super::{Args, Context, errors};
use super::{integer, strict_id};
use crate::resp::Failure;
use crate::value::stream::{Trim, number};
use crate::value::{Id, Stream};

/// What identity a new entry shall have.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted {
    Any,
    /// Any of this millisecond.
    Of(u64),
    This(Id),
}

pub(super) struct Options {
    /// `NOMKSTREAM`.
    pub keep_missing: bool,
    pub trim: Option<Trim>,
    pub exact: bool,
    /// Entries to trim at most; 0 is no limit.
    limit: u64,
    pub id: Wanted,
    /// Where the first field stands.
    pub fields: usize,
}

impl Options {
    pub fn parse(context: &Context<'_>, args: &Args<'_>, adds: bool) -> Result<Self, Failure> {
        const BOTH: Failure =
            Failure::new("ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
        let mut options =
            Self { keep_missing: false, trim: None, exact: true, limit: 0, id: Wanted::Any, fields: 0 };
        let (mut at, mut limit) = (2, None);
        while at < args.len() {
            let (word, more) = (args.word(at).to_ascii_lowercase(), at + 1 < args.len());
            match word.as_slice() {
                b"*" if adds => break,
                b"maxlen" | b"minid" if more => {
                    if options.trim.is_some() {
                        return Err(BOTH);
                    }
                    at = options.threshold(args, &word, at + 1)?;
                }
                b"limit" if more => {
                    let number = integer(args.word(at + 1))?;
                    limit = Some(
                        u64::try_from(number)
                            .map_err(|_| Failure::new("ERR The LIMIT argument must be >= 0."))?,
                    );
                    at += 1;
                }
                b"nomkstream" if adds => options.keep_missing = true,
                _ if adds => {
                    options.id = wanted(args.word(at))?;
                    break;
                }
                _ => return Err(errors::SYNTAX),
            }
            at += 1;
        }
        options.fields = at + 1;
        options.hold(context, limit, adds)?;
        Ok(options)
    }

    /// How much is kept; the index of its last word.
    fn threshold(&mut self, args: &Args<'_>, strategy: &[u8], mut at: usize) -> Result<usize, Failure> {
        self.exact = true;
        if at + 1 < args.len() && matches!(args.word(at), b"~" | b"=") {
            self.exact = args.word(at) == b"=";
            at += 1;
        }
        self.trim = Some(if strategy == b"maxlen" {
            let most = u64::try_from(integer(args.word(at))?);
            Trim::Length(most.map_err(|_| Failure::new("ERR The MAXLEN argument must be >= 0."))?)
        } else {
            Trim::Before(strict_id(args.word(at), 0)?)
        });
        Ok(at)
    }

    fn hold(&mut self, context: &Context<'_>, limit: Option<u64>, adds: bool) -> Result<(), Failure> {
        const ALONE: Failure =
            Failure::new("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
        const NOTHING: Failure =
            Failure::new("ERR syntax error, XTRIM must be called with a trimming strategy");
        const EXACT: Failure =
            Failure::new("ERR syntax error, LIMIT cannot be used without the special ~ option");
        match (limit, self.trim) {
            (Some(1..), None) => return Err(ALONE),
            (_, None) if !adds => return Err(NOTHING),
            (Some(_), _) if self.exact => return Err(EXACT),
            _ => {}
        }
        // A hundred blocks are enough for one command, unless it says how many.
        let blocks = context.server.config.stream_node_max_entries.saturating_mul(100);
        let usual = if blocks == 0 { 10_000 } else { blocks.min(1_000_000) };
        self.limit = if self.exact { 0 } else { limit.unwrap_or(usual) };
        Ok(())
    }

    /// How many entries of a stream go.
    pub fn would_trim(&self, stream: &Stream) -> u64 {
        self.trim.map_or(0, |trim| stream.would_trim(trim, self.exact, self.limit))
    }
}

fn wanted(word: &[u8]) -> Result<Wanted, Failure> {
    match word.strip_suffix(b"-*").filter(|ms| !ms.contains(&b'-')) {
        Some(ms) => number(ms).map(Wanted::Of).ok_or(super::INVALID_ID),
        None => strict_id(word, 0).map(Wanted::This),
    }
}
