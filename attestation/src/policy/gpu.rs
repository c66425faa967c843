//! `[gpu]`: which NVIDIA GPUs are wanted, and what may be missing from the proof that they are genuine.
//!
//! ```toml
//! [gpu]
//! count = [1]                                  # required: a list, or { unchecked = "why" }
//! minimum_driver = "550.90.07"                 # required: a version, or { unchecked = "why" }
//! models = ["GH100 A01 GSP BROM"]              # default: open
//! devices = ["<ueid in decimal, or identity in hex>"]   # default: open
//! drivers = ["550.90.07"]                      # default: open
//! vbioses = ["96.00.9F.00.01"]                 # default: open
//! modes = ["single_passthrough", "unstated"]   # default: these; also multi_passthrough, protected_pcie
//! switches = { unchecked = "why" }             # default: in protected-PCIe mode, evidence of the switches is required, too
//! switch_firmware = ["96.10.55.00.01"]         # default: open
//! revocation = "stapled"                       # default; or "asked", or { unchecked = "why" }
//! stapled_hours = 24                           # default: the maximum age of a stapled OCSP answer, from 1 to 168 hours
//! hold = { unchecked = "why" }                 # default: a certificate on hold is refused
//! rims = { unchecked = "why" }                 # default: both RIMs are required
//! fwid = { unchecked = "why" }                 # default: required; reports of firmware from 2023 have none
//! ```

use std::time::Duration;

use super::{
    PolicyError,
    section::{Field, Section},
};
use crate::transcript::Expect;
use crate::{
    nvidia::{
        GpuPolicy,
        opaque::Mode,
        policy::{Minimum, Proof, Revocation, Wanted},
        version::DriverVersion,
    },
    transcript::LEFT_OPEN,
};

pub(super) const KEYS: [&str; 14] = [
    "count",
    "minimum_driver",
    "models",
    "devices",
    "drivers",
    "vbioses",
    "modes",
    "switches",
    "switch_firmware",
    "revocation",
    "stapled_hours",
    "hold",
    "rims",
    "fwid",
];
const MODES: [Mode; 4] = [
    Mode::SinglePassthrough,
    Mode::MultiPassthrough,
    Mode::ProtectedPcie,
    Mode::Unstated,
];
/// A week: a longer bound is better written as `unchecked`, with the reason.
const MAX_STAPLED_HOURS: u64 = 168;
/// Firmware from before the flag existed leaves it out, and supported only single GPUs.
const ALONE: [Mode; 2] = [Mode::SinglePassthrough, Mode::Unstated];

/// Reads the section.
pub(super) fn policy(section: &Section<'_>) -> Result<GpuPolicy, PolicyError> {
    let count = section.require("count", "write `count = [1]` for one GPU")?;
    let floor = section.require(
        "minimum_driver",
        "write the oldest driver that you accept, such as \"550.90.07\"",
    )?;
    let texts = |key| {
        let read = section.read(key, |field| {
            field.expect(|value| value.text("text").map(str::to_owned))
        })?;
        Ok(read.unwrap_or(Expect::Unchecked {
            why: LEFT_OPEN.to_owned(),
        }))
    };
    let default = Proof::offline();
    let revocation = section.read("revocation", revocation)?;
    let stapled_age = stapled_age(section, revocation.as_ref())?;
    Ok(GpuPolicy {
        proof: Proof {
            revocation: revocation.unwrap_or(default.revocation),
            stapled_age: stapled_age.unwrap_or(default.stapled_age),
            hold_accepted: section.read("hold", Field::unchecked)?,
            rims_unchecked: section.read("rims", Field::unchecked)?,
            fwid_unchecked: section.read("fwid", Field::unchecked)?,
        },
        wanted: Wanted {
            count: count.expect(|count| count.number("a number of GPUs"))?,
            models: texts("models")?,
            devices: texts("devices")?,
            drivers: texts("drivers")?,
            minimum_driver: minimum(&floor)?,
            vbioses: texts("vbioses")?,
            modes: section
                .read("modes", |modes| modes.expect(mode))?
                .unwrap_or(Expect::AnyOf(ALONE.to_vec())),
            switch_firmware: texts("switch_firmware")?,
            switches_unchecked: section.read("switches", Field::unchecked)?,
        },
    })
}

/// Reads the section in an enclave's configuration. An enclave has no network over which to ask NVIDIA.
pub(super) fn of_configuration(section: &Section<'_>) -> Result<GpuPolicy, PolicyError> {
    const EXPECTED: &str = "\"stapled\" in a configuration: relying parties have a network to ask NVIDIA over, an enclave does not";
    let policy = policy(section)?;
    match (&policy.proof.revocation, section.get("revocation")) {
        (Revocation::Asked, Some(field)) => Err(field.wrong(EXPECTED)),
        _ => Ok(policy),
    }
}

fn revocation(field: &Field<'_>) -> Result<Revocation, PolicyError> {
    const EXPECTED: &str = "\"asked\", \"stapled\" or { unchecked = \"why\" }";
    if field.is_table() {
        return field.unchecked().map(|why| Revocation::Unchecked { why });
    }
    match field.text(EXPECTED)? {
        "asked" => Ok(Revocation::Asked),
        "stapled" => Ok(Revocation::Stapled),
        _ => Err(field.wrong(EXPECTED)),
    }
}

/// How old a stapled answer may be. Where none is accepted, a bound would promise a check that never happens.
fn stapled_age(
    section: &Section<'_>,
    revocation: Option<&Revocation>,
) -> Result<Option<Duration>, PolicyError> {
    const EXPECTED: &str = "a number of hours from 1 to 168";
    const STAPLED_ONLY: &str = "left out unless revocation is \"stapled\"";
    section.read("stapled_hours", |field| match revocation {
        Some(Revocation::Asked | Revocation::Unchecked { .. }) => Err(field.wrong(STAPLED_ONLY)),
        Some(Revocation::Stapled) | None => match field.number(EXPECTED)? {
            hours @ 1..=MAX_STAPLED_HOURS => Ok(Duration::from_hours(hours)),
            _ => Err(field.wrong(EXPECTED)),
        },
    })
}

fn minimum(field: &Field<'_>) -> Result<Minimum, PolicyError> {
    const EXPECTED: &str = "a version such as \"550.90.07\", or { unchecked = \"why\" }";
    if field.is_table() {
        return field.unchecked().map(|why| Minimum::Unchecked { why });
    }
    DriverVersion::parse(field.text(EXPECTED)?)
        .map(Minimum::Driver)
        .ok_or_else(|| field.wrong(EXPECTED))
}

fn mode(field: &Field<'_>) -> Result<Mode, PolicyError> {
    const EXPECTED: &str = "single_passthrough, multi_passthrough, protected_pcie or unstated";
    let text = field.text(EXPECTED)?;
    MODES
        .into_iter()
        .find(|mode| mode.to_string() == text)
        .ok_or_else(|| field.wrong(EXPECTED))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    fn parse(section: &str) -> Result<GpuPolicy, String> {
        let text = format!("version = 1\n[gpu]\n{section}");
        Policy::parse_gpu(&text).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_said_is_strict() {
        let policy = parse("count = [1]\nminimum_driver = \"550.90.07\"").expect("a policy");
        assert_eq!(policy.proof, Proof::offline());
        let complete = Proof {
            revocation: Revocation::Stapled,
            ..Proof::complete()
        };
        assert_eq!(
            policy.proof, complete,
            "the only thing not required is a network"
        );
        assert_eq!(policy.proof.stapled_age, Duration::from_hours(24));
        assert_eq!(policy.wanted.modes, Expect::AnyOf(ALONE.to_vec()));
        assert_eq!(policy.wanted.switches_unchecked, None);
    }

    #[test]
    fn an_enclave_is_not_told_to_ask() {
        let of = |revocation: &str| {
            let text = format!(
                "[gpu]\ncount = [1]\nminimum_driver = \"550.1\"\nrevocation = {revocation}"
            );
            Policy::gpu_of_configuration(&text).map_err(|error| error.to_string())
        };
        assert!(of("\"stapled\"").is_ok());
        assert!(of("{ unchecked = \"why\" }").is_ok());
        let message = "policy, line 4: `gpu.revocation` must be \"stapled\" in a configuration: relying parties have \
                       a network to ask NVIDIA over, an enclave does not";
        assert_eq!(of("\"asked\""), Err(message.to_owned()));
    }

    #[test]
    fn every_key_is_read() {
        let policy = parse(
            "count = [1, 8]\nminimum_driver = { unchecked = \"a\" }\nmodels = [\"m\"]\ndevices = [\"d\"]\n\
             drivers = [\"550.1\"]\nvbioses = [\"v\"]\nmodes = [\"protected_pcie\"]\nswitches = { unchecked = \"b\" }\n\
             switch_firmware = [\"s\"]\n\
             revocation = \"stapled\"\nstapled_hours = 6\nhold = { unchecked = \"c\" }\nrims = { unchecked = \"d\" }\n\
             fwid = { unchecked = \"e\" }",
        );
        let any = |text: &str| Expect::AnyOf(vec![text.to_owned()]);
        let why = |text: &str| Some(text.to_owned());
        let expected = GpuPolicy {
            proof: Proof {
                revocation: Revocation::Stapled,
                stapled_age: Duration::from_hours(6),
                hold_accepted: why("c"),
                rims_unchecked: why("d"),
                fwid_unchecked: why("e"),
            },
            wanted: Wanted {
                count: Expect::AnyOf(vec![1, 8]),
                models: any("m"),
                devices: any("d"),
                drivers: any("550.1"),
                minimum_driver: Minimum::Unchecked {
                    why: "a".to_owned(),
                },
                vbioses: any("v"),
                modes: Expect::AnyOf(vec![Mode::ProtectedPcie]),
                switch_firmware: any("s"),
                switches_unchecked: why("b"),
            },
        };
        assert_eq!(policy, Ok(expected));
    }

    #[test]
    fn says_what_is_missing_misspelt_or_of_another_form() {
        for (section, message) in [
            (
                "minimum_driver = \"550.1\"",
                "policy: `gpu.count` is missing; write `count = [1]` for one GPU",
            ),
            (
                "count = [1]\nminimum_drivers = \"550.1\"",
                "policy, line 4: `gpu.minimum_drivers` is unknown; did you mean `minimum_driver`?",
            ),
            (
                "count = [1]\nminimum_driver = \"new\"",
                "policy, line 4: `gpu.minimum_driver` must be a version such as \"550.90.07\", or { unchecked = \"why\" }",
            ),
            (
                "count = [1]\nminimum_driver = \"550.1\"\nrevocation = \"no\"",
                "policy, line 5: `gpu.revocation` must be \"asked\", \"stapled\" or { unchecked = \"why\" }",
            ),
            (
                "count = [1]\nminimum_driver = \"550.1\"\nstapled_hours = 169",
                "policy, line 5: `gpu.stapled_hours` must be a number of hours from 1 to 168",
            ),
            (
                "count = [1]\nminimum_driver = \"550.1\"\nstapled_hours = 0",
                "policy, line 5: `gpu.stapled_hours` must be a number of hours from 1 to 168",
            ),
            (
                "count = [1]\nminimum_driver = \"550.1\"\nrevocation = \"asked\"\nstapled_hours = 1",
                "policy, line 6: `gpu.stapled_hours` must be left out unless revocation is \"stapled\"",
            ),
        ] {
            assert_eq!(parse(section), Err(message.to_owned()));
        }
    }
}
