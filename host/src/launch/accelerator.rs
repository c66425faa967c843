//! What executes the guest: KVM where it really works, else QEMU's emulation.

use std::{fmt, fs::OpenOptions, io::ErrorKind, path::Path};

use anyhow::bail;
use clap::ValueEnum;

use super::trial;

/// What executes the guest's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AcceleratorChoice {
    /// KVM if a trial run works, else TCG
    Auto,
    /// The processor itself
    Kvm,
    /// QEMU's emulation: slow, works everywhere
    Tcg,
}

/// What executes a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The processor itself.
    Kvm,
    /// QEMU's emulation.
    Tcg,
}

/// The choice and its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Accelerator {
    pub(crate) kind: Kind,
    why: String,
}

impl fmt::Display for Accelerator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.kind {
            Kind::Kvm => "KVM",
            Kind::Tcg => "TCG (emulated, slow)",
        };
        write!(formatter, "{name}: {}", self.why)
    }
}

impl Accelerator {
    /// Chooses, by trying unless one was requested.
    pub(crate) async fn choose(
        qemu: &Path,
        choice: AcceleratorChoice,
        scratch: &Path,
    ) -> anyhow::Result<Self> {
        let asked = |kind| {
            Ok(Self {
                kind,
                why: "as asked".to_owned(),
            })
        };
        match (choice, try_kvm(qemu, choice, scratch).await) {
            (AcceleratorChoice::Tcg, _) => asked(Kind::Tcg),
            (AcceleratorChoice::Kvm, Ok(())) => asked(Kind::Kvm),
            (AcceleratorChoice::Kvm, Err(why)) => {
                bail!("{why}\nhint: run without KVM with `--accelerator tcg`")
            }
            (AcceleratorChoice::Auto, Ok(())) => Ok(Self {
                kind: Kind::Kvm,
                why: "a trial run worked".to_owned(),
            }),
            (AcceleratorChoice::Auto, Err(why)) => Ok(Self {
                kind: Kind::Tcg,
                why,
            }),
        }
    }

    /// Hardware protects memory under KVM alone. QEMU says when it starts whether this KVM can.
    pub(crate) fn of_protected(choice: AcceleratorChoice) -> anyhow::Result<Self> {
        if choice == AcceleratorChoice::Tcg {
            bail!(
                "emulation protects no memory\nhint: omit --accelerator, or run with --platform simulated"
            );
        }
        let why = "hardware protects memory under KVM alone".to_owned();
        Ok(Self {
            kind: Kind::Kvm,
            why,
        })
    }
}

async fn try_kvm(qemu: &Path, choice: AcceleratorChoice, scratch: &Path) -> Result<(), String> {
    match choice {
        AcceleratorChoice::Tcg => Ok(()),
        AcceleratorChoice::Auto | AcceleratorChoice::Kvm => kvm(qemu, scratch).await,
    }
}

/// Whether KVM works, by opening it and running a trial; if not, what is in its way.
pub(crate) async fn kvm(qemu: &Path, scratch: &Path) -> Result<(), String> {
    let opened = OpenOptions::new().read(true).write(true).open("/dev/kvm");
    opened.map_err(|error| match error.kind() {
        ErrorKind::NotFound => "there is no /dev/kvm".to_owned(),
        ErrorKind::PermissionDenied => "no permission to open /dev/kvm".to_owned(),
        _ => format!("/dev/kvm does not open: {error}"),
    })?;
    trial::run(qemu, "kvm", "host", scratch)
        .await
        .map_err(|said| format!("/dev/kvm opens, but a trial run fails on it: {said}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn says_what_was_chosen_and_why() {
        let folder = tempfile::tempdir().unwrap();
        let never_runs = Path::new("/bin/false");
        let auto = Accelerator::choose(never_runs, AcceleratorChoice::Auto, folder.path())
            .await
            .unwrap();
        assert_eq!(auto.kind, Kind::Tcg);
        assert!(
            auto.to_string().starts_with("TCG (emulated, slow): "),
            "{auto}"
        );
        assert!(auto.to_string().contains("/dev/kvm"), "{auto}");
        let tcg = Accelerator::choose(never_runs, AcceleratorChoice::Tcg, folder.path())
            .await
            .unwrap();
        assert_eq!(tcg.to_string(), "TCG (emulated, slow): as asked");
        let kvm = Accelerator::choose(never_runs, AcceleratorChoice::Kvm, folder.path())
            .await
            .unwrap_err();
        assert!(kvm.to_string().contains("--accelerator tcg"), "{kvm}");
    }
}
