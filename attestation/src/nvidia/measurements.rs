//! Compares what a GPU measured with what NVIDIA published.

use std::{collections::BTreeMap, fmt};

use super::{
    indices::Indices,
    rim::{Content, Floors, Golden, OPAQUE_INDICES},
    spdm::MEASUREMENT_SIZE,
};
use crate::Rejection;
use crate::transcript::ensure;

/// The index of the first video decoder; while it is off, nothing is measured there.
const NVDEC0_INDEX: u8 = 35;

/// Which indices of a RIM were compared, and which had nothing to compare.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Compared {
    /// These match.
    pub matching: Vec<u8>,
    /// The video decoder's, while it is off.
    pub skipped: Vec<u8>,
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} match", self.matching.len())?;
        if !self.skipped.is_empty() {
            f.write_str("; the video decoder is off, so its index is skipped")?;
        }
        Ok(())
    }
}

/// Every active index of the RIM must have one of its values. A missing measurement is a mismatch.
pub(crate) fn compare(
    kind: &'static str,
    measured: &BTreeMap<u8, [u8; MEASUREMENT_SIZE]>,
    golden: &Golden,
    nvdec0: Option<bool>,
) -> Result<Compared, Rejection> {
    let mut compared = Compared {
        matching: Vec::new(),
        skipped: Vec::new(),
    };
    let mut differing = Vec::new();
    for (index, values) in golden {
        if *index == NVDEC0_INDEX && nvdec0 == Some(false) {
            compared.skipped.push(*index);
        } else if measured
            .get(index)
            .is_some_and(|value| values.contains(value))
        {
            compared.matching.push(*index);
        } else {
            differing.push(*index);
        }
    }
    // A RIM with nothing compared proves nothing.
    if compared.matching.is_empty() && differing.is_empty() {
        differing.clone_from(&compared.skipped);
    }
    ensure(differing.is_empty(), || Rejection::MeasurementMismatch {
        kind,
        indices: Indices(differing),
    })?;
    Ok(compared)
}

/// The report must contain every level that a RIM names, as a level, and it must be high enough.
pub(crate) fn check_floors(
    kind: &'static str,
    told: &BTreeMap<u16, u64>,
    floors: &Floors,
) -> Result<(), Rejection> {
    for (place, floor) in floors {
        let found = told.get(place);
        let reached = found.is_some_and(|found| *found >= floor.minimum);
        ensure(reached, || Rejection::GpuLevelBelowFloor {
            kind,
            name: floor.name.clone(),
            found: found.map_or("missing".to_owned(), u64::to_string),
            floor: floor.minimum,
        })?;
    }
    Ok(())
}

/// An index may be active in the driver's RIM or in the VBIOS's, but not in both; the same applies to a type of opaque data.
pub(crate) fn check_disjoint(driver: &Content, vbios: &Content) -> Result<(), Rejection> {
    let golden = driver
        .golden
        .keys()
        .find(|it| vbios.golden.contains_key(it));
    let floor = driver
        .floors
        .keys()
        .find(|it| vbios.floors.contains_key(it));
    let index = golden.map(|it| usize::from(*it));
    let index = index.or(floor.map(|it| OPAQUE_INDICES + usize::from(*it)));
    match index {
        Some(index) => Err(Rejection::RimIndexConflict { index }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nvidia::rim::Floor;

    const VALUE: [u8; 48] = [7; 48];
    const OTHER: [u8; 48] = [8; 48];

    fn compared(
        measured: &[(u8, [u8; 48])],
        golden: &[(u8, &[[u8; 48]])],
        nvdec0: Option<bool>,
    ) -> Result<Compared, Rejection> {
        let golden = golden
            .iter()
            .map(|(index, values)| (*index, values.to_vec()))
            .collect();
        compare(
            "driver",
            &measured.iter().copied().collect(),
            &golden,
            nvdec0,
        )
    }

    fn mismatch(indices: &[u8]) -> Result<Compared, Rejection> {
        Err(Rejection::MeasurementMismatch {
            kind: "driver",
            indices: Indices(indices.to_vec()),
        })
    }

    #[test]
    fn any_of_the_published_values_will_do() {
        let expected = Compared {
            matching: vec![3],
            skipped: vec![],
        };
        assert_eq!(
            compared(&[(3, VALUE), (4, OTHER)], &[(3, &[OTHER, VALUE])], None),
            Ok(expected)
        );
    }

    #[test]
    fn a_missing_measurement_is_a_mismatch() {
        assert_eq!(
            compared(
                &[(3, VALUE)],
                &[(3, &[VALUE]), (9, &[VALUE]), (11, &[OTHER])],
                None
            ),
            mismatch(&[9, 11])
        );
        assert_eq!(
            mismatch(&[9, 11]).expect_err("a mismatch").to_string(),
            "the GPU's measurements differ from the driver RIM at index 9, 11"
        );
    }

    #[test]
    fn the_decoder_counts_unless_it_is_off() {
        let golden: &[(u8, &[[u8; 48]])] = &[(3, &[VALUE]), (35, &[VALUE])];
        let measured = [(3, VALUE), (35, OTHER)];
        let skipped = Compared {
            matching: vec![3],
            skipped: vec![35],
        };
        assert_eq!(compared(&measured, golden, Some(false)), Ok(skipped));
        assert_eq!(compared(&measured, golden, Some(true)), mismatch(&[35]));
        assert_eq!(compared(&measured, golden, None), mismatch(&[35]));
        assert_eq!(
            compared(&measured, &[(35, &[VALUE])], Some(false)),
            mismatch(&[35]),
            "nothing was compared"
        );
    }

    #[test]
    fn two_rims_share_no_index() {
        let content = |indices: &[u8], kinds: &[u16]| Content {
            version: String::new(),
            product: String::new(),
            edition: String::new(),
            golden: indices.iter().map(|index| (*index, vec![VALUE])).collect(),
            floors: kinds.iter().map(|kind| (*kind, floor(1))).collect(),
        };
        let one = content(&[3], &[37]);
        for (other, index) in [
            (content(&[3, 4], &[]), 3),
            (content(&[4], &[37]), 4096 + 37),
        ] {
            let conflict = Rejection::RimIndexConflict { index };
            assert_eq!(check_disjoint(&one, &other), Err(conflict));
        }
        assert_eq!(check_disjoint(&one, &content(&[4], &[38])), Ok(()));
    }

    fn floor(minimum: u64) -> Floor {
        Floor {
            name: "FSP_UCODE_MIN_SVN".to_owned(),
            minimum,
        }
    }

    #[test]
    fn levels_are_compared_as_numbers_and_a_missing_one_reaches_no_floor() {
        let floors = Floors::from([(37, floor(20))]);
        for told in [20, 21, 256, u64::MAX] {
            let told = BTreeMap::from([(37, told)]);
            assert_eq!(check_floors("driver", &told, &floors), Ok(()));
        }
        for (told, found) in [
            (BTreeMap::from([(37, 19)]), "19"),
            (BTreeMap::from([(37, 3)]), "3"),
            (BTreeMap::from([(38, 20)]), "missing"),
            (BTreeMap::new(), "missing"),
        ] {
            let refused = check_floors("driver", &told, &floors).expect_err("below");
            assert_eq!(refused.code(), "gpu_level_below_floor");
            let says = format!(
                "the report's FSP_UCODE_MIN_SVN is {found}, the driver RIM requires at least 20"
            );
            assert_eq!(refused.to_string(), says);
        }
    }
}
