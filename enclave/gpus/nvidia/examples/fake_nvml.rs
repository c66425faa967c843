//! A library that plays NVML with two GPUs, for the worker's own tests: what goes through the C interface and comes back.
//! Its reports are not real ones; the enclave's tests have those.

#![allow(unsafe_code, non_snake_case, missing_docs)]

use std::{
    ptr,
    sync::atomic::{AtomicU32, Ordering},
};

use nvml_wrapper_sys::bindings::{
    nvmlConfComputeGpuAttestationReport_t, nvmlConfComputeGpuCertificate_t,
    nvmlConfComputeSystemState_t, nvmlDevice_t, nvmlReturn_t,
};

const SUCCESS: nvmlReturn_t = 0;
const INVALID_ARGUMENT: nvmlReturn_t = 2;
const GPUS: u32 = 2;

static READY: AtomicU32 = AtomicU32::new(0);

#[unsafe(no_mangle)]
pub extern "C" fn nvmlInit_v2() -> nvmlReturn_t {
    SUCCESS
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlShutdown() -> nvmlReturn_t {
    SUCCESS
}

/// # Safety
/// As nvml.h requires: the pointer is valid. The same goes for all below.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetCount_v2(count: *mut u32) -> nvmlReturn_t {
    // SAFETY: the caller's pointer is valid.
    unsafe { count.write(GPUS) };
    SUCCESS
}

/// # Safety
/// The pointer is valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetHandleByIndex_v2(
    index: u32,
    device: *mut nvmlDevice_t,
) -> nvmlReturn_t {
    if index >= GPUS {
        return INVALID_ARGUMENT;
    }
    // SAFETY: the caller's pointer is valid. The handle is a number, and is never dereferenced.
    unsafe { device.write(ptr::without_provenance_mut(index as usize + 1)) };
    SUCCESS
}

/// On production hardware, in confidential mode, without dev-tools: three different values.
///
/// # Safety
/// The pointer is valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlSystemGetConfComputeState(
    state: *mut nvmlConfComputeSystemState_t,
) -> nvmlReturn_t {
    let found = nvmlConfComputeSystemState_t {
        environment: 2,
        ccFeature: 1,
        devToolsMode: 0,
    };
    // SAFETY: the caller's pointer is valid.
    unsafe { state.write(found) };
    SUCCESS
}

/// The nonce, and after it the GPU's number.
///
/// # Safety
/// The pointer is valid, and what it points to initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetConfComputeGpuAttestationReport(
    device: nvmlDevice_t,
    report: *mut nvmlConfComputeGpuAttestationReport_t,
) -> nvmlReturn_t {
    // SAFETY: the caller's pointer is valid, and not shared while this runs.
    let report = unsafe { &mut *report };
    let answer = report.nonce.into_iter().chain([number(device)]);
    for (place, byte) in report.attestationReport.iter_mut().zip(answer) {
        *place = byte;
    }
    report.attestationReportSize = 33;
    SUCCESS
}

/// A text with its terminating zero.
///
/// # Safety
/// The pointer is valid, and what it points to initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetConfComputeGpuCertificate(
    device: nvmlDevice_t,
    certificate: *mut nvmlConfComputeGpuCertificate_t,
) -> nvmlReturn_t {
    // SAFETY: the caller's pointer is valid, and not shared while this runs.
    let certificate = unsafe { &mut *certificate };
    let text = *b"PEM of GPU ";
    let text = text.into_iter().chain([b'0' + number(device), 0]);
    let mut size = 0;
    for (place, byte) in certificate.attestationCertChain.iter_mut().zip(text) {
        *place = byte;
        size += 1;
    }
    certificate.attestationCertChainSize = size;
    SUCCESS
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlSystemSetConfComputeGpusReadyState(ready: u32) -> nvmlReturn_t {
    READY.store(ready, Ordering::Relaxed);
    SUCCESS
}

/// # Safety
/// The pointer is valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlSystemGetConfComputeGpusReadyState(ready: *mut u32) -> nvmlReturn_t {
    // SAFETY: the caller's pointer is valid.
    unsafe { ready.write(READY.load(Ordering::Relaxed)) };
    SUCCESS
}

fn number(device: nvmlDevice_t) -> u8 {
    u8::try_from(device.addr()).unwrap_or(u8::MAX)
}
