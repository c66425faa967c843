//! What is wrong with a policy, where, and how to fix it.

use std::fmt;

/// A policy that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyError {
    /// The line, counted from 1; `None` where something is missing.
    pub line: Option<usize>,
    /// The key with its tables, such as `snp.launch_digest`; empty for a syntax error.
    pub key: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// It is not TOML.
    Syntax(String),
    /// The key is unknown; perhaps the nearest one was meant.
    UnknownKey {
        /// The nearest known key of the table.
        nearest: Option<&'static str>,
    },
    /// A required key is missing.
    Missing {
        /// How to get its value.
        how: &'static str,
    },
    /// The value has the wrong form.
    Wrong {
        /// The form that it must have.
        expected: &'static str,
    },
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("policy")?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        let key = &self.key;
        match &self.problem {
            Problem::Syntax(message) => write!(f, ": {message}"),
            Problem::UnknownKey {
                nearest: Some(nearest),
            } => {
                write!(f, ": `{key}` is unknown; did you mean `{nearest}`?")
            }
            Problem::UnknownKey { nearest: None } => {
                write!(f, ": `{key}` is unknown; remove it")
            }
            Problem::Missing { how } => write!(f, ": `{key}` is missing; {how}"),
            Problem::Wrong { expected } => write!(f, ": `{key}` must be {expected}"),
        }
    }
}

impl std::error::Error for PolicyError {}
