//! Firmware levels below which nothing is accepted, one set for each product line.

use std::{collections::BTreeMap, fmt};

use super::{product::Product, tcb::Tcb};

/// The lowest firmware levels that are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Floor {
    /// One for each accepted product line; a line without one is refused.
    Each(Floors),
    /// Not checked, for this reason, which the verdict repeats.
    Unchecked {
        /// Why.
        why: String,
    },
}

/// Floors by product line: lines differ in layout and in what their levels mean, so the floor of one cannot stand in for another's.
///
/// There is at least one; each checks something; Turin's, and only Turin's, names the level of its FMC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Floors(BTreeMap<Product, Tcb>);

/// Why levels cannot be a floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FloorError {
    /// There is no product line.
    NoLine,
    /// Every level is 0, which checks nothing.
    Zero(Product),
    /// It does not name the level of the FMC, which this line has.
    FmcMissing(Product),
    /// It names the level of an FMC, which this line does not have.
    FmcUnknown(Product),
}

impl Floor {
    /// A floor for each of these lines.
    pub fn each(floors: impl IntoIterator<Item = (Product, Tcb)>) -> Result<Self, FloorError> {
        Floors::new(floors).map(Self::Each)
    }

    /// Its wording in a verdict.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::Each(_) => "firmware at the floor".to_owned(),
            Self::Unchecked { why } => format!("firmware not checked: {why}"),
        }
    }
}

impl Floors {
    /// Builds floors from valid levels.
    pub fn new(floors: impl IntoIterator<Item = (Product, Tcb)>) -> Result<Self, FloorError> {
        let floors: BTreeMap<_, _> = floors.into_iter().collect();
        if floors.is_empty() {
            return Err(FloorError::NoLine);
        }
        for (product, floor) in &floors {
            match (product.has_fmc(), floor.fmc) {
                (true, None) => return Err(FloorError::FmcMissing(*product)),
                (false, Some(_)) => return Err(FloorError::FmcUnknown(*product)),
                _ => {}
            }
            let without_fmc = Tcb {
                fmc: None,
                ..*floor
            };
            if without_fmc == Tcb::default() && floor.fmc.unwrap_or(0) == 0 {
                return Err(FloorError::Zero(*product));
            }
        }
        Ok(Self(floors))
    }

    /// The floor of a line; a line without one is not accepted.
    pub fn of(&self, product: Product) -> Option<&Tcb> {
        self.0.get(&product)
    }

    /// Every line with its floor, oldest first.
    pub fn by_line(&self) -> impl Iterator<Item = (Product, &Tcb)> {
        self.0.iter().map(|(product, floor)| (*product, floor))
    }
}

impl fmt::Display for FloorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLine => f.write_str("no product line has a floor: name milan, genoa or turin"),
            Self::Zero(product) => write!(
                f,
                "the floor of {product} is 0 in every component, which checks nothing"
            ),
            Self::FmcMissing(product) => write!(
                f,
                "the floor of {product} does not name fmc, the level of its management controller"
            ),
            Self::FmcUnknown(product) => write!(
                f,
                "the floor of {product} names fmc, which that line does not have"
            ),
        }
    }
}

impl std::error::Error for FloorError {}

#[cfg(test)]
mod tests {
    use super::*;

    const LEVELS: Tcb = Tcb {
        fmc: None,
        bootloader: 10,
        tee: 0,
        snp: 23,
        microcode: 84,
    };

    #[test]
    fn a_floor_checks_something_of_a_line_and_names_every_component_that_it_has() {
        let floors = Floors::new([(Product::Genoa, LEVELS)]).expect("a floor");
        assert_eq!(floors.of(Product::Genoa), Some(&LEVELS));
        assert_eq!(floors.of(Product::Turin), None);
        let turin = Tcb {
            fmc: Some(0),
            ..LEVELS
        };
        assert!(Floors::new([(Product::Turin, turin)]).is_ok());
        for (floors, error) in [
            (vec![], FloorError::NoLine),
            (
                vec![(Product::Genoa, Tcb::default())],
                FloorError::Zero(Product::Genoa),
            ),
            (
                vec![(
                    Product::Turin,
                    Tcb {
                        fmc: Some(0),
                        ..Tcb::default()
                    },
                )],
                FloorError::Zero(Product::Turin),
            ),
            (
                vec![(Product::Genoa, LEVELS), (Product::Turin, LEVELS)],
                FloorError::FmcMissing(Product::Turin),
            ),
            (
                vec![(Product::Genoa, turin)],
                FloorError::FmcUnknown(Product::Genoa),
            ),
        ] {
            assert_eq!(Floors::new(floors), Err(error));
        }
    }
}
