//! Steps gpu-7 and gpu-8: the two manifests of a GPU, the one of a switch, and the measurements that they call for.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    chain::{DeviceChain, is_kin},
    genuine::{Procedure, root_in_words},
    kind::Architecture,
    measurements::{Compared, check_disjoint, check_floors, compare},
    opaque::{Opaque, SwitchOpaque},
    question::Grounds,
    rim::{Content, Document, Floors, driver_rim_id, switch_rim_id, vbios_rim_id},
    spdm::Report,
    version::DriverVersion,
};
use crate::Rejection;
use crate::transcript::{Failed, Inspection, ensure};

/// A kind of manifest.
#[derive(Debug, Clone, Copy)]
struct Kind {
    name: &'static str,
    choice: (&'static str, &'static str),
    chain: (&'static str, &'static str),
    revocation: (&'static str, &'static str),
    signature: (&'static str, &'static str),
    measurements: (&'static str, &'static str),
    levels: (&'static str, &'static str),
}

/// The kind's name, and its checks.
macro_rules! kind {
    ($name:literal) => {
        Kind {
            name: $name,
            choice: ("gpu-7", concat!($name, " RIM")),
            chain: ("gpu-7", concat!($name, " RIM chain")),
            revocation: ("gpu-7", concat!($name, " RIM revocation")),
            signature: ("gpu-7", concat!($name, " RIM signature")),
            measurements: ("gpu-8", concat!($name, " measurements")),
            levels: ("gpu-8", concat!($name, " levels")),
        }
    };
}

const DRIVER: Kind = kind!("driver");
const VBIOS: Kind = kind!("VBIOS");
const SWITCH: Kind = kind!("switch");

/// What a manifest must be for.
#[derive(Debug, Clone, Copy)]
struct For<'p> {
    edition: &'static str,
    /// Any of these.
    products: &'p [&'p str],
}

impl Procedure<'_> {
    /// Steps 7 and 8: both manifests, and the measurements that they call for.
    pub(super) fn reference(
        &mut self,
        chain: &DeviceChain,
        architecture: Architecture,
        report: &Report<'_>,
        opaque: &Opaque,
        inspection: &mut Inspection,
    ) -> Option<(Compared, Compared)> {
        if self.goes_without(&[DRIVER, VBIOS], inspection) {
            return None;
        }
        // A certificate may name a family of chips, and the signed report the chip within it.
        let chip = opaque
            .chip
            .as_deref()
            .filter(|chip| is_kin(chip, &chain.chip));
        let wanted = For {
            edition: "GPU",
            products: &[&chain.chip, chip.unwrap_or(&chain.chip)],
        };
        let driver_id = driver_rim_id(architecture, opaque);
        let driver_id =
            driver_id.unwrap_or_else(|| "one that this firmware does not name".to_owned());
        let driver = self.manifest(
            DRIVER,
            &opaque.driver.to_string(),
            driver_id,
            wanted,
            inspection,
        );
        let vbios = self.manifest(
            VBIOS,
            &opaque.vbios.to_string(),
            vbios_rim_id(opaque),
            wanted,
            inspection,
        );
        if let (Ok(driver), Ok(vbios)) = (&driver, &vbios) {
            inspection.note(
                ("gpu-8", "RIM indices"),
                || check_disjoint(driver, vbios),
                |()| {
                    format!(
                        "{} from the driver, {} from the VBIOS, none from both",
                        driver.golden.len(),
                        vbios.golden.len()
                    )
                },
            );
        }
        let mut measured = |kind: Kind, content: Result<Arc<Content>, Failed>| {
            let content = content.ok()?;
            let Content { golden, floors, .. } = &*content;
            let compared = inspection.check(
                kind.measurements,
                || compare(kind.name, &report.measurements, golden, opaque.nvdec0),
                Compared::to_string,
            );
            check_levels(kind, &opaque.levels, floors, inspection);
            compared.ok()
        };
        let (driver, vbios) = (measured(DRIVER, driver), measured(VBIOS, vbios));
        driver.zip(vbios)
    }

    /// Steps 7 and 8 for a switch.
    pub(super) fn switch_reference(
        &mut self,
        chain: &DeviceChain,
        report: &Report<'_>,
        opaque: &SwitchOpaque,
        inspection: &mut Inspection,
    ) -> Option<Compared> {
        if self.goes_without(&[SWITCH], inspection) {
            return None;
        }
        let id = switch_rim_id(&opaque.firmware);
        // Certificates write the chip's name with an underscore, manifests without.
        let product = chain.chip.replace('_', "");
        let wanted = For {
            edition: "SWITCH",
            products: &[&product],
        };
        let content = self.manifest(SWITCH, &opaque.firmware, id, wanted, inspection);
        let content = content.ok()?;
        let Content { golden, floors, .. } = &*content;
        check_levels(SWITCH, &opaque.levels, floors, inspection);
        let compared = inspection.check(
            SWITCH.measurements,
            || compare(SWITCH.name, &report.measurements, golden, None),
            Compared::to_string,
        );
        compared.ok()
    }

    /// Whether the policy waives manifests; its reason is recorded for each of these checks.
    fn goes_without(&self, kinds: &[Kind], inspection: &mut Inspection) -> bool {
        let unchecked = self.question.policy.proof.rims_unchecked.as_ref();
        if let Some(why) = unchecked {
            for kind in kinds {
                inspection.skip(kind.choice, why);
                inspection.skip(kind.measurements, why);
            }
        }
        unchecked.is_some()
    }

    /// The manifest for this version: chosen by what it claims, trusted once it is verified.
    fn manifest(
        &mut self,
        kind: Kind,
        version: &str,
        id: String,
        wanted: For<'_>,
        inspection: &mut Inspection,
    ) -> Result<Arc<Content>, Failed> {
        // Taken out of self for a moment, since the chain borrows it.
        let documents = std::mem::take(&mut self.documents);
        let content = self.opened(&documents, kind, (version, id), wanted, inspection);
        self.documents = documents;
        content
    }

    fn opened(
        &mut self,
        documents: &[Document<'_>],
        kind: Kind,
        (version, id): (&str, String),
        wanted: For<'_>,
        inspection: &mut Inspection,
    ) -> Result<Arc<Content>, Failed> {
        let (place, document) = inspection.check(
            kind.choice,
            || choose(documents, kind, version, (id, wanted.edition)),
            |_| version.to_owned(),
        )?;
        if let Some(content) = self.opened.get(&place) {
            let content = content.clone();
            return inspection.check(
                kind.signature,
                || check_product(content, wanted),
                |_| "verified above".to_owned(),
            );
        }
        let Grounds {
            roots, now, memory, ..
        } = *self.question;
        let chain = inspection.check(
            kind.chain,
            || document.chain(roots, now, &mut self.signatures),
            |chain| {
                format!(
                    "to {}, until {}",
                    root_in_words(chain.simulated),
                    chain.until
                )
            },
        )?;
        self.until = self.until.min(chain.until);
        self.simulated |= chain.simulated;
        if chain.simulated {
            inspection.mark_simulated();
        }
        self.revocation(kind.revocation, &chain.revocable(), inspection);
        let content = inspection.check(
            kind.signature,
            || {
                document
                    .open(&chain, memory)
                    .and_then(|content| check_product(content, wanted))
            },
            |content| {
                format!(
                    "{} {}, {} active measurements",
                    content.product,
                    content.version,
                    content.golden.len()
                )
            },
        )?;
        self.opened.insert(place, content.clone());
        Ok(content)
    }
}

/// The levels that a manifest names, if it names any.
fn check_levels(
    kind: Kind,
    told: &BTreeMap<u16, u64>,
    floors: &Floors,
    inspection: &mut Inspection,
) {
    if !floors.is_empty() {
        inspection.note(
            kind.levels,
            || check_floors(kind.name, told, floors),
            |()| format!("{} high enough", floors.len()),
        );
    }
}

/// The one document for this version, and its position.
fn choose<'d, 'x>(
    documents: &'d [Document<'x>],
    kind: Kind,
    version: &str,
    (id, edition): (String, &str),
) -> Result<(usize, &'d Document<'x>), Rejection> {
    let claims = |document: &Document<'_>| {
        document
            .claimed_version()
            .is_some_and(|it| it.eq_ignore_ascii_case(version))
    };
    let mut fitting = documents
        .iter()
        .enumerate()
        .filter(|(_, document)| claims(document));
    match (fitting.next(), fitting.next()) {
        (Some(found), None) => Ok(found),
        (Some(_), Some(_)) => Err(Rejection::RimAmbiguous {
            kind: kind.name,
            version: version.to_owned(),
        }),
        (None, _) => {
            // A driver's version and a VBIOS's have different forms.
            let alike = |it: &&str| {
                DriverVersion::parse(it).is_some() == DriverVersion::parse(version).is_some()
            };
            let others: Vec<_> = documents
                .iter()
                .filter(|it| it.claimed_edition() == Some(edition))
                .filter_map(Document::claimed_version)
                .filter(alike)
                .collect();
            if others.is_empty() {
                return Err(Rejection::RimMissing {
                    kind: kind.name,
                    id,
                });
            }
            let found = others.join(", ").chars().take(256).collect();
            Err(Rejection::RimVersionMismatch {
                kind: kind.name,
                wanted: version.to_owned(),
                found,
            })
        }
    }
}

fn check_product(content: Arc<Content>, wanted: For<'_>) -> Result<Arc<Content>, Rejection> {
    ensure(
        content.edition == wanted.edition && wanted.products.contains(&content.product.as_str()),
        || Rejection::RimProductMismatch {
            found: format!("{} {}", content.edition, content.product),
        },
    )?;
    Ok(content)
}
