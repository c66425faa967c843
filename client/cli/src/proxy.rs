//! The local endpoint: verified before it listens, and for as long as it does.

use std::{io::Read, path::Path};

use anyhow::{Context, bail};
use chrysalis_client::proxy::{Access, Door, DoorError, Proxy, Token};
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use crate::{Outcome, arguments::ProxyArguments, judge, progress, verdict};

/// The most bytes that are read of a token's file: no token is as long.
const MAX_TOKEN_FILE: u64 = 4096;

pub(crate) async fn run(arguments: ProxyArguments) -> anyhow::Result<Outcome> {
    let (token, made_up) = token(&arguments)?;
    let relying_party = judge::relying_party(&arguments.policy, &arguments.judging)?;
    // Taken before verifying: a port in use is found out first, and nobody is answered yet.
    let listener = TcpListener::bind(arguments.listen).await.with_context(|| {
        format!(
            "cannot listen on {}; --listen ADDRESS names another",
            arguments.listen
        )
    })?;
    let address = listener.local_addr()?;
    let access = Access {
        host_names: arguments.host_names,
        origins: arguments.origins,
        remote: arguments.allow_remote,
        token,
    };
    let door = Door::open(listener, access).map_err(|error| match error {
        DoorError::BeyondLoopback(_) => anyhow::anyhow!(
            "{address} can be reached from other machines\nhint: listen on 127.0.0.1, or allow it with --allow-remote"
        ),
        error => error.into(),
    })?;
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_target(false)
        .init();
    let starting = Proxy::start(arguments.target, relying_party);
    let proxy = match progress::during("verifying the enclave", starting).await {
        Ok(proxy) => proxy,
        Err(error) => return verdict::refuse(error),
    };
    eprint!("{}", verdict::text(proxy.trusted()));
    if !address.ip().to_canonical().is_loopback() {
        eprintln!(
            "warning: {address} is open to the network, and what reaches it there is not encrypted"
        );
    }
    if let Some(token) = made_up {
        eprintln!("token: {} (OPENAI_API_KEY)", token.as_str());
    }
    eprintln!(
        "listening on http://{address}/v1 (OPENAI_BASE_URL), verifying again every {} s",
        arguments.reverify.as_secs()
    );
    proxy.serve(door, arguments.reverify).await;
    Ok(Outcome::Yes)
}

/// The token that requests have to show, if any, and its text where it was made up here.
fn token(arguments: &ProxyArguments) -> anyhow::Result<(Option<Token>, Option<Zeroizing<String>>)> {
    if let Some(file) = &arguments.token_file {
        return Ok((Some(read_token(file)?), None));
    }
    if !arguments.allow_remote {
        return Ok((None, None));
    }
    let (token, text) = Token::generate()?;
    Ok((Some(token), Some(Zeroizing::new(text))))
}

fn read_token(file: &Path) -> anyhow::Result<Token> {
    let mut text = Zeroizing::new(String::new());
    std::fs::File::open(file)
        .and_then(|open| open.take(MAX_TOKEN_FILE).read_to_string(&mut text))
        .with_context(|| {
            format!(
                "cannot read the token in {}; `openssl rand -hex 32 > {}` makes one",
                file.display(),
                file.display()
            )
        })?;
    match Token::new(text.trim()) {
        Ok(token) => Ok(token),
        Err(error) => bail!("{}: {error}", file.display()),
    }
}
