//! The local endpoint: verified before it listens, and for as long as it does.

use anyhow::Context;
use chrysalis_client::proxy::Proxy;
use tokio::net::TcpListener;

use crate::{Outcome, arguments::ProxyArguments, judge, progress, verdict};

pub(crate) async fn run(arguments: ProxyArguments) -> anyhow::Result<Outcome> {
    let relying_party = judge::relying_party(&arguments.policy, &arguments.judging)?;
    // Taken before verifying: a port in use is found out first, and nobody is answered yet.
    let listener = TcpListener::bind(arguments.listen).await.with_context(|| {
        format!(
            "cannot listen on {}; --listen ADDRESS names another",
            arguments.listen
        )
    })?;
    let address = listener.local_addr()?;
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
    if !address.ip().is_loopback() {
        eprintln!(
            "warning: {address} is open to the network, and what reaches it there is not encrypted"
        );
    }
    eprintln!(
        "listening on http://{address}/v1 (OPENAI_BASE_URL), verifying again every {} s",
        arguments.reverify.as_secs()
    );
    proxy.serve(listener, arguments.reverify).await;
    Ok(Outcome::Yes)
}
