//! What is served, and where.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde::Serialize;

use crate::{
    guest::{Guest, times::Times},
    simulation::Roots,
    talk::{is_json, tell},
};

/// What is served, and where: printed for people, written for programs.
#[derive(Debug, Serialize)]
pub(super) struct Ready {
    pub(super) listen: SocketAddr,
    pub(super) metrics: SocketAddr,
    pub(super) platform: String,
    pub(super) simulated: bool,
    pub(super) launch_digest: Option<String>,
    #[serde(flatten)]
    pub(super) roots: Option<Roots>,
    pub(super) accelerator: String,
    pub(super) vsock: String,
    pub(super) state: PathBuf,
}

/// The same for programs, with how long it took to come so far.
#[derive(Debug, Serialize)]
struct Announced<'a> {
    #[serde(flatten)]
    ready: &'a Ready,
    boot: Times,
}

impl Ready {
    pub(super) fn announce(&self, guest: &Guest, file: Option<&Path>) -> anyhow::Result<()> {
        let boot = Times::of(guest.stages());
        if is_json() {
            let text = format!("serving: https://{}", self.listen);
            let announced = Announced {
                ready: self,
                boot: boot.clone(),
            };
            tell("serving", &serde_json::to_value(announced)?, text);
        } else {
            self.print(&boot);
        }
        let Some(file) = file else { return Ok(()) };
        // Whole or absent: a program that waits for it reads it as soon as it is there.
        let mut draft = file.to_owned().into_os_string();
        draft.push(".new");
        let announced = Announced { ready: self, boot };
        fs::write(&draft, serde_json::to_string_pretty(&announced)? + "\n")
            .and_then(|()| fs::rename(&draft, file))
            .with_context(|| format!("cannot write {}", file.display()))
    }

    fn print(&self, boot: &Times) {
        eprintln!("{boot}");
        println!("platform: {}", self.platform);
        if let Some(digest) = &self.launch_digest {
            println!("launch digest: {digest}");
        }
        if let Some(roots) = &self.roots {
            println!("simulated roots: {}", roots.path.display());
            for sha256 in &roots.sha256 {
                println!("  sha256: {sha256}");
            }
        }
        println!("metrics: http://{}/metrics", self.metrics);
        println!("serving: https://{}", self.listen);
    }
}
