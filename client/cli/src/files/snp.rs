//! `verify snp`: a report and its certificates.

use anyhow::{Context, anyhow, bail};
use chrysalis_attestation::{
    Collateral, Patience, Rejection,
    alone::snp::{Examined, SnpQuestion, examine, examine_wrapped},
    azure::{
        hcl::{self, Platform},
        thim,
    },
    encoding::pem,
    policy::Policy,
    snp::{
        AmdRoots,
        report::{Report, SigningKey},
        table,
    },
};
use chrysalis_client::system_time;
use serde_json::{Value, json};

use super::{
    finding::{Finding, told},
    input::{MAX_EVIDENCE, read_all, read_for, read_policy, read_statements},
    kind::{Kind, Place},
    vtpm,
};
use crate::{
    Outcome,
    arguments::{SnpArguments, SnpInput},
    collateral,
    verify::accepted,
};

const WITHOUT_CRL: &str = "--without crl";
const WITHOUT_FRESHNESS: &str = "--without freshness";

pub(crate) fn run(arguments: &SnpArguments) -> anyhow::Result<Outcome> {
    let options = &arguments.options;
    let policy = policy(arguments)?;
    let report = read_for(Place::SnpReport, &arguments.report, MAX_EVIDENCE)?;
    let certificates = read_all(Place::SnpCertificate, &arguments.certificates)?;
    let lists = read_all(Place::RevocationList, &arguments.lists)?;
    let vtpm = vtpm::Files::read(&arguments.tpm)?;
    if vtpm.is_some() && !hcl::is_wrapped(&report) {
        bail!(
            "{} does not name the vTPM's key: a quote goes with Azure's HCL report, whole",
            arguments.report.display()
        );
    }
    let statements = read_statements(&arguments.statements)?;
    let finding = match gather(&certificates, lists) {
        Ok(mut collateral) => {
            collateral.statements = statements;
            if let Some(folder) = &arguments.collateral {
                // A wrapping that cannot be taken off is refused below, by name.
                let bare = hcl::unwrap(&report, Platform::Snp)
                    .map_or(&report[..], |wrapped| wrapped.report);
                collateral::add_for_report(&mut collateral, folder, bare)?;
            }
            let roots = policy
                .as_ref()
                .map_or_else(AmdRoots::amd, |policy| policy.roots().amd);
            let broken = accepted(&arguments.accept_broken);
            let question = SnpQuestion {
                roots: &roots,
                collateral: &collateral,
                now: options.at.unwrap_or_else(system_time),
                policy: policy.as_ref(),
                report_data: arguments.report_data.as_ref(),
                revocation_unchecked: goes_without(arguments, SnpInput::Crl).then_some(WITHOUT_CRL),
                broken: Some(&broken),
            };
            let patience = if options.explain_only {
                Patience::All
            } else {
                Patience::First
            };
            let examined = if hcl::is_wrapped(&report) {
                let quoted = vtpm.as_ref().map(|files| {
                    files.quoted(&arguments.tpm, goes_without(arguments, SnpInput::Pcrs))
                });
                examine_wrapped(&report, quoted.as_ref(), &question, patience)
            } else {
                examine(&report, &question, patience)
            };
            finding(&examined, policy.as_ref())
        }
        Err(rejection) => Finding::unreadable(policy.is_some(), rejection),
    };
    finding.tell(&options.telling, options.explain_only)
}

fn goes_without(arguments: &SnpArguments, input: SnpInput) -> bool {
    arguments.without.contains(&input)
}

/// The policy, with the reasons that the command line adds.
fn policy(arguments: &SnpArguments) -> anyhow::Result<Option<Policy>> {
    let Some(path) = &arguments.options.policy else {
        return Ok(None);
    };
    let mut policy = Policy::parse(&read_policy(path)?)
        .map_err(|error| anyhow!("{error}"))
        .with_context(|| format!("the policy {} cannot be used", path.display()))?;
    if let Some(snp) = &mut policy.snp
        && goes_without(arguments, SnpInput::Crl)
    {
        let why = &mut snp.revocation_unchecked;
        why.get_or_insert_with(|| WITHOUT_CRL.to_owned());
    }
    if goes_without(arguments, SnpInput::Freshness) {
        let why = &mut policy.freshness_unchecked;
        why.get_or_insert_with(|| WITHOUT_FRESHNESS.to_owned());
    }
    Ok(Some(policy))
}

/// Certificates and lists, out of whatever they were wrapped in.
fn gather(certificates: &[Vec<u8>], lists: Vec<Vec<u8>>) -> Result<Collateral, Rejection> {
    let mut collateral = Collateral::default();
    for file in certificates {
        collateral.certificates.extend(match Kind::of(file) {
            Kind::CertificateTable => table::certificates(file)?.certificates,
            Kind::AzureCertificates => thim::certificates(file)?,
            _ => pem::certificates(file)?,
        });
    }
    for file in lists {
        if pem::is_pem(&file) {
            let which = "a revocation list";
            let lists = pem::labelled(pem::REVOCATION_LIST, &file);
            collateral
                .crls
                .extend(lists.ok_or(Rejection::CertificateMalformed { which })?);
        } else {
            collateral.crls.push(file);
        }
    }
    Ok(collateral)
}

fn finding(examined: &Examined, policy: Option<&Policy>) -> Finding {
    let mut finding = Finding {
        policy: policy.is_some(),
        failures: examined.failures().to_vec(),
        transcript: examined.transcript().clone(),
        until: examined.until(),
        claims: Value::Null,
        lines: Vec::new(),
        broken: examined.broken(),
    };
    let (Some(report), Some(product), Some(tcb)) = (
        examined.report(),
        examined.product(),
        examined.reported_tcb(),
    ) else {
        return finding;
    };
    finding.claims = claims(report, examined);
    let digest = hex::encode(report.launch_digest);
    let wanted = policy.and_then(|it| it.snp.as_ref());
    let genuine = if examined.transcript().simulated() {
        "SIMULATED, not AMD hardware"
    } else {
        "genuine"
    };
    let how = match examined.broken() {
        Some(broken) if examined.transcript().simulated() => {
            format!("{genuine}, {}", broken.told())
        }
        Some(broken) => broken.told(),
        None => format!("{genuine}, {tcb}"),
    };
    finding.lines = vec![
        ["cpu".to_owned(), format!("AMD SEV-SNP, {product}"), how],
        [
            "image".to_owned(),
            digest.chars().take(12).chain(['…']).collect(),
            told(wanted.map(|it| &it.launch_digest)),
        ],
    ];
    finding.lines.extend(examined.vtpm().map(vtpm::line));
    finding
}

/// What a genuine report says, as text and lower-case hex.
fn claims(report: &Report, examined: &Examined) -> Value {
    let status = match examined.revocation_until() {
        Some(_) => "not_revoked",
        None => "not_checked",
    };
    json!({
        "platform": "snp",
        "product": examined.product().map(|product| product.to_string().to_lowercase()),
        "measurement": hex::encode(report.launch_digest),
        "report_data": hex::encode(report.report_data),
        "host_data": hex::encode(report.host_data),
        "version": report.version,
        "tcb": hex::encode(report.reported_tcb.0),
        "tcb_components": examined.reported_tcb(),
        "current_tcb": hex::encode(report.current_tcb.0),
        "committed_tcb": hex::encode(report.committed_tcb.0),
        "launch_tcb": hex::encode(report.launch_tcb.0),
        "current_firmware": report.current_firmware.to_string(),
        "committed_firmware": report.committed_firmware.to_string(),
        "status": status,
        "policy": format!("{:#x}", report.policy.0),
        "debug": report.policy.debug_allowed(),
        "platform_info": format!("{:#x}", report.platform_info.0),
        "vmpl": report.vmpl,
        "guest_svn": report.guest_svn,
        "signing_key": match report.key_info.signing_key {
            SigningKey::Vcek => "vcek",
            SigningKey::Vlek => "vlek",
            SigningKey::None => "none",
        },
        "family_id": hex::encode(report.family_id),
        "image_id": hex::encode(report.image_id),
        "id_key_digest": hex::encode(report.id_key_digest),
        "author_key_digest": hex::encode(report.author_key_digest),
        "report_id": hex::encode(report.report_id),
        "chip_id": hex::encode(report.chip_id),
        "vtpm": examined.vtpm().map(vtpm::claims),
        "root": examined.root().map(|root| root.to_string()),
        "broken": examined.broken(),
    })
}
