//! `measure`: what the hardware will say about an image, computed from its files.

use chrysalis_measure::{CommandLine, Image, MeasureError, Shape, snp_launch_digest};

use crate::{
    Outcome,
    arguments::{Machine, MeasureArguments, Platform},
};

pub(crate) fn run(arguments: &MeasureArguments) -> anyhow::Result<Outcome> {
    let Platform::Snp = arguments.platform;
    let image = Image::open(&arguments.image)?;
    let which = if arguments.simulated {
        CommandLine::Simulated
    } else {
        CommandLine::Hardware
    };
    println!(
        "{}",
        hex::encode(launch_digest(&image, which, &arguments.machine)?)
    );
    if arguments.simulated {
        eprintln!("simulated: no SNP hardware ever reports this digest");
    }
    Ok(Outcome::Yes)
}

/// The SNP launch digest of `image` on `machine`.
pub(crate) fn launch_digest(
    image: &Image,
    which: CommandLine,
    machine: &Machine,
) -> Result<[u8; 48], MeasureError> {
    let shape = Shape {
        cpu_type: machine.cpu,
        ..Shape::new(machine.vcpus)
    };
    snp_launch_digest(image, which, shape)
}
