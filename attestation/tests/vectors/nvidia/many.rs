//! Several GPUs of one machine, and which of them a policy wants.

use std::collections::BTreeSet;

use chrysalis_attestation::{
    Rejection,
    nvidia::{
        GpuCollateral, GpuEvidence,
        evidence::read,
        opaque::Mode,
        policy::{Minimum, Wanted},
        version::DriverVersion,
    },
    transcript::Expect,
};

use super::{Case, MARCH_2026, array, text, vectors, without_collateral};
use crate::expected::{bytes, expected};

#[test]
fn several_gpus_stand_or_fall_together() {
    let Some(vectors) = vectors() else { return };
    let folder = vectors.join("h100-590.12-multi4");
    let four = read(&bytes(folder.join("multi_gpu_hopper.json")), None).expect("evidence");
    let nonce = array(text(&expected(&folder)["fields"], "nonce"));
    let case = |evidence: Vec<GpuEvidence>, change: fn(&mut Wanted)| {
        let mut policy = without_collateral();
        change(&mut policy.wanted);
        Case {
            evidence,
            nonce,
            collateral: GpuCollateral::default(),
            policy,
            now: MARCH_2026,
        }
    };
    let verified = case(four.clone(), |wanted| wanted.count = Expect::AnyOf(vec![4]))
        .verify()
        .expect("four GPUs");
    let devices: BTreeSet<_> = verified.gpus().iter().map(|it| &it.ueid).collect();
    assert_eq!(devices.len(), 4);

    let eight = case(four.clone(), |wanted| wanted.count = Expect::AnyOf(vec![8]));
    assert_eq!(
        eight.verify(),
        Err(Rejection::GpuCountMismatch {
            found: 4,
            wanted: 8
        })
    );
    assert_eq!(
        case(vec![], |_| ()).verify(),
        Err(Rejection::GpuEvidenceMissing)
    );
    let twice = [&four[..], &four[..1]].concat();
    assert_eq!(case(twice, |_| ()).code(), Some("gpu_twice"));
    let mut last_is_bad = four.clone();
    *last_is_bad[3].report.last_mut().expect("bytes") ^= 1;
    assert_eq!(
        case(last_is_bad, |_| ()).code(),
        Some("gpu_report_signature"),
        "a good first GPU excuses nothing"
    );

    let refused = [
        (
            case(four.clone(), |wanted| wanted.switches_unchecked = None),
            "gpu_switches_unchecked",
        ),
        (
            case(four.clone(), |wanted| {
                wanted.modes = Expect::AnyOf(vec![Mode::SinglePassthrough]);
            }),
            "gpu_refused",
        ),
        (
            case(four.clone(), |wanted| {
                wanted.models = Expect::AnyOf(vec!["GB100 A01 GSP BROM".to_owned()]);
            }),
            "gpu_refused",
        ),
        (
            case(four.clone(), |wanted| {
                wanted.drivers = Expect::AnyOf(vec!["590.13".to_owned()]);
            }),
            "gpu_refused",
        ),
        (
            case(four.clone(), |wanted| {
                wanted.vbioses = Expect::AnyOf(vec!["96.00.A5.00.02".to_owned()]);
            }),
            "gpu_refused",
        ),
        (
            case(four.clone(), |wanted| {
                wanted.devices = Expect::AnyOf(vec!["412921CE551E4EEDA3".to_owned()]);
            }),
            "gpu_refused",
        ),
        (
            case(four.clone(), |wanted| {
                let floor = DriverVersion::parse("590.12.1").expect("a version");
                wanted.minimum_driver = Minimum::Driver(floor);
            }),
            "gpu_driver_below_floor",
        ),
    ];
    for (case, code) in refused {
        assert_eq!(case.code(), Some(code));
    }
    let known = case(four[..1].to_vec(), |wanted| {
        wanted.devices = Expect::AnyOf(vec!["412921CE551E4EEDA3".to_owned()]);
        wanted.modes = Expect::AnyOf(vec![Mode::ProtectedPcie]);
    });
    assert_eq!(known.code(), None);
}
