//! Prices: a history that another implementation must follow to the last nano, and reports with one thing wrong each.

use chrysalis_settle::{
    Rejection, Report, SignedReport, money,
    price::{Load, Price},
};
use serde_json::{Value, json};

use crate::{
    cases::{Key, enclave},
    code, same_as_committed,
};

const RATES: [u64; 4] = [1_000_000, 100_000, 4_000_000, 0];
const EPOCH_MS: u64 = 60_000;
const SLOTS: u64 = 16;

/// Numbers that look like chance and are the same everywhere: Knuth's MMIX generator.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 16) % most
    }
}

fn epoch(price: Price, load: Load, asked: u64) -> (Value, Price) {
    let next = price.after(load, asked);
    let number = |number: u64| number.to_string();
    let base = price.base();
    let prices = base
        .clone()
        .and_then(|base| money::prices(base, &RATES))
        .ok()
        .map(|prices| prices.map(number));
    let told = json!({
        "floor": number(price.floor),
        "x": number(price.x),
        "base": base.ok().map(number),
        "prices": prices,
        "used": number(load.used),
        "capacity": number(load.capacity),
        "asked": number(asked),
        "next": {"floor": number(next.floor), "x": number(next.x)},
    });
    (told, next)
}

/// Days of an enclave, busy by turns, for operators who ask for nothing, little, much, and more than fits.
fn histories() -> Vec<Value> {
    let mut chance = Chance(16);
    let mut told = Vec::new();
    for floor in [0, 1, 7, 20_000_000, u64::MAX / 50, u64::MAX] {
        let mut price = Price::new(floor);
        for hour in 0..5 {
            for _ in 0..12 {
                let capacity = EPOCH_MS * SLOTS;
                let busy = [400_000, 800_000, 1_000_000, 700_000, 100_000][hour];
                let used = chance.below(capacity * busy / 500_000);
                let asked = match chance.below(4) {
                    0 => chance.below(floor.max(1)),
                    1 => floor.saturating_mul(2),
                    _ => floor,
                };
                let (line, next) = epoch(price, Load { used, capacity }, asked);
                told.push(line);
                price = next;
            }
        }
    }
    told.push(epoch(Price { floor: 9, x: 5 }, Load::default(), 9).0);
    told
}

fn report(epoch: u64, price: Price) -> Report {
    Report {
        receipt_key: enclave().public(),
        weights: [0x33; 32],
        epoch,
        price,
        rates: RATES,
        asked: money::prices(price.base().unwrap(), &RATES).unwrap(),
        load: Load {
            used: 900_000,
            capacity: EPOCH_MS * SLOTS,
        },
        jobs: 912,
        failed: 1,
        revenue: 912_345_678,
        tabs: 311,
        first_token_ms: 180,
        tokens_per_second: 2_311,
        ended: 1_796_130_060,
    }
}

fn signed(report: &Report) -> Vec<u8> {
    report.sign(&enclave()).unwrap().encode()
}

/// What a reader makes of a report that comes after another.
fn judged(before: Option<&[u8]>, bytes: &[u8]) -> Result<(), Rejection> {
    let before = before.map(SignedReport::verify).transpose()?;
    SignedReport::verify(bytes)?.follows(before.as_ref())
}

/// A name, the report before, the signed report, and the code of what is wrong with it.
type Case = (&'static str, Option<Report>, Vec<u8>, Option<&'static str>);

fn reports() -> Vec<Case> {
    let first = report(0, Price::new(20_000_000));
    let next = report(1, first.price.after(first.load, 21_000_000));
    let changed = |change: &dyn Fn(&mut Report)| {
        let mut other = next.clone();
        change(&mut other);
        signed(&other)
    };
    let after = |bytes, code| (Some(first.clone()), bytes, Some(code));
    let broken = "price_rule_broken";
    let with = |name, (before, bytes, code)| (name, before, bytes, code);
    let stranger = SignedReport {
        signature: next.sign(&Key::seeded(4)).unwrap().signature,
        report: next.encode(),
    };
    let longer = SignedReport {
        report: vec![0; 400],
        ..stranger.clone()
    };
    let raised = |it: &mut Report, price| {
        *it = Report {
            load: it.load,
            ..report(it.epoch, price)
        };
    };
    let far = Price {
        floor: 22_500_001,
        ..next.price
    };
    let lazy = Price {
        x: next.price.x - 1,
        ..next.price
    };
    vec![
        ("first", None, signed(&first), None),
        ("next", Some(first.clone()), signed(&next), None),
        ("first-of-none", None, signed(&next), Some(broken)),
        (
            "begins-dear",
            None,
            signed(&report(0, Price { floor: 20, x: 1 })),
            Some(broken),
        ),
        with("withheld", after(changed(&|it| it.epoch = 2), broken)),
        with("repeated", after(signed(&first), broken)),
        with("model", after(changed(&|it| it.weights = [1; 32]), broken)),
        with("rates", after(changed(&|it| it.rates[0] += 1), broken)),
        with("asked", after(changed(&|it| it.asked[0] += 1), broken)),
        with("floor", after(changed(&|it| raised(it, far)), broken)),
        with("x", after(changed(&|it| raised(it, lazy)), broken)),
        with("stranger", after(stranger.encode(), "report_signature")),
        with("malformed", after(longer.encode(), "report_malformed")),
        with("long", after(vec![0; 513], "report_malformed")),
        with("empty", after(Vec::new(), "report_malformed")),
    ]
}

#[test]
fn prices_are_the_committed_ones() {
    let reports: Vec<Value> = reports()
        .into_iter()
        .map(|(name, before, bytes, expected)| {
            let before = before.as_ref().map(signed);
            let found = judged(before.as_deref(), &bytes);
            assert_eq!(code(&found), expected, "{name}");
            json!({
                "name": name,
                "before": before.map(hex::encode),
                "report": hex::encode(bytes),
                "code": expected,
            })
        })
        .collect();
    let rates = RATES.map(|rate| rate.to_string());
    let told = json!({"rates": rates, "epochs": histories(), "reports": reports});
    same_as_committed("prices.json", &told);
}

#[test]
fn another_enclaves_report_follows_nothing() {
    let other = Report {
        receipt_key: Key::seeded(5).public(),
        ..report(0, Price::new(20))
    };
    let next = report(1, Price::new(20).after(other.load, 20));
    assert_eq!(code(&next.follows(Some(&other))), Some("price_rule_broken"));
}

#[test]
fn every_flipped_byte_of_a_report_is_refused() {
    let honest = signed(&report(0, Price::new(20_000_000)));
    assert!(SignedReport::verify(&honest).is_ok());
    for at in 0..honest.len() {
        for bit in 0..8 {
            let mut other = honest.clone();
            other[at] ^= 1 << bit;
            let refused = code(&SignedReport::verify(&other)).unwrap();
            assert!(["report_malformed", "report_signature"].contains(&refused));
        }
    }
}

#[test]
fn the_largest_report_fits() {
    let most = u64::MAX;
    let largest = Report {
        epoch: most,
        price: Price {
            floor: most,
            x: most,
        },
        rates: [most; 4],
        asked: [most; 4],
        load: Load {
            used: most,
            capacity: most,
        },
        jobs: most,
        failed: most,
        revenue: most,
        tabs: most,
        first_token_ms: most,
        tokens_per_second: most,
        ended: i64::MIN,
        ..report(0, Price::new(1))
    };
    assert_eq!(SignedReport::verify(&signed(&largest)), Ok(largest));
}
