//! Tensors as whisper.cpp reads them: number of dimensions, length of the name, type; the dimensions, last first; name; bytes.

use super::source::{Model, Number};
use crate::models::error::NotModel;

pub(super) struct Writer<'model> {
    pub(super) model: &'model Model<'model>,
    pub(super) bytes: Vec<u8>,
}

/// Which part of a tensor, and how.
struct Take<'shape> {
    part: usize,
    parts: usize,
    wide: bool,
    shape: Option<&'shape [u32]>,
}

impl Take<'_> {
    const WHOLE: Self = Self {
        part: 0,
        parts: 1,
        wide: false,
        shape: None,
    };
}

impl<'model> Writer<'model> {
    pub(super) fn new(model: &'model Model<'model>) -> Self {
        Self {
            model,
            bytes: Vec::new(),
        }
    }

    pub(super) fn numbers(&mut self, numbers: &[u32]) {
        let bytes = numbers.iter().flat_map(|number| number.to_le_bytes());
        self.bytes.extend(bytes);
    }

    /// A whole tensor.
    pub(super) fn put(&mut self, name: &str, key: &str) -> Result<(), NotModel> {
        self.write(name, key, &Take::WHOLE)
    }

    /// One with 32 bits a number.
    pub(super) fn wide(&mut self, name: &str, key: &str) -> Result<(), NotModel> {
        let take = Take {
            wide: true,
            ..Take::WHOLE
        };
        self.write(name, key, &take)
    }

    /// One with 32 bits a number and another shape.
    pub(super) fn shaped(&mut self, name: &str, key: &str, shape: &[u32]) -> Result<(), NotModel> {
        let take = Take {
            wide: true,
            shape: Some(shape),
            ..Take::WHOLE
        };
        self.write(name, key, &take)
    }

    /// Scale and shift.
    pub(super) fn norm(&mut self, name: &str, key: &str) -> Result<(), NotModel> {
        self.put(
            &format!("{name}.weight"),
            &format!("{key}/layer_norm/gamma"),
        )?;
        self.put(&format!("{name}.bias"), &format!("{key}/layer_norm/beta"))
    }

    /// Some rows of a projection: the part of so many parts, with or without its bias.
    pub(super) fn rows(
        &mut self,
        name: &str,
        key: &str,
        part: usize,
        parts: usize,
        bias: bool,
    ) -> Result<(), NotModel> {
        let take = Take {
            part,
            parts,
            ..Take::WHOLE
        };
        self.write(&format!("{name}.weight"), &format!("{key}/weight"), &take)?;
        if bias {
            self.write(&format!("{name}.bias"), &format!("{key}/bias"), &take)?;
        }
        Ok(())
    }

    fn write(&mut self, name: &str, key: &str, take: &Take<'_>) -> Result<(), NotModel> {
        let tensor = self.model.tensor(key)?;
        let malformed = || NotModel::malformed("tensor");
        let step = tensor
            .bytes
            .len()
            .checked_div(take.parts)
            .ok_or_else(malformed)?;
        let start = step * take.part;
        let bytes = tensor
            .bytes
            .get(start..start + step)
            .ok_or_else(malformed)?;
        let mut shape = take
            .shape
            .map_or_else(|| tensor.shape.clone(), <[u32]>::to_vec);
        if let (None, Some(first)) = (take.shape, shape.first_mut()) {
            *first /= u32::try_from(take.parts).unwrap_or(1);
        }
        // whisper.cpp wants vectors with 32 bits a number, and matrices with 16.
        let wide = take.wide || shape.len() < 2;
        let length = |list: usize| u32::try_from(list).map_err(|_| malformed());
        let header = [length(shape.len())?, length(name.len())?, u32::from(!wide)];
        self.numbers(&header);
        shape.reverse();
        self.numbers(&shape);
        self.bytes.extend(name.as_bytes());
        match (tensor.number, wide) {
            (Number::Float32, true) | (Number::Float16, false) => self.bytes.extend(bytes),
            (Number::Float16, true) => {
                let (halves, _) = bytes.as_chunks::<2>();
                let wide = halves
                    .iter()
                    .flat_map(|half| widen(u16::from_le_bytes(*half)));
                self.bytes.extend(wide);
            }
            (Number::Float32, false) | (Number::Integer, _) => {
                let what = "type of numbers, which must be float16,";
                return Err(NotModel::malformed(what));
            }
        }
        Ok(())
    }
}

/// A number of 16 bits (IEEE 754 binary16) as one of 32, which has every value of it.
fn widen(half: u16) -> [u8; 4] {
    let sign = u32::from(half & 0x8000) << 16;
    let (exponent, fraction) = (u32::from(half >> 10 & 0x1f), u32::from(half & 0x3ff));
    let bits = match (exponent, fraction) {
        (0, 0) => 0,
        (0, _) => {
            // Below the smallest normal number: move its first one-bit to the front.
            let shift = fraction.leading_zeros() - 21;
            (113 - shift) << 23 | (fraction << shift & 0x3ff) << 13
        }
        (0x1f, _) => 0x7f80_0000 | fraction << 13,
        _ => (exponent + 112) << 23 | fraction << 13,
    };
    (sign | bits).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widens_every_kind_of_number() {
        for (half, wide) in [
            (0x0000, 0.0_f32),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0400, 6.103_515_6e-5),
            (0x03ff, 6.097_555e-5),
            (0x0001, 5.960_464_5e-8),
            (0x3555, 0.333_251_95),
            (0x7c00, f32::INFINITY),
        ] {
            assert_eq!(
                f32::from_le_bytes(widen(half)).to_bits(),
                wide.to_bits(),
                "{half:04x}"
            );
        }
        assert!(f32::from_le_bytes(widen(0x7e00)).is_nan());
    }
}
