//! The simulated Intel: a root, one platform, its quoting enclave and the service with statements about it.
//!
//! It signs what a real one signs: quotes of versions 4 and 5 with the platform's certificates inside, TCB info, QE identity
//! and revocation lists. The service calls the platform up to date at the levels that it reports, unless a test changes either:
//!
//! ```
//! use chrysalis_attestation::{Time, tdx::attributes::DEBUG};
//! use chrysalis_simulate::{Intel, intel::TdProfile};
//!
//! let now = Time(1_796_126_400);
//! let mut intel = Intel::from_seed(&[7; 32], now);
//! let honest = intel.quote(&TdProfile { report_data: [1; 64], ..TdProfile::default() });
//!
//! // A TD that its host can debug.
//! let mut debug = TdProfile::default();
//! debug.attributes |= DEBUG;
//! // Old firmware, in a quote and in what the service says.
//! let old = TdProfile { tee_tcb_svn: [3; 16], ..TdProfile::default() };
//! let outdated = intel.statements(now).with_status("OutOfDate");
//! // A platform whose certificate is revoked, or has expired.
//! let mut revoked = intel.statements(now);
//! revoked.pck_list.revoked = vec![intel.pck.serial()];
//! let mut ended = intel.pck.profile();
//! ended.not_after = now;
//! intel.pck = intel.pck_authority.issue(ended);
//! # assert_ne!(honest, intel.quote(&debug));
//! # assert_ne!(intel.quote(&debug), intel.quote(&old));
//! # assert_ne!(intel.issue(&revoked), intel.issue(&outdated));
//! ```

mod collateral;
mod enclave;
mod event_log;
mod extension;
mod quote;

pub use collateral::{Statements, collateral_json, enclave_level, level};
pub use enclave::EnclaveProfile;
pub use event_log::event_log;
pub use quote::{QuoteVersion, TdProfile};

use crate::{
    Curve, Profile, Purpose, Signer, SimulateError,
    key::{Key, seed_below},
    seed,
};
use chrysalis_attestation::{Time, encoding::digest::sha256, tdx::IntelRoots};
use std::path::Path;

/// A simulated vendor with one platform. It signs anything, where a real one would check first.
#[derive(Clone)]
pub struct Intel {
    /// The root of everything.
    pub root: Signer,
    /// Issues the platform's certificate, and its own revocation list.
    pub pck_authority: Signer,
    /// The platform's certificate, which names its firmware levels.
    pub pck: Signer,
    /// Signs TCB info and QE identity.
    pub tcb_signer: Signer,
    /// What the quoting enclave says about itself.
    pub quoting_enclave: EnclaveProfile,
    /// The quoting enclave's own key, which signs quotes.
    attestation_key: Key,
}

impl Intel {
    /// A vendor whose keys follow from the seed and are not stored. Certificates are valid around `now`; that of the root
    /// is always the same.
    pub fn from_seed(seed: &[u8; 32], now: Time) -> Self {
        let root = Signer::root(Curve::P256, seed, Profile::root("Intel SGX Root CA"));
        let pck_authority = root.issue(Profile::new(
            "Intel SGX PCK Platform CA",
            Purpose::Authority(Some(0)),
            now,
        ));
        Self {
            pck: pck_authority.issue(Self::pck_profile(now)),
            tcb_signer: root.issue(Profile::new(
                "Intel SGX TCB Signing",
                Purpose::SignsOnly,
                now,
            )),
            root,
            pck_authority,
            quoting_enclave: EnclaveProfile::honest(),
            attestation_key: Key::from_seed(Curve::P256, seed_below(seed, "attestation key", 0)),
        }
    }

    /// Opens the vendor that `folder` keeps, or makes one there on first use: its seed, and the root in PEM.
    pub fn open_or_create(folder: &Path, now: Time) -> Result<Self, SimulateError> {
        let seed = seed::open_or_create(folder, |seed| {
            vec![("root.pem", Self::from_seed(seed, now).root().to_vec())]
        })?;
        Ok(Self::from_seed(&seed, now))
    }

    /// The content of the honest platform's certificate, to be changed and then issued by [`Self::pck_authority`].
    pub fn pck_profile(now: Time) -> Profile {
        Profile {
            extensions: vec![extension::platform()],
            ..Profile::new("Intel SGX PCK Certificate", Purpose::SignsOnly, now)
        }
    }

    /// The root, DER.
    pub fn root(&self) -> &[u8] {
        &self.root.der
    }

    /// Intel's root, and this one as well.
    pub fn roots(&self) -> IntelRoots {
        IntelRoots::intel().and_simulated(sha256(&[self.root()]))
    }
}

/// Certificates in Intel's form: PEM, one line of base64 each, leaf first.
fn pem(chain: &[&Signer]) -> String {
    chain.iter().fold(String::new(), |text, signer| {
        let body = data_encoding::BASE64.encode(&signer.der);
        format!("{text}-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    })
}
