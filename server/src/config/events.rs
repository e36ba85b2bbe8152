//! Which keyspace events are published: the letters of `notify-keyspace-events`.

use super::kinds::Kind;

/// What an event is about, by the type or the reason of the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Commands for keys of every type: `del`, `expire`, `rename_from` ...
    Generic,
    String,
    List,
    Set,
    Hash,
    SortedSet,
    /// A key's time came.
    Expired,
    /// A key had to go because memory is short.
    Evicted,
    Stream,
    Module,
    /// A key was looked for in vain. Not part of `A`.
    Miss,
    /// A key was made. Not part of `A`.
    New,
}

const LETTERS: [(char, Class); 12] = [
    ('g', Class::Generic),
    ('$', Class::String),
    ('l', Class::List),
    ('s', Class::Set),
    ('h', Class::Hash),
    ('z', Class::SortedSet),
    ('x', Class::Expired),
    ('e', Class::Evicted),
    ('t', Class::Stream),
    ('d', Class::Module),
    ('n', Class::New),
    ('m', Class::Miss),
];

/// A choice of classes, and by which of the two kinds of channels their events are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Classes(u16);

const BY_KEY: u16 = 1 << 14;
const BY_EVENT: u16 = 1 << 15;
const ALL: u16 = (1 << Class::Miss as u16) - 1;

impl Classes {
    /// Whether events of this class are published at all.
    pub fn has(self, class: Class) -> bool {
        self.0 & 1 << class as u16 != 0
    }

    /// The same for a class by its number, as the log has it; one that is not known is not chosen.
    pub fn has_number(self, class: u8) -> bool {
        LETTERS.iter().any(|(_, known)| *known as u8 == class && self.has(*known))
    }

    /// On channels that are named by the key.
    pub fn by_key(self) -> bool {
        self.0 & BY_KEY != 0
    }

    /// On channels that are named by the event.
    pub fn by_event(self) -> bool {
        self.0 & BY_EVENT != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What those letters choose; classes without a kind of channel choose nothing.
    pub fn parse(letters: &str) -> Option<Self> {
        let mut bits = 0;
        for letter in letters.chars() {
            bits |= match letter {
                'A' => ALL,
                'K' => BY_KEY,
                'E' => BY_EVENT,
                letter => 1 << LETTERS.iter().find(|(other, _)| *other == letter)?.1 as u16,
            };
        }
        Some(Self(bits))
    }

    fn letters(self) -> String {
        let all = self.0 & ALL == ALL;
        let mut letters = String::from(if all { "A" } else { "" });
        let (miss, classes) = LETTERS.split_last().expect("there are letters");
        // Redis prints no `n` beside `A`.
        letters
            .extend(classes.iter().filter(|(_, class)| !all && self.has(*class)).map(|(letter, _)| letter));
        letters.extend(self.by_key().then_some('K'));
        letters.extend(self.by_event().then_some('E'));
        letters.extend(self.has(miss.1).then_some(miss.0));
        letters
    }
}

/// A choice of classes as letters.
pub struct Letters;

impl Kind<Classes> for Letters {
    fn read(&self, words: &[String], _: &Classes, _: bool) -> Result<Classes, String> {
        let [letters] = words else { return Err("wrong number of arguments".into()) };
        let wrong = "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";
        Classes::parse(letters).ok_or_else(|| wrong.into())
    }
    fn show(&self, value: &Classes) -> String {
        value.letters()
    }
    fn lines(&self, value: &Classes) -> Vec<String> {
        vec![format!("\"{}\"", value.letters())]
    }
    fn form(&self) -> String {
        "letters of Ag$lshzxeKEtmdn".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_come_back_in_redis_order() {
        for (given, shown) in [
            ("", ""),
            ("KEA", "AKE"),
            ("Elg", "glE"),
            ("Kgxms$", "g$sxKm"),
            ("g$lshzxetdK", "AK"),
            ("En", "nE"),
            ("AKEnm", "AKEm"),
        ] {
            assert_eq!(Classes::parse(given).unwrap().letters(), shown, "{given}");
        }
        assert_eq!(Classes::parse("KEq"), None);
    }
}
