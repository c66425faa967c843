//! What a policy requires of the CPU, its firmware, and the guest that it launched.

use super::{
    Genuine,
    broken::{self, Accepted},
    floor::Floor,
    policy::SnpPolicy,
    product::Product,
    tcb::Tcb,
};
use crate::{
    Rejection,
    encoding::digest::Hex,
    transcript::{Expect, Inspection, LEFT_OPEN, Step},
};

/// Steps policy-1 to policy-8.
pub(crate) fn appraise(genuine: &Genuine, policy: &SnpPolicy, inspection: &mut Inspection) {
    sound(genuine, &policy.broken, inspection);
    machine(genuine, policy, inspection);
    firmware(genuine, policy, inspection);
    guest_policy(genuine, policy, inspection);
    platform(genuine, policy, inspection);
    guest(genuine, policy, inspection);
    measurements(genuine, policy, inspection);
    id_block(genuine, policy, inspection);
}

/// Evidence from a broken product line proves nothing, with or without a policy.
fn sound(genuine: &Genuine, accepted: &Accepted, inspection: &mut Inspection) {
    const CHECK: Step = ("policy-1", "soundness");
    let product = genuine.product;
    match (broken::of(product), accepted.get(&product)) {
        (None, _) => inspection.note(
            CHECK,
            || Ok(()),
            |()| format!("{product} is not known to be broken"),
        ),
        (Some(broken), Some(why)) => inspection.skip(CHECK, &format!("{why}. {broken}")),
        (Some(broken), None) => {
            inspection.fail(CHECK, Rejection::ProductBroken { broken });
        }
    }
}

/// What is required of a report without a policy: a product line that is not known to be broken, memory that is private, and a
/// revocation list.
pub(crate) fn without_policy(
    genuine: &Genuine,
    revocation_unchecked: Option<&str>,
    broken: &Accepted,
    inspection: &mut Inspection,
) {
    sound(genuine, broken, inspection);
    if !genuine.chip_compared {
        let why = "the host masks the chip, or a provider's key signed the report";
        inspection.skip(("policy-1", "certified chip"), why);
    }
    revocation(genuine, revocation_unchecked, inspection);
    private(genuine, inspection);
}

fn revocation(genuine: &Genuine, unchecked: Option<&str>, inspection: &mut Inspection) {
    let checked = genuine.validity.revocation_until.is_some();
    let why = genuine.unused_list.or(unchecked);
    let check = ("policy-2", "revocation");
    inspection.waivable(check, checked, why, Rejection::RevocationUnchecked);
}

/// What is required without any policy: memory that the host may read, or move, is not private, so evidence is worth nothing then.
///
/// Unknown platform bits are reported, and left to a policy.
fn private(genuine: &Genuine, inspection: &mut Inspection) {
    let unknown = genuine.report.platform_info.unknown();
    if unknown != 0 {
        let why = format!("the platform sets bits {unknown:#x}, whose meaning is not known");
        inspection.skip(("policy-5", "platform"), &why);
    }
    let guest = genuine.report.policy;
    let bits = [
        (guest.debug_allowed(), Rejection::DebugAllowed),
        (guest.migration_allowed(), Rejection::MigrationAllowed),
    ];
    inspection.no_wrong_bit(
        ("policy-4", "guest policy"),
        bits,
        format_args!("{:#x}", guest.0),
    );
}

fn machine(genuine: &Genuine, policy: &SnpPolicy, inspection: &mut Inspection) {
    let found = genuine.report.version;
    let refused = Rejection::ReportVersionRefused { found };
    let check = ("policy-1", "report version");
    inspection.expect(check, Some(&policy.versions), &found, refused, found);

    let found = genuine.product;
    let refused = Rejection::ProductRefused { found };
    let check = ("policy-1", "product");
    inspection.expect(check, Some(&policy.products), &found, refused, found);

    let found = Hex(genuine.report.chip_id);
    let unknown = Rejection::ChipUnknown { found };
    let check = ("policy-1", "chip");
    inspection.expect(check, policy.chips.as_ref(), &found.0, unknown, found);

    let why = policy.masked_chip.as_deref();
    let check = ("policy-1", "certified chip");
    inspection.waivable(check, genuine.chip_compared, why, Rejection::ChipMasked);

    revocation(genuine, policy.revocation_unchecked.as_deref(), inspection);
}

fn firmware(genuine: &Genuine, policy: &SnpPolicy, inspection: &mut Inspection) {
    let (report, levels) = (&genuine.report, &genuine.levels);
    let reported = (genuine.product, levels.reported);
    let check = ("policy-3", "TCB floor");
    at_floor(
        inspection,
        check,
        "reported",
        Some(&policy.minimum_tcb),
        reported,
    );
    let committed = (genuine.product, levels.committed);
    let check = ("policy-3", "committed TCB floor");
    let floor = policy.minimum_committed_tcb.as_ref();
    let floor = floor.unwrap_or(&policy.minimum_tcb);
    at_floor(inspection, check, "committed", Some(floor), committed);
    let launch = (genuine.product, levels.launch);
    let check = ("policy-3", "launch TCB floor");
    at_floor(
        inspection,
        check,
        "launch",
        policy.minimum_launch_tcb.as_ref(),
        launch,
    );

    let found = report.current_firmware;
    match policy.minimum_firmware {
        None => inspection.skip(("policy-3", "SEV firmware"), LEFT_OPEN),
        Some(floor) => {
            let below = Rejection::FirmwareBelowFloor { found, floor };
            inspection.require(("policy-3", "SEV firmware"), found >= floor, below, found);
        }
    }

    let committed = levels.committed == levels.current && report.committed_firmware == found;
    let check = ("policy-3", "committed firmware");
    if policy.provisional_firmware && !committed {
        return inspection.allowed(check, true);
    }
    let found = "is what runs";
    inspection.require(check, committed, Rejection::FirmwareProvisional, found);
}

/// Firmware levels, none of which may be below the floor. The rejection says `which` levels they are.
fn at_floor(
    inspection: &mut Inspection,
    step: Step,
    which: &'static str,
    floor: Option<&Floor>,
    (product, level): (Product, Tcb),
) {
    let floor = match floor {
        None => return inspection.skip(step, LEFT_OPEN),
        Some(Floor::Unchecked { why }) => return inspection.skip(step, why),
        Some(Floor::Each(floors)) => floors
            .of(product)
            .ok_or(Rejection::ProductRefused { found: product }),
    };
    let at_floor = floor.and_then(|floor| match level.below(floor) {
        None => Ok(()),
        Some((component, found, floor)) => Err(Rejection::TcbBelowFloor {
            which,
            component,
            found,
            floor,
        }),
    });
    inspection.note(step, || at_floor, |()| level.to_string());
}

/// Bits that extend the host's powers must be allowed by the policy; bits that restrict them must be set if the policy requires them.
fn guest_policy(genuine: &Genuine, policy: &SnpPolicy, inspection: &mut Inspection) {
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
    inspection.no_wrong_bit(
        ("policy-4", "guest policy"),
        bits,
        format_args!("{:#x}", guest.0),
    );
    for (name, is_set, is_allowed) in [
        ("debugging", guest.debug_allowed(), policy.debug),
        ("migration", guest.migration_allowed(), policy.migration),
        ("CXL memory", guest.cxl_allowed(), policy.cxl),
    ] {
        inspection.allowed(("policy-4", name), is_set && is_allowed);
    }

    let Some(floor) = policy.minimum_abi else {
        inspection.skip(("policy-4", "minimum ABI"), LEFT_OPEN);
        return;
    };
    let found = guest.minimum_abi();
    let dotted = |(major, minor)| format!("{major}.{minor}");
    let below = Rejection::AbiBelowFloor {
        found: dotted(found),
        floor: dotted(floor),
    };
    inspection.require(
        ("policy-4", "minimum ABI"),
        found >= floor,
        below,
        dotted(found),
    );
}

fn platform(genuine: &Genuine, policy: &SnpPolicy, inspection: &mut Inspection) {
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
    inspection.no_wrong_bit(
        ("policy-5", "platform"),
        bits,
        format_args!("{:#x}", info.0),
    );
    let unknown = info.unknown() & policy.unknown_bits;
    for (name, is_there) in [
        ("trusted I/O", info.trusted_io() && policy.trusted_io),
        ("alias check", !info.alias_check() && !policy.alias_check),
        ("unknown platform bits", unknown != 0),
    ] {
        inspection.allowed(("policy-5", name), is_there);
    }
}

fn guest(genuine: &Genuine, policy: &SnpPolicy, inspection: &mut Inspection) {
    let report = &genuine.report;
    let found = report.vmpl;
    let refused = Rejection::VmplRefused { found };
    inspection.expect(
        ("policy-6", "VMPL"),
        Some(&policy.vmpl),
        &found,
        refused,
        found,
    );

    let (found, floor) = (report.guest_svn, policy.minimum_guest_svn);
    if floor == 0 {
        inspection.skip(("policy-6", "guest SVN"), LEFT_OPEN);
    } else {
        let below = Rejection::GuestSvnBelowFloor { found, floor };
        inspection.require(("policy-6", "guest SVN"), found >= floor, below, found);
    }

    let required = policy.mitigations;
    if required == 0 {
        inspection.skip(("policy-6", "mitigations"), LEFT_OPEN);
        return;
    }
    let in_place = report
        .mitigations
        .is_some_and(|found| found.launch & found.current & required == required);
    let missing = Rejection::MitigationMissing { required };
    let check = ("policy-6", "mitigations");
    inspection.require(check, in_place, missing, format_args!("{required:#x}"));
}

fn measurements(genuine: &Genuine, policy: &SnpPolicy, inspection: &mut Inspection) {
    let report = &genuine.report;
    let found = Hex(report.launch_digest);
    let unknown = Rejection::LaunchDigestUnknown { found };
    let check = ("policy-7", "launch digest");
    inspection.expect(check, Some(&policy.launch_digest), &found.0, unknown, found);
    pin(
        inspection,
        "family id",
        policy.family_id.as_ref(),
        report.family_id,
    );
    pin(
        inspection,
        "image id",
        policy.image_id.as_ref(),
        report.image_id,
    );
    pin(
        inspection,
        "report id",
        policy.report_id.as_ref(),
        report.report_id,
    );
    pin(
        inspection,
        "migration agent",
        policy.report_id_ma.as_ref(),
        report.report_id_ma,
    );
}

/// A field, taken verbatim, that the policy may pin.
fn pin<const N: usize>(
    inspection: &mut Inspection,
    field: &'static str,
    expected: Option<&Expect<[u8; N]>>,
    found: [u8; N],
) {
    let unknown = Rejection::PinUnknown {
        field,
        found: hex::encode(found),
    };
    inspection.expect(("policy-7", field), expected, &found, unknown, Hex(found));
}

/// The firmware verified the ID block's signatures at launch; all that remains is to recognize the keys.
fn id_block(genuine: &Genuine, policy: &SnpPolicy, inspection: &mut Inspection) {
    if policy.id_keys.is_empty() && policy.author_keys.is_empty() {
        inspection.skip(("policy-8", "ID block"), LEFT_OPEN);
        return;
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
    inspection.require(check, by_author || by_id, Rejection::IdBlockUnknown, found);
}
