//! Why evidence is refused: one variant per reason, each with a stable code, its step and what to do next.
//!
//! The table below is the only list; docs/reference/rejections.md is generated from it.

use std::fmt;

use crate::{
    encoding::{digest::Hex, utc::Time},
    nvidia::indices::Indices,
    snp::{broken::Broken, firmware::Firmware, product::Product, tcb::Tcb},
    tdx::status::Status,
};

/// A line of the reference: what a code means, apart from the details of one case.
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
            #[expect(clippy::large_stack_arrays, reason = "a constant stands in no frame")]
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
        "the bundle has {found} bytes", hint: "ask for the evidence again; a bundle has at most 1 MiB";
    /// The bundle is not the one deterministic encoding of its content.
    BundleMalformed { what: &'static str } = "bundle_malformed", "bundle-1",
        "the bundle is malformed: {what}", hint: "ask for the evidence again; docs/spec/bundle.md specifies its encoding";
    /// The bundle has an item that is unknown, missing or of the wrong type.
    BundleItem { item: String } = "bundle_item", "bundle-2",
        "the bundle's item `{item}` is unknown, missing or of the wrong type", hint: "update this verifier, as the peer may speak a newer version, or ask the provider which version it runs";
    /// The bundle leaves out what the client that asked for it has.
    BundleShort = "bundle_short", "bundle-1",
        "the bundle is a short one, which only the client that asked for it can fill", hint: "ask again without `have`, or keep the whole bundle with `chrysalis verify URL --save FILE`";
    /// The path of a question that shares its report with others is not one that any tree has.
    PathMalformed { what: &'static str } = "path_malformed", "bundle-2",
        "the path in the bundle: {what}", hint: "ask for the evidence again; docs/spec/batch.md specifies the path";
    /// The path says that more questions share the report than may.
    BatchTooLarge { found: u64 } = "batch_too_large", "bundle-2",
        "the path says that {found} questions share this report; at most 65536 do", hint: "do not trust this peer: no enclave answers so many with one report";
    /// The certificate carries no evidence.
    EvidenceMissing = "evidence_missing", "bundle-3",
        "the certificate has no extension id-pe-cmw", hint: "check the address: the peer is not a Chrysalis enclave, or something in between terminates TLS";
    /// A certificate or revocation list is not what X.509 allows.
    CertificateMalformed { which: &'static str } = "certificate_malformed", "bundle-3",
        "{which} cannot be read as X.509", hint: "fetch it again from its vendor";
    /// The certificate table that accompanies the report cannot be read.
    CertificateTable { what: &'static str } = "certificate_table", "bundle-3",
        "the certificate table is malformed: {what}", hint: "ask the provider to load it again: the host writes this table";

    // SNP: is it genuine
    /// The bytes around Azure's report are not an HCL report.
    HclMalformed { what: &'static str } = "hcl_malformed", "hcl-1",
        "the HCL report: {what}", hint: "pass the contents of the vTPM's NV index 0x01400001 unchanged";
    /// The paravisor's runtime data do not match the digest in the report.
    HclRuntimeData = "hcl_runtime_data", "hcl-2",
        "the report's data are not the digest of the HCL's runtime data", hint: "ask for the evidence again: report and runtime data are from different boots, or bytes were changed";

    /// The TDREPORT in the HCL report is not the one that the quote was made from.
    HclQuoteMismatch { field: &'static str } = "hcl_quote_mismatch", "hcl-2",
        "the quote and the TDREPORT in the HCL report differ in {field}", hint: "ask for the evidence again: the two are from different boots or different TDs";
    /// The report was not requested by the paravisor, so nothing vouches for what is said in its name.
    HclVmpl { found: u32 } = "hcl_vmpl", "hcl-2",
        "VMPL {found} asked for the report, not the paravisor at VMPL 0", hint: "do not trust this peer: a guest can write runtime data of its own";
    /// The runtime data that accompany the report do not name the virtual TPM's key.
    VtpmKey { what: &'static str } = "vtpm_key", "hcl-3",
        "the HCL's runtime data: {what}", hint: "update this verifier: the paravisor is older or newer than those it knows";
    /// The virtual TPM's quote is not what a TPM signs over PCRs.
    VtpmQuoteMalformed { what: &'static str } = "vtpm_quote_malformed", "hcl-4",
        "the vTPM's quote: {what}", hint: "pass the TPMS_ATTEST byte for byte, as tpm2_quote writes its message, over PCRs of the SHA-256 bank";
    /// The virtual TPM's quote is not signed by the key that the report covers.
    VtpmQuoteSignature = "vtpm_quote_signature", "hcl-5",
        "the vTPM's quote is not signed by the key that the report covers", hint: "ask for the evidence again: quote and report are from different boots or machines, or bytes were changed";
    /// The virtual TPM's quote answers a different nonce.
    VtpmNonceMismatch { found: String } = "vtpm_nonce_mismatch", "hcl-6",
        "the vTPM's quote answers nonce {found}, not yours", hint: "ask again: the quote is old or from another conversation; do not trust this peer if it happens again";
    /// The PCRs' values did not come with the quote, and nothing waives them.
    VtpmPcrsMissing = "vtpm_pcrs_missing", "hcl-7",
        "there are no values of the quoted PCRs", hint: "read the PCRs of the SHA-256 bank when collecting the quote";
    /// There are more or fewer values of PCRs than were quoted.
    VtpmPcrCount { found: usize, quoted: usize } = "vtpm_pcr_count", "hcl-7",
        "there are values of {found} PCRs, {quoted} were quoted", hint: "pass the values of exactly the quoted PCRs, in ascending order";
    /// The PCRs' values are not the quoted ones.
    VtpmPcrDigest = "vtpm_pcr_digest", "hcl-7",
        "the PCRs' values are not the quoted ones", hint: "ask for the evidence again: they were read at another time, or changed";
    /// The policy pins a PCR that no quote covers.
    VtpmPcrUnquoted { index: u8 } = "vtpm_pcr_unquoted", "hcl-8",
        "the policy pins PCR {index}, and no quote covers it", hint: "pass the quote of Azure's vTPM, with this PCR and its value; anywhere but on Azure, remove `pcrs` from the policy";
    /// A PCR has a value that the policy does not want.
    VtpmPcrUnknown { index: u8, found: Hex<32> } = "vtpm_pcr_unknown", "hcl-8",
        "PCR {index} {found} is not in the policy", hint: "compare the value with that of a machine you trust: something else was booted";

    /// The report is not exactly 1184 bytes long.
    ReportLength { found: usize } = "report_length", "snp-1",
        "the report has {found} bytes, not 1184", hint: "ask for the evidence again: the report was cut or padded on its way";
    /// The report's layout version is not known.
    ReportVersion { found: u32 } = "report_version", "snp-1",
        "the report has version {found}", hint: "update this verifier if the firmware is newer: it knows versions 2 to 5";
    /// The report is not signed with ECDSA P-384 and SHA-384.
    ReportAlgorithm { found: u32 } = "report_algorithm", "snp-1",
        "the report names signature algorithm {found}", hint: "ask for the evidence again: only algorithm 1 exists, so the bytes are not a report, or were changed";
    /// A reserved field of the report has a value whose meaning is not known.
    ReportReserved { field: &'static str } = "report_reserved", "snp-1",
        "the report's {field} has a reserved value", hint: "update this verifier: newer firmware may give the field a meaning; otherwise the bytes were changed";
    /// The report says that no key signed it.
    ReportUnsigned = "report_unsigned", "snp-2",
        "the report is not signed", hint: "ask the provider to turn MaskChipKey off: the host masked the chip's key";
    /// The certificate of the key that signed the report is missing.
    LeafMissing { kind: &'static str } = "leaf_missing", "snp-2",
        "there is no {kind} certificate", hint: "ask the provider to staple it, or run `chrysalis fetch EVIDENCE --into DIR`, which gets it from AMD's key service by chip and reported TCB";
    /// There are several certificates for the key that signed the report.
    LeafAmbiguous { kind: &'static str } = "leaf_ambiguous", "snp-2",
        "there are several {kind} certificates", hint: "pass only one: that of this chip and its reported TCB";
    /// The certificate of the report's key does not have the form that AMD issues.
    LeafProfile { what: &'static str } = "leaf_profile", "snp-2",
        "the report key's certificate: {what}", hint: "pass the VCEK or VLEK certificate exactly as AMD's key service returns it";
    /// No root is known for this CPU.
    ProductUnknown { found: String } = "product_unknown", "snp-3",
        "no root is known for {found}", hint: "update this verifier for newer CPUs: it knows Milan, Genoa and Turin";
    /// CPU, certificate and root name different product lines.
    ProductMismatch { report: Product, certificate: Product } = "product_mismatch", "snp-3",
        "the report is from {report}, its certificate is for {certificate}", hint: "pass the certificates of the machine that made the report";
    /// The evidence ends in a simulated root that the policy does not name.
    SimulatedRootRefused { root: String } = "simulated_root_refused", "snp-3",
        "simulated root {root} is not in the policy", hint: "do not trust this peer: this is not AMD hardware; to test with it, name the root under [simulation] in the policy";
    /// The evidence ends in a root that is not pinned.
    RootUnknown { root: String } = "root_unknown", "snp-3",
        "root {root} is not one of the pinned ones", hint: "do not trust this peer: the evidence is not AMD's";
    /// A simulated root must come with the evidence, and did not.
    RootMissing { name: String } = "root_missing", "snp-3",
        "the simulated root {name} is not in the evidence", hint: "ask again, since the enclave staples it, or pass ark.pem yourself";
    /// The certificate between the root and the report's key is missing.
    IntermediateMissing { name: String } = "intermediate_missing", "snp-4",
        "the certificate {name} is missing", hint: "ask again, since the enclave staples it, or pass ask.pem yourself";
    /// The report's key was signed by an intermediate in AMD's name that is not one of the pinned ones.
    IntermediateUnknown { name: String, found: Hex<32> } = "intermediate_unknown", "snp-4",
        "the certificate {name} that signed the report's key, {found}, is not the pinned one", hint: "update this verifier, as AMD may have replaced it; if there is no update, do not trust this peer";
    /// A root or intermediate is not a certificate authority with the expected name.
    ChainProfile { which: &'static str, what: &'static str } = "chain_profile", "snp-4",
        "the {which} certificate: {what}", hint: "pass the cert_chain that AMD's key service returns for this product";
    /// A certificate is not signed by the one above it.
    ChainSignature { which: &'static str } = "chain_signature", "snp-4",
        "the {which} certificate is not signed by its issuer", hint: "fetch the certificates again: those of two machines or products are mixed, or bytes were changed";
    /// A certificate is past its validity.
    CertificateExpired { which: &'static str, until: Time } = "certificate_expired", "snp-4",
        "the {which} certificate expired at {until}", hint: "fetch a current one, and check this machine's clock";
    /// A certificate is not valid yet.
    CertificateNotYetValid { which: &'static str, from: Time } = "certificate_not_yet_valid", "snp-4",
        "the {which} certificate is not valid before {from}", hint: "check this machine's clock";
    /// The revocation list contains a certificate of the chain.
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
        "the revocation list expired at {until}", hint: "run `chrysalis fetch` to get the current one, or ask the provider to staple it";
    /// The revocation list is from the future.
    CrlNotYetValid { from: Time } = "crl_not_yet_valid", "snp-4",
        "the revocation list is not valid before {from}", hint: "check this machine's clock";
    /// The report is not signed by the certified key.
    ReportSignature = "report_signature", "snp-5",
        "the report is not signed by the certified key", hint: "ask for the evidence again: the report was changed, or the certificate belongs to a different chip or TCB";
    /// The reported TCB is not the one that the key is certified for.
    TcbCertificateMismatch { report: Tcb, certificate: Tcb } = "tcb_certificate_mismatch", "snp-6",
        "the report says {report}; its key is certified for {certificate}", hint: "pass the certificate for the reported TCB";
    /// The report's chip is not the one that the key is certified for.
    ChipMismatch { found: Hex<64> } = "chip_mismatch", "snp-7",
        "chip {found} is not the certified one", hint: "pass the certificate of the chip that made the report";
    /// The firmware levels in the report contradict each other.
    TcbInconsistent { what: &'static str } = "tcb_inconsistent", "snp-8",
        "the report's firmware levels contradict each other: {what}", hint: "do not trust this peer: honest firmware never reports this";

    // Is it about this channel
    /// The claims are not the one deterministic encoding of known fields.
    ClaimsMalformed { what: String } = "claims_malformed", "bind-1",
        "the claims are malformed: {what}", hint: "update this verifier: the peer may speak a newer version";
    /// The claims follow an unknown profile.
    ClaimsProfile { found: String } = "claims_profile", "bind-1",
        "the claims follow profile {found:?}", hint: "update this verifier: the peer speaks another version";
    /// The bundle came without the conversation that it must be bound to.
    ConversationMissing = "conversation_missing", "bind-2",
        "nothing says which conversation and which key the evidence is about", hint: "pass the saved session instead of its bundle, or give key, nonce and exporter; without them nothing can be trusted";
    /// The evidence was made at boot where a fresh answer was asked for.
    NotFresh = "not_fresh", "bind-2",
        "the evidence was made at boot, not for your nonce", hint: "ask again: old evidence was replayed; do not trust this peer if it happens again";
    /// The evidence is about another conversation, another TLS key or other claims.
    BindingMismatch = "binding_mismatch", "bind-2",
        "the report is not about this nonce, this TLS session, this key and these claims", hint: "do not send anything: something between you and the enclave terminates TLS or replays evidence";
    /// The report is not about a batch of questions in which this conversation is where the path says.
    PathMismatch { index: u32, count: u32 } = "path_mismatch", "bind-2",
        "the report is not about this nonce, this TLS session, this key and these claims as question {index} of {count}", hint: "do not send anything: something between you and the enclave terminates TLS, replays evidence or passes on another client's";
    /// The claimed configuration is not the one in the hardware report.
    ConfigurationMismatch = "configuration_mismatch", "bind-3",
        "the claimed configuration is not the one in the report's HOST_DATA", hint: "do not trust this peer: the enclave is not what it says";

    // Is it what I want
    /// The evidence is from a platform that the policy does not accept.
    PlatformUnwanted { found: &'static str, section: &'static str } = "platform_unwanted", "policy-1",
        "the evidence is from {found}, and the policy has no [{section}]", hint: "use a policy made for this machine";
    /// The report's layout version is not one that the policy accepts.
    ReportVersionRefused { found: u32 } = "report_version_refused", "policy-1",
        "report version {found} is not in the policy", hint: "ask the provider to update the firmware, or list the version under snp.versions";
    /// The product line is known to be broken, and the policy does not accept that.
    ProductBroken { broken: &'static Broken } = "product_broken", "policy-1",
        "{broken}", hint: "ask the provider for a machine of another line: no update helps. Only if you trust its owner with your prompts, give a reason under snp.broken in your policy";
    /// The product line is not one that the policy accepts.
    ProductRefused { found: Product } = "product_refused", "policy-1",
        "{found} is not in the policy", hint: "list it under snp.products, with a TCB floor that fits it";
    /// The chip is not one that the policy accepts.
    ChipUnknown { found: Hex<64> } = "chip_unknown", "policy-1",
        "chip {found} is not in the policy", hint: "list it under snp.chips if you know this machine";
    /// The host masks the chip's identity, and the policy does not accept that.
    ChipMasked = "chip_masked", "policy-1",
        "the chip's identity is masked, so it was not compared with the certificate", hint: "ask the provider to turn MaskChipId off, or give a reason under snp.masked_chip in your policy";
    /// Revocation was not checked, and the policy does not accept that.
    RevocationUnchecked = "revocation_unchecked", "policy-2",
        "there is no revocation list from the root", hint: "ask the provider to staple it, run `chrysalis fetch EVIDENCE --into DIR`, or give a reason under snp.revocation in your policy";
    /// A firmware level is below the policy's floor.
    TcbBelowFloor { which: &'static str, component: &'static str, found: u8, floor: u8 } = "tcb_below_floor", "policy-3",
        "the {which} {component} level is {found}, the policy requires at least {floor}", hint: "ask the provider to update the firmware, or to commit it if a committed level is below the floor. Lower the floor only if you know what that exposes";
    /// The SEV firmware is older than the policy allows.
    FirmwareBelowFloor { found: Firmware, floor: Firmware } = "firmware_below_floor", "policy-3",
        "the SEV firmware is {found}, the policy requires at least {floor}", hint: "ask the provider to update the firmware";
    /// The running firmware is not committed, and the policy forbids that.
    FirmwareProvisional = "firmware_provisional", "policy-3",
        "the running firmware can still be rolled back", hint: "ask the provider to commit the firmware (SNP_COMMIT, which `snphost commit` sends), or set snp.provisional_firmware = true in your policy";
    /// The host can read the guest's memory.
    DebugAllowed = "debug_allowed", "policy-4",
        "the guest's policy lets the host debug it: its memory is not private", hint: "do not send anything secret; ask the provider to relaunch without the debug bit";
    /// The guest may be migrated.
    MigrationAllowed = "migration_allowed", "policy-4",
        "the guest's policy allows a migration agent", hint: "ask the provider to relaunch without the migration bit, or set snp.migration = true in the policy";
    /// The guest's policy allows the host something that your policy does not.
    GuestPolicyTooWide { bit: &'static str } = "guest_policy_too_wide", "policy-4",
        "the guest's policy allows {bit}", hint: "ask the provider to relaunch with a narrower guest policy, or allow it in yours";
    /// The guest's policy does not require something that your policy does.
    GuestPolicyLacks { bit: &'static str } = "guest_policy_lacks", "policy-4",
        "the guest's policy does not meet a requirement of yours: {bit}", hint: "ask the provider to relaunch with that bit, or stop requiring it in your policy";
    /// The guest accepts an older firmware interface than the policy allows.
    AbiBelowFloor { found: String, floor: String } = "abi_below_floor", "policy-4",
        "the guest accepts firmware interface {found}, the policy requires at least {floor}", hint: "ask the provider to relaunch with a higher minimum ABI";
    /// The platform has something turned on that the policy does not allow.
    PlatformTooWide { bit: &'static str } = "platform_too_wide", "policy-5",
        "the platform has {bit} turned on", hint: "ask the provider to turn it off in the machine's firmware settings, or allow it in the policy";
    /// The platform does not have something that the policy requires.
    PlatformLacks { bit: &'static str } = "platform_lacks", "policy-5",
        "the platform does not meet a requirement of the policy: {bit}", hint: "ask the provider to turn it on in the machine's firmware settings, or stop requiring it in the policy";
    /// The platform sets bits whose meaning is not known, and the policy does not list them.
    PlatformUnknown { bits: u64 } = "platform_unknown", "policy-5",
        "the platform sets bits {bits:#x}, whose meaning is not known", hint: "update this verifier, as newer firmware may define them, or list them under snp.platform.unknown_bits once you know what they mean";
    /// The report was requested from a privilege level that the policy does not accept.
    VmplRefused { found: u32 } = "vmpl_refused", "policy-6",
        "VMPL {found} asked for the report", hint: "list this level under snp.vmpl if you trust the paravisor: under one, the guest runs at VMPL 1 or 2";
    /// The guest's security version is below the floor.
    GuestSvnBelowFloor { found: u32, floor: u32 } = "guest_svn_below_floor", "policy-6",
        "the guest's security version is {found}, the policy requires at least {floor}", hint: "ask the provider to run a newer image";
    /// A mitigation that the policy requires is not in place.
    MitigationMissing { required: u64 } = "mitigation_missing", "policy-6",
        "not all mitigations of {required:#x} are in place", hint: "ask the provider to update the firmware and restart the guest";
    /// The launch digest is not one that the policy accepts.
    LaunchDigestUnknown { found: Hex<48> } = "launch_digest_unknown", "policy-7",
        "image   {found} is not in the policy", hint: "run `chrysalis measure DIR` to compute the digest of an image you built";
    /// A pinned field of the report has a different value.
    PinUnknown { field: &'static str, found: String } = "pin_unknown", "policy-7",
        "{field} {found} is not in the policy", hint: "compare it with what the provider publishes";
    /// Neither the ID key nor the author key is one that the policy accepts.
    IdBlockUnknown = "id_block_unknown", "policy-8",
        "none of the policy's ID keys or author keys signed the guest's ID block", hint: "ask the provider to relaunch with the publisher's ID block";
    /// The measured configuration is not one that the policy accepts.
    ConfigurationUnknown { found: String } = "configuration_unknown", "policy-9",
        "configuration {found} is not in the policy", hint: "compare your configuration.toml with the provider's: this is its SHA-256 on SEV-SNP, its SHA-384 on TDX";
    /// The loaded model did not give the expected answer.
    KnownAnswerFailed = "known_answer_failed", "policy-10",
        "the loaded model did not give the expected answer", hint: "ask the provider to restart the enclave: its weights or its engine are broken";
    /// There are GPUs, and the policy accepts none.
    GpuUnexpected { found: usize } = "gpu_unexpected", "policy-11",
        "there is evidence of {found} GPU(s), the policy accepts none", hint: "use a policy made for this machine";
    /// The evidence has no nonce, and the policy does not accept that.
    FreshnessUnchecked = "freshness_unchecked", "policy-12",
        "the evidence was made at boot, and nothing shows when that was", hint: "verify the URL instead of the file, or give a reason under session.freshness in the policy";

    /// The enclave has not renewed its evidence for longer than the policy accepts, or its clock is not yours.
    EpochOld { found: String, most: u64 } = "epoch_old", "policy-16",
        "epoch {found}, and the policy accepts {most} s", hint: "check this machine's clock, then ask again: an enclave that does not renew its evidence may be unable to; judge saved evidence as of its own time with --at";
    /// The keys of the connection were agreed in a way that a future quantum computer breaks.
    KeyAgreementWeak { found: String } = "key_agreement_weak", "policy-12",
        "the keys of this connection were agreed by {found}, and the policy wants a post-quantum agreement", hint: "ask the provider to update the enclave and what is in front of it, or set session.key_agreement = \"any\" in your policy";

    // NVIDIA GPUs
    /// The GPU's evidence answers a different nonce.
    GpuNonceMismatch { found: Hex<32> } = "gpu_nonce_mismatch", "gpu-1",
        "the evidence answers nonce {found}, not yours", hint: "ask again: the evidence is old or from another conversation; do not trust this peer if it happens again";
    /// What was given is not GPU evidence.
    GpuEvidenceKind { found: &'static str } = "gpu_evidence_kind", "gpu-2",
        "this is {found}, not the evidence of a GPU", hint: "pass the report as bytes, as hex or base64 text, or as JSON: the list that NVIDIA's attestation SDK writes, `evidence_list`, `evidences`, or NVIDIA's CMW collection";
    /// The text or JSON around a GPU's evidence cannot be read.
    GpuEvidenceMalformed { what: &'static str } = "gpu_evidence_malformed", "gpu-2",
        "the GPU evidence is malformed: {what}", hint: "ask for the evidence again";
    /// The GPU evidence is larger than a verifier reads.
    GpuEvidenceTooLarge { found: usize } = "gpu_evidence_too_large", "gpu-2",
        "the GPU evidence has {found} bytes", hint: "ask for the evidence again: 16 GPUs fit into 512 KiB";
    /// There is no GPU evidence.
    GpuEvidenceMissing = "gpu_evidence_missing", "gpu-2",
        "there is no evidence of any GPU", hint: "ask for the evidence again; if the machine has no GPUs, use a policy that wants none";
    /// The GPU's report is not an SPDM 1.1 request followed by its response.
    GpuReportMalformed { what: &'static str } = "gpu_report_malformed", "gpu-2",
        "the GPU's report: {what}", hint: "ask for the evidence again: the bytes are not a report, or were changed";
    /// The GPU's report ends too early.
    GpuReportTruncated = "gpu_report_truncated", "gpu-2",
        "the GPU's report ends before its signature does", hint: "ask for the evidence again: the report was cut on its way";
    /// Bytes follow the GPU's report.
    GpuReportTrailing { extra: usize } = "gpu_report_trailing", "gpu-2",
        "{extra} byte(s) follow the signature of the GPU's report", hint: "keep the report's exact length when collecting it: it was padded on its way";
    /// The report's opaque data is not a list of fields of the right sizes.
    GpuOpaqueMalformed { field: &'static str } = "gpu_opaque_malformed", "gpu-2",
        "the report's opaque data: {field} is malformed", hint: "update this verifier: newer firmware may encode it differently";
    /// A field appears twice in the report's opaque data.
    GpuOpaqueDuplicate { field: &'static str } = "gpu_opaque_duplicate", "gpu-2",
        "the report's opaque data has {field} twice", hint: "do not trust this peer: honest firmware never reports this";
    /// A required field is missing from the report's opaque data.
    GpuOpaqueMissing { field: &'static str } = "gpu_opaque_missing", "gpu-2",
        "the report's opaque data has no {field}", hint: "update this verifier: this firmware is older or newer than those it knows";
    /// The report's opaque data has an unknown profile.
    GpuOpaqueProfile { found: u16 } = "gpu_opaque_profile", "gpu-2",
        "the report's opaque data (NVDAOD) has profile {found}", hint: "update this verifier if the driver is newer: it knows profile 0";
    /// The report's opaque data has an unknown version.
    GpuOpaqueVersion { found: u16 } = "gpu_opaque_version", "gpu-2",
        "the report's opaque data has version {found}", hint: "update this verifier if the driver is newer: it knows versions 0, 1 and, with a header (NVDAOD), 2";

    /// An NVIDIA certificate cannot be read as X.509.
    NvidiaCertificateMalformed { which: &'static str } = "nvidia_certificate_malformed", "gpu-3",
        "the {which} certificate cannot be read as X.509", hint: "ask for the evidence again, or fetch the RIM or OCSP answer again";
    /// A certificate does not have the form that NVIDIA issues.
    NvidiaCertificateProfile { which: &'static str, what: &'static str } = "nvidia_certificate_profile", "gpu-3",
        "the {which} certificate {what}", hint: "do not trust this peer: NVIDIA issues no such certificate for this use";
    /// A certificate is not signed by the one above it.
    NvidiaCertificateSignature { which: &'static str } = "nvidia_certificate_signature", "gpu-3",
        "the {which} certificate is not signed by its issuer", hint: "ask for the evidence again: certificates of two devices are mixed, or bytes were changed";
    /// A certificate is past its validity.
    NvidiaCertificateExpired { which: &'static str, until: Time } = "nvidia_certificate_expired", "gpu-3",
        "the {which} certificate expired at {until}", hint: "fetch it again, as NVIDIA re-signs RIMs under the same id, and check this machine's clock";
    /// A certificate is not valid yet.
    NvidiaCertificateNotYetValid { which: &'static str, from: Time } = "nvidia_certificate_not_yet_valid", "gpu-3",
        "the {which} certificate is not valid before {from}", hint: "check this machine's clock";
    /// A GPU's certificate chain does not have five certificates.
    GpuChainLength { found: usize } = "gpu_chain_length", "gpu-3",
        "the GPU's chain has {found} certificate(s), not five", hint: "pass the chain as the driver returns it, from leaf to root";
    /// A GPU's chain ends in a root that is not pinned.
    GpuRootUnknown { root: String } = "gpu_root_unknown", "gpu-3",
        "root {root} is not NVIDIA's device identity root", hint: "do not trust this peer: the evidence is not NVIDIA's";
    /// A GPU's chain ends in a simulated root that the policy does not name.
    GpuSimulatedRootRefused { root: Hex<32> } = "gpu_simulated_root_refused", "gpu-3",
        "simulated GPU root {root} is not in the policy", hint: "do not trust this peer: this is not NVIDIA hardware; to test with it, name the root under [simulation] in the policy";
    /// The chain belongs to a device whose evidence this verifier does not know.
    GpuArchitectureUnknown { found: String } = "gpu_architecture_unknown", "gpu-3",
        "{found} is not a GPU of a known architecture", hint: "update this verifier for newer devices: it knows Hopper and Blackwell GPUs, and Hopper's switches";

    /// There is no usable OCSP answer about a certificate, and nothing waives it.
    OcspMissing { which: &'static str } = "ocsp_missing", "gpu-4",
        "there is no OCSP answer about the {which} certificate", hint: "ask the provider to staple it, run `chrysalis fetch EVIDENCE --into DIR`, or give a reason under gpu.revocation in the policy";
    /// An OCSP answer cannot be read.
    OcspMalformed { what: &'static str } = "ocsp_malformed", "gpu-4",
        "an OCSP answer is malformed: {what}", hint: "fetch it again";
    /// The OCSP responder did not answer the question.
    OcspUnsuccessful { status: u8 } = "ocsp_unsuccessful", "gpu-4",
        "the OCSP responder answered with status {status}", hint: "try again later if the status is 3; status 6 means that the responder does not know the certificate";
    /// An OCSP answer does not come from a responder that the certificate's issuer appointed.
    OcspResponder { what: &'static str } = "ocsp_responder", "gpu-4",
        "the OCSP responder {what}", hint: "fetch the answer again: only a responder that the issuer itself appointed counts";
    /// An OCSP answer is not signed by its responder.
    OcspSignature = "ocsp_signature", "gpu-4",
        "an OCSP answer is not signed by its responder", hint: "fetch it again: bytes were changed";
    /// An OCSP answer does not carry the nonce of this request.
    OcspNonceMismatch = "ocsp_nonce_mismatch", "gpu-4",
        "an OCSP answer does not repeat the nonce of the request", hint: "ask again: an old answer was replayed";
    /// An OCSP answer was not requested by this verifier, and nothing allows a stapled one.
    OcspStapledRefused = "ocsp_stapled_refused", "gpu-4",
        "the OCSP answer came stapled, not in reply to a nonce of this verifier", hint: "let `chrysalis verify`, `chat` or `proxy` ask NVIDIA over the network, or write revocation = \"stapled\" under [gpu] to accept answers from the last day";
    /// A stapled OCSP answer is older than the policy accepts.
    OcspTooOld { made: Time, hours: u64 } = "ocsp_too_old", "gpu-4",
        "an OCSP answer was made at {made}, more than {hours} hours ago", hint: "ask the provider to staple fresh answers, or run `chrysalis fetch EVIDENCE --into DIR`; to set another bound, use gpu.stapled_hours in the policy";
    /// An OCSP answer is stale.
    OcspExpired { until: Time } = "ocsp_expired", "gpu-4",
        "an OCSP answer expired at {until}", hint: "run `chrysalis fetch` to get a current one, or ask the provider to staple it";
    /// An OCSP answer is from the future.
    OcspNotYetValid { from: Time } = "ocsp_not_yet_valid", "gpu-4",
        "an OCSP answer is not valid before {from}", hint: "check this machine's clock";
    /// A certificate is revoked.
    OcspRevoked { which: &'static str } = "ocsp_revoked", "gpu-4",
        "the {which} certificate is revoked", hint: "do not trust this device or RIM";
    /// A certificate is on hold, and nothing allows that.
    OcspHold { which: &'static str } = "ocsp_hold", "gpu-4",
        "the {which} certificate is revoked: certificate hold", hint: "wait, as NVIDIA may lift the hold; accept one only explicitly, in the policy";
    /// The responder does not know a certificate.
    OcspUnknown { which: &'static str } = "ocsp_unknown", "gpu-4",
        "the OCSP responder does not know the {which} certificate", hint: "do not trust this device or RIM";

    /// The GPU's report is not signed by its certified key.
    GpuReportSignature = "gpu_report_signature", "gpu-5",
        "the GPU's report is not signed by the certified key", hint: "ask for the evidence again: the report was changed, or the chain belongs to a different device";

    /// The report does not say which firmware the key was certified for.
    GpuFwidMissing = "gpu_fwid_missing", "gpu-6",
        "the report has no FWID to compare with the certificate's", hint: "ask the provider to update the firmware, as that of 2023 reports none, or give a reason under gpu.fwid in your policy";
    /// The running firmware is not the one that the key was certified for.
    GpuFwidMismatch { found: Hex<48> } = "gpu_fwid_mismatch", "gpu-6",
        "the report's FWID {found} is not the certified one", hint: "ask for the evidence again: report and chain are from different boots or different devices";

    /// A RIM is missing, and nothing waives it.
    RimMissing { kind: &'static str, id: String } = "rim_missing", "gpu-7",
        "there is no {kind} RIM; the report calls for {id}", hint: "ask the provider to staple it, run `chrysalis fetch EVIDENCE --into DIR`, or give a reason under gpu.rims in the policy";
    /// No RIM has the version that the report names.
    RimVersionMismatch { kind: &'static str, wanted: String, found: String } = "rim_version_mismatch", "gpu-7",
        "no RIM is for {kind} {wanted}: there are {found}", hint: "pass the RIM of the version that the GPU reports";
    /// Two RIMs have the version that the report names.
    RimAmbiguous { kind: &'static str, version: String } = "rim_ambiguous", "gpu-7",
        "two RIMs are for {kind} {version}", hint: "pass only the current one";
    /// A RIM is larger than a verifier reads.
    RimTooLarge { found: usize } = "rim_too_large", "gpu-7",
        "a RIM has {found} bytes", hint: "fetch it again: NVIDIA's have up to 26 KiB, the limit is 64 KiB";
    /// A RIM uses XML that NVIDIA's RIMs do not use.
    RimXml { what: &'static str } = "rim_xml", "gpu-7",
        "a RIM's XML has {what}", hint: "pass the RIM as NVIDIA's service returns it, byte for byte";
    /// A RIM's signature does not have the one form that is accepted.
    RimSignatureProfile { what: &'static str } = "rim_signature_profile", "gpu-7",
        "a RIM's signature: {what}", hint: "pass the RIM as NVIDIA's service returns it, byte for byte";
    /// A RIM's chain does not have four certificates.
    RimChainLength { found: usize } = "rim_chain_length", "gpu-7",
        "a RIM's chain has {found} certificate(s), not four", hint: "pass the RIM as NVIDIA's service returns it";
    /// A RIM's chain ends in a root that is not pinned.
    RimRootUnknown { root: String } = "rim_root_unknown", "gpu-7",
        "root {root} is not NVIDIA's RIM root", hint: "fetch the RIM from NVIDIA's service: this is not one of its production RIMs";
    /// A RIM's content is not what was signed.
    RimDigest = "rim_digest", "gpu-7",
        "a RIM's content does not have the signed digest", hint: "fetch it again: the RIM was changed";
    /// A RIM is not signed by its certified key.
    RimSignature = "rim_signature", "gpu-7",
        "a RIM is not signed by its certified key", hint: "fetch it again: the RIM was changed";
    /// A signed RIM does not have the content of a RIM.
    RimContent { what: &'static str } = "rim_content", "gpu-7",
        "a RIM's content: {what}", hint: "fetch it again, or update this verifier: this is not a GPU's RIM, or its form is unknown";
    /// A RIM is for a different product than the GPU.
    RimProductMismatch { found: String } = "rim_product_mismatch", "gpu-7",
        "a RIM is for {found}", hint: "pass the RIM of this GPU's product";
    /// A RIM has two values for one index.
    RimDuplicateIndex { index: usize } = "rim_duplicate_index", "gpu-7",
        "a RIM has index {index} twice", hint: "fetch it again";
    /// The driver RIM and the VBIOS RIM both claim an index.
    RimIndexConflict { index: usize } = "rim_index_conflict", "gpu-7",
        "the driver RIM and the VBIOS RIM both have a value for index {index}", hint: "fetch both again: the two RIMs do not belong together";

    /// What the GPU measured is not what NVIDIA published.
    MeasurementMismatch { kind: &'static str, indices: Indices } = "measurement_mismatch", "gpu-8",
        "the GPU's measurements differ from the {kind} RIM at {indices}", hint: "fetch the current RIM first, as NVIDIA re-issues them; otherwise this is other firmware, a debug mode or tampering";
    /// A level in the report is below the minimum that a RIM sets, or is missing.
    GpuLevelBelowFloor { kind: &'static str, name: String, found: String, floor: u64 } = "gpu_level_below_floor", "gpu-8",
        "the report's {name} is {found}, the {kind} RIM requires at least {floor}", hint: "ask the provider to update the GPU's firmware and driver; no policy goes below what NVIDIA publishes";

    /// A GPU's driver is older than the policy allows.
    GpuDriverBelowFloor { found: String, floor: String } = "gpu_driver_below_floor", "gpu-9",
        "the GPU driver is {found}, the policy requires at least {floor}", hint: "ask the provider to run an image with a newer driver";
    /// A version, model or identity of a GPU is not one that the policy accepts.
    GpuRefused { field: &'static str, found: String } = "gpu_refused", "gpu-9",
        "the GPU's {field} {found} is not in the policy", hint: "compare it with what the provider publishes";
    /// A GPU's switches were not verified, and nothing waives that.
    GpuSwitchesUnchecked = "gpu_switches_unchecked", "gpu-9",
        "the GPU shares its memory over switches for which there is no evidence", hint: "pass the switches' evidence as well, give a reason under gpu.switches in the policy, or have the policy accept single GPUs only";
    /// A switch reports an identity other than the one that NVIDIA certified.
    SwitchIdentityMismatch { found: Hex<8> } = "switch_identity_mismatch", "gpu-9",
        "the switch calls itself {found}, its certificate does not", hint: "do not trust this peer: its evidence was pieced together";
    /// A switch's configuration is not locked.
    SwitchUnlocked { found: u16 } = "switch_unlocked", "gpu-9",
        "the switch's lock status is {found}, not 1", hint: "ask the provider to set the switches to protected-PCIe mode and reset them";

    /// There are more or fewer GPUs than the policy wants.
    GpuCountMismatch { found: usize, wanted: usize } = "gpu_count_mismatch", "gpu-10",
        "there is evidence of {found} GPU(s), the policy wants {wanted}", hint: "use a policy made for this machine";
    /// One GPU is counted as two.
    GpuTwice { device: String } = "gpu_twice", "gpu-10",
        "device {device} appears twice", hint: "do not trust this peer: evidence was copied";
    /// The GPUs are in different modes.
    GpuModesDiffer = "gpu_modes_differ", "gpu-10",
        "the GPUs are not all in the same mode", hint: "ask the provider to set all GPUs of a machine to the same confidential mode";
    /// A GPU that came with switches has no name on the fabric.
    FabricNameMissing { device: String } = "fabric_name_missing", "gpu-11",
        "the certificates of GPU {device} give it no name on the fabric", hint: "use this GPU alone: it cannot be told apart from others that switches name";
    /// GPUs and switches do not name exactly each other.
    FabricMismatch { device: String, named: String, there: String } = "fabric_mismatch", "gpu-11",
        "{device} names {named}; the evidence is from {there}", hint: "ask the provider to give the guest all GPUs and switches of the machine and to collect evidence from all of them, or to use no protected-PCIe mode";

    // Intel TDX
    /// The quote is larger than a verifier reads.
    QuoteTooLarge { found: usize } = "quote_too_large", "tdx-1",
        "the quote has {found} bytes", hint: "ask for the evidence again: a quote has at most 64 KiB";
    /// The quote ends too early.
    QuoteTruncated = "quote_truncated", "tdx-1",
        "the quote ends before its parts do", hint: "ask for the evidence again: it was cut on its way, or is something else";
    /// The quote's parts do not fit together.
    QuoteMalformed { what: &'static str } = "quote_malformed", "tdx-1",
        "the quote is malformed: {what}", hint: "ask for the evidence again: the bytes are not a quote, or were changed";
    /// The quote's version is not known.
    QuoteVersion { found: u16 } = "quote_version", "tdx-1",
        "the quote has version {found}", hint: "update this verifier, which knows versions 4 and 5; otherwise the bytes are not a quote";
    /// The quote is not signed by an ECDSA P-256 key.
    QuoteKeyType { found: u16 } = "quote_key_type", "tdx-1",
        "the quote names key type {found}", hint: "ask for the evidence again: only type 2 is in use, so the bytes are not a quote, or were changed";
    /// The quote comes from an unknown TEE.
    QuoteTeeType { found: u32 } = "quote_tee_type", "tdx-1",
        "the quote has TEE type {found:#x}, which its version does not have", hint: "pass a TD's quote: it has type 0x81 and version 4 or 5";
    /// The quote comes from an SGX enclave, not from a TD.
    QuoteOfEnclave { version: u16 } = "quote_of_enclave", "tdx-1",
        "this is an SGX enclave's quote, version {version}, not a TD's", hint: "pass the quote of the TD itself";
    /// The quote's body has an unknown type.
    QuoteBodyType { found: u16 } = "quote_body_type", "tdx-1",
        "the quote's body has type {found}", hint: "update this verifier if the module is newer: it knows TD reports 1.0 and 1.5";
    /// The quoting enclave comes from an unknown vendor.
    QuoteVendor { found: Hex<16> } = "quote_vendor", "tdx-1",
        "the quoting enclave's vendor is {found}", hint: "do not trust this peer: only Intel's quoting enclave is known";
    /// The quote comes without the certificates that show whose it is.
    QuoteCertification { found: u16 } = "quote_certification", "tdx-1",
        "the quote has certification data of type {found}", hint: "ask the provider to configure its quoting service to put the PCK's chain (type 5) into quotes";
    /// Bytes that are not zero follow the quote.
    QuoteTrailing { extra: usize } = "quote_trailing", "tdx-1",
        "{extra} byte(s) follow the quote, and not all are zero", hint: "keep the quote's exact length when collecting it, or give a reason under tdx.trailing in the policy";

    /// An Intel certificate cannot be read as X.509.
    IntelCertificateMalformed { which: &'static str } = "intel_certificate_malformed", "tdx-2",
        "the {which} certificate cannot be read as X.509", hint: "ask for the evidence again, or fetch the collateral again";
    /// A certificate does not have the form that Intel issues.
    IntelCertificateProfile { which: &'static str, what: &'static str } = "intel_certificate_profile", "tdx-2",
        "the {which} certificate {what}", hint: "do not trust this peer: Intel issues no such certificate for this use";
    /// A certificate is not signed by the one above it.
    IntelCertificateSignature { which: &'static str } = "intel_certificate_signature", "tdx-2",
        "the {which} certificate is not signed by its issuer", hint: "ask for the evidence again: certificates of two platforms are mixed, or bytes were changed";
    /// A certificate is past its validity.
    IntelCertificateExpired { which: &'static str, until: Time } = "intel_certificate_expired", "tdx-2",
        "the {which} certificate expired at {until}", hint: "ask the provider to renew it, and check this machine's clock";
    /// A certificate is not valid yet.
    IntelCertificateNotYetValid { which: &'static str, from: Time } = "intel_certificate_not_yet_valid", "tdx-2",
        "the {which} certificate is not valid before {from}", hint: "check this machine's clock";
    /// The PCK's chain does not have three certificates.
    PckChainLength { found: usize } = "pck_chain_length", "tdx-2",
        "the PCK's chain has {found} certificate(s), not three", hint: "ask the provider to have its quoting service put leaf, authority and root into quotes, in this order";
    /// A chain ends in a root that is not pinned.
    IntelRootUnknown { root: String } = "intel_root_unknown", "tdx-2",
        "root {root} is not Intel's", hint: "do not trust this peer: the evidence is not Intel's";
    /// The quote ends in a simulated root that the policy does not name.
    TdxSimulatedRootRefused { root: Hex<32> } = "tdx_simulated_root_refused", "tdx-2",
        "simulated root {root} is not in the policy", hint: "do not trust this peer: this is not Intel hardware; to test with it, name the root under [simulation] in the policy";

    /// An Intel revocation list cannot be read, or contains more than such a list does.
    IntelCrlMalformed { which: &'static str, what: &'static str } = "intel_crl_malformed", "tdx-3",
        "the {which} CRL {what}", hint: "fetch it again";
    /// A revocation list belongs to a different authority.
    IntelCrlIssuer { which: &'static str } = "intel_crl_issuer", "tdx-3",
        "the {which} CRL belongs to a different authority", hint: "fetch the list of this PCK's authority: platform PCKs and processor PCKs each have their own";
    /// A revocation list is not signed by its authority.
    IntelCrlSignature { which: &'static str } = "intel_crl_signature", "tdx-3",
        "the {which} CRL is not signed by its authority", hint: "fetch it again: bytes were changed";
    /// A revocation list is stale.
    IntelCrlExpired { which: &'static str, until: Time } = "intel_crl_expired", "tdx-3",
        "the {which} CRL expired at {until}", hint: "run `chrysalis fetch` to get a current one, or ask the provider to staple it";
    /// A revocation list is from the future.
    IntelCrlNotYetValid { which: &'static str, from: Time } = "intel_crl_not_yet_valid", "tdx-3",
        "the {which} CRL is not valid before {from}", hint: "check this machine's clock";
    /// Intel revoked a certificate.
    IntelCertificateRevoked { which: &'static str } = "intel_certificate_revoked", "tdx-3",
        "the {which} certificate is revoked", hint: "do not trust this platform";

    /// Intel's collateral for the platform is missing.
    TdxCollateralMissing = "tdx_collateral_missing", "tdx-4",
        "there is no collateral from Intel", hint: "ask the provider to staple it, or run `chrysalis fetch EVIDENCE --into DIR` and pass `--collateral DIR`";
    /// The collateral is larger than a verifier reads.
    TdxCollateralTooLarge { found: usize } = "tdx_collateral_too_large", "tdx-4",
        "the collateral has {found} bytes", hint: "fetch it again: real collateral has 20 KB, the limit is 512 KiB";
    /// The collateral cannot be read.
    TdxCollateralMalformed { what: &'static str } = "tdx_collateral_malformed", "tdx-4",
        "the collateral is malformed: {what}", hint: "fetch it again";
    /// A document from Intel is not signed by its signer.
    TdxCollateralSignature { which: &'static str } = "tdx_collateral_signature", "tdx-4",
        "the {which} is not signed by its signer", hint: "fetch it again, and keep it byte for byte as Intel's service returned it";
    /// A signed document does not have the content of its kind.
    TdxCollateralContent { which: &'static str, what: String } = "tdx_collateral_content", "tdx-4",
        "the {which}: {what}", hint: "update this verifier: Intel's format may be newer";
    /// A signed document is of the wrong kind.
    TdxCollateralKind { which: &'static str, found: String } = "tdx_collateral_kind", "tdx-4",
        "the {which} is {found}", hint: "fetch the collateral for TDX, not for SGX, or update this verifier if the version is newer";
    /// A document from Intel is stale.
    TdxCollateralExpired { which: &'static str, until: Time } = "tdx_collateral_expired", "tdx-4",
        "the {which} expired at {until}", hint: "run `chrysalis fetch` to get a current one, or ask the provider to staple it";
    /// A document from Intel is from the future.
    TdxCollateralNotYetValid { which: &'static str, from: Time } = "tdx_collateral_not_yet_valid", "tdx-4",
        "the {which} is not valid before {from}", hint: "check this machine's clock";

    /// The quoting enclave's report is not signed by the PCK.
    QeReportSignature = "qe_report_signature", "tdx-5",
        "the quoting enclave's report is not signed by the PCK", hint: "ask for the evidence again: parts of two quotes are mixed, or bytes were changed";
    /// The quoting enclave does not vouch for the key that signed the quote.
    QeReportData = "qe_report_data", "tdx-5",
        "the quoting enclave's report does not name the attestation key", hint: "ask for the evidence again: parts of two quotes are mixed, or bytes were changed";
    /// The quoting enclave is not Intel's.
    QeIdentityMismatch { field: &'static str } = "qe_identity_mismatch", "tdx-5",
        "the quoting enclave's {field} is not what Intel published", hint: "do not trust this peer: the quote was not made by Intel's quoting enclave";

    /// The quote is not signed by its attestation key.
    QuoteSignature = "quote_signature", "tdx-6",
        "the quote is not signed by its attestation key", hint: "ask for the evidence again: bytes were changed";

    /// The TCB info belongs to a different platform.
    TcbInfoMismatch { field: &'static str, found: String, wanted: String } = "tcb_info_mismatch", "tdx-7",
        "the TCB info is for {field} {found}, the platform has {wanted}", hint: "fetch the collateral for the FMSPC of this quote's PCK";
    /// The TCB info does not list the TDX module.
    TdxModuleUnknown { version: u8 } = "tdx_module_unknown", "tdx-7",
        "the TCB info lists no TDX module of version {version}", hint: "fetch current collateral: the module may be newer than what you have";
    /// The TDX module is not Intel's.
    TdxModuleMismatch { field: &'static str } = "tdx_module_mismatch", "tdx-7",
        "the TDX module's {field} is not what Intel published", hint: "do not trust this peer: this is not Intel's production module";
    /// The platform is below every level that Intel lists.
    TcbNotSupported { what: &'static str } = "tcb_not_supported", "tdx-7",
        "no level matches {what}", hint: "ask the provider to update the platform's firmware and relaunch the TD";
    /// Intel gives the platform a status that this verifier does not know.
    TcbStatusUnknown { found: String } = "tcb_status_unknown", "tdx-7",
        "the collateral has status {found}", hint: "update this verifier: the status may mean something worse than those it knows";

    /// Intel revoked the platform's level. No policy can accept this.
    TcbRevoked = "tcb_revoked", "tdx-8",
        "the platform's level is revoked", hint: "do not trust this peer: its keys can no longer be trusted";
    /// The platform is not as current as the policy requires.
    TcbStatusRefused { found: Status, lagging: String, advisories: String } = "tcb_status_refused", "tdx-8",
        "the platform is {found}{lagging} (advisories: {advisories})", hint: "ask the provider to update what is behind, or list this status in the policy";
    /// The rules that the platform was evaluated by are older than the policy allows.
    TcbEvaluationBelowFloor { found: u32, floor: u32 } = "tcb_evaluation_below_floor", "tdx-8",
        "the collateral has evaluation number {found}, the policy requires at least {floor}", hint: "fetch current collateral";
    /// An advisory applies that the policy does not accept.
    TcbAdvisoryRefused { advisory: String } = "tcb_advisory_refused", "tdx-8",
        "advisory {advisory} applies to the platform", hint: "ask the provider to update the platform";
    /// The TD's launch level is below the policy's floor.
    TeeTcbBelowFloor { found: Hex<16>, floor: Hex<16> } = "tee_tcb_below_floor", "tdx-8",
        "TEE_TCB_SVN is {found}, the policy requires at least {floor}", hint: "ask the provider to update the TDX module and relaunch the TD";
    /// A reserved bit is set.
    TdReserved { field: &'static str, bits: u64 } = "td_reserved", "tdx-8",
        "the TD's {field} has reserved bits {bits:#x}", hint: "update this verifier: newer hardware may give them a meaning";
    /// The host can debug or profile the TD.
    TdDebug = "td_debug", "tdx-8",
        "the TD may be debugged or profiled by its host", hint: "do not send anything secret; ask the provider to relaunch the TD without debugging and profiling";
    /// The TD may be moved to another machine.
    TdMigratable = "td_migratable", "tdx-8",
        "the TD may be moved to another machine", hint: "ask the provider to relaunch the TD without migration, or allow it in the policy with `migratable = true`";
    /// The TD may use performance counters.
    TdPerfmon = "td_perfmon", "tdx-8",
        "the TD may use performance counters", hint: "ask the provider to relaunch the TD without them, or allow them in the policy with `perfmon = true`";
    /// Service TDs are bound to the TD.
    TdServiceTd = "td_service_td", "tdx-8",
        "a service TD is bound to the TD", hint: "ask the provider to relaunch the TD without it, or allow it in the policy with `service_td = true`";
    /// Devices may reach into the TD's memory.
    TdDevices = "td_devices", "tdx-8",
        "devices may reach into the TD's memory (TDX Connect)", hint: "ask the provider to relaunch the TD without them, or allow them in the policy with `devices = true`";
    /// The host can remove and add the TD's pages unnoticed.
    TdSeptVe = "td_sept_ve", "tdx-8",
        "the TD runs without SEPT_VE_DISABLE", hint: "ask the provider to relaunch the TD with it, or give a reason under tdx.sept_ve_disable in the policy";
    /// A value of the TD is not one that the policy accepts.
    TdRefused { field: &'static str, found: String } = "td_refused", "tdx-8",
        "the TD's {field} {found} is not in the policy", hint: "compare it with what the provider publishes";
    /// The platform is configured in a way that the policy does not accept.
    PlatformRefused { flag: &'static str } = "platform_refused", "tdx-8",
        "the platform's certificate does not rule out: {flag}", hint: "use another platform, or allow it in the policy";

    /// There is no event log, and nothing waives it.
    EventLogMissing = "event_log_missing", "tdx-9",
        "there is no event log", hint: "read it from the CCEL table in the guest, or give a reason under tdx.event_log in the policy";
    /// The event log is larger than a verifier reads.
    EventLogTooLarge { found: usize } = "event_log_too_large", "tdx-9",
        "the event log has {found} bytes", hint: "pass the log without the unused area after it: the limit is 1 MiB";
    /// The event log cannot be read.
    EventLogMalformed { what: &'static str } = "event_log_malformed", "tdx-9",
        "the event log is malformed: {what}", hint: "pass the CCEL table's data, byte for byte";
    /// The event log does not lead to the registers' values.
    EventLogMismatch { register: u8, wanted: Hex<48> } = "event_log_mismatch", "tdx-9",
        "the event log does not lead to RTMR{register} {wanted}", hint: "read the log again: it is from another boot, or something was measured after it was read";
    /// An event of RTMR0 is not the one that the policy expects.
    EventUnexpected { index: usize, found: String } = "event_unexpected", "tdx-9",
        "event {index} of RTMR0 is {found}", hint: "compare the log with `chrysalis measure --event-log`: the machine has a different shape, or its firmware is configured differently";

    // Releases, and who rebuilt them
    /// A public key is not of a kind that can sign releases.
    ReleaseKeyMalformed = "release_key_malformed", "release-1",
        "the key is neither an Ed25519 nor a P-256 public key", hint: "pass the public key, PEM or DER, as `openssl pkey -pubout` writes it";
    /// A signed file is not a DSSE envelope.
    EnvelopeMalformed { what: String } = "envelope_malformed", "release-1",
        "the file is not a DSSE envelope: {what}", hint: "fetch it again; docs/spec/manifest.md shows what it looks like";
    /// The key is the development key, whose private half is public, and it was not explicitly allowed.
    DevelopmentKey = "development_key", "release-1",
        "this is the development key: anyone can sign with it", hint: "use the key of a publisher that you trust; to try things out, allow it with --development-root";
    /// The envelope holds a different kind of statement than the one asked for.
    EnvelopePayloadType { found: String, wanted: &'static str } = "envelope_payload_type", "release-1",
        "the envelope's payload is {found:?}, not {wanted:?}", hint: "pass the manifest, root statement or key statement that was asked for: this is another file";
    /// The envelope is not signed.
    EnvelopeUnsigned = "envelope_unsigned", "release-2",
        "the envelope has no signature", hint: "do not use it; fetch the signed one";
    /// A signature in the envelope was not made by its key.
    EnvelopeSignature { key: Hex<32> } = "envelope_signature", "release-2",
        "the signature of key {key} is wrong", hint: "do not use this file; fetch it again: bytes were changed";
    /// The envelope is signed, but not by the key that was asked for.
    EnvelopeKeyUnknown { wanted: Hex<32> } = "envelope_key_unknown", "release-2",
        "key {wanted} did not sign this", hint: "compare the key with the one that the publisher names in more than one place";
    /// A signed statement cannot be read.
    StatementMalformed { what: String } = "statement_malformed", "release-3",
        "the signed statement is malformed: {what}", hint: "update this verifier: the statement's format may be newer";
    /// A signed statement is of another kind.
    StatementType { found: String, wanted: &'static str } = "statement_type", "release-3",
        "the statement is {found:?}, not {wanted:?}", hint: "pass the other file, or update this verifier: a manifest describes a release, a rebuild statement confirms it";
    /// The release belongs to a different project.
    ReleaseProject { found: String, wanted: String } = "release_project", "release-3",
        "the release belongs to project {found:?}, not to {wanted:?}", hint: "use the manifest of the project that you asked for; with --key, name another project with --project";
    /// The release is from the future.
    ReleaseNotYetValid { from: Time } = "release_not_yet_valid", "release-4",
        "the release was issued at {from}", hint: "check this machine's clock";
    /// The release is too old to be trusted.
    ReleaseExpired { until: Time } = "release_expired", "release-4",
        "the release expired at {until}", hint: "use the newest release; ask its publisher if there is none newer";
    /// A newer release of this project was seen before, under any key.
    ReleaseRolledBack { found: u64, seen: u64 } = "release_rolled_back", "release-5",
        "the release has epoch {found}, epoch {seen} was seen before", hint: "use the newest release: you were given an old one";
    /// Two releases of this project have the same epoch.
    ReleaseEpochReused { epoch: u64 } = "release_epoch_reused", "release-5",
        "another release of epoch {epoch} was seen before", hint: "ask the publisher which release is theirs before you trust either: an epoch has only one";
    /// Too few of the policy's rebuilders confirm the image.
    RebuildersTooFew { found: usize, wanted: usize, measured: String } = "rebuilders_too_few", "policy-13",
        "{found} of the policy's rebuilders confirm {measured}, {wanted} must", hint: "pass their statements with --statement; to make one of your own, run `chrysalis audit --sign`";

    // Does the publisher still stand by it
    /// The publisher's endorsement, or a statement that vouches for its key, did not come with the evidence.
    EndorsementMissing { what: String } = "endorsement_missing", "policy-17",
        "{what} is missing", hint: "ask the provider to staple the publisher's statements, or pass them with --statement: root statements, keys.json, and the newest endorsement";
    /// The endorsement is from the future.
    EndorsementNotYetValid { from: Time } = "endorsement_not_yet_valid", "policy-17",
        "the endorsement was issued at {from}", hint: "check this machine's clock";
    /// The endorsement has expired.
    EndorsementExpired { until: Time } = "endorsement_expired", "policy-17",
        "the endorsement expired at {until}", hint: "ask the provider to staple the newest one; if the publisher has none, run a newer release";
    /// The endorsement is older than the policy accepts.
    EndorsementTooOld { issued: Time, days: i64 } = "endorsement_too_old", "policy-17",
        "the endorsement was issued at {issued}, the policy accepts {days} days", hint: "ask the provider to staple the newest one, or accept an older one with `max_endorsement_age` in your policy";

    // Are the models the ones that I want
    /// The enclave serves a model that the policy does not list.
    ModelUnlisted { name: String } = "model_unlisted", "policy-15",
        "the enclave serves model {name}, which is not in the policy", hint: "list it under [[model]] with the digests that you trust, or give a reason under other_models in your policy";
    /// A model or its engine is not the one that the policy lists under this name.
    ModelMismatch { name: String, field: &'static str, found: String } = "model_mismatch", "policy-15",
        "model {name}: its {field} is {found}, the policy lists another", hint: "compare it with the cards of the model and the engine that you trust: `chrysalis-image` writes them";
    /// The enclave does not serve a model that the policy lists.
    ModelMissing { name: String } = "model_missing", "policy-15",
        "the policy lists model {name}, which the enclave does not serve", hint: "ask the provider to serve it, or remove its [[model]] from your policy";

    // A project's root, and the keys that it vouches for
    /// A new root statement is not signed by the root before it.
    ReleaseRootNotVouched { old: Hex<32> } = "release_root_not_vouched", "root-4",
        "the new root is not signed by the old one, {old}", hint: "do not use it; check in more than one place which root is the publisher's";
    /// A root statement is not the next one.
    ReleaseRootVersionSkipped { found: u64, wanted: u64 } = "release_root_version_skipped", "root-4",
        "the next root statement has version {found}, not {wanted}", hint: "fetch every root statement of the publisher, one for each version";
    /// A new root statement belongs to a different project.
    ReleaseRootProject { found: String, wanted: String } = "release_root_project", "root-4",
        "the new root belongs to project {found:?}, not to {wanted:?}", hint: "do not use it: a project keeps its name from root to root";
    /// The root statement is from the future.
    ReleaseRootNotYetValid { from: Time } = "release_root_not_yet_valid", "root-5",
        "the root statement was issued at {from}", hint: "check this machine's clock";
    /// The newest root statement is too old to be trusted.
    ReleaseRootExpired { until: Time } = "release_root_expired", "root-5",
        "the root statement expired at {until}", hint: "fetch the publisher's newest root statement; ask the publisher if there is none";
    /// A newer root statement of this project was seen before.
    ReleaseRootRolledBack { found: u64, seen: u64 } = "release_root_rolled_back", "root-6",
        "the newest root statement has version {found}, version {seen} was seen before", hint: "fetch the newer root statement from the publisher: it is being withheld from you";
    /// Two root statements of this project have the same version.
    ReleaseRootVersionReused { version: u64 } = "release_root_version_reused", "root-6",
        "another root statement of version {version} was seen before", hint: "ask the publisher which root is theirs before you trust either; a root that replaces a lost one has a higher version";
    /// The key statement is not signed by the root that was named.
    ReleaseRootUnknown { wanted: Hex<32> } = "release_root_unknown", "keys-2",
        "root {wanted} did not sign the key statement", hint: "pass the key statement of the project whose root you name, and every root statement since";
    /// A key statement belongs to a different project than its root.
    KeyStatementProject { found: String, wanted: String } = "key_statement_project", "keys-3",
        "the key statement belongs to project {found:?}, not to {wanted:?}", hint: "pass the key statement of the project whose root you name";
    /// The key statement is from the future.
    KeyStatementNotYetValid { from: Time } = "key_statement_not_yet_valid", "keys-4",
        "the key statement was issued at {from}", hint: "check this machine's clock";
    /// The key statement is too old to be trusted.
    KeyStatementExpired { until: Time } = "key_statement_expired", "keys-4",
        "the key statement expired at {until}", hint: "fetch the publisher's newest key statement; ask the publisher if there is none";
    /// A newer key statement of this project was seen before.
    KeyStatementRolledBack { found: u64, seen: u64 } = "key_statement_rolled_back", "keys-5",
        "the key statement has version {found}, version {seen} was seen before", hint: "fetch the newest: you were given an old one, in which a key may not be revoked yet";
    /// Two key statements of this project have the same version.
    KeyStatementVersionReused { version: u64 } = "key_statement_version_reused", "keys-5",
        "another key statement of version {version} was seen before", hint: "ask the publisher which statement is theirs before you trust either: a version has only one";
    /// The manifest is not signed by a key that the root authorizes to sign releases.
    ReleaseKeyNotVouched { root: Hex<32> } = "release_key_not_vouched", "keys-6",
        "root {root} vouches for no key that signed this release", hint: "fetch the manifest and the key statement again; ask the publisher which key signed it";
    /// The key that signed the manifest is revoked.
    ReleaseKeyRevoked { key: Hex<32> } = "release_key_revoked", "keys-6",
        "the release key {key} is revoked", hint: "do not use this release; use one that another key signed";
    /// The key that signed the manifest is not valid yet.
    ReleaseKeyNotYetValid { key: Hex<32>, from: Time } = "release_key_not_yet_valid", "keys-6",
        "the release key {key} is not valid before {from}", hint: "check this machine's clock";
    /// The key that signed the manifest has expired.
    ReleaseKeyExpired { key: Hex<32>, until: Time } = "release_key_expired", "keys-6",
        "the release key {key} expired at {until}", hint: "use the newest release and key statement; ask the publisher if there are none";
    /// A statement or manifest that must be in the log is not shown to be there.
    LogEntryMissing { what: &'static str } = "log_entry_missing", "keys-7",
        "nothing shows that the log has {what}", hint: "fetch the publisher's log again; what is not in it may have been made for you alone";
    /// The root vouches for no log key.
    LogKeyNotVouched { root: Hex<32> } = "log_key_not_vouched", "keys-7",
        "root {root} vouches for no log key that is valid now", hint: "fetch the publisher's newest key statement; ask the publisher if there is none";

    // The log that contains them
    /// A log's checkpoint cannot be read.
    CheckpointMalformed { what: &'static str } = "checkpoint_malformed", "log-1",
        "the checkpoint is malformed: {what}", hint: "fetch it again; it is a signed note with origin, size and root";
    /// The log's signature is wrong.
    CheckpointSignature { key: Hex<32> } = "checkpoint_signature", "log-1",
        "the checkpoint's signature of key {key} is wrong", hint: "fetch it again: bytes were changed";
    /// The checkpoint is not signed by the log's key.
    CheckpointUnsigned { wanted: Hex<32> } = "checkpoint_unsigned", "log-1",
        "the checkpoint has no signature of key {wanted}", hint: "compare log and key with what the log's operator publishes: this is another log, or the key is not an Ed25519 key";
    /// A proof from a log cannot be read.
    LogProofMalformed { what: &'static str } = "log_proof_malformed", "log-2",
        "the log's proof is malformed: {what}", hint: "fetch it again";
    /// A proof does not lead from this entry to the log's root hash.
    LogProofMismatch { index: u64, size: u64 } = "log_proof_mismatch", "log-2",
        "the proof does not show this file as entry {index} of {size}", hint: "check that the proof belongs to this file; if it does, this file was never in the log";
    /// The log has fewer entries than it had before.
    LogShrunk { found: u64, seen: u64 } = "log_shrunk", "log-3",
        "the log has {found} entries, it had {seen}", hint: "fetch it from the log's own address: this is an old copy";
    /// Nothing shows that the log only grew.
    LogGrowthMissing { from: u64 } = "log_growth_missing", "log-3",
        "nothing shows how the log grew from {from} entries", hint: "pass the log's file consistency/{from}";
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
