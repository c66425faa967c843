//! The one network device of the room's own network: loopback, which a new network namespace has switched off.

use std::io;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, recv, send, socket};

/// `RTM_NEWLINK` of rtnetlink(7).
const NEWLINK: u16 = 16;
/// `NLM_F_REQUEST | NLM_F_ACK`.
const REQUEST: u16 = 1 | 4;
/// `NLMSG_ERROR`: the answer, which with error 0 means done.
const ANSWER: u16 = 2;
/// Loopback is the first device of every namespace.
const LOOPBACK: i32 = 1;
/// `IFF_UP`.
const UP: u32 = 1;
/// Bytes of the request: a header of 16, and the description of a device, of 16.
const LENGTH: u8 = 32;

/// Switches it on. Asked over netlink, which takes bytes, where the older way takes pointers.
pub(crate) fn up() -> io::Result<()> {
    let kernel = socket(AddressFamily::NETLINK, SocketType::RAW, None)?;
    send(&kernel, &request(), SendFlags::empty())?;
    let mut answer = [0; 256];
    let (_, length) = recv(&kernel, &mut answer, RecvFlags::empty())?;
    result(answer.get(..length).unwrap_or_default())
}

fn request() -> [u8; LENGTH as usize] {
    let mut bytes = [0; LENGTH as usize];
    let fields: [(usize, &[u8]); 6] = [
        (0, &u32::from(LENGTH).to_ne_bytes()),
        (4, &NEWLINK.to_ne_bytes()),
        (6, &REQUEST.to_ne_bytes()),
        (20, &LOOPBACK.to_ne_bytes()),
        (24, &UP.to_ne_bytes()),
        // Which of the flags to change.
        (28, &UP.to_ne_bytes()),
    ];
    for (place, field) in fields {
        for (to, from) in bytes.iter_mut().skip(place).zip(field) {
            *to = *from;
        }
    }
    bytes
}

fn result(answer: &[u8]) -> io::Result<()> {
    let kind = answer.get(4..6);
    let code = answer.get(16..20).and_then(|code| code.try_into().ok());
    match (
        kind == Some(&ANSWER.to_ne_bytes()),
        code.map(i32::from_ne_bytes),
    ) {
        (true, Some(0)) => Ok(()),
        (true, Some(code)) => Err(io::Error::from_raw_os_error(code.saturating_neg())),
        _ => Err(io::Error::other("the kernel's answer is not one")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_the_kernels_error() {
        let answer = |code: i32| {
            let mut bytes = [0; 36];
            bytes[4..6].copy_from_slice(&ANSWER.to_ne_bytes());
            bytes[16..20].copy_from_slice(&code.to_ne_bytes());
            result(&bytes)
        };
        assert!(answer(0).is_ok());
        assert_eq!(
            answer(-libc::EPERM).unwrap_err().raw_os_error(),
            Some(libc::EPERM)
        );
        assert!(result(&[]).is_err());
        assert!(result(&[0; 36]).is_err());
    }
}
