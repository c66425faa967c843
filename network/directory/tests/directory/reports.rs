//! Reports: an epoch once, by an enclave that is listed, and each as the rule makes it of the one before.

use chrysalis_directory::Refused;
use chrysalis_settle::{Report, SignedReport};

use crate::world::{Enclave, Key, World};

fn refused<T>(outcome: Result<T, Refused>) -> (u16, &'static str) {
    let refused = outcome.err().expect("it is refused");
    (refused.status, refused.code)
}

fn altered(bytes: &[u8], alter: impl FnOnce(&mut Report)) -> Vec<u8> {
    let mut report = SignedReport::verify(bytes).unwrap();
    alter(&mut report);
    report.sign(&Key::of("one")).unwrap().encode()
}

#[test]
fn only_a_listed_enclave_reports_and_an_epoch_once() {
    let world = World::new();
    let one = Enclave::new("one");
    let reports = one.reports(4);
    assert_eq!(
        refused(world.desk.report(&reports[0])),
        (403, "report_unlisted")
    );
    world.list(&one).unwrap();
    world.desk.report(&reports[0]).unwrap();
    world.desk.report(&reports[0]).unwrap();
    let second = altered(&reports[0], |it| it.revenue += 1);
    assert_eq!(refused(world.desk.report(&second)), (409, "report_second"));
    let mut other = one.clone();
    other.weights = crate::world::OTHER_WEIGHTS;
    assert_eq!(
        refused(world.desk.report(&other.reports(1)[0])),
        (403, "report_unlisted")
    );
    world.hands.pass(1801);
    assert_eq!(
        refused(world.desk.report(&reports[1])),
        (403, "report_unlisted")
    );
}

#[test]
fn a_price_that_does_not_follow_is_accepted_nowhere() {
    let world = World::new();
    let one = Enclave::new("one");
    world.list(&one).unwrap();
    let reports = one.reports(8);
    let broken = (403, "price_rule_broken");
    let first = altered(&reports[0], |it| it.price.x = 1);
    assert_eq!(refused(world.desk.report(&first)), broken);
    world.desk.report(&reports[0]).unwrap();
    let next = altered(&reports[1], |it| it.price.floor += it.price.floor / 2);
    assert_eq!(refused(world.desk.report(&next)), broken);
    // One that is missing does not stop the next, whose price still has to be one.
    let priced = altered(&reports[3], |it| it.asked[0] += 1);
    assert_eq!(refused(world.desk.report(&priced)), broken);
    world.desk.report(&reports[3]).unwrap();
    // The one between has to lead to what is known after it.
    world.desk.report(&reports[1]).unwrap();
    let between = altered(&reports[2], |it| it.load.used = 0);
    assert_eq!(refused(world.desk.report(&between)), broken);
    world.desk.report(&reports[2]).unwrap();
    let forged = {
        let mut bytes = reports[4].clone();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        bytes
    };
    assert_eq!(
        refused(world.desk.report(&forged)),
        (400, "report_signature")
    );
    assert_eq!(
        refused(world.desk.report(b"\xa0")),
        (400, "report_malformed")
    );
}
