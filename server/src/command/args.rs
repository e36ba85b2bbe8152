//! Arguments of a request, as the command's declaration reads them.

use smallvec::SmallVec;

use super::errors;
use super::spec::{Arg, Kind, Spec};
use crate::resp::{Failure, Request};
use crate::value::number;

/// The arguments: by position, and by the names of the declaration.
pub struct Args<'a> {
    request: Request<'a>,
    /// What was found for each argument of the declaration: its name, and the run of words.
    named: SmallVec<[(&'static str, u32, u32); 8]>,
}

impl<'a> Args<'a> {
    /// Read `request` by the declaration of its command; `skip` words are the command's name.
    pub fn parse(spec: &'static Spec, request: Request<'a>, skip: usize) -> Result<Self, Failure> {
        let mut args = Self { request, named: SmallVec::new() };
        let end = args.sequence(spec.args, skip)?;
        if end == request.len() { Ok(args) } else { Err(errors::SYNTAX) }
    }

    pub fn request(&self) -> Request<'a> {
        self.request
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
        let found = self.named.iter().find(|(other, ..)| *other == name)?;
        Some((found.1 as usize, found.2 as usize))
    }

    /// Whether the flag or argument of this name was given.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The (first) value of the argument of this name, if it was given.
    pub fn value(&self, name: &str) -> Option<&'a [u8]> {
        self.find(name).map(|(start, _)| self.request.arg(start))
    }

    /// All values of an argument that may be given several times in a row.
    pub fn values(&self, name: &str) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a> {
        let (start, end) = self.find(name).unwrap_or((0, 0));
        self.request.rest(start).take(end - start)
    }

    /// The value of an integer argument, if it was given.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, Failure> {
        self.value(name).map(|word| number::integer(word).ok_or(errors::NOT_INTEGER)).transpose()
    }

    /// Arguments one after the other; a run of optional ones with tokens comes in any order.
    fn sequence(&mut self, args: &'static [Arg], mut at: usize) -> Result<usize, Failure> {
        let mut index = 0;
        while index < args.len() {
            let arg = &args[index];
            if arg.optional && leads(arg) {
                let run = args[index..].iter().take_while(|arg| arg.optional && leads(arg)).count();
                at = self.options(&args[index..index + run], at)?;
                index += run;
                continue;
            }
            // Words that later arguments need are not this one's.
            let later: usize = args[index + 1..].iter().filter(|arg| !arg.optional).map(least).sum();
            at = self.one(arg, at, later)?;
            index += 1;
        }
        Ok(at)
    }

    /// Optional arguments that begin with tokens, in any order, each once.
    fn options(&mut self, args: &'static [Arg], mut at: usize) -> Result<usize, Failure> {
        let mut seen = 0u64;
        while let Some(word) = self.request.get(at) {
            let Some(index) = args.iter().position(|arg| matches_token(arg, word)) else { break };
            if seen & (1 << index) != 0 && !args[index].multiple_token {
                return Err(errors::SYNTAX);
            }
            seen |= 1 << index;
            at = self.given(&args[index], at)?;
        }
        Ok(at)
    }

    /// An argument that may be missing if it is optional; `later` words at the end belong to others.
    fn one(&mut self, arg: &'static Arg, at: usize, later: usize) -> Result<usize, Failure> {
        let left = self.request.len().saturating_sub(at).saturating_sub(later);
        if arg.optional && left < least(arg) {
            return Ok(at);
        }
        if left < least(arg) {
            return Err(errors::SYNTAX);
        }
        if !arg.multiple {
            return self.given(arg, at);
        }
        // All that is left, in whole repetitions; one that begins with a word that no repetition can is the end.
        let size = least(arg).max(1);
        let count = left / size;
        let end = at + count * size;
        self.named.push((arg.name, at as u32, end as u32));
        Ok(end)
    }

    /// An argument that is there, its token first.
    fn given(&mut self, arg: &'static Arg, mut at: usize) -> Result<usize, Failure> {
        if let Some(token) = arg.token {
            let word = self.request.get(at).ok_or(errors::SYNTAX)?;
            if !word.eq_ignore_ascii_case(token.as_bytes()) {
                return Err(errors::SYNTAX);
            }
            at += 1;
        }
        let start = at as u32;
        match arg.kind {
            Kind::Flag => {}
            Kind::OneOf(choices) => {
                let word = self.request.get(at).ok_or(errors::SYNTAX)?;
                let choice = choices.iter().find(|choice| matches_token(choice, word));
                let choice = choice.or_else(|| choices.iter().find(|choice| !leads(choice)));
                at = self.given(choice.ok_or(errors::SYNTAX)?, at)?;
            }
            Kind::Block(parts) => at = self.sequence(parts, at)?,
            _ => {
                self.request.get(at).ok_or(errors::SYNTAX)?;
                at += 1;
            }
        }
        self.named.push((arg.name, start, at as u32));
        Ok(at)
    }
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
