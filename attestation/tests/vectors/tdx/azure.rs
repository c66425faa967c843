//! Real TDs on Azure: the quote, the wrapping of the TDREPORT that it was made of, and the virtual TPM's quote.

use std::path::{Path, PathBuf};

use chrysalis_attestation::{
    Patience, Refusal, Rejection,
    alone::{
        Verified,
        tdx::{TdxEvidence, explain, verify},
    },
    azure::vtpm::Quoted,
    encoding::digest::{Hex, sha384},
    tdx::{Genuine, Status, TdxPolicy, policy::NOTHING_ASKED},
    transcript::Expect,
};

use super::{Case, WHY, vectors};
use crate::{
    expected::{bytes, expected, failures},
    tpm::TpmQuote,
};

/// Current, and not to be looked into.
const CURRENT: (&str, &str) = ("azure-tdx-cdai-live", "90c06f-2026-03");
/// Out of date, and its host may take pages away.
const OUTDATED: (&str, &str) = ("azure-tdx-trustee-v1", "00806f05-2025-06");
/// Where the TDREPORT stands in the wrapping.
const TDREPORT: usize = 32;

/// A quote and all that came with it.
struct Wrapped {
    folder: PathBuf,
    case: Case,
    hcl: Vec<u8>,
    tpm: TpmQuote,
    nonce: Vec<u8>,
}

impl Wrapped {
    fn of(vectors: &Path, (quote, with): (&str, &str)) -> Self {
        let folder = vectors.join("quotes").join(quote);
        let nonce = &expected(&folder)["checks"]["extra_data_hex"];
        Self {
            case: Case::new(vectors, quote, with, TdxPolicy::genuine(WHY)),
            hcl: bytes(folder.join("hcl-report.bin")),
            tpm: TpmQuote::of(&folder),
            nonce: hex::decode(nonce.as_str().expect("a nonce")).expect("hex"),
            folder,
        }
    }

    fn with(
        &self,
        quoted: Option<&Quoted<'_>>,
        patience: Patience,
    ) -> Result<Verified<Genuine>, Refusal> {
        self.case.ask(|evidence, question| {
            let evidence = TdxEvidence {
                hcl_report: Some(&self.hcl),
                quoted,
                ..evidence
            };
            match patience {
                Patience::First => verify(evidence, question),
                Patience::All => explain(evidence, question),
            }
        })
    }

    /// With the virtual TPM's quote, and asked with the vector's nonce.
    fn verify(&self) -> Result<Verified<Genuine>, Refusal> {
        self.with(Some(&self.tpm.asked(&self.nonce)), Patience::First)
    }

    #[track_caller]
    fn refuses(&self, expected: &Rejection) {
        assert_eq!(failures(&self.verify()), std::slice::from_ref(expected));
    }

    /// Changes the TDREPORT, and makes its own hashes hold again.
    fn alter(&mut self, at: usize) {
        let report = &mut self.hcl[TDREPORT..TDREPORT + 1024];
        report[at] ^= 1;
        let hashes = [sha384(&[&report[256..495]]), sha384(&[&report[512..]])];
        report[32..128].copy_from_slice(hashes.as_flattened());
    }
}

#[test]
fn a_current_td_on_azure_is_genuine_and_its_virtual_tpm_answers() {
    let Some(vectors) = vectors() else { return };
    let mut wrapped = Wrapped::of(&vectors, CURRENT);
    let verified = wrapped.verify().expect("genuine");
    assert_eq!(verified.td().status, Status::UpToDate);
    let told = verified.vtpm().expect("a quote");
    assert!(told.fresh);
    let pcrs = told.pcrs.as_ref().expect("values");
    assert_eq!(expected(&wrapped.folder)["checks"]["pcrs"], pcrs.len());
    assert_eq!(pcrs.get(&4), wrapped.tpm.pcrs.get(4));
    let everything = Some(&wrapped.tpm.asked(&wrapped.nonce));
    assert_eq!(failures(&wrapped.with(everything, Patience::All)), []);

    // Nobody has to say what REPORTDATA is: the virtual TPM answered.
    wrapped.case.policy.report_data = NOTHING_ASKED;
    assert_eq!(failures(&wrapped.verify()), []);
    let unasked = Quoted {
        nonce: None,
        ..wrapped.tpm.asked(b"")
    };
    for quoted in [None, Some(&unasked)] {
        let looked = wrapped.with(quoted, Patience::First);
        assert_eq!(failures(&looked), [Rejection::FreshnessUnchecked]);
    }
    // Who says it all the same is heard.
    wrapped.case.policy.report_data = Expect::AnyOf(vec![[1; 64]]);
    let looked = wrapped.verify();
    let codes = failures(&looked).into_iter().map(|it| it.code());
    assert_eq!(codes.collect::<Vec<_>>(), ["td_refused"]);
}

#[test]
fn an_outdated_td_on_azure_is_genuine_where_a_policy_says_so() {
    let Some(vectors) = vectors() else { return };
    let mut wrapped = Wrapped::of(&vectors, OUTDATED);
    let quoted = Some(&wrapped.tpm.asked(&wrapped.nonce));
    let looked = wrapped.with(quoted, Patience::All);
    let codes = failures(&looked).into_iter().map(|it| it.code());
    assert_eq!(
        codes.collect::<Vec<_>>(),
        ["tcb_status_refused", "td_sept_ve"]
    );
    wrapped.case.policy.statuses.push(Status::OutOfDate);
    wrapped.case.policy.sept_ve_accepted = Some("a paravisor stands between".to_owned());
    let looked = wrapped.verify();
    let verified = looked.expect("genuine");
    assert!(verified.vtpm().expect("a quote").fresh);
}

#[test]
fn a_policy_names_the_pcrs_that_are_wanted() {
    let Some(vectors) = vectors() else { return };
    let mut wrapped = Wrapped::of(&vectors, CURRENT);
    let found = wrapped.tpm.pcrs[4];
    wrapped.case.policy.pcrs = [(4, vec![[0; 32], found])].into();
    assert_eq!(failures(&wrapped.verify()), []);
    let unquoted = Rejection::VtpmPcrUnquoted { index: 4 };
    let looked = wrapped.with(None, Patience::First);
    assert_eq!(failures(&looked), std::slice::from_ref(&unquoted));
    assert_eq!(wrapped.case.verify(), Err(unquoted));
    wrapped.case.policy.pcrs = [(4, vec![[0; 32]])].into();
    wrapped.refuses(&Rejection::VtpmPcrUnknown {
        index: 4,
        found: Hex(found),
    });
}

#[test]
fn a_wrapping_of_another_boot_machine_or_td_is_refused() {
    let Some(vectors) = vectors() else { return };
    let whole = || Wrapped::of(&vectors, CURRENT);
    let mismatch = |field| Rejection::HclQuoteMismatch { field };

    let mut wrapped = whole();
    wrapped.hcl = Wrapped::of(&vectors, OUTDATED).hcl;
    wrapped.refuses(&mismatch("REPORTDATA"));

    let mut wrapped = whole();
    wrapped.hcl[1240] ^= 1;
    wrapped.refuses(&Rejection::HclRuntimeData);

    for (at, field) in [(280, "MRSEAM"), (528, "MRTD"), (864, "RTMR3")] {
        let mut wrapped = whole();
        wrapped.alter(at);
        wrapped.refuses(&mismatch(field));
    }

    let mut wrapped = whole();
    wrapped.hcl = bytes(vectors.join("../snp/azure-genoa-v3-trustee/hcl-report.bin"));
    wrapped.refuses(&Rejection::HclMalformed {
        what: "the report inside is not TDX's",
    });
}

#[test]
fn another_answer_of_a_virtual_tpm_is_refused() {
    let Some(vectors) = vectors() else { return };
    let whole = || Wrapped::of(&vectors, CURRENT);

    let mut wrapped = whole();
    let found = hex::encode(&wrapped.nonce);
    wrapped.nonce[0] ^= 1;
    wrapped.refuses(&Rejection::VtpmNonceMismatch { found });

    let mut wrapped = whole();
    wrapped.tpm.pcrs[4][0] ^= 1;
    wrapped.refuses(&Rejection::VtpmPcrDigest);

    let mut wrapped = whole();
    wrapped.tpm = Wrapped::of(&vectors, OUTDATED).tpm;
    wrapped.refuses(&Rejection::VtpmQuoteSignature);
}

/// CPUSVN and the MAC mean something to the TD's machine alone, and nothing is told of them.
#[test]
fn no_wrapping_with_a_flipped_bit_is_verified_but_for_what_only_its_machine_can_check() {
    let Some(vectors) = vectors() else { return };
    let mut wrapped = Wrapped::of(&vectors, CURRENT);
    let machines_own = [TDREPORT + 16..TDREPORT + 32, TDREPORT + 224..TDREPORT + 256];
    for bit in 0..wrapped.hcl.len() * 8 {
        let byte = bit / 8;
        let is_open = machines_own.iter().any(|range| range.contains(&byte));
        // What is open is verified to its end, which takes its time: once in each byte.
        if is_open && bit % 8 != byte % 8 {
            continue;
        }
        wrapped.hcl[byte] ^= 1 << (bit % 8);
        let looked = wrapped.verify();
        assert_eq!(failures(&looked).is_empty(), is_open, "bit {bit}");
        wrapped.hcl[byte] ^= 1 << (bit % 8);
    }
}
