//! What SEV-SNP and TDX will say about an image.
//!
//! cargo run --example measure -- FOLDER VCPUS MEMORY (MiB)

use std::{env, error::Error};

use chrysalis_measure::{CommandLine, Image, Shape, TdxShape, snp_launch_digest, tdx_measurement};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [folder, vcpus, memory] = &arguments[..] else {
        return Err("usage: measure FOLDER VCPUS MEMORY (MiB)".into());
    };
    let image = Image::open(folder)?;
    let shape = Shape::new(vcpus.parse()?);
    let digest = snp_launch_digest(&image, CommandLine::Hardware, shape)?;
    println!("SNP launch digest {}", hex::encode(digest));
    let shape = TdxShape {
        memory: Some(memory.parse()?),
        ..TdxShape::default()
    };
    let measurement = tdx_measurement(&image, CommandLine::Hardware, &shape)?;
    println!("TDX MRTD  {}", hex::encode(measurement.mrtd));
    for index in 0..3 {
        let rtmr = measurement.rtmr(index).map(hex::encode);
        println!("TDX RTMR{index} {}", rtmr.as_deref().unwrap_or("varies"));
    }
    Ok(())
}
