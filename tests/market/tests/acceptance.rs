//! What the price rule must do in a market (docs/spec/price.md), by its shipped code.
#![expect(clippy::indexing_slicing, reason = "a missing epoch fails the test")]

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use chrysalis_market::{Conduct, Demand, Figures, Market};
use chrysalis_settle::Report;

fn market() -> Market {
    Market::default()
}

fn profit(share: f64, spread: f64, conduct: Conduct) -> f64 {
    let market = Market {
        share,
        spread,
        conduct,
        ..market()
    };
    market.run().profit
}

#[test]
fn three_times_the_demand_is_priced_within_fifteen_epochs() {
    let step = Market {
        demand: Demand::Step {
            at: 300,
            times: 3.0,
        },
        epochs: 400,
        ..market()
    };
    let prices = step.run().prices;
    let plateau = prices[399].unwrap();
    assert!(plateau > 1.3 * prices[299].unwrap(), "nothing rose");
    for (after, price) in prices[315..].iter().enumerate() {
        let off = (price.unwrap() / plateau - 1.0).abs();
        assert!(off <= 0.10, "{off} after {} epochs", 15 + after);
    }
}

#[test]
fn a_price_rests_while_demand_does() {
    let constant = Market {
        demand: Demand::Constant,
        ..market()
    };
    let swing = constant.run().swing(200);
    assert!(swing <= 1.10, "{swing}");
}

#[test]
fn prices_are_near_what_hindsight_knows() {
    for seed in [1, 2] {
        let distance = Market { seed, ..market() }.run().distance();
        assert!(distance <= 0.15, "{distance}");
    }
}

#[test]
fn a_fifth_of_all_enclaves_loses_by_trading_with_itself() {
    for spread in [0.6, 1.5] {
        let honest = profit(0.2, spread, Conduct::Honest);
        for washed in [0.2, 0.5] {
            let found = profit(0.2, spread, Conduct::Wash(washed));
            assert!(found < honest, "{found} {honest}");
        }
    }
}

#[test]
fn who_breaks_the_rule_is_left_within_an_epoch() {
    let overcharging = Market {
        share: 1.0 / 60.0,
        conduct: Conduct::Overcharge { from: 200 },
        epochs: 230,
        ..market()
    };
    let Figures { sold, .. } = overcharging.run();
    let by_it = |epoch: usize| sold[epoch][0];
    assert!((150..200).any(|epoch| by_it(epoch) > 0));
    assert!((201..230).all(|epoch| by_it(epoch) == 0));
    assert!(sold[229].iter().skip(1).sum::<u64>() > 0);
}

/// One report as a line: the numbers that the rule is about.
fn line(number: usize, report: &Report) -> String {
    let Report {
        epoch,
        price,
        load,
        asked,
        ..
    } = report;
    serde_json::json!({
        "enclave": number,
        "epoch": epoch.to_string(),
        "floor": price.floor.to_string(),
        "x": price.x.to_string(),
        "used": load.used.to_string(),
        "capacity": load.capacity.to_string(),
        "rates": report.rates.map(|rate| rate.to_string()),
        "asked": asked.map(|price| price.to_string()),
    })
    .to_string()
}

#[test]
fn a_second_implementation_computes_every_price_alike() {
    if !chrysalis_test_support::has_node() {
        return;
    }
    let mut lines = Vec::new();
    let days = Market {
        epochs: 600,
        ..market()
    };
    days.run_and_tell(&mut |number, report| lines.push(line(number, &report)));
    assert_eq!(lines.len(), 600 * 60);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../clients/price_replay.mjs");
    let replayed = |lines: &[String]| {
        let mut node = Command::new("node")
            .arg(&script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Node starts");
        let mut stdin = node.stdin.take().expect("its input");
        stdin.write_all(lines.join("\n").as_bytes()).expect("read");
        drop(stdin);
        let output = node.wait_with_output().expect("Node ends");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert_eq!(replayed(&lines), "36000 reports, 0 wrong");
    // It can say no: one nano more in the last line.
    let last = lines.last_mut().expect("a line");
    let mut told: serde_json::Value = serde_json::from_str(last).expect("JSON");
    let asked: u64 = told["asked"][0].as_str().unwrap().parse().unwrap();
    told["asked"][0] = (asked + 1).to_string().into();
    *last = told.to_string();
    assert_eq!(replayed(&lines), "36000 reports, 1 wrong");
}
