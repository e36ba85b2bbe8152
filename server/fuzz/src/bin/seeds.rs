//! Inputs to begin with: `seeds DIALOGUES OUT` makes them of the dialogues' requests.
//!
//! `OUT/commands` gets the requests themselves, `OUT/records` what they logged, `OUT/values` what they left behind, and
//! `OUT/words` a dictionary of all words that commands know.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Result, Write};
use std::path::{Path, PathBuf};

use botellier_fuzz::commands::{Node, requests};
use botellier_server::command::{self, Spec, spec::Arg, spec::Kind};

/// Longer ones slow the fuzzer down.
const BYTES_MAX: usize = 1024;

fn main() -> Result<()> {
    let [from, out]: [PathBuf; 2] = std::env::args_os()
        .skip(1)
        .map(PathBuf::from)
        .collect::<Vec<_>>()
        .try_into()
        .expect("usage: seeds DIALOGUES OUT");
    for kind in ["commands", "records", "values"] {
        fs::create_dir_all(out.join(kind))?;
    }
    let mut words = BTreeSet::new();
    command::all().for_each(|spec| of_command(spec, &mut words));
    let mut dictionary = fs::File::create(out.join("words"))?;
    words.iter().try_for_each(|word| writeln!(dictionary, "\"{word}\""))?;
    for folder in fs::read_dir(from)? {
        let folder = folder?.path();
        if folder.is_dir() {
            for file in fs::read_dir(&folder)? {
                of_dialogue(&file?.path(), &out)?;
            }
        }
    }
    Ok(())
}

fn of_dialogue(path: &Path, out: &Path) -> Result<()> {
    let name = |kind: &str, number: usize| {
        let stem = path.with_extension("");
        let group = stem.parent().and_then(Path::file_name).unwrap_or_default().display().to_string();
        let name = stem.file_name().unwrap_or_default().display().to_string();
        out.join(kind).join(format!("{group}-{name}-{number}"))
    };
    let lines = in_lines(&fs::read_to_string(path)?);
    let mut parts = vec![String::new()];
    for line in lines.split_inclusive('\n') {
        if parts.last().is_none_or(|part| part.len() + line.len() > BYTES_MAX) {
            parts.push(String::new());
        }
        parts.last_mut().expect("there is one").push_str(line);
    }
    for (number, part) in parts.iter().enumerate().filter(|(_, part)| part.len() <= BYTES_MAX) {
        fs::write(name("commands", number), part)?;
    }
    let mut node = Node::start();
    let batch = requests(lines.as_bytes());
    (0..batch.len()).for_each(|index| node.take(&batch.get(index)));
    for (number, payload) in node.payloads().enumerate() {
        if payload.len() < BYTES_MAX {
            fs::write(name("records", number), [&[0], &payload[..]].concat())?;
        }
    }
    for (number, value) in node.values().enumerate() {
        if value.len() < BYTES_MAX {
            fs::write(name("values", number), value)?;
        }
    }
    Ok(())
}

/// The requests of a dialogue. One on another connection comes after a line that goes on with another client.
fn in_lines(dialogue: &str) -> String {
    let mut lines = String::new();
    for line in dialogue.lines() {
        let word = line.split(' ').next().unwrap_or_default();
        if line.is_empty() || line.starts_with(['#', '@', '!', ' ']) || word.contains("->") {
            continue;
        }
        let (client, request) = line
            .split_once(": ")
            .filter(|(name, _)| name.chars().all(|letter| letter.is_ascii_alphanumeric()))
            .map_or(("0", line), |(_, request)| ("1", request));
        lines.push_str(&format!("{client}\n{request}\n"));
    }
    lines
}

fn of_command(spec: &'static Spec, words: &mut BTreeSet<&'static str>) {
    words.insert(spec.name);
    of_arguments(spec.args, words);
    spec.subcommands.iter().for_each(|spec| of_command(spec, words));
}

fn of_arguments(arguments: &'static [Arg], words: &mut BTreeSet<&'static str>) {
    for argument in arguments {
        // MIGRATE has an empty one, which no dictionary may have.
        words.extend(argument.token.filter(|token| !token.is_empty()));
        if let Kind::OneOf(inner) | Kind::Block(inner) = argument.kind {
            of_arguments(inner, words);
        }
    }
}
