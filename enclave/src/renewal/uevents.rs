//! Devices that come and go: the kernel tells those who listen on `NETLINK_KOBJECT_UEVENT` (Linux,
//! Documentation/ABI/testing/sysfs-uevent). Only PID 1 listens: as a process the enclave owns no devices.
//!
//! What the kernel says here comes from drivers, and some of it from the host's devices: it is only ever a reason to ask.

use rustix::{
    fd::OwnedFd,
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SocketFlags, SocketType, bind,
        netlink::{KOBJECT_UEVENT, SocketAddrNetlink},
        recv, socket_with,
    },
};

use crate::machine::Machine;

/// The kernel's own multicast group; udev's is another.
const KERNEL: u32 = 1;
/// The most bytes of an event (`UEVENT_BUFFER_SIZE` is 2048, and its head has a path).
const MOST: usize = 8192;
/// The most events in one look.
const MANY: usize = 4096;
/// What a machine's processors, memory and devices are attached to.
const BUSES: [&str; 2] = ["pci", "virtio"];

/// The kernel's events, where they concern us.
pub(super) struct Uevents(Option<OwnedFd>);

impl Uevents {
    /// Listens, if the machine is ours and its kernel tells.
    pub(super) fn listen(machine: Machine) -> Self {
        if machine == Machine::Shared {
            tracing::info!("a process hears of no devices that come or go");
            return Self(None);
        }
        match open() {
            Ok(socket) => Self(Some(socket)),
            Err(error) => {
                tracing::warn!(%error, "the kernel does not say which devices come or go");
                Self(None)
            }
        }
    }

    /// A device that came, went, or is on another machine now, since the last look.
    pub(super) fn look(&self) -> Option<String> {
        let socket = self.0.as_ref()?;
        let mut event = [0; MOST];
        let mut sign = None;
        // The socket's own buffer bounds how many wait; no kernel makes more of them than this at once.
        for _ in 0..MANY {
            match recv(socket, event.as_mut_slice(), RecvFlags::empty()) {
                Ok((length, _)) => {
                    sign = sign.or_else(|| read(event.get(..length).unwrap_or_default()));
                }
                Err(Errno::NOBUFS) => sign = Some("more events than could be heard".to_owned()),
                Err(Errno::WOULDBLOCK) => break,
                Err(error) => {
                    tracing::warn!(%error, "the kernel's events cannot be heard");
                    break;
                }
            }
        }
        sign
    }
}

fn open() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        flags,
        Some(KOBJECT_UEVENT),
    )?;
    bind(&socket, &SocketAddrNetlink::new(0, KERNEL))?;
    Ok(socket)
}

/// What an event means for us, in a word that can be logged. Its form is `ACTION@DEVPATH`, then `KEY=VALUE`, each ended by a zero.
fn read(event: &[u8]) -> Option<String> {
    let mut fields = event.split(|byte| *byte == 0);
    // A message of another sender's, such as udev's, begins otherwise.
    fields.next()?.iter().position(|byte| *byte == b'@')?;
    let (mut action, mut subsystem, mut copied) = (None, None, false);
    for field in fields {
        let Ok(field) = std::str::from_utf8(field) else {
            continue;
        };
        match field.split_once('=') {
            Some(("ACTION", value)) => action = Some(value),
            Some(("SUBSYSTEM", value)) => subsystem = Some(value),
            // The kernel's VMGENID driver: this machine is a copy now.
            Some(("NEW_VMGENID", _)) => copied = true,
            _ => {}
        }
    }
    if copied {
        return Some("the machine was restored from a copy".to_owned());
    }
    let bus = BUSES.into_iter().find(|bus| subsystem == Some(bus))?;
    match action? {
        "add" => Some(format!("{bus} add")),
        "remove" => Some(format!("{bus} remove")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event(fields: &[&str]) -> Vec<u8> {
        let mut event = b"add@/devices/pci0000:00/0000:00:04.0\0".to_vec();
        for field in fields {
            event.extend_from_slice(field.as_bytes());
            event.push(0);
        }
        event
    }

    #[test]
    fn devices_that_come_and_go_are_signs_and_others_are_not() {
        for (fields, sign) in [
            (
                &["ACTION=add", "SUBSYSTEM=pci", "SEQNUM=1"][..],
                Some("pci add"),
            ),
            (
                &["ACTION=remove", "SUBSYSTEM=virtio"],
                Some("virtio remove"),
            ),
            (&["ACTION=bind", "SUBSYSTEM=pci"], None),
            (&["ACTION=add", "SUBSYSTEM=block"], None),
            (&["SUBSYSTEM=pci"], None),
            (&["ACTION=add"], None),
            (
                &["ACTION=change", "SUBSYSTEM=platform", "NEW_VMGENID=1"],
                Some("the machine was restored from a copy"),
            ),
        ] {
            assert_eq!(read(&event(fields)).as_deref(), sign, "{fields:?}");
        }
    }

    #[test]
    fn what_is_no_event_of_the_kernels_is_nothing() {
        for other in [&b""[..], b"\0", b"libudev\0ACTION=add\0SUBSYSTEM=pci\0"] {
            assert_eq!(read(other), None);
        }
    }

    #[test]
    fn a_process_does_not_listen_and_a_machine_hears_nothing_of_itself() {
        assert!(Uevents::listen(Machine::Shared).0.is_none());
        assert_eq!(Uevents::listen(Machine::Own).look(), None);
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes: Vec<u8>) {
            let _ = read(&bytes);
            let _ = read(&[b"add@/x\0".as_slice(), &bytes].concat());
        }
    }
}
