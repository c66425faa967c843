//! Step hcl-8: what the guest of Azure's paravisor booted.

use std::collections::BTreeMap;

use super::vtpm::Told;
use crate::{
    Rejection,
    encoding::digest::Hex,
    transcript::{Inspection, LEFT_OPEN, Step, ensure},
};

/// Evidence from anywhere else contains no PCR, so a policy that pins one refuses it.
pub(crate) fn pcrs(
    told: Option<&Told>,
    wanted: &BTreeMap<u8, Vec<[u8; 32]>>,
    inspection: &mut Inspection,
) {
    const CHECK: Step = ("hcl-8", "wanted PCRs");
    if wanted.is_empty() && told.is_some() {
        inspection.skip(CHECK, LEFT_OPEN);
    }
    for (&index, values) in wanted {
        inspection.note(CHECK, || pcr(told, index, values), String::clone);
    }
}

/// Checks that a PCR was quoted and has one of the accepted values. Returns what was found, for people.
fn pcr(told: Option<&Told>, index: u8, wanted: &[[u8; 32]]) -> Result<String, Rejection> {
    let found = told.and_then(|told| told.pcr(index));
    let found = found.map(Hex).ok_or(Rejection::VtpmPcrUnquoted { index })?;
    ensure(wanted.contains(&found.0), || Rejection::VtpmPcrUnknown {
        index,
        found,
    })?;
    Ok(format!("PCR {index}: {found}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{azure::vtpm::Quote, transcript::Patience};

    /// What a virtual TPM that quoted PCR 4 says.
    fn told(pcrs: Option<[u8; 32]>) -> Told {
        Told {
            quote: Quote {
                nonce: Vec::new(),
                clock: 0,
                resets: 0,
                restarts: 0,
                safe: true,
                firmware: 0,
                selection: vec![4],
                digest: [0; 32],
            },
            pcrs: pcrs.map(|value| [(4, value)].into()),
            fresh: false,
        }
    }

    fn refusal(told: Option<&Told>, wanted: &[(u8, [u8; 32])]) -> Option<Rejection> {
        let wanted = wanted
            .iter()
            .map(|(index, value)| (*index, vec![[7; 32], *value]));
        let mut inspection = Inspection::new(Patience::First);
        pcrs(told, &wanted.collect(), &mut inspection);
        let refusal = inspection.finish(Ok(())).err();
        refusal.map(|refusal| refusal.rejection)
    }

    #[test]
    fn a_wanted_pcr_was_quoted_and_has_a_wanted_value() {
        let found = told(Some([8; 32]));
        assert_eq!(refusal(Some(&found), &[(4, [8; 32])]), None);
        let other = Rejection::VtpmPcrUnknown {
            index: 4,
            found: Hex([8; 32]),
        };
        assert_eq!(refusal(Some(&found), &[(4, [9; 32])]), Some(other));
        for (found, index) in [(None, 4), (Some(told(None)), 4), (Some(found), 5)] {
            let unquoted = Rejection::VtpmPcrUnquoted { index };
            assert_eq!(refusal(found.as_ref(), &[(index, [8; 32])]), Some(unquoted));
        }
    }
}
