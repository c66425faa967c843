//! Makes the vectors: what the simulated vendors sign, honest but for one thing each.
//!
//! Everything follows from seeds and from [`NOW`], signatures included, so the same bytes come out each time.

mod all;
mod azure;
mod bundle;
mod forms;
mod intel;
mod nvidia;
mod release;
mod snp;
mod vouching;

use std::{path::Path, sync::LazyLock};

pub(crate) use all::all;
use chrysalis_simulate::Amd;
pub(crate) use chrysalis_tests::scene::NOW;

/// The simulated AMD.
pub(crate) static AMD: LazyLock<Amd> = LazyLock::new(|| vendor(0xA1));
/// Of the same names, with other keys.
pub(crate) static OTHER_AMD: LazyLock<Amd> = LazyLock::new(|| vendor(0xA2));

/// The simulated AMD, of a product line that is known to be broken.
pub(crate) static MILAN: LazyLock<Amd> =
    LazyLock::new(|| vendor(0xA1).into_milan(NOW).expect("a vendor"));

fn vendor(seed: u8) -> Amd {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("seeded-amd-{seed:x}"));
    Amd::open_or_seed(&folder, [seed; 32], NOW).expect("a vendor")
}

/// PEM of certificates, one after the other.
fn pem<'a>(certificates: impl IntoIterator<Item = &'a Vec<u8>>) -> String {
    certificates.into_iter().map(|der| block(der)).collect()
}

fn block(der: &[u8]) -> String {
    let text = data_encoding::BASE64.encode(der);
    let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy);
    let lines: Vec<_> = lines.collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    )
}
