//! What keeps the host out of the guest's memory, as QEMU options.
//!
//! No relying party depends on this code: a guest that was launched otherwise has another launch digest, another HOST_DATA
//! or MRCONFIGID, or no report at all.

use std::{
    arch::x86_64::__cpuid,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use chrysalis_attestation::snp::bits::GuestPolicy;
use chrysalis_measure::CpuType;
use data_encoding::BASE64;
use serde_json::json;

use super::id_block::IdBlock;

/// The id of the object that `-machine` names.
pub(super) const OBJECT: &str = "protection";
/// What the CPU says of its memory encryption, in EBX.
const MEMORY_ENCRYPTION: u32 = 0x8000_001F;

/// What protects the guest's memory.
#[derive(Debug)]
pub(crate) enum Protection {
    /// Nothing: the simulated platform.
    None,
    /// AMD's security processor.
    Snp(Snp),
    /// Intel's TDX module.
    Tdx(Tdx),
}

/// A launch under AMD SEV-SNP.
#[derive(Debug)]
pub(crate) struct Snp {
    /// Measured first; it checks kernel, initrd and command line against the hashes that QEMU measures with it.
    pub(crate) firmware: PathBuf,
    /// Counted in the launch digest, by its signature.
    pub(crate) cpu: CpuType,
    /// What the guest's owner allows the host.
    pub(crate) policy: GuestPolicy,
    /// SHA-256 of the configuration.
    pub(crate) host_data: [u8; 32],
    /// Lets the processor refuse any other launch digest.
    pub(crate) id_block: Option<IdBlock>,
    /// Where this machine's page tables say that a page is encrypted.
    pub(crate) c_bit: CBit,
}

/// A launch under Intel TDX.
#[derive(Debug)]
pub(crate) struct Tdx {
    /// Measured page by page into MRTD.
    pub(crate) firmware: PathBuf,
    /// SHA-384 of the configuration.
    pub(crate) mrconfigid: [u8; 48],
    /// Who makes quotes of reports.
    pub(crate) quotes: QuoteService,
}

/// Where encryption shows in a page table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CBit {
    /// The bit's number.
    pub(crate) position: u32,
    /// How many physical address bits it costs.
    pub(crate) reduced: u32,
}

impl CBit {
    /// What every EPYC with SNP has had so far.
    const USUAL: Self = Self {
        position: 51,
        reduced: 1,
    };

    /// This machine's, by its CPU; the usual one if the CPU has none, so that a command can be shown anywhere.
    pub(crate) fn of_this_machine() -> Self {
        let highest = __cpuid(0x8000_0000).eax;
        let found = (highest >= MEMORY_ENCRYPTION).then(|| __cpuid(MEMORY_ENCRYPTION).ebx);
        found
            .map(Self::of)
            .filter(|bit| bit.position > 0)
            .unwrap_or(Self::USUAL)
    }

    fn of(ebx: u32) -> Self {
        Self {
            position: ebx & 0x3F,
            reduced: (ebx >> 6) & 0x3F,
        }
    }
}

/// Where Intel's Quote Generation Service listens unless its configuration names a port. It is there or on the port, never
/// on both.
pub(crate) const QUOTE_SOCKET: &str = "var/run/tdx-qgs/qgs.socket";
/// The port on which guests look for it by themselves.
const QUOTE_PORT: u32 = 4050;

/// Intel's Quote Generation Service, as QEMU reaches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum QuoteService {
    /// `vsock:CID:PORT`
    Vsock {
        /// Its context id; 2 is the host.
        cid: u32,
        /// Its port.
        port: u32,
    },
    /// `unix:PATH`
    Unix(PathBuf),
}

impl QuoteService {
    /// Where it is on the machine under `root`.
    pub(crate) fn of_this_machine(root: &Path) -> Self {
        let socket = root.join(QUOTE_SOCKET);
        if socket.exists() {
            Self::Unix(socket)
        } else {
            Self::Vsock {
                cid: 2,
                port: QUOTE_PORT,
            }
        }
    }
}

impl FromStr for QuoteService {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let vsock = |rest: &str| {
            let (cid, port) = rest.split_once(':')?;
            Some(Self::Vsock {
                cid: cid.parse().ok()?,
                port: port.parse().ok()?,
            })
        };
        match text.split_once(':') {
            Some(("unix", path)) if !path.is_empty() => Some(Self::Unix(path.into())),
            Some(("vsock", rest)) => vsock(rest),
            _ => None,
        }
        .ok_or_else(|| "give vsock:CID:PORT or unix:PATH, such as vsock:2:4050".to_owned())
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::None => "none: simulated, nothing protects this machine's memory",
            Self::Snp(_) => "AMD SEV-SNP",
            Self::Tdx(_) => "Intel TDX",
        })
    }
}

impl Protection {
    /// The firmware that runs first. Without protection QEMU starts the kernel by itself.
    pub(super) fn firmware(&self) -> Option<&PathBuf> {
        match self {
            Self::None => None,
            Self::Snp(snp) => Some(&snp.firmware),
            Self::Tdx(tdx) => Some(&tdx.firmware),
        }
    }

    /// The CPU that the guest sees, where the protection decides it.
    pub(super) fn cpu(&self) -> Option<String> {
        match self {
            Self::None => None,
            // A GPU's memory lies beyond what the type by itself can address.
            Self::Snp(snp) => Some(format!("{},host-phys-bits=on", snp.cpu)),
            Self::Tdx(_) => Some("host".to_owned()),
        }
    }

    /// What to add to `-machine`.
    pub(super) fn machine(&self) -> &'static str {
        match self {
            Self::None => "",
            Self::Snp(_) => ",confidential-guest-support=protection",
            // The TDX module owns the local APIC; the rest of the interrupt controller is QEMU's.
            Self::Tdx(_) => ",confidential-guest-support=protection,kernel-irqchip=split",
        }
    }

    /// What to add to a virtio device: it reads only memory that the guest shares.
    pub(super) fn virtio(&self) -> &'static str {
        match self {
            Self::None => "",
            Self::Snp(_) | Self::Tdx(_) => ",disable-legacy=on,iommu_platform=on",
        }
    }

    /// `-object`
    pub(super) fn object(&self) -> Option<serde_json::Value> {
        match self {
            Self::None => None,
            Self::Snp(snp) => Some(snp.object()),
            Self::Tdx(tdx) => Some(tdx.object()),
        }
    }
}

impl Snp {
    fn object(&self) -> serde_json::Value {
        let mut object = json!({
            "qom-type": "sev-snp-guest",
            "id": OBJECT,
            "cbitpos": self.c_bit.position,
            "reduced-phys-bits": self.c_bit.reduced,
            "policy": self.policy.0,
            "kernel-hashes": true,
            "host-data": BASE64.encode(&self.host_data),
        });
        if let Some(id) = &self.id_block {
            object["id-block"] = BASE64.encode(id.block()).into();
            object["id-auth"] = BASE64.encode(id.auth()).into();
            object["author-key-enabled"] = id.names_an_author().into();
        }
        object
    }
}

impl Tdx {
    fn object(&self) -> serde_json::Value {
        let quotes = match &self.quotes {
            QuoteService::Vsock { cid, port } => {
                json!({ "type": "vsock", "cid": cid.to_string(), "port": port.to_string() })
            }
            QuoteService::Unix(path) => json!({ "type": "unix", "path": path }),
        };
        json!({
            "qom-type": "tdx-guest",
            "id": OBJECT,
            "sept-ve-disable": true,
            "mrconfigid": BASE64.encode(&self.mrconfigid),
            "quote-generation-socket": quotes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_c_bit_as_amd_documents_it() {
        // EPYC 7003: CBitPosition in bits 5:0, PhysAddrReduction in bits 11:6.
        let bit = CBit::of(0x0000_6173);
        assert_eq!((bit.position, bit.reduced), (51, 5));
        assert!(CBit::of_this_machine().position > 0);
    }

    #[test]
    fn reads_where_quotes_are_made() {
        let vsock = QuoteService::Vsock { cid: 2, port: 4050 };
        assert_eq!("vsock:2:4050".parse(), Ok(vsock));
        let unix = QuoteService::Unix("/var/run/tdx-qgs/qgs.socket".into());
        assert_eq!("unix:/var/run/tdx-qgs/qgs.socket".parse(), Ok(unix));
        for wrong in ["", "vsock:2", "vsock:two:4050", "unix:", "tcp:1:2"] {
            assert!(wrong.parse::<QuoteService>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn quotes_are_made_where_the_service_listens() {
        let root = tempfile::tempdir().unwrap();
        let found = || QuoteService::of_this_machine(root.path());
        assert_eq!(found(), QuoteService::Vsock { cid: 2, port: 4050 });
        let socket = root.path().join(QUOTE_SOCKET);
        std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
        std::fs::write(&socket, "").unwrap();
        assert_eq!(found(), QuoteService::Unix(socket));
    }
}
