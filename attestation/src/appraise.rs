//! The policy's checks, in the order of docs/spec/verification.md. Everything here is about evidence that is genuine and bound.

use crate::{
    Rejection,
    binding::Session,
    claims::Claims,
    digest::Hex,
    policy::{Expect, Floor, Policy, SnpPolicy},
    snp::{product::Product, tcb::Tcb, verify::Genuine},
    verdict::{LEFT_OPEN, Transcript},
};

/// What is appraised.
pub(crate) struct Subject<'a> {
    pub(crate) genuine: &'a Genuine,
    pub(crate) claims: &'a Claims,
    pub(crate) gpus: usize,
    pub(crate) session: &'a Session,
}

/// Holds the subject against the policy.
pub(crate) fn appraise(
    subject: &Subject<'_>,
    policy: &Policy,
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    let Subject {
        genuine,
        claims,
        gpus,
        session,
    } = subject;
    simulation(genuine, policy, transcript)?;
    platform_identity(genuine, &policy.snp, transcript)?;
    revocation(genuine, &policy.snp, transcript)?;
    firmware(genuine, &policy.snp, transcript)?;
    guest_policy(genuine, &policy.snp, transcript)?;
    platform(genuine, &policy.snp, transcript)?;
    guest(genuine, &policy.snp, transcript)?;
    measurements(genuine, &policy.snp, transcript)?;
    id_block(genuine, &policy.snp, transcript)?;

    let found = Hex(claims.configuration);
    let unknown = Rejection::ConfigurationUnknown { found };
    let expected = Some(&policy.configuration);
    expect(
        transcript,
        "policy-9",
        "configuration",
        expected,
        &claims.configuration,
        unknown,
        || found.to_string(),
    )?;

    let known_answer = require(claims.known_answer, Rejection::KnownAnswerFailed);
    transcript.record("policy-10", "known answer", known_answer, |()| {
        "given".to_owned()
    })?;

    let no_gpu = require(*gpus == 0, Rejection::GpuUnexpected { found: *gpus });
    transcript.record("policy-11", "GPUs", no_gpu, |()| {
        "none, as the policy wants".to_owned()
    })?;

    let fresh = matches!(session, Session::Asked { .. });
    let reason = policy.freshness_unchecked.as_deref();
    waivable(
        transcript,
        ("policy-12", "freshness"),
        fresh,
        reason,
        Rejection::FreshnessUnchecked,
    )
}

/// The policy that appraises may be another than the one whose roots authenticated.
fn simulation(
    genuine: &Genuine,
    policy: &Policy,
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    let Hex(root) = genuine.root;
    if !genuine.simulated {
        return Ok(());
    }
    let refused = Rejection::SimulatedRootRefused {
        root: genuine.root.to_string(),
    };
    let named = require(policy.simulation.contains(&root), refused);
    transcript.record("policy-1", "simulation", named, |()| {
        "the policy names this simulated root".to_owned()
    })
}

fn platform_identity(
    genuine: &Genuine,
    policy: &SnpPolicy,
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    let report = &genuine.report;
    let found = report.version;
    let refused = Rejection::ReportVersionRefused { found };
    expect(
        transcript,
        "policy-1",
        "report version",
        Some(&policy.versions),
        &found,
        refused,
        || found.to_string(),
    )?;

    let found = genuine.product;
    let refused = Rejection::ProductRefused { found };
    expect(
        transcript,
        "policy-1",
        "product",
        Some(&policy.products),
        &found,
        refused,
        || found.to_string(),
    )?;

    let found = Hex(report.chip_id);
    let unknown = Rejection::ChipUnknown { found };
    expect(
        transcript,
        "policy-1",
        "chip",
        policy.chips.as_ref(),
        &report.chip_id,
        unknown,
        || found.to_string(),
    )?;

    let reason = policy.masked_chip.as_deref();
    let check = ("policy-1", "chip identity");
    waivable(
        transcript,
        check,
        genuine.chip_compared,
        reason,
        Rejection::ChipMasked,
    )
}

fn revocation(
    genuine: &Genuine,
    policy: &SnpPolicy,
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    let checked = genuine.validity.revocation_until.is_some();
    let reason = policy.revocation_unchecked.as_deref();
    waivable(
        transcript,
        ("policy-2", "revocation"),
        checked,
        reason,
        Rejection::RevocationUnchecked,
    )
}

fn firmware(
    genuine: &Genuine,
    policy: &SnpPolicy,
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    let (report, levels, product) = (&genuine.report, &genuine.levels, genuine.product);
    at_floor(
        transcript,
        ("TCB floor", "reported"),
        Some(&policy.minimum_tcb),
        product,
        &levels.reported,
    )?;
    at_floor(
        transcript,
        ("launch TCB floor", "launch"),
        policy.minimum_launch_tcb.as_ref(),
        product,
        &levels.launch,
    )?;

    match policy.minimum_firmware {
        None => transcript.not_checked("policy-3", "SEV firmware", LEFT_OPEN),
        Some(floor) => {
            let found = report.current_firmware;
            let below = Rejection::FirmwareBelowFloor {
                found: found.to_string(),
                floor: floor.to_string(),
            };
            let firmware = require(found >= floor, below);
            transcript.record("policy-3", "SEV firmware", firmware, |()| found.to_string())?;
        }
    }

    let committed =
        levels.committed == levels.current && report.committed_firmware == report.current_firmware;
    let provisional = require(
        committed || policy.provisional_firmware,
        Rejection::FirmwareProvisional,
    );
    transcript.record("policy-3", "committed firmware", provisional, |()| {
        let found = if committed {
            "is what runs"
        } else {
            "is older than what runs, as the policy allows"
        };
        found.to_owned()
    })
}

/// What widens the host's powers must be allowed by the policy; what narrows them must be there if the policy asks.
fn guest_policy(
    genuine: &Genuine,
    policy: &SnpPolicy,
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    let guest = genuine.report.policy;
    let wide =
        |set: bool, allowed, bit| require(!set || allowed, Rejection::GuestPolicyTooWide { bit });
    let narrow =
        |required: bool, set, bit| require(!required || set, Rejection::GuestPolicyLacks { bit });
    let bits = require(
        !guest.debug_allowed() || policy.debug,
        Rejection::DebugAllowed,
    )
    .and_then(|()| {
        require(
            !guest.migration_allowed() || policy.migration,
            Rejection::MigrationAllowed,
        )
    })
    .and_then(|()| wide(guest.smt_allowed(), policy.smt, "SMT"))
    .and_then(|()| wide(guest.cxl_allowed(), policy.cxl, "CXL"))
    .and_then(|()| {
        narrow(
            policy.single_socket,
            guest.single_socket_required(),
            "a single socket",
        )
    })
    .and_then(|()| {
        narrow(
            policy.aes_256_xts,
            guest.aes_256_xts_required(),
            "AES-256-XTS",
        )
    })
    .and_then(|()| {
        narrow(
            policy.rapl_off,
            guest.rapl_off_required(),
            "power readings off",
        )
    })
    .and_then(|()| {
        narrow(
            policy.ciphertext_hiding,
            guest.ciphertext_hiding_required(),
            "ciphertext hiding",
        )
    })
    .and_then(|()| {
        narrow(
            policy.page_swap_off,
            guest.page_swap_disabled(),
            "no page swapping",
        )
    });
    transcript.record("policy-4", "guest policy", bits, |()| {
        format!("{:#x}", guest.0)
    })?;

    let Some((major, minor)) = policy.minimum_abi else {
        transcript.not_checked("policy-4", "minimum ABI", LEFT_OPEN);
        return Ok(());
    };
    let (found_major, found_minor) = guest.minimum_abi();
    let found = format!("{found_major}.{found_minor}");
    let below = Rejection::AbiBelowFloor {
        found: found.clone(),
        floor: format!("{major}.{minor}"),
    };
    let abi = require((found_major, found_minor) >= (major, minor), below);
    transcript.record("policy-4", "minimum ABI", abi, |()| found)
}

fn platform(
    genuine: &Genuine,
    policy: &SnpPolicy,
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    let (info, policy) = (genuine.report.platform_info, &policy.platform);
    let wide = |on: bool, allowed, bit| require(!on || allowed, Rejection::PlatformTooWide { bit });
    let narrow =
        |required: bool, on, bit| require(!required || on, Rejection::PlatformLacks { bit });
    let bits = wide(info.smt(), policy.smt, "SMT")
        .and_then(|()| wide(info.tsme(), policy.tsme, "TSME"))
        .and_then(|()| wide(info.trusted_io(), policy.trusted_io, "trusted I/O"))
        .and_then(|()| narrow(policy.ecc, info.ecc(), "memory with error correction"))
        .and_then(|()| narrow(policy.rapl_off, info.rapl_off(), "power readings off"))
        .and_then(|()| {
            narrow(
                policy.ciphertext_hiding,
                info.ciphertext_hiding(),
                "ciphertext hiding",
            )
        })
        .and_then(|()| {
            narrow(
                policy.alias_check,
                info.alias_check(),
                "the memory alias check",
            )
        });
    transcript.record("policy-5", "platform", bits, |()| format!("{:#x}", info.0))
}

fn guest(
    genuine: &Genuine,
    policy: &SnpPolicy,
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    let report = &genuine.report;
    let found = report.vmpl;
    let refused = Rejection::VmplRefused { found };
    expect(
        transcript,
        "policy-6",
        "VMPL",
        Some(&policy.vmpl),
        &found,
        refused,
        || found.to_string(),
    )?;

    let (found, floor) = (report.guest_svn, policy.minimum_guest_svn);
    let svn = require(
        found >= floor,
        Rejection::GuestSvnBelowFloor { found, floor },
    );
    transcript.record("policy-6", "guest SVN", svn, |()| found.to_string())?;

    let required = policy.mitigations;
    if required == 0 {
        transcript.not_checked("policy-6", "mitigations", LEFT_OPEN);
        return Ok(());
    }
    let in_place = report
        .mitigations
        .is_some_and(|found| found.launch & found.current & required == required);
    let mitigations = require(in_place, Rejection::MitigationMissing { required });
    transcript.record("policy-6", "mitigations", mitigations, |()| {
        format!("{required:#x}")
    })
}

fn measurements(
    genuine: &Genuine,
    policy: &SnpPolicy,
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    let report = &genuine.report;
    let found = Hex(report.launch_digest);
    let unknown = Rejection::LaunchDigestUnknown { found };
    let expected = Some(&policy.launch_digest);
    expect(
        transcript,
        "policy-7",
        "launch digest",
        expected,
        &report.launch_digest,
        unknown,
        || found.to_string(),
    )?;
    pin(
        transcript,
        "family id",
        policy.family_id.as_ref(),
        &report.family_id,
    )?;
    pin(
        transcript,
        "image id",
        policy.image_id.as_ref(),
        &report.image_id,
    )?;
    pin(
        transcript,
        "report id",
        policy.report_id.as_ref(),
        &report.report_id,
    )?;
    pin(
        transcript,
        "migration report id",
        policy.report_id_ma.as_ref(),
        &report.report_id_ma,
    )
}

/// The firmware verified the ID block's signatures at launch; what is left is to know the keys.
fn id_block(
    genuine: &Genuine,
    policy: &SnpPolicy,
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    if policy.id_keys.is_empty() && policy.author_keys.is_empty() {
        transcript.not_checked("policy-8", "ID block", LEFT_OPEN);
        return Ok(());
    }
    let report = &genuine.report;
    let by_author = report.key_info.author_key_enabled
        && policy.author_keys.contains(&report.author_key_digest);
    let by_id = policy.id_keys.contains(&report.id_key_digest);
    let signed = require(by_author || by_id, Rejection::IdBlockUnknown);
    transcript.record("policy-8", "ID block", signed, |()| {
        if by_author {
            "a known author key"
        } else {
            "a known ID key"
        }
        .to_owned()
    })
}

fn require(holds: bool, otherwise: Rejection) -> Result<(), Rejection> {
    if holds { Ok(()) } else { Err(otherwise) }
}

/// One of the expected values; or unchecked, for the policy's reason or because the policy leaves it open.
fn expect<T: PartialEq>(
    transcript: &mut Transcript,
    step: &'static str,
    name: &'static str,
    expected: Option<&Expect<T>>,
    found: &T,
    otherwise: Rejection,
    detail: impl FnOnce() -> String,
) -> Result<(), Rejection> {
    match expected {
        None => transcript.not_checked(step, name, LEFT_OPEN),
        Some(Expect::Unchecked { why }) => transcript.not_checked(step, name, why),
        Some(Expect::AnyOf(expected)) => {
            let known = require(expected.contains(found), otherwise);
            transcript.record(step, name, known, |()| detail())?;
        }
    }
    Ok(())
}

/// A verbatim field that the policy may pin.
fn pin<const N: usize>(
    transcript: &mut Transcript,
    field: &'static str,
    expected: Option<&Expect<[u8; N]>>,
    found: &[u8; N],
) -> Result<(), Rejection> {
    let hex = hex::encode(found);
    let unknown = Rejection::PinUnknown {
        field,
        found: hex.clone(),
    };
    expect(
        transcript,
        "policy-7",
        field,
        expected,
        found,
        unknown,
        || hex,
    )
}

/// Something that must have been checked, unless the policy gives a reason why it need not.
fn waivable(
    transcript: &mut Transcript,
    (step, name): (&'static str, &'static str),
    checked: bool,
    reason: Option<&str>,
    otherwise: Rejection,
) -> Result<(), Rejection> {
    match (checked, reason) {
        (true, _) => Ok(()),
        (false, Some(why)) => {
            transcript.not_checked(step, name, why);
            Ok(())
        }
        (false, None) => transcript.record(step, name, Err(otherwise), |()| String::new()),
    }
}

fn at_floor(
    transcript: &mut Transcript,
    (name, which): (&'static str, &'static str),
    floor: Option<&Floor>,
    product: Product,
    level: &Tcb,
) -> Result<(), Rejection> {
    let floor = match floor {
        None => {
            transcript.not_checked("policy-3", name, LEFT_OPEN);
            return Ok(());
        }
        Some(Floor::Unchecked { why }) => {
            transcript.not_checked("policy-3", name, why);
            return Ok(());
        }
        Some(Floor::All(floor)) => Ok(floor),
        Some(Floor::Each(floors)) => floors
            .get(&product)
            .ok_or(Rejection::ProductRefused { found: product }),
    };
    let at_floor = floor.and_then(|floor| match level.below(floor) {
        None => Ok(*level),
        Some((component, found, floor)) => Err(Rejection::TcbBelowFloor {
            which,
            component,
            found,
            floor,
        }),
    });
    transcript
        .record("policy-3", name, at_floor, Tcb::to_string)
        .map(|_| ())
}
