//! The TDREPORT through the kernel's tdx-guest device (linux/tdx-guest.h): one call, so no library.
#![allow(unsafe_code)]

use std::{
    fs::{File, OpenOptions},
    io,
};

use rustix::ioctl::{Opcode, Updater, ioctl, opcode};

/// The device of the kernel's tdx-guest driver.
pub(crate) const DEVICE: &str = "/dev/tdx_guest";
/// Bytes of a TDREPORT.
pub(crate) const TDREPORT_SIZE: usize = 1024;

/// `TDX_CMD_GET_REPORT0`
const GET_REPORT: Opcode = opcode::read_write::<Request>(b'T', 1);

/// `struct tdx_report_req`
#[repr(C)]
struct Request {
    report_data: [u8; 64],
    report: [u8; TDREPORT_SIZE],
}

/// Asks the TDX module. No other party sees question or answer.
pub(super) fn report(report_data: &[u8; 64]) -> io::Result<Box<[u8; TDREPORT_SIZE]>> {
    let device = OpenOptions::new().read(true).write(true).open(DEVICE)?;
    let mut request = Request {
        report_data: *report_data,
        report: [0; TDREPORT_SIZE],
    };
    call(&device, &mut request)?;
    Ok(Box::new(request.report))
}

fn call(device: &File, request: &mut Request) -> io::Result<()> {
    // SAFETY: GET_REPORT takes a `struct tdx_report_req`, which `Request` is: plain old data, of which the kernel reads
    // the first field and writes the second.
    let updater = unsafe { Updater::<GET_REPORT, Request>::new(request) };
    // SAFETY: `device` is the tdx-guest device, which defines this opcode so.
    Ok(unsafe { ioctl(device, updater) }?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_opcode_is_that_of_the_kernel() {
        assert_eq!(GET_REPORT, 0xC440_5401);
    }
}
