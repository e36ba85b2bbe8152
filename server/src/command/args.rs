//! Arguments of a request, as the command's declaration reads them.
//!
//! Optional arguments that begin with tokens come in any order; one that is given again takes the place of the first,
//! as in Redis, but two alternatives of one argument are a syntax error. Words that stand for numbers are checked here
//! only where the declaration says so ([`Arg::least`](super::spec::Arg::least)): Redis reads most of them later.

use smallvec::SmallVec;

use super::errors;
use super::spec::{Arg, Begin, Find, Grammar, Kind, Spec};
use crate::resp::{Failure, Request};
use crate::value::number;

/// The arguments: by position, and by the names of the declaration.
pub struct Args<'a> {
    request: Request<'a>,
    /// The words of the command's name.
    skip: usize,
    /// The arguments that follow it, a word each. They need no entry in `named`.
    plain: &'static [Arg],
    named: SmallVec<[Named; 6]>,
}

/// A run of words that was found for an argument.
#[derive(Clone, Copy)]
struct Named {
    name: &'static str,
    start: u32,
    end: u32,
}

impl<'a> Args<'a> {
    /// Read `request` by the declaration of its command; `skip` words are the command's name.
    pub fn parse(spec: &'static Spec, request: Request<'a>, skip: usize) -> Result<Self, Failure> {
        if spec.grammar == Grammar::Own {
            return Ok(Self { request, skip, plain: &[], named: SmallVec::new() });
        }
        Self::read(spec, request, skip)
    }

    /// The same, for commands whose grammar is their own, when they are ready for it.
    pub fn read(spec: &'static Spec, request: Request<'a>, skip: usize) -> Result<Self, Failure> {
        let plain = spec.args.iter().take_while(|arg| is_plain(arg)).count();
        let (plain, rest) = spec.args.split_at(plain);
        let mut args = Self { request, skip, plain, named: SmallVec::new() };
        let begin = skip + plain.len();
        // By far most requests: no option, nothing to look for.
        if request.len() == begin && rest.iter().all(|arg| arg.optional) {
            return Ok(args);
        }
        if request.len() < begin {
            return Err(errors::SYNTAX);
        }
        let end = args.sequence(spec, rest, begin)?;
        match spec.grammar {
            _ if end == request.len() => Ok(args),
            Grammar::Bounded => Err(errors::arity(spec)),
            Grammar::Declared | Grammar::Own => Err(errors::SYNTAX),
        }
    }

    pub fn request(&self) -> Request<'a> {
        self.request
    }

    /// How many words are the command's name.
    pub fn skip(&self) -> usize {
        self.skip
    }

    pub fn len(&self) -> usize {
        self.request.len()
    }

    pub fn is_empty(&self) -> bool {
        false
    }

    /// The word at a position; the command's name is 0. The arity was checked.
    pub fn word(&self, index: usize) -> &'a [u8] {
        self.request.arg(index)
    }

    fn find(&self, name: &str) -> Option<(usize, usize)> {
        if let Some(found) = self.named.iter().rev().find(|other| other.name == name) {
            return Some((found.start as usize, found.end as usize));
        }
        let index = self.plain.iter().position(|arg| arg.name == name)?;
        Some((self.skip + index, self.skip + index + 1))
    }

    /// Whether the flag or argument of this name was given.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The (first) value of the argument of this name, if it was given. Of one with alternatives it is the token
    /// of the one that was given, as it was written.
    pub fn value(&self, name: &str) -> Option<&'a [u8]> {
        self.find(name).filter(|(start, end)| start < end).map(|(start, _)| self.request.arg(start))
    }

    /// All values of an argument that may be given several times in a row.
    pub fn values(&self, name: &str) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a> {
        let (start, end) = self.find(name).unwrap_or((0, 0));
        self.request.rest(start).take(end - start)
    }

    /// The (first) value of each occurrence of an argument whose token may be given several times.
    pub fn each<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'a [u8]> + use<'a, 's> {
        let found = self.named.iter().filter(move |other| other.name == name);
        found.filter(|found| found.start < found.end).map(|found| self.request.arg(found.start as usize))
    }

    /// The value of an integer argument, if it was given.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, Failure> {
        self.value(name).map(|word| number::integer(word).ok_or(errors::NOT_INTEGER)).transpose()
    }

    fn left(&self, at: usize) -> usize {
        self.request.len().saturating_sub(at)
    }

    fn found(&mut self, arg: &'static Arg, start: usize, end: usize) {
        self.named.push(Named { name: arg.name, start: start as u32, end: end as u32 });
    }

    /// Arguments one after the other; a run of optional ones with tokens comes in any order.
    fn sequence(
        &mut self,
        spec: &'static Spec,
        args: &'static [Arg],
        mut at: usize,
    ) -> Result<usize, Failure> {
        let mut index = 0;
        while index < args.len() {
            let run = args[index..].iter().take_while(|arg| is_option(arg)).count();
            if run > 0 {
                at = self.options(spec, &args[index..index + run], at)?;
                index += run;
                continue;
            }
            // Words that later arguments need are not this one's.
            let later: usize = args[index + 1..].iter().filter(|arg| !arg.optional).map(least).sum();
            at = self.one(spec, &args[index], at, later)?;
            index += 1;
        }
        Ok(at)
    }

    /// Arguments that begin with tokens, in any order.
    fn options(
        &mut self,
        spec: &'static Spec,
        args: &'static [Arg],
        mut at: usize,
    ) -> Result<usize, Failure> {
        // For each argument that was seen, 1 and the index of the alternative that it was.
        let mut seen = [0u8; OPTIONS_MAX];
        while let Some(word) = self.request.get(at) {
            let Some(index) = args.iter().position(|arg| matches_token(arg, word)) else { break };
            let arg = &args[index];
            let choice = self.choice(arg, at) as u8 + 1;
            if seen[index] != 0 && seen[index] != choice {
                return Err(errors::SYNTAX);
            }
            seen[index] = choice;
            at = self.given(spec, arg, at)?;
            if arg.multiple && !arg.multiple_token {
                let words = self.request.rest(at);
                let more = words.take_while(|word| !args.iter().any(|arg| matches_token(arg, word))).count();
                at += more;
                if let Some(last) = self.named.last_mut() {
                    last.end += more as u32;
                }
            }
        }
        let missing = args.iter().zip(seen).any(|(arg, seen)| !arg.optional && seen == 0);
        if missing { Err(errors::SYNTAX) } else { Ok(at) }
    }

    /// Which alternative of an argument stands at `at`; 0 for those that have none.
    fn choice(&self, arg: &Arg, at: usize) -> usize {
        let at = at + usize::from(arg.token.is_some());
        match (arg.kind, self.request.get(at)) {
            (Kind::OneOf(choices), Some(word)) => {
                choices.iter().position(|choice| matches_token(choice, word)).unwrap_or(choices.len())
            }
            _ => 0,
        }
    }

    /// An argument that may be missing if it is optional; `later` words at the end belong to others.
    fn one(
        &mut self,
        spec: &'static Spec,
        arg: &'static Arg,
        mut at: usize,
        later: usize,
    ) -> Result<usize, Failure> {
        let left = self.left(at).saturating_sub(later);
        if left < least(arg) {
            return if arg.optional { Ok(at) } else { Err(errors::SYNTAX) };
        }
        if !arg.multiple {
            return self.given(spec, arg, at);
        }
        if leads(arg) {
            let begin = at;
            while self.request.get(at).is_some_and(|word| matches_token(arg, word)) {
                at = self.given(spec, arg, at)?;
            }
            return if at == begin && !arg.optional { Err(errors::SYNTAX) } else { Ok(at) };
        }
        let size = least(arg).max(1);
        let count = match self.counted(spec, arg, at)? {
            Some(count) => count,
            // All that is left, in whole repetitions.
            None => left / size,
        };
        if count > left / size {
            return Err(errors::SYNTAX);
        }
        let end = at + count * size;
        if end > at {
            self.found(arg, at, end);
        }
        Ok(end)
    }

    /// How often an argument is repeated, if its key spec says it.
    fn counted(&self, spec: &Spec, arg: &Arg, at: usize) -> Result<Option<usize>, Failure> {
        let Kind::Key(index) = arg.kind else { return Ok(None) };
        let Some(keys) = spec.keys.get(index) else { return Ok(None) };
        match (keys.begin, keys.find) {
            (Begin::Index(begin), Find::Count { index, .. }) => {
                let word = self.request.get(begin + index).ok_or(errors::SYNTAX)?;
                let count = number::integer(word).ok_or(errors::NOT_INTEGER)?;
                usize::try_from(count).map(Some).map_err(|_| errors::SYNTAX)
            }
            (_, Find::Range { limit, .. }) if limit > 1 => Ok(Some(self.left(at) / limit)),
            _ => Ok(None),
        }
    }

    /// An argument that is there, its token first.
    fn given(&mut self, spec: &'static Spec, arg: &'static Arg, mut at: usize) -> Result<usize, Failure> {
        if let Some(token) = arg.token {
            let word = self.request.get(at).ok_or(errors::SYNTAX)?;
            if !word.eq_ignore_ascii_case(token.as_bytes()) {
                return Err(errors::SYNTAX);
            }
            at += 1;
        }
        let start = at;
        match arg.kind {
            Kind::Flag => {}
            Kind::OneOf(choices) => {
                let word = self.request.get(at).ok_or(errors::SYNTAX)?;
                let choice = choices.iter().find(|choice| matches_token(choice, word));
                let choice = choice.or_else(|| choices.iter().find(|choice| !leads(choice)));
                at = self.one(spec, choice.ok_or(errors::SYNTAX)?, at, 0)?;
            }
            Kind::Block(parts) => at = self.sequence(spec, parts, at)?,
            _ => {
                let word = self.request.get(at).ok_or(errors::SYNTAX)?;
                if let Some(check) = &arg.least {
                    let number = number::integer(word).ok_or(Failure::new(check.other))?;
                    if number < check.least {
                        return Err(Failure::new(check.below));
                    }
                }
                at += 1;
            }
        }
        self.found(arg, start, at);
        Ok(at)
    }
}

/// A word that is a number of 32 bits, as those of databases are.
pub fn int(word: &[u8]) -> Result<i32, Failure> {
    let number = number::integer(word).ok_or(errors::NOT_INTEGER)?;
    i32::try_from(number).map_err(|_| errors::INT_RANGE)
}

/// When a wait of so many milliseconds is over; `None` is never.
pub fn wait_until(word: &[u8], now: u64) -> Result<Option<u64>, Failure> {
    const NUMBER: Failure = Failure::new("ERR timeout is not an integer or out of range");
    let milliseconds = number::integer(word).ok_or(NUMBER)?;
    match u64::try_from(milliseconds).map_err(|_| errors::TIMEOUT_NEGATIVE)? {
        0 => Ok(None),
        wait if wait > i64::MAX as u64 - now => Err(Failure::new("ERR timeout is out of range")),
        wait => Ok(Some(now + wait)),
    }
}

/// More options than any command has in one run.
const OPTIONS_MAX: usize = 32;

/// Whether an argument is one word that must be there and that nothing needs to be known about.
fn is_plain(arg: &Arg) -> bool {
    !arg.optional
        && !arg.multiple
        && arg.token.is_none()
        && arg.least.is_none()
        && !matches!(arg.kind, Kind::Flag | Kind::OneOf(_) | Kind::Block(_))
}

/// Whether an argument may stand anywhere in a run of options.
fn is_option(arg: &Arg) -> bool {
    (arg.optional || arg.anywhere) && leads(arg) && (!arg.multiple || arg.token.is_some())
}

/// Whether an argument is recognised by the word that it begins with.
fn leads(arg: &Arg) -> bool {
    arg.token.is_some()
        || match arg.kind {
            Kind::OneOf(choices) => choices.iter().any(leads),
            Kind::Block(parts) => parts.first().is_some_and(leads),
            _ => false,
        }
}

fn matches_token(arg: &Arg, word: &[u8]) -> bool {
    if let Some(token) = arg.token {
        return word.eq_ignore_ascii_case(token.as_bytes());
    }
    match arg.kind {
        Kind::OneOf(choices) => choices.iter().any(|choice| matches_token(choice, word)),
        Kind::Block(parts) => parts.first().is_some_and(|part| matches_token(part, word)),
        _ => false,
    }
}

/// The least number of words of one occurrence.
fn least(arg: &Arg) -> usize {
    let value = match arg.kind {
        Kind::Flag => 0,
        Kind::OneOf(choices) => choices.iter().map(least).min().unwrap_or(0),
        Kind::Block(parts) => parts.iter().filter(|part| !part.optional).map(least).sum(),
        _ => 1,
    };
    value + usize::from(arg.token.is_some())
}

#[cfg(test)]
mod tests;
