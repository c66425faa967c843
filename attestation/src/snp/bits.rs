//! The two bit fields of a report: what the guest's owner allows the host, and how the platform is configured.

use crate::Rejection;

/// POLICY (0x008). Bits that extend the host's powers are named `…_allowed`, bits that restrict them `…_required`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuestPolicy(pub u64);

/// `PLATFORM_INFO` (0x040).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlatformInfo(pub u64);

macro_rules! bits {
    ($($(#[$doc:meta])+ $name:ident = $bit:literal;)+) => {
        $($(#[$doc])+ pub fn $name(self) -> bool { self.0 & (1 << $bit) != 0 })+
    };
}

impl GuestPolicy {
    /// SMT allowed, plus the reserved bit that must be one: the policy of a guest with no other requests.
    pub const STRICT: Self = Self(1 << 16 | Self::ALWAYS_ONE);

    const ALWAYS_ONE: u64 = 1 << 17;
    const KNOWN: u64 = (1 << 26) - 1;

    /// Refuses bits whose meaning is not known.
    pub fn parse(word: u64) -> Result<Self, Rejection> {
        if word & !Self::KNOWN != 0 || word & Self::ALWAYS_ONE == 0 {
            return Err(Rejection::ReportReserved { field: "POLICY" });
        }
        Ok(Self(word))
    }

    /// The oldest firmware ABI that may run the guest: major, minor.
    pub fn minimum_abi(self) -> (u8, u8) {
        let [minor, major, ..] = self.0.to_le_bytes();
        (major, minor)
    }

    bits! {
        /// The host may run the guest on sibling threads.
        smt_allowed = 16;
        /// A migration agent may be associated.
        migration_allowed = 18;
        /// The host may read and change the guest's memory.
        debug_allowed = 19;
        /// It runs on one socket only.
        single_socket_required = 20;
        /// Memory may sit behind CXL.
        cxl_allowed = 21;
        /// Memory encryption must be AES-256-XTS.
        aes_256_xts_required = 22;
        /// Power readings must be off.
        rapl_off_required = 23;
        /// Ciphertext must be hidden from the host.
        ciphertext_hiding_required = 24;
        /// The host may not swap pages out.
        page_swap_disabled = 25;
    }
}

impl PlatformInfo {
    const KNOWN: u64 = (1 << 8) - 1;

    /// Bits whose meaning is not known. Newer firmware defines new ones, and they describe the platform, not what a guest allows: so
    /// they are read, and a policy decides.
    pub fn unknown(self) -> u64 {
        self.0 & !Self::KNOWN
    }

    bits! {
        /// SMT is on.
        smt = 0;
        /// Transparent memory encryption is on.
        tsme = 1;
        /// Memory has error correction.
        ecc = 2;
        /// Power readings are off.
        rapl_off = 3;
        /// Ciphertext is hidden from the host.
        ciphertext_hiding = 4;
        /// Memory has been searched for aliases since the last reset (`BadRAM`).
        alias_check = 5;
        /// The IOMMU's writes are safe. Turin sets this bit; older documents call it reserved, so nothing relies on it.
        iommu_write_safe = 6;
        /// Trusted I/O is on.
        trusted_io = 7;
    }
}
