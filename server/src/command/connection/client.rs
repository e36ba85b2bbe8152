//! `CLIENT`: the container, and those of its subcommands that only tell something small.

use super::super::spec::{Acl, Flags, Handler, Spec};
use super::super::{Args, Context};
use super::{capa, kill, list, settings, tracking, waiting};
use crate::resp::{Failure, Reply};

fn id(context: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    Ok(Reply::Int(context.client.id as i64))
}

fn getname(context: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    let name = &context.client.name;
    Ok(if name.is_empty() { Reply::Null } else { Reply::Bulk(name.clone()) })
}

static HELP: &[&str] = &[
    "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CACHING (YES|NO)",
    "    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
    "CAPA <option> [options...]",
    "    The client claims its some capability options. Options are:",
    "    * REDIRECT",
    "      The client can handle redirection during primary and replica failover in standalone mode.",
    "GETREDIR",
    "    Return the client ID we are redirecting to when tracking is enabled.",
    "GETNAME",
    "    Return the name of the current connection.",
    "ID",
    "    Return the ID of the current connection.",
    "INFO",
    "    Return information about the current client connection.",
    "KILL <ip:port>",
    "    Kill connection made from <ip:port>.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    Kill connections. Options are:",
    "    * ADDR <ip:port>",
    "      Kill connections made from the specified address",
    "    * LADDR <ip:port>",
    "      Kill connections made to specified local address",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Kill connections by type.",
    "    * USER <username>",
    "      Kill connections authenticated by <username>.",
    "    * SKIPME (YES|NO)",
    "      Skip killing current connection (default: yes).",
    "    * ID <client-id> [<client-id> ...]",
    "      Kill connections by client ids.",
    "    * MAXAGE <maxage>",
    "      Kill connections older than the specified age.",
    "LIST [options ...]",
    "    Return information about client connections. Options:",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Return clients of specified type.",
    "    * ID <client-id> [<client-id> ...]",
    "      Return clients of specified IDs only.",
    "    * USER <username>",
    "      Return clients authenticated by <username>.",
    "    * ADDR <ip:port>",
    "      Return clients connected from the specified address.",
    "    * LADDR <ip:port>",
    "      Return clients connected to the specified local address.",
    "    * SKIPME (YES|NO)",
    "      Exclude the current client from the list (default: no).",
    "    * MAXAGE <maxage>",
    "      List connections older than the specified age.",
    "UNPAUSE",
    "    Stop the current client pause, resuming traffic.",
    "PAUSE <timeout> [WRITE|ALL]",
    "    Suspend all, or just write, clients for <timeout> milliseconds.",
    "REPLY (ON|OFF|SKIP)",
    "    Control the replies sent to the current connection.",
    "SETNAME <name>",
    "    Assign the name <name> to the current connection.",
    "SETINFO <option> <value>",
    "    Set client meta attr. Options are:",
    "    * LIB-NAME: the client lib name.",
    "    * LIB-VER: the client lib version.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Control server assisted client side caching.",
    "TRACKINGINFO",
    "    Report tracking status for the current connection.",
    "UNBLOCK <clientid> [TIMEOUT|ERROR]",
    "    Unblock the specified blocked client.",
    "NO-EVICT (ON|OFF)",
    "    Protect current client connection from eviction.",
    "NO-TOUCH (ON|OFF)",
    "    Will not touch LRU/LFU stats when this mode is on.",
    "HELP",
    "    Print this help.",
];

fn help(_: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    Ok(Reply::Array(HELP.iter().map(|line| Reply::Simple(line)).collect()))
}

pub static CLIENT_ID: Spec = Spec {
    name: "id",
    full_name: "CLIENT|ID",
    summary: "Returns the client ID for the current connection",
    since: "5.0.0",
    group: "connection",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW, Acl::CONNECTION]),
    handler: Handler::Run(id),
    ..Spec::BASE
};

pub static CLIENT_GETNAME: Spec = Spec {
    name: "getname",
    full_name: "CLIENT|GETNAME",
    summary: "Get the current connection name",
    since: "2.6.9",
    group: "connection",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW, Acl::CONNECTION]),
    handler: Handler::Run(getname),
    ..Spec::BASE
};

pub static CLIENT_HELP: Spec = Spec {
    name: "help",
    full_name: "CLIENT|HELP",
    summary: "Show helpful text about the different subcommands",
    since: "5.0.0",
    group: "connection",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW, Acl::CONNECTION]),
    handler: Handler::Run(help),
    ..Spec::BASE
};

pub static CLIENT: Spec = Spec {
    name: "client",
    full_name: "CLIENT",
    summary: "A container for client connection commands",
    since: "2.4.0",
    group: "connection",
    complexity: "Depends on subcommand.",
    arity: -2,
    acl: Acl::of(&[Acl::SLOW]),
    subcommands: &[
        &tracking::CLIENT_CACHING,
        &capa::CLIENT_CAPA,
        &CLIENT_GETNAME,
        &tracking::CLIENT_GETREDIR,
        &CLIENT_HELP,
        &CLIENT_ID,
        &list::CLIENT_INFO,
        &kill::CLIENT_KILL,
        &list::CLIENT_LIST,
        &settings::CLIENT_NO_EVICT,
        &settings::CLIENT_NO_TOUCH,
        &waiting::CLIENT_PAUSE,
        &settings::CLIENT_REPLY,
        &settings::CLIENT_SETINFO,
        &settings::CLIENT_SETNAME,
        &tracking::CLIENT_TRACKING,
        &tracking::CLIENT_TRACKINGINFO,
        &waiting::CLIENT_UNBLOCK,
        &waiting::CLIENT_UNPAUSE,
    ],
    handler: Handler::Container,
    ..Spec::BASE
};
