//! Receipts, as somebody else's code reads them: a second implementation in Node judges the same vectors.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use chrysalis_tests::machine::text;

#[test]
fn a_second_implementation_judges_every_vector_alike() {
    let quiet = Command::new("node")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    if !quiet.is_ok_and(|status| status.success()) {
        chrysalis_test_support::skip("no Node here");
        return;
    }
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("node")
        .arg(tests.join("clients/receipts_vectors.mjs"))
        .arg(tests.join("vectors/receipts"))
        .output()
        .expect("Node starts");
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", text(&output.stderr));
    let counted = said.trim().strip_suffix(" vectors, 0 wrong");
    let counted: u32 = counted.expect("a count").parse().expect("a number");
    assert!(counted >= 45, "{said}");
}
