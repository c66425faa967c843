//! `chrysalis-localnet`: a chain on this machine, for trying out payment.

use std::{
    io::Write as _,
    net::{SocketAddr, TcpListener},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail};
use chrysalis_chain::LOCAL_ID;
use clap::Parser;

/// A chain on this machine, worth nothing: it has no validators, forgets everything when it ends, and gives coins to anyone who asks.
#[derive(Debug, Parser)]
#[command(
    name = "chrysalis-localnet",
    version,
    after_help = "Example: chrysalis-localnet --listen 127.0.0.1:8081\n         curl -d '{\"address\": \"0:…\", \"nano\": 3000000000}' http://127.0.0.1:8081/faucet"
)]
struct Arguments {
    /// Where to answer, as toncenter does below /api/v2. An address of this machine alone
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// Unix seconds at which its clock begins; it goes on by itself. Otherwise the machine's clock
    #[arg(long, value_name = "SECONDS")]
    clock: Option<u32>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if !arguments.listen.ip().is_loopback() {
        bail!(
            "--listen {} can be reached from elsewhere, and anyone may take coins here; use an address such as 127.0.0.1",
            arguments.listen
        );
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .context("this machine's clock is before 1970")?;
    let clock = match arguments.clock {
        Some(clock) => clock,
        None => u32::try_from(now.as_secs()).context("this machine's clock is past 2106")?,
    };
    let listener = TcpListener::bind(arguments.listen);
    let listener = listener.with_context(|| format!("cannot listen on {}", arguments.listen))?;
    let mut out = std::io::stdout();
    writeln!(out, "local chain: nothing here is worth anything")?;
    writeln!(
        out,
        "global id {LOCAL_ID}; toncenter's interface at http://{}/api/v2",
        listener.local_addr()?
    )?;
    out.flush()?;
    match chrysalis_localnet::run(listener, clock)? {}
}
