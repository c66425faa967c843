//! What a page says of files that are dropped on it.

use std::{fs, path::Path};

use chrysalis_browser::recognised;
use serde_json::Value;

#[test]
fn files_are_told_apart_by_how_they_begin() {
    let kind = |bytes: &[u8]| {
        let found: Value = serde_json::from_str(&recognised(bytes)).unwrap();
        (found["kind"].clone(), found["name"].clone())
    };
    let common = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/common");
    let read = |name: &str| fs::read(common.join(name)).unwrap();
    for (bytes, wanted_kind, name) in [
        (read("snp/vcek.der"), Value::Null, "cert"),
        (read("snp/crl.der"), Value::Null, "crl"),
        (read("snp/policy.toml"), Value::Null, "policy"),
        (b"\xA4\x64spki\x41".to_vec(), "bundle".into(), "bundle"),
        (b"\xA4\x63job\x41".to_vec(), "receipt".into(), "receipt"),
        (b"\x11\xE0".to_vec(), "nvidia".into(), "report"),
    ] {
        assert_eq!(kind(&bytes), (wanted_kind, name.into()), "{name}");
    }
    assert_eq!(kind(b"hello"), (Value::Null, Value::Null));
}
