//! What several commands share: where inputs come from, and how programs are compiled.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chrysalis_image::{
    compile::{binaries::Binaries, workspace::Workspace},
    inputs::{
        apt::Archives,
        fetch::{self, Fetcher},
        recipe::Binary,
    },
};
use clap::Args;

/// Where inputs come from, and where they are kept.
#[derive(Args)]
pub(crate) struct FetchOptions {
    /// Where inputs are kept by digest [default: `$CHRYSALIS_CACHE`, or chrysalis in the user's cache folder]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Base of one more Debian archive, an address or a folder; tried before those that apt knows
    #[arg(long = "mirror", value_name = "URL")]
    mirrors: Vec<String>,
}

impl FetchOptions {
    /// What fetches inputs so.
    pub(crate) fn fetcher(self) -> Result<Fetcher> {
        let cache = self.cache.or_else(fetch::default_cache);
        Ok(Fetcher {
            cache: cache
                .context("no HOME to keep a cache in\nhint: name a folder with --cache DIR")?,
            mirrors: self.mirrors,
            archives: Archives::read(Path::new("/etc/apt")),
        })
    }
}

/// A recipe's programs: out of the folder that was given, or compiled in the workspace around the recipe.
pub(crate) fn programs(
    given: Option<&Path>,
    recipe: &Path,
    wanted: &[Binary],
    fetcher: &Fetcher,
) -> Result<Binaries, chrysalis_image::Error> {
    match given {
        Some(folder) => Binaries::given(folder),
        None => Workspace::around(recipe, fetcher)?.build(wanted),
    }
}
