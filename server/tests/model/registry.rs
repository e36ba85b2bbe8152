//! The registry: one configuration that is written if its version is the expected one, announcements that outlive their
//! processes, and links on which requests and answers wait or are lost.

use botellier_server::replication::member::{Config, NodeInfo};
use botellier_server::replication::protocol::{RegistryEvent, WriteOutcome};
use std::collections::{BTreeMap, VecDeque};

#[derive(Clone, Debug, Hash)]
pub enum Request {
    Write(Config, Option<i32>),
    Refresh,
    Announce(NodeInfo),
}

#[derive(Clone, Debug, Hash)]
pub enum Answer {
    Event(RegistryEvent),
    /// A watch: the configuration has changed, and is to be read.
    Changed,
}

#[derive(Clone, Default, Hash)]
pub struct Link {
    pub connected: bool,
    pub requests: VecDeque<Request>,
    pub answers: VecDeque<Answer>,
    /// Attempts that were not answered yet.
    pub flying: Vec<String>,
}

#[derive(Clone, Default, Hash)]
pub struct Registry {
    pub config: Option<(Config, i32)>,
    pub nodes: BTreeMap<String, NodeInfo>,
    pub links: [Link; 3],
    /// Writes whose connection is lost, and which arrive all the same.
    pub air: Vec<(Config, Option<i32>)>,
}

/// What becomes of requests that are under way when a link ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    Arrived,
    Gone,
    Later,
}

impl Registry {
    pub fn connect(&mut self, node: usize) {
        let listed = self.nodes.values().cloned().collect();
        let link = &mut self.links[node];
        link.connected = true;
        link.answers.extend([
            Answer::Event(RegistryEvent::Restored),
            Answer::Event(RegistryEvent::Config(self.config.clone())),
            Answer::Event(RegistryEvent::Nodes(listed)),
        ]);
    }

    /// Returns the attempts whose outcome nobody will hear of.
    pub fn disconnect(&mut self, node: usize, fate: Fate) -> Vec<String> {
        let link = &mut self.links[node];
        link.connected = false;
        link.answers.clear();
        let undecided = std::mem::take(&mut link.flying);
        for request in std::mem::take(&mut self.links[node].requests) {
            if let Request::Write(config, expected) = request {
                match fate {
                    Fate::Arrived => drop(self.write(config, expected)),
                    Fate::Gone => {}
                    Fate::Later => self.air.push((config, expected)),
                }
            }
        }
        undecided
    }

    pub fn land(&mut self, index: usize) {
        let (config, expected) = self.air.remove(index);
        self.write(config, expected);
    }

    /// Without a link it goes nowhere.
    pub fn request(&mut self, node: usize, request: Request) {
        let link = &mut self.links[node];
        if !link.connected {
            return;
        }
        if let Request::Write(config, _) = &request {
            link.flying.push(config.attempt.clone());
        }
        link.requests.push_back(request);
    }

    /// The next request of a node arrives.
    pub fn serve(&mut self, node: usize) {
        let Some(request) = self.links[node].requests.pop_front() else { return };
        match request {
            Request::Write(config, expected) => {
                let attempt = config.attempt.clone();
                let outcome = self.write(config, expected);
                let answers = &mut self.links[node].answers;
                // The answer comes before the watch that it set off.
                let place = answers.len() - usize::from(outcome != WriteOutcome::Lost);
                answers.insert(place, Answer::Event(RegistryEvent::Written { attempt, outcome }));
            }
            Request::Refresh => {
                let config = self.config.clone();
                self.links[node].answers.push_back(Answer::Event(RegistryEvent::Config(config)));
            }
            Request::Announce(info) => {
                self.nodes.insert(info.id.clone(), info);
                self.tell_nodes();
            }
        }
    }

    pub fn expire(&mut self, id: &str) {
        self.nodes.remove(id);
        self.tell_nodes();
    }

    fn tell_nodes(&mut self) {
        let listed: Vec<NodeInfo> = self.nodes.values().cloned().collect();
        for link in self.links.iter_mut().filter(|link| link.connected) {
            // Only the newest list is read.
            link.answers.retain(|event| !matches!(event, Answer::Event(RegistryEvent::Nodes(_))));
            link.answers.push_back(Answer::Event(RegistryEvent::Nodes(listed.clone())));
        }
    }

    fn write(&mut self, config: Config, expected: Option<i32>) -> WriteOutcome {
        let version = self.config.as_ref().map(|(_, version)| *version);
        if version != expected {
            return WriteOutcome::Lost;
        }
        let next = version.map_or(0, |version| version + 1);
        self.config = Some((config, next));
        for link in self.links.iter_mut().filter(|link| link.connected) {
            link.answers.push_back(Answer::Changed);
        }
        WriteOutcome::Won { version: next }
    }
}
