//! `@ton/ton`'s client uses the local chain unchanged: somebody else's code says that the interface is toncenter's.

use std::{path::Path, process::Command};

#[test]
fn tonclient_uses_the_local_chain_unchanged() {
    let contracts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contracts");
    if !contracts.join("node_modules/@ton/ton").exists() {
        chrysalis_test_support::skip("no @ton/ton: npm ci in settle/contracts");
        return;
    }
    let address = chrysalis_localnet::start(1_800_000_000).unwrap();
    let mut node = Command::new("node");
    node.arg(contracts.join("tonclient.mjs"))
        .arg(format!("http://{address}"));
    let output = node.output().unwrap();
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("ok ").count(), 7, "{said}");
}
