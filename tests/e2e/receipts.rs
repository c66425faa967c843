//! Receipts, as somebody else's code reads them: a second implementation in Node judges the same vectors. And those that a proxy keeps.

use std::{fs, path::Path, process::Command};

use chrysalis_tests::{
    machine::{Machine, Plan, chrysalis, policy_for, run, text},
    paths,
    proxy::Proxy,
};

/// The machine has a GPU, whose manifests and OCSP answers are not in a certificate.
#[test]
fn a_receipt_that_the_proxy_kept_verifies_offline_with_its_gpu() {
    let folder = tempfile::tempdir().expect("a folder");
    let (policy, receipts) = (
        folder.path().join("policy.toml"),
        folder.path().join("kept"),
    );
    fs::write(&policy, policy_for(&paths::configuration())).expect("a policy");
    let machine = Machine::boot(&Plan::process());
    let keeping = ["--receipts", &receipts.to_string_lossy()];
    let proxy = Proxy::start_with(&machine.url(), &policy, &keeping);
    let url = format!("http://{}/v1/chat/completions", proxy.address());
    let body = r#"{"model":"smollm2-135m-instruct","max_tokens":2,"messages":[{"role":"user","content":"Hi"}]}"#;
    run(
        "curl",
        &[
            "-sSf",
            &url,
            "-H",
            "content-type: application/json",
            "-d",
            body,
        ],
    );
    drop((proxy, machine));

    let kept = fs::read_dir(&receipts).expect("receipts").flatten();
    let receipt = kept
        .map(|it| it.path())
        .find(|it| it.extension() == Some("receipt".as_ref()));
    let receipt = receipt.expect("a receipt");
    let (receipt, policy) = (receipt.to_string_lossy(), policy.to_string_lossy());
    let output = chrysalis(&["receipt", "verify", &receipt, "--policy", &policy]);
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(
        output.status.success() && said.contains("NVIDIA Hopper"),
        "{said}"
    );
}

#[test]
fn a_second_implementation_judges_every_vector_alike() {
    if !chrysalis_test_support::has_node() {
        return;
    }
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("node")
        .arg(tests.join("clients/settle_vectors.mjs"))
        .arg(tests.join("vectors/settle"))
        .output()
        .expect("Node starts");
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", text(&output.stderr));
    let counted = said.trim().strip_suffix(" vectors, 0 wrong");
    let counted: u32 = counted.expect("a count").parse().expect("a number");
    assert!(counted >= 45, "{said}");
}
