//! Why a policy, a limit or a parameter is refused, in RabbitMQ's words.

/// Something that may not be said. Its text is what RabbitMQ's HTTP API gives as `reason` (400).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// A value is wrong, or several are: each line says which and why.
    #[error("Validation failed\n\n{}\n", .0.join("\n"))]
    Values(Vec<String>),
    /// The same, where RabbitMQ leaves the first line out.
    #[error("{}", .0.join("\n"))]
    Bare(Vec<String>),
}

impl Invalid {
    /// A key that has to be there.
    pub fn missing(key: &str) -> Self {
        Self::Bare(vec![format!("[{{key_missing,{key}}}]")])
    }

    /// Wrong values.
    pub fn values(lines: Vec<String>) -> Self {
        Self::Values(lines)
    }

    /// One wrong thing.
    pub fn bare(why: impl ToString) -> Self {
        Self::Bare(vec![why.to_string()])
    }
}
