//! The settings' documentation: the text of `--help` and the page of settings, both out of the table.

use super::{SETTINGS, Setting, When};
use std::fmt::Write as _;

/// What `--help` prints.
pub fn help() -> String {
    let mut out = String::from(
        "Usage: botellier-server [FILE | -] [--name value ...]\n       \
         botellier-server check DIR [--repair]\n\
         The second examines a data directory that no server has open, and says what of it is damaged and where; with\n\
         --repair it makes good what can be made good without loss. It exits with 0 if all is whole, 1 if something is\n\
         damaged, 2 if it can't be examined.\n\n\
         Settings are those of redis.conf wherever Redis has them. FILE has one `name value` a line.\n",
    );
    let mut group = "";
    for setting in SETTINGS {
        if setting.group != group {
            group = setting.group;
            let _ = writeln!(out, "\n{group}:");
        }
        let _ = writeln!(
            out,
            "  --{} <{}>  (default: {})",
            setting.name,
            (setting.form)(),
            shown_default(setting)
        );
        for line in setting.doc {
            let _ = writeln!(out, "      {}", line.trim());
        }
    }
    out
}

/// The page of settings, as Markdown.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Settings\n\n\
         Generated from `server/src/config/settings.rs`. Each is a line of the configuration file (`port 6679`), an\n\
         argument (`--port 6679`) and a name for CONFIG GET; those marked *live* also for CONFIG SET.\n",
    );
    let mut group = "";
    for setting in SETTINGS {
        if setting.group != group {
            group = setting.group;
            let _ = writeln!(out, "\n## {group}\n\n| name | value | default | | |\n|---|---|---|---|---|");
        }
        let live = if setting.when == When::Live { "live" } else { "" };
        let doc = setting.doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
        let form = (setting.form)();
        let default = shown_default(setting);
        let _ = writeln!(out, "| `{}` | {form} | `{default}` | {live} | {doc} |", setting.name);
    }
    out
}

fn shown_default(setting: &Setting) -> &'static str {
    if setting.default.is_empty() { "\"\"" } else { setting.default }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_page_of_settings_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/settings.md");
        if std::env::var_os("UPDATE_GENERATED").is_some() {
            fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/docs")).unwrap();
            fs::write(path, markdown()).unwrap();
        }
        let page = fs::read_to_string(path).unwrap_or_default();
        assert!(page == markdown(), "{path} is stale: run this test again with UPDATE_GENERATED=1");
    }

    #[test]
    fn help_names_every_setting() {
        let help = help();
        for setting in SETTINGS {
            assert!(help.contains(&format!("--{} <", setting.name)), "{}", setting.name);
        }
    }
}
