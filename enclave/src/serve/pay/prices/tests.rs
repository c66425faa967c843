use chrysalis_wire::configuration::Kind;

use super::*;
use crate::engine::fake;

const EPOCH: Duration = Duration::from_mins(1);

async fn prices(weights: [u64; 4], epoch: Duration, floor: u64) -> Prices {
    let engines = fake::engines(&[
        (fake::model("tiny", Kind::Chat), fake::echo),
        (fake::model("other", Kind::Embedding), fake::echo),
    ])
    .await;
    let price = configuration::Price {
        weights,
        epoch_seconds: 60,
    };
    Prices::new(&engines, &price, epoch, floor)
}

/// Turns an epoch that so many milliseconds of a slot were used in.
fn turn(prices: &Prices, floor: u64, used: u64) -> Report {
    let began = Instant::now().checked_sub(EPOCH).unwrap();
    {
        let mut state = prices.models[0].state();
        state.began = began;
        state.tally.used = used;
    }
    prices.turn(floor, [9; 32], 3).remove(0)
}

#[tokio::test]
async fn each_report_follows_from_the_one_before_it() {
    let prices = prices([2_000_000, 0, 1, 0], EPOCH, 1_000_000).await;
    let mut before: Option<Report> = None;
    for (used, floor) in [
        (60_000, 1_000_000),
        (60_000, 5_000_000),
        (0, 0),
        (45_000, 1_000_000),
        (0, u64::MAX),
    ] {
        let report = turn(&prices, floor, used);
        report.follows(before.as_ref()).unwrap();
        assert_eq!((report.receipt_key, report.tabs), ([9; 32], 3));
        before = Some(report);
    }
    let offer = prices.offer("tiny").unwrap();
    let last = before.unwrap();
    assert_eq!(offer.quote.epoch, last.epoch + 1);
    assert_eq!(offer.quote.floor, last.price.floor / 8 + last.price.floor);
}

#[tokio::test]
async fn a_busy_epoch_makes_the_next_dearer_and_each_model_has_its_own_price() {
    let prices = prices([1_000_000, 500_000, 3_000_000, 0], EPOCH, 1_000_000).await;
    let first = prices.offer("tiny").unwrap();
    assert_eq!(first.quote.price, [1_000_000, 500_000, 3_000_000, 0]);
    turn(&prices, 1_000_000, 120_000);
    let next = prices.offer("tiny").unwrap();
    assert_eq!(next.quote.price[0], 1_125_159);
    let other = prices.offer("other").unwrap();
    assert_eq!(other.quote.price[0], 1_000_000);
    assert!(prices.offer("third").is_none());
    assert_eq!(prices.offers().len(), 2);
    assert_eq!(prices.find(&first.digest).unwrap().quote, first.quote);
    assert!(prices.find(&[0; 32]).is_none());
}

#[tokio::test]
async fn a_quote_is_good_for_two_minutes_and_two_epochs() {
    let slow = prices([1, 1, 1, 1], EPOCH, 1).await;
    let first = slow.offer("tiny").unwrap();
    assert!((180..=182).contains(&(first.quote.until - clock::now().0)));
    for _ in 0..3 {
        slow.turn(1, [9; 32], 0);
        assert!(slow.find(&first.digest).is_some());
    }
    // A fifth quote, before their time is over.
    slow.turn(1, [9; 32], 0);
    assert!(slow.find(&first.digest).is_some());
    let past = Instant::now()
        .checked_sub(Duration::from_secs(181))
        .unwrap();
    for offer in &mut slow.models[0].state().offers {
        *offer = Arc::new(Offer {
            quote: offer.quote.clone(),
            digest: offer.digest,
            made: past,
        });
    }
    slow.turn(1, [9; 32], 0);
    assert!(slow.find(&first.digest).is_none());
    assert_eq!(slow.models[0].state().offers.len(), KEPT);
    let quick = prices([1, 1, 1, 1], Duration::from_secs(5), 1).await;
    let first = quick.offer("tiny").unwrap();
    assert!((125..=127).contains(&(first.quote.until - clock::now().0)));
    for _ in 0..24 {
        quick.turn(1, [9; 32], 0);
    }
    assert!(quick.find(&first.digest).is_some());
}

#[tokio::test]
async fn only_the_time_of_jobs_that_owe_something_counts_and_only_once() {
    let prices = prices([1_000_000; 4], EPOCH, 1).await;
    let wait = || std::thread::sleep(Duration::from_millis(20));
    let [owes, free] = [(); 2].map(|()| {
        let work = prices.begin("tiny");
        let taking = work.spell().begin();
        (work, taking)
    });
    wait();
    assert_eq!(prices.turn(1, [9; 32], 0)[0].load.used, 0);
    owes.0.owes();
    let since = Instant::now();
    let first = prices.turn(1, [9; 32], 0)[0].load.used;
    assert!(first >= 20, "{first}");
    wait();
    prices.end("tiny", &owes.0, Outcome::Owes(7));
    prices.end("tiny", &free.0, Outcome::Failed);
    prices.end("tiny", &prices.begin("tiny"), Outcome::GivenUp);
    let report = prices.turn(1, [9; 32], 0).remove(0);
    let most = u64::try_from(since.elapsed().as_millis()).unwrap() + 1;
    assert!((20..=most).contains(&report.load.used), "{report:?}");
    assert_eq!((report.jobs, report.failed, report.revenue), (3, 1, 7));
    assert_eq!(prices.turn(1, [9; 32], 0)[0].load.used, 0);
}

#[tokio::test]
async fn no_floor_makes_a_price_that_cannot_be_computed() {
    let weights = [configuration::Price::MAX_WEIGHT, 0, 1, 0];
    let prices = prices(weights, EPOCH, u64::MAX).await;
    let mut before = None;
    for _ in 0..40 {
        let report = turn(&prices, u64::MAX, 120_000);
        report.follows(before.as_ref()).unwrap();
        before = Some(report);
    }
    assert_eq!(before.unwrap().price.x, 8_000_000);
    assert!(prices.offer("tiny").is_some());
}

#[test]
fn the_median_is_a_bound_that_half_keep() {
    let before = Seen::default();
    assert_eq!(before.median_since(&before), 0);
    let mut seen = before;
    for bucket in [0, 3, 18] {
        seen.first_token[bucket] += 1;
    }
    assert_eq!(seen.median_since(&before), 50);
    seen.first_token[18] += 5;
    assert_eq!(seen.median_since(&before), 60_000);
}
