//! `make bench`: how much CPU time a verdict takes, compared with the bare signatures and with other verifiers, on the same evidence.
//!
//! `measure` prints lines of JSON for the library that this was built with, `peers` for other verifiers in Rust, and `table`
//! reads such lines, also those of the programs beside this one in Python and Go, and prints the table. `warm` prints a row of
//! `make bench-attest`.

#![forbid(unsafe_code)]

mod clock;
mod floor;
mod library;
mod ours;
#[cfg(feature = "peers")]
mod peers;
mod row;
mod table;
mod vectors;
mod warm;

use anyhow::bail;
use chrysalis_attestation::Memory;

fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("measure") => {
            floor::measure()?;
            ours::measure()
        }
        #[cfg(feature = "peers")]
        Some("peers") => peers::measure(),
        Some("warm") => warm::measure(),
        Some("profile") => profile(),
        Some("table") => table::print(std::io::stdin().lock()),
        _ => bail!("measure, peers, warm, profile SUBJECT or table is wanted"),
    }
}

/// Verifies one subject (`warm`: a bundle that is remembered; `floor`: one signature on P-384) 2000 times, or as often as is said, and
/// prints nothing: for a profiler to watch.
fn profile() -> anyhow::Result<()> {
    let subject = std::env::args().nth(2).unwrap_or_default();
    let mut work = match subject.as_str() {
        "warm" => ours::composite(Memory::new())?,
        "floor" => Box::new(floor::one_p384()?),
        _ => ours::prepare(serde_json::from_value(subject.into())?)?,
    };
    let times = std::env::args().nth(3).map_or(Ok(2000), |it| it.parse())?;
    (0..times).try_for_each(|_| work())
}
