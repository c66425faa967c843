//! What a decision costs: `cargo run --release -p chrysalis-fleet --example reconcile-cost`. It is meant to stay under 10 ms.

use std::{collections::BTreeSet, hint::black_box, time::Instant};

use chrysalis_fleet::{Image, Machine, Spec, State, reconcile};

/// How often each is measured.
const TRIES: usize = 200;

fn main() {
    for count in [30, 1000, 10_000] {
        let images = [Image(vec![1]), Image(vec![2])];
        let accepted = BTreeSet::from(images.clone());
        // Half of them are old and many may be away: the dearest that there is.
        for (what, away) in [("one away", 1), ("half away", count / 2)] {
            let Ok(spec) = Spec::new(images[1].clone(), accepted.clone(), count, away, 0) else {
                return;
            };
            let fleet: Vec<_> = (0..count)
                .map(|number| Machine {
                    name: format!("small-{number:08}"),
                    image: images[number % 2].clone(),
                    state: State::Serving { load: 500 },
                })
                .collect();
            let mut took: Vec<_> = (0..TRIES)
                .map(|_| {
                    let begun = Instant::now();
                    black_box(reconcile(&spec, black_box(&fleet)));
                    begun.elapsed()
                })
                .collect();
            took.sort();
            println!(
                "{count:>6} machines, {what}: median {:?}, worst {:?}",
                took[TRIES / 2],
                took[TRIES - 1]
            );
        }
    }
}
