//! A program of a few instructions for a machine without firmware, to try out an accelerator.
//!
//! Where KVM is nested badly, opening it works and most of its calls too, but the first real kernel dies on an instruction
//! that nothing emulates. So the trial goes where kernels go: protected mode, and an instruction that decompressors use.

use std::{path::Path, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::Command,
    time::timeout,
};

use super::guard;

/// The firmware's size: the smallest that QEMU takes.
const ROM_SIZE: usize = 64 << 10;
/// Where the program lies in it.
const PROGRAM_AT: usize = 0xFF00;
/// Where a processor starts: 16 bytes under the end.
const RESET_AT: usize = 0xFFF0;
/// QEMU's `isa-debug-exit` ends with twice the byte written, plus one.
const SUCCESS: i32 = 2 * 0x10 + 1;
/// A trial takes a tenth of a second; one that hangs has failed.
const PATIENCE: Duration = Duration::from_secs(5);

/// At 0xFFF00:
///
/// ```text
/// 00      cli
/// 01      lgdtl %cs:0xff50
/// 08      mov   %cr0, %eax;  or $1, %al;  mov %eax, %cr0
/// 10      ljmpl $8, $0xfff18                 protected mode, 32 bits
/// 18      mov   $7, %eax;  xor %ecx, %ecx;  cpuid;  bt $8, %ebx
/// 25      jnc   36                           a processor without BMI2 need not know the next
/// 27      mov   $1, %ecx;  shlx %ecx, %ecx, %ecx
/// 31      cmp   $2, %cl;  jne 3a
/// 36      mov   $0x10, %al;  out %al, $0xf4   success
/// 3a      hlt;  jmp 3a
/// 40      GDT: null, flat 32-bit code
/// 50      GDTR: limit 15, base 0xfff40
/// ```
#[rustfmt::skip]
const PROGRAM: [u8; 0x56] = [
    0xfa, 0x2e, 0x66, 0x0f, 0x01, 0x16, 0x50, 0xff, 0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0,
    0x66, 0xea, 0x18, 0xff, 0x0f, 0x00, 0x08, 0x00, 0xb8, 0x07, 0x00, 0x00, 0x00, 0x31, 0xc9, 0x0f,
    0xa2, 0x0f, 0xba, 0xe3, 0x08, 0x73, 0x0f, 0xb9, 0x01, 0x00, 0x00, 0x00, 0xc4, 0xe2, 0x71, 0xf7,
    0xc9, 0x80, 0xf9, 0x02, 0x75, 0x04, 0xb0, 0x10, 0xe6, 0xf4, 0xf4, 0xeb, 0xfd, 0x90, 0x90, 0x90,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0x9b, 0xcf, 0x00,
    0x0f, 0x00, 0x40, 0xff, 0x0f, 0x00,
];
/// `jmp` back from the reset vector to the program.
const RESET: [u8; 3] = [0xe9, 0x0d, 0xff];

/// Runs the program under `accelerator` with processor `cpu`. The error says what was in its way.
pub(super) async fn run(
    qemu: &Path,
    accelerator: &str,
    cpu: &str,
    scratch: &Path,
) -> Result<(), String> {
    let rom = scratch.join("trial.rom");
    std::fs::write(&rom, firmware()).map_err(|error| format!("{}: {error}", rom.display()))?;
    let result = run_rom(qemu, accelerator, cpu, &rom).await;
    // If it stays behind, it does no harm.
    let _ = std::fs::remove_file(&rom);
    result
}

async fn run_rom(qemu: &Path, accelerator: &str, cpu: &str, rom: &Path) -> Result<(), String> {
    let mut command = Command::new(qemu);
    command
        .args([
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-no-reboot",
            "-m",
            "16M",
        ])
        .args(["-machine", "q35", "-accel", accelerator, "-cpu", cpu])
        .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=1", "-bios"])
        .arg(rom)
        .stdout(Stdio::null());
    let mut child =
        guard::spawn(&mut command).map_err(|error| format!("QEMU does not start: {error}"))?;
    let mut said = None;
    let ended = timeout(PATIENCE, async {
        if let Some(errors) = child.stderr.take() {
            let mut lines = BufReader::new(errors.take(64 << 10)).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if line.contains("warning:") {
                    continue;
                }
                // After this one QEMU stands still and says no more.
                let stuck = line.starts_with("KVM internal error");
                said.get_or_insert(line);
                if stuck {
                    return None;
                }
            }
        }
        child.wait().await.ok()
    })
    .await;
    let status = match ended {
        Ok(Some(status)) if status.code() == Some(SUCCESS) => return Ok(()),
        Ok(Some(status)) => status.to_string(),
        Ok(None) | Err(_) => "it stands still".to_owned(),
    };
    let said = said.unwrap_or(status);
    Err(said
        .rsplit("qemu-system-x86_64: ")
        .next()
        .unwrap_or(&said)
        .trim_start_matches("error: ")
        .to_owned())
}

fn firmware() -> Vec<u8> {
    const HLT: u8 = 0xf4;
    let mut rom = vec![HLT; ROM_SIZE];
    rom[PROGRAM_AT..PROGRAM_AT + PROGRAM.len()].copy_from_slice(&PROGRAM);
    rom[RESET_AT..RESET_AT + RESET.len()].copy_from_slice(&RESET);
    rom
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::programs;

    #[tokio::test]
    async fn works_under_emulation_and_names_what_does_not() {
        let Ok(qemu) = programs::qemu() else {
            chrysalis_test_support::skip("no QEMU");
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(run(&qemu, "tcg", "max", folder.path()).await, Ok(()));
        let unknown = run(&qemu, "tcg", "no-such-processor", folder.path())
            .await
            .unwrap_err();
        assert!(unknown.contains("no-such-processor"), "{unknown}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_program_that_only_pretends_has_not_worked() {
        let folder = tempfile::tempdir().unwrap();
        let refused = run(Path::new("/bin/true"), "kvm", "host", folder.path())
            .await
            .unwrap_err();
        assert_eq!(refused, "exit status: 0");
    }
}
