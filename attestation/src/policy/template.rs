//! A policy to start from: for one image and one configuration, with comments on what to decide next.

use super::{
    ModelPolicy, ReleasePolicy,
    tdx::{ACPI_VARIES, is_acpi},
};
use crate::{
    encoding::digest::{sha256, sha384},
    release::{ANYONE_CAN_SIGN, MachineEvent},
    snp::{
        broken::{self, Broken},
        floor::Floor,
        tcb::Tcb,
    },
    tdx::policy::Evaluation,
};

/// What a template is filled in with. `Template::default()` asks for nothing and is not a policy yet: name at least one platform.
#[derive(Debug, Clone, Default)]
pub struct Template<'a> {
    /// The release's title, for the first line.
    pub title: &'a str,
    /// The release that the digests come from, if a root vouches for it.
    pub release: Option<ReleasePolicy>,
    /// The configuration, byte for byte as the guest gets it.
    pub configuration: &'a [u8],
    /// The models that must be served; none: whichever the configuration names.
    pub models: Vec<ModelPolicy>,
    /// The image on SEV-SNP.
    pub snp: Option<SnpTemplate>,
    /// The image on TDX.
    pub tdx: Option<TdxTemplate>,
    /// The GPUs.
    pub gpu: Option<GpuTemplate<'a>>,
    /// SHA-256 of simulated roots' DER, to accept that simulation's hardware.
    pub simulated_roots: Vec<[u8; 32]>,
    /// Why revocation is not checked; `None` if it is.
    pub revocation_unchecked: Option<&'a str>,
}

/// An image as SEV-SNP measures it.
#[derive(Debug, Clone)]
pub struct SnpTemplate {
    /// The launch digest on each machine that may run it; at least one.
    pub launch_digest: Vec<[u8; 48]>,
    /// The floor for the firmware.
    pub minimum_tcb: Floor,
}

/// An image as TDX measures it.
#[derive(Debug, Clone)]
pub struct TdxTemplate {
    /// The launch measurement.
    pub mrtd: [u8; 48],
    /// The events in the first run-time register.
    pub rtmr0: Vec<MachineEvent>,
    /// The second register.
    pub rtmr1: [u8; 48],
    /// The third register; the last one stays zero.
    pub rtmr2: [u8; 48],
    /// How recent Intel's rules must be.
    pub minimum_evaluation: Evaluation,
    /// Why any ACPI tables are accepted, where [`Self::rtmr0`] has no digests of them. Without a reason the template is not a valid policy.
    pub acpi_unchecked: Option<String>,
}

/// The GPUs of a machine.
#[derive(Debug, Clone)]
pub struct GpuTemplate<'a> {
    /// How many.
    pub count: usize,
    /// The oldest driver.
    pub minimum_driver: &'a str,
}

/// What the connection must be.
const SESSION: &str = "\
[session]
# Prompts outlive today's key agreement: what is recorded now must not be readable once there are quantum computers.
key_agreement = \"post-quantum\"   # or \"any\"
";

impl Template<'_> {
    pub(super) fn to_toml(&self) -> String {
        let mut text = self.head();
        let models = self.models.iter().map(model).collect::<String>();
        let sections = [
            self.release.as_ref().map(release),
            self.snp.as_ref().map(|it| self.snp(it)),
            self.tdx.as_ref().map(tdx),
            self.gpu.as_ref().map(gpu),
            Some(self.configuration()),
            Some(SESSION.to_owned()),
            Some(models).filter(|models| !models.is_empty()),
            Some(self.simulation()),
        ];
        for section in sections.into_iter().flatten() {
            text.push('\n');
            text.push_str(&section);
        }
        text
    }

    fn head(&self) -> String {
        let title = match self.title {
            "" => String::new(),
            title => format!("# {}\n", title.replace('\n', "\n# ")),
        };
        let others = match self.models.as_slice() {
            [] => "",
            _ => {
                "# other_models = \"why\"   # default: a model that is not under [[model]] is refused\n"
            }
        };
        format!(
            "\
{title}# What a peer must prove before it gets a prompt. What is not named here is either checked, or listed in the verdict as open.
# To leave something unchecked, replace its list with {{ unchecked = \"why\" }}: the verdict repeats the reason.
version = 1
{others}"
        )
    }

    fn snp(
        &self,
        SnpTemplate {
            launch_digest,
            minimum_tcb,
        }: &SnpTemplate,
    ) -> String {
        let launch_digest = list(launch_digest);
        let minimum_tcb = floor(minimum_tcb);
        let broken: String = broken::KNOWN.iter().map(refused).collect();
        let revocation = match self.revocation_unchecked {
            Some(why) => format!("revocation = {{ unchecked = {} }}", quote(why)),
            None => "# revocation = { unchecked = \"why\" }   # default: a fresh revocation list is required".to_owned(),
        };
        format!(
            "\
[snp]
# The image: firmware, kernel, initrd and command line, as the processor measured them.
launch_digest = {launch_digest}
# The lowest firmware levels that you accept for each product line, both as reported and as committed by the host.
# A product line without levels is refused. Raise them as AMD's bulletins advise.
{minimum_tcb}
# provisional_firmware = true   # default: firmware that the host can still roll back is refused
{broken}{revocation}
"
        )
    }

    fn configuration(&self) -> String {
        let digest = |name, digest: &[u8]| format!("{name} = [\"{}\"]\n", hex::encode(digest));
        let snp = self.snp.as_ref();
        let snp = snp.map(|_| digest("sha256", &sha256(&[self.configuration])));
        let tdx = self.tdx.as_ref();
        let tdx = tdx.map(|_| digest("sha384", &sha384(&[self.configuration])));
        let lines = [snp.unwrap_or_default(), tdx.unwrap_or_default()].concat();
        format!(
            "\
[configuration]
# The digest of configuration.toml: the engines, the models, their limits.
{lines}"
        )
    }

    fn simulation(&self) -> String {
        let roots = self.simulated_roots.iter();
        let roots: Vec<_> = roots
            .map(|root| format!("\"{}\"", hex::encode(root)))
            .collect();
        if roots.is_empty() {
            return "# No simulation is accepted; [simulation] would name its roots.\n".to_owned();
        }
        format!(
            "\
# Accepts evidence from simulated hardware, whose keys are plain files: this protects nothing. Remove it for real machines.
[simulation]
roots = [{}]
",
            roots.join(", ")
        )
    }
}

fn release(
    ReleasePolicy {
        name,
        root,
        development,
        max_endorsement_age,
    }: &ReleasePolicy,
) -> String {
    let age = max_endorsement_age.map_or_else(
        || "# max_endorsement_age = 7 would want the publisher's word, of at most so many days ago, that it is still the one to run.\n".to_owned(),
        |age| format!("# How many days ago the publisher may have endorsed it last.\nmax_endorsement_age = {}\n", age / 86_400),
    );
    let named = development.as_ref().map_or_else(String::new, |why| {
        let why = quote(why);
        format!("# {ANYONE_CAN_SIGN}. Remove this policy once a publisher that you trust has a release.\ndevelopment_root = {why}\n")
    });
    format!(
        "\
[release]
# Which release the digests come from, and whose root vouches for it.
name = {}
root = \"{root}\"
{named}{age}",
        quote(name)
    )
}

/// Digests, one per line if there are several.
fn list(digests: &[[u8; 48]]) -> String {
    let digests: Vec<_> = digests
        .iter()
        .map(|digest| format!("\"{}\"", hex::encode(digest)))
        .collect();
    match &digests[..] {
        [one] => format!("[{one}]"),
        _ => format!("[\n    {},\n]", digests.join(",\n    ")),
    }
}

/// States that a product line is broken, and how to accept it.
fn refused(broken: &Broken) -> String {
    let line = broken.product.name().to_lowercase();
    format!("# {broken}.\n# broken.{line} = {{ unchecked = \"why\" }}   # default: refused\n")
}

fn floor(floor: &Floor) -> String {
    let levels = |tcb: &Tcb| {
        let Tcb {
            fmc,
            bootloader,
            tee,
            snp,
            microcode,
        } = tcb;
        let fmc = fmc.map_or(String::new(), |fmc| format!("fmc = {fmc}, "));
        format!(
            "{{ {fmc}bootloader = {bootloader}, tee = {tee}, snp = {snp}, microcode = {microcode} }}"
        )
    };
    match floor {
        Floor::Each(floors) => {
            let lines = floors.by_line().map(|(product, tcb)| {
                let product = product.name().to_lowercase();
                format!("minimum_tcb.{product} = {}", levels(tcb))
            });
            lines.collect::<Vec<_>>().join("\n")
        }
        Floor::Unchecked { why } => format!("minimum_tcb = {}", unchecked(why)),
    }
}

fn unchecked(why: &str) -> String {
    format!("{{ unchecked = {} }}", quote(why))
}

fn tdx(
    TdxTemplate {
        mrtd,
        rtmr0,
        rtmr1,
        rtmr2,
        minimum_evaluation,
        acpi_unchecked,
    }: &TdxTemplate,
) -> String {
    let [mrtd, rtmr1, rtmr2] = [mrtd, rtmr1, rtmr2].map(|register| list(&[*register]));
    let rtmr0 = rtmr0
        .iter()
        .map(|MachineEvent { name, digest }| match digest {
            Some(digest) => format!("    \"{digest}\",  # {}\n", name.replace('\n', " ")),
            None if is_acpi(name) => {
                let why = quote(acpi_unchecked.as_deref().unwrap_or_default());
                let name = name.replace('\n', " ");
                format!("    {{ {ACPI_VARIES} = {why} }},  # {name}\n")
            }
            None => format!("    {{ varies = {} }},\n", quote(name)),
        });
    let rtmr0: String = rtmr0.collect();
    let minimum_evaluation = match minimum_evaluation {
        Evaluation::AtLeast(number) => number.to_string(),
        Evaluation::Unchecked { why } => unchecked(why),
    };
    format!(
        "\
[tdx]
# The image: the firmware, what it set up, the kernel with its initrd, and its command line.
mrtd = {mrtd}
# The first register covers the machine as well: each event of the guest's log, except those that the machine decides.
rtmr0_events = [
{rtmr0}]
rtmr1 = {rtmr1}
rtmr2 = {rtmr2}
# The oldest version of Intel's rules that may judge whether a platform is current. Raise it with Intel's releases.
minimum_evaluation = {minimum_evaluation}
# statuses = [\"UpToDate\"]   # default
"
    )
}

fn gpu(
    GpuTemplate {
        count,
        minimum_driver,
    }: &GpuTemplate<'_>,
) -> String {
    let minimum_driver = quote(minimum_driver);
    format!(
        "\
[gpu]
count = [{count}]
# The oldest driver. Raise it to the one that NVIDIA's bulletins advise.
minimum_driver = {minimum_driver}
# NVIDIA's revocation status comes with the evidence and is at most a day old; \"asked\" requires answers to a nonce of your own.
revocation = \"stapled\"
# devices = [\"…\"]   # default: every genuine GPU; a list tells your provider's GPUs apart from others that are relayed
"
    )
}

/// A model that must be served, and what must be in its disks.
fn model(
    ModelPolicy {
        name,
        kind,
        weights,
        disk,
        tokenizer,
        template,
        engine_disk,
    }: &ModelPolicy,
) -> String {
    let digests = [
        ("weights", weights),
        ("disk", disk),
        ("tokenizer", tokenizer),
        ("template", template),
        ("engine_disk", engine_disk),
    ];
    let digests = digests.into_iter().filter_map(|(key, digest)| {
        let digest = digest.as_ref()?;
        Some((key, hex::encode(digest)))
    });
    let kind = kind.iter().map(|kind| ("kind", kind.clone()));
    let lines = kind.chain(digests);
    let lines = lines.map(|(key, value)| format!("{key} = {}\n", quote(&value)));
    let lines: String = lines.collect();
    format!("[[model]]\nname = {}\n{lines}", quote(name))
}

/// A TOML basic string. JSON's escapes are a subset of TOML's.
fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
