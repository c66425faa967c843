//! Amounts as people write them: in coins, with up to nine decimals.

/// Nano in one coin.
const COIN: u64 = 1_000_000_000;
const DECIMALS: usize = 9;

/// Reads an amount, such as `0.5`: its nano, exactly or not at all.
pub fn read(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let is_number =
        |digits: &str| !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit());
    if !is_number(whole) || !is_number(part) || part.len() > DECIMALS {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let part: u64 = format!("{part:0<DECIMALS$}").parse().ok()?;
    whole.checked_mul(COIN)?.checked_add(part)
}

/// Writes one: exactly, without zeros at its end.
pub fn write(nano: u64) -> String {
    let (whole, part) = (nano / COIN, nano % COIN);
    let part = format!("{part:0DECIMALS$}");
    match part.trim_end_matches('0') {
        "" => whole.to_string(),
        part => format!("{whole}.{part}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_read_exactly_or_not_at_all() {
        for (text, expected) in [
            ("0", 0),
            ("0.5", COIN / 2),
            ("1", COIN),
            ("0.000000001", 1),
            ("18446744073.709551615", u64::MAX),
        ] {
            assert_eq!(read(text), Some(expected), "{text}");
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
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn amounts_are_exact() {
        for (nano, text) in [
            (0, "0"),
            (1, "0.000000001"),
            (27_235_200, "0.0272352"),
            (COIN, "1"),
            (1_500_000_000, "1.5"),
            (COIN + 1, "1.000000001"),
            (u64::MAX, "18446744073.709551615"),
        ] {
            assert_eq!(write(nano), text);
            assert_eq!(read(text), Some(nano), "{text}");
        }
    }
}
