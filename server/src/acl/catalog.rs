//! The commands that rules can name.

use std::collections::HashMap;

/// What rules need to know of a command or subcommand.
#[derive(Debug)]
struct Known {
    /// `get`, `config|set`.
    name: String,
    /// A bit for each category.
    categories: u32,
    subcommands: Vec<usize>,
    is_subcommand: bool,
}

/// All commands, by their numbers, and the categories.
#[derive(Debug)]
pub struct Catalog {
    commands: Vec<Known>,
    by_name: HashMap<String, usize>,
    categories: Vec<(&'static str, u32)>,
}

impl Catalog {
    /// `commands`: names in lower case and categories, in the order of their numbers, each container before its
    /// subcommands.
    pub fn new(
        commands: impl IntoIterator<Item = (String, u32)>,
        categories: impl IntoIterator<Item = (&'static str, u32)>,
    ) -> Self {
        let mut catalog = Self {
            commands: Vec::new(),
            by_name: HashMap::new(),
            categories: categories.into_iter().collect(),
        };
        for (number, (name, categories)) in commands.into_iter().enumerate() {
            let parent = name.split_once('|').and_then(|(parent, _)| catalog.by_name.get(parent)).copied();
            if let Some(parent) = parent {
                catalog.commands[parent].subcommands.push(number);
            }
            catalog.by_name.insert(name.clone(), number);
            let is_subcommand = parent.is_some();
            catalog.commands.push(Known { name, categories, subcommands: Vec::new(), is_subcommand });
        }
        catalog
    }

    pub fn len(&self) -> usize {
        self.commands.len()
    }

    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// The number of a command, by its full name in any case.
    pub(super) fn find(&self, name: &[u8]) -> Option<usize> {
        let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
        self.by_name.get(&name).copied()
    }

    pub fn name(&self, command: usize) -> &str {
        &self.commands[command].name
    }

    pub(super) fn subcommands(&self, command: usize) -> &[usize] {
        &self.commands[command].subcommands
    }

    pub(super) fn is_subcommand(&self, command: usize) -> bool {
        self.commands[command].is_subcommand
    }

    /// The bit of a category, by its name in any case.
    pub fn category(&self, name: &[u8]) -> Option<u32> {
        let same = |(known, _): &&(&str, u32)| known.as_bytes().eq_ignore_ascii_case(name);
        self.categories.iter().find(same).map(|(_, bit)| *bit)
    }

    pub fn categories(&self) -> impl Iterator<Item = &'static str> {
        self.categories.iter().map(|(name, _)| *name)
    }

    /// The commands of a category.
    pub fn of_category(&self, bit: u32) -> impl Iterator<Item = usize> {
        (0..self.commands.len()).filter(move |number| self.commands[*number].categories & bit != 0)
    }
}
