//! Amounts as people write them: in GRAM, with up to nine decimals.

/// One GRAM.
const GRAM: u64 = 1_000_000_000;
const DECIMALS: usize = 9;

/// Reads an amount, such as `0.5`.
pub(crate) fn nano(text: &str) -> Result<u64, String> {
    let wrong =
        || format!("{text} is no amount; write it like 0.5, in GRAM, with up to nine decimals");
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let is_number =
        |digits: &str| !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit());
    if !is_number(whole) || !is_number(part) || part.len() > DECIMALS {
        return Err(wrong());
    }
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let part: u64 = format!("{part:0<DECIMALS$}").parse().map_err(|_| wrong())?;
    let sum = whole
        .checked_mul(GRAM)
        .and_then(|whole| whole.checked_add(part));
    sum.ok_or_else(wrong)
}

/// Writes one.
pub(crate) fn gram(nano: u64) -> String {
    let (whole, part) = (nano / GRAM, nano % GRAM);
    let part = format!("{part:0DECIMALS$}");
    let part = part.trim_end_matches('0');
    match part {
        "" => format!("{whole} GRAM"),
        part => format!("{whole}.{part} GRAM"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_read_exactly_or_not_at_all() {
        for (text, expected) in [
            ("0", 0),
            ("0.5", GRAM / 2),
            ("1", GRAM),
            ("0.000000001", 1),
            ("18446744073.709551615", u64::MAX),
        ] {
            assert_eq!(nano(text), Ok(expected), "{text}");
        }
        for wrong in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e3",
            "1,5",
            "0.0000000001",
            "18446744073.709551616",
            "99999999999999999999",
            "0x1",
            "1 ",
            "½",
        ] {
            assert!(nano(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for amount in [0, 1, 10, GRAM / 2, GRAM, GRAM + 1, u64::MAX] {
            let text = gram(amount);
            assert_eq!(
                nano(text.strip_suffix(" GRAM").unwrap()),
                Ok(amount),
                "{text}"
            );
        }
        assert_eq!(gram(1_500_000_000), "1.5 GRAM");
    }
}
