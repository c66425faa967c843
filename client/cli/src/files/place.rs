//! Where files of evidence are handed over, and what each place takes.

use super::kind::Kind;

/// Where a file is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The command and the option.
    pub(crate) command: &'static str,
    /// What belongs here, in a few words.
    pub(crate) wanted: &'static str,
    /// What to hand over instead, form by form.
    pub(crate) forms: &'static str,
    kinds: &'static [Kind],
}

impl Place {
    pub(crate) const SNP_REPORT: Self = Self {
        command: "chrysalis verify snp --report",
        wanted: "an SEV-SNP report",
        forms: "the 1184 bytes or Azure's HCL report, as they are, in hex or in base64",
        kinds: &[Kind::SnpReport, Kind::Hcl],
    };
    pub(crate) const SNP_CERTIFICATE: Self = Self {
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
    pub(crate) const REVOCATION_LIST: Self = Self {
        command: "chrysalis verify snp --crl",
        wanted: "a revocation list",
        forms: "the list in DER, PEM or base64",
        kinds: &[Kind::RevocationList, Kind::OtherDer],
    };
    pub(crate) const QUOTE: Self = Self {
        command: "chrysalis verify tdx --quote",
        wanted: "a TDX quote",
        forms: "the quote as it is, in hex or in base64; if it is a value in JSON, that value alone",
        // An enclave's quote is refused by the parser, which says so.
        kinds: &[Kind::TdxQuote, Kind::SgxQuote],
    };
    pub(crate) const TDX_COLLATERAL: Self = Self {
        command: "chrysalis verify tdx --quote-collateral",
        wanted: "TDX collateral",
        forms: "one JSON object with Intel's TCB info, QE identity, revocation lists and chains; --collateral takes a folder of `chrysalis fetch`",
        kinds: &[Kind::TdxCollateral],
    };
    pub(crate) const HCL_REPORT: Self = Self {
        command: "chrysalis verify tdx --hcl-report",
        wanted: "an Azure HCL report of a TDX guest",
        forms: "the vTPM's NV index 0x01400001 as it is, in hex or in base64",
        // That of an SNP guest is refused by the parser, which says so.
        kinds: &[Kind::HclTdx, Kind::Hcl],
    };
    pub(crate) const EVENT_LOG: Self = Self {
        command: "chrysalis verify tdx --event-log",
        wanted: "an event log",
        forms: "the CCEL table's data as they are, in hex or in base64",
        kinds: &[Kind::EventLog],
    };
    pub(crate) const TPM_QUOTE: Self = Self {
        command: "chrysalis verify snp --tpm-quote",
        wanted: "a vTPM's quote",
        forms: "the TPMS_ATTEST, or the JSON of Azure's guests",
        kinds: &[Kind::TpmQuote, Kind::TpmJson],
    };
    pub(crate) const GPU_REPORT: Self = Self {
        command: "chrysalis verify nvidia --report",
        wanted: "a GPU report",
        forms: "the report as it is, in hex or in base64, with --chain; or JSON: the list of NVIDIA's attestation SDK, \
                 a request with `evidence_list`, an object with `evidences`, or NVIDIA's CMW collection",
        kinds: &[Kind::GpuReport, Kind::GpuJson],
    };
    pub(crate) const GPU_CHAIN: Self = Self {
        command: "chrysalis verify nvidia --chain",
        wanted: "a chain of certificates",
        forms: "the device's certificates in PEM",
        kinds: &[Kind::Certificate, Kind::OtherPem],
    };
    pub(crate) const SWITCHES: Self = Self {
        command: "chrysalis verify nvidia --switches",
        wanted: "evidence of switches",
        forms: "the list of NVIDIA's attestation SDK, a request with `evidence_list`, an object with `evidences`, or NVIDIA's CMW collection",
        kinds: &[Kind::GpuJson],
    };
    pub(crate) const RIM: Self = Self {
        command: "chrysalis verify nvidia --rim",
        wanted: "a RIM",
        forms: "the manifest in XML, or the answer of NVIDIA's service with the field `rim`",
        kinds: &[Kind::Xml, Kind::RimAnswer],
    };
    pub(crate) const OCSP_ANSWER: Self = Self {
        command: "chrysalis verify nvidia --ocsp",
        wanted: "an OCSP answer",
        forms: "the answer in DER or base64",
        kinds: &[Kind::OtherDer],
    };

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

    /// Whether files of this kind belong here.
    pub(crate) fn takes(self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }

    /// Where to hand over a file of this kind.
    pub(crate) fn of(kind: Kind) -> Option<Self> {
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
