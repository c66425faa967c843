//! What there is to say about an image folder: its files, what it was made of, and what hardware will report.

use std::path::Path;

use chrysalis_attestation::{
    encoding::digest::Hex,
    release::{
        Input, MachineEvent, Measurements, SnpMeasurement, Subject, TdxMeasurement, Toolchain,
    },
};
use chrysalis_measure::{
    CommandLine, CpuType, EventDigest, Image, MeasureError, Shape, TdxShape, snp_launch_digest,
    tdx_measurement,
};
use serde::Deserialize;

use super::{error::Error, files::read};
use crate::digest::Sha256;

/// A description names some dozen files.
const MAX_DESCRIPTION: usize = 1024 * 1024;
const BOTH: [CommandLine; 2] = [CommandLine::Hardware, CommandLine::Simulated];

/// An image folder, read and measured.
#[derive(Debug, Clone)]
pub struct Described {
    /// Its version.
    pub version: String,
    /// Its files, each hashed.
    pub files: Vec<Subject>,
    /// What it was made of.
    pub inputs: Vec<Input>,
    /// What compiled it.
    pub toolchain: Option<Toolchain>,
    /// What hardware reports of it.
    pub measurements: Measurements,
}

/// image.json, as far as a release repeats it. Nothing trusts it: the files are hashed here.
#[derive(Deserialize)]
struct Description {
    version: String,
    inputs: Vec<Pin>,
    toolchain: Option<Toolchain>,
    files: Vec<Named>,
}

#[derive(Deserialize)]
struct Pin {
    name: String,
    package: String,
    version: String,
    sha256: Hex<32>,
}

#[derive(Deserialize)]
struct Named {
    path: String,
    sha256: Hex<32>,
}

/// The SNP machines that an image is measured for: every combination.
#[derive(Debug, Clone)]
pub struct Shapes {
    /// How many virtual CPUs.
    pub vcpus: Vec<u32>,
    /// Which CPU types.
    pub cpu: Vec<CpuType>,
}

/// Reads, hashes and measures a folder for these machines, or for those of other measurements.
pub fn describe(folder: &Path, wanted: &Wanted<'_>) -> Result<Described, Error> {
    let path = folder.join("image.json");
    let description: Description =
        serde_json::from_slice(&read(&path, MAX_DESCRIPTION)?).map_err(|error| {
            Error::unfit(
                &path,
                format!("is no description of an image; build it again: {error}"),
            )
        })?;
    let mut files = Vec::new();
    for Named { path, sha256 } in description.files {
        let file = folder.join(&path);
        let (_, found) = Sha256::of_file(&file).map_err(Error::io("read", file))?;
        if found.0 != sha256.0 {
            return Err(Error::unfit(
                path,
                "is not the file that image.json describes; build the image again with `chrysalis-image build`",
            ));
        }
        files.push(Subject::new(path, found.0));
    }
    let pins = description.inputs.into_iter().map(|pin| Input {
        name: pin.name,
        package: pin.package,
        version: pin.version,
        sha256: pin.sha256,
    });
    Ok(Described {
        version: description.version,
        files,
        inputs: pins.collect(),
        toolchain: description.toolchain,
        measurements: measure(&Image::open(folder)?, wanted)?,
    })
}

/// Which machines an image is measured for.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'a> {
    /// Every combination of these, with both command lines.
    Shapes(&'a Shapes),
    /// Those that a manifest has.
    As(&'a Measurements),
}

impl Wanted<'_> {
    fn snp(&self) -> Result<Vec<(CommandLine, Shape)>, MeasureError> {
        let mut wanted = Vec::new();
        match self {
            Self::Shapes(shapes) => {
                for command_line in BOTH {
                    for &cpu_type in &shapes.cpu {
                        for &vcpus in &shapes.vcpus {
                            let shape = Shape {
                                cpu_type,
                                ..Shape::new(vcpus)
                            };
                            wanted.push((command_line, shape));
                        }
                    }
                }
            }
            Self::As(measurements) => {
                for line in &measurements.snp {
                    let shape = Shape {
                        vcpus: line.vcpus,
                        cpu_type: line.cpu.parse()?,
                        guest_features: line.guest_features,
                    };
                    wanted.push((CommandLine::of(line.simulated), shape));
                }
            }
        }
        Ok(wanted)
    }

    fn tdx(&self, image: &Image) -> Vec<CommandLine> {
        match self {
            // An image without firmware for TDX is one for SNP alone.
            Self::Shapes(_) if !image.tdx_firmware().exists() => Vec::new(),
            Self::Shapes(_) => BOTH.to_vec(),
            Self::As(measurements) => measurements
                .tdx
                .iter()
                .map(|line| CommandLine::of(line.simulated))
                .collect(),
        }
    }
}

fn measure(image: &Image, wanted: &Wanted<'_>) -> Result<Measurements, Error> {
    let mut measurements = Measurements::default();
    for (command_line, shape) in wanted.snp()? {
        measurements.snp.push(SnpMeasurement {
            vcpus: shape.vcpus,
            cpu: shape.cpu_type.to_string(),
            guest_features: shape.guest_features,
            simulated: command_line == CommandLine::Simulated,
            launch_digest: Hex(snp_launch_digest(image, command_line, shape)?),
        });
    }
    for command_line in wanted.tdx(image) {
        measurements.tdx.push(tdx(image, command_line)?);
    }
    Ok(measurements)
}

fn tdx(image: &Image, command_line: CommandLine) -> Result<TdxMeasurement, Error> {
    let measured = tdx_measurement(image, command_line, &TdxShape::default())?;
    let register = |index| {
        let value = measured.rtmr(index).map(Hex);
        value.ok_or_else(|| {
            Error::unfit(
                image.folder(),
                format!(
                    "is measured into RTMR{index} together with more than the image; build it again"
                ),
            )
        })
    };
    let rtmr0 = measured.events.iter().filter(|event| event.rtmr == 0);
    let rtmr0 = rtmr0.map(|event| MachineEvent {
        name: event.name.to_owned(),
        digest: match event.digest {
            EventDigest::Computed(digest) => Some(Hex(digest)),
            EventDigest::Varies(_) => None,
        },
    });
    Ok(TdxMeasurement {
        simulated: command_line == CommandLine::Simulated,
        mrtd: Hex(measured.mrtd),
        rtmr1: register(1)?,
        rtmr2: register(2)?,
        rtmr0: rtmr0.collect(),
    })
}
