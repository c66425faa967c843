//! `verify`: evidence from the network or a file, held against a policy.

use std::{fs, path::Path};

use anyhow::{Context, bail};
use chrysalis_client::Error;

use crate::{
    Outcome,
    arguments::{EvidenceCommand, VerdictFormat, VerifyArguments, VerifyOptions},
    files,
    judge::Judge,
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
    let judge = Judge::new(options.policy.as_deref(), &options.judging)?;
    let artifact = subject::load(subject).await?;
    if let Some(path) = &options.save {
        save(path, &artifact)?;
    }
    let found = match &artifact {
        Artifact::Session(saved) => judge.session(saved),
        Artifact::Certificate(der) => judge.certificate(der),
        Artifact::Bundle(_) | Artifact::Report(_) => bail!(
            "nothing here says which conversation and key it is about, so it cannot be verified; \
             `chrysalis show` explains it, `chrysalis verify URL --save FILE` saves what can be; \
             a report by itself is for `chrysalis verify snp`"
        ),
    };
    let outcome = match &found {
        Ok(_) => Outcome::Yes,
        Err(Error::Refused(_) | Error::KeyChanged) => Outcome::No,
        Err(_) => return found.map(|_| Outcome::No).map_err(Into::into),
    };
    match options.format {
        _ if options.quiet => {}
        VerdictFormat::Text => print(&verdict::describe(&found, options.verbose))?,
        VerdictFormat::Json => print(&format!(
            "{}
",
            verdict::json(&found)?
        ))?,
        VerdictFormat::Ear => print(&format!(
            "{}
",
            verdict::ear(&found, judge.now())?
        ))?,
    }
    Ok(outcome)
}

fn save(path: &Path, artifact: &Artifact) -> anyhow::Result<()> {
    let Artifact::Session(saved) = artifact else {
        bail!("--save keeps a conversation with an enclave; this is a file already");
    };
    fs::write(path, saved.encode()).with_context(|| format!("cannot write {}", path.display()))
}
