//! Price reports on their way to directories.

use super::*;
use crate::listing::directory::MAX_WAITING;

#[tokio::test]
async fn reports_are_passed_on_in_order_and_once() {
    let (one, two) = (Fake::start(), Fake::start());
    let host = listing(&[&one, &two], FAST);
    let reports: Vec<_> = (0..3).map(report).collect();
    for report in &reports {
        host.report(report.clone()).unwrap();
    }
    until("both have them", || {
        one.reported().len() >= 3 && two.reported().len() >= 3
    })
    .await;
    assert_eq!((one.reported(), two.reported()), (reports.clone(), reports));
    until("none waits", || host.counts().waiting.read() == 0).await;
    assert_eq!(host.report(vec![0xA0]), Err("report_malformed".to_owned()));
}

#[tokio::test]
async fn a_report_that_is_not_taken_is_kept_and_tried_again() {
    let directory = Fake::start();
    directory.told(Does::Takes, Does::Refuses(503, "busy"));
    let host = listing(&[&directory], FAST);
    host.report(report(0)).unwrap();
    until("it is tried again", || held(&directory.got).asked >= 4).await;
    host.report(report(1)).unwrap();
    assert_eq!(host.counts().waiting.read(), 2);
    directory.told(Does::Takes, Does::Takes);
    until("it has both", || directory.reported().len() == 2).await;
    assert_eq!(directory.reported(), [report(0), report(1)]);
}

#[tokio::test]
async fn no_report_is_sent_before_a_listing() {
    let directory = Fake::start();
    let host = start(network(&[directory.url()]), FAST);
    host.report(report(0)).unwrap();
    sleep(Duration::from_millis(100)).await;
    assert_eq!(held(&directory.got).asked, 0);
    host.offer(vec![offer("tiny", CLASS, 0)], &evidence(0))
        .unwrap();
    until("it has the report", || directory.reported().len() == 1).await;
}

#[tokio::test]
async fn a_directory_that_is_down_costs_bounded_memory() {
    let directory = Fake::start();
    directory.told(Does::Refuses(500, "down"), Does::Takes);
    let host = listing(&[&directory], FAST);
    let most = u64::try_from(MAX_WAITING).unwrap();
    for epoch in 0..most + 10 {
        host.report(report(epoch)).unwrap();
    }
    let counts = host.counts();
    assert_eq!((counts.waiting.read(), counts.dropped.read()), (most, 10));
    directory.told(Does::Takes, Does::Takes);
    until("it has the newest", || {
        directory.reported().len() == MAX_WAITING
    })
    .await;
    assert_eq!(directory.reported()[0], report(10));
}

#[tokio::test]
async fn a_directory_that_forgot_the_listing_gets_it_again() {
    let directory = Fake::start();
    let host = listing(&[&directory], FAST);
    until("it is listed", || said(&host) == Some(1)).await;
    {
        let mut got = held(&directory.got);
        got.current.clear();
        got.reports = Does::Refuses(403, "report_unlisted");
    }
    host.report(report(0)).unwrap();
    until("it is listed again", || directory.listed().len() == 2).await;
    directory.told(Does::Takes, Does::Takes);
    host.report(report(1)).unwrap();
    until("reports flow again", || {
        directory.reported().contains(&report(1))
    })
    .await;
    assert_eq!(directory.lists(), 1);
}

#[tokio::test]
async fn a_report_that_is_refused_stops_no_other() {
    let directory = Fake::start();
    directory.told(Does::Takes, Does::Refuses(400, "report_malformed"));
    let host = listing(&[&directory], FAST);
    host.report(report(0)).unwrap();
    until("it is dropped", || host.counts().dropped.read() == 1).await;
    directory.told(Does::Takes, Does::Takes);
    host.report(report(1)).unwrap();
    until("the next is taken", || directory.reported().len() == 1).await;
    assert_eq!(directory.reported(), [report(1)]);
}

#[tokio::test]
async fn the_last_reports_go_before_the_listing_does() {
    let directory = Fake::start();
    directory.told(Does::Takes, Does::Refuses(503, "busy"));
    let pace = Pace {
        back_off: (Duration::from_mins(5), Duration::from_mins(5)),
        ..FAST
    };
    let host = listing(&[&directory], pace);
    host.report(report(0)).unwrap();
    until("it is refused", || host.counts().troubled.read() == 1).await;
    directory.told(Does::Takes, Does::Takes);
    host.withdraw().await;
    assert_eq!((directory.reported().len(), directory.lists()), (1, 0));
}
