//! `show`: what evidence says, field by field, and what each field means. Shows; never judges.

mod certificates;
mod claims;
mod page;
mod report;

use anyhow::{Context, anyhow, bail};
use chrysalis_attestation::{
    Rejection,
    encoding::digest::sha256,
    evidence::{CpuReport, Evidence, binding::Session},
};
use chrysalis_client::SavedSession;
use chrysalis_verifier::Artifact;
use clap::Args;

use page::Page;

use crate::{
    outcome::Outcome,
    printable::{print, printable},
    subject::{self, Subject},
};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  chrysalis show https://llm.example\n  chrysalis show evidence.cbor"
)]
pub(crate) struct ShowArguments {
    /// An enclave (https://HOST:PORT), or a saved session, bundle, certificate or 1184-byte report, or `-` for stdin
    #[arg(value_name = "URL|FILE")]
    pub(crate) subject: Subject,
}

pub(crate) async fn run(arguments: ShowArguments) -> anyhow::Result<Outcome> {
    let mut page = Page::default();
    match subject::load(&arguments.subject).await? {
        Artifact::Session(saved) => session(&mut page, &saved)?,
        Artifact::Certificate(der) => {
            certificate(&mut page, &der)
                .with_context(|| format!("cannot show {}", arguments.subject))?;
        }
        Artifact::Bundle(bundle) => evidence(&mut page, &bundle),
        Artifact::Unreadable(rejection) => return Err(unreadable(&rejection)),
        Artifact::Report(bytes) => report::show(&mut page, &bytes),
    }
    print(&printable(&page.text))?;
    eprintln!("shown, not judged: `chrysalis verify` judges");
    Ok(Outcome::Yes)
}

fn session(page: &mut Page, saved: &SavedSession) -> anyhow::Result<()> {
    page.heading("session", "one conversation, and the evidence about it");
    page.hex(
        "key",
        sha256(&[saved.spki()]),
        "SHA-256 of the public key that ended TLS",
    );
    if let Session::Asked { nonce, exporter } = saved.session() {
        page.hex(
            "nonce",
            nonce,
            "chosen by the relying party: the evidence is no older",
        );
        page.hex(
            "exporter",
            exporter,
            "RFC 9266: names this TLS connection and no other",
        );
    }
    if let Some(agreement) = saved.agreement() {
        page.row(
            "agreement",
            agreement.name(),
            "how the connection's keys were agreed",
        );
    }
    page.row(
        "bundle",
        format!("{} bytes", saved.bundle().len()),
        "CMW collection (RFC 9999)",
    );
    let bundle = Evidence::decode(saved.bundle()).map_err(|rejection| unreadable(&rejection))?;
    evidence(page, &bundle);
    Ok(())
}

fn unreadable(rejection: &Rejection) -> anyhow::Error {
    anyhow!(
        "the evidence cannot be read: {}",
        printable(&rejection.to_string())
    )
}

fn certificate(page: &mut Page, der: &[u8]) -> anyhow::Result<()> {
    if !certificates::is_certificate(der) {
        bail!(
            "{} bytes of DER that are no X.509 certificate, so there is nothing to show",
            der.len()
        );
    }
    page.heading("certificate", "as the peer shows it in the TLS handshake");
    certificates::certificate(page, der);
    match Evidence::from_certificate(der) {
        Ok((bundle, spki)) => {
            page.hex("key", sha256(&[&spki]), "SHA-256 of its public key");
            evidence(page, &bundle);
        }
        Err(refused) => page.row("evidence", "none", &refused.to_string()),
    }
    Ok(())
}

fn evidence(page: &mut Page, evidence: &Evidence) {
    let endorsements = &evidence.endorsements;
    if endorsements
        .certificates
        .iter()
        .any(|der| certificates::is_simulated(der))
    {
        page.heading(
            "simulated",
            "its certificates are of a simulated vendor, so it proves nothing about hardware",
        );
    }
    match &evidence.cpu {
        CpuReport::Snp(bytes) => report::show(page, bytes),
        _ => page.heading("cpu report", "of a kind that this version does not know"),
    }
    claims::show(page, &evidence.claims);
    let gpus = match evidence.gpus.len() {
        0 => "none".to_owned(),
        count => format!("of {count} GPU(s)"),
    };
    page.heading("gpu evidence", &gpus);
    for (number, der) in endorsements.certificates.iter().enumerate() {
        page.heading(
            &format!("certificate {}", number + 1),
            "brought by the host, signed by the vendor",
        );
        certificates::certificate(page, der);
    }
    for (number, der) in endorsements.crls.iter().enumerate() {
        page.heading(
            &format!("revocation list {}", number + 1),
            "brought by the host, signed by the vendor",
        );
        certificates::revocation_list(page, der);
    }
}
