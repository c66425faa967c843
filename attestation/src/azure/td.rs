//! A TD on Azure: the paravisor's wrapping of its `TDREPORT`, and the quote of its virtual TPM.
//!
//! Trusts the TD's quote, once it is genuine: the `TDREPORT` is checked against the quote, the runtime data against the `TDREPORT`, and
//! the virtual TPM's key against the runtime data.

use std::borrow::Cow;

use super::{
    hcl::{self, Platform},
    tdreport,
    vtpm::{self, Quoted, Told},
};
use crate::tdx::{
    policy::{NOTHING_ASKED, TdxPolicy},
    report::TdReport,
};
use crate::transcript::{Expect, Failed, Inspection};

/// What a guest on Azure has in addition to its quote.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wrapping<'a> {
    /// The HCL report.
    pub(crate) hcl: &'a [u8],
    /// What the virtual TPM said, if it was asked.
    pub(crate) quoted: Option<&'a Quoted<'a>>,
}

/// An unwrapped report.
pub(crate) struct Unwrapped<'a> {
    report: TdReport,
    runtime_data: &'a [u8],
    quoted: Option<&'a Quoted<'a>>,
}

impl<'a> Wrapping<'a> {
    /// Step hcl-1, and the part of hcl-2 that the `TDREPORT` covers the runtime data.
    pub(crate) fn unwrap(self, inspection: &mut Inspection) -> Result<Unwrapped<'a>, Failed> {
        let unwrap = || {
            let wrapped = hcl::unwrap(self.hcl, Platform::Tdx)?;
            let report = tdreport::parse(wrapped.report)?;
            Ok(Unwrapped {
                report,
                runtime_data: wrapped.runtime_data,
                quoted: self.quoted,
            })
        };
        inspection.check(("hcl-2", "runtime data"), unwrap, |it| {
            let size = it.runtime_data.len();
            format!("{size} bytes, which the TDREPORT covers")
        })
    }
}

impl Unwrapped<'_> {
    /// Checks that the quote was made from this TDREPORT, as far as the quote could be read; then steps hcl-3 to hcl-7.
    pub(crate) fn inspect(
        &self,
        quote: Option<&TdReport>,
        inspection: &mut Inspection,
    ) -> Option<Told> {
        if let Some(quote) = quote {
            inspection.note(
                ("hcl-2", "TDREPORT"),
                || tdreport::check_quote(&self.report, quote),
                |()| "the quote was made from it".to_owned(),
            );
        }
        vtpm::inspect(self.runtime_data, self.quoted, inspection)
    }
}

/// The policy for a TD whose virtual TPM answered the caller. There the paravisor chooses REPORTDATA, which hcl-2 checked against the
/// runtime data; so unless the caller says otherwise, any value is accepted, and the quote is no older than the answer's key.
pub(crate) fn answered<'p>(
    policy: &'p TdxPolicy,
    told: Option<&Told>,
    report: &TdReport,
) -> Cow<'p, TdxPolicy> {
    let is_open = policy.report_data == NOTHING_ASKED
        || matches!(policy.report_data, Expect::Unchecked { .. });
    if !is_open || !told.is_some_and(|told| told.fresh) {
        return Cow::Borrowed(policy);
    }
    Cow::Owned(TdxPolicy {
        report_data: Expect::AnyOf(vec![report.report_data.0]),
        ..policy.clone()
    })
}
