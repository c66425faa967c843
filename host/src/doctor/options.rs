//! What a provider may say about an examination.

use std::path::PathBuf;

use clap::Args;

use crate::format::Format;

#[derive(Debug, Args)]
pub(crate) struct DoctorOptions {
    /// The image folder whose files are looked for
    #[arg(long, value_name = "DIR", default_value = "build/cpu")]
    pub(crate) image: PathBuf,
    /// The state folder whose disk is measured [default: as `run`]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}
