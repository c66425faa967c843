//! `verify`: evidence from the network or a file, held against a policy.

use std::{fs, path::Path};

use anyhow::{Context, bail};
use chrysalis_attestation::{
    Refusal, Waivers,
    evidence::{Evidence, binding::Session},
    snp::{
        broken::{self, Accepted, Broken},
        product::Product,
    },
};
use chrysalis_client::{Error, SavedSession};

use crate::{
    Outcome,
    arguments::{
        BundleInput, Conversation, EvidenceCommand, VerdictFormat, VerifyArguments, VerifyOptions,
    },
    files,
    judge::{Found, Judge},
    printable::print,
    subject::{self, Artifact, Subject},
    verdict,
};

pub(crate) async fn run(arguments: VerifyArguments) -> anyhow::Result<Outcome> {
    match (arguments.evidence, arguments.subject) {
        (Some(EvidenceCommand::Snp(arguments)), _) => files::snp::run(&arguments),
        (Some(EvidenceCommand::Tdx(arguments)), _) => files::tdx::run(&arguments),
        (Some(EvidenceCommand::Nvidia(arguments)), _) => files::nvidia::run(&arguments),
        (Some(EvidenceCommand::Bundle(arguments)), _) => {
            let subject = match arguments.file.as_os_str() {
                name if name == "-" => Subject::Stdin,
                _ => Subject::File(arguments.file),
            };
            conversation(&subject, &arguments.options).await
        }
        (None, Some(subject)) => conversation(&subject, &arguments.options).await,
        (None, None) => bail!("nothing to verify: name an enclave as https://HOST:PORT, or a file"),
    }
}

async fn conversation(subject: &Subject, options: &VerifyOptions) -> anyhow::Result<Outcome> {
    let judge = Judge::new(
        options.policy.as_deref(),
        &options.judging,
        waivers(options),
    )?;
    let artifact = options.conversation.beside(subject::load(subject).await?)?;
    if let Some(path) = &options.save {
        save(path, &artifact)?;
    }
    let found = found(&judge, artifact, options.explain_only)?;
    let outcome = match &found {
        Ok(Found::Trusted(_) | Found::Genuine(_) | Found::Unbound(_)) => Outcome::Yes,
        Ok(Found::Explained(_)) | Err(Error::Refused(_) | Error::KeyChanged) => Outcome::No,
        Err(_) => return found.map(|_| Outcome::No).map_err(Into::into),
    };
    match options.format {
        _ if options.quiet => {}
        VerdictFormat::Text => {
            let mut text = verdict::describe(&found, options.verbose || options.explain_only);
            text.extend(verdict::way_on(&found, judge.has_policy()));
            print(&text)?;
        }
        VerdictFormat::Json => print(&format!("{}\n", verdict::json(&found)?))?,
        VerdictFormat::Ear => print(&format!("{}\n", verdict::ear(&found, judge.now())?))?,
    }
    Ok(outcome)
}

fn found(judge: &Judge, artifact: Artifact, explain: bool) -> anyhow::Result<Result<Found, Error>> {
    if explain {
        match explained(judge, &artifact) {
            Ok(None) => {}
            Ok(Some(explained)) => return Ok(Ok(explained)),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(match artifact {
        Artifact::Session(saved) => judge.session(&saved),
        Artifact::Certificate(der) => judge.certificate(&der),
        Artifact::Bundle(evidence) => judge.bundle(evidence),
        Artifact::Unreadable(rejection) => Err(Refusal::from(rejection).into()),
        Artifact::Report(_) => bail!(
            "this is a report by itself, and no bundle: `chrysalis verify snp` verifies it, `chrysalis show` explains it"
        ),
    })
}

/// Everything that is wrong, if anything is.
fn explained(judge: &Judge, artifact: &Artifact) -> Result<Option<Found>, Error> {
    match artifact {
        Artifact::Session(saved) => {
            let evidence = Evidence::decode(saved.bundle())?;
            judge.explain(evidence, Some((&saved.session(), saved.spki())))
        }
        Artifact::Certificate(der) => {
            let (evidence, spki) = Evidence::from_certificate(der)?;
            judge.explain(evidence, Some((&Session::Boot, &spki)))
        }
        Artifact::Bundle(evidence) => judge.explain(evidence.clone(), None),
        Artifact::Report(_) | Artifact::Unreadable(_) => Ok(None),
    }
}

/// The reasons that the command line gives.
fn waivers(options: &VerifyOptions) -> Waivers {
    let mut waivers = Waivers {
        broken: accepted(&options.accept_broken),
        ..Waivers::default()
    };
    for input in &options.without {
        let (waiver, name) = match input {
            BundleInput::Crl => (&mut waivers.crl, "crl"),
            BundleInput::Ocsp => (&mut waivers.ocsp, "ocsp"),
            BundleInput::Rim => (&mut waivers.rim, "rim"),
            BundleInput::Fwid => (&mut waivers.fwid, "fwid"),
            BundleInput::EventLog => (&mut waivers.event_log, "event-log"),
            BundleInput::Freshness => (&mut waivers.freshness, "freshness"),
            BundleInput::Session => (&mut waivers.session, "session"),
        };
        *waiver = Some(format!("--without {name}"));
    }
    waivers
}

/// The broken product lines that the command line accepts.
pub(crate) fn accepted(products: &[Product]) -> Accepted {
    let known = products.iter().filter_map(|product| broken::of(*product));
    let accepted = known.map(|broken| (broken.product, accept_broken(broken)));
    accepted.collect()
}

/// How the command line accepts one.
pub(crate) fn accept_broken(broken: &Broken) -> String {
    let name = broken.product.name().to_lowercase();
    format!("--accept-broken {name}")
}

impl Conversation {
    /// What a bundle becomes once the command line says which conversation it is about; anything else brings its own.
    fn beside(&self, artifact: Artifact) -> anyhow::Result<Artifact> {
        let (Some(key), Some(nonce), Some(exporter)) = (&self.key, self.nonce, self.exporter)
        else {
            return Ok(artifact);
        };
        let Artifact::Bundle(evidence) = artifact else {
            bail!(
                "only a bare bundle needs its conversation: leave --key, --nonce and --exporter out"
            );
        };
        let spki = files::read_key(key)?;
        let bundle = evidence.encode();
        Ok(Artifact::Session(SavedSession::new(
            spki, nonce, exporter, bundle,
        )))
    }
}

fn save(path: &Path, artifact: &Artifact) -> anyhow::Result<()> {
    let Artifact::Session(saved) = artifact else {
        bail!("--save keeps a conversation with an enclave; this is a file already");
    };
    fs::write(path, saved.encode()).with_context(|| format!("cannot write {}", path.display()))
}
