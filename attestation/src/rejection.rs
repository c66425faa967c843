//! Why evidence is refused: one variant a reason, each with a stable code, its step and what to do next.
//!
//! The table below is the only list; docs/reference/rejections.md is made of it.

use std::fmt;

use crate::{
    encoding::{digest::Hex, utc::Time},
    nvidia::indices::Indices,
    snp::{broken::Broken, firmware::Firmware, product::Product, tcb::Tcb},
    tdx::status::Status,
};

/// A line of the reference: what a code means, whatever the details.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
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
        "the bundle has {found} bytes", hint: "a bundle has at most 1 MiB; ask for the evidence again";
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
    /// The bytes around Azure's report are not its HCL's.
    HclMalformed { what: &'static str } = "hcl_malformed", "hcl-1",
        "the HCL report: {what}", hint: "bring it as the vTPM's NV index 0x01400001 gives it";
    /// What the paravisor says beside the report is not what the report holds.
    HclRuntimeData = "hcl_runtime_data", "hcl-2",
        "the report's data are not the digest of the HCL's runtime data", hint: "report and runtime data are of two boots, or bytes were changed: ask for the evidence again";

    /// The TDREPORT in the HCL report is not what the quote was made of.
    HclQuoteMismatch { field: &'static str } = "hcl_quote_mismatch", "hcl-2",
        "the quote and the TDREPORT in the HCL report differ in {field}", hint: "they are of two boots or two TDs: ask for the evidence again";
    /// Not the paravisor asked for the report, so nothing vouches for what is said in its name.
    HclVmpl { found: u32 } = "hcl_vmpl", "hcl-2",
        "VMPL {found} asked for the report, not the paravisor at VMPL 0", hint: "a guest may write runtime data of its own: do not trust this peer";
    /// The runtime data beside the report do not name the virtual TPM's key.
    VtpmKey { what: &'static str } = "vtpm_key", "hcl-3",
        "the HCL's runtime data: {what}", hint: "this paravisor is older or newer than what this verifier knows";
    /// The virtual TPM's quote is not what a TPM signs over PCRs.
    VtpmQuoteMalformed { what: &'static str } = "vtpm_quote_malformed", "hcl-4",
        "the vTPM's quote: {what}", hint: "bring the TPMS_ATTEST byte for byte, as tpm2_quote writes its message, over PCRs of the SHA-256 bank";
    /// The virtual TPM's quote is not signed by the key that the report covers.
    VtpmQuoteSignature = "vtpm_quote_signature", "hcl-5",
        "the vTPM's quote is not signed by the key that the report covers", hint: "quote and report are of two boots or two machines, or bytes were changed: ask for the evidence again";
    /// The virtual TPM answered another question.
    VtpmNonceMismatch { found: String } = "vtpm_nonce_mismatch", "hcl-6",
        "the vTPM was asked with nonce {found}, not yours", hint: "the quote is old or of another conversation: ask again, and do not trust this peer if it repeats";
    /// The PCRs' values did not come with the quote, and nothing says that this is fine.
    VtpmPcrsMissing = "vtpm_pcrs_missing", "hcl-7",
        "there are no values of the quoted PCRs", hint: "whoever collects the quote reads the PCRs of the SHA-256 bank beside it";
    /// There are more or fewer values of PCRs than were quoted.
    VtpmPcrCount { found: usize, quoted: usize } = "vtpm_pcr_count", "hcl-7",
        "there are values of {found} PCRs, {quoted} were quoted", hint: "bring the values of exactly the quoted PCRs, in the order of their numbers";
    /// The PCRs' values are not the quoted ones.
    VtpmPcrDigest = "vtpm_pcr_digest", "hcl-7",
        "the PCRs' values are not the quoted ones", hint: "they were read at another time or changed: ask for the evidence again";
    /// The policy wants a PCR that no quote tells.
    VtpmPcrUnquoted { index: u8 } = "vtpm_pcr_unquoted", "hcl-8",
        "the policy wants PCR {index}, and no quote tells it", hint: "bring the quote of Azure's vTPM, with this PCR and its value; elsewhere remove `pcrs` from the policy";
    /// A PCR has a value that the policy does not want.
    VtpmPcrUnknown { index: u8, found: Hex<32> } = "vtpm_pcr_unknown", "hcl-8",
        "PCR {index} {found} is not in the policy", hint: "something else was booted: compare the value with that of a machine you trust";

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
        "there is no {kind} certificate", hint: "the provider staples it; or `chrysalis fetch EVIDENCE --into DIR` gets it from AMD's key service, by chip and reported TCB";
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
        "the certificate {name} is missing", hint: "the enclave staples it: ask again, or bring ask.pem yourself";
    /// An intermediate in AMD's name signed the report's key, and is none of the pinned ones.
    IntermediateUnknown { name: String, found: Hex<32> } = "intermediate_unknown", "snp-4",
        "the certificate {name} that signed the report's key, {found}, is not the pinned one", hint: "AMD may have replaced it: update this verifier; if there is no update, do not trust this peer";
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
        "the revocation list ended {until}", hint: "`chrysalis fetch` gets the current one; the provider staples it";
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
    /// The bundle came without the conversation that it has to be about.
    ConversationMissing = "conversation_missing", "bind-2",
        "nothing says which conversation and which key the evidence is about", hint: "bring the saved session instead of its bundle, or name key, nonce and exporter; without them nothing can be trusted";
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
    /// The evidence is of a platform that the policy does not want.
    PlatformUnwanted { found: &'static str, section: &'static str } = "platform_unwanted", "policy-1",
        "the evidence is of {found}, and the policy has no [{section}]", hint: "use a policy made for this machine";
    /// The report's layout version is not one that the policy wants.
    ReportVersionRefused { found: u32 } = "report_version_refused", "policy-1",
        "report version {found} is not in the policy", hint: "the provider updates the firmware, or you list the version under snp.versions";
    /// The product line is known to be broken, and the policy does not say that this is fine.
    ProductBroken { broken: &'static Broken } = "product_broken", "policy-1",
        "{broken}", hint: "no update helps: ask the provider for a machine of another line. Only if you trust its owner with your prompts, give a reason under snp.broken in your policy";
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
        "there is no revocation list of the root", hint: "the provider staples it; or `chrysalis fetch EVIDENCE --into DIR` gets it; or your policy gives a reason under snp.revocation";
    /// A firmware level is below the policy's floor.
    TcbBelowFloor { which: &'static str, component: &'static str, found: u8, floor: u8 } = "tcb_below_floor", "policy-3",
        "the {which} {component} level is {found}, the policy wants {floor}", hint: "ask the provider to update the firmware; a committed level below the floor, to commit it. Lower the floor only if you know what that opens";
    /// The SEV firmware is older than the policy wants.
    FirmwareBelowFloor { found: Firmware, floor: Firmware } = "firmware_below_floor", "policy-3",
        "the SEV firmware is {found}, the policy wants {floor}", hint: "the provider updates the firmware";
    /// Firmware runs that is not committed, and the policy forbids that.
    FirmwareProvisional = "firmware_provisional", "policy-3",
        "firmware runs that can still be rolled back", hint: "ask the provider to commit the firmware (SNP_COMMIT; `snphost commit` sends it), or set snp.provisional_firmware = true in your policy";
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
    /// The platform sets bits without a known meaning, and the policy does not list them.
    PlatformUnknown { bits: u64 } = "platform_unknown", "policy-5",
        "the platform sets bits {bits:#x}, whose meaning is not known", hint: "newer firmware named them: update this verifier, or list them under snp.platform.unknown_bits once you know what they mean";
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
    ConfigurationUnknown { found: String } = "configuration_unknown", "policy-9",
        "configuration {found} is not in the policy", hint: "it is the SHA-256 of configuration.toml on SEV-SNP, the SHA-384 on TDX: compare yours with the provider's";
    /// The loaded model did not give the known answer.
    KnownAnswerFailed = "known_answer_failed", "policy-10",
        "the loaded model did not give the known answer", hint: "the provider restarts the enclave; its weights or its engine are broken";
    /// There are GPUs, and the policy wants none.
    GpuUnexpected { found: usize } = "gpu_unexpected", "policy-11",
        "there is evidence of {found} GPU(s), the policy wants none", hint: "use a policy made for this machine";
    /// The evidence has no nonce, and the policy does not say that this is fine.
    FreshnessUnchecked = "freshness_unchecked", "policy-12",
        "the evidence was made at boot: it says nothing of when", hint: "verify the URL instead of the file, or give a reason under session.freshness in the policy";

    // NVIDIA GPUs
    /// The GPU answered another question.
    GpuNonceMismatch { found: Hex<32> } = "gpu_nonce_mismatch", "gpu-1",
        "the evidence answers nonce {found}, not yours", hint: "the evidence is old or of another conversation: ask again, and do not trust this peer if it repeats";
    /// The GPU evidence is something else.
    GpuEvidenceKind { found: &'static str } = "gpu_evidence_kind", "gpu-2",
        "this is {found}, not the evidence of a GPU", hint: "give the report as bytes, as hex or base64 text, or as JSON: the list of NVIDIA's attestation SDK, `evidence_list`, `evidences`, or NVIDIA's CMW collection";
    /// The text or JSON around a GPU's evidence cannot be read.
    GpuEvidenceMalformed { what: &'static str } = "gpu_evidence_malformed", "gpu-2",
        "the GPU evidence is malformed: {what}", hint: "ask for the evidence again";
    /// The GPU evidence is larger than a verifier reads.
    GpuEvidenceTooLarge { found: usize } = "gpu_evidence_too_large", "gpu-2",
        "the GPU evidence has {found} bytes", hint: "16 GPUs fit into 512 KiB; ask for the evidence again";
    /// There is no GPU evidence.
    GpuEvidenceMissing = "gpu_evidence_missing", "gpu-2",
        "there is no evidence of any GPU", hint: "ask for the evidence again; without GPUs, use a policy that wants none";
    /// The GPU's report is not an SPDM 1.1 request and its response.
    GpuReportMalformed { what: &'static str } = "gpu_report_malformed", "gpu-2",
        "the GPU's report: {what}", hint: "the bytes are not a report, or were changed: ask for the evidence again";
    /// The GPU's report ends too early.
    GpuReportTruncated = "gpu_report_truncated", "gpu-2",
        "the GPU's report ends before its signature does", hint: "it was cut on its way: ask for the evidence again";
    /// Bytes follow the GPU's report.
    GpuReportTrailing { extra: usize } = "gpu_report_trailing", "gpu-2",
        "{extra} byte(s) follow the signature of the GPU's report", hint: "it was padded on its way: whoever collects it must keep its exact length";
    /// The report's opaque data is not a list of fields of their sizes.
    GpuOpaqueMalformed { field: &'static str } = "gpu_opaque_malformed", "gpu-2",
        "the report's opaque data: {field} is malformed", hint: "newer firmware may say it otherwise: update this verifier";
    /// A field stands twice in the report's opaque data.
    GpuOpaqueDuplicate { field: &'static str } = "gpu_opaque_duplicate", "gpu-2",
        "the report's opaque data has {field} twice", hint: "honest firmware does not report this: do not trust this peer";
    /// A field that must be there is not in the report's opaque data.
    GpuOpaqueMissing { field: &'static str } = "gpu_opaque_missing", "gpu-2",
        "the report's opaque data lacks {field}", hint: "this firmware is older or newer than what this verifier knows";
    /// The report's opaque data is of a profile that is not known.
    GpuOpaqueProfile { found: u16 } = "gpu_opaque_profile", "gpu-2",
        "the report's opaque data (NVDAOD) has profile {found}", hint: "known is profile 0: update this verifier if the driver is newer";
    /// The opaque data follows a version that is not known.
    GpuOpaqueVersion { found: u16 } = "gpu_opaque_version", "gpu-2",
        "the report's opaque data has version {found}", hint: "known are 0, 1 and, with a header (NVDAOD), 2: update this verifier if the driver is newer";

    /// A certificate of NVIDIA's cannot be read as X.509.
    NvidiaCertificateMalformed { which: &'static str } = "nvidia_certificate_malformed", "gpu-3",
        "the {which} certificate cannot be read as X.509", hint: "ask for the evidence, or fetch the RIM or OCSP answer, again";
    /// A certificate is not of the form that NVIDIA gives it.
    NvidiaCertificateProfile { which: &'static str, what: &'static str } = "nvidia_certificate_profile", "gpu-3",
        "the {which} certificate {what}", hint: "it is not what NVIDIA issues for this use: do not trust this peer";
    /// A certificate is not signed by the one above it.
    NvidiaCertificateSignature { which: &'static str } = "nvidia_certificate_signature", "gpu-3",
        "the {which} certificate is not signed by its issuer", hint: "certificates of two devices are mixed, or bytes were changed";
    /// A certificate is past its validity.
    NvidiaCertificateExpired { which: &'static str, until: Time } = "nvidia_certificate_expired", "gpu-3",
        "the {which} certificate ended {until}", hint: "NVIDIA signs RIMs anew under the same id: fetch it again; check this machine's clock";
    /// A certificate is not valid yet.
    NvidiaCertificateNotYetValid { which: &'static str, from: Time } = "nvidia_certificate_not_yet_valid", "gpu-3",
        "the {which} certificate begins {from}", hint: "check this machine's clock";
    /// A GPU's certificate chain does not have five certificates.
    GpuChainLength { found: usize } = "gpu_chain_length", "gpu-3",
        "the GPU's chain has {found} certificate(s), not five", hint: "bring the chain as the driver gives it, from the leaf to the root";
    /// A GPU's chain ends in a root that nobody named.
    GpuRootUnknown { root: String } = "gpu_root_unknown", "gpu-3",
        "root {root} is not NVIDIA's device identity root", hint: "the evidence is not NVIDIA's: do not trust this peer";
    /// A GPU's chain ends in a simulated root that the policy does not name.
    GpuSimulatedRootRefused { root: Hex<32> } = "gpu_simulated_root_refused", "gpu-3",
        "simulated GPU root {root} is not in the policy", hint: "this is no NVIDIA hardware; to test with it, name the root under [simulation] in the policy";
    /// The chain is of a device that is not a GPU whose evidence is known.
    GpuArchitectureUnknown { found: String } = "gpu_architecture_unknown", "gpu-3",
        "{found} is no GPU of a known architecture", hint: "known are GPUs of Hopper and Blackwell, and the switches of Hopper";

    /// There is no usable OCSP answer about a certificate, and nothing says that this is fine.
    OcspMissing { which: &'static str } = "ocsp_missing", "gpu-4",
        "there is no OCSP answer about the {which} certificate", hint: "the provider staples it; or `chrysalis fetch EVIDENCE --into DIR` gets it; or the policy gives a reason to go without OCSP";
    /// An OCSP answer cannot be read.
    OcspMalformed { what: &'static str } = "ocsp_malformed", "gpu-4",
        "an OCSP answer is malformed: {what}", hint: "fetch it again";
    /// The OCSP responder did not answer the question.
    OcspUnsuccessful { status: u8 } = "ocsp_unsuccessful", "gpu-4",
        "the OCSP responder answered with status {status}", hint: "status 3 means: try later; 6 means that it does not know the certificate";
    /// An OCSP answer does not come from a responder of the certificate's issuer.
    OcspResponder { what: &'static str } = "ocsp_responder", "gpu-4",
        "the OCSP responder {what}", hint: "only a responder that the issuer itself appointed counts: fetch the answer again";
    /// An OCSP answer is not signed by its responder.
    OcspSignature = "ocsp_signature", "gpu-4",
        "an OCSP answer is not signed by its responder", hint: "bytes were changed: fetch it again";
    /// An OCSP answer is about another question.
    OcspNonceMismatch = "ocsp_nonce_mismatch", "gpu-4",
        "an OCSP answer does not repeat the nonce that was asked", hint: "an old answer was replayed: ask again";
    /// An OCSP answer was not asked for by this verifier, and nothing says that this is fine.
    OcspStapledRefused = "ocsp_stapled_refused", "gpu-4",
        "the OCSP answer was brought along, not asked with a nonce", hint: "let `chrysalis verify`, `chat` or `proxy` ask NVIDIA over the network, or write revocation = \"stapled\" under [gpu] to accept answers of the last day";
    /// An OCSP answer that was brought along is older than the policy accepts.
    OcspTooOld { made: Time, hours: u64 } = "ocsp_too_old", "gpu-4",
        "an OCSP answer was made {made}, more than {hours} hours ago", hint: "ask the provider to staple fresh answers, or run `chrysalis fetch EVIDENCE --into DIR`; gpu.stapled_hours in the policy sets another bound";
    /// An OCSP answer is stale.
    OcspExpired { until: Time } = "ocsp_expired", "gpu-4",
        "an OCSP answer ended {until}", hint: "`chrysalis fetch` gets a current one; the provider staples it";
    /// An OCSP answer is from the future.
    OcspNotYetValid { from: Time } = "ocsp_not_yet_valid", "gpu-4",
        "an OCSP answer begins {from}", hint: "check this machine's clock";
    /// A certificate is revoked.
    OcspRevoked { which: &'static str } = "ocsp_revoked", "gpu-4",
        "the {which} certificate is revoked", hint: "do not trust this device or RIM";
    /// A certificate is on hold, and nothing says that this is fine.
    OcspHold { which: &'static str } = "ocsp_hold", "gpu-4",
        "the {which} certificate is revoked: certificate hold", hint: "NVIDIA may lift it; accept a hold only by explicit policy";
    /// The responder does not know a certificate.
    OcspUnknown { which: &'static str } = "ocsp_unknown", "gpu-4",
        "the OCSP responder does not know the {which} certificate", hint: "do not trust this device or RIM";

    /// The GPU's report is not signed by its certified key.
    GpuReportSignature = "gpu_report_signature", "gpu-5",
        "the GPU's report is not signed by the certified key", hint: "the report was changed, or the chain is of another device";

    /// The report does not say which firmware the key was certified for.
    GpuFwidMissing = "gpu_fwid_missing", "gpu-6",
        "the report has no FWID to compare with the certificate's", hint: "firmware of 2023 has none: the provider updates it, or your policy gives a reason";
    /// The firmware that runs is not the one that the key was certified for.
    GpuFwidMismatch { found: Hex<48> } = "gpu_fwid_mismatch", "gpu-6",
        "the report's FWID {found} is not the certified one", hint: "report and chain are of two boots or two devices: ask for the evidence again";

    /// There is no RIM, and nothing says that this is fine.
    RimMissing { kind: &'static str, id: String } = "rim_missing", "gpu-7",
        "there is no {kind} RIM; the report calls for {id}", hint: "the provider staples it; or `chrysalis fetch EVIDENCE --into DIR` gets it; or the policy gives a reason to go without RIMs";
    /// No RIM is of the version that the report names.
    RimVersionMismatch { kind: &'static str, wanted: String, found: String } = "rim_version_mismatch", "gpu-7",
        "no RIM is for {kind} {wanted}: there are {found}", hint: "bring the RIM of the version that the GPU reports";
    /// Two RIMs are of the version that the report names.
    RimAmbiguous { kind: &'static str, version: String } = "rim_ambiguous", "gpu-7",
        "two RIMs are for {kind} {version}", hint: "bring one, the current one";
    /// A RIM is larger than a verifier reads.
    RimTooLarge { found: usize } = "rim_too_large", "gpu-7",
        "a RIM has {found} bytes", hint: "NVIDIA's have up to 26 KiB, the limit is 64 KiB";
    /// A RIM has XML that NVIDIA's RIMs do not have.
    RimXml { what: &'static str } = "rim_xml", "gpu-7",
        "a RIM's XML has {what}", hint: "bring the RIM as NVIDIA's service gives it, byte for byte";
    /// A RIM's signature is not of the one form that is accepted.
    RimSignatureProfile { what: &'static str } = "rim_signature_profile", "gpu-7",
        "a RIM's signature: {what}", hint: "bring the RIM as NVIDIA's service gives it, byte for byte";
    /// A RIM's chain does not have four certificates.
    RimChainLength { found: usize } = "rim_chain_length", "gpu-7",
        "a RIM's chain has {found} certificate(s), not four", hint: "bring the RIM as NVIDIA's service gives it";
    /// A RIM's chain ends in a root that nobody named.
    RimRootUnknown { root: String } = "rim_root_unknown", "gpu-7",
        "root {root} is not NVIDIA's RIM root", hint: "the RIM is not a production RIM of NVIDIA's: fetch it from its service";
    /// A RIM's content is not what was signed.
    RimDigest = "rim_digest", "gpu-7",
        "a RIM's content does not have the signed digest", hint: "the RIM was changed: fetch it again";
    /// A RIM is not signed by its certified key.
    RimSignature = "rim_signature", "gpu-7",
        "a RIM is not signed by its certified key", hint: "the RIM was changed: fetch it again";
    /// A signed RIM does not say what a RIM says.
    RimContent { what: &'static str } = "rim_content", "gpu-7",
        "a RIM's content: {what}", hint: "this is no RIM of a GPU, or of a form that this verifier does not know";
    /// A RIM is for another product than the GPU.
    RimProductMismatch { found: String } = "rim_product_mismatch", "gpu-7",
        "a RIM is for {found}", hint: "bring the RIM of this GPU's product";
    /// A RIM has two values for one index.
    RimDuplicateIndex { index: usize } = "rim_duplicate_index", "gpu-7",
        "a RIM has index {index} twice", hint: "fetch it again";
    /// Driver and VBIOS RIM both claim an index.
    RimIndexConflict { index: usize } = "rim_index_conflict", "gpu-7",
        "driver and VBIOS RIM both have a value for index {index}", hint: "the two RIMs do not belong together: fetch both again";

    /// What the GPU measured is not what NVIDIA published.
    MeasurementMismatch { kind: &'static str, indices: Indices } = "measurement_mismatch", "gpu-8",
        "the GPU's measurements differ from the {kind} RIM at {indices}", hint: "other firmware, a debug mode or tampering; NVIDIA re-issues RIMs, so fetch the current one first";
    /// A level that the report tells is below the least that a RIM wants, or is not told.
    GpuLevelBelowFloor { kind: &'static str, name: String, found: String, floor: u64 } = "gpu_level_below_floor", "gpu-8",
        "the report's {name} is {found}, the {kind} RIM wants at least {floor}", hint: "ask the provider to update the GPU's firmware and driver; no policy goes below what NVIDIA publishes";

    /// A GPU's driver is older than the policy wants.
    GpuDriverBelowFloor { found: String, floor: String } = "gpu_driver_below_floor", "gpu-9",
        "the GPU driver is {found}, the policy wants {floor}", hint: "the provider runs an image with a newer driver";
    /// A version, model or identity of a GPU is not one that the policy wants.
    GpuRefused { field: &'static str, found: String } = "gpu_refused", "gpu-9",
        "the GPU's {field} {found} is not in the policy", hint: "compare it with what the provider publishes";
    /// A GPU's switches were not verified, and nothing says that this is fine.
    GpuSwitchesUnchecked = "gpu_switches_unchecked", "gpu-9",
        "the GPU shares its memory over switches of which there is no evidence", hint: "bring the switches' evidence along, or the policy gives a reason to go without, or wants single GPUs";
    /// A switch says that it is another device than the one NVIDIA certified.
    SwitchIdentityMismatch { found: Hex<8> } = "switch_identity_mismatch", "gpu-9",
        "the switch calls itself {found}, its certificate does not", hint: "evidence was put together: do not trust this peer";
    /// A switch's configuration is not locked.
    SwitchUnlocked { found: u16 } = "switch_unlocked", "gpu-9",
        "the switch's lock status is {found}, not 1", hint: "the provider sets the switches to protected-PCIe mode and resets them";

    /// There are more or fewer GPUs than the policy wants.
    GpuCountMismatch { found: usize, wanted: usize } = "gpu_count_mismatch", "gpu-10",
        "there is evidence of {found} GPU(s), the policy wants {wanted}", hint: "use a policy made for this machine";
    /// One GPU stands for two.
    GpuTwice { device: String } = "gpu_twice", "gpu-10",
        "device {device} is there twice", hint: "evidence was copied: do not trust this peer";
    /// The GPUs are in different modes.
    GpuModesDiffer = "gpu_modes_differ", "gpu-10",
        "the GPUs are not all in the same mode", hint: "the provider sets all GPUs of a machine to the same confidential mode";
    /// A GPU beside switches has no name on the fabric.
    FabricNameMissing { device: String } = "fabric_name_missing", "gpu-11",
        "the certificates of GPU {device} give it no name on the fabric", hint: "this GPU cannot be told from others that switches name: use it alone";
    /// GPUs and switches do not name each other and nobody else.
    FabricMismatch { device: String, named: String, there: String } = "fabric_mismatch", "gpu-11",
        "{device} names {named}; the evidence is of {there}", hint: "the guest has all GPUs and switches of the machine and asks all of them, or none in protected-PCIe mode";

    // Intel TDX
    /// The quote is larger than a verifier reads.
    QuoteTooLarge { found: usize } = "quote_too_large", "tdx-1",
        "the quote has {found} bytes", hint: "a quote has at most 64 KiB; ask for the evidence again";
    /// The quote ends too early.
    QuoteTruncated = "quote_truncated", "tdx-1",
        "the quote ends before its parts do", hint: "it was cut on its way, or is something else: ask for the evidence again";
    /// The quote's parts do not fit together.
    QuoteMalformed { what: &'static str } = "quote_malformed", "tdx-1",
        "the quote is malformed: {what}", hint: "the bytes are not a quote, or were changed: ask for the evidence again";
    /// The quote's version is not known.
    QuoteVersion { found: u16 } = "quote_version", "tdx-1",
        "the quote has version {found}", hint: "known are 4 and 5: these bytes are no quote, or this verifier needs an update";
    /// The quote is signed by another kind of key than ECDSA P-256.
    QuoteKeyType { found: u16 } = "quote_key_type", "tdx-1",
        "the quote names key type {found}", hint: "only type 2 is in use: the bytes are no quote, or were changed";
    /// The quote is of a TEE that is not known.
    QuoteTeeType { found: u32 } = "quote_tee_type", "tdx-1",
        "the quote is of TEE type {found:#x} in a version that has none such", hint: "a TD's quote has type 0x81 and version 4 or 5";
    /// The quote is of an SGX enclave, not of a TD.
    QuoteOfEnclave { version: u16 } = "quote_of_enclave", "tdx-1",
        "this is an SGX enclave's quote, version {version}, not a TD's", hint: "bring the quote of the TD itself";
    /// The quote's body is of a type that is not known.
    QuoteBodyType { found: u16 } = "quote_body_type", "tdx-1",
        "the quote's body has type {found}", hint: "known are TD report 1.0 and 1.5: update this verifier if the module is newer";
    /// The quoting enclave is of an unknown vendor.
    QuoteVendor { found: Hex<16> } = "quote_vendor", "tdx-1",
        "the quoting enclave's vendor is {found}", hint: "only Intel's is known: do not trust this peer";
    /// The quote comes without the certificates that show whose it is.
    QuoteCertification { found: u16 } = "quote_certification", "tdx-1",
        "the quote brings certification data of type {found}", hint: "the provider sets up its quoting service to put the PCK's chain (type 5) into quotes";
    /// Bytes that are not zero follow the quote.
    QuoteTrailing { extra: usize } = "quote_trailing", "tdx-1",
        "{extra} byte(s) follow the quote, and not all are zero", hint: "whoever collects it must keep its exact length; or the policy gives a reason";

    /// A certificate of Intel's cannot be read as X.509.
    IntelCertificateMalformed { which: &'static str } = "intel_certificate_malformed", "tdx-2",
        "the {which} certificate cannot be read as X.509", hint: "ask for the evidence, or fetch the collateral, again";
    /// A certificate is not of the form that Intel gives it.
    IntelCertificateProfile { which: &'static str, what: &'static str } = "intel_certificate_profile", "tdx-2",
        "the {which} certificate {what}", hint: "it is not what Intel issues for this use: do not trust this peer";
    /// A certificate is not signed by the one above it.
    IntelCertificateSignature { which: &'static str } = "intel_certificate_signature", "tdx-2",
        "the {which} certificate is not signed by its issuer", hint: "certificates of two platforms are mixed, or bytes were changed";
    /// A certificate is past its validity.
    IntelCertificateExpired { which: &'static str, until: Time } = "intel_certificate_expired", "tdx-2",
        "the {which} certificate ended {until}", hint: "the provider renews it; check this machine's clock";
    /// A certificate is not valid yet.
    IntelCertificateNotYetValid { which: &'static str, from: Time } = "intel_certificate_not_yet_valid", "tdx-2",
        "the {which} certificate begins {from}", hint: "check this machine's clock";
    /// The PCK's chain does not have three certificates.
    PckChainLength { found: usize } = "pck_chain_length", "tdx-2",
        "the PCK's chain has {found} certificate(s), not three", hint: "the provider's quoting service must put leaf, authority and root into quotes, in this order";
    /// A chain ends in a root that nobody named.
    IntelRootUnknown { root: String } = "intel_root_unknown", "tdx-2",
        "root {root} is not Intel's", hint: "the evidence is not Intel's: do not trust this peer";
    /// The quote ends in a simulated root that the policy does not name.
    TdxSimulatedRootRefused { root: Hex<32> } = "tdx_simulated_root_refused", "tdx-2",
        "simulated root {root} is not in the policy", hint: "this is no Intel hardware; to test with it, name the root under [simulation] in the policy";

    /// A revocation list of Intel's cannot be read, or says more than a list does.
    IntelCrlMalformed { which: &'static str, what: &'static str } = "intel_crl_malformed", "tdx-3",
        "the {which} CRL {what}", hint: "fetch it again";
    /// A revocation list is another authority's.
    IntelCrlIssuer { which: &'static str } = "intel_crl_issuer", "tdx-3",
        "the {which} CRL is another authority's", hint: "there is one for platform and one for processor PCKs: fetch the one of this PCK's authority";
    /// A revocation list is not signed by its authority.
    IntelCrlSignature { which: &'static str } = "intel_crl_signature", "tdx-3",
        "the {which} CRL is not signed by its authority", hint: "bytes were changed: fetch it again";
    /// A revocation list is stale.
    IntelCrlExpired { which: &'static str, until: Time } = "intel_crl_expired", "tdx-3",
        "the {which} CRL ended {until}", hint: "`chrysalis fetch` gets a current one; the provider staples it";
    /// A revocation list is from the future.
    IntelCrlNotYetValid { which: &'static str, from: Time } = "intel_crl_not_yet_valid", "tdx-3",
        "the {which} CRL begins {from}", hint: "check this machine's clock";
    /// Intel revoked a certificate.
    IntelCertificateRevoked { which: &'static str } = "intel_certificate_revoked", "tdx-3",
        "the {which} certificate is revoked", hint: "do not trust this platform";

    /// There is nothing of Intel's about the platform.
    TdxCollateralMissing = "tdx_collateral_missing", "tdx-4",
        "there is no collateral of Intel's", hint: "the provider staples it; or `chrysalis fetch EVIDENCE --into DIR` gets it, and `--collateral DIR` brings it";
    /// The collateral is larger than a verifier reads.
    TdxCollateralTooLarge { found: usize } = "tdx_collateral_too_large", "tdx-4",
        "the collateral has {found} bytes", hint: "real collateral has 20 KB, the limit is 512 KiB";
    /// The collateral cannot be read.
    TdxCollateralMalformed { what: &'static str } = "tdx_collateral_malformed", "tdx-4",
        "the collateral is malformed: {what}", hint: "fetch it again";
    /// A document of Intel's is not signed by its signer.
    TdxCollateralSignature { which: &'static str } = "tdx_collateral_signature", "tdx-4",
        "the {which} is not signed by its signer", hint: "it must be kept byte by byte as Intel's service gave it: fetch it again";
    /// A signed document does not say what such a document says.
    TdxCollateralContent { which: &'static str, what: String } = "tdx_collateral_content", "tdx-4",
        "the {which}: {what}", hint: "Intel's format may be newer: update this verifier";
    /// A signed document is of another kind than wanted.
    TdxCollateralKind { which: &'static str, found: String } = "tdx_collateral_kind", "tdx-4",
        "the {which} is {found}", hint: "fetch the collateral for TDX, not for SGX; or update this verifier if the version is newer";
    /// A document of Intel's is stale.
    TdxCollateralExpired { which: &'static str, until: Time } = "tdx_collateral_expired", "tdx-4",
        "the {which} ended {until}", hint: "`chrysalis fetch` gets a current one; the provider staples it";
    /// A document of Intel's is from the future.
    TdxCollateralNotYetValid { which: &'static str, from: Time } = "tdx_collateral_not_yet_valid", "tdx-4",
        "the {which} begins {from}", hint: "check this machine's clock";

    /// The quoting enclave's report is not signed by the PCK.
    QeReportSignature = "qe_report_signature", "tdx-5",
        "the quoting enclave's report is not signed by the PCK", hint: "parts of two quotes are mixed, or bytes were changed";
    /// The quoting enclave does not vouch for the key that signed the quote.
    QeReportData = "qe_report_data", "tdx-5",
        "the quoting enclave's report does not name the attestation key", hint: "parts of two quotes are mixed, or bytes were changed";
    /// The quoting enclave is not Intel's.
    QeIdentityMismatch { field: &'static str } = "qe_identity_mismatch", "tdx-5",
        "the quoting enclave's {field} is not what Intel published", hint: "whatever made the quote is not Intel's quoting enclave: do not trust this peer";

    /// The quote is not signed by its attestation key.
    QuoteSignature = "quote_signature", "tdx-6",
        "the quote is not signed by its attestation key", hint: "bytes were changed: ask for the evidence again";

    /// TCB info is of another platform.
    TcbInfoMismatch { field: &'static str, found: String, wanted: String } = "tcb_info_mismatch", "tdx-7",
        "TCB info is of {field} {found}, the platform has {wanted}", hint: "fetch the collateral by the FMSPC of this quote's PCK";
    /// TCB info does not know the TDX module.
    TdxModuleUnknown { version: u8 } = "tdx_module_unknown", "tdx-7",
        "TCB info knows no TDX module of version {version}", hint: "fetch current collateral: the module may be newer than it";
    /// The TDX module is not Intel's.
    TdxModuleMismatch { field: &'static str } = "tdx_module_mismatch", "tdx-7",
        "the TDX module's {field} is not what Intel published", hint: "the module is not Intel's production module: do not trust this peer";
    /// The platform is below every level that Intel knows.
    TcbNotSupported { what: &'static str } = "tcb_not_supported", "tdx-7",
        "no level matches {what}", hint: "the provider updates the platform's firmware, and launches the TD again";
    /// Intel says a word about a platform that is not known.
    TcbStatusUnknown { found: String } = "tcb_status_unknown", "tdx-7",
        "the collateral has status {found}", hint: "update this verifier: the word may mean something worse than those it knows";

    /// Intel revoked the platform's level. No policy accepts this.
    TcbRevoked = "tcb_revoked", "tdx-8",
        "the platform's level is revoked", hint: "its keys are not to be trusted: do not trust this peer";
    /// The platform is not as current as the policy wants.
    TcbStatusRefused { found: Status, lagging: String, advisories: String } = "tcb_status_refused", "tdx-8",
        "the platform is {found}{lagging} (advisories: {advisories})", hint: "ask the provider to update what lags behind, or list this status in the policy";
    /// The rules that the platform was judged by are older than the policy wants.
    TcbEvaluationBelowFloor { found: u32, floor: u32 } = "tcb_evaluation_below_floor", "tdx-8",
        "the collateral has evaluation number {found}, the policy wants {floor}", hint: "fetch current collateral";
    /// An advisory applies that the policy does not accept.
    TcbAdvisoryRefused { advisory: String } = "tcb_advisory_refused", "tdx-8",
        "advisory {advisory} applies to the platform", hint: "the provider updates the platform";
    /// The TD's launch level is below the policy's floor.
    TeeTcbBelowFloor { found: Hex<16>, floor: Hex<16> } = "tee_tcb_below_floor", "tdx-8",
        "TEE_TCB_SVN is {found}, the policy wants at least {floor}", hint: "the provider updates the TDX module, and launches the TD again";
    /// A bit has a value that has no meaning.
    TdReserved { field: &'static str, bits: u64 } = "td_reserved", "tdx-8",
        "the TD's {field} has reserved bits {bits:#x}", hint: "newer hardware may give them a meaning: update this verifier";
    /// The host may read or profile the TD.
    TdDebug = "td_debug", "tdx-8",
        "the TD may be debugged or profiled by its host", hint: "the provider launches the TD without debugging and profiling";
    /// The TD may be moved to another machine.
    TdMigratable = "td_migratable", "tdx-8",
        "the TD may be moved to another machine", hint: "the provider launches the TD without migration; or your policy allows it";
    /// The TD may use performance counters.
    TdPerfmon = "td_perfmon", "tdx-8",
        "the TD may use performance counters", hint: "the provider launches the TD without them; or your policy allows them";
    /// Service TDs are bound to the TD.
    TdServiceTd = "td_service_td", "tdx-8",
        "a service TD is bound to the TD", hint: "the provider launches the TD without; or your policy allows it";
    /// Devices may reach into the TD's memory.
    TdDevices = "td_devices", "tdx-8",
        "devices may reach into the TD's memory (TDX Connect)", hint: "ask the provider to launch the TD without them, or allow them in the policy with `devices = true`";
    /// The host may take away and add the TD's pages unnoticed.
    TdSeptVe = "td_sept_ve", "tdx-8",
        "the TD runs without SEPT_VE_DISABLE", hint: "the provider launches the TD with it; or the policy gives a reason";
    /// A value of the TD is not one that the policy wants.
    TdRefused { field: &'static str, found: String } = "td_refused", "tdx-8",
        "the TD's {field} {found} is not in the policy", hint: "compare it with what the provider publishes";
    /// The platform is set up in a way that the policy does not want.
    PlatformRefused { flag: &'static str } = "platform_refused", "tdx-8",
        "the platform's certificate does not rule out: {flag}", hint: "use another platform; or your policy allows it";

    /// There is no event log, and nothing says that this is fine.
    EventLogMissing = "event_log_missing", "tdx-9",
        "there is no event log", hint: "the guest reads it from the CCEL table; or the policy gives a reason to go without";
    /// The event log is larger than a verifier reads.
    EventLogTooLarge { found: usize } = "event_log_too_large", "tdx-9",
        "the event log has {found} bytes", hint: "the limit is 1 MiB: bring the log without the unused area behind it";
    /// The event log cannot be read.
    EventLogMalformed { what: &'static str } = "event_log_malformed", "tdx-9",
        "the event log is malformed: {what}", hint: "bring the CCEL table's data, byte by byte";
    /// The event log does not make the registers.
    EventLogMismatch { register: u8, wanted: Hex<48> } = "event_log_mismatch", "tdx-9",
        "the event log does not make RTMR{register} {wanted}", hint: "the log is of another boot, or something was measured after it was read";
    /// An event of RTMR0 is not the one that the policy wants.
    EventUnexpected { index: usize, found: String } = "event_unexpected", "tdx-9",
        "event {index} of RTMR0 is {found}", hint: "the machine is of another shape, or its firmware was set up otherwise: compare the log with `chrysalis measure --event-log`";

    // Releases, and who rebuilt them
    /// A public key is of no kind that signs releases.
    ReleaseKeyMalformed = "release_key_malformed", "release-1",
        "the key is neither an Ed25519 nor a P-256 public key", hint: "bring the public key, PEM or DER, as `openssl pkey -pubout` writes it";
    /// A signed file is not a DSSE envelope.
    EnvelopeMalformed { what: String } = "envelope_malformed", "release-1",
        "the file is no DSSE envelope: {what}", hint: "fetch it again; docs/spec/manifest.md says what it looks like";
    /// The key is the development key, whose private half is public, and nobody named it.
    DevelopmentKey = "development_key", "release-1",
        "this is the development key: anyone can sign with it", hint: "use the key of a publisher that you trust; to try things out, name it with --development-root";
    /// The envelope holds another kind of statement than the one that was asked for.
    EnvelopePayloadType { found: String, wanted: &'static str } = "envelope_payload_type", "release-1",
        "the envelope's payload is {found:?}, not {wanted:?}", hint: "this is another file: bring the manifest, root statement or key statement that was asked for";
    /// Nobody signed the envelope.
    EnvelopeUnsigned = "envelope_unsigned", "release-2",
        "the envelope has no signature", hint: "do not use it: fetch the signed one";
    /// A signature in the envelope is not its key's.
    EnvelopeSignature { key: Hex<32> } = "envelope_signature", "release-2",
        "the signature of key {key} is wrong", hint: "bytes were changed: fetch the file again, and do not use this one";
    /// The envelope is signed, but not by the key that was asked for.
    EnvelopeKeyUnknown { wanted: Hex<32> } = "envelope_key_unknown", "release-2",
        "key {wanted} signed nothing here", hint: "compare the key with the one that the publisher names in more than one place";
    /// A signed statement cannot be read.
    StatementMalformed { what: String } = "statement_malformed", "release-3",
        "the signed statement is malformed: {what}", hint: "its format may be newer: update this verifier";
    /// A signed statement is of another kind.
    StatementType { found: String, wanted: &'static str } = "statement_type", "release-3",
        "the statement is {found:?}, not {wanted:?}", hint: "a manifest says what a release is, a rebuild statement that somebody confirms it: bring the other one, or update this verifier";
    /// The release is of another project.
    ReleaseProject { found: String, wanted: String } = "release_project", "release-3",
        "the release is of project {found:?}, not of {wanted:?}", hint: "take the manifest of the project that you asked for; --project names another one where --key is used";
    /// The release is from the future.
    ReleaseNotYetValid { from: Time } = "release_not_yet_valid", "release-4",
        "the release was issued {from}", hint: "check this machine's clock";
    /// The release is too old to be trusted.
    ReleaseExpired { until: Time } = "release_expired", "release-4",
        "the release ended {until}", hint: "take the newest release; ask its publisher where none is newer";
    /// A newer release of this project was seen before, under whatever key.
    ReleaseRolledBack { found: u64, seen: u64 } = "release_rolled_back", "release-5",
        "the release has epoch {found}, epoch {seen} was seen before", hint: "somebody offers an old release: take the newest one";
    /// Two releases of this project have one epoch.
    ReleaseEpochReused { epoch: u64 } = "release_epoch_reused", "release-5",
        "another release of epoch {epoch} was seen before", hint: "the publisher signed two releases where one is the rule: ask which is which before you trust either";
    /// Too few of the policy's rebuilders confirm the image.
    RebuildersTooFew { found: usize, wanted: usize, measured: String } = "rebuilders_too_few", "policy-13",
        "{found} of the policy's rebuilders confirm {measured}, {wanted} must", hint: "bring their statements with --statement; `chrysalis audit --sign` makes one of your own";

    // The root of a project, and the keys that it vouches for
    /// A new root statement is not signed by the root before it.
    ReleaseRootNotVouched { old: Hex<32> } = "release_root_not_vouched", "root-4",
        "the new root is not signed by the old one, {old}", hint: "do not use it: ask the publisher, in more than one place, which root is theirs";
    /// A root statement is not the next one.
    ReleaseRootVersionSkipped { found: u64, wanted: u64 } = "release_root_version_skipped", "root-4",
        "the next root statement has version {found}, not {wanted}", hint: "fetch every root statement of the publisher, one for each version";
    /// A new root statement is of another project.
    ReleaseRootProject { found: String, wanted: String } = "release_root_project", "root-4",
        "the new root is of project {found:?}, not of {wanted:?}", hint: "do not use it: a project keeps its name from root to root";
    /// The root statement is from the future.
    ReleaseRootNotYetValid { from: Time } = "release_root_not_yet_valid", "root-5",
        "the root statement was issued {from}", hint: "check this machine's clock";
    /// The newest root statement is too old to be trusted.
    ReleaseRootExpired { until: Time } = "release_root_expired", "root-5",
        "the root statement ended {until}", hint: "fetch the publisher's newest root statement; ask the publisher if there is none";
    /// A newer root statement of this project was seen before.
    ReleaseRootRolledBack { found: u64, seen: u64 } = "release_root_rolled_back", "root-6",
        "the newest root statement has version {found}, version {seen} was seen before", hint: "somebody withholds the newer root: fetch it from the publisher";
    /// Two root statements of this project have one version.
    ReleaseRootVersionReused { version: u64 } = "release_root_version_reused", "root-6",
        "another root statement of version {version} was seen before", hint: "ask the publisher which root is theirs before you trust either; a root that replaces a lost one has a higher version";
    /// Another root than the one that was named signed the key statement.
    ReleaseRootUnknown { wanted: Hex<32> } = "release_root_unknown", "keys-2",
        "root {wanted} did not sign the key statement", hint: "bring the key statement of the project whose root you name, and every root statement since";
    /// A key statement is of another project than its root.
    KeyStatementProject { found: String, wanted: String } = "key_statement_project", "keys-3",
        "the key statement is of project {found:?}, not of {wanted:?}", hint: "bring the key statement of the project whose root you name";
    /// The key statement is from the future.
    KeyStatementNotYetValid { from: Time } = "key_statement_not_yet_valid", "keys-4",
        "the key statement was issued {from}", hint: "check this machine's clock";
    /// The key statement is too old to be trusted.
    KeyStatementExpired { until: Time } = "key_statement_expired", "keys-4",
        "the key statement ended {until}", hint: "fetch the publisher's newest key statement; ask the publisher if there is none";
    /// A newer key statement of this project was seen before.
    KeyStatementRolledBack { found: u64, seen: u64 } = "key_statement_rolled_back", "keys-5",
        "the key statement has version {found}, version {seen} was seen before", hint: "somebody offers an old one, in which a key may not be revoked yet: fetch the newest";
    /// Two key statements of this project have one version.
    KeyStatementVersionReused { version: u64 } = "key_statement_version_reused", "keys-5",
        "another key statement of version {version} was seen before", hint: "the root signed two statements where one is the rule: ask the publisher which is theirs before you trust either";
    /// No key that the root lets sign releases signed the manifest.
    ReleaseKeyNotVouched { root: Hex<32> } = "release_key_not_vouched", "keys-6",
        "root {root} vouches for no key that signed this release", hint: "fetch the manifest and the key statement again; ask the publisher which key signed it";
    /// The key that signed the manifest is revoked.
    ReleaseKeyRevoked { key: Hex<32> } = "release_key_revoked", "keys-6",
        "the release key {key} is revoked", hint: "do not use this release: take one that another key signed";
    /// The key that signed the manifest does not count yet.
    ReleaseKeyNotYetValid { key: Hex<32>, from: Time } = "release_key_not_yet_valid", "keys-6",
        "the release key {key} counts from {from} on", hint: "check this machine's clock";
    /// The key that signed the manifest has expired.
    ReleaseKeyExpired { key: Hex<32>, until: Time } = "release_key_expired", "keys-6",
        "the release key {key} ended {until}", hint: "take the newest release and key statement; ask the publisher if there are none";
    /// The log does not have a statement or manifest that must be in it.
    LogEntryMissing { what: &'static str } = "log_entry_missing", "keys-7",
        "nothing shows that the log has {what}", hint: "fetch the publisher's log again; what is not in it could be shown to you alone";
    /// The root vouches for no key of a log.
    LogKeyNotVouched { root: Hex<32> } = "log_key_not_vouched", "keys-7",
        "root {root} vouches for no log key that counts now", hint: "fetch the publisher's newest key statement; ask the publisher if there is none";

    // The log that they are in
    /// A log's checkpoint cannot be read.
    CheckpointMalformed { what: &'static str } = "checkpoint_malformed", "log-1",
        "the checkpoint is malformed: {what}", hint: "fetch it again; it is a note of origin, size and root";
    /// The log's signature is wrong.
    CheckpointSignature { key: Hex<32> } = "checkpoint_signature", "log-1",
        "the checkpoint's signature of key {key} is wrong", hint: "bytes were changed: fetch it again";
    /// The log's key signed nothing here.
    CheckpointUnsigned { wanted: Hex<32> } = "checkpoint_unsigned", "log-1",
        "the checkpoint has no signature of key {wanted}", hint: "this is another log, or the key is not an Ed25519 key: compare both with what the log's operator publishes";
    /// A proof from a log cannot be read.
    LogProofMalformed { what: &'static str } = "log_proof_malformed", "log-2",
        "the log's proof is malformed: {what}", hint: "fetch it again";
    /// A proof does not lead from this entry to the log's root.
    LogProofMismatch { index: u64, size: u64 } = "log_proof_mismatch", "log-2",
        "the proof does not show this file as entry {index} of {size}", hint: "the proof is of another file, or this file was never in the log";
    /// The log has fewer entries than it had.
    LogShrunk { found: u64, seen: u64 } = "log_shrunk", "log-3",
        "the log has {found} entries, it had {seen}", hint: "an old copy is served: fetch from the log's own address";
    /// Nothing shows that the log only grew.
    LogGrowthMissing { from: u64 } = "log_growth_missing", "log-3",
        "nothing shows how the log grew from {from} entries", hint: "bring the log's file consistency/{from}";
    /// The log shows two histories.
    LogForked { size: u64 } = "log_forked", "log-3",
        "the log is not the one whose first {size} entries were seen before", hint: "keep both checkpoints: together they prove that the log lies; trust no release of it";
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
