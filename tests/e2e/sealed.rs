//! A sealed model with its owner's real key server, in an enclave that is a plain process.

use chrysalis_tests::{
    machine::{Machine, Plan, honest_policy, text},
    sealed::Scene,
};

/// A key that is taken back is for the VM and the enclave's own tests.
const EPOCH: u32 = 600;

#[test]
fn a_model_is_served_with_its_owners_key() {
    let scene = Scene::new(EPOCH);
    let server = scene.serve();
    let machine = Machine::boot(&scene.plan(Plan::process()));
    let said = server.said();
    assert!(
        said.contains(&format!("given (simulated)  {}", scene.root)),
        "{said}"
    );
    let answered = scene.chat(&machine.url());
    assert!(answered.status.success(), "{}", text(&answered.stderr));
}

fn fails(scene: &Scene, code: &str, says: &str) {
    let (status, log) = Machine::fail(&scene.plan(Plan::process()));
    assert!(!status.success(), "{log}");
    for wanted in [code, says, "hint:"] {
        assert!(log.contains(wanted), "{wanted}: {log}");
    }
}

#[test]
fn without_its_owners_consent_nothing_is_served() {
    let scene = Scene::new(EPOCH);
    fails(&scene, "keys_unreachable", "certificate_sha256");
    // Another configuration than the owner trusts: that of the open model.
    scene.owner_wants(&honest_policy());
    let server = scene.serve();
    fails(&scene, "keys_refused", "configuration_unknown");
    let said = server.said();
    assert!(said.contains("refused  configuration_unknown"), "{said}");
    assert!(!said.contains("given"), "{said}");
}
