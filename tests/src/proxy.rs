//! The relying party's local proxy, stopped when dropped.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{machine::spawn_kept, paths};

/// A running `chrysalis proxy`.
pub struct Proxy {
    child: Child,
    folder: TempDir,
    address: String,
}

impl Proxy {
    /// Starts a proxy to `url` under `policy`, and waits until it has verified the enclave and serves.
    pub fn start(url: &str, policy: &Path) -> Self {
        Self::start_with(url, policy, &[])
    }

    /// The same, with more arguments.
    pub fn start_with(url: &str, policy: &Path, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        let log = fs::File::create(folder.path().join("log")).expect("a log");
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "TERM"])
            .arg(paths::tool("chrysalis"))
            .args(["proxy", url, "--listen", &address, "--policy"])
            .arg(policy)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log);
        let mut proxy = Self {
            child: spawn_kept(command),
            folder,
            address,
        };
        let deadline = Instant::now() + Duration::from_mins(2);
        // It takes its port before it verifies.
        while !proxy.log().contains("listening on") {
            let ended = proxy.child.try_wait().expect("the proxy can be waited for");
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "no proxy: {ended:?}\n{}",
                proxy.log()
            );
            thread::sleep(Duration::from_millis(50));
        }
        proxy
    }

    /// Where it listens: `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What it printed.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}
