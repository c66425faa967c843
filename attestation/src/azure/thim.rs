//! What Azure's instance metadata service hands a guest on SEV-SNP (THIM): the chip's certificate and those above it, in JSON.
//!
//! Trusts nothing: the certificates are candidates, like those from any other source. The level next to them, `tcbm`, is also in the
//! certificate, which AMD signed, so the copy is not read.

use serde::Deserialize;

use crate::{Rejection, encoding::pem};

/// Real answers have 7 KB.
pub const MAX_SIZE: usize = 64 * 1024;

/// Other keys, such as `tcbm` and `cacheControl`, are ignored; a key that appears twice is an error.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    vcek_cert: String,
    certificate_chain: Option<String>,
}

/// Whether this JSON is such an answer, by its keys.
pub fn is_answer(json: &[u8]) -> bool {
    serde_json::from_slice::<Answer>(json).is_ok()
}

/// The chip's certificate, then those above it, DER.
pub fn certificates(json: &[u8]) -> Result<Vec<Vec<u8>>, Rejection> {
    let malformed = || Rejection::CertificateMalformed {
        which: "Azure's THIM answer",
    };
    if json.len() > MAX_SIZE {
        return Err(malformed());
    }
    let answer: Answer = serde_json::from_slice(json).map_err(|_| malformed())?;
    let mut certificates = pem::certificates(answer.vcek_cert.as_bytes())?;
    if let Some(chain) = &answer.certificate_chain {
        certificates.extend(pem::certificates(chain.as_bytes())?);
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snp::ARKS;

    fn answer(vcek: &[u8], more: &str) -> String {
        let vcek = String::from_utf8_lossy(vcek);
        format!(
            "{{\"vcekCert\":{},\"tcbm\":\"DB18000000000004\"{more}}}",
            serde_json::json!(vcek)
        )
    }

    #[test]
    fn certificates_come_out_of_the_answer_the_chips_own_first() {
        let [milan, genoa, turin] = ARKS;
        let above = [genoa, turin].concat();
        let above = serde_json::json!(String::from_utf8_lossy(&above));
        let json = answer(
            milan,
            &format!(",\"certificateChain\":{above},\"cacheControl\":\"86400\""),
        );
        assert!(is_answer(json.as_bytes()));
        let found = certificates(json.as_bytes()).expect("an answer");
        let der = |pem| pem::certificates(pem).expect("PEM").remove(0);
        assert_eq!(found, [der(milan), der(genoa), der(turin)]);
        let alone = answer(milan, "");
        assert_eq!(certificates(alone.as_bytes()), Ok(vec![der(milan)]));
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let twice = answer(ARKS[0], ",\"vcekCert\":\"\"");
        for bad in [
            "",
            "[]",
            "{}",
            "{\"vcekCert\":1}",
            "{\"vcekCert\":\"\"}",
            &twice,
        ] {
            let refused = certificates(bad.as_bytes()).expect_err("no answer");
            assert_eq!(refused.code(), "certificate_malformed", "{bad}");
        }
        assert!(!is_answer(twice.as_bytes()));
        let large = vec![b' '; MAX_SIZE + 1];
        assert!(certificates(&large).is_err());
    }
}
