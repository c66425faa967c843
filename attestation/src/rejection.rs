//! Why evidence is refused: one variant a reason, each with a stable code, its step and what to do next.
//!
//! The table below is the only list; docs/reference/rejections.md is made of it.

use std::fmt;

use crate::{
    digest::Hex,
    snp::{product::Product, report::Firmware, tcb::Tcb},
    utc::Time,
};

/// A line of the reference: what a code means, whatever the details.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    /// The stable code, such as `launch_digest_unknown`.
    pub code: &'static str,
    /// The step of docs/spec/verification.md.
    pub step: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What to do next.
    pub hint: &'static str,
}

macro_rules! rejections {
    ($(
        #[doc = $meaning:literal]
        $variant:ident $({ $($field:ident: $type:ty),+ })?
        = $code:literal, $step:literal, $detail:literal, hint: $hint:literal;
    )+) => {
        /// Why evidence is refused.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        #[expect(missing_docs, reason = "the fields are what the variant's message shows")]
        pub enum Rejection {
            $(#[doc = $meaning] $variant $({ $($field: $type),+ })?,)+
        }

        impl Rejection {
            /// Every reason, in the order of the steps.
            pub const ALL: &[Reason] = &[$(Reason {
                code: $code,
                step: $step,
                meaning: $meaning.trim_ascii_start(),
                hint: $hint,
            }),+];

            /// The reason without the details.
            pub fn reason(&self) -> &'static Reason {
                match self {
                    $(Self::$variant { .. } => const { &Reason {
                        code: $code,
                        step: $step,
                        meaning: $meaning.trim_ascii_start(),
                        hint: $hint,
                    } },)+
                }
            }
        }

        /// What exactly is wrong, without code and hint.
        impl fmt::Display for Rejection {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant $({ $($field),+ })? => write!(f, $detail),)+
                }
            }
        }
    };
}

rejections! {
    // What travels
    /// The bundle is larger than a verifier reads.
    BundleTooLarge { found: usize } = "bundle_too_large", "bundle-1",
        "the bundle has {found} bytes", hint: "a bundle has at most 256 KiB, 16 certificates and 8 revocation lists; ask for the evidence again";
    /// The bundle is not the one deterministic encoding of its content.
    BundleMalformed { what: &'static str } = "bundle_malformed", "bundle-1",
        "the bundle is malformed: {what}", hint: "ask for the evidence again; docs/spec/bundle.md says how it is encoded";
    /// The bundle has an item that is unknown, missing or of another type.
    BundleItem { item: String } = "bundle_item", "bundle-2",
        "the bundle's item `{item}` is unknown, missing or of another type", hint: "the peer may speak a newer version: update this verifier, or ask the provider which version runs";
    /// The certificate carries no evidence.
    EvidenceMissing = "evidence_missing", "bundle-3",
        "the certificate has no extension id-pe-cmw", hint: "whoever answers is not a Chrysalis enclave, or something in between ends TLS";
    /// A certificate or revocation list is not what X.509 allows.
    CertificateMalformed { which: &'static str } = "certificate_malformed", "bundle-3",
        "{which} cannot be read as X.509", hint: "fetch it again from its vendor";
    /// The certificate table beside the report cannot be read.
    CertificateTable { what: &'static str } = "certificate_table", "bundle-3",
        "the certificate table is malformed: {what}", hint: "the host writes it: the provider loads it anew";

    // SNP: is it genuine
    /// The report is not exactly 1184 bytes long.
    ReportLength { found: usize } = "report_length", "snp-1",
        "the report has {found} bytes, not 1184", hint: "it was cut or padded on its way: ask for the evidence again";
    /// The report's layout version is not known.
    ReportVersion { found: u32 } = "report_version", "snp-1",
        "the report has version {found}", hint: "known are versions 2 to 5: update this verifier if the firmware is newer";
    /// The report is signed by another algorithm than ECDSA P-384 with SHA-384.
    ReportAlgorithm { found: u32 } = "report_algorithm", "snp-1",
        "the report names signature algorithm {found}", hint: "only algorithm 1 exists: the bytes are not a report, or were changed";
    /// A reserved field of the report has a value without a known meaning.
    ReportReserved { field: &'static str } = "report_reserved", "snp-1",
        "the report's {field} has a reserved value", hint: "the bytes were changed, or newer firmware gave them a meaning: update this verifier";
    /// The report says that no key signed it.
    ReportUnsigned = "report_unsigned", "snp-2",
        "the report is not signed", hint: "the host masked the chip's key: it must not set MaskChipKey";
    /// The certificate of the key that signed the report is not there.
    LeafMissing { kind: &'static str } = "leaf_missing", "snp-2",
        "there is no {kind} certificate", hint: "the provider staples it; or fetch it from AMD's key service by chip and reported TCB";
    /// There are several certificates for the key that signed the report.
    LeafAmbiguous { kind: &'static str } = "leaf_ambiguous", "snp-2",
        "there are several {kind} certificates", hint: "bring one, that of this chip and its reported TCB";
    /// The certificate of the report's key is not of the form that AMD gives it.
    LeafProfile { what: &'static str } = "leaf_profile", "snp-2",
        "the report key's certificate: {what}", hint: "bring the VCEK or VLEK certificate as AMD's key service gives it";
    /// No root is known for this CPU.
    ProductUnknown { found: String } = "product_unknown", "snp-3",
        "no root is known for {found}", hint: "known are Milan, Genoa and Turin: update this verifier for newer CPUs";
    /// CPU, certificate and root name different product lines.
    ProductMismatch { report: Product, certificate: Product } = "product_mismatch", "snp-3",
        "the report is of {report}, its certificate of {certificate}", hint: "bring the certificates of the machine that made the report";
    /// The evidence ends in a simulated root that the policy does not name.
    SimulatedRootRefused { root: String } = "simulated_root_refused", "snp-3",
        "simulated root {root} is not in the policy", hint: "this is no AMD hardware; to test with it, name the root under [simulation] in the policy";
    /// The evidence ends in a root that nobody named.
    RootUnknown { root: String } = "root_unknown", "snp-3",
        "root {root} is none of the pinned ones", hint: "the evidence is not AMD's: do not trust this peer";
    /// A simulated root must travel with the evidence, and does not.
    RootMissing { name: String } = "root_missing", "snp-3",
        "the simulated root {name} is not in the evidence", hint: "the enclave staples it: ask again, or bring ark.pem yourself";
    /// The certificate between root and report key is not there.
    IntermediateMissing { name: String } = "intermediate_missing", "snp-4",
        "the certificate {name} is missing", hint: "bring the cert_chain of AMD's key service for this product";
    /// A root or intermediate is not a certificate authority of the expected name.
    ChainProfile { which: &'static str, what: &'static str } = "chain_profile", "snp-4",
        "the {which} certificate: {what}", hint: "bring the cert_chain of AMD's key service for this product";
    /// A certificate is not signed by the one above it.
    ChainSignature { which: &'static str } = "chain_signature", "snp-4",
        "the {which} certificate is not signed by its issuer", hint: "certificates of two machines or products are mixed, or bytes were changed";
    /// A certificate is past its validity.
    CertificateExpired { which: &'static str, until: Time } = "certificate_expired", "snp-4",
        "the {which} certificate ended {until}", hint: "fetch a current one; check this machine's clock";
    /// A certificate is not valid yet.
    CertificateNotYetValid { which: &'static str, from: Time } = "certificate_not_yet_valid", "snp-4",
        "the {which} certificate begins {from}", hint: "check this machine's clock";
    /// The revocation list names a certificate of the chain.
    CertificateRevoked { which: &'static str, serial: String } = "certificate_revoked", "snp-4",
        "the {which} certificate, serial {serial}, is revoked", hint: "do not trust this peer; if it is yours, fetch the current cert_chain";
    /// The root's revocation list cannot be used.
    CrlProfile { what: &'static str } = "crl_profile", "snp-4",
        "the revocation list {what}", hint: "fetch the product's list from AMD's key service again";
    /// The revocation list is not signed by the root.
    CrlSignature = "crl_signature", "snp-4",
        "the revocation list is not signed by the root", hint: "fetch the product's list from AMD's key service again";
    /// The revocation list is stale.
    CrlExpired { until: Time } = "crl_expired", "snp-4",
        "the revocation list ended {until}", hint: "fetch the current list; the provider staples it";
    /// The revocation list is from the future.
    CrlNotYetValid { from: Time } = "crl_not_yet_valid", "snp-4",
        "the revocation list begins {from}", hint: "check this machine's clock";
    /// The report's signature is not of the certified key.
    ReportSignature = "report_signature", "snp-5",
        "the report is not signed by the certified key", hint: "the report was changed, or the certificate is of another chip or TCB";
    /// The reported TCB is not the one that the key is certified for.
    TcbCertificateMismatch { report: Tcb, certificate: Tcb } = "tcb_certificate_mismatch", "snp-6",
        "the report says {report}; its key is certified for {certificate}", hint: "bring the certificate for the reported TCB";
    /// The report's chip is not the one that the key is certified for.
    ChipMismatch { found: Hex<64> } = "chip_mismatch", "snp-7",
        "chip {found} is not the certified one", hint: "bring the certificate of the chip that made the report";
    /// The levels in the report contradict each other.
    TcbInconsistent { what: &'static str } = "tcb_inconsistent", "snp-8",
        "the report's firmware levels contradict each other: {what}", hint: "honest firmware does not report this: do not trust this peer";

    // Is it about this channel
    /// The claims are not the one deterministic encoding of known fields.
    ClaimsMalformed { what: String } = "claims_malformed", "bind-1",
        "the claims are malformed: {what}", hint: "the peer may speak a newer version: update this verifier";
    /// The claims follow a profile that is not known.
    ClaimsProfile { found: String } = "claims_profile", "bind-1",
        "the claims follow profile {found:?}", hint: "the peer speaks another version: update this verifier";
    /// Evidence made at boot answers a question that wants a fresh one.
    NotFresh = "not_fresh", "bind-2",
        "the evidence was made at boot, not for your nonce", hint: "an old evidence was replayed: ask again, and do not trust this peer if it repeats";
    /// The evidence is about another conversation, another TLS key or other claims.
    BindingMismatch = "binding_mismatch", "bind-2",
        "the report is not about this nonce, this TLS session, this key and these claims", hint: "something between you and the enclave ends TLS or replays evidence: do not send anything";
    /// The claimed configuration is not the one in the hardware's report.
    ConfigurationMismatch = "configuration_mismatch", "bind-3",
        "the claimed configuration is not the one that the report's HOST_DATA holds", hint: "the enclave is not what it says: do not trust this peer";

    // Is it what I want
    /// The report's layout version is not one that the policy wants.
    ReportVersionRefused { found: u32 } = "report_version_refused", "policy-1",
        "report version {found} is not in the policy", hint: "the provider updates the firmware, or you list the version under snp.versions";
    /// The product line is not one that the policy wants.
    ProductRefused { found: Product } = "product_refused", "policy-1",
        "{found} is not in the policy", hint: "list it under snp.products, with a TCB floor that fits it";
    /// The chip is not one that the policy wants.
    ChipUnknown { found: Hex<64> } = "chip_unknown", "policy-1",
        "chip {found} is not in the policy", hint: "list it under snp.chips if you know this machine";
    /// The host masks the chip's identity, and the policy does not say that this is fine.
    ChipMasked = "chip_masked", "policy-1",
        "the chip's identity is masked, so it was not compared with the certificate", hint: "the provider turns MaskChipId off, or your policy gives a reason under snp.masked_chip";
    /// Revocation was not checked, and the policy does not say that this is fine.
    RevocationUnchecked = "revocation_unchecked", "policy-2",
        "there is no revocation list of the root", hint: "the provider staples it; or your policy gives a reason under snp.revocation";
    /// A firmware level is below the policy's floor.
    TcbBelowFloor { which: &'static str, component: &'static str, found: u8, floor: u8 } = "tcb_below_floor", "policy-3",
        "the {which} {component} level is {found}, the policy wants {floor}", hint: "the provider updates the firmware; lower snp.minimum_tcb only if you know what that opens";
    /// The SEV firmware is older than the policy wants.
    FirmwareBelowFloor { found: Firmware, floor: Firmware } = "firmware_below_floor", "policy-3",
        "the SEV firmware is {found}, the policy wants {floor}", hint: "the provider updates the firmware";
    /// Firmware runs that is not committed, and the policy forbids that.
    FirmwareProvisional = "firmware_provisional", "policy-3",
        "firmware runs that can still be rolled back", hint: "the provider commits the firmware, or the policy sets snp.provisional_firmware = true";
    /// The host may read the guest's memory.
    DebugAllowed = "debug_allowed", "policy-4",
        "the guest's policy lets the host debug it: its memory is not private", hint: "the provider launches without the debug bit; do not send anything secret";
    /// The guest may be migrated.
    MigrationAllowed = "migration_allowed", "policy-4",
        "the guest's policy allows a migration agent", hint: "the provider launches without the migration bit, or the policy sets snp.migration = true";
    /// The guest's policy allows the host something that yours does not.
    GuestPolicyTooWide { bit: &'static str } = "guest_policy_too_wide", "policy-4",
        "the guest's policy allows {bit}", hint: "the provider launches with a narrower policy, or yours allows it";
    /// The guest's policy does not require something that yours does.
    GuestPolicyLacks { bit: &'static str } = "guest_policy_lacks", "policy-4",
        "the guest's policy does not require {bit}", hint: "the provider launches with that bit, or your policy does not ask for it";
    /// The guest accepts an older firmware interface than the policy wants.
    AbiBelowFloor { found: String, floor: String } = "abi_below_floor", "policy-4",
        "the guest accepts firmware interface {found}, the policy wants {floor}", hint: "the provider launches with a higher minimum ABI";
    /// The platform has something on that the policy does not allow.
    PlatformTooWide { bit: &'static str } = "platform_too_wide", "policy-5",
        "the platform has {bit} on", hint: "the provider turns it off in the machine's setup, or the policy allows it";
    /// The platform lacks something that the policy requires.
    PlatformLacks { bit: &'static str } = "platform_lacks", "policy-5",
        "the platform lacks {bit}", hint: "the provider turns it on in the machine's setup, or the policy does not ask for it";
    /// Another privilege level than the policy wants asked for the report.
    VmplRefused { found: u32 } = "vmpl_refused", "policy-6",
        "VMPL {found} asked for the report", hint: "with a paravisor the guest runs at VMPL 1 or 2: list it under snp.vmpl if you trust the paravisor";
    /// The guest's security version is below the floor.
    GuestSvnBelowFloor { found: u32, floor: u32 } = "guest_svn_below_floor", "policy-6",
        "the guest's security version is {found}, the policy wants {floor}", hint: "the provider runs a newer image";
    /// A mitigation that the policy requires is not in place.
    MitigationMissing { required: u64 } = "mitigation_missing", "policy-6",
        "not all mitigations of {required:#x} are in place", hint: "the provider updates the firmware and starts the guest anew";
    /// The launch digest is not one that the policy wants.
    LaunchDigestUnknown { found: Hex<48> } = "launch_digest_unknown", "policy-7",
        "image   {found} is not in the policy", hint: "`chrysalis measure DIR` computes the digest of an image you built";
    /// A pinned field of the report has another value.
    PinUnknown { field: &'static str, found: String } = "pin_unknown", "policy-7",
        "{field} {found} is not in the policy", hint: "compare it with what the provider publishes";
    /// Neither the ID key nor the author key is one that the policy wants.
    IdBlockUnknown = "id_block_unknown", "policy-8",
        "no ID key or author key of the policy signed the guest's ID block", hint: "the provider launches with the publisher's ID block";
    /// The measured configuration is not one that the policy wants.
    ConfigurationUnknown { found: Hex<32> } = "configuration_unknown", "policy-9",
        "configuration {found} is not in the policy", hint: "it is the SHA-256 of configuration.toml: compare yours with the provider's";
    /// The loaded model did not give the known answer.
    KnownAnswerFailed = "known_answer_failed", "policy-10",
        "the loaded model did not give the known answer", hint: "the provider restarts the enclave; its weights or its engine are broken";
    /// There are GPUs, and the policy wants none.
    GpuUnexpected { found: usize } = "gpu_unexpected", "policy-11",
        "there is evidence of {found} GPU(s), the policy wants none", hint: "use a policy made for this machine";
    /// The evidence has no nonce, and the policy does not say that this is fine.
    FreshnessUnchecked = "freshness_unchecked", "policy-12",
        "the evidence was made at boot: it says nothing of when", hint: "verify the URL instead of the file, or give a reason under session.freshness in the policy";
}

impl Rejection {
    /// The stable code, such as `launch_digest_unknown`.
    pub fn code(&self) -> &'static str {
        self.reason().code
    }

    /// The step of docs/spec/verification.md.
    pub fn step(&self) -> &'static str {
        self.reason().step
    }

    /// What to do next.
    pub fn hint(&self) -> &'static str {
        self.reason().hint
    }
}

impl std::error::Error for Rejection {}
