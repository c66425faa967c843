//! The claims: what the enclave says about itself. Bound, so true if the enclave is the measured one.

use chrysalis_attestation::evidence::claims::Claims;

use super::page::Page;

pub(super) fn show(page: &mut Page, bytes: &[u8]) {
    page.heading(
        "claims",
        &format!(
            "{} bytes, hashed into the report's REPORT_DATA",
            bytes.len()
        ),
    );
    let claims = match Claims::decode(bytes) {
        Ok(claims) => claims,
        Err(refused) => return page.row("unreadable", "", &refused.to_string()),
    };
    page.row("profile", &claims.profile, "which fields there are");
    page.row("release", &claims.release, "the enclave program's version");
    page.row(
        "configuration",
        &hex::encode(claims.configuration),
        "SHA-256; the report's HOST_DATA must equal it",
    );
    page.row("model", &claims.model, "as the API names it");
    page.row(
        "weights",
        &hex::encode(claims.weights),
        "dm-verity root of the weights",
    );
    page.row(
        "template",
        &hex::encode(claims.template),
        "SHA-256 of the chat template",
    );
    page.row("engine", &claims.engine, "what computes");
    page.row(
        "known_answer",
        yes(claims.known_answer),
        "whether the loaded model gave the known answer",
    );
    page.row(
        "epoch",
        &claims.epoch.to_string(),
        "attestations renewed since boot",
    );
    page.row(
        "epoch_began",
        &chrysalis_attestation::Time(claims.epoch_began).to_string(),
        "by the guest's clock, which the host may set: a hint",
    );
}

fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}
