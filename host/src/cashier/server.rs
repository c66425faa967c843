//! The chain's server, by HTTP: rustls on ring, the system's roots.

use std::{fs, path::Path, sync::Arc};

use anyhow::{Context, bail};
use chrysalis_chain::Toncenter;
use ureq::{
    Agent,
    tls::{Certificate, RootCerts, TlsConfig},
};

/// The most bytes of a key's file.
const MAX_KEY: usize = 256;

/// The server at this address, with the key in this file if there is one.
pub(super) fn open(url: &str, key_file: Option<&Path>) -> anyhow::Result<Toncenter> {
    let host = match url.split_once("://") {
        Some(("https" | "http", rest)) => rest.split('/').next().unwrap_or_default(),
        _ => bail!(
            "{url} is not the address of a server\nhint: give one such as https://toncenter.com/api/v2"
        ),
    };
    let key = key_file.map(key).transpose()?;
    if key.is_some() && url.starts_with("http://") && !is_this_machine(host) {
        bail!(
            "the key would cross the network in the clear to {host}\nhint: ask by https://, or leave --chain-key-file out"
        );
    }
    Ok(Toncenter::new(agent(), url, key))
}

fn is_this_machine(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

fn key(path: &Path) -> anyhow::Result<String> {
    let shown = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("cannot read the key {shown}"))?;
    let key = text.trim();
    let is_one =
        !key.is_empty() && key.len() <= MAX_KEY && key.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_one {
        bail!("{shown} does not hold one key\nhint: put the key in it, on one line");
    }
    Ok(key.to_owned())
}

fn agent() -> Agent {
    let found = rustls_native_certs::load_native_certs();
    let roots: Vec<Certificate<'static>> = found
        .certs
        .iter()
        .map(|root| Certificate::from_der(root).to_owned())
        .collect();
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(RootCerts::new_with_certs(&roots))
        .build();
    Agent::config_builder()
        .tls_config(tls)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("chrysalis/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_does_not_cross_the_network_in_the_clear() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        fs::write(&file, "0123abcd\n").unwrap();
        for url in [
            "https://toncenter.com/api/v2",
            "http://127.0.0.1:8081/api/v2",
            "http://localhost/api/v2",
            "http://[::1]:8081/api/v2",
        ] {
            open(url, Some(&file)).unwrap();
        }
        let refused = open("http://toncenter.com/api/v2", Some(&file));
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("in the clear"), "{refused}");
        open("http://toncenter.com/api/v2", None).unwrap();
        open("toncenter.com", None).unwrap_err();
        for wrong in ["", "two keys\n", &"x".repeat(257)] {
            fs::write(&file, wrong).unwrap();
            open("https://toncenter.com/api/v2", Some(&file)).unwrap_err();
        }
    }
}
