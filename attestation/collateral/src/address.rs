//! Where vendors keep their objects, and how a caller has them fetched elsewhere: from an internal cache, or a cloud's copy.
//!
//! A mirror is trusted as little as the network: what it hands out must be signed by its vendor, or it is not kept.

use std::{collections::BTreeMap, fmt, str::FromStr};

use chrysalis_attestation::snp::product::Product;

use crate::object::Object;

/// The longest accepted base address.
const MAX_BASE: usize = 1024;

/// The services to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// AMD's key distribution service.
    Amd,
    /// Intel's provisioning certification service, version 4.
    Intel,
    /// The home of Intel's root's revocation list.
    IntelRoot,
    /// NVIDIA's reference manifests.
    NvidiaRim,
    /// NVIDIA's OCSP responder.
    NvidiaOcsp,
}

impl Service {
    /// Every service.
    pub const ALL: [Self; 5] = [
        Self::Amd,
        Self::Intel,
        Self::IntelRoot,
        Self::NvidiaRim,
        Self::NvidiaOcsp,
    ];

    /// Its name in `--mirror`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Amd => "amd",
            Self::Intel => "intel",
            Self::IntelRoot => "intel-root",
            Self::NvidiaRim => "nvidia-rim",
            Self::NvidiaOcsp => "nvidia-ocsp",
        }
    }

    /// The vendor's own address.
    fn base(self) -> &'static str {
        match self {
            Self::Amd => "https://kdsintf.amd.com",
            Self::Intel => "https://api.trustedservices.intel.com",
            Self::IntelRoot => "https://certificates.trustedservices.intel.com",
            Self::NvidiaRim => "https://rim.attestation.nvidia.com",
            Self::NvidiaOcsp => "https://ocsp.ndis.nvidia.com",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Base addresses to use instead of the vendors' own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mirrors(BTreeMap<Service, String>);

/// A malformed `SERVICE=URL`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MirrorError {
    /// Not two parts, or an unknown service.
    #[error(
        "write it as SERVICE=URL, where SERVICE is one of amd, intel, intel-root, nvidia-rim, nvidia-ocsp"
    )]
    Service,
    /// Not an address to which paths can be added.
    #[error(
        "the address must begin with https:// or http:// and must not have a query, a fragment, a user or white space"
    )]
    Address,
}

impl Mirrors {
    /// Sends requests for `service` to `base` instead. Paths and answers must be the vendor's.
    pub fn set(&mut self, service: Service, base: &str) -> Result<(), MirrorError> {
        let rest = base
            .strip_prefix("https://")
            .or_else(|| base.strip_prefix("http://"))
            .ok_or(MirrorError::Address)?;
        let plain = |letter: char| letter.is_ascii_graphic() && !"?#@\"<>\\".contains(letter);
        if rest.is_empty()
            || rest.starts_with('/')
            || base.len() > MAX_BASE
            || !rest.chars().all(plain)
        {
            return Err(MirrorError::Address);
        }
        self.0
            .insert(service, base.trim_end_matches('/').to_owned());
        Ok(())
    }

    /// Adds what `other` names, which takes precedence.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether another server than the vendor's is asked.
    pub(crate) fn has(&self, service: Service) -> bool {
        self.0.contains_key(&service)
    }

    fn base(&self, service: Service) -> &str {
        self.0.get(&service).map_or(service.base(), String::as_str)
    }
}

impl FromStr for Mirrors {
    type Err = MirrorError;

    fn from_str(text: &str) -> Result<Self, MirrorError> {
        let (name, base) = text.split_once('=').ok_or(MirrorError::Service)?;
        let service = Service::ALL
            .into_iter()
            .find(|service| service.name() == name)
            .ok_or(MirrorError::Service)?;
        let mut mirrors = Self::default();
        mirrors.set(service, base)?;
        Ok(mirrors)
    }
}

/// Which of Intel's rules on how current a platform must be to ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Update {
    /// Those that Intel applies by default, up to a year after it published their requirements.
    #[default]
    Standard,
    /// Those of the newest evaluation, from the day of its publication.
    Early,
}

impl Update {
    /// The suffix for an address, depending on whether it has other parameters already.
    fn parameter(self, before: &str) -> String {
        match self {
            Self::Standard => String::new(),
            Self::Early => format!("{before}{EARLY}"),
        }
    }

    /// Whether an object fetched from this address follows these rules, as far as the address shows.
    pub(crate) fn is_of(self, object: &Object, source: &str) -> bool {
        let has_rules = matches!(object, Object::TcbInfo(_) | Object::QeIdentity);
        !has_rules || self == Self::Standard || source.ends_with(EARLY)
    }
}

/// Its spelling in Intel's service.
const EARLY: &str = "update=early";

/// Which service to ask for an object, and at which addresses; several if the evidence does not say which one.
pub(crate) fn addresses(
    object: &Object,
    mirrors: &Mirrors,
    update: Update,
) -> (Service, Vec<String>) {
    let (service, paths) = match object {
        Object::Vcek(chip) => {
            let hardware_id = hex::encode(&chip.hardware_id);
            let tcb = chip.tcb;
            let fmc = tcb.fmc.map(|fmc| format!("fmcSPL={fmc:02}&"));
            let query = format!(
                "{}blSPL={:02}&teeSPL={:02}&snpSPL={:02}&ucodeSPL={:02}",
                fmc.unwrap_or_default(),
                tcb.bootloader,
                tcb.tee,
                tcb.snp,
                tcb.microcode
            );
            let of = |product: &Product| format!("/vcek/v1/{product}/{hardware_id}?{query}");
            (Service::Amd, chip.products.iter().map(of).collect())
        }
        Object::VcekList(product) => (Service::Amd, vec![format!("/vcek/v1/{product}/crl")]),
        Object::VlekList(product) => (Service::Amd, vec![format!("/vlek/v1/{product}/crl")]),
        Object::TcbInfo(fmspc) => (
            Service::Intel,
            vec![format!(
                "/tdx/certification/v4/tcb?fmspc={fmspc}{}",
                update.parameter("&")
            )],
        ),
        Object::QeIdentity => (
            Service::Intel,
            vec![format!(
                "/tdx/certification/v4/qe/identity{}",
                update.parameter("?")
            )],
        ),
        Object::PckList(authority) => (
            Service::Intel,
            vec![format!(
                "/sgx/certification/v4/pckcrl?ca={}&encoding=der",
                authority.name()
            )],
        ),
        Object::RootList(_) => (Service::IntelRoot, vec!["/IntelSGXRootCA.der".to_owned()]),
        Object::Rim(id) => (Service::NvidiaRim, vec![format!("/v1/rim/{id}")]),
        Object::Ocsp(_) => (Service::NvidiaOcsp, vec![String::new()]),
    };
    let base = mirrors.base(service);
    let whole = |path: String| format!("{base}{path}");
    (service, paths.into_iter().map(whole).collect())
}

/// The host of an address, with its port, to which courtesy is owed.
pub(crate) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrysalis_attestation::{
        encoding::digest::Hex,
        snp::{needs::Chip, tcb::Tcb},
        tdx::needs::Authority,
    };

    fn url(object: &Object) -> String {
        of(object, Update::Standard)
    }

    fn of(object: &Object, update: Update) -> String {
        addresses(object, &Mirrors::default(), update).1.join(" ")
    }

    #[test]
    fn asks_amd_as_its_key_service_is_asked() {
        let tcb = Tcb {
            fmc: None,
            bootloader: 4,
            tee: 0,
            snp: 24,
            microcode: 219,
        };
        let chip = |products, hardware_id, tcb| {
            Object::Vcek(Chip {
                products,
                hardware_id,
                tcb,
            })
        };
        let genoa = chip(vec![Product::Genoa], vec![0xAB; 64], tcb);
        assert_eq!(
            url(&genoa),
            format!(
                "https://kdsintf.amd.com/vcek/v1/Genoa/{}?blSPL=04&teeSPL=00&snpSPL=24&ucodeSPL=219",
                "ab".repeat(64)
            )
        );
        let turin = chip(
            vec![Product::Turin],
            vec![1; 8],
            Tcb {
                fmc: Some(1),
                ..tcb
            },
        );
        assert_eq!(
            url(&turin),
            "https://kdsintf.amd.com/vcek/v1/Turin/0101010101010101?fmcSPL=01&blSPL=04&teeSPL=00&snpSPL=24&ucodeSPL=219"
        );
        let either = chip(vec![Product::Milan, Product::Genoa], vec![0; 64], tcb);
        assert_eq!(url(&either).split(' ').count(), 2);
        assert_eq!(
            url(&Object::VlekList(Product::Milan)),
            "https://kdsintf.amd.com/vlek/v1/Milan/crl"
        );
    }

    #[test]
    fn asks_intel_and_nvidia_as_their_services_are_asked() {
        assert_eq!(
            url(&Object::TcbInfo(Hex([0x90, 0xC0, 0x6F, 0, 0, 0]))),
            "https://api.trustedservices.intel.com/tdx/certification/v4/tcb?fmspc=90c06f000000"
        );
        assert_eq!(
            url(&Object::PckList(Authority::Platform)),
            "https://api.trustedservices.intel.com/sgx/certification/v4/pckcrl?ca=platform&encoding=der"
        );
        assert_eq!(
            url(&Object::RootList(Vec::new())),
            "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"
        );
        assert_eq!(
            url(&Object::Rim("NV_GPU_DRIVER_GH100_550.90.07".to_owned())),
            "https://rim.attestation.nvidia.com/v1/rim/NV_GPU_DRIVER_GH100_550.90.07"
        );
    }

    #[test]
    fn early_rules_are_asked_for_where_intel_has_them() {
        let info = Object::TcbInfo(Hex([0x90, 0xC0, 0x6F, 0, 0, 0]));
        assert_eq!(
            of(&info, Update::Early),
            "https://api.trustedservices.intel.com/tdx/certification/v4/tcb?fmspc=90c06f000000&update=early"
        );
        assert_eq!(
            of(&Object::QeIdentity, Update::Early),
            "https://api.trustedservices.intel.com/tdx/certification/v4/qe/identity?update=early"
        );
        for other in [
            Object::PckList(Authority::Platform),
            Object::RootList(Vec::new()),
            Object::Rim("NV_A".to_owned()),
        ] {
            assert_eq!(of(&other, Update::Early), url(&other));
            assert!(Update::Early.is_of(&other, &url(&other)));
        }
        for object in [info, Object::QeIdentity] {
            assert!(!Update::Early.is_of(&object, &url(&object)));
            assert!(Update::Early.is_of(&object, &of(&object, Update::Early)));
            // Rules newer than those asked for are no reason to ask again.
            assert!(Update::Standard.is_of(&object, &of(&object, Update::Early)));
        }
    }

    #[test]
    fn a_mirror_takes_the_place_of_the_base_address() {
        let mirrors: Mirrors = "intel=https://cache.example/pcs/".parse().unwrap();
        let (_, addresses) = addresses(&Object::QeIdentity, &mirrors, Update::Standard);
        assert_eq!(
            addresses,
            ["https://cache.example/pcs/tdx/certification/v4/qe/identity"]
        );
        assert_eq!(host("https://cache.example:8443/pcs"), "cache.example:8443");
        for wrong in ["", "amd", "arm=https://a", "amd:https://a"] {
            assert_eq!(
                wrong.parse::<Mirrors>(),
                Err(MirrorError::Service),
                "{wrong}"
            );
        }
        for wrong in [
            "amd=a",
            "amd=ftp://a",
            "amd=https://",
            "amd=https:///x",
            "amd=https://a?b",
            "amd=https://u@a",
            "amd=https://a b",
        ] {
            assert_eq!(
                wrong.parse::<Mirrors>(),
                Err(MirrorError::Address),
                "{wrong}"
            );
        }
    }
}
