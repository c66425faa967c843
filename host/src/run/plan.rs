//! From what the provider typed to the machine that is launched.

use std::path::{Path, PathBuf};

use anyhow::bail;
use chrysalis_attestation::{encoding::digest::sha384, evidence::binding::host_data};
use chrysalis_measure::{CommandLine, Image, Shape, snp_launch_digest};

use super::{files::Files, options::RunOptions};
use crate::{
    launch::{
        VmPlan,
        id_block::IdBlock,
        platform::Platform,
        protection::{CBit, Protection, QuoteService, Snp, Tdx},
    },
    simulation::processor::Launched,
};

/// The firmware for TDX guests, in an image folder.
const TDX_FIRMWARE: &str = "firmware-tdx.fd";

/// The machine.
pub(super) fn machine<'a>(
    options: &RunOptions,
    platform: Platform,
    files: &'a Files,
) -> anyhow::Result<VmPlan<'a>> {
    let protection = match platform {
        Platform::Simulated => Protection::None,
        Platform::Snp => Protection::Snp(Snp {
            firmware: files.image.firmware(),
            cpu: options.cpu,
            policy: options.guest_policy,
            host_data: host_data(&files.configuration),
            id_block: id_block(options)?,
            c_bit: CBit::of_this_machine(),
        }),
        Platform::Tdx => Protection::Tdx(Tdx {
            firmware: tdx_firmware(&files.image)?,
            mrconfigid: sha384(&[&files.configuration]),
            quotes: options
                .quotes
                .clone()
                .unwrap_or_else(|| QuoteService::of_this_machine(Path::new("/"))),
        }),
    };
    Ok(VmPlan {
        image: &files.image,
        disks: &files.disks,
        vcpus: options.vcpus,
        memory_mib: options.memory,
        accelerator: options.accelerator,
        protection,
        gpus: options.gpus.clone(),
    })
}

/// The launch digest that the hardware will report; a TDX guest's is not known before it runs.
pub(super) fn launch_digest(
    options: &RunOptions,
    platform: Platform,
    image: &Image,
) -> anyhow::Result<Option<[u8; 48]>> {
    let (command_line, cpu_type) = match platform {
        Platform::Simulated => (CommandLine::Simulated, Shape::new(options.vcpus).cpu_type),
        Platform::Snp => (CommandLine::Hardware, options.cpu),
        Platform::Tdx => return Ok(None),
    };
    let shape = Shape {
        cpu_type,
        ..Shape::new(options.vcpus)
    };
    Ok(Some(snp_launch_digest(image, command_line, shape)?))
}

/// What the simulated processor needs to know of a launch.
pub(super) fn launched(options: &RunOptions, launch_digest: [u8; 48], files: &Files) -> Launched {
    Launched {
        launch_digest,
        host_data: host_data(&files.configuration),
        policy: options.guest_policy,
        tcb: options.simulated_tcb.map(|levels| levels.0),
    }
}

fn id_block(options: &RunOptions) -> anyhow::Result<Option<IdBlock>> {
    match (&options.id_block, &options.id_auth) {
        (Some(block), Some(auth)) => IdBlock::read(block, auth).map(Some),
        _ => Ok(None),
    }
}

fn tdx_firmware(image: &Image) -> anyhow::Result<PathBuf> {
    let firmware = image.folder().join(TDX_FIRMWARE);
    if !firmware.is_file() {
        bail!(
            "{} is missing, so this image cannot be launched under TDX\n\
             hint: build it from a recipe that has [firmware-tdx], as images/cpu.toml does",
            firmware.display()
        );
    }
    Ok(firmware)
}
