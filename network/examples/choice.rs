//! What a choice among 200 providers costs: `cargo run --release -p chrysalis-network --example choice`. It prints how long one takes.

use std::time::Instant;

use chrysalis_network::{Candidate, Health, Outcome, choose};

const PROVIDERS: u64 = 200;
const ROUNDS: u32 = 20_000;

fn main() {
    let health = |number: u64| {
        let mut health = Health::default();
        for turn in 0..20 {
            let outcome = if (number + turn).is_multiple_of(23) {
                Outcome::Failed
            } else {
                Outcome::Answered {
                    first_ms: Some(100 + (number * 7 + turn) % 50),
                }
            };
            health.note(outcome, turn);
        }
        health
    };
    let known: Vec<_> = (0..PROVIDERS).map(health).collect();
    let prices: Vec<_> = (0..PROVIDERS).map(|it| 10_000_000 + it * 50_000).collect();
    let began = Instant::now();
    let mut sum = 0;
    for round in 0..ROUNDS {
        let all: Vec<_> = known.iter().collect();
        let weights = Health::weights(&all, 60_000 + u64::from(round));
        let candidates: Vec<_> = prices
            .iter()
            .zip(weights)
            .map(|(price, health)| Candidate {
                price: *price,
                health,
            })
            .collect();
        let lot = u64::from(round).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        sum += choose(&candidates, [lot, !lot]).map_or(0, |choice| choice.first);
    }
    let took = began.elapsed() / ROUNDS;
    println!("{took:?} a choice among {PROVIDERS} ({ROUNDS} of them, {sum})");
}
