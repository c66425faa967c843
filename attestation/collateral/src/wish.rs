//! What evidence needs, read from evidence that is not verified yet: it only says what to ask for.

use chrysalis_attestation::{
    Rejection,
    evidence::{CpuReport, Evidence},
    nvidia::{
        GpuEvidence,
        needs::{of_device, of_rim, rim_ids},
    },
    snp::needs::{Chip, ReportKey, claimed_product, report_key},
    tdx::needs::{Wanted, of_quote},
    transcript::SIMULATED,
};

use crate::object::Object;

/// Objects to get, and certificates that came with the evidence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    pub(crate) objects: Vec<Object>,
    /// DER, untrusted: a simulated root comes with its evidence.
    pub(crate) certificates: Vec<Vec<u8>>,
}

impl Wish {
    /// For an SEV-SNP report, 1184 bytes, with the certificates that came with it, DER.
    ///
    /// A VCEK that came with it is not fetched. AMD's service never has a VLEK: its cloud provider hands it out.
    pub fn of_report(report: &[u8], certificates: &[Vec<u8>]) -> Result<Self, Rejection> {
        let mut wish = Self {
            objects: Vec::new(),
            certificates: certificates.to_vec(),
        };
        match report_key(report)? {
            ReportKey::Provider(product) => {
                wish.add(Object::VcekList(product));
                wish.add(Object::VlekList(product));
            }
            ReportKey::Chip(chip) => {
                match certificates.iter().find_map(|der| chip.is_named_by(der)) {
                    Some(product) => wish.add(Object::VcekList(product)),
                    None => wish.extend(Self::of_chip(chip)),
                }
            }
        }
        Ok(wish)
    }

    /// For a chip at a firmware level: what all its reports need.
    pub fn of_chip(chip: Chip) -> Self {
        let mut wish = Self::default();
        let known = match &chip.products[..] {
            [product] => Some(*product),
            _ => None,
        };
        wish.add(Object::Vcek(chip));
        if let Some(product) = known {
            wish.add(Object::VcekList(product));
        }
        wish
    }

    /// For a TD's quote.
    pub fn of_quote(quote: &[u8]) -> Result<Self, Rejection> {
        let Wanted {
            fmspc,
            authority,
            root,
        } = of_quote(quote)?;
        Ok(Self {
            certificates: vec![root.clone()],
            objects: vec![
                Object::TcbInfo(fmspc),
                Object::QeIdentity,
                Object::PckList(authority),
                Object::RootList(root),
            ],
        })
    }

    /// For GPUs. What their manifests need in turn is known once they are there.
    pub fn of_gpus(gpus: &[GpuEvidence]) -> Result<Self, Rejection> {
        let mut wish = Self::default();
        for gpu in gpus {
            for id in rim_ids(gpu)? {
                wish.add(Object::Rim(id));
            }
            for questioned in of_device(gpu) {
                wish.add(Object::Ocsp(questioned));
            }
            wish.certificates.extend(gpu.chain.last().cloned());
        }
        Ok(wish)
    }

    /// For a bundle: for its CPU's report, with the certificates that it carries, and for its GPUs.
    ///
    /// Intel's and NVIDIA's statements are fetched even if the bundle carries them: its copies are soon out of date.
    pub fn of_bundle(bundle: &Evidence) -> Result<Self, Rejection> {
        let mut wish = match &bundle.cpu {
            CpuReport::Snp(report) => Self::of_report(report, &bundle.endorsements.certificates)?,
            CpuReport::Tdx { quote, .. } => Self::of_quote(quote)?,
            // An unknown kind of report has no wish.
            _ => {
                return Err(Rejection::BundleItem {
                    item: "cpu".to_owned(),
                });
            }
        };
        wish.extend(Self::of_gpus(&bundle.gpus)?);
        Ok(wish)
    }

    /// Adds another wish.
    pub fn extend(&mut self, other: Self) {
        for object in other.objects {
            self.add(object);
        }
        self.certificates.extend(other.certificates);
    }

    /// Whether the certificates are a simulated vendor's, which has no service: everything it signs comes with the evidence.
    pub fn is_simulated(&self) -> bool {
        self.certificates.iter().any(|der| is_simulated(der))
    }

    /// How many objects are wished for so far.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether nothing is wished for.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    pub(crate) fn add(&mut self, object: Object) {
        if !self.objects.contains(&object) {
            self.objects.push(object);
        }
    }
}

/// Whether a certificate names a simulated vendor.
pub(crate) fn is_simulated(der: &[u8]) -> bool {
    let name = SIMULATED.as_bytes();
    der.windows(name.len()).any(|bytes| bytes == name)
}

/// What an object needs in turn.
pub(crate) fn following(object: &Object, file: &[u8]) -> Vec<Object> {
    match object {
        Object::Vcek(_) => claimed_product(file)
            .map(Object::VcekList)
            .into_iter()
            .collect(),
        // An unreadable one was refused before it was kept.
        Object::Rim(_) => of_rim(file)
            .unwrap_or_default()
            .into_iter()
            .map(Object::Ocsp)
            .collect(),
        _ => Vec::new(),
    }
}
