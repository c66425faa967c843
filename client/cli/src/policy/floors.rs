//! The lowest firmware levels that are accepted: from a file, from a release, or unchecked for a reason that somebody gives. Nothing
//! else: levels that are made up here would be called a floor by every verdict.

use anyhow::{Context, anyhow, bail};
use chrysalis_attestation::snp::{broken, floor::Floor};
use chrysalis_image::publish::{Levels, floor, read_levels};

use super::arguments::PolicyInitArguments;

const OPTIONS: &str = "give --minimum-tcb FILE with the lowest that you accept of each product line, such as \
    measurements/releases/minimum-tcb.toml; or --minimum-tcb-unchecked WHY, and verdicts repeat the reason";

/// The floor for an image that comes without a release.
pub(super) fn of_image(arguments: &PolicyInitArguments) -> anyhow::Result<Floor> {
    given(arguments)?.with_context(|| format!("nothing says which firmware will do; {OPTIONS}"))
}

/// The floor for a release: its own, where it has one. That of a product line which broke since then is left out.
pub(super) fn of_release(
    mut levels: Levels,
    arguments: &PolicyInitArguments,
) -> anyhow::Result<Floor> {
    let named = !levels.is_empty();
    levels.retain(|product, _| broken::of(*product).is_none());
    match (levels.is_empty(), given(arguments)?) {
        (false, None) => floor(&levels)
            .map_err(|error| anyhow!("{error}"))
            .context("the release's firmware levels cannot be used"),
        (false, Some(_)) => bail!(
            "the release says which firmware will do: leave --minimum-tcb and --minimum-tcb-unchecked out, and raise the levels in \
             the policy if you want more"
        ),
        (true, Some(given)) => Ok(given),
        (true, None) if named => bail!(
            "the release has firmware levels for product lines that are broken, and for no other; {OPTIONS}"
        ),
        (true, None) => bail!("the release does not say which firmware will do; {OPTIONS}"),
    }
}

/// What the command line says about it.
fn given(arguments: &PolicyInitArguments) -> anyhow::Result<Option<Floor>> {
    if let Some(why) = &arguments.minimum_tcb_unchecked {
        return Ok(Some(Floor::Unchecked { why: why.clone() }));
    }
    let levels = arguments.minimum_tcb.as_deref().map(read_levels);
    let floor = levels.transpose()?.as_ref().map(floor).transpose();
    floor.map_err(|error| anyhow!("{error}"))
}
