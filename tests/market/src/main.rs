//! Prints what the simulation finds: `cargo run -p chrysalis-market`, some seconds.

use chrysalis_market::{Conduct, Demand, Market};

const SHARES: [f64; 4] = [0.1, 0.2, 0.4, 0.6];
const CONDUCTS: [(&str, Conduct); 5] = [
    ("wash 20 %", Conduct::Wash(0.2)),
    ("wash 50 %", Conduct::Wash(0.5)),
    ("withhold 25 %", Conduct::Withhold(0.25)),
    ("withhold 50 %", Conduct::Withhold(0.5)),
    ("floor × 1.4", Conduct::Floor(1.4)),
];

fn main() {
    println!(
        "60 enclaves of 10 slots, epochs of 60 s; what is worth 1 costs 0.02 of the coin for a million units\n"
    );
    for seed in [1, 2] {
        let days = Market {
            seed,
            ..Market::default()
        }
        .run();
        println!(
            "three days and a shock, seed {seed}: distance from the clearing price {:.3}, served {}, median price {:.2}",
            days.distance(),
            days.served(),
            days.price()
        );
    }
    let constant = Market {
        demand: Demand::Constant,
        ..Market::default()
    }
    .run();
    println!(
        "constant demand: dearest over cheapest of 200 epochs {:.3}",
        constant.swing(200)
    );
    let step = Market {
        demand: Demand::Step {
            at: 300,
            times: 3.0,
        },
        epochs: 400,
        ..Market::default()
    }
    .run();
    let price = |epoch: usize| step.prices[epoch].unwrap_or(f64::NAN);
    println!(
        "three times the demand: {:.2} before, {:.2} after 5 epochs, {:.2} after 10, {:.2} after 15, {:.2} after 99\n",
        price(299),
        price(305),
        price(310),
        price(315),
        price(399)
    );
    println!(
        "What an operator earns more or less than by honest play, and what that does to everybody's price:"
    );
    for (name, spread) in [
        ("dearer is bought much less", 0.6),
        ("dearer is bought hardly less", 1.5),
    ] {
        println!(
            "\n{name:<29}{}",
            SHARES
                .map(|share| format!("{:>16}", format!("{:.0} % of all", share * 100.0)))
                .concat()
        );
        let honest = SHARES.map(|share| {
            Market {
                share,
                spread,
                ..Market::default()
            }
            .run()
        });
        for (name, conduct) in CONDUCTS {
            let cells = SHARES.iter().zip(&honest).map(|(share, honest)| {
                let found = Market {
                    share: *share,
                    spread,
                    conduct,
                    ..Market::default()
                }
                .run();
                let more = |found: f64, honest: f64| 100.0 * (found / honest - 1.0);
                let (profit, price) = (
                    more(found.profit, honest.profit),
                    more(found.price(), honest.price()),
                );
                format!("{:>16}", format!("{profit:+.0} % ({price:+.0} %)"))
            });
            println!("{name:<29}{}", cells.collect::<String>());
        }
    }
}
