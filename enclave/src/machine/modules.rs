//! Kernel modules: those that this machine needs, as many at once as it has CPUs.
//!
//! The kernel checks a module's signature on the CPU that asks for it, and spends more on that than on all else that
//! it does for a module. So what is not needed is left out, and what does not depend on each other loads side by side.

use std::{
    arch::x86_64::__cpuid,
    fs,
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use rustix::io::Errno;

use super::{list, load_module};
use crate::failure::Failure;

/// Makes the kernel hurry where it would else wait for every CPU to rest, several times for each module.
const HURRY: &str = "/sys/kernel/rcu_expedited";
/// The CPUID leaf in which Intel's TDX module names itself.
const TDX_LEAF: u32 = 0x21;

/// Whose word the machine's drivers have to bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voucher {
    /// The host's, which needs no driver.
    Simulated,
    /// Intel's TDX module's.
    Tdx,
    /// AMD's security processor's.
    Snp,
}

impl Voucher {
    /// By the measured words, then by the CPU's own. One that lies gets the wrong driver, and so no platform at all.
    pub(crate) fn find(simulated: bool) -> Self {
        if simulated {
            return Self::Simulated;
        }
        let leaf = __cpuid(TDX_LEAF);
        let name = [leaf.ebx, leaf.edx, leaf.ecx].map(u32::to_le_bytes);
        match name.as_flattened() {
            b"IntelTDX    " if __cpuid(0).eax >= TDX_LEAF => Self::Tdx,
            _ => Self::Snp,
        }
    }

    /// The modules that serve others than this one.
    fn needless(self) -> &'static [&'static str] {
        match self {
            Self::Simulated => &["configfs", "tsm", "sev_guest", "tdx_guest"],
            Self::Tdx => &["sev_guest"],
            Self::Snp => &["tdx_guest"],
        }
    }
}

/// A file of the image, and the names that the kernel has for it and for what it depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Module {
    file: PathBuf,
    name: String,
    depends: Vec<String>,
}

impl Module {
    /// Of `NN-name.ko`, as the image names them.
    fn read(file: PathBuf) -> std::io::Result<Self> {
        let bytes = fs::read(&file)?;
        let stem = super::name_of(&file);
        let name = stem.split_once('-').map_or(&*stem, |(_, name)| name);
        Ok(Self {
            name: name.replace('-', "_"),
            depends: depends(&bytes),
            file,
        })
    }
}

/// What stands behind `depends=` in a module's `.modinfo`: names, with commas between them.
fn depends(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let value = module
        .windows(KEY.len())
        .position(|window| window == KEY)
        .and_then(|at| module.get(at.saturating_add(KEY.len())..))
        .and_then(|rest| rest.split(|byte| *byte == 0).next())
        .unwrap_or_default();
    String::from_utf8_lossy(value)
        .split(',')
        .filter(|name| !name.is_empty())
        .map(|name| name.replace('-', "_"))
        .collect()
}

/// Loads the modules of `folder` that `voucher` leaves. They are measured, so one that fails ends the boot.
pub(super) fn load_all(folder: &Path, voucher: Voucher) -> Result<(), Failure> {
    let read = |error| Failure::machine(format!("read {}", folder.display()))(error);
    let mut modules = Vec::new();
    for file in list(folder).map_err(read)? {
        modules.push(Module::read(file).map_err(read)?);
    }
    modules.retain(|module| !voucher.needless().contains(&&*module.name));
    let loaded = modules.len();
    // A kernel without this switch is slower, no more.
    let _ = fs::write(HURRY, "1");
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let done = in_order(modules, workers, |module| match load_module(&module.file) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        // A driver of hardware that is not here: whoever needs it finds that out.
        Err(Errno::NODEV | Errno::OPNOTSUPP) => {
            tracing::info!(module = module.name, "module not for this machine");
            Ok(())
        }
        Err(error) => Err(Failure::machine(format!("load {}", module.file.display()))(
            error.into(),
        )),
    });
    let _ = fs::write(HURRY, "0");
    done?;
    tracing::info!(loaded, "kernel modules");
    Ok(())
}

/// What is left to load, and what went wrong first.
struct Queue {
    waiting: Vec<Module>,
    under_way: Vec<String>,
    failed: Option<Failure>,
}

impl Queue {
    /// The next module that depends on none that is still to come. In a circle it is the first: the kernel refuses it.
    fn next(&mut self) -> Option<Module> {
        let to_come = |name: &String| {
            self.under_way.contains(name) || self.waiting.iter().any(|other| other.name == *name)
        };
        let free = |module: &Module| !module.depends.iter().any(to_come);
        let at = match self.waiting.iter().position(free) {
            None if self.under_way.is_empty() && !self.waiting.is_empty() => 0,
            found => found?,
        };
        let module = self.waiting.remove(at);
        self.under_way.push(module.name.clone());
        Some(module)
    }

    fn over(&self) -> bool {
        self.failed.is_some() || self.waiting.is_empty()
    }
}

/// Has `load` called for each module after those that it depends on, by `workers` threads. The first failure is the last
/// module.
fn in_order(
    modules: Vec<Module>,
    workers: usize,
    load: impl Fn(&Module) -> Result<(), Failure> + Sync,
) -> Result<(), Failure> {
    let queue = Mutex::new(Queue {
        waiting: modules,
        under_way: Vec::new(),
        failed: None,
    });
    let changed = Condvar::new();
    let lock = || -> MutexGuard<'_, Queue> { queue.lock().unwrap_or_else(PoisonError::into_inner) };
    let work = || {
        let mut held = lock();
        while !held.over() {
            let Some(module) = held.next() else {
                held = changed.wait(held).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(held);
            let outcome = load(&module);
            held = lock();
            held.under_way.retain(|name| *name != module.name);
            if let Err(failure) = outcome {
                held.failed.get_or_insert(failure);
            }
            changed.notify_all();
        }
    };
    thread::scope(|scope| {
        for _ in 1..workers {
            scope.spawn(work);
        }
        work();
    });
    match lock().failed.take() {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn module(name: &str, depends: &[&str]) -> Module {
        Module {
            file: name.into(),
            name: name.to_owned(),
            depends: depends.iter().map(ToString::to_string).collect(),
        }
    }

    fn loaded_by(workers: usize, modules: Vec<Module>) -> Vec<String> {
        let loaded = Mutex::new(Vec::new());
        in_order(modules, workers, |module| {
            for needed in &module.depends {
                let before = loaded.lock().unwrap();
                assert!(before.contains(needed), "{} before {needed}", module.name);
            }
            loaded.lock().unwrap().push(module.name.clone());
            Ok(())
        })
        .unwrap();
        loaded.into_inner().unwrap()
    }

    #[test]
    fn each_module_loads_after_those_it_depends_on() {
        let modules = vec![
            module("verity", &["bufio", "mod"]),
            module("bufio", &["mod"]),
            module("blk", &[]),
            module("mod", &[]),
        ];
        assert_eq!(
            loaded_by(1, modules.clone()),
            ["blk", "mod", "bufio", "verity"]
        );
        for workers in 2..6 {
            assert_eq!(loaded_by(workers, modules.clone()).len(), 4);
        }
    }

    #[test]
    fn what_the_kernel_has_built_in_is_not_waited_for() {
        let modules = vec![module("a", &["built_in"])];
        in_order(modules, 2, |_| Ok(())).unwrap();
    }

    #[test]
    fn modules_in_a_circle_are_left_to_the_kernel_to_refuse() {
        let modules = vec![module("a", &["b"]), module("b", &["a"])];
        let refuse = |_: &Module| Err(Failure::machine("load a")(Errno::NOENT.into()));
        let refused = in_order(modules, 2, refuse).unwrap_err();
        assert_eq!(refused.code(), "machine_setup_failed");
    }

    #[test]
    fn nothing_loads_after_a_failure() {
        let asked = AtomicUsize::new(0);
        let modules = vec![module("a", &[]), module("b", &["a"]), module("c", &["b"])];
        let refused = in_order(modules, 3, |module| {
            asked.fetch_add(1, Ordering::Relaxed);
            Err(Failure::machine(format!("load {}", module.name))(
                Errno::NOEXEC.into(),
            ))
        });
        assert!(refused.unwrap_err().to_string().contains("load a"));
        assert_eq!(asked.into_inner(), 1);
    }

    #[test]
    fn reads_what_a_module_depends_on() {
        let module = b"\x7fELF\0license=GPL\0depends=dm-mod,dm-bufio\0retpoline=Y\0";
        assert_eq!(depends(module), ["dm_mod", "dm_bufio"]);
        assert_eq!(depends(b"\x7fELF\0depends=\0name=x\0"), [""; 0]);
        assert_eq!(depends(b"\x7fELF"), [""; 0]);
        assert_eq!(depends(b"\0depends=cut"), ["cut"]);
    }

    #[test]
    fn knows_a_module_by_the_name_that_the_kernel_has_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("04-sha256-ssse3.ko");
        fs::write(&file, "").unwrap();
        assert_eq!(Module::read(file).unwrap().name, "sha256_ssse3");
    }

    #[test]
    fn the_measured_words_decide_first_which_drivers_are_needed() {
        assert_eq!(Voucher::find(true), Voucher::Simulated);
        assert!(Voucher::Simulated.needless().contains(&"sev_guest"));
        assert!(!Voucher::Snp.needless().contains(&"sev_guest"));
        assert!(!Voucher::Tdx.needless().contains(&"tdx_guest"));
    }
}
