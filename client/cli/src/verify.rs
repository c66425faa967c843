//! `verify`: evidence from the network or a file, held against a policy.

use std::{fs, path::Path};

use anyhow::{Context, bail};
use chrysalis_client::Error;

use crate::{
    Outcome,
    arguments::{Format, VerifyArguments},
    judge::Judge,
    subject::{self, Artifact},
    verdict,
};

pub(crate) async fn run(arguments: VerifyArguments) -> anyhow::Result<Outcome> {
    let judge = Judge::new(arguments.policy.as_deref(), &arguments.judging)?;
    let artifact = subject::load(&arguments.subject).await?;
    if let Some(path) = &arguments.save {
        save(path, &artifact)?;
    }
    let found = match &artifact {
        Artifact::Session(saved) => judge.session(saved),
        Artifact::Certificate(der) => judge.certificate(der),
        Artifact::Bundle(_) | Artifact::Report(_) => bail!(
            "nothing here says which conversation and key it is about, so it cannot be verified; \
             `chrysalis show` explains it, `chrysalis verify URL --save FILE` saves what can be"
        ),
    };
    let outcome = match &found {
        Ok(found) => found.outcome(),
        Err(Error::Refused(_) | Error::KeyChanged) => Outcome::No,
        Err(_) => return found.map(|_| Outcome::No).map_err(Into::into),
    };
    match arguments.format {
        _ if arguments.quiet => {}
        Format::Text => print!("{}", verdict::describe(&found, arguments.verbose)),
        Format::Json => println!("{}", verdict::json(&found)?),
    }
    Ok(outcome)
}

fn save(path: &Path, artifact: &Artifact) -> anyhow::Result<()> {
    let Artifact::Session(saved) = artifact else {
        bail!("--save keeps a conversation with an enclave; this is a file already");
    };
    fs::write(path, saved.encode()).with_context(|| format!("cannot write {}", path.display()))
}
