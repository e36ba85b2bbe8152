//! Users and their rights, and connections that have only these.

use super::Group;
use crate::random::Random;

pub fn group() -> Group {
    Group::new("acl", SHAPES, word)
}

/// Whom the shapes make; a case begins without them.
pub const USERS: &[&str] = &["ann", "bob"];

const SHAPES: &[&str] = &[
    "ACL SETUSER user on >pw rule [rule] [rule]",
    "ACL SETUSER user reset on >pw ~* &* +@all rule",
    "ACL SETUSER user on nopass ~a* ~l* ~h* +@all [rule]",
    "ACL SETUSER user rule [rule]",
    "ACL DELUSER user [user]",
    "ACL GETUSER user",
    "ACL LIST",
    "ACL USERS",
    "ACL WHOAMI",
    "ACL CAT [category]",
    "ACL DRYRUN user GET any",
    "ACL DRYRUN user SET any value",
    "ACL DRYRUN user LMOVE list any LEFT LEFT",
    "AUTH user pw",
    "AUTH user pw",
    "AUTH user x",
    "AUTH user pw",
    "RESET",
];

fn word(random: &mut Random, kind: &str) -> Option<String> {
    Some(match kind {
        "user" => random.word(USERS),
        "category" => random.word(&["hash", "blocking", "connection", "scripting", "nope"]),
        "rule" => random.word(&[
            "+@read",
            "-@write",
            "+@write",
            "-@dangerous",
            "+get",
            "-set",
            "+@list",
            "-@list",
            "+@all",
            "-@all",
            "+config|get",
            "~a*",
            "~*",
            "%R~z*",
            "%W~h*",
            "%RW~s*",
            "resetkeys",
            "allkeys",
            "resetchannels",
            "&news*",
            "&*",
            "allchannels",
            "off",
            "on",
            "nopass",
            ">pw",
            "<pw",
            "(+get ~z*)",
            "clearselectors",
            "nocommands",
            "allcommands",
            "+nope",
            "%X~a",
            "+@nope",
            "<nope",
            "-eval",
            "+select|1",
        ]),
        _ => return None,
    })
}
