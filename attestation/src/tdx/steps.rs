//! The steps of docs/spec/verification.md that decide whether a quote is genuine, tdx-1 to tdx-7. What the policy requires of a
//! genuine TD, tdx-8 and tdx-9, is in `wanted.rs`.

use super::{
    certificate::{Certificate, chain},
    collateral::IntelCollateral,
    crl::RevocationList,
    document::{QeIdentity, TcbInfo},
    pck::{PckChain, Platform},
    quote::{Quote, Trailing},
    report::TdReport,
    roots::{IntelRoots, Vendor},
    tcb::{self, Reported, Standing},
    td::Td,
};
use crate::{
    Memory, Rejection, Time,
    encoding::digest::{Hex, sha256},
    transcript::{Failed, Inspection, ensure},
};

/// The basis for deciding whether a quote is genuine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grounds<'a> {
    pub(crate) roots: &'a IntelRoots,
    pub(crate) collateral: &'a IntelCollateral,
    /// Why nonzero bytes after the quote are accepted; `None` if they are not.
    pub(crate) trailing_accepted: Option<&'a str>,
    pub(crate) now: Time,
    /// What was verified before.
    pub(crate) memory: &'a Memory,
}

/// What was read and looked up along the way. It does not say whether the checks passed.
pub(crate) struct Findings {
    pub(crate) report: TdReport,
    pub(crate) platform: Platform,
    /// Everything except the event log; an error if the collateral does not say how current the platform is.
    pub(crate) td: Result<Td, Failed>,
    /// SHA-256 of the root.
    pub(super) root: Hex<32>,
    pub(super) simulated: bool,
    pub(super) until: Time,
}

/// One quote being verified.
pub(super) struct Procedure<'a, 'i> {
    grounds: Grounds<'a>,
    inspection: &'i mut Inspection,
    until: Time,
}

impl<'a, 'i> Procedure<'a, 'i> {
    pub(super) fn new(grounds: Grounds<'a>, inspection: &'i mut Inspection) -> Self {
        Self {
            grounds,
            inspection,
            until: Time(i64::MAX),
        }
    }

    pub(super) fn run(mut self, bytes: &[u8]) -> Result<Findings, Failed> {
        let Grounds {
            roots, now, memory, ..
        } = self.grounds;
        let quote = self.inspection.check(
            ("tdx-1", "quote"),
            || Quote::parse(bytes),
            |quote| format!("version {}", quote.version),
        )?;
        let report = self.inspection.check(
            ("tdx-1", "TD report"),
            || quote.td(),
            |report| format!("layout {}", report.layout),
        )?;
        self.trailing(quote.trailing);
        let pck = self.inspection.check(
            ("tdx-2", "PCK chain"),
            || PckChain::verify(&quote.chain, roots, now, memory),
            |pck| format!("FMSPC {}, to {}", pck.platform.fmspc, words(pck.vendor)),
        )?;
        self.until = self.until.min(pck.until);
        let simulated = pck.vendor == Vendor::Simulated;
        if simulated {
            self.inspection.mark_simulated();
        }
        let root_list = self.revocation(&pck)?;
        let documents = self.documents(&pck, &root_list);
        self.quoting_enclave(
            &quote,
            &pck,
            documents.as_ref().ok().map(|(_, identity)| identity),
        );
        self.inspection.note(
            ("tdx-6", "quote signature"),
            || check_quote(&quote),
            |()| "by the attestation key".to_owned(),
        );
        let standing =
            documents.and_then(|documents| self.standing(&documents, report, &pck, &quote));
        let td = standing.map(|standing| Td {
            version: quote.version,
            report: *report,
            platform: pck.platform.clone(),
            qe_svn: quote.qe.isvsvn,
            status: standing.status,
            platform_status: standing.platform,
            module_status: standing.module,
            qe_status: standing.qe,
            lagging: standing.lagging,
            advisories: standing.advisories,
            tcb_date: standing.date,
            evaluation: standing.evaluation,
            event_log: None,
            trailing_bytes: quote.trailing.count,
        });
        Ok(Findings {
            report: *report,
            platform: pck.platform.clone(),
            td,
            root: Hex(sha256(&[pck.root.der])),
            simulated,
            until: self.until,
        })
    }

    fn trailing(&mut self, Trailing { count, zero }: Trailing) {
        const CHECK: (&str, &str) = ("tdx-1", "nothing follows");
        match self.grounds.trailing_accepted {
            Some(why) if !zero => self.inspection.skip(CHECK, why),
            _ => {
                self.inspection.note(
                    CHECK,
                    || ensure(zero, || Rejection::QuoteTrailing { extra: count }),
                    |()| format!("{count} zero byte(s) of padding"),
                );
            }
        }
    }

    /// The root's list, once both lists are shown to be Intel's, fresh, and to name no certificate of the chain.
    fn revocation(&mut self, pck: &PckChain<'_>) -> Result<RevocationList<'a>, Failed> {
        let Grounds {
            collateral,
            now,
            memory,
            ..
        } = self.grounds;
        let (list, until) = self.inspection.check(
            ("tdx-3", "root CRL"),
            || {
                let list =
                    RevocationList::verify(&collateral.root_ca_crl, "root", &pck.root, memory)?;
                list.check_absent(&pck.root)?;
                list.check_absent(&pck.intermediate)?;
                let until = list.check_fresh(now)?;
                Ok((list, until))
            },
            |(_, until)| format!("names no certificate of the chain; until {until}"),
        )?;
        let of_leaf = self.inspection.check(
            ("tdx-3", "PCK CRL"),
            || {
                let issuer_until =
                    check_issuers(&collateral.pck_crl_issuer_chain, pck, (now, memory))?;
                let list =
                    RevocationList::verify(&collateral.pck_crl, "PCK", &pck.intermediate, memory)?;
                list.check_absent(&pck.leaf)?;
                Ok(list.check_fresh(now)?.min(issuer_until))
            },
            |until| format!("does not name the PCK; until {until}"),
        );
        self.until = self.until.min(until);
        if let Ok(until) = of_leaf {
            self.until = self.until.min(until);
        }
        Ok(list)
    }

    fn documents(
        &mut self,
        pck: &PckChain<'_>,
        root_list: &RevocationList<'_>,
    ) -> Result<(TcbInfo, QeIdentity), Failed> {
        let Grounds {
            collateral,
            now,
            memory,
            ..
        } = self.grounds;
        let signed = collateral.signed_tcb_info();
        let info = self.inspection.check(
            ("tdx-4", "TCB info"),
            || {
                let vouched = signed.verify(pck, root_list, None, (now, memory))?;
                let (info, until) = TcbInfo::read(signed.body, now)?;
                Ok((info, until.min(vouched.until), vouched))
            },
            |(info, until, _)| {
                let number = info.tcb_evaluation_data_number;
                format!("evaluation {number}; until {until}")
            },
        );
        let vouched = info.as_ref().ok().map(|(_, _, vouched)| *vouched);
        let signed = collateral.signed_qe_identity();
        let identity = self.inspection.check(
            ("tdx-4", "QE identity"),
            || {
                let vouched = signed.verify(pck, root_list, vouched, (now, memory))?;
                let (identity, until) = QeIdentity::read(signed.body, now)?;
                Ok((identity, until.min(vouched.until)))
            },
            |(identity, until)| {
                let number = identity.tcb_evaluation_data_number;
                format!("evaluation {number}; until {until}")
            },
        );
        let ((info, info_until, _), (identity, identity_until)) = (info?, identity?);
        self.until = self.until.min(info_until).min(identity_until);
        Ok((info, identity))
    }

    fn quoting_enclave(
        &mut self,
        quote: &Quote<'_>,
        pck: &PckChain<'_>,
        identity: Option<&QeIdentity>,
    ) {
        // The same in each quote of one boot of the platform.
        let memory = self.grounds.memory;
        self.inspection.note(
            ("tdx-5", "QE report signature"),
            || {
                let (message, signature) = (quote.qe_signed, &quote.qe_signature);
                let signed = pck.leaf.signed_fixed(message, signature, memory);
                ensure(signed, || Rejection::QeReportSignature)
            },
            |()| "by the PCK".to_owned(),
        );
        let names_key = || {
            let digest = sha256(&[&quote.attestation_key, quote.qe_authentication]);
            // Intel's library compares only the first half; the other half is zero in every honest quote.
            let wanted: Vec<u8> = digest.iter().copied().chain([0; 32]).collect();
            ensure(quote.qe.report_data == *wanted, || Rejection::QeReportData)
        };
        self.inspection
            .note(("tdx-5", "QE report data"), names_key, |()| {
                "names the attestation key".to_owned()
            });
        if let Some(identity) = identity {
            self.inspection.note(
                ("tdx-5", "QE identity"),
                || tcb::check_qe(identity, &quote.qe),
                |()| "Intel's quoting enclave".to_owned(),
            );
        }
    }

    fn standing(
        &mut self,
        (info, identity): &(TcbInfo, QeIdentity),
        report: &TdReport,
        pck: &PckChain<'_>,
        quote: &Quote<'_>,
    ) -> Result<Standing, Failed> {
        let platform = &pck.platform;
        self.inspection.check(
            ("tdx-7", "TCB info's platform"),
            || tcb::check_platform(info, platform),
            |()| format!("FMSPC {}, PCEID {}", platform.fmspc, platform.pceid),
        )?;
        self.inspection.note(
            ("tdx-7", "TDX module"),
            || tcb::check_module(info, report),
            |()| format!("Intel's, version {}", report.tee_tcb_svn.0[1]),
        );
        let reported = Reported {
            td: report,
            platform,
        };
        self.inspection.check(
            ("tdx-7", "TCB level"),
            || tcb::evaluate(info, identity, reported, &quote.qe),
            |standing| format!("{}, of {}", standing.status, standing.date),
        )
    }
}

fn words(vendor: Vendor) -> &'static str {
    match vendor {
        Vendor::Intel => "Intel's root",
        Vendor::Simulated => "a simulated root",
    }
}

/// Checks that the list's own chain is the PCK's: the same root, and the same authority below it. Returns when its certificate expires.
fn check_issuers(
    text: &str,
    pck: &PckChain<'_>,
    (now, memory): (Time, &Memory),
) -> Result<Time, Rejection> {
    let malformed = |what| Rejection::TdxCollateralMalformed { what };
    let chain = chain(text.as_bytes()).ok_or(malformed("an issuer chain is not PEM"))?;
    let [issuer, root] = &chain[..] else {
        return Err(malformed(
            "the PCK CRL's chain does not have two certificates",
        ));
    };
    if root != pck.root.der {
        return Err(malformed(
            "the PCK CRL's chain does not end in the PCK's root",
        ));
    }
    if issuer == pck.intermediate.der {
        return Ok(pck.intermediate.until());
    }
    // Intel may have issued another certificate for the same authority.
    let issuer = Certificate::parse(issuer, "PCK CRL issuer")?;
    if !issuer.is_same_authority(&pck.intermediate) {
        return Err(Rejection::IntelCrlIssuer { which: "PCK" });
    }
    issuer.check_issued_by(&pck.root, memory)?;
    issuer.check_valid_at(now)?;
    Ok(issuer.until())
}

fn check_quote(quote: &Quote<'_>) -> Result<(), Rejection> {
    let mut point = [4; 65];
    if let Some(coordinates) = point.last_chunk_mut::<64>() {
        *coordinates = quote.attestation_key;
    }
    crate::crypto::verify_ecdsa_p256(&point, quote.signed, &quote.signature)
        .map_err(|_| Rejection::QuoteSignature)
}
