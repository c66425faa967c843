//! `@ton/ton`'s client uses the local chain unchanged: somebody else's code says that the interface is toncenter's.

use std::{cell::RefCell, net::TcpListener as Std, path::Path, process::Command, rc::Rc, thread};

use chrysalis_chain::local::{Local, serve};
use tokio::{net::TcpListener, runtime, task::LocalSet};

#[test]
fn tonclient_uses_the_local_chain_unchanged() {
    let contracts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contracts");
    if !contracts.join("node_modules/@ton/ton").exists() {
        chrysalis_test_support::skip("no @ton/ton: npm ci in settle/contracts");
        return;
    }
    let listener = Std::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(|| {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        LocalSet::new().block_on(&runtime.unwrap(), async {
            let listener = TcpListener::from_std(listener).unwrap();
            let chain = Rc::new(RefCell::new(Local::new(1_800_000_000)));
            serve(listener, chain).await.unwrap();
        });
    });
    let mut node = Command::new("node");
    node.arg(contracts.join("tonclient.mjs"))
        .arg(format!("http://{address}"));
    let output = node.output().unwrap();
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("ok ").count(), 7, "{said}");
}
