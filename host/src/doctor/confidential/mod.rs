//! What would make a run confidential: the CPU's protection of memory, and a GPU that takes part in it. A simulated run
//! needs none of it. Read from the kernel's own files, which need no tool and no privilege.

mod gpu;
mod kernel;
mod snp;
mod tdx;

use std::path::Path;

use super::check::Check;
use crate::launch::programs::QemuVersion;

/// Everything about confidentiality, with the QEMU that was found.
pub(super) fn checks(qemu: Option<QemuVersion>) -> Vec<Check> {
    checks_under(Path::new("/"), qemu)
}

fn checks_under(root: &Path, qemu: Option<QemuVersion>) -> Vec<Check> {
    [
        snp::checks(root),
        tdx::checks(root, qemu),
        gpu::checks(root),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::{kernel::tests::missing, *};

    #[test]
    fn finds_nothing_on_an_empty_machine() {
        let root = tempfile::tempdir().unwrap();
        let checks = checks_under(root.path(), None);
        assert_eq!(missing(&checks), ["snp", "tdx", "gpu"]);
        assert_eq!(
            checks.len(),
            3,
            "one line for each thing that is not there at all"
        );
    }
}
