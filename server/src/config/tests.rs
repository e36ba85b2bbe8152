//! Tests of the settings as a whole; those against a running redis-server are in `server/tests/config_oracle.rs`.

use super::*;

fn from(args: &[&str]) -> Result<Config, ConfigError> {
    Config::from_args(args.iter().copied())
}

fn value(config: &Config, name: &str) -> String {
    config.get(&[name]).pop().map(|(_, value)| value).unwrap_or_default()
}

#[test]
fn every_declared_default_reads_and_reads_back_from_what_it_shows() {
    let defaults = Config::default();
    for setting in SETTINGS {
        assert!(!setting.doc.concat().trim().is_empty(), "{}", setting.name);
        let mut copy = defaults.clone();
        (setting.read)(&mut copy, &[(setting.show)(&defaults)], false).unwrap();
        assert_eq!((setting.show)(&copy), (setting.show)(&defaults), "{}", setting.name);
    }
}

#[test]
fn names_are_unique() {
    let mut names: Vec<&str> = SETTINGS.iter().flat_map(Setting::names).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn defaults_that_are_ours() {
    let config = from(&[]).unwrap();
    assert_eq!((config.port, config.replication_port()), (6679, 16679));
    assert!(config.appendonly);
    assert_eq!(config.appendfsync, Fsync::EverySec);
    assert_eq!(config.dir, std::env::current_dir().unwrap());
    assert_eq!(config.durability, Durability::Required);
}

#[test]
fn a_file_then_arguments() {
    let dir = tempfile::tempdir().unwrap();
    let (file, more) = (dir.path().join("a.conf"), dir.path().join("b.inc"));
    std::fs::write(&more, "maxclients 7\nsave 5 5\n").unwrap();
    let text = format!(
        "# x\nPORT 1234\ninclude \"{}/*.inc\"\nbind 127.0.0.1 -::1\nsave 9 9\n",
        dir.path().display()
    );
    std::fs::write(&file, text).unwrap();
    let config = from(&[file.to_str().unwrap(), "--timeout", "3", "--port", "1235"]).unwrap();
    assert_eq!((config.port, config.maxclients, config.timeout), (1235, 7, 3));
    assert_eq!(config.listen()[1], Listen { host: "::1".into(), optional: true });
    assert_eq!(value(&config, "save"), "5 5 9 9");
    assert_eq!(config.file(), Some(file.as_path()));
}

#[test]
fn what_is_wrong_is_named_with_its_place_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.conf");
    let path = file.to_str().unwrap();
    for (text, line, directive, reason) in [
        ("port 1\n\ntimeout abc\n", 3, "timeout abc", "argument couldn't be parsed into an integer"),
        ("nope 1\n", 1, "nope 1", "Bad directive or wrong number of arguments"),
        ("timeout 1 2\n", 1, "timeout 1 2", "wrong number of arguments"),
        ("timeout\n", 1, "timeout", "wrong number of arguments"),
        ("timeout \"abc\n", 1, "timeout \"abc", "Unbalanced quotes in configuration line"),
        ("port 99999\n", 1, "port 99999", "argument must be between 1 and 65535 inclusive"),
        (
            "loglevel x\n",
            1,
            "loglevel x",
            "argument(s) must be one of the following: debug, verbose, notice, warning",
        ),
        (
            "node-id a/b\n",
            1,
            "node-id a/b",
            "argument must be letters, digits, '-', '_' and '.', not starting with '.'",
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        let error = from(&[path]).unwrap_err().to_string();
        assert_eq!(error, format!("{path}, line {line}: '{directive}': {reason}"));
    }
    let error = from(&["--timeout", "abc"]).unwrap_err().to_string();
    assert_eq!(error, "command line: 'timeout \"abc\"': argument couldn't be parsed into an integer");
    let error = from(&["/nope.conf"]).unwrap_err().to_string();
    assert!(error.starts_with("can't open config file '/nope.conf': No such file"), "{error}");
}

#[test]
fn a_file_that_includes_itself_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.conf");
    std::fs::write(&file, format!("include {}\n", file.display())).unwrap();
    let error = from(&[file.to_str().unwrap()]).unwrap_err().to_string();
    assert!(error.ends_with("files include each other too deep"), "{error}");
}

#[test]
fn settings_that_do_not_go_together() {
    assert!(from(&["--zookeeper", "a:1"]).unwrap_err().to_string().contains("node-id"));
    let node = ["--zookeeper", "a:1", "--node-id", "n"];
    let with = |more: &[&str]| from(&[&node[..], more].concat());
    assert!(with(&[]).is_ok());
    assert!(with(&["--appendonly", "no"]).unwrap_err().to_string().contains("appendonly"));
    assert!(with(&["--port", "60000"]).unwrap_err().to_string().contains("replication-port"));
    assert_eq!(with(&["--port", "60000", "--replication-port", "1"]).unwrap().replication_port(), 1);
    assert!(with(&["--port", "5", "--replication-port", "5"]).is_err());
    assert!(with(&["--leader-port", "5", "--replication-port", "5"]).is_err());
    assert!(from(&["--port", "5", "--leader-port", "5"]).is_err());
}

#[test]
fn get_takes_patterns_and_plain_names() {
    let config = Config::default();
    let names =
        |patterns: &[&str]| config.get(patterns).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(&["TIMEOUT"]), ["TIMEOUT"]);
    assert_eq!(names(&["time*", "tim*", "TIMEOUT"]), ["timeout"]);
    assert_eq!(names(&["list-max-*"]), ["list-max-listpack-size", "list-max-ziplist-size"]);
    assert_eq!(names(&["list-max-ziplist-size"]), ["list-max-ziplist-size"]);
    assert!(names(&["nope", "x*"]).is_empty());
}

#[test]
fn set_is_all_or_nothing() {
    let config = Config::default();
    let next = config.set(&[("TIMEOUT", "7"), ("hz", "1000"), ("maxclients", "5")]).unwrap();
    assert_eq!((next.timeout, next.hz, next.maxclients), (7, 500, 5));
    assert_eq!(config.timeout, 0);
    for (changes, text) in [
        (
            &[("timeout", "5"), ("hz", "abc")][..],
            "CONFIG SET failed (possibly related to argument 'hz') - argument couldn't be parsed into an integer",
        ),
        (
            &[("nope", "5"), ("databases", "x")],
            "Unknown option or number of arguments for CONFIG SET - 'nope'",
        ),
        (
            &[("databases", "3")],
            "CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config",
        ),
        (
            &[("timeout", "1"), ("Timeout", "2")],
            "CONFIG SET failed (possibly related to argument 'timeout') - duplicate parameter",
        ),
    ] {
        assert_eq!(config.set(changes).unwrap_err().to_string(), text);
    }
    assert!(config.set(&[(&b"requirepass"[..], &b"\xff"[..])]).is_err());
}

#[test]
fn limits_of_classes_not_named_stay() {
    let config = Config::default().set(&[("client-output-buffer-limit", "replica 1mb 2k 10")]).unwrap();
    let expected = "normal 0 0 0 slave 1048576 2000 10 pubsub 33554432 8388608 60";
    assert_eq!(value(&config, "client-output-buffer-limit"), expected);
}

#[test]
fn help_and_version_print_and_leave() {
    assert!(matches!(start(["--help"]), Ok(Start::Print(text)) if text.contains("--port <")));
    assert!(matches!(start(["-v"]), Ok(Start::Print(text)) if text.starts_with("botellier-server ")));
    assert!(matches!(start(["--port", "5"]), Ok(Start::Run(config)) if config.port == 5));
}
