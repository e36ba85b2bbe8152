//! Errors that functions of the host raise in scripts.

use mlua::{Error, Lua, Value};

/// An error as a script sees it when it catches it.
#[derive(Debug, thiserror::Error)]
enum Raised {
    /// A table with the text in the field `err`.
    #[error("{0}")]
    Table(String),
    /// The text.
    #[error("{0}")]
    Text(String),
}

/// An error with a code, as commands have.
pub fn table(text: impl Into<String>) -> Error {
    Error::external(Raised::Table(text.into()))
}

/// An error as Lua's own libraries raise it: with the place in the script before it.
pub fn text(lua: &Lua, text: &str) -> Error {
    let place = lua.inspect_stack(1, |debug| {
        let line = debug.current_line()?;
        let source = debug.source();
        Some(format!("{}:{line}: ", source.short_src.as_deref().unwrap_or("?")))
    });
    Error::external(Raised::Text(format!("{}{text}", place.flatten().unwrap_or_default())))
}

/// An error that was caught, as a script sees it.
pub fn unwrap(lua: &Lua, value: Value) -> mlua::Result<Value> {
    let Value::Error(error) = value else { return Ok(value) };
    match error.downcast_ref::<Raised>() {
        Some(Raised::Table(text)) => {
            let table = lua.create_table_with_capacity(0, 3)?;
            table.raw_set("err", text.as_str())?;
            Ok(Value::Table(table))
        }
        Some(Raised::Text(text)) => Ok(Value::String(lua.create_string(text)?)),
        None => Ok(Value::String(lua.create_string(message(&error))?)),
    }
}

/// What an error of Lua itself says, without the trace.
pub fn message(error: &Error) -> String {
    match error {
        Error::CallbackError { cause, .. } | Error::WithContext { cause, .. } => message(cause),
        Error::RuntimeError(text) | Error::SyntaxError { message: text, .. } => text.clone(),
        other => other.to_string(),
    }
}

/// Where the script is: the source and line of the innermost function that is the script's own.
pub fn place(lua: &Lua) -> (Option<String>, Option<usize>) {
    for level in 1.. {
        let found = lua.inspect_stack(level, |debug| {
            let source = debug.source();
            let own = source.what == "C" || source.source.as_deref() == Some(super::OWN_SOURCE);
            (!own).then(|| (source.source.map(std::borrow::Cow::into_owned), debug.current_line()))
        });
        match found {
            None => break,
            Some(Some((source, Some(line)))) => return (source, Some(line)),
            Some(_) => {}
        }
    }
    (None, None)
}
