//! PostgreSQL for a test: a server of its own in a folder of its own, as an unprivileged user.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use tempfile::TempDir;

use crate::skip;

/// A server, ended with the test.
pub struct Server {
    programs: PathBuf,
    folder: TempDir,
    child: Option<Child>,
}

impl Server {
    /// `None`: there is no PostgreSQL here, and the test is skipped.
    pub fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            skip("no PostgreSQL here");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let open = fs::Permissions::from_mode(0o777);
        fs::set_permissions(folder.path(), open).expect("the folder is ours");
        let mut initdb = unprivileged(&programs.join("initdb"));
        initdb.args(["--no-sync", "--auth=trust", "--username=test", "-D"]);
        let made = initdb.arg(folder.path().join("data")).output();
        let made = made.expect("initdb runs");
        assert!(made.status.success(), "{made:?}");
        let mut server = Self {
            programs,
            folder,
            child: None,
        };
        server.run();
        Some(server)
    }

    /// Starts it again.
    pub fn run(&mut self) {
        let mut server = unprivileged(&self.programs.join("postgres"));
        // No TCP: the folder has the one socket.
        server.args(["-c", "listen_addresses=", "-F", "-k"]);
        let data = self.folder.path().join("data");
        server.arg(self.folder.path()).arg("-D").arg(data);
        let child = server.stderr(Stdio::null()).spawn();
        self.child = Some(child.expect("postgres runs"));
    }

    /// Kills it.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        // What a killed server leaves, the next one would wait for.
        let _ = fs::remove_file(self.folder.path().join("data/postmaster.pid"));
    }

    /// How a client connects to a database; `postgres` is there from the start.
    pub fn words(&self, database: &str) -> String {
        let folder = self.folder.path().display();
        format!("host={folder} user=test dbname={database}")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What is asked of a server, once it answers.
pub fn answered<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    for _ in 0..300 {
        if let Some(answer) = ask() {
            return answer;
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("the server does not answer");
}

/// Where Debian keeps the server's programs.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let folders = versions.map(|version| version.path().join("bin"));
    let mut found: Vec<_> = folders.filter(|it| it.join("initdb").exists()).collect();
    found.sort();
    found.pop()
}

/// The server refuses to run as root.
fn unprivileged(program: &Path) -> Command {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    if id.stdout != b"0\n" {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.arg(program);
    command
}
