//! The sizes that are filled up to.

/// The least.
const FLOOR: usize = 512;

/// The smallest power of two with room for so many bytes.
pub(super) fn bucket(length: usize) -> usize {
    length
        .max(FLOOR)
        .checked_next_power_of_two()
        .unwrap_or(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_a_power_of_two_with_room() {
        for (length, size) in [(0, 512), (512, 512), (513, 1024), (1 << 20, 1 << 20)] {
            assert_eq!(bucket(length), size);
        }
        assert_eq!(bucket(usize::MAX), usize::MAX);
    }
}
