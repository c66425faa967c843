//! Product lines whose evidence is known to prove nothing, with one entry each in [`KNOWN`]: the refusal, the wording of verdicts and
//! docs/reference/broken.md are generated from it.
//!
//! A line belongs here if no firmware update helps, and so no floor does. What an update fixes is a matter of floors.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use super::product::Product;

/// What is known about a product line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// The line.
    pub product: Product,
    /// The known flaw.
    pub known: &'static str,
    /// The day on which it became public, as in 2026-12-01.
    pub since: &'static str,
    /// Where to read about it.
    pub source: &'static str,
}

/// All broken lines, by day.
pub const KNOWN: &[Broken] = &[Broken {
    product: Product::Milan,
    known: "software alone can read the root seed of a chip's report keys, so the owner of a machine can sign any report, at any firmware level",
    since: "2026-05-13",
    source: "arXiv:2605.12990",
}];

/// The broken lines that are accepted all the same, each with the reason.
pub type Accepted = BTreeMap<Product, String>;

/// What is known about a line, if it is broken.
pub fn of(product: Product) -> Option<&'static Broken> {
    KNOWN.iter().find(|broken| broken.product == product)
}

impl Broken {
    /// The wording in a verdict's first line, in place of the firmware's level.
    pub fn told(&self) -> String {
        format!("BROKEN since {}, with any firmware", self.since)
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            product,
            known,
            since,
            source,
        } = self;
        write!(
            f,
            "{product} has been broken since {since}: {known} ({source})"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milan_is_known_to_be_broken_and_later_lines_are_not() {
        let milan = of(Product::Milan).expect("known");
        assert_eq!(
            (milan.since, milan.source),
            ("2026-05-13", "arXiv:2605.12990")
        );
        assert_eq!(of(Product::Genoa), None);
        assert_eq!(of(Product::Turin), None);
    }

    #[test]
    fn each_line_stands_once_with_a_day_and_a_source() {
        for (place, broken) in KNOWN.iter().enumerate() {
            let Broken {
                product,
                known,
                since,
                source,
            } = broken;
            assert_eq!(of(*product), Some(broken), "{product} appears twice");
            assert!(!known.is_empty() && !known.ends_with('.'), "{known}");
            assert!(!source.is_empty(), "{product}");
            let digits = since.split('-').map(str::len).collect::<Vec<_>>();
            assert_eq!(digits, [4, 2, 2], "{since}");
            let earlier = place.checked_sub(1).and_then(|place| KNOWN.get(place));
            assert!(earlier.is_none_or(|it| it.since <= *since), "{since}");
        }
    }
}
