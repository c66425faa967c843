//! The claims: what the enclave says about itself. Bound, so true if the enclave is the measured one.

use chrysalis_attestation::evidence::claims::{Claims, EngineClaim, ModelClaim};

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
    page.hex(
        "configuration",
        claims.configuration,
        "SHA-256; the report's HOST_DATA must equal it",
    );
    for it in &claims.engines {
        engine(page, it);
    }
    for it in &claims.models {
        model(page, it);
    }
    page.row(
        "known_answer",
        yes(claims.known_answer),
        "whether every model with a known answer gave it",
    );
    page.hex("receipt_key", claims.receipt_key, "Ed25519; signs receipts");
    page.hex(
        "hpke_key",
        claims.hpke_key,
        "SHA-256 of the keys for requests through relays",
    );
    page.row("epoch", claims.epoch, "attestations renewed since boot");
    page.row(
        "epoch_began",
        chrysalis_attestation::Time(claims.epoch_began),
        "by the guest's clock, which the host may set: a hint",
    );
    page.row(
        "epoch_seconds",
        claims.epoch_seconds,
        "how long an epoch lasts",
    );
}

fn engine(
    page: &mut Page,
    EngineClaim {
        name,
        version,
        disk,
    }: &EngineClaim,
) {
    page.row("engine", name, "what computes, as models name it");
    page.row("engine version", version, "as its disk states it");
    page.hex("engine disk", disk, "dm-verity root of its disk");
}

fn model(page: &mut Page, model: &ModelClaim) {
    let ModelClaim {
        name,
        kind,
        engine,
        disk,
        weights,
        tokenizer,
        template,
    } = model;
    page.row("model", name, "as the API names it");
    page.row("model kind", kind, "what it is for");
    page.row("model engine", engine, "which of the engines runs it");
    page.hex("model disk", disk, "dm-verity root of its disk");
    page.hex("model weights", weights, "SHA-256 of the weights");
    if let Some(tokenizer) = tokenizer {
        page.hex("model tokenizer", tokenizer, "SHA-256");
    }
    if let Some(template) = template {
        page.hex("model template", template, "SHA-256 of the chat template");
    }
}

fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}
