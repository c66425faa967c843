//! The lowest firmware levels that are accepted: from a file, from a release, or unchecked for a reason that somebody gives. Nothing
//! else: levels that are made up here would be called a floor by every verdict.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, anyhow, bail};
use chrysalis_attestation::{
    release::MinimumTcb,
    snp::{broken, floor::Floor, product::Product, tcb::Tcb},
};

use crate::{arguments::PolicyInitArguments, files::read};

const MAX_FILE: usize = 16 * 1024;
const OPTIONS: &str = "give --minimum-tcb FILE with the lowest that you accept of each product line, such as \
    measurements/releases/minimum-tcb.toml; or --minimum-tcb-unchecked WHY, and verdicts repeat the reason";

/// Levels by product line, as manifests have them.
pub(crate) type Levels = BTreeMap<Product, MinimumTcb>;

/// A file of levels, `genoa = { … }` and its kin. Each of them must be able to serve as a floor.
pub(crate) fn read_levels(path: &Path) -> anyhow::Result<Levels> {
    let path_told = path.display();
    let text = String::from_utf8(read(path, MAX_FILE)?).unwrap_or_default();
    let levels: Levels = toml::from_str(&text).with_context(|| {
        format!("{path_told} has no firmware levels; write [genoa] with bootloader, tee, snp and microcode")
    })?;
    if let Some(broken) = levels.keys().find_map(|product| broken::of(*product)) {
        let line = broken.product.name().to_lowercase();
        bail!("{broken}; no level helps, so remove {line} from {path_told}");
    }
    floor(&levels).with_context(|| format!("{path_told} cannot be used"))?;
    Ok(levels)
}

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
        (false, None) => floor(&levels).context("the release's firmware levels cannot be used"),
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
    levels.transpose()?.as_ref().map(floor).transpose()
}

fn floor(levels: &Levels) -> anyhow::Result<Floor> {
    let levels = levels
        .iter()
        .map(|(product, levels)| (*product, tcb(*levels)));
    Floor::each(levels).map_err(|error| anyhow!("{error}"))
}

fn tcb(levels: MinimumTcb) -> Tcb {
    let MinimumTcb {
        fmc,
        bootloader,
        tee,
        snp,
        microcode,
    } = levels;
    Tcb {
        fmc,
        bootloader,
        tee,
        snp,
        microcode,
    }
}
