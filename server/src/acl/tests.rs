//! Rules and what they allow, with a small catalog of commands.

use super::*;

/// Numbers: get 0, set 1, config 2, config|get 3, config|set 4, select 5, publish 6, subscribe 7.
fn catalog() -> Catalog {
    const READ: u32 = 1;
    const WRITE: u32 = 2;
    const ADMIN: u32 = 4;
    let commands = [
        ("get", READ),
        ("set", WRITE),
        ("config", 0),
        ("config|get", ADMIN),
        ("config|set", ADMIN),
        ("select", 0),
        ("publish", 0),
        ("subscribe", 0),
    ];
    let commands = commands.map(|(name, bits)| (name.to_owned(), bits));
    Catalog::new(commands, [("read", READ), ("write", WRITE), ("admin", ADMIN)])
}

fn user(rules: &str) -> User {
    let mut user = User::new(b"u", false);
    let words: Vec<&[u8]> = rules.split(' ').map(str::as_bytes).collect();
    for rule in split_rules(&words).unwrap() {
        user.apply(&catalog(), &rule, false).unwrap();
    }
    user
}

fn error(rules: &str, last: &str) -> String {
    user(rules).apply(&catalog(), last.as_bytes(), false).unwrap_err().to_string()
}

const READ: KeyUse = KeyUse { read: true, write: false };
const WRITE: KeyUse = KeyUse { read: false, write: true };

fn ask(user: &User, command: usize, keys: &[(&str, KeyUse)]) -> Result<(), Denied> {
    let keys: Vec<_> = keys.iter().zip(1..).map(|((key, used), at)| (at, key.as_bytes(), *used)).collect();
    user.ask(&Question {
        command,
        exempt: false,
        first: Some(b"0"),
        keys: &keys,
        channels: &[],
        patterns: false,
    })
}

#[test]
fn a_user_comes_back_from_its_text() {
    for rules in [
        "on nopass ~* &* +@all",
        "on >secret #2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 ~a* %R~b %W~c &x &y*",
        "off +@all -config|set -@read +get",
        "on +@read -get +config|get +select|0 +select|1 (+set ~x) (~* +@all &*)",
        "on skip-sanitize-payload ~x resetkeys %RW~y ()",
    ] {
        let made = user(rules);
        let text = made.describe();
        let back = User::of_text(&catalog(), b"u", &text);
        assert_eq!(back, made, "{}", String::from_utf8_lossy(&text));
    }
}

#[test]
fn rules_about_commands_are_kept_as_they_were_given_and_the_last_counts() {
    let text = |rules: &str| user(rules).root().commands_text();
    assert_eq!(text("+get +@read -get"), "-@all +@read -get");
    assert_eq!(text("+config|get +config|set -config"), "-@all -config");
    assert_eq!(text("+@all -@admin"), "+@all -@admin");
    assert_eq!(text("+select|0 +select"), "-@all +select");
    assert_eq!(text("+get +@all"), "+@all");
    assert_eq!(text("+GET +@READ"), "-@all +get +@read");
}

#[test]
fn commands_are_allowed_by_name_category_subcommand_and_first_word() {
    let allowed = |rules: &str, command| ask(&user(rules), command, &[]).is_ok();
    assert!(allowed("+@read", 0) && !allowed("+@read", 1) && !allowed("+@all -@read", 0));
    assert!(allowed("+config", 3) && allowed("+config|get", 3) && !allowed("+config|get", 4));
    assert!(!allowed("+@all -config|set", 4) && allowed("+@all -config|set", 3));
    assert!(allowed("+select|0", 5) && !allowed("+select|1", 5) && !allowed("+select|0 -select", 5));
}

#[test]
fn keys_need_the_right_that_is_used_and_the_furthest_denial_is_told() {
    let limited = user("+@all ~a* %R~r* %W~w*");
    assert_eq!(ask(&limited, 0, &[("a1", READ), ("a2", WRITE)]), Ok(()));
    assert_eq!(ask(&limited, 0, &[("r1", READ), ("r1", WRITE)]), Err(Denied::Key(2)));
    assert_eq!(ask(&limited, 1, &[("w1", KeyUse { read: true, write: true })]), Err(Denied::Key(1)));
    let selectors = user("+get ~a (+set ~b)");
    assert_eq!(ask(&selectors, 1, &[("b", WRITE)]), Ok(()));
    assert_eq!(ask(&selectors, 1, &[("a", WRITE)]), Err(Denied::Key(1)));
    assert_eq!(ask(&selectors, 4, &[]), Err(Denied::Command));
}

#[test]
fn patterns_of_channels_are_compared_to_the_letter() {
    let user = user("+@all &news.*");
    assert!(user.allows_channel(b"news.a", false) && !user.allows_channel(b"news.a*", true));
    assert!(user.allows_channel(b"news.*", true) && !user.allows_channel(b"old", false));
}

#[test]
fn who_may_do_everything_is_known_at_once() {
    assert!(user("~* &* +@all").is_powerful() && user("(~* &* +@all)").is_powerful());
    for less in ["~* &* +@all -get", "~a &* +@all", "~* +@all", "~* &* +@read", "~* &* +@all reset"] {
        assert!(!user(less).is_powerful(), "{less}");
    }
}

#[test]
fn passwords_are_kept_as_hashes() {
    let mut some = user("on >a >b >a");
    assert!(some.has_password(b"a") && some.has_password(b"b") && !some.has_password(b"c"));
    assert_eq!(some.passwords().len(), 2);
    some.apply(&catalog(), b"<a", false).unwrap();
    assert!(!some.has_password(b"a"));
    some.apply(&catalog(), b"nopass", false).unwrap();
    assert!(some.no_password && some.passwords().len() == 0);
}

#[test]
fn wrong_rules_are_refused_in_the_words_of_the_reference() {
    assert_eq!(error("on", "+nope"), "Unknown command or category name in ACL");
    assert_eq!(error("on", "+config|nope"), "Unknown command or category name in ACL");
    assert_eq!(error("on", "+config|get|x"), "Allowing first-arg of a subcommand is not supported");
    assert_eq!(error("on", "%~x"), "Syntax error");
    assert_eq!(error("on", "%RR~x"), "Syntax error");
    assert_eq!(error("on", "<x"), "The password you are trying to remove from the user does not exist");
    assert!(error("~*", "~x").starts_with("Adding a pattern after the * pattern (or the 'allkeys' flag)"));
    assert!(
        error("&*", "&x").starts_with("Adding a pattern after the * pattern (or the 'allchannels' flag)")
    );
    assert!(error("on", "#abc").starts_with("The password hash must be exactly 64 characters"));
}

#[test]
fn a_file_says_all_that_is_wrong_with_it() {
    let text = b"user ann on nopass ~* +@all\n\nnope\nuser ann on\nuser bob +nope\n";
    let default = || User::default_user(&catalog());
    let errors = Users::of_file(&catalog(), "f", text, default(), false).unwrap_err();
    assert_eq!(
        errors,
        "f:3 should start with user keyword followed by the username. WARNING: Duplicate user 'ann' found on line 4. f:5: \
         Unknown command or category name in ACL. WARNING: ACL errors detected, no change to the previously active ACL \
         rules was performed"
    );
    let users = Users::of_file(&catalog(), "f", b"user ann on nopass (+get ~a)", default(), false).unwrap();
    let again = Users::of_file(&catalog(), "f", &users.to_file(), default(), false).unwrap();
    assert_eq!(again.to_file(), users.to_file());
    assert_eq!(users.iter().len(), 2);
}

#[test]
fn the_log_counts_the_same_within_a_minute_and_keeps_so_many() {
    let entry = |object: &str, at| Entry {
        id: 0,
        count: 0,
        reason: Denial::Key,
        context: "toplevel",
        object: object.into(),
        user: b"u".to_vec(),
        client: String::new(),
        created_ms: 0,
        updated_ms: at,
    };
    let mut log = Log::default();
    for (object, at) in [("a", 1), ("b", 2), ("a", 3), ("a", 70_000)] {
        log.add(entry(object, at), 3);
    }
    let seen: Vec<_> = log.iter().map(|entry| (entry.object.clone(), entry.count, entry.id)).collect();
    assert_eq!(seen, [(b"a".to_vec(), 1, 2), (b"a".to_vec(), 2, 0), (b"b".to_vec(), 1, 1)]);
    log.add(entry("c", 70_001), 3);
    assert_eq!((log.iter().len(), log.denied[Denial::Key as usize]), (3, 5));
}
