//! What a policy wants of the CPU, its firmware, and the guest that it launched.

use crate::{
    Rejection,
    azure::vtpm,
    digest::Hex,
    policy::{Expect, SnpPolicy},
    snp::{
        Genuine,
        broken::{self, Accepted},
    },
    verdict::{LEFT_OPEN, Transcript},
};

type Result = std::result::Result<(), Rejection>;

/// Steps hcl-8 and policy-1 to policy-8.
pub(super) fn appraise(
    genuine: &Genuine,
    policy: &SnpPolicy,
    transcript: &mut Transcript,
) -> Result {
    pcrs(genuine, policy, transcript)?;
    sound(genuine, &policy.broken, transcript)?;
    machine(genuine, policy, transcript)?;
    firmware(genuine, policy, transcript)?;
    guest_policy(genuine, policy, transcript)?;
    platform(genuine, policy, transcript)?;
    guest(genuine, policy, transcript)?;
    measurements(genuine, policy, transcript)?;
    id_block(genuine, policy, transcript)
}

/// Evidence of a product line that is known to be broken proves nothing, with a policy or without.
pub(super) fn sound(genuine: &Genuine, accepted: &Accepted, transcript: &mut Transcript) -> Result {
    let (step, name) = ("policy-1", "soundness");
    let product = genuine.product;
    let Some(broken) = broken::of(product) else {
        return transcript.record(step, name, Ok(()), |()| {
            format!("nothing is known against {product}")
        });
    };
    if let Some(why) = accepted.get(&product) {
        transcript.not_checked(step, name, &format!("{why}. {broken}"));
        return Ok(());
    }
    let refused = Err(Rejection::ProductBroken { broken });
    let refused = transcript.record(step, name, refused, |()| String::new());
    transcript.settle(refused)
}

/// What holds without any policy: memory that the host may read, or move, is not private, so no evidence is worth anything then.
///
/// Bits of the platform that nobody here knows are told, and left to a policy.
pub(super) fn private(genuine: &Genuine, transcript: &mut Transcript) -> Result {
    let unknown = genuine.report.platform_info.unknown();
    if unknown != 0 {
        let why = format!("it sets bits {unknown:#x}, whose meaning is not known");
        transcript.not_checked("policy-5", "platform", &why);
    }
    let guest = genuine.report.policy;
    let bits = [
        (guest.debug_allowed(), Rejection::DebugAllowed),
        (guest.migration_allowed(), Rejection::MigrationAllowed),
    ];
    let found = format_args!("{:#x}", guest.0);
    transcript.no_wrong_bit(("policy-4", "guest policy"), bits, found)
}

/// What the guest of Azure's paravisor booted. Evidence from anywhere else tells no PCR, so a policy that wants one refuses it.
fn pcrs(genuine: &Genuine, policy: &SnpPolicy, transcript: &mut Transcript) -> Result {
    let check = ("hcl-8", "wanted PCRs");
    if policy.pcrs.is_empty() && genuine.vtpm.is_some() {
        transcript.not_checked(check.0, check.1, LEFT_OPEN);
    }
    for (&index, wanted) in &policy.pcrs {
        let found = vtpm::pcr(genuine.vtpm.as_ref(), index, wanted);
        let held = transcript.record(check.0, check.1, found, ToString::to_string);
        transcript.settle(held.map(drop))?;
    }
    Ok(())
}

fn machine(genuine: &Genuine, policy: &SnpPolicy, transcript: &mut Transcript) -> Result {
    let found = genuine.report.version;
    let refused = Rejection::ReportVersionRefused { found };
    let check = ("policy-1", "report version");
    transcript.expect(check, Some(&policy.versions), &found, refused, found)?;

    let found = genuine.product;
    let refused = Rejection::ProductRefused { found };
    let check = ("policy-1", "product");
    transcript.expect(check, Some(&policy.products), &found, refused, found)?;

    let found = Hex(genuine.report.chip_id);
    let unknown = Rejection::ChipUnknown { found };
    let check = ("policy-1", "chip");
    transcript.expect(check, policy.chips.as_ref(), &found.0, unknown, found)?;

    let why = policy.masked_chip.as_deref();
    let check = ("policy-1", "certified chip");
    transcript.waivable(check, genuine.chip_compared, why, Rejection::ChipMasked)?;

    let checked = genuine.validity.revocation_until.is_some();
    let why = policy.revocation_unchecked.as_deref();
    let check = ("policy-2", "revocation");
    transcript.waivable(check, checked, why, Rejection::RevocationUnchecked)
}

fn firmware(genuine: &Genuine, policy: &SnpPolicy, transcript: &mut Transcript) -> Result {
    let (report, levels) = (&genuine.report, &genuine.levels);
    let reported = (genuine.product, levels.reported);
    let check = ("policy-3", "TCB floor");
    transcript.at_floor(check, "reported", Some(&policy.minimum_tcb), reported)?;
    let committed = (genuine.product, levels.committed);
    let check = ("policy-3", "committed TCB floor");
    let floor = policy.minimum_committed_tcb.as_ref();
    let floor = floor.unwrap_or(&policy.minimum_tcb);
    transcript.at_floor(check, "committed", Some(floor), committed)?;
    let launch = (genuine.product, levels.launch);
    let check = ("policy-3", "launch TCB floor");
    transcript.at_floor(check, "launch", policy.minimum_launch_tcb.as_ref(), launch)?;

    let found = report.current_firmware;
    match policy.minimum_firmware {
        None => transcript.not_checked("policy-3", "SEV firmware", LEFT_OPEN),
        Some(floor) => {
            let below = Rejection::FirmwareBelowFloor { found, floor };
            transcript.require(("policy-3", "SEV firmware"), found >= floor, below, found)?;
        }
    }

    let committed = levels.committed == levels.current && report.committed_firmware == found;
    let check = ("policy-3", "committed firmware");
    if policy.provisional_firmware && !committed {
        transcript.allowed(check, true);
        return Ok(());
    }
    let found = "is what runs";
    transcript.require(check, committed, Rejection::FirmwareProvisional, found)
}

/// What widens the host's powers must be allowed by the policy; what narrows them must be there if the policy asks.
fn guest_policy(genuine: &Genuine, policy: &SnpPolicy, transcript: &mut Transcript) -> Result {
    let guest = genuine.report.policy;
    let too_wide = |bit| Rejection::GuestPolicyTooWide { bit };
    let lacks = |bit| Rejection::GuestPolicyLacks { bit };
    let bits = [
        (
            guest.debug_allowed() && !policy.debug,
            Rejection::DebugAllowed,
        ),
        (
            guest.migration_allowed() && !policy.migration,
            Rejection::MigrationAllowed,
        ),
        (guest.smt_allowed() && !policy.smt, too_wide("SMT")),
        (guest.cxl_allowed() && !policy.cxl, too_wide("CXL")),
        (
            policy.single_socket && !guest.single_socket_required(),
            lacks("a single socket"),
        ),
        (
            policy.aes_256_xts && !guest.aes_256_xts_required(),
            lacks("AES-256-XTS"),
        ),
        (
            policy.rapl_off && !guest.rapl_off_required(),
            lacks("power readings off"),
        ),
        (
            policy.ciphertext_hiding && !guest.ciphertext_hiding_required(),
            lacks("ciphertext hiding"),
        ),
        (
            policy.page_swap_off && !guest.page_swap_disabled(),
            lacks("no page swapping"),
        ),
    ];
    let found = format_args!("{:#x}", guest.0);
    transcript.no_wrong_bit(("policy-4", "guest policy"), bits, found)?;
    for (name, is_set, is_allowed) in [
        ("debugging", guest.debug_allowed(), policy.debug),
        ("migration", guest.migration_allowed(), policy.migration),
        ("CXL memory", guest.cxl_allowed(), policy.cxl),
    ] {
        transcript.allowed(("policy-4", name), is_set && is_allowed);
    }

    let Some(floor) = policy.minimum_abi else {
        transcript.not_checked("policy-4", "minimum ABI", LEFT_OPEN);
        return Ok(());
    };
    let found = guest.minimum_abi();
    let dotted = |(major, minor)| format!("{major}.{minor}");
    let below = Rejection::AbiBelowFloor {
        found: dotted(found),
        floor: dotted(floor),
    };
    transcript.require(
        ("policy-4", "minimum ABI"),
        found >= floor,
        below,
        dotted(found),
    )
}

fn platform(genuine: &Genuine, policy: &SnpPolicy, transcript: &mut Transcript) -> Result {
    let info = genuine.report.platform_info;
    let policy = &policy.platform;
    let unknown = info.unknown() & !policy.unknown_bits;
    let too_wide = |bit| Rejection::PlatformTooWide { bit };
    let lacks = |bit| Rejection::PlatformLacks { bit };
    let bits = [
        (info.smt() && !policy.smt, too_wide("SMT")),
        (info.tsme() && !policy.tsme, too_wide("TSME")),
        (
            info.trusted_io() && !policy.trusted_io,
            too_wide("trusted I/O"),
        ),
        (
            policy.ecc && !info.ecc(),
            lacks("memory with error correction"),
        ),
        (
            policy.rapl_off && !info.rapl_off(),
            lacks("power readings off"),
        ),
        (
            policy.ciphertext_hiding && !info.ciphertext_hiding(),
            lacks("ciphertext hiding"),
        ),
        (
            policy.alias_check && !info.alias_check(),
            lacks("the memory alias check"),
        ),
        (unknown != 0, Rejection::PlatformUnknown { bits: unknown }),
    ];
    let found = format_args!("{:#x}", info.0);
    transcript.no_wrong_bit(("policy-5", "platform"), bits, found)?;
    let unknown = info.unknown() & policy.unknown_bits;
    for (name, is_there) in [
        ("trusted I/O", info.trusted_io() && policy.trusted_io),
        ("alias check", !info.alias_check() && !policy.alias_check),
        ("unknown platform bits", unknown != 0),
    ] {
        transcript.allowed(("policy-5", name), is_there);
    }
    Ok(())
}

fn guest(genuine: &Genuine, policy: &SnpPolicy, transcript: &mut Transcript) -> Result {
    let report = &genuine.report;
    let found = report.vmpl;
    let refused = Rejection::VmplRefused { found };
    transcript.expect(
        ("policy-6", "VMPL"),
        Some(&policy.vmpl),
        &found,
        refused,
        found,
    )?;

    let (found, floor) = (report.guest_svn, policy.minimum_guest_svn);
    if floor == 0 {
        transcript.not_checked("policy-6", "guest SVN", LEFT_OPEN);
    } else {
        let below = Rejection::GuestSvnBelowFloor { found, floor };
        transcript.require(("policy-6", "guest SVN"), found >= floor, below, found)?;
    }

    let required = policy.mitigations;
    if required == 0 {
        transcript.not_checked("policy-6", "mitigations", LEFT_OPEN);
        return Ok(());
    }
    let in_place = report
        .mitigations
        .is_some_and(|found| found.launch & found.current & required == required);
    let missing = Rejection::MitigationMissing { required };
    let check = ("policy-6", "mitigations");
    transcript.require(check, in_place, missing, format_args!("{required:#x}"))
}

fn measurements(genuine: &Genuine, policy: &SnpPolicy, transcript: &mut Transcript) -> Result {
    let report = &genuine.report;
    let found = Hex(report.launch_digest);
    let unknown = Rejection::LaunchDigestUnknown { found };
    let check = ("policy-7", "launch digest");
    transcript.expect(check, Some(&policy.launch_digest), &found.0, unknown, found)?;
    pin(
        transcript,
        "family id",
        policy.family_id.as_ref(),
        report.family_id,
    )?;
    pin(
        transcript,
        "image id",
        policy.image_id.as_ref(),
        report.image_id,
    )?;
    pin(
        transcript,
        "report id",
        policy.report_id.as_ref(),
        report.report_id,
    )?;
    pin(
        transcript,
        "migration agent",
        policy.report_id_ma.as_ref(),
        report.report_id_ma,
    )
}

/// A verbatim field that the policy may pin.
fn pin<const N: usize>(
    transcript: &mut Transcript,
    field: &'static str,
    expected: Option<&Expect<[u8; N]>>,
    found: [u8; N],
) -> Result {
    let unknown = Rejection::PinUnknown {
        field,
        found: hex::encode(found),
    };
    transcript.expect(("policy-7", field), expected, &found, unknown, Hex(found))
}

/// The firmware verified the ID block's signatures at launch; what is left is to know the keys.
fn id_block(genuine: &Genuine, policy: &SnpPolicy, transcript: &mut Transcript) -> Result {
    if policy.id_keys.is_empty() && policy.author_keys.is_empty() {
        transcript.not_checked("policy-8", "ID block", LEFT_OPEN);
        return Ok(());
    }
    let report = &genuine.report;
    let by_author = report.key_info.author_key_enabled
        && policy.author_keys.contains(&report.author_key_digest);
    let by_id = policy.id_keys.contains(&report.id_key_digest);
    let found = if by_author {
        "a known author key"
    } else {
        "a known ID key"
    };
    let check = ("policy-8", "ID block");
    transcript.require(check, by_author || by_id, Rejection::IdBlockUnknown, found)
}
