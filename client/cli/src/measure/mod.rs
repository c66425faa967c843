//! `measure`: what the hardware will say about an image, computed from its files, and why two measurements differ.

mod arguments;
mod difference;
mod snp;
mod tdx;

use anyhow::bail;
use chrysalis_measure::{CommandLine, Image, explain_images};

use self::difference::told;
use crate::outcome::Outcome;
pub(crate) use arguments::{MeasureArguments, Platform};

pub(crate) fn run(arguments: &MeasureArguments) -> anyhow::Result<Outcome> {
    let image = Image::open(&arguments.image)?;
    let which = CommandLine::of(arguments.simulated);
    let strangers = match arguments.platform {
        Some(Platform::Snp) => arguments.tdx.given().map(|name| (name, "tdx")),
        Some(Platform::Tdx) => arguments.snp.given().map(|name| (name, "snp")),
        None => arguments
            .snp
            .given()
            .or(arguments.tdx.given())
            .map(|name| (name, "snp or tdx")),
    };
    if let Some((name, platform)) = strangers {
        bail!("{name} belongs to --platform {platform}; leave it out");
    }
    let outcome = match (arguments.platform, &arguments.compare) {
        (Some(Platform::Snp), _) => snp::run(&image, which, arguments),
        (Some(Platform::Tdx), _) => tdx::run(&image, which, arguments),
        (None, Some(other)) => compare(&image, &Image::open(other)?),
        (None, None) => bail!("nothing to do; give --platform or --compare"),
    };
    if arguments.simulated && outcome.is_ok() {
        eprintln!("simulated: no hardware ever reports this");
    }
    outcome
}

/// Names the first thing in which `found` differs.
fn compare(expected: &Image, found: &Image) -> anyhow::Result<Outcome> {
    let difference = explain_images(expected, found)?;
    Ok(told(
        "every platform measures both alike",
        difference.as_ref(),
    ))
}
