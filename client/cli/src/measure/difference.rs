//! What a comparison found.

use std::fmt::Display;

use crate::{outcome::Outcome, printable::printable};

/// Prints what differs, or what it means that nothing does.
pub(super) fn told(same: &str, difference: Option<&impl Display>) -> Outcome {
    match difference {
        None => println!("the same: {same}"),
        Some(difference) => println!("{}", printable(&difference.to_string())),
    }
    difference.is_none().into()
}
