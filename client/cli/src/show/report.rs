//! AMD's report in words. Offsets and meanings: AMD 56860, table of `ATTESTATION_REPORT`.

use chrysalis_attestation::snp::{
    bits::{GuestPolicy, PlatformInfo},
    product::Product,
    report::{HOST_VMPL, Report, SigningKey},
    tcb::TcbVersion,
};

use super::page::Page;

pub(super) fn show(page: &mut Page, bytes: &[u8]) {
    page.heading(
        "cpu report",
        &format!("AMD SEV-SNP, {} bytes, signed by the chip", bytes.len()),
    );
    let report = match Report::parse(bytes) {
        Ok(report) => report,
        Err(refused) => return page.row("unreadable", "", &refused.to_string()),
    };
    identity(page, &report);
    guest_policy(page, report.policy);
    platform(page, report.platform_info);
    firmware(page, &report);
    signature(page, &report);
}

fn identity(page: &mut Page, report: &Report) {
    page.row("version", report.version, "of the report's layout");
    match report.cpuid {
        Some(cpu) => {
            let name = Product::of(cpu).map_or("unknown", Product::name);
            let about = format!(
                "family {:#04x}, model {:#04x}, stepping {}",
                cpu.family, cpu.model, cpu.stepping
            );
            page.row("product", name, &about);
        }
        None => page.row(
            "product",
            "not stated",
            "reports before version 3 do not name it",
        ),
    }
    page.hex("launch_digest", report.launch_digest, "what was in memory when the guest started: firmware, and by it kernel, initrd, command line");
    page.hex(
        "report_data",
        report.report_data,
        "put in by the guest: binds key, nonce, claims and GPUs",
    );
    page.hex(
        "host_data",
        report.host_data,
        "put in by the host at launch: SHA-256 of the configuration",
    );
    match report.vmpl {
        HOST_VMPL => page.row("vmpl", "host", "asked for by the host, not the guest"),
        level => page.row(
            "vmpl",
            level,
            "privilege level of who asked; 0 is the highest",
        ),
    }
    page.row(
        "guest_svn",
        report.guest_svn,
        "the guest's security version, by its ID block",
    );
    optional(page, "family_id", &report.family_id, "by the ID block");
    optional(page, "image_id", &report.image_id, "by the ID block");
    optional(
        page,
        "id_key_digest",
        &report.id_key_digest,
        "SHA-384 of the key that signed the ID block",
    );
    optional(
        page,
        "author_key_digest",
        &report.author_key_digest,
        "SHA-384 of the key that vouches for the ID key",
    );
    page.hex("report_id", report.report_id, "names this run of the guest");
    if report.report_id_ma != [0xFF; 32] {
        page.hex(
            "report_id_ma",
            report.report_id_ma,
            "names its migration agent",
        );
    }
    optional(
        page,
        "chip_id",
        &report.chip_id,
        "names the chip; zero where the host masks it",
    );
}

fn guest_policy(page: &mut Page, policy: GuestPolicy) {
    let (major, minor) = policy.minimum_abi();
    page.row(
        "policy",
        format!("{:#x}", policy.0),
        "what the guest's owner allows the host, bit by bit:",
    );
    page.row(
        "  minimum_abi",
        format!("{major}.{minor}"),
        "least firmware interface that may run it",
    );
    for (name, on, meaning) in [
        (
            "  debug_allowed",
            policy.debug_allowed(),
            "the host may read its memory",
        ),
        (
            "  migration_allowed",
            policy.migration_allowed(),
            "a migration agent may move it",
        ),
        (
            "  smt_allowed",
            policy.smt_allowed(),
            "may run on sibling threads",
        ),
        (
            "  cxl_allowed",
            policy.cxl_allowed(),
            "memory may sit behind CXL",
        ),
        (
            "  single_socket",
            policy.single_socket_required(),
            "must stay on one socket",
        ),
        (
            "  aes_256_xts",
            policy.aes_256_xts_required(),
            "memory encryption must be AES-256-XTS",
        ),
        (
            "  rapl_off",
            policy.rapl_off_required(),
            "power readings must be off",
        ),
        (
            "  ciphertext_hiding",
            policy.ciphertext_hiding_required(),
            "ciphertext must be hidden from the host",
        ),
        (
            "  page_swap_disabled",
            policy.page_swap_disabled(),
            "the host may not swap its pages out",
        ),
    ] {
        page.row(name, if on { "yes" } else { "no" }, meaning);
    }
}

fn platform(page: &mut Page, platform: PlatformInfo) {
    page.row(
        "platform_info",
        format!("{:#x}", platform.0),
        "how the machine is set up, bit by bit:",
    );
    for (name, on, meaning) in [
        ("  smt", platform.smt(), "sibling threads are on"),
        ("  tsme", platform.tsme(), "all memory is encrypted"),
        ("  ecc", platform.ecc(), "memory corrects errors"),
        ("  rapl_off", platform.rapl_off(), "power readings are off"),
        (
            "  ciphertext_hiding",
            platform.ciphertext_hiding(),
            "ciphertext is hidden from the host",
        ),
        (
            "  alias_check",
            platform.alias_check(),
            "memory was searched for aliases (BadRAM)",
        ),
        (
            "  iommu_write_safe",
            platform.iommu_write_safe(),
            "the IOMMU's writes are safe",
        ),
        ("  trusted_io", platform.trusted_io(), "trusted I/O is on"),
    ] {
        page.row(name, if on { "yes" } else { "no" }, meaning);
    }
    if platform.unknown() != 0 {
        page.row(
            "  unknown",
            format!("{:#x}", platform.unknown()),
            "bits of newer firmware that this verifier knows no meaning of",
        );
    }
}

fn firmware(page: &mut Page, report: &Report) {
    let product = report.cpuid.and_then(Product::of).unwrap_or(Product::Milan);
    let level = |tcb: TcbVersion| match tcb.components(product) {
        Some(tcb) => tcb.to_string(),
        None => hex::encode(tcb.0),
    };
    page.row(
        "current_tcb",
        level(report.current_tcb),
        "firmware levels that run now",
    );
    page.row(
        "reported_tcb",
        level(report.reported_tcb),
        "levels that the signing key is derived from",
    );
    page.row(
        "committed_tcb",
        level(report.committed_tcb),
        "levels that it cannot go back below",
    );
    page.row(
        "launch_tcb",
        level(report.launch_tcb),
        "levels when the guest started",
    );
    page.row(
        "current_firmware",
        report.current_firmware,
        "SEV firmware that runs now",
    );
    page.row(
        "committed_firmware",
        report.committed_firmware,
        "SEV firmware that it cannot go back below",
    );
    if let Some(mitigations) = report.mitigations {
        page.row(
            "mitigations",
            format!("{:#x}", mitigations.current),
            &format!("in place now; at launch {:#x}", mitigations.launch),
        );
    }
}

fn signature(page: &mut Page, report: &Report) {
    let (name, meaning) = match report.key_info.signing_key {
        SigningKey::Vcek => ("VCEK", "a key of this one chip"),
        SigningKey::Vlek => ("VLEK", "a key that AMD gave the cloud provider"),
        SigningKey::None => ("none", "the report is not signed"),
    };
    page.row("signing_key", name, meaning);
    page.hex(
        "signature_r",
        report.signature.r,
        "ECDSA P-384 with SHA-384",
    );
    page.hex("signature_s", report.signature.s, "");
}

/// A field that most reports leave zero.
fn optional(page: &mut Page, name: &str, bytes: &[u8], meaning: &str) {
    if bytes.iter().any(|byte| *byte != 0) {
        page.hex(name, bytes, meaning);
    }
}
