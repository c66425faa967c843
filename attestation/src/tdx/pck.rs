//! The chain of a processor's certification key (PCK), and what Intel says in it about the platform.

use serde::Serialize;
use x509_parser::oid_registry::asn1_rs::oid;

use super::{
    certificate::Certificate,
    roots::{IntelRoots, Vendor},
};
use crate::{
    Memory, Rejection, Time,
    encoding::{
        der::{Der, tag},
        digest::Hex,
    },
};

/// For platforms with several packages, and with one.
pub(crate) const INTERMEDIATES: [&str; 2] =
    ["Intel SGX PCK Platform CA", "Intel SGX PCK Processor CA"];
const LEAF: &str = "Intel SGX PCK Certificate";
pub(crate) const ROOT: &str = "Intel SGX Root CA";
/// 1.2.840.113741.1.13.1 in DER; the items inside append numbers to it.
const SGX: [u8; 9] = [0x2A, 0x86, 0x48, 0x86, 0xF8, 0x4D, 0x01, 0x0D, 0x01];

/// A platform as its PCK certificate describes it. Signed by Intel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Platform {
    /// The platform's pseudonym.
    pub ppid: Hex<16>,
    /// Its processor's level in the processor's own numbering: for people only, as levels are matched by component.
    pub cpu_svn: Hex<16>,
    /// The SVNs of its 16 components.
    pub components: Hex<16>,
    /// The SVN of its provisioning enclave.
    pub pcesvn: u16,
    /// Its provisioning enclave.
    pub pceid: Hex<2>,
    /// Its family, model, stepping and more, by which TCB info is looked up.
    pub fmspc: Hex<6>,
    /// How its memory is protected: 0 standard, 1 scalable, 2 scalable with integrity.
    pub sgx_type: u8,
    /// Which platform with several packages it is.
    pub instance: Option<Hex<16>>,
    /// How it is configured; platforms with one package do not say.
    pub configuration: Option<Configuration>,
}

/// How a platform with several packages is configured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Configuration {
    /// Packages may be added.
    pub dynamic_platform: Option<bool>,
    /// Intel keeps the platform's keys.
    pub cached_keys: Option<bool>,
    /// Sibling threads (SMT) are on.
    pub smt: Option<bool>,
}

/// A PCK chain that ends in an accepted root.
#[derive(Debug)]
pub(crate) struct PckChain<'a> {
    pub(crate) leaf: Certificate<'a>,
    pub(crate) intermediate: Certificate<'a>,
    pub(crate) root: Certificate<'a>,
    pub(crate) vendor: Vendor,
    pub(crate) platform: Platform,
    pub(crate) until: Time,
}

impl<'a> PckChain<'a> {
    /// Verifies a chain of three, leaf first.
    pub(crate) fn verify(
        chain: &'a [Vec<u8>],
        roots: &IntelRoots,
        now: Time,
        memory: &Memory,
    ) -> Result<Self, Rejection> {
        let [leaf, intermediate, root] = chain else {
            return Err(Rejection::PckChainLength { found: chain.len() });
        };
        let root = Certificate::parse(root, "root")?;
        let vendor = roots.admit(&root)?;
        root.check_name(&[ROOT], vendor.organisation())?;
        root.check_authority()?;
        let intermediate = Certificate::parse(intermediate, "PCK CA")?;
        intermediate.check_name(&INTERMEDIATES, vendor.organisation())?;
        intermediate.check_authority()?;
        intermediate.check_issued_by(&root, memory)?;
        let leaf = Certificate::parse(leaf, "PCK")?;
        leaf.check_name(&[LEAF], vendor.organisation())?;
        leaf.check_end_entity()?;
        leaf.check_issued_by(&intermediate, memory)?;
        let mut until = Time(i64::MAX);
        for certificate in [&root, &intermediate, &leaf] {
            certificate.check_valid_at(now)?;
            until = until.min(certificate.until());
        }
        let platform = platform(&leaf)?;
        Ok(Self {
            leaf,
            intermediate,
            root,
            vendor,
            platform,
            until,
        })
    }
}

/// What the certificate says about its platform. Whether Intel says so is for the chain to show.
pub(crate) fn platform(leaf: &Certificate<'_>) -> Result<Platform, Rejection> {
    let extension = leaf
        .extension(&oid!(1.2.840.113741.1.13.1))
        .ok_or(leaf.refuse("has no SGX extension"))?;
    read_platform(extension).ok_or(leaf.refuse("has an SGX extension of the wrong form"))
}

/// Each item once, in Intel's order, and no unknown ones.
fn read_platform(extension: &[u8]) -> Option<Platform> {
    let mut outer = Der::new(extension);
    let mut items = outer.enter(tag::SEQUENCE)?;
    outer.end()?;
    let ppid = array(item(&mut items, &[1], tag::OCTET_STRING)?)?;
    let mut tcb = Der::new(item(&mut items, &[2], tag::SEQUENCE)?);
    let mut components = [0; 16];
    for (number, component) in (1..).zip(&mut components) {
        *component = u8::try_from(integer(item(&mut tcb, &[2, number], tag::INTEGER)?)?).ok()?;
    }
    let pcesvn = integer(item(&mut tcb, &[2, 17], tag::INTEGER)?)?;
    let cpu_svn = array(item(&mut tcb, &[2, 18], tag::OCTET_STRING)?)?;
    tcb.end()?;
    let pceid = array(item(&mut items, &[3], tag::OCTET_STRING)?)?;
    let fmspc = array(item(&mut items, &[4], tag::OCTET_STRING)?)?;
    let sgx_type = match item(&mut items, &[5], tag::ENUMERATED)? {
        [value @ 0..=2] => *value,
        _ => return None,
    };
    let instance = if items.is_empty() {
        None
    } else {
        Some(array(item(&mut items, &[6], tag::OCTET_STRING)?)?)
    };
    let configuration = if items.is_empty() {
        None
    } else {
        Some(read_configuration(item(&mut items, &[7], tag::SEQUENCE)?)?)
    };
    items.end()?;
    Some(Platform {
        ppid: Hex(ppid),
        cpu_svn: Hex(cpu_svn),
        components: Hex(components),
        pcesvn,
        pceid: Hex(pceid),
        fmspc: Hex(fmspc),
        sgx_type,
        instance: instance.map(Hex),
        configuration,
    })
}

fn read_configuration(content: &[u8]) -> Option<Configuration> {
    let mut flags = Der::new(content);
    let mut configuration = Configuration::default();
    for (number, flag) in [
        (1, &mut configuration.dynamic_platform),
        (2, &mut configuration.cached_keys),
        (3, &mut configuration.smt),
    ] {
        if flags.is_empty() {
            break;
        }
        *flag = match item(&mut flags, &[7, number], tag::BOOLEAN)? {
            [0] => Some(false),
            [0xFF] => Some(true),
            _ => return None,
        };
    }
    flags.end()?;
    Some(configuration)
}

/// The content of `SEQUENCE { oid, value }`, with this oid below [`SGX`] and this type.
fn item<'a>(items: &mut Der<'a>, below: &[u8], kind: u8) -> Option<&'a [u8]> {
    let mut pair = items.enter(tag::SEQUENCE)?;
    let oid = pair.take(tag::OID)?;
    let value = pair.take(kind)?;
    pair.end()?;
    (oid.strip_prefix(&SGX) == Some(below)).then_some(value)
}

fn array<const N: usize>(content: &[u8]) -> Option<[u8; N]> {
    content.try_into().ok()
}

/// A non-negative number, in its one encoding.
fn integer(content: &[u8]) -> Option<u16> {
    match content {
        [value @ 0..=0x7F] => Some(u16::from(*value)),
        [0, low @ 0x80..=0xFF] => Some(u16::from(*low)),
        [high @ 1..=0x7F, low] | [0, high @ 0x80..=0xFF, low] => {
            Some(u16::from_be_bytes([*high, *low]))
        }
        _ => None,
    }
}
