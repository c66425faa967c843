//! From a service's answer to the file that is kept: read strictly, checked against the accepted roots, and never simply trusted.

use crate::{error::FetchError, http::Reply, intel, object::Object};
use chrysalis_attestation::{
    Rejection, Span, Time,
    nvidia::{
        needs::check_rim,
        ocsp::NONCE_SIZE,
        rim::{self, Answered},
    },
    roots::Roots,
    snp::needs::{Authorities, check_list, check_vcek},
    tdx::needs::{Answer, check_pck_list, check_qe_identity, check_root_list, check_tcb_info},
};

/// The accepted roots.
pub type Anchors = Roots;

/// What an answer is checked against.
#[derive(Clone, Copy)]
pub(crate) struct Judge<'a> {
    pub(crate) anchors: &'a Anchors,
    /// DER, found in the evidence: candidates.
    pub(crate) certificates: &'a [Vec<u8>],
    pub(crate) now: Time,
}

/// What a file says about itself, and the file.
pub(crate) struct Accepted {
    pub(crate) file: Vec<u8>,
    pub(crate) span: Span,
}

/// Takes an answer with status 200 apart. `nonce`: the nonce of the OCSP request, if the answer has to repeat it.
pub(crate) fn accept(
    object: &Object,
    reply: &Reply,
    nonce: Option<[u8; NONCE_SIZE]>,
    url: &str,
    judge: Judge<'_>,
) -> Result<Accepted, FetchError> {
    let form = |what| FetchError::Form {
        url: url.to_owned(),
        what,
    };
    let file = match object {
        Object::TcbInfo(_) | Object::QeIdentity => {
            let answer = str::from_utf8(&reply.body).map_err(|_| form("it is not text"))?;
            let chain = issuers(reply).map_err(form)?;
            intel::join(answer, &chain)
                .ok_or_else(|| form("it is not a JSON object"))?
                .into_bytes()
        }
        Object::Rim(id) => manifest(&reply.body, id, url)?,
        _ => reply.body.clone(),
    };
    let span = match object {
        Object::PckList(authority) => {
            let chain = issuers(reply).map_err(form)?;
            let (intel, now) = (&judge.anchors.intel, judge.now);
            check_pck_list(&file, &chain, *authority, intel, now)
        }
        Object::Ocsp(questioned) => questioned.check(&file, nonce, judge.now),
        _ => judge.span(object, &file),
    };
    let span = span.map_err(|rejection| FetchError::Unfit {
        url: url.to_owned(),
        rejection: Box::new(rejection),
    })?;
    Ok(Accepted { file, span })
}

impl Judge<'_> {
    /// Until when a file is valid, if it is the wanted object and descends from an accepted root.
    fn span(&self, object: &Object, file: &[u8]) -> Result<Span, Rejection> {
        let Self {
            anchors,
            certificates,
            now,
        } = *self;
        let authorities = Authorities {
            roots: &anchors.amd,
            certificates,
        };
        match object {
            Object::Vcek(chip) => check_vcek(file, chip, authorities, now).map(|(_, span)| span),
            Object::VcekList(product) | Object::VlekList(product) => {
                check_list(file, *product, authorities, now)
            }
            Object::TcbInfo(fmspc) => with_chain(file, |answer| {
                check_tcb_info(answer, *fmspc, &anchors.intel, now)
            }),
            Object::QeIdentity => with_chain(file, |answer| {
                check_qe_identity(answer, &anchors.intel, now)
            }),
            Object::RootList(root) => check_root_list(file, root, &anchors.intel, now),
            Object::Rim(id) => {
                let manifest = check_rim(file, id, &anchors.nvidia, now)?;
                // A manifest has no date; the one that NVIDIA signed later expires later.
                Ok(Span {
                    from: manifest.until,
                    until: manifest.until,
                    number: None,
                })
            }
            Object::Ocsp(questioned) => questioned.check(file, None, now),
            Object::PckList(_) => Err(Rejection::TdxCollateralMalformed {
                what: "its issuer chain is missing",
            }),
        }
    }
}

fn with_chain<T>(
    file: &[u8],
    check: impl FnOnce(Answer<'_>) -> Result<T, Rejection>,
) -> Result<T, Rejection> {
    let joined = str::from_utf8(file).ok().and_then(intel::split);
    let (body, issuers) = joined.ok_or(Rejection::TdxCollateralMalformed {
        what: "an answer is not an object and its signature",
    })?;
    check(Answer {
        body: &body,
        issuers: &issuers,
    })
}

fn issuers(reply: &Reply) -> Result<String, &'static str> {
    reply
        .issuers
        .as_deref()
        .and_then(intel::chain_of_header)
        .ok_or("it has no issuer chain in its header")
}

fn manifest(body: &[u8], id: &str, url: &str) -> Result<Vec<u8>, FetchError> {
    let form = |what| FetchError::Form {
        url: url.to_owned(),
        what,
    };
    let Answered { id: found, rim } = rim::of_answer(body).map_err(form)?;
    if found.as_deref() != Some(id) {
        return Err(FetchError::WrongId {
            url: url.to_owned(),
            found: found.unwrap_or_default().chars().take(200).collect(),
        });
    }
    Ok(rim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrysalis_attestation::nvidia::needs::of_device;
    use chrysalis_simulate::Nvidia;

    const NOW: Time = Time(1_796_126_400);

    #[test]
    fn an_answer_repeats_the_nonce_that_was_asked_with() {
        let nvidia = Nvidia::from_seed(&[7; 32], NOW);
        let questioned = of_device(&nvidia.gpu(0).evidence(&[0; 32])).swap_remove(0);
        let object = Object::Ocsp(questioned);
        let anchors = Anchors::vendors();
        let judge = Judge {
            anchors: &anchors,
            certificates: &[],
            now: NOW,
        };
        let code = |answered: Option<[u8; 32]>, asked: Option<[u8; 32]>| {
            let reply = Reply {
                status: 200,
                retry_after: None,
                issuers: None,
                body: nvidia.ocsp(NOW, answered).swap_remove(0).der,
            };
            match accept(&object, &reply, asked, "there", judge) {
                Ok(_) => "",
                Err(FetchError::Unfit { rejection, .. }) => rejection.code(),
                Err(other) => other.code(),
            }
        };
        assert_eq!(code(Some([1; 32]), Some([1; 32])), "");
        assert_eq!(code(Some([2; 32]), Some([1; 32])), "ocsp_nonce_mismatch");
        assert_eq!(code(None, Some([1; 32])), "ocsp_nonce_mismatch");
        assert_eq!(code(None, None), "", "a cache cannot repeat it");
    }
}
