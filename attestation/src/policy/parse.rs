//! From TOML to a policy: each key, its form and its default.

use toml::{Spanned, de::DeTable};

use super::{
    AgreementPolicy, ConfigurationPolicy, EpochAge, ModelPolicy, Policy, PolicyError, Problem,
    ReleasePolicy, accepted, gpu, model, rebuilders, release,
    section::{Field, Section, line, sha256, sha384},
    snp, tdx,
};
use crate::{
    nvidia::GpuPolicy, release::Rebuilders, roots::Roots, tdx::TdxPolicy, transcript::Expect,
};

const ROOT: [&str; 11] = [
    "version",
    "snp",
    "configuration",
    "session",
    "simulation",
    "gpu",
    "tdx",
    "rebuilders",
    "release",
    "model",
    "other_models",
];
const CONFIGURATION: [&str; 2] = ["sha256", "sha384"];
const SESSION: [&str; 3] = ["freshness", "key_agreement", "max_epoch_age"];

impl Policy {
    /// Parses TOML.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        policy(text)
    }

    /// Parses the `[gpu]` section of TOML, for evidence of GPUs by themselves. The other sections may be missing.
    ///
    /// ```
    /// let policy = chrysalis_attestation::policy::Policy::parse_gpu(r#"
    ///     version = 1
    ///     [gpu]
    ///     count = [1]
    ///     minimum_driver = "550.90.07"
    ///     revocation = "stapled"
    /// "#);
    /// assert!(policy.is_ok());
    /// ```
    pub fn parse_gpu(text: &str) -> Result<GpuPolicy, PolicyError> {
        gpu_policy(text)
    }

    /// Parses the `[gpu]` section of an enclave's configuration, in the same syntax; `None` if it has none.
    pub fn gpu_of_configuration(text: &str) -> Result<Option<GpuPolicy>, PolicyError> {
        gpu_section(text)
    }

    /// What pins the models of an enclave's configuration: each by all that its `[[model]]` says. Empty if it has none.
    pub fn models_of_configuration(text: &str) -> Result<Vec<ModelPolicy>, PolicyError> {
        let table = table(text)?;
        model::of_configuration(&Section::whole(text, table.get_ref()))
    }

    /// Parses the `[tdx]` section of TOML, for the quote of a TD by itself. The other sections may be missing.
    ///
    /// No file can say what the TD must have been asked to sign: set [`TdxPolicy::report_data`]; otherwise only a policy that waives
    /// freshness (`session.freshness`) accepts anything.
    ///
    /// ```
    /// let policy = chrysalis_attestation::policy::Policy::parse_tdx(r#"
    ///     version = 1
    ///     [tdx]
    ///     mrtd = ["000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"]
    ///     rtmr0 = { unchecked = "depends on the machine's shape" }
    ///     rtmr1 = { unchecked = "any kernel will do" }
    ///     rtmr2 = { unchecked = "any command line will do" }
    ///     mrconfigid = { unchecked = "any configuration will do" }
    ///     minimum_evaluation = 19
    /// "#);
    /// assert!(policy.is_ok());
    /// ```
    pub fn parse_tdx(text: &str) -> Result<TdxPolicy, PolicyError> {
        tdx_policy(text)
    }

    /// Parses the `[rebuilders]` section of TOML, for evidence by itself; `None` if there is none.
    pub fn parse_rebuilders(text: &str) -> Result<Option<Rebuilders>, PolicyError> {
        rebuilders_policy(text)
    }

    /// Parses the `[release]` section of TOML, for evidence by itself; `None` if there is none.
    pub fn parse_release(text: &str) -> Result<Option<ReleasePolicy>, PolicyError> {
        release_policy(text)
    }

    /// Parses the `[simulation]` section of TOML, for evidence by itself: SHA-256 of each simulated root that is accepted.
    pub fn parse_simulation(text: &str) -> Result<Vec<[u8; 32]>, PolicyError> {
        simulation(text)
    }

    /// The roots that a policy's TOML accepts, for evidence by itself: the vendors', and those under `[simulation]`.
    pub fn parse_roots(text: &str) -> Result<Roots, PolicyError> {
        Self::parse_simulation(text).map(|named| accepted(&named))
    }
}

/// Reads a whole policy.
fn policy(text: &str) -> Result<Policy, PolicyError> {
    let table = table(text)?;
    let root = root(text, table.get_ref())?;
    let configuration = configuration(&root)?;
    let snp = root.read("snp", |field| snp::policy(&field.section(&snp::KEYS)?))?;
    let wanted = root.section("configuration", &CONFIGURATION)?;
    if snp.is_some() {
        wanted.require(
            "sha256",
            "set it to the SHA-256 of configuration.toml; `chrysalis policy init` fills it in",
        )?;
    }
    let tdx = root.read("tdx", |field| {
        let how = "set it to the SHA-384 of configuration.toml; `sha384sum` prints it";
        wanted.require("sha384", how)?;
        tdx::policy(&field.section(&tdx::KEYS)?, configuration.sha384.clone())
    })?;
    if snp.is_none() && tdx.is_none() {
        root.require(
            "snp",
            "write [snp], [tdx] or both; `chrysalis policy init` prints a policy to start from",
        )?;
    }
    Ok(Policy {
        snp,
        tdx,
        gpu: root.read("gpu", |field| gpu::policy(&field.section(&gpu::KEYS)?))?,
        configuration,
        models: model::policy(&root)?,
        rebuilders: rebuilders(&root)?,
        release: release(&root)?,
        freshness_unchecked: freshness_unchecked(&root)?,
        key_agreement: key_agreement(&root)?,
        max_epoch_age: max_epoch_age(&root)?,
        simulation: simulated_roots(&root)?,
    })
}

fn configuration(root: &Section<'_>) -> Result<ConfigurationPolicy, PolicyError> {
    let section = root.section("configuration", &CONFIGURATION)?;
    Ok(ConfigurationPolicy {
        sha256: section.read("sha256", |digests| digests.expect(sha256))?,
        sha384: section.read("sha384", |digests| digests.expect(sha384))?,
    })
}

fn freshness_unchecked(root: &Section<'_>) -> Result<Option<String>, PolicyError> {
    root.section("session", &SESSION)?
        .read("freshness", Field::unchecked)
}

fn key_agreement(root: &Section<'_>) -> Result<Option<AgreementPolicy>, PolicyError> {
    const EXPECTED: &str = "\"post-quantum\" or \"any\"";
    root.section("session", &SESSION)?
        .read("key_agreement", |field| match field.text(EXPECTED)? {
            "post-quantum" => Ok(AgreementPolicy::PostQuantum),
            "any" => Ok(AgreementPolicy::Any),
            _ => Err(field.wrong(EXPECTED)),
        })
}

fn max_epoch_age(root: &Section<'_>) -> Result<EpochAge, PolicyError> {
    let read = |field: &Field<'_>| {
        if field.is_table() {
            let why = field.unchecked()?;
            return Ok(EpochAge::Unchecked { why });
        }
        let seconds = field.number("a number of seconds, or { unchecked = \"why\" }")?;
        Ok(EpochAge::Seconds(seconds))
    };
    let session = root.section("session", &SESSION)?;
    Ok(session.read("max_epoch_age", read)?.unwrap_or_default())
}

fn simulated_roots(root: &Section<'_>) -> Result<Vec<[u8; 32]>, PolicyError> {
    let section = root.section("simulation", &["roots"])?;
    let roots = section.read("roots", |roots| roots.list(sha256))?;
    Ok(roots.unwrap_or_default())
}

/// Reads only the section about GPUs.
fn gpu_policy(text: &str) -> Result<GpuPolicy, PolicyError> {
    let table = table(text)?;
    let root = root(text, table.get_ref())?;
    gpu::policy(&root.section("gpu", &gpu::KEYS)?)
}

/// Reads the section about GPUs, if there is one, in a document whose other sections belong to another reader.
fn gpu_section(text: &str) -> Result<Option<GpuPolicy>, PolicyError> {
    let table = table(text)?;
    Section::whole(text, table.get_ref()).read("gpu", |field| {
        gpu::of_configuration(&field.section(&gpu::KEYS)?)
    })
}

/// Reads the section about TDs, and whether an old quote is accepted.
fn tdx_policy(text: &str) -> Result<TdxPolicy, PolicyError> {
    let table = table(text)?;
    let root = root(text, table.get_ref())?;
    let configuration = configuration(&root)?.sha384;
    let mut policy = tdx::policy(&root.section("tdx", &tdx::KEYS)?, configuration)?;
    if let Some(why) = freshness_unchecked(&root)? {
        policy.report_data = Expect::Unchecked { why };
    }
    Ok(policy)
}

fn rebuilders(root: &Section<'_>) -> Result<Option<Rebuilders>, PolicyError> {
    root.read("rebuilders", |field| {
        rebuilders::policy(&field.section(&rebuilders::KEYS)?)
    })
}

/// Reads only the section about rebuilders.
fn rebuilders_policy(text: &str) -> Result<Option<Rebuilders>, PolicyError> {
    let table = table(text)?;
    rebuilders(&root(text, table.get_ref())?)
}

fn release(root: &Section<'_>) -> Result<Option<ReleasePolicy>, PolicyError> {
    root.read("release", |field| {
        release::policy(&field.section(&release::KEYS)?)
    })
}

/// Reads only the section about the release.
fn release_policy(text: &str) -> Result<Option<ReleasePolicy>, PolicyError> {
    let table = table(text)?;
    release(&root(text, table.get_ref())?)
}

/// Reads only the section about simulated roots.
fn simulation(text: &str) -> Result<Vec<[u8; 32]>, PolicyError> {
    let table = table(text)?;
    simulated_roots(&root(text, table.get_ref())?)
}

fn table(text: &str) -> Result<Spanned<DeTable<'_>>, PolicyError> {
    DeTable::parse(text).map_err(|error| PolicyError {
        line: error.span().map(|span| line(text, span.start)),
        key: String::new(),
        problem: Problem::Syntax(error.message().to_owned()),
    })
}

fn root<'a>(text: &'a str, table: &'a DeTable<'a>) -> Result<Section<'a>, PolicyError> {
    let root = Section::root(text, table, &ROOT)?;
    let version = root.require("version", "write `version = 1` at the top")?;
    if version.number::<u32>("1")? != 1 {
        return Err(version.wrong("1: this verifier supports no other version"));
    }
    Ok(root)
}
