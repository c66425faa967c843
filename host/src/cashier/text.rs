//! Rounds, for people.

use chrysalis_chain::amount::write;

use super::till::Round;

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
    write(nano.fold(0, u64::saturating_add))
}

fn tabs(count: usize) -> String {
    match count {
        1 => "1 tab".to_owned(),
        count => format!("{count} tabs"),
    }
}
