//! Amounts and rounds, for people.

use super::till::Round;

/// Nano in one coin.
const COIN: u64 = 1_000_000_000;

/// An amount in coins, exact, without zeros at its end.
pub(crate) fn coins(nano: u64) -> String {
    let (whole, part) = (nano / COIN, nano % COIN);
    let part = format!("{part:09}");
    match part.trim_end_matches('0') {
        "" => whole.to_string(),
        part => format!("{whole}.{part}"),
    }
}

/// What a round did, one line each; nothing of a client.
pub(crate) fn told(round: &Round) -> Vec<String> {
    let mut lines = Vec::new();
    let first: Vec<_> = round.sent.iter().filter(|sent| sent.times == 1).collect();
    if !first.is_empty() {
        let due = sum(first.iter().map(|sent| sent.due));
        lines.push(format!("payment: claimed {due} from {}", tabs(first.len())));
    }
    if !round.paid.is_empty() {
        let paid = sum(round.paid.iter().filter_map(|sent| sent.paid));
        let cost = sum(round.paid.iter().filter_map(|sent| sent.cost));
        lines.push(format!("payment: paid {paid}, {cost} of it in fees"));
    }
    lines
}

fn sum(nano: impl Iterator<Item = u64>) -> String {
    coins(nano.fold(0, u64::saturating_add))
}

fn tabs(count: usize) -> String {
    match count {
        1 => "1 tab".to_owned(),
        count => format!("{count} tabs"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        for (nano, text) in [
            (0, "0"),
            (1, "0.000000001"),
            (27_235_200, "0.0272352"),
            (1_000_000_000, "1"),
            (u64::MAX, "18446744073.709551615"),
        ] {
            assert_eq!(coins(nano), text);
        }
    }
}
