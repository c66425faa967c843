//! How the statuses of a platform's parts become one, as in Intel's library.

use serde_json::json;

use chrysalis_attestation::{
    Rejection,
    tdx::Status::{self, *},
};
use chrysalis_simulate::intel::{enclave_level, level};

use super::scene::Scene;

fn status(scene: &Scene) -> Result<Status, Rejection> {
    let mut case = scene.case();
    case.policy.statuses = Status::ALL.to_vec();
    case.verify().map(|verified| verified.td().status)
}

/// A TD that was launched on module 7, now 8 is the current one, and whose level says `platform`.
fn relaunched(platform: &str, now: [u8; 3]) -> Scene {
    let mut scene = Scene::new();
    *scene.module_levels() = json!([enclave_level(7, "OutOfDate"), enclave_level(8, "UpToDate")]);
    scene.statements.tcb_info["tcbLevels"] = json!([level(5, platform, "2025-01-01T00:00:00Z")]);
    scene.td.tee_tcb_svn_2[..3].copy_from_slice(&now);
    scene
}

#[test]
fn a_td_launched_before_its_module_was_updated_should_be_launched_again() {
    assert_eq!(
        status(&relaunched("UpToDate", [8, 1, 5])),
        Ok(TDRelaunchAdvised)
    );
    assert_eq!(
        status(&relaunched("SWHardeningNeeded", [8, 1, 5])),
        Ok(TDRelaunchAdvised)
    );
    assert_eq!(
        status(&relaunched("ConfigurationNeeded", [8, 1, 5])),
        Ok(TDRelaunchAdvisedConfigurationNeeded)
    );
}

#[test]
fn relaunching_does_not_help_where_something_else_is_old() {
    assert_eq!(status(&relaunched("UpToDate", [7, 1, 5])), Ok(OutOfDate));
    assert_eq!(status(&relaunched("UpToDate", [8, 1, 4])), Ok(OutOfDate));
    assert_eq!(status(&relaunched("OutOfDate", [8, 1, 5])), Ok(OutOfDate));
    let mut scene = relaunched("UpToDate", [8, 1, 5]);
    scene.intel.quoting_enclave.isvsvn = 3;
    assert_eq!(status(&scene), Ok(OutOfDate));
}

/// `dcap-qvl` 0.7.1 puts the present level through the whole comparison and fails where nothing matches. Intel's library, whose
/// statuses these are, compares it with the newest level alone: what runs now is then simply not current.
#[test]
fn a_present_level_that_matches_nothing_is_out_of_date_and_no_error() {
    assert_eq!(status(&relaunched("UpToDate", [0, 1, 0])), Ok(OutOfDate));
    assert_eq!(
        status(&relaunched("UpToDate", [8, 9, 5])),
        Err(Rejection::TdxModuleUnknown { version: 9 })
    );
}

#[test]
fn the_first_two_components_count_only_without_a_module_identity() {
    let mut scene = Scene::new();
    // Below the level's 5, but the module's own levels count instead.
    *scene.module_levels() = json!([enclave_level(3, "UpToDate")]);
    scene.td.tee_tcb_svn[0] = 3;
    assert_eq!(status(&scene), Ok(UpToDate));
    scene.td.tee_tcb_svn[1] = 0;
    assert_eq!(status(&scene), Ok(OutOfDate));
}

#[test]
fn a_module_or_enclave_below_every_level_is_not_supported() {
    let mut scene = Scene::new();
    scene.td.tee_tcb_svn[0] = 2;
    let what = "the TDX module";
    assert_eq!(status(&scene), Err(Rejection::TcbNotSupported { what }));
    let mut scene = Scene::new();
    scene.intel.quoting_enclave.isvsvn = 1;
    let what = "the quoting enclave";
    assert_eq!(status(&scene), Err(Rejection::TcbNotSupported { what }));
}

#[test]
fn advisories_of_all_parts_are_listed_once() {
    let mut scene = Scene::new();
    scene.statements.tcb_info["tcbLevels"][1]["advisoryIDs"] = json!(["B", "A"]);
    scene.module_levels()[0]["advisoryIDs"] = json!(["B"]);
    scene.statements.qe_identity["tcbLevels"][0]["advisoryIDs"] = json!(["C"]);
    let verified = scene.verify().expect("honest");
    assert_eq!(verified.td().advisories, ["A", "B", "C"]);
}
