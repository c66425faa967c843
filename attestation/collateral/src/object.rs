//! The objects that vendors publish, each with what identifies it. For where it is on the network, see `address`.

use std::fmt;

use chrysalis_attestation::{
    encoding::digest::{Hex, sha256},
    nvidia::needs::Questioned,
    snp::{needs::Chip, product::Product},
    tdx::needs::Authority,
};

/// How many digits of a chip's identity or of a digest are shown to people.
const SHOWN_DIGITS: usize = 12;

/// One object from a vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    /// AMD's certificate of a chip's key at a firmware level.
    Vcek(Chip),
    /// AMD's revocation list for a product line, as published for chains that end in a VCEK.
    VcekList(Product),
    /// The same, as published for chains that end in a VLEK.
    VlekList(Product),
    /// Intel's TCB info for the platforms of a family, model and stepping.
    TcbInfo(Hex<6>),
    /// Intel's identity of the quoting enclave for TDs.
    QeIdentity,
    /// The revocation list from the authority that issued a PCK certificate.
    PckList(Authority),
    /// The revocation list from Intel's root, whose certificate this is, DER.
    RootList(Vec<u8>),
    /// NVIDIA's reference manifest for a driver or VBIOS, by its id.
    Rim(String),
    /// NVIDIA's answer on whether it still vouches for a certificate.
    Ocsp(Questioned),
}

impl Object {
    /// Its file name in a store, with `/` between folders; it is also meant for people to read.
    pub fn path(&self) -> String {
        match self {
            Self::Vcek(chip) => format!(
                "amd/vcek/{}-{}.der",
                hex::encode(&chip.hardware_id),
                hex::encode(chip.tcb.encode().0)
            ),
            Self::VcekList(product) => format!("amd/{}/crl.der", lower(*product)),
            Self::VlekList(product) => format!("amd/{}/vlek-crl.der", lower(*product)),
            Self::TcbInfo(fmspc) => format!("intel/{fmspc}/tcb.json"),
            Self::QeIdentity => "intel/qe-identity.json".to_owned(),
            Self::PckList(authority) => format!("intel/pck-{}-crl.der", authority.name()),
            Self::RootList(_) => "intel/root-crl.der".to_owned(),
            Self::Rim(id) => format!("nvidia/rim/{id}.xml"),
            Self::Ocsp(questioned) => format!("nvidia/ocsp/{}.der", digest_of(questioned)),
        }
    }

    /// Whether a newer one replaces an older one. A chip's certificate at one level says the same no matter when it was issued, and
    /// AMD issues it again for each request.
    pub(crate) fn has_successors(&self) -> bool {
        !matches!(self, Self::Vcek(_))
    }
}

/// For people, on one line.
impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vcek(chip) => {
                let id = short(&hex::encode(&chip.hardware_id));
                write!(f, "VCEK of chip {id} at {}", chip.tcb)
            }
            Self::VcekList(product) => write!(f, "AMD's revocation list for {product}"),
            Self::VlekList(product) => {
                write!(f, "AMD's revocation list for {product}, VLEK chains")
            }
            Self::TcbInfo(fmspc) => write!(f, "Intel's TCB info for FMSPC {fmspc}"),
            Self::QeIdentity => f.write_str("Intel's QE identity for TDs"),
            Self::PckList(authority) => {
                write!(f, "Intel's revocation list of the {} CA", authority.name())
            }
            Self::RootList(_) => f.write_str("Intel's revocation list of the root"),
            Self::Rim(id) => write!(f, "NVIDIA's manifest {id}"),
            Self::Ocsp(questioned) => {
                let id = short(&digest_of(questioned));
                write!(f, "NVIDIA's OCSP answer {id}")
            }
        }
    }
}

/// SHA-256 of OCSP's identifier for the certificate; an unreadable certificate has none, and no answer either.
fn digest_of(questioned: &Questioned) -> String {
    let id = questioned
        .id()
        .unwrap_or_else(|_| questioned.subject.clone());
    hex::encode(sha256(&[&id]))
}

fn lower(product: Product) -> String {
    product.name().to_lowercase()
}

fn short(digits: &str) -> String {
    digits.chars().take(SHOWN_DIGITS).chain(['…']).collect()
}
