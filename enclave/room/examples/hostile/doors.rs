//! Every door, and whether it opens. A line for each: its name, then `open` or the name of the error.

use std::{
    fmt::Write,
    fs, io,
    net::{TcpListener, TcpStream, UdpSocket},
    os::{
        fd::AsRawFd,
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixStream},
    },
    time::Duration,
};

use libc::{c_int, c_long};

struct Doors(String);

impl Doors {
    fn note<T>(&mut self, name: &str, result: io::Result<T>) {
        let result = match result {
            Ok(_) => "open".to_owned(),
            Err(error) => match error.raw_os_error() {
                Some(libc::ENOSYS) => "ENOSYS".to_owned(),
                Some(libc::ESRCH) => "no such process".to_owned(),
                _ => format!("{:?}", error.kind()),
            },
        };
        self.fact(name, &result);
    }

    fn fact(&mut self, name: &str, what: &str) {
        writeln!(self.0, "{name}\t{what}").unwrap();
    }

    /// A system call with up to six arguments.
    fn call(&mut self, name: &str, number: c_long, arguments: [usize; 6]) {
        let [first, second, third, fourth, fifth, sixth] = arguments;
        // SAFETY: what the callers pass are numbers, and addresses of values that live through the call.
        let result = unsafe { libc::syscall(number, first, second, third, fourth, fifth, sixth) };
        let result = match result {
            -1 => Err(io::Error::last_os_error()),
            other => Ok(other),
        };
        self.note(name, result);
    }
}

pub(crate) fn try_all(file: &str, process: &str, port: &str, socket: &str) -> String {
    let mut doors = Doors(String::new());
    what_is_there(&mut doors, file);
    files(&mut doors);
    sockets(&mut doors, port, socket);
    processes(&mut doors, process.parse().unwrap());
    namespaces(&mut doors);
    kernel(&mut doors);
    rights(&mut doors);
    doors.0
}

fn what_is_there(doors: &mut Doors, outside: &str) {
    // First: what is open before anything is opened here.
    let open = (0..1024).filter(|number| {
        // SAFETY: takes numbers.
        unsafe { libc::fcntl(*number, libc::F_GETFD) != -1 }
    });
    doors.fact(
        "descriptors",
        &open
            .map(|number| number.to_string())
            .collect::<Vec<_>>()
            .join(" "),
    );
    let names = |folder: &str| {
        let entries = fs::read_dir(folder).map(|entries| entries.flatten().collect::<Vec<_>>());
        let names = entries.unwrap_or_default();
        let mut names: Vec<_> = names
            .iter()
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names.join(" ")
    };
    doors.fact("root", &names("/"));
    doors.fact("devices", &names("/dev"));
    let mut processes = names("/proc");
    processes.retain(|letter| letter.is_ascii_digit() || letter == ' ');
    let processes: Vec<_> = processes.split_whitespace().collect();
    doors.fact("processes", &processes.join(" "));
    let variables: Vec<_> = std::env::vars()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    doors.fact("environment", &variables.join(" "));
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    doors.fact("hostname", host.trim());
    doors.note("file outside", fs::read(outside));
    doors.note("passwords", fs::read("/etc/passwd"));
    doors.note("memory of the machine", fs::File::open("/dev/mem"));
    doors.note("other disks", fs::File::open("/dev/vda"));
    doors.note("cgroups", fs::read_dir("/sys/fs/cgroup"));
    doors.note("memory of the first process", fs::File::open("/proc/1/mem"));
    doors.note(
        "environment of the first process",
        fs::read("/proc/1/environ"),
    );
    doors.note(
        "core pattern",
        fs::File::options()
            .write(true)
            .open("/proc/sys/kernel/core_pattern"),
    );
}

fn files(doors: &mut Doors) {
    doors.note("new file in the root", fs::write("/new", ""));
    doors.note("new folder in the root", fs::create_dir("/new"));
    doors.note("new file on the disk", fs::write("/usr/new", ""));
    doors.note(
        "change of the program",
        fs::File::options().append(true).open("/usr/bin/hostile"),
    );
    doors.note(
        "removal of the program",
        fs::remove_file("/usr/bin/hostile"),
    );
    doors.note(
        "change of the model",
        fs::File::options().append(true).open("/model"),
    );
    doors.note("file in /run", fs::write("/run/new", ""));
    fs::write("/tmp/new", [0; 4096]).unwrap();
    let file = fs::File::open("/tmp/new").unwrap();
    // SAFETY: a new mapping of a page that the file has.
    let mapped = unsafe {
        let rights = libc::PROT_READ | libc::PROT_EXEC;
        libc::mmap(
            std::ptr::null_mut(),
            4096,
            rights,
            libc::MAP_PRIVATE,
            file.as_raw_fd(),
            0,
        )
    };
    let mapped = if mapped == libc::MAP_FAILED {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    };
    doors.note("program in /tmp", mapped);
    let device = (libc::S_IFBLK | 0o600) as usize;
    doors.call(
        "device in /tmp",
        libc::SYS_mknod,
        [c"/tmp/disk".as_ptr() as usize, device, 7 << 8, 0, 0, 0],
    );
}

/// Switches the room's one network device off: `RTM_NEWLINK` of rtnetlink(7), for device 1, without `IFF_UP`.
fn switch_off() -> io::Result<()> {
    let socket = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    let words: [u32; 8] = [32, 16 | 5 << 16, 1, 0, 0, 1, 0, 1];
    let mut answer = [0_i32; 256];
    let length = unsafe {
        libc::send(socket, words.as_ptr().cast(), 32, 0);
        libc::recv(socket, answer.as_mut_ptr().cast(), 1024, 0)
    };
    // An error, or an acknowledgement: the number after the head of 16 bytes.
    match (length, answer[4]) {
        (20.., 0) => Ok(()),
        (20.., error) => Err(io::Error::from_raw_os_error(-error)),
        _ => Err(io::Error::last_os_error()),
    }
}

fn sockets(doors: &mut Doors, port: &str, socket: &str) {
    for (name, family, kind, protocol) in [
        ("vsock", libc::AF_VSOCK, libc::SOCK_STREAM, 0),
        (
            "devices' messages",
            libc::AF_NETLINK,
            libc::SOCK_RAW,
            libc::NETLINK_KOBJECT_UEVENT,
        ),
        (
            "addresses of the network",
            libc::AF_NETLINK,
            libc::SOCK_RAW,
            libc::NETLINK_ROUTE,
        ),
        ("packet", libc::AF_PACKET, libc::SOCK_RAW, 0),
        ("raw", libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP),
        ("alg", libc::AF_ALG, libc::SOCK_SEQPACKET, 0),
    ] {
        let number = |number: c_int| usize::try_from(number).unwrap();
        doors.call(
            name,
            libc::SYS_socket,
            [number(family), number(kind), number(protocol), 0, 0, 0],
        );
    }
    doors.note("change of the network", switch_off());
    doors.note(
        "port outside",
        TcpStream::connect(format!("127.0.0.1:{port}")),
    );
    let away = "192.0.2.1:443".parse().unwrap();
    doors.note(
        "network",
        TcpStream::connect_timeout(&away, Duration::from_secs(1)),
    );
    doors.note("listening", TcpListener::bind("127.0.0.1:0"));
    let datagram =
        UdpSocket::bind("0.0.0.0:0").and_then(|from| from.send_to(b"out", "192.0.2.1:53"));
    doors.note("datagram", datagram);
    let address = SocketAddr::from_abstract_name(socket).unwrap();
    doors.note("socket outside", UnixStream::connect_addr(&address));
}

fn processes(doors: &mut Doors, outside: usize) {
    let own = std::process::id() as usize;
    doors.call("signal outside", libc::SYS_kill, [outside, 0, 0, 0, 0, 0]);
    doors.call(
        "signal to a thread outside",
        libc::SYS_tgkill,
        [outside, outside, 6, 0, 0, 0],
    );
    doors.call(
        "handle of a process outside",
        libc::SYS_pidfd_open,
        [outside, 0, 0, 0, 0, 0],
    );
    doors.call("ptrace", libc::SYS_ptrace, [0; 6]);
    let mut byte = [0u8; 1];
    let here = libc::iovec {
        iov_base: byte.as_mut_ptr().cast(),
        iov_len: 1,
    };
    let here = std::ptr::from_ref(&here) as usize;
    doors.call(
        "process_vm_readv",
        libc::SYS_process_vm_readv,
        [own, here, 1, here, 1, 0],
    );
    doors.call(
        "process_vm_writev",
        libc::SYS_process_vm_writev,
        [own, here, 1, here, 1, 0],
    );
    doors.call("pidfd_getfd", libc::SYS_pidfd_getfd, [0, 0, 0, 0, 0, 0]);
    // SAFETY: the child ends at once.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: takes a number.
        unsafe { libc::_exit(0) };
    }
    let forked = if child == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    };
    doors.note("fork", forked);
}

fn namespaces(doors: &mut Doors) {
    let number = |number: c_int| usize::try_from(number).unwrap();
    doors.call(
        "user namespace",
        libc::SYS_unshare,
        [number(libc::CLONE_NEWUSER), 0, 0, 0, 0, 0],
    );
    doors.call(
        "mount namespace",
        libc::SYS_unshare,
        [number(libc::CLONE_NEWNS), 0, 0, 0, 0, 0],
    );
    doors.call("setns", libc::SYS_setns, [0; 6]);
    // A bad address would be noticed only by a kernel that looks at the flags.
    let flags = number(libc::CLONE_NEWUSER | libc::SIGCHLD);
    // SAFETY: with no stack it is fork; the child ends at once.
    let child = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    if child == 0 {
        // SAFETY: takes a number.
        unsafe { libc::_exit(0) };
    }
    let cloned = if child == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    };
    doors.note("clone of a namespace", cloned);
    doors.call("clone3", libc::SYS_clone3, [0; 6]);
    let (tmpfs, tmp, root) = (
        c"tmpfs".as_ptr() as usize,
        c"/tmp".as_ptr() as usize,
        c"/".as_ptr() as usize,
    );
    doors.call("mount", libc::SYS_mount, [tmpfs, tmp, tmpfs, 0, 0, 0]);
    doors.call("umount", libc::SYS_umount2, [tmp, 2, 0, 0, 0, 0]);
    doors.call("fsopen", libc::SYS_fsopen, [tmpfs, 0, 0, 0, 0, 0]);
    doors.call("open_tree", libc::SYS_open_tree, [0, root, 1, 0, 0, 0]);
    doors.call("pivot_root", libc::SYS_pivot_root, [root, tmp, 0, 0, 0, 0]);
    doors.call("chroot", libc::SYS_chroot, [tmp, 0, 0, 0, 0, 0]);
    doors.call(
        "open_by_handle_at",
        libc::SYS_open_by_handle_at,
        [0, tmp, 0, 0, 0, 0],
    );
    doors.call("sethostname", libc::SYS_sethostname, [tmp, 4, 0, 0, 0, 0]);
}

fn kernel(doors: &mut Doors) {
    let mut zeros = [0u64; 64];
    let zeros = zeros.as_mut_ptr() as usize;
    doors.call("io_uring", libc::SYS_io_uring_setup, [1, zeros, 0, 0, 0, 0]);
    doors.call("userfaultfd", libc::SYS_userfaultfd, [1, 0, 0, 0, 0, 0]);
    doors.call("bpf", libc::SYS_bpf, [0, zeros, 72, 0, 0, 0]);
    doors.call(
        "perf_event_open",
        libc::SYS_perf_event_open,
        [zeros, 0, usize::MAX, usize::MAX, 0, 0],
    );
    doors.call("keyctl", libc::SYS_keyctl, [0, usize::MAX - 2, 0, 0, 0, 0]);
    let name = c"user".as_ptr() as usize;
    doors.call(
        "add_key",
        libc::SYS_add_key,
        [name, name, name, 4, usize::MAX - 2, 0],
    );
    doors.call(
        "request_key",
        libc::SYS_request_key,
        [name, name, 0, 0, 0, 0],
    );
    doors.call(
        "init_module",
        libc::SYS_init_module,
        [zeros, 0, zeros, 0, 0, 0],
    );
    doors.call(
        "finit_module",
        libc::SYS_finit_module,
        [0, zeros, 0, 0, 0, 0],
    );
    doors.call(
        "delete_module",
        libc::SYS_delete_module,
        [name, 0, 0, 0, 0, 0],
    );
    doors.call("kexec_load", libc::SYS_kexec_load, [0; 6]);
    doors.call("kexec_file_load", libc::SYS_kexec_file_load, [0; 6]);
    doors.call("syslog", libc::SYS_syslog, [3, zeros, 64, 0, 0, 0]);
    doors.call("ports", libc::SYS_iopl, [3, 0, 0, 0, 0, 0]);
    doors.call("clock", libc::SYS_clock_settime, [0, zeros, 0, 0, 0, 0]);
    doors.call("swap", libc::SYS_swapon, [name, 0, 0, 0, 0, 0]);
}

fn rights(doors: &mut Doors) {
    doors.call("setuid", libc::SYS_setuid, [0; 6]);
    doors.call("setgid", libc::SYS_setgid, [0; 6]);
    doors.call("setgroups", libc::SYS_setgroups, [0; 6]);
    let header = [0x2008_0522u32, 0];
    let all = [u32::MAX; 6];
    doors.call(
        "capset",
        libc::SYS_capset,
        [header.as_ptr() as usize, all.as_ptr() as usize, 0, 0, 0, 0],
    );
    let one = libc::rlimit {
        rlim_cur: 1 << 20,
        rlim_max: 1 << 20,
    };
    for (name, limit) in [
        ("core dumps", libc::RLIMIT_CORE),
        ("more processes", libc::RLIMIT_NPROC),
    ] {
        // SAFETY: a limit that lives through the call.
        let set = unsafe { libc::setrlimit(limit, &raw const one) };
        doors.note(
            name,
            if set == -1 {
                Err(io::Error::last_os_error())
            } else {
                Ok(())
            },
        );
    }
    doors.call(
        "nice",
        libc::SYS_setpriority,
        [0, 0, usize::MAX - 19, 0, 0, 0],
    );
    let first = [1i32];
    doors.call(
        "real time",
        libc::SYS_sched_setscheduler,
        [0, 1, first.as_ptr() as usize, 0, 0, 0],
    );
}
