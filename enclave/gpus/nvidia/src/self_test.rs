//! Whether the GPUs compute: each gets a pattern, runs a kernel over it, and the result is compared.

#![allow(unsafe_code)]

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use anyhow::{Context, bail, ensure};
use chrysalis_wire::gpu::{MAX_GPUS, Tested};
use cudarc::{
    driver::{CudaContext, LaunchConfig, PushKernelArg, sys},
    nvrtc::Ptx,
};

/// Numbers in the pattern: 4 MiB, so that a transfer takes more than one packet.
const LENGTH: u32 = 1 << 20;
/// What the kernel does to each: `a · FACTOR + place`, modulo 2³².
const FACTOR: u32 = 0x9E37_79B1;

/// `out[i] = in[i] * factor + i` for `i < length`, compiled by the driver for the GPU that it finds.
const KERNEL: &str = "
.version 8.0
.target sm_90
.address_size 64
.visible .entry work(.param .u64 input, .param .u64 output, .param .u32 factor, .param .u32 length)
{
    .reg .pred %past;
    .reg .b32 %place, %block, %width, %limit, %value, %by;
    .reg .b64 %from, %to, %offset;
    mov.u32 %place, %tid.x;
    mov.u32 %block, %ctaid.x;
    mov.u32 %width, %ntid.x;
    mad.lo.u32 %place, %block, %width, %place;
    ld.param.u32 %limit, [length];
    setp.ge.u32 %past, %place, %limit;
    @%past bra done;
    ld.param.u64 %from, [input];
    ld.param.u64 %to, [output];
    ld.param.u32 %by, [factor];
    cvta.to.global.u64 %from, %from;
    cvta.to.global.u64 %to, %to;
    mul.wide.u32 %offset, %place, 4;
    add.u64 %from, %from, %offset;
    add.u64 %to, %to, %offset;
    ld.global.u32 %value, [%from];
    mad.lo.u32 %value, %value, %by, %place;
    st.global.u32 [%to], %value;
done:
    ret;
}
";

/// Tests every GPU that CUDA sees; an error is the first that failed.
pub(crate) fn run() -> anyhow::Result<Vec<Tested>> {
    // SAFETY: it opens libcuda.so, whose initialisers run, and closes it. The library is the driver's own, the very one
    // that the tests are about to use.
    if !unsafe { sys::is_culib_present() } {
        bail!("libcuda.so.1 cannot be loaded");
    }
    // The bindings panic if the library is missing a function.
    catch_unwind(AssertUnwindSafe(test_all))
        .unwrap_or_else(|_| bail!("libcuda.so.1 is from a release that this worker does not know"))
}

fn test_all() -> anyhow::Result<Vec<Tested>> {
    cudarc::driver::result::init().context("CUDA does not start")?;
    let count = CudaContext::device_count().context("CUDA does not count its GPUs")?;
    let count = usize::try_from(count).unwrap_or_default();
    ensure!(
        count <= MAX_GPUS,
        "CUDA sees {count} GPUs, more than {MAX_GPUS}"
    );
    (0..count)
        .map(|place| test(place).with_context(|| format!("GPU {place}")))
        .collect()
}

fn test(place: usize) -> anyhow::Result<Tested> {
    let context = CudaContext::new(place).context("cannot be opened")?;
    let (major, minor) = context.compute_capability()?;
    let tested = Tested {
        name: context.name()?,
        capability: (u32::try_from(major)?, u32::try_from(minor)?),
        memory: u64::try_from(context.total_mem()?)?,
    };
    work(&context)?;
    Ok(tested)
}

fn work(context: &Arc<CudaContext>) -> anyhow::Result<()> {
    let stream = context.default_stream();
    let pattern: Vec<u32> = (0..LENGTH)
        .map(|place| place.rotate_left(16) ^ place)
        .collect();
    let input = stream.clone_htod(&pattern).context("accepts no data")?;
    let back = stream.clone_dtoh(&input).context("returns no data")?;
    ensure!(back == pattern, "returns other data than it was given");

    let mut output = stream.alloc_zeros::<u32>(pattern.len())?;
    let module = context
        .load_module(Ptx::from_src(KERNEL))
        .context("accepts no program")?;
    let work = module.load_function("work")?;
    let mut launch = stream.launch_builder(&work);
    launch
        .arg(&input)
        .arg(&mut output)
        .arg(&FACTOR)
        .arg(&LENGTH);
    // SAFETY: `KERNEL` has these four parameters in this order: two pointers to `LENGTH` numbers of four bytes, which
    // `input` and `output` have, and two numbers of four bytes. It reads and writes within `LENGTH` alone.
    unsafe { launch.launch(LaunchConfig::for_num_elems(LENGTH)) }
        .context("does not run a program")?;
    let computed = stream.clone_dtoh(&output).context("does not finish")?;
    let expected = pattern
        .iter()
        .zip(0..LENGTH)
        .map(|(value, place)| expect(*value, place));
    ensure!(computed.iter().copied().eq(expected), "computes wrongly");
    Ok(())
}

/// What the kernel turns a number into.
fn expect(value: u32, place: u32) -> u32 {
    value.wrapping_mul(FACTOR).wrapping_add(place)
}
