//! A simulated TD on Azure: its quote, the wrapping of its TDREPORT, and a virtual TPM. Honest but for one thing.

use std::sync::LazyLock;

use chrysalis_attestation::{
    Patience, Refusal, Rejection,
    alone::{
        Verified,
        tdx::{TdxEvidence, explain, verify},
    },
    azure::vtpm::Quoted,
    encoding::digest::Hex,
    tdx::{Genuine, policy::NOTHING_ASKED},
    transcript::Expect,
};
use chrysalis_simulate::{
    azure::{PcrQuote, VirtualTpm, report_data, tdreport, wrap},
    intel::{QuoteVersion, TdProfile},
};

use super::scene::{Case, Scene, failures};

const NONCE: &[u8] = b"challenge";
const PCR: [u8; 32] = [4; 32];

static TPM: LazyLock<VirtualTpm> = LazyLock::new(|| VirtualTpm::from_seed([1; 32]).expect("a key"));

/// Everything a guest on Azure sends, and what it is checked against.
struct Guest {
    case: Case,
    hcl: Vec<u8>,
    tpm: Option<PcrQuote>,
    nonce: Option<Vec<u8>>,
}

impl Guest {
    /// Whose quote is of this version, and tells of a TD changed like this.
    fn of(version: QuoteVersion, change: impl FnOnce(&mut TdProfile)) -> Self {
        let data = TPM.runtime_data();
        let mut scene = Scene::new();
        scene.td.version = version;
        scene.td.rtmrs = [[1; 48], [2; 48], [3; 48], [4; 48]];
        scene.td.report_data = report_data(&data);
        change(&mut scene.td);
        let mut case = scene.case();
        case.policy.report_data = NOTHING_ASKED;
        let tpm = TPM.quote(NONCE, &[(4, PCR)].into());
        Self {
            case,
            hcl: wrap(&tdreport(&scene.td), &data),
            tpm: Some(tpm.expect("a quote")),
            nonce: Some(NONCE.to_vec()),
        }
    }

    fn honest() -> Self {
        Self::of(QuoteVersion::V4, |_| ())
    }

    fn look(&self, patience: Patience) -> Result<Verified<Genuine>, Refusal> {
        let quoted = self.tpm.as_ref().map(|tpm| Quoted {
            quote: &tpm.message,
            signature: &tpm.signature,
            pcrs: Some(&tpm.pcrs),
            nonce: self.nonce.as_deref(),
            pcrs_unchecked: None,
        });
        let looked = self.case.ask(|evidence, question| {
            let evidence = TdxEvidence {
                hcl_report: Some(&self.hcl),
                quoted: quoted.as_ref(),
                ..evidence
            };
            match patience {
                Patience::First => verify(evidence, question),
                Patience::All => explain(evidence, question),
            }
        });
        looked.expect("collateral")
    }
}

/// The guest with one change is refused for this alone.
#[track_caller]
fn refuses(change: impl FnOnce(&mut Guest), expected: &Rejection) {
    let mut guest = Guest::honest();
    change(&mut guest);
    let looked = guest.look(Patience::First);
    assert_eq!(failures(&looked), std::slice::from_ref(expected));
}

#[test]
fn an_honest_guest_is_genuine_and_fresh_in_either_layout() {
    for version in [QuoteVersion::V4, QuoteVersion::V5] {
        let guest = Guest::of(version, |_| ());
        for patience in [Patience::First, Patience::All] {
            let verified = guest.look(patience).expect("genuine");
            assert!(verified.simulated());
            assert!(verified.vtpm().expect("a quote").fresh);
        }
    }
}

#[test]
fn a_td_with_service_tds_says_so_in_its_tdreport_too() {
    let mut guest = Guest::of(QuoteVersion::V5, |td| td.mrservicetd = [5; 48]);
    guest.case.policy.service_td = true;
    assert_eq!(failures(&guest.look(Patience::First)), []);
}

#[test]
fn evidence_that_nobody_asked_for_is_not_fresh() {
    let unfresh = &Rejection::FreshnessUnchecked;
    refuses(|guest| guest.nonce = None, unfresh);
    refuses(|guest| guest.tpm = None, unfresh);
    let mut guest = Guest::honest();
    guest.nonce = None;
    guest.case.policy.report_data = Expect::AnyOf(vec![report_data(&TPM.runtime_data())]);
    assert_eq!(failures(&guest.look(Patience::First)), []);
}

#[test]
fn refuses_the_answer_to_another_nonce() {
    refuses(
        |guest| guest.nonce = Some(b"mine".to_vec()),
        &Rejection::VtpmNonceMismatch {
            found: hex::encode(NONCE),
        },
    );
}

#[test]
fn refuses_runtime_data_that_the_tdreport_does_not_cover() {
    refuses(|guest| guest.hcl[1240] ^= 1, &Rejection::HclRuntimeData);
}

#[test]
fn refuses_a_wrapping_around_the_tdreport_of_another_td() {
    let other = Guest::of(QuoteVersion::V4, |td| td.rtmrs[3] = [9; 48]).hcl;
    let field = "RTMR3";
    refuses(
        |guest| guest.hcl = other,
        &Rejection::HclQuoteMismatch { field },
    );
}

/// Anybody can write a TDREPORT that covers a key of his own; the quote of another stays what it is.
#[test]
fn refuses_a_key_that_the_quote_does_not_cover() {
    let mine = VirtualTpm::from_seed([2; 32]).expect("a key");
    let data = mine.runtime_data();
    let td = TdProfile {
        report_data: report_data(&data),
        ..Scene::new().td
    };
    let field = "REPORTDATA";
    let mismatch = Rejection::HclQuoteMismatch { field };
    refuses(|guest| guest.hcl = wrap(&tdreport(&td), &data), &mismatch);
    let quote = mine.quote(NONCE, &[(4, PCR)].into()).expect("a quote");
    refuses(
        |guest| guest.tpm = Some(quote),
        &Rejection::VtpmQuoteSignature,
    );
}

#[test]
fn refuses_evidence_without_a_wanted_pcr() {
    let wanted = |guest: &mut Guest, index, value| {
        guest.case.policy.pcrs = [(index, vec![value])].into();
    };
    let mut guest = Guest::honest();
    wanted(&mut guest, 4, PCR);
    assert_eq!(failures(&guest.look(Patience::First)), []);
    let other = Rejection::VtpmPcrUnknown {
        index: 4,
        found: Hex(PCR),
    };
    refuses(|guest| wanted(guest, 4, [0; 32]), &other);
    let unquoted = Rejection::VtpmPcrUnquoted { index: 5 };
    refuses(|guest| wanted(guest, 5, PCR), &unquoted);

    // A quote without its wrapping tells no PCR.
    guest.case.policy.report_data = Expect::AnyOf(vec![report_data(&TPM.runtime_data())]);
    let unquoted = Rejection::VtpmPcrUnquoted { index: 4 };
    assert_eq!(guest.case.verify(), Err(unquoted));
}

#[test]
fn explaining_tells_everything_that_is_wrong() {
    let mut guest = Guest::honest();
    guest.hcl = Guest::of(QuoteVersion::V4, |td| td.mrtd = [9; 48]).hcl;
    guest.nonce = Some(b"mine".to_vec());
    guest.case.quote[30] ^= 1;
    let explained = guest.look(Patience::All);
    let codes: Vec<_> = failures(&explained).iter().map(Rejection::code).collect();
    let expected = [
        "quote_signature",
        "hcl_quote_mismatch",
        "vtpm_nonce_mismatch",
        "freshness_unchecked",
    ];
    assert_eq!(codes, expected);
}
