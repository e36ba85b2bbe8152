//! What can go wrong, in three fates: the user must act, somebody else's object is in the way, or trying again helps.

use thiserror::Error;

#[derive(Debug, Error)]
pub enum Error {
    /// The resource asks for something that cannot be done; only an edit of it helps.
    #[error("{message}")]
    Invalid {
        /// Reason of the condition, in CamelCase.
        reason: &'static str,
        message: String,
    },

    /// An object of the name that we need exists and is not ours. We never take it over.
    #[error("{kind} {name} exists and does not belong to this resource")]
    Foreign { kind: String, name: String },

    /// The user's Secret is not there (yet).
    #[error("Secret {name} does not exist")]
    MissingSecret { name: String },

    /// The API server refused or did not answer a request about one object.
    #[error("{kind} {name}: {source}")]
    Object {
        kind: String,
        name: String,
        #[source]
        source: Box<kube::Error>,
    },

    #[error(transparent)]
    Kube(Box<kube::Error>),

    #[error("ZooKeeper: {0}")]
    ZooKeeper(#[from] zookeeper_client::Error),

    #[error("{0}")]
    Serialization(#[from] serde_json::Error),

    #[error("{what}: {source}")]
    Io {
        what: String,
        #[source]
        source: std::io::Error,
    },

    #[error("reconciling took longer than {seconds} s")]
    TimedOut { seconds: u64 },
}

impl Error {
    pub fn invalid(reason: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { reason, message: message.into() }
    }

    pub fn io(what: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }

    pub fn object(kind: &str, name: &str, source: kube::Error) -> Self {
        Self::Object { kind: kind.to_owned(), name: name.to_owned(), source: Box::new(source) }
    }

    /// The reason shown in the condition `Degraded`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Invalid { reason, .. } => reason,
            Self::Foreign { .. } => "ForeignObject",
            Self::MissingSecret { .. } => "MissingSecret",
            Self::Object { .. } => "ApplyFailed",
            Self::Kube(_) => "ApiServerError",
            Self::ZooKeeper(_) => "ZooKeeperError",
            Self::Serialization(_) => "InternalError",
            Self::Io { .. } => "IoError",
            Self::TimedOut { .. } => "TimedOut",
        }
    }
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self::Kube(Box::new(error))
    }
}

/// The HTTP status of an API server's refusal.
pub fn status_code(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}
