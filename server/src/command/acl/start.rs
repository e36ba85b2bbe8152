//! The users of this node's own configuration: `requirepass`, lines `user NAME RULE...`, or the file of `aclfile`. They
//! are in force until the log has users.

use super::catalog;
use crate::acl::{User, Users};
use crate::command::server::Server;
use crate::config::Config;
use crate::keyspace::Keyspace;

/// `default`, as the passwords of the settings make it.
fn default_user(config: &Config) -> User {
    let mut user = User::default_user(catalog());
    let password = [b">", config.requirepass.as_bytes()].concat();
    if !config.requirepass.is_empty() {
        // Rules about passwords can't fail.
        let _ = user.apply(catalog(), &password, true);
    } else if config.passwords().required() {
        let _ = user.apply(catalog(), b"resetpass", true);
    }
    user
}

/// The users that the configuration says.
pub fn configured(config: &Config) -> Result<Users, String> {
    let (default, all_channels) = (default_user(config), config.acl_pubsub_default.all_channels());
    match &config.aclfile {
        None => Users::of_lines(catalog(), &config.users, default, all_channels),
        Some(path) => {
            let shown = path.display().to_string();
            let text = std::fs::read(path)
                .map_err(|error| format!("Error loading ACLs, opening file '{shown}': {error}"))?;
            Users::of_file(catalog(), &shown, &text, default, all_channels)
        }
    }
}

/// The users that the log has.
pub fn logged(keyspace: &Keyspace, before: &Users) -> Users {
    let mut users = Users::new(User::default_user(catalog()));
    for (name, rules) in keyspace.users.iter() {
        let user = User::of_text(catalog(), name, rules);
        match before.get(name).filter(|old| ***old == user) {
            Some(old) => users.keep(old),
            None => users.set(user),
        }
    }
    users
}

/// The lines for `CONFIG REWRITE`: none if the settings' passwords say it all.
pub fn lines(server: &Server) -> Vec<String> {
    let alone = server.users.iter().len() == 1;
    if alone && **server.users.default_user() == default_user(&server.config) {
        return Vec::new();
    }
    let text = server.users.to_file();
    String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
}
