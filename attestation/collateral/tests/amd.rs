//! AMD's key service, played by a local one with a simulated vendor's objects: what is fetched, kept and refused.

#![allow(clippy::unwrap_used, reason = "what helps a test fails as a test does")]

mod common;

use std::{fs, path::Path, time::Duration};

use chrysalis_attestation::{
    Rejection, Time, Waivers,
    alone::snp::{SnpQuestion, verify},
    snp::{AmdRoots, bits::GuestPolicy, report::Report},
};
use chrysalis_collateral::{
    Anchors, Condition, Event, FetchError, Fetched, Object, Refresh, Wish, list,
};
use chrysalis_simulate::{Amd, CrlProfile, Launch, TCB};
use common::{Answer, Stage, codes, ok, status, with_header};

/// 2026-12-01 12:00 UTC
const NOW: Time = Time(1_796_126_400);
const DAY: i64 = 24 * 3600;
const LIST: &str = "/vcek/v1/Genoa/crl";

/// A vendor, its one chip's report, and the service that knows both.
struct Case {
    amd: Amd,
    report: Vec<u8>,
    stage: Stage,
}

impl Case {
    fn new() -> Self {
        let keys = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../build/tests/simulated-amd-of-december");
        let amd = Amd::open_or_create(&keys, NOW, &mut |_| ()).unwrap();
        let mut launch = Launch::new([3; 48], [5; 32], [4; 32]);
        launch.policy = GuestPolicy::STRICT;
        let report = amd.sign_report(&launch, [6; 64]).to_vec();
        let anchors = Anchors {
            amd: AmdRoots::amd().and_simulated(amd.root_sha256()),
            ..Anchors::vendors()
        };
        let case = Self {
            stage: Stage::new(NOW, anchors),
            amd,
            report,
        };
        case.stage
            .local
            .answer(&case.vcek_path("Genoa"), [ok(&case.vcek())])
            .answer(LIST, [ok(&case.list(0))]);
        case
    }

    fn vcek_path(&self, product: &str) -> String {
        let report = Report::parse(&self.report).unwrap();
        format!(
            "/vcek/v1/{product}/{}?blSPL=10&teeSPL=00&snpSPL=27&ucodeSPL=84",
            hex::encode(report.chip_id)
        )
    }

    fn vcek(&self) -> Vec<u8> {
        self.amd.issue_vcek(&self.amd.vcek_profile(NOW)).unwrap()
    }

    /// A list that was made so long before now, and holds for 45 days.
    fn list(&self, seconds_ago: i64) -> Vec<u8> {
        let profile = CrlProfile::empty(Time(NOW.0 - 3600 - seconds_ago));
        self.amd.issue_crl(&profile).unwrap()
    }

    /// A simulated root is pinned by no verifier, so it and its intermediate travel.
    fn authorities(&self) -> Vec<Vec<u8>> {
        self.amd.endorsements().certificates[1..].to_vec()
    }

    fn wish(&self) -> Wish {
        Wish::of_report(&self.report, &self.authorities()).unwrap()
    }

    fn gather(&self) -> Vec<chrysalis_collateral::Gathered> {
        self.stage.gather(&self.wish(), Refresh::Due)
    }

    /// The error of the list, which is asked for after the VCEK.
    fn list_error(&self) -> FetchError {
        let mut gathered = self.gather();
        assert_eq!(gathered.len(), 2);
        gathered.pop().unwrap().outcome.unwrap_err().error
    }
}

#[test]
fn a_report_is_verified_from_the_folder_alone() {
    let case = Case::new();
    let gathered = case.gather();
    assert_eq!(codes(&gathered), ["", ""]);
    let [first, second] = &gathered[..] else {
        panic!()
    };
    assert!(matches!(first.object, Object::Vcek(_)));
    assert!(matches!(second.outcome, Ok(Fetched::New { .. })));
    let chip = hex::encode(Report::parse(&case.report).unwrap().chip_id);
    let folder = case.stage.folder.path();
    let vcek = format!("amd/vcek/{chip}-0a00000000001b54.der");
    assert_eq!(fs::read(folder.join(&vcek)).unwrap(), case.vcek());
    assert!(folder.join("amd/genoa/crl.der").is_file());

    let mut collateral = case.stage.store.for_report(&case.report, &[]).unwrap();
    collateral.certificates.extend(case.authorities());
    let question = SnpQuestion {
        roots: &case.stage.anchors.amd,
        collateral: &collateral,
        now: NOW,
        policy: None,
        report_data: None,
        waivers: Waivers::none(),
    };
    let verified = verify(&case.report, &question).unwrap();
    assert!(verified.found().revocation_until().is_some());
}

#[test]
fn what_is_fresh_is_not_asked_for_again_unless_all_is() {
    let case = Case::new();
    case.gather();
    case.stage.local.forget();
    let again = case.gather();
    assert!(
        again
            .iter()
            .all(|it| matches!(it.outcome, Ok(Fetched::Kept { .. })))
    );
    assert_eq!(case.stage.local.lines().len(), 0);
    let all = case.stage.gather(&case.wish(), Refresh::All);
    assert!(matches!(all[1].outcome, Ok(Fetched::Same { .. })));
    assert_eq!(case.stage.local.lines().len(), 2);
    // In the last quarter of its 45 days a list is due.
    case.stage.world.now.set(Time(NOW.0 + 40 * DAY));
    let listed = list(&case.stage.store, case.stage.world.now.get()).unwrap();
    let conditions: Vec<_> = listed
        .iter()
        .map(|it| (&*it.entry.what, it.condition))
        .collect();
    assert_eq!(
        conditions[0],
        ("AMD's revocation list for Genoa", Condition::Due)
    );
    assert_eq!(conditions[1].1, Condition::Fresh);
    case.stage.local.forget();
    case.gather();
    assert_eq!(case.stage.local.lines(), [format!("GET {LIST} HTTP/1.1")]);
}

#[test]
fn a_vcek_that_came_along_is_not_fetched() {
    let case = Case::new();
    let certificates = case.amd.endorsements().certificates;
    let wish = Wish::of_report(&case.report, &certificates).unwrap();
    assert_eq!(codes(&case.stage.gather(&wish, Refresh::Due)), [""]);
    assert_eq!(case.stage.local.lines(), [format!("GET {LIST} HTTP/1.1")]);
}

#[test]
fn a_report_that_does_not_say_its_product_asks_each_in_turn() {
    let case = Case::new();
    let mut report = Report::parse(&case.report).unwrap();
    report.version = 2;
    report.cpuid = None;
    report.mitigations = None;
    let wish = Wish::of_report(&report.encode(), &case.authorities()).unwrap();
    let gathered = case.stage.gather(&wish, Refresh::Due);
    assert_eq!(codes(&gathered), ["", ""]);
    let expected = [
        case.vcek_path("Milan"),
        case.vcek_path("Genoa"),
        LIST.to_owned(),
    ];
    assert_eq!(
        case.stage.local.lines(),
        expected.map(|path| format!("GET {path} HTTP/1.1"))
    );
}

#[test]
fn waits_as_long_as_a_busy_service_asks_for() {
    let case = Case::new();
    let busy = with_header(429, "Retry-After: 17", b"slow down");
    case.stage.local.answer(LIST, [busy, ok(&case.list(0))]);
    let mut heard = Vec::new();
    let gathered = case
        .stage
        .gather_hearing(&case.wish(), Refresh::Due, &mut |event| {
            if let Event::Waiting { pause, why, .. } = event {
                heard.push((pause.as_secs(), why.to_string()));
            }
        });
    assert_eq!(codes(&gathered), ["", ""]);
    assert_eq!(case.stage.world.seconds_slept(), [17]);
    assert_eq!(heard, [(17, "it answered with status 429".to_owned())]);
}

#[test]
fn does_not_wait_for_a_service_that_asks_for_more_than_there_is() {
    let case = Case::new();
    case.stage
        .local
        .answer(LIST, [with_header(503, "Retry-After: 3600", b"")]);
    let error = case.list_error();
    assert!(
        matches!(&error, FetchError::Busy { wait, .. } if *wait == Duration::from_secs(3600)),
        "{error}"
    );
    assert_eq!(case.stage.world.seconds_slept(), [0; 0]);
}

#[test]
fn tries_again_with_longer_and_longer_pauses() {
    let case = Case::new();
    let failures = [status(500), status(502), Answer::Truncated(case.list(0))];
    case.stage
        .local
        .answer(LIST, failures.into_iter().chain([ok(&case.list(0))]));
    assert_eq!(codes(&case.gather()), ["", ""]);
    assert_eq!(case.stage.world.seconds_slept(), [1, 2, 4]);
}

#[test]
fn gives_up_on_a_service_that_keeps_failing() {
    let case = Case::new();
    case.stage.local.answer(LIST, [status(500)]);
    let error = case.list_error();
    assert!(
        error
            .to_string()
            .ends_with("failed 5 time(s): it answered with status 500"),
        "{error}"
    );
    case.stage
        .local
        .answer(LIST, [Answer::Truncated(case.list(0))]);
    let error = case.list_error();
    assert!(
        error.to_string().ends_with("the answer was cut off"),
        "{error}"
    );
    assert!(!case.stage.folder.path().join("amd/genoa/crl.der").exists());
}

#[test]
fn gives_up_on_a_service_that_stalls() {
    let mut case = Case::new();
    case.stage.limits.request = Duration::from_millis(100);
    case.stage.limits.attempts = 2;
    case.stage.local.answer(LIST, [Answer::Stalling]);
    let error = case.list_error();
    assert!(
        error
            .to_string()
            .ends_with("failed 2 time(s): it did not answer in time"),
        "{error}"
    );
}

#[test]
fn what_is_left_when_the_time_is_over_is_not_asked_for() {
    let mut case = Case::new();
    case.stage.limits.total = Duration::from_secs(5);
    case.stage.limits.attempts = u32::MAX;
    case.stage
        .local
        .answer(&case.vcek_path("Genoa"), [status(503)]);
    let gathered = case.gather();
    assert_eq!(codes(&gathered), ["deadline", "deadline"]);
    assert!(
        case.stage
            .local
            .lines()
            .iter()
            .all(|line| line.contains("blSPL"))
    );
}

#[test]
fn a_chip_that_the_service_does_not_know_is_named_at_once() {
    let case = Case::new();
    case.stage
        .local
        .answer(&case.vcek_path("Genoa"), [status(404)]);
    let gathered = case.gather();
    assert_eq!(codes(&gathered), ["not_known", ""]);
    assert!(gathered[0].object.to_string().starts_with("VCEK of chip "));
    assert_eq!(case.stage.world.seconds_slept(), [0; 0]);
}

#[test]
fn follows_no_redirect() {
    let case = Case::new();
    let elsewhere = format!("Location: {}{LIST}2", case.stage.local.base);
    case.stage
        .local
        .answer(LIST, [with_header(302, &elsewhere, b"")]);
    case.stage
        .local
        .answer(&format!("{LIST}2"), [ok(&case.list(0))]);
    assert!(matches!(case.list_error(), FetchError::Redirected { .. }));
    assert_eq!(case.stage.local.lines().len(), 2);
}

#[test]
fn reads_no_further_than_an_object_can_be_long() {
    let case = Case::new();
    case.stage.local.answer(LIST, [Answer::Endless]);
    assert!(matches!(case.list_error(), FetchError::TooLarge { .. }));
    case.stage.local.answer(LIST, [ok(&vec![0x30; 1 << 21])]);
    assert!(matches!(case.list_error(), FetchError::TooLarge { .. }));
}

#[test]
fn other_statuses_are_final() {
    let case = Case::new();
    case.stage.local.answer(LIST, [status(403)]);
    assert!(matches!(
        case.list_error(),
        FetchError::Refused { status: 403, .. }
    ));
}

fn refused(error: FetchError) -> Rejection {
    match error {
        FetchError::Unfit { rejection, .. } => *rejection,
        other => panic!("{other}"),
    }
}

#[test]
fn keeps_no_list_that_is_stale_foreign_or_something_else() {
    let case = Case::new();
    let list = |answer: &[u8]| {
        case.stage.local.answer(LIST, [ok(answer)]);
        refused(case.list_error())
    };
    assert!(matches!(
        list(&case.list(60 * DAY)),
        Rejection::CrlExpired { .. }
    ));
    let mut flipped = case.list(0);
    *flipped.last_mut().unwrap() ^= 1;
    assert_eq!(list(&flipped), Rejection::CrlSignature);
    let malformed = Rejection::CertificateMalformed {
        which: "a revocation list",
    };
    assert_eq!(list(&case.vcek()), malformed);
    assert_eq!(list(b"<html>maintenance</html>"), malformed);
    assert_eq!(list(b""), malformed);
    assert!(!case.stage.folder.path().join("amd/genoa/crl.der").exists());
}

#[test]
fn keeps_no_certificate_of_another_chip_level_or_vendor() {
    let case = Case::new();
    let path = case.vcek_path("Genoa");
    let vcek = |answer: &[u8], wish: &Wish| {
        case.stage.local.answer(&path, [ok(answer)]);
        let mut gathered = case.stage.gather(wish, Refresh::Due);
        refused(gathered.swap_remove(0).outcome.unwrap_err().error)
    };
    let issue = |change: fn(&mut chrysalis_simulate::VcekProfile)| {
        let mut profile = case.amd.vcek_profile(NOW);
        change(&mut profile);
        case.amd.issue_vcek(&profile).unwrap()
    };
    let wish = case.wish();
    let other_chip = issue(|profile| profile.hwid = [9; 64]);
    let what = "it belongs to a different chip";
    assert_eq!(vcek(&other_chip, &wish), Rejection::LeafProfile { what });
    let other_level = issue(|profile| profile.tcb.snp = 26);
    let certificate = chrysalis_attestation::snp::tcb::Tcb { snp: 26, ..TCB };
    let mismatch = Rejection::TcbCertificateMismatch {
        report: TCB,
        certificate,
    };
    assert_eq!(vcek(&other_level, &wish), mismatch);
    let without_root = Wish::of_report(&case.report, &[]).unwrap();
    assert!(matches!(
        vcek(&case.vcek(), &without_root),
        Rejection::RootMissing { .. }
    ));
}

#[test]
fn an_older_list_does_not_replace_a_newer_one() {
    let case = Case::new();
    case.gather();
    case.stage.local.answer(LIST, [ok(&case.list(10 * DAY))]);
    let mut gathered = case.stage.gather(&case.wish(), Refresh::All);
    let failure = gathered.pop().unwrap().outcome.unwrap_err();
    assert!(
        matches!(failure.error, FetchError::Older { .. }),
        "{}",
        failure.error
    );
    assert!(failure.stored_until.is_some());
    let kept = fs::read(case.stage.folder.path().join("amd/genoa/crl.der")).unwrap();
    assert_eq!(kept, case.list(0));
}

#[test]
fn leaves_a_host_in_peace_between_two_questions() {
    let mut case = Case::new();
    case.stage.limits.spacing = Duration::from_secs(2);
    assert_eq!(codes(&case.gather()), ["", ""]);
    assert_eq!(case.stage.world.seconds_slept(), [2]);
}

#[test]
fn nobody_there_is_told_after_every_attempt() {
    let mut case = Case::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    case.stage
        .mirrors
        .set(chrysalis_collateral::Service::Amd, &base)
        .unwrap();
    let gathered = case.gather();
    assert_eq!(codes(&gathered), ["unavailable", "unavailable"]);
}
