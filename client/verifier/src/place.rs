//! Where files of evidence are handed over, and what each place takes.

use crate::{Kind, Misuse, decoded, described};

/// Where a file is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The command and the option.
    pub command: &'static str,
    /// What belongs here, in a few words.
    pub wanted: &'static str,
    /// What to hand over instead, form by form.
    pub forms: &'static str,
    kinds: &'static [Kind],
}

#[expect(missing_docs, reason = "`wanted` says what each is for")]
impl Place {
    pub const SNP_REPORT: Self = Self {
        command: "chrysalis verify snp --report",
        wanted: "an SEV-SNP report",
        forms: "the 1184 bytes or Azure's HCL report, as they are, in hex or in base64",
        kinds: &[Kind::SnpReport, Kind::Hcl],
    };
    pub const SNP_CERTIFICATE: Self = Self {
        command: "chrysalis verify snp --cert",
        wanted: "a VCEK or VLEK certificate",
        forms: "the certificate in DER, PEM or base64, a certificate table, or the answer of Azure's THIM service",
        kinds: &[
            Kind::Certificate,
            Kind::CertificateTable,
            Kind::AzureCertificates,
            Kind::OtherDer,
        ],
    };
    pub const REVOCATION_LIST: Self = Self {
        command: "chrysalis verify snp --crl",
        wanted: "a revocation list",
        forms: "the list in DER, PEM or base64",
        kinds: &[Kind::RevocationList, Kind::OtherDer],
    };
    pub const QUOTE: Self = Self {
        command: "chrysalis verify tdx --quote",
        wanted: "a TDX quote",
        forms: "the quote as it is, in hex or in base64; if it is a value in JSON, that value alone",
        // An enclave's quote is refused by the parser, which says so.
        kinds: &[Kind::TdxQuote, Kind::SgxQuote],
    };
    pub const TDX_COLLATERAL: Self = Self {
        command: "chrysalis verify tdx --quote-collateral",
        wanted: "TDX collateral",
        forms: "one JSON object with Intel's TCB info, QE identity, revocation lists and chains; --collateral takes a folder of `chrysalis fetch`",
        kinds: &[Kind::TdxCollateral],
    };
    pub const HCL_REPORT: Self = Self {
        command: "chrysalis verify tdx --hcl-report",
        wanted: "an Azure HCL report of a TDX guest",
        forms: "the vTPM's NV index 0x01400001 as it is, in hex or in base64",
        // That of an SNP guest is refused by the parser, which says so.
        kinds: &[Kind::HclTdx, Kind::Hcl],
    };
    pub const EVENT_LOG: Self = Self {
        command: "chrysalis verify tdx --event-log",
        wanted: "an event log",
        forms: "the CCEL table's data as they are, in hex or in base64",
        kinds: &[Kind::EventLog],
    };
    pub const TPM_QUOTE: Self = Self {
        command: "chrysalis verify snp --tpm-quote",
        wanted: "a vTPM's quote",
        forms: "the TPMS_ATTEST, or the JSON of Azure's guests",
        kinds: &[Kind::TpmQuote, Kind::TpmJson],
    };
    pub const GPU_REPORT: Self = Self {
        command: "chrysalis verify nvidia --report",
        wanted: "a GPU report",
        forms: "the report as it is, in hex or in base64, with --chain; or JSON: the list of NVIDIA's attestation SDK, \
                 a request with `evidence_list`, an object with `evidences`, or NVIDIA's CMW collection",
        kinds: &[Kind::GpuReport, Kind::GpuJson],
    };
    pub const GPU_CHAIN: Self = Self {
        command: "chrysalis verify nvidia --chain",
        wanted: "a chain of certificates",
        forms: "the device's certificates in PEM",
        kinds: &[Kind::Certificate, Kind::OtherPem],
    };
    pub const SWITCHES: Self = Self {
        command: "chrysalis verify nvidia --switches",
        wanted: "evidence of switches",
        forms: "the list of NVIDIA's attestation SDK, a request with `evidence_list`, an object with `evidences`, or NVIDIA's CMW collection",
        kinds: &[Kind::GpuJson],
    };
    pub const RIM: Self = Self {
        command: "chrysalis verify nvidia --rim",
        wanted: "a RIM",
        forms: "the manifest in XML, or the answer of NVIDIA's service with the field `rim`",
        kinds: &[Kind::Xml, Kind::RimAnswer],
    };
    pub const OCSP_ANSWER: Self = Self {
        command: "chrysalis verify nvidia --ocsp",
        wanted: "an OCSP answer",
        forms: "the answer in DER or base64",
        kinds: &[Kind::OtherDer],
    };
}

impl Place {
    /// All of them; the first that takes a kind is where to hand it over.
    const ALL: [Self; 13] = [
        Self::SNP_REPORT,
        Self::SNP_CERTIFICATE,
        Self::REVOCATION_LIST,
        Self::QUOTE,
        Self::TDX_COLLATERAL,
        Self::HCL_REPORT,
        Self::EVENT_LOG,
        Self::TPM_QUOTE,
        Self::GPU_REPORT,
        Self::GPU_CHAIN,
        Self::SWITCHES,
        Self::RIM,
        Self::OCSP_ANSWER,
    ];

    /// What a file of this name stands for, hex and base64 text read as bytes. It must look as if it belonged here, or like nothing that
    /// is known: that the parsers name.
    pub fn take(self, name: &str, bytes: &[u8]) -> Result<Vec<u8>, Misuse> {
        let binary = decoded(bytes);
        let kind = Kind::of(&binary);
        if kind == Kind::Unknown || self.takes(kind) {
            return Ok(binary);
        }
        let elsewhere = Self::of(kind).map_or_else(String::new, |other| {
            format!("; `{}` takes it", other.command)
        });
        Err(Misuse::new(format!(
            "{name} is {}, not {}{elsewhere}\nhint: hand over {}",
            described(&binary),
            self.wanted,
            self.forms
        )))
    }

    /// Whether files of this kind belong here.
    pub fn takes(self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }

    /// Where to hand over a file of this kind.
    pub fn of(kind: Kind) -> Option<Self> {
        Self::ALL.into_iter().find(|place| place.takes(kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_takes_what_it_is_named_for_and_says_what_to_hand_over() {
        for place in Place::ALL {
            assert!(place.command.starts_with("chrysalis verify "));
            assert!(!place.wanted.is_empty() && !place.forms.is_empty());
        }
        assert_eq!(Place::of(Kind::GpuJson), Some(Place::GPU_REPORT));
        assert_eq!(Place::of(Kind::RimAnswer), Some(Place::RIM));
        for nowhere in [
            Kind::Empty,
            Kind::OtherJson,
            Kind::TdReport,
            Kind::EventLogTable,
            Kind::Policy,
            Kind::Unknown,
        ] {
            assert_eq!(Place::of(nowhere), None, "{nowhere}");
        }
    }
}
