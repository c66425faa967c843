//! The host's ACPI tables against the guest's kernel: whatever they hold, none of their bytecode runs, no byte of the guest's
//! memory is read or written, and the enclave starts as if they were not there. The kernel of v0.1.3 under the same tables
//! shows that each of them bites.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside any #[test] function"
)]

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use chrysalis_image::inputs::{
    apt::Archives,
    fetch::{self, Fetcher},
    lock::{Kind, LockFile},
    package::Deb,
};
use chrysalis_tests::paths;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The guest's memory.
const MEMORY: u64 = 512 << 20;
/// What QEMU keeps free for ACPI above the initrd (`acpi_data_size` of its PC machines).
const ACPI_DATA: u64 = 0x20000;
/// The longest that a guest may take, emulated, on a busy machine; a loop of the tables is cut by Debian's kernel after 30 s.
const PATIENCE: Duration = Duration::from_mins(10);
/// How much of the initrd's start is looked at.
const CANARY: usize = 4096;

/// A guest that has ended: what it said, and the start of its initrd in its memory.
struct Ended {
    console: String,
    canary: Vec<u8>,
}

impl Ended {
    /// Whether bytecode of the host's ran, or the initrd was written to.
    fn was_bitten(&self) -> bool {
        self.console.contains("[ran: ") || self.canary != honest_canary()
    }
}

/// A guest that is running, killed when dropped.
struct Guest {
    qemu: Child,
    folder: TempDir,
}

impl Guest {
    fn start(kernel: &Path, tables: &[PathBuf]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let line = fs::read_to_string(paths::image().join("cmdline-simulated")).unwrap();
        // The initrd stays where it was put, and the kernel says where it found which table.
        let line = format!("retain_initrd {}", line.replace(" quiet ", " "));
        let at = |name: &str| folder.path().join(name).display().to_string();
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.args(["-nodefaults", "-no-user-config", "-display", "none"])
            // Ended, it stays in memory, to be looked at.
            .args(["-no-reboot", "-action", "shutdown=pause"])
            .args(["-machine", "q35,smm=off,vmport=off", "-smp", "2"])
            .args(["-accel", "tcg,thread=multi", "-cpu", "max"])
            .args(["-m", &format!("{}M", MEMORY >> 20)])
            .args(["-serial", &format!("file:{}", at("console"))])
            .args(["-qmp", &format!("unix:{},server=on,wait=off", at("qmp"))])
            .arg("-kernel")
            .arg(kernel)
            .arg("-initrd")
            .arg(initrd())
            .args(["-append", &line])
            .stdin(Stdio::null());
        for table in tables {
            qemu.arg("-acpitable")
                .arg(format!("file={}", table.display()));
        }
        Self {
            qemu: qemu.spawn().expect("QEMU"),
            folder,
        }
    }

    /// Waits until the guest has ended, then looks at it.
    fn end(self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        let mut monitor = Monitor::open(&self.folder.path().join("qmp"), deadline);
        while monitor.ask("query-status", &json!({}))["status"] != "shutdown" {
            let console = self.console();
            assert!(Instant::now() < deadline, "no end in time:\n{console}");
            thread::sleep(Duration::from_millis(200));
        }
        let dump = self.folder.path().join("memory");
        let range = json!({ "val": initrd_address(), "size": CANARY, "filename": dump });
        monitor.ask("pmemsave", &range);
        Ended {
            console: self.console(),
            canary: fs::read(dump).unwrap(),
        }
    }

    fn console(&self) -> String {
        let bytes = fs::read(self.folder.path().join("console")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.qemu.kill().ok();
        self.qemu.wait().ok();
    }
}

/// QEMU's own protocol: a line of JSON for each question and answer, and events in between.
struct Monitor {
    stream: BufReader<UnixStream>,
}

impl Monitor {
    fn open(socket: &Path, deadline: Instant) -> Self {
        let stream = loop {
            match UnixStream::connect(socket) {
                Ok(stream) => break stream,
                Err(error) => assert!(Instant::now() < deadline, "QEMU's monitor: {error}"),
            }
            thread::sleep(Duration::from_millis(50));
        };
        let mut monitor = Self {
            stream: BufReader::new(stream),
        };
        monitor.ask("qmp_capabilities", &json!({}));
        monitor
    }

    fn ask(&mut self, question: &str, arguments: &Value) -> Value {
        let question = json!({ "execute": question, "arguments": arguments });
        writeln!(self.stream.get_mut(), "{question}").unwrap();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).unwrap();
            let said: Value = serde_json::from_str(&line).expect("JSON of QEMU's");
            assert_eq!(said.get("error"), None, "{question}");
            if let Some(answer) = said.get("return") {
                return answer.clone();
            }
        }
    }
}

fn initrd() -> PathBuf {
    paths::image().join("initrd")
}

/// Where QEMU puts it: as high as it fits.
fn initrd_address() -> u64 {
    let size = fs::metadata(initrd()).unwrap().len();
    (MEMORY - ACPI_DATA - 1 - size) & !0xfff
}

fn honest_canary() -> Vec<u8> {
    let mut bytes = fs::read(initrd()).unwrap();
    bytes.truncate(CANARY);
    bytes
}

fn ours() -> PathBuf {
    paths::image().join("kernel")
}

/// The kernel of v0.1.3, or nothing with a word about it where no archive has it any more.
fn debians() -> Option<&'static Path> {
    static KERNEL: OnceLock<Option<(TempDir, PathBuf)>> = OnceLock::new();
    let kernel = KERNEL.get_or_init(|| {
        let lock = zoo().join("debian-kernel.lock.toml");
        let pin = LockFile::read(lock).unwrap();
        let pin = pin.input("kernel", Kind::Deb).unwrap();
        let fetcher = Fetcher {
            cache: fetch::default_cache()?,
            mirrors: Vec::new(),
            archives: Archives::read(Path::new("/etc/apt")),
        };
        let package = match fetcher.fetch(pin) {
            Ok(package) => package,
            Err(error) => {
                chrysalis_test_support::skip(format!(
                    "no kernel of v0.1.3 to compare with ({error})"
                ));
                return None;
            }
        };
        let deb = Deb::read("kernel", &package).unwrap();
        let (_, bytes) = deb.only("boot/vmlinuz-*").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kernel");
        fs::write(&path, bytes).unwrap();
        Some((folder, path))
    });
    kernel.as_ref().map(|(_, path)| path.as_path())
}

fn zoo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("zoo")
}

/// The compiled table of a source.
fn compile(source: &Path, folder: &Path) -> PathBuf {
    let text = fs::read_to_string(source).unwrap();
    let text = text.replace("CANARY", &format!("{:#x}", initrd_address()));
    let place = folder.join(source.file_name().unwrap());
    fs::write(&place, text).unwrap();
    fs::copy(zoo().join("common.asl"), folder.join("common.asl")).unwrap();
    let out = place.with_extension("");
    let output = Command::new("iasl")
        .arg("-p")
        .arg(&out)
        .arg(&place)
        .output();
    let output = output.expect("iasl (make setup)");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    out.with_extension("aml")
}

/// A table that loads another one from a buffer.
fn loader(inner: &Path, folder: &Path) -> PathBuf {
    let mut bytes = String::new();
    for byte in fs::read(inner).unwrap() {
        write!(bytes, "{byte:#04x}, ").unwrap();
    }
    let source = folder.join("load.dsl");
    let text = format!(
        "DefinitionBlock (\"\", \"SSDT\", 2, \"EVIL\", \"LOAD\", 1)\n{{\n    Name (BUFR, Buffer () {{ {} }})\n    \
         Name (HNDL, 0)\n    Load (BUFR, HNDL)\n}}\n",
        bytes.trim_end_matches(", ")
    );
    fs::write(&source, text).unwrap();
    compile(&source, folder)
}

/// A FADT whose block of events lies in memory, so that enabling them writes there; no bytecode in it (ACPI 6.5, table 5.9).
fn fadt(dsdt: u32, facs: u32) -> Vec<u8> {
    let port = |width: u8, address: u64| (1_u8, width, address);
    let none = (0, 0, 0);
    let register = |table: &mut Vec<u8>, (space, width, address): (u8, u8, u64)| {
        table.extend([space, width, 0, 1]);
        table.extend(address.to_le_bytes());
    };
    let mut table = Vec::from(*b"FACP\0\0\0\0\x05\0EVIL  FADT    \x01\0\0\0EVIL\x01\0\0\0");
    table.extend(facs.to_le_bytes());
    table.extend(dsdt.to_le_bytes());
    table.extend([0, 0, 9, 0]); // profile, interrupt
    table.extend(0xb2_u32.to_le_bytes()); // SMI's port
    table.extend([2, 3, 0, 0]);
    // Events, control, timer; the blocks of general events only in their 64-bit form
    for address in [0x600_u32, 0, 0x604, 0, 0, 0x608, 0, 0] {
        table.extend(address.to_le_bytes());
    }
    table.extend([4, 2, 0, 4, 64, 0, 0, 0]); // lengths
    table.extend([0xff, 0x0f, 0xff, 0x0f, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    table.extend([0, 0, 0]); // PC's own devices
    table.extend(0x84a5_u32.to_le_bytes()); // flags
    register(&mut table, port(8, 0xcf9)); // reset
    table.extend([0x0f, 0, 0, 0]);
    table.extend(0_u64.to_le_bytes());
    table.extend(u64::from(dsdt).to_le_bytes());
    for block in [
        port(32, 0x600),
        none,
        port(16, 0x604),
        none,
        none,
        port(32, 0x608),
        (0, 0xf8, initrd_address()),
        none,
        none,
        none,
    ] {
        register(&mut table, block);
    }
    let length = u32::try_from(table.len()).unwrap();
    table[4..8].copy_from_slice(&length.to_le_bytes());
    let sum = table.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    table[9] = sum.wrapping_neg();
    table
}

/// The address after `ACPI: NAME 0x` in a kernel's own words.
fn address_of(name: &str, console: &str) -> u32 {
    let (_, rest) = console.split_once(&format!("ACPI: {name} 0x")).unwrap();
    u32::from_str_radix(rest[..16].trim_start_matches('0'), 16).unwrap()
}

/// Every table of the zoo, by name.
fn tables(folder: &Path) -> Vec<(String, PathBuf)> {
    let mut tables = Vec::new();
    for entry in fs::read_dir(zoo()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "dsl") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            tables.push((name, compile(&path, folder)));
        }
    }
    let write = tables.iter().find(|(name, _)| name == "write").unwrap();
    let load = loader(&write.1, folder);
    tables.push(("load".to_owned(), load));
    tables.sort();
    assert_eq!(tables.len(), 10, "{tables:?}");
    tables
}

/// Runs a guest for each table, two at a time, and gives the names of those that `fault` finds something in.
fn each(
    tables: &[(String, PathBuf)],
    kernel: &Path,
    fault: impl Fn(&Ended) -> bool + Sync,
) -> Vec<String> {
    let fault = &fault;
    let mut faults = Vec::new();
    for pair in tables.chunks(2) {
        thread::scope(|scope| {
            let guests: Vec<_> = pair
                .iter()
                .map(|(name, table)| {
                    scope.spawn(move || {
                        let ended = Guest::start(kernel, std::slice::from_ref(table)).end();
                        fault(&ended).then(|| format!("{name}:\n{}", ended.console))
                    })
                })
                .collect();
            faults.extend(guests.into_iter().filter_map(|guest| guest.join().unwrap()));
        });
    }
    faults
}

/// Whether the enclave started, and switched the machine off when it found no host.
fn started(ended: &Ended) -> bool {
    let console = &ended.console;
    console.contains("booted platform=")
        && console.contains("powering off")
        && !console.contains("Kernel panic")
}

#[test]
fn our_kernel_stays_itself_under_every_table_of_the_zoo() {
    let folder = tempfile::tempdir().unwrap();
    let faults = each(&tables(folder.path()), &ours(), |ended| {
        ended.was_bitten() || !started(ended)
    });
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_kernel_before_runs_every_table_of_the_zoo() {
    let Some(kernel) = debians() else { return };
    let folder = tempfile::tempdir().unwrap();
    let faults = each(&tables(folder.path()), kernel, |ended| !ended.was_bitten());
    assert!(faults.is_empty(), "not bitten: {}", faults.join("\n"));
}

#[test]
fn a_guest_without_hostile_tables_has_its_initrd_where_the_test_looks() {
    let ended = Guest::start(&ours(), &[]).end();
    assert!(!ended.was_bitten() && started(&ended), "{}", ended.console);
}

/// Needs no bytecode: the kernel itself writes where the table says that registers are.
#[test]
fn a_register_in_memory_is_a_port_to_our_kernel_and_memory_to_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("fadt.aml");
    fs::write(&table, fadt(0, 0)).unwrap();
    let tables = [table];
    let ended = Guest::start(&ours(), &tables).end();
    assert!(!ended.was_bitten() && started(&ended), "{}", ended.console);

    // Debian's kernel wants to be shown the table of bytecode, and tells where it is.
    let Some(kernel) = debians() else { return };
    let first = Guest::start(kernel, &tables).end();
    let (dsdt, facs) = (
        address_of("DSDT", &first.console),
        address_of("FACS", &first.console),
    );
    fs::write(&tables[0], fadt(dsdt, facs)).unwrap();
    let ended = Guest::start(kernel, &tables).end();
    assert!(ended.was_bitten(), "{}", ended.console);
    // And so our kernel, shown the same.
    let ended = Guest::start(&ours(), &tables).end();
    assert!(!ended.was_bitten() && started(&ended), "{}", ended.console);
}
