//! What it costs an account to be there.

use crate::Contract;

/// Nano for 2^16 seconds: of a cell, and of a bit in it. Mainnet's, of configuration parameter 18.
const CELL: u64 = 500;
const BIT: u64 = 1;
/// Seconds of a year.
const YEAR: u64 = 31_556_952;
/// The most cells that are counted. A purse of 256 lanes with 1,024 tabs has some 3,000.
const MOST: usize = 1 << 16;

impl Contract {
    /// Nano that the chain takes for this in a year. `None`: it is larger than any contract may be.
    pub fn rent_a_year(&self) -> Option<u64> {
        let (code, data) = (
            self.code.compute_unique_stats(MOST)?,
            self.data.compute_unique_stats(MOST)?,
        );
        let cells = code.cell_count.checked_add(data.cell_count)?;
        let bits = code.bit_count.checked_add(data.bit_count)?;
        let each = cells
            .checked_mul(CELL)?
            .checked_add(bits.checked_mul(BIT)?)?;
        Some(each.checked_mul(YEAR)? >> 16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cell;

    #[test]
    fn rent_is_by_cells_and_bits() {
        let empty = Contract {
            code: Cell::default(),
            data: Cell::default(),
        };
        // Two cells without a bit: 1000 nano for 2^16 s.
        assert_eq!(empty.rent_a_year(), Some((1000 * YEAR) >> 16));
        let purse = Contract {
            code: crate::purse::code(),
            data: Cell::default(),
        };
        // Some hundredths of a coin (measured with the network's own configuration: 0.03 with eight lanes).
        let rent = purse.rent_a_year().unwrap();
        assert!((5_000_000..50_000_000).contains(&rent), "{rent}");
    }
}
