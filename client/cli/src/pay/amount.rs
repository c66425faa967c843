//! Amounts on the command line and on the screen, in GRAM.

use chrysalis_chain::amount;

/// Reads an amount, such as `0.5`.
pub(crate) fn nano(text: &str) -> Result<u64, String> {
    amount::read(text).ok_or_else(|| {
        format!("{text} is no amount; write it like 0.5, in GRAM, with up to nine decimals")
    })
}

/// Writes one.
pub(crate) fn gram(nano: u64) -> String {
    format!("{} GRAM", amount::write(nano))
}
