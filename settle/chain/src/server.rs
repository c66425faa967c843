//! A chain's server, as people name it: an address, and a file with the key that the server gave them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{Chain, Several, Toncenter};

/// The most bytes of a key.
const MAX_KEY: usize = 256;

/// Why a server cannot be asked like this.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// No address.
    #[error(
        "{0} is not the address of a server\nhint: give one such as https://chain.example/api/v2"
    )]
    Address(String),
    /// Everybody on the way would read the key.
    #[error(
        "the key would cross the network in the clear to {0}\nhint: ask by https://, or leave --chain-key-file out"
    )]
    InTheClear(String),
    /// The key's file cannot be read.
    #[error("cannot read the key {0}: {1}")]
    Unread(String, io::Error),
    /// More keys than servers.
    #[error(
        "there are more keys than servers\nhint: name one --chain for each --chain-key-file, in the same order"
    )]
    TooManyKeys,
    /// The key's file holds something else.
    #[error("{0} does not hold one key\nhint: put the key in it, on one line")]
    NoKey(String),
}

/// The server at this address, with the key in this file if there is one.
pub fn open(url: &str, key_file: Option<&Path>) -> Result<Toncenter, ServerError> {
    let host = match url.split_once("://") {
        Some(("https" | "http", rest)) => rest.split('/').next().unwrap_or_default(),
        _ => return Err(ServerError::Address(url.to_owned())),
    };
    let key = key_file.map(key).transpose()?;
    if key.is_some() && url.starts_with("http://") && !is_this_machine(host) {
        return Err(ServerError::InTheClear(host.to_owned()));
    }
    Ok(Toncenter::new(url, key))
}

/// The chain at these addresses, with the keys in these files: the first for the first, and so on. Of several servers, what two say counts.
pub fn open_all(
    urls: &[String],
    key_files: &[PathBuf],
) -> Result<Box<dyn Chain + Send + Sync>, ServerError> {
    if key_files.len() > urls.len() {
        return Err(ServerError::TooManyKeys);
    }
    let keys = key_files.iter().map(|file| Some(&**file));
    let keys = keys.chain(std::iter::repeat(None));
    let mut servers = Vec::new();
    for (url, key) in urls.iter().zip(keys) {
        servers.push(Box::new(open(url, key)?) as Box<dyn Chain + Send + Sync>);
    }
    match servers.len() {
        0 => Err(ServerError::Address(String::new())),
        1 => Ok(servers.remove(0)),
        _ => Ok(Box::new(Several::new(servers))),
    }
}

fn is_this_machine(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

fn key(path: &Path) -> Result<String, ServerError> {
    let shown = || path.display().to_string();
    let text = fs::read_to_string(path).map_err(|error| ServerError::Unread(shown(), error))?;
    let key = text.trim();
    let is_one =
        !key.is_empty() && key.len() <= MAX_KEY && key.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_one {
        return Err(ServerError::NoKey(shown()));
    }
    Ok(key.to_owned())
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
            "https://chain.example/api/v2",
            "http://127.0.0.1:8081/api/v2",
            "http://localhost/api/v2",
            "http://[::1]:8081/api/v2",
        ] {
            open(url, Some(&file)).unwrap();
        }
        let refused = open("http://chain.example/api/v2", Some(&file));
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("in the clear"), "{refused}");
        open("http://chain.example/api/v2", None).unwrap();
        open("chain.example", None).unwrap_err();
        for wrong in ["", "two keys\n", &"x".repeat(257)] {
            fs::write(&file, wrong).unwrap();
            open("https://chain.example/api/v2", Some(&file)).unwrap_err();
        }
    }
}
