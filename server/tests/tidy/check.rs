//! What is checked in one file.

use super::tokens::{Token, tokens};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

/// A file, by its path inside its crate, such as `src/config/mod.rs`.
pub struct Source {
    pub path: String,
    pub is_test: bool,
    lines: usize,
    has_header: bool,
    tokens: Vec<Token>,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            is_test: !path.starts_with("src/") && !path.starts_with("benches/"),
            lines: text.lines().count(),
            has_header: text.starts_with("//!"),
            tokens: tokens(text),
        }
    }

    /// The module's path: `src/config/mod.rs` is `[config]`, `src/config/load.rs` is `[config, load]`.
    fn module(&self) -> Vec<&str> {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let mut parts: Vec<&str> = inside.trim_end_matches(".rs").split('/').collect();
        if parts.last() == Some(&"mod") || matches!(parts[..], ["lib" | "main"]) {
            parts.pop();
        }
        parts
    }

    /// Whether it is the module of this path or one inside it.
    pub fn is_below(&self, module: &str) -> bool {
        let own = self.module().join("/");
        self.path.starts_with("src/") && (own == module || own.starts_with(&format!("{module}/")))
    }
}

/// What a brace opened.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Module,
    Function { line: usize, name: usize },
    Other,
}

/// Where the walk through a file is.
#[derive(Default)]
struct Place {
    scopes: Vec<(Scope, bool)>,
    /// What the next brace opens.
    next: Option<Scope>,
    /// An attribute says that the next item is for tests.
    test_next: bool,
    /// Parentheses and brackets open since the last brace.
    nested: usize,
}

impl Place {
    fn in_test(&self) -> bool {
        self.scopes.iter().any(|(_, test)| *test)
    }

    fn modules(&self) -> usize {
        self.scopes.iter().filter(|(scope, _)| *scope == Scope::Module).count()
    }

    /// Takes one token; gives the scope that it closed.
    fn step(&mut self, at: usize, tokens: &[Token]) -> Option<Scope> {
        let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
        let word_follows = text(at + 1).starts_with(|c: char| c.is_alphabetic() || c == '_');
        match text(at) {
            "#" if text(at + 1) == "[" => self.test_next |= is_test_attribute(&tokens[at..]),
            "mod" if word_follows => self.next = Some(Scope::Module),
            "fn" if word_follows => self.next = Some(Scope::Function { line: tokens[at].line, name: at + 1 }),
            "(" | "[" => self.nested += 1,
            ")" | "]" => self.nested = self.nested.saturating_sub(1),
            ";" if self.nested == 0 => {
                self.next = None;
                self.test_next = false;
            }
            "{" => {
                let scope = self.next.take().filter(|_| self.nested == 0).unwrap_or(Scope::Other);
                self.scopes.push((scope, std::mem::take(&mut self.test_next)));
            }
            "}" => return self.scopes.pop().map(|(scope, _)| scope),
            _ => {}
        }
        None
    }
}

/// `#[cfg(test)]`, `#[cfg(all(test, ...))]`, `#[test]`, `#[tokio::test]`; not `#[cfg(not(test))]`.
fn is_test_attribute(tokens: &[Token]) -> bool {
    let mut depth = 0;
    let mut words = Vec::new();
    for token in tokens {
        match token.text.as_str() {
            "[" => depth += 1,
            "]" if depth == 1 => break,
            "]" => depth -= 1,
            word => words.push(word),
        }
    }
    let cfg_or_path = words.get(1) == Some(&"cfg") || words.last() == Some(&"test");
    cfg_or_path && words.contains(&"test") && !words.contains(&"not")
}

/// Modules in other files that this file declares for tests only, as paths.
pub fn child_tests(source: &Source) -> Vec<String> {
    let mut place = Place::default();
    let mut children = Vec::new();
    for (at, token) in source.tokens.iter().enumerate() {
        let declares = token.text == "mod" && source.tokens.get(at + 2).is_some_and(|end| end.text == ";");
        if declares && place.test_next {
            let mut path = source.module();
            path.push(&source.tokens[at + 1].text);
            children.push(path.join("/"));
        }
        place.step(at, &source.tokens);
    }
    children
}

/// Everything wrong in a file, as `path:line: what`.
pub fn check(source: &Source, rooms: &[&str]) -> Vec<String> {
    let mut findings = Vec::new();
    if source.lines > FILE_LINES_MAX {
        findings.push(format!("{}:1: {} lines; at most {FILE_LINES_MAX}", source.path, source.lines));
    }
    if !source.has_header {
        findings.push(format!("{}:1: no header: the first line begins with //!", source.path));
    }
    let module = source.module();
    let room = module.first().copied().filter(|_| !rooms.is_empty() && source.path.starts_with("src/"));
    if let Some(room) = room.filter(|room| !rooms.contains(room)) {
        findings.push(format!("{}:1: {room} is no room: add it to the order in tidy/main.rs", source.path));
    }
    let mut place = Place::default();
    for (at, token) in source.tokens.iter().enumerate() {
        let mut find = |text: String| findings.push(format!("{}:{}: {text}", source.path, token.line));
        if let Some(room) = room {
            let depth = module.len() + place.modules();
            for import in imports(&source.tokens[at..], depth, at > 0 && source.tokens[at - 1].text == "::") {
                if let Some(breach) = breach(room, import, rooms) {
                    find(breach);
                }
            }
        }
        if is_unwrap(&source.tokens[at..]) && !source.is_test && !place.in_test() {
            find("unwrap() outside tests".into());
        }
        if let Some(Scope::Function { line, name }) = place.step(at, &source.tokens) {
            let lines = token.line + 1 - line;
            if lines > FUNCTION_LINES_MAX {
                let name = &source.tokens[name].text;
                findings.push(format!(
                    "{}:{line}: fn {name} has {lines} lines; at most {FUNCTION_LINES_MAX}",
                    source.path
                ));
            }
        }
    }
    findings
}

fn is_unwrap(tokens: &[Token]) -> bool {
    matches!(tokens, [dot, word, open, close, ..]
        if dot.text == "." && word.text == "unwrap" && open.text == "(" && close.text == ")")
}

fn breach(room: &str, import: &str, rooms: &[&str]) -> Option<String> {
    let place = |name: &str| rooms.iter().position(|room| *room == name);
    match (place(room), place(import)) {
        (_, None) => Some(format!("imports {import}, which is no room")),
        (Some(own), Some(other)) if other > own => Some(format!("{room} imports {import}, a room below it")),
        _ => None,
    }
}

/// The rooms that a path beginning here names: after `crate::`, or after as many `super::` as lead to the crate. `inside`
/// says that the first token is not a path's beginning.
fn imports(tokens: &[Token], depth: usize, inside: bool) -> Vec<&str> {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let mut supers = 0;
    while text(2 * supers) == "super" && text(2 * supers + 1) == "::" {
        supers += 1;
    }
    let after = match text(0) {
        "crate" if text(1) == "::" => 2,
        "super" if supers == depth && !inside => 2 * supers,
        _ => return Vec::new(),
    };
    match text(after) {
        "{" => group(&tokens[after + 1..]),
        // A macro of the crate, or everything in it.
        _ if text(after + 1) == "!" => Vec::new(),
        "" | "*" | "self" => Vec::new(),
        room => vec![room],
    }
}

/// The first names in a group: `{a::b, c}` has a and c.
fn group(tokens: &[Token]) -> Vec<&str> {
    let mut names = Vec::new();
    let (mut depth, mut first) = (0, true);
    for token in tokens {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" if depth == 0 => break,
            "}" => depth -= 1,
            "," if depth == 0 => first = true,
            "self" | "*" => first = false,
            name if first => {
                names.push(name);
                first = false;
            }
            _ => {}
        }
    }
    names
}
