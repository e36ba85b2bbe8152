//! Steps that are left out: after them both sides may differ although neither is wrong, or only the reference is.

use botellier_server::resp::{Batch, Protocol};
use botellier_server::session::{Client, Clients};

use crate::case::Step;

/// What a step would do, and to whom.
pub struct Situation<'a> {
    pub step: &'a Step,
    /// The one who would say it.
    pub client: &'a Client,
    pub clients: &'a Clients,
    /// Whether anybody waits for a key.
    pub waiting: bool,
    /// Whether the reference is older than the version that ours follows.
    pub old: bool,
}

impl Situation<'_> {
    fn name(&self) -> &str {
        &self.step.words[0]
    }

    fn word(&self, index: usize) -> &str {
        self.step.words.get(index).map_or("", String::as_str)
    }

    fn in_transaction(&self) -> bool {
        self.client.transaction.is_some()
    }

    pub fn is_unfit(&self) -> bool {
        let with_age = if self.old { self.of_old() } else { self.of_new() };
        with_age || self.is_unread() || self.is_the_last_to_track()
    }

    /// In the reply of EXEC, Redis counts wrongly what it confirms, says nothing after it deleted its own user or (8.0) did
    /// not log in, and goes on in another protocol, so that no client can read it. What ends before EXEC must not be timed.
    fn is_unread(&self) -> bool {
        let unread = self.name().contains("SUBSCRIBE")
            || matches!(self.name(), "HELLO" | "AUTH")
            || self.word(1) == "DELUSER";
        self.in_transaction() && (unread || self.step.pause)
    }

    /// When the last one who tracks no longer does, ours forgets what all of them read; Redis does not.
    fn is_the_last_to_track(&self) -> bool {
        let leaves = self.name() == "RESET" || (self.word(1), self.word(2)) == ("TRACKING", "OFF");
        let ends_another = matches!(self.word(1), "SETUSER" | "KILL");
        match self.clients.tracking.counts()[0] {
            0 => false,
            1 if ends_another || leaves && self.client.tracking.is_some() => true,
            _ => self.word(1) == "DELUSER" && self.ends_all_who_track(),
        }
    }

    fn ends_all_who_track(&self) -> bool {
        let goes = |name: &[u8]| self.step.words.iter().any(|word| word.as_bytes() == name);
        self.clients.iter().all(|client| client.tracking.is_none() || goes(&client.user.name))
    }

    fn of_old(&self) -> bool {
        let name = self.name();
        // It puts a client's own messages right into some of its replies.
        let hears = self.client.subscriptions() > 0 && self.client.protocol == Protocol::Resp3;
        let mixed = hears && (name == "MULTI" || name.contains("ZPOP") || name.contains("ZMPOP"));
        // It takes all keys of a script for read when it reads one.
        let script = matches!(name, "EVAL" | "EVALSHA" | "EVAL_RO" | "EVALSHA_RO" | "FCALL" | "FCALL_RO");
        let tracks =
            self.client.tracking.is_some() && script || self.in_transaction() && self.word(1) == "TRACKING";
        // It does not look at the rights of who waited again.
        let sets = |batch: &Batch| batch.get(0).rest(1).next().is_some_and(|word| word == b"SETUSER");
        let queued =
            self.client.transaction.as_ref().is_some_and(|transaction| transaction.queued.iter().any(sets));
        let rights = (self.word(1) == "SETUSER" || name == "EXEC" && queued) && self.waiting;
        // It makes no consumer that gets nothing, which others may hear of.
        let heard = self.in_transaction() || self.clients.iter().any(|client| client.subscriptions() > 0);
        // It reads the clock twice: if it was held up in between, the key is gone at once instead of expired later.
        let short = name == "PEXPIRE" && self.step.pause;
        mixed || tracks || rights || short || (name == "XREADGROUP" && heard)
    }

    fn of_new(&self) -> bool {
        let (name, words) = (self.name(), &self.step.words);
        // It looks at all keys of whoever is served again.
        let several = name.starts_with('B') && name.contains("POP") && words.len() > 3;
        // It takes a negative offset for one from the other end if the sorted set is large.
        let negative = |words: &[String]| words[0].eq_ignore_ascii_case("LIMIT") && words[1].starts_with('-');
        let backwards = name.starts_with('Z') && name.contains("RANGE") && words.windows(2).any(negative);
        // It serves nobody when a sorted set takes the place of something else.
        let replaced = name.starts_with('Z') && name.ends_with("STORE") && self.waiting;
        // A cursor that is no number spoils its next SORT.
        let spoiled = name.contains("SCAN") && words.iter().any(|word| word == "99999999999999999999");
        several || backwards || replaced || spoiled
    }
}
