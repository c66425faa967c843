//! TCB info and QE identity: JSON that Intel signs byte for byte. It is parsed only after its signature has been verified.
//!
//! A known field that appears twice is an error; unknown fields are ignored.

use serde::{Deserialize, Deserializer, de::Error};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    certificate::{Certificate, chain},
    crl::RevocationList,
    pck::PckChain,
    status::Status,
};
use crate::{
    Rejection, Time,
    crypto::{PointP256, verify_ecdsa_p256},
    encoding::digest::{Hex, sha256},
    memory::{self, Memory},
    transcript::ensure,
};

pub(crate) const SIGNER: &str = "Intel SGX TCB Signing";
/// Real documents have fewer than 20 levels and fewer than 5 module identities.
const MAX_LEVELS: usize = 256;

/// Something that Intel signed, and its chain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signed<'a> {
    /// `TCB info` or `QE identity`.
    pub(crate) which: &'static str,
    pub(crate) body: &'a str,
    pub(crate) signature: &'a [u8; 64],
    pub(crate) issuers: &'a str,
}

/// A verified signer, recognizable by its chain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vouched<'a> {
    issuers: &'a str,
    key: PointP256,
    pub(crate) until: Time,
}

impl<'a> Signed<'a> {
    /// Checks the chain, unless it was checked already, and the signature over the exact bytes.
    pub(crate) fn verify(
        &self,
        pck: &PckChain<'_>,
        root_list: &RevocationList<'_>,
        vouched: Option<Vouched<'a>>,
        (now, memory): (Time, &Memory),
    ) -> Result<Vouched<'a>, Rejection> {
        let vouched = match vouched.filter(|known| known.issuers == self.issuers) {
            Some(known) => known,
            None => vouch(self.issuers, pck, root_list, (now, memory))?,
        };
        let (key, body) = (&vouched.key, self.body.as_bytes());
        let signed = memory.holds(
            || memory::signature("intel-fixed", key, body, self.signature),
            || verify_ecdsa_p256(key, body, self.signature).is_ok(),
        );
        ensure(signed, || Rejection::TdxCollateralSignature {
            which: self.which,
        })?;
        Ok(vouched)
    }
}

fn vouch<'a>(
    issuers: &'a str,
    pck: &PckChain<'_>,
    root_list: &RevocationList<'_>,
    (now, memory): (Time, &Memory),
) -> Result<Vouched<'a>, Rejection> {
    let chain = chain(issuers.as_bytes()).ok_or(Rejection::TdxCollateralMalformed {
        what: "an issuer chain is not PEM",
    })?;
    let [signer, root] = &chain[..] else {
        return Err(Rejection::TdxCollateralMalformed {
            what: "a signing chain does not have two certificates",
        });
    };
    let signer = Certificate::parse(signer, "TCB signing")?;
    if root != pck.root.der {
        return Err(Rejection::IntelRootUnknown {
            root: format!("{} of a signing chain", Hex(sha256(&[root]))),
        });
    }
    signer.check_name(&[SIGNER], pck.vendor.organisation())?;
    signer.check_end_entity()?;
    signer.check_issued_by(&pck.root, memory)?;
    signer.check_valid_at(now)?;
    root_list.check_absent(&signer)?;
    Ok(Vouched {
        issuers,
        key: signer.point,
        until: signer.until(),
    })
}

/// The content of TCB info.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TcbInfo {
    id: String,
    version: u32,
    pub(crate) issue_date: Moment,
    next_update: Moment,
    #[serde(with = "hex_array")]
    pub(crate) fmspc: [u8; 6],
    #[serde(with = "hex_array")]
    pub(crate) pce_id: [u8; 2],
    tcb_type: u32,
    pub(crate) tcb_evaluation_data_number: u32,
    pub(crate) tdx_module: TdxModule,
    #[serde(default)]
    pub(crate) tdx_module_identities: Vec<ModuleIdentity>,
    pub(crate) tcb_levels: Vec<Level>,
}

/// What the TDX module must be.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TdxModule {
    #[serde(with = "hex_array")]
    pub(crate) mrsigner: [u8; 48],
    #[serde(with = "hex_array")]
    pub(crate) attributes: [u8; 8],
    #[serde(with = "hex_array")]
    pub(crate) attributes_mask: [u8; 8],
}

/// What a TDX module of one major version must be.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ModuleIdentity {
    pub(crate) id: String,
    #[serde(with = "hex_array")]
    mrsigner: [u8; 48],
    #[serde(with = "hex_array")]
    attributes: [u8; 8],
    #[serde(with = "hex_array")]
    attributes_mask: [u8; 8],
    pub(crate) tcb_levels: Vec<EnclaveLevel>,
}

impl ModuleIdentity {
    pub(crate) fn module(&self) -> TdxModule {
        TdxModule {
            mrsigner: self.mrsigner,
            attributes: self.attributes,
            attributes_mask: self.attributes_mask,
        }
    }
}

/// A level of the platform.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Level {
    pub(crate) tcb: LevelTcb,
    pub(crate) tcb_date: Moment,
    tcb_status: String,
    #[serde(default, rename = "advisoryIDs")]
    pub(crate) advisories: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct LevelTcb {
    #[serde(rename = "sgxtcbcomponents")]
    pub(crate) sgx: [Component; 16],
    pub(crate) pcesvn: u16,
    #[serde(rename = "tdxtcbcomponents")]
    pub(crate) tdx: [Component; 16],
}

/// A component's level; for most components Intel says what they are, such as `BIOS` or `Early Microcode Update`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Component {
    pub(crate) svn: u8,
    #[serde(default)]
    category: String,
    #[serde(default, rename = "type")]
    kind: String,
}

impl LevelTcb {
    /// Higher for the better of two levels.
    fn rank(&self) -> ([u8; 16], u16, [u8; 16]) {
        let svns = |components: &[Component; 16]| components.each_ref().map(|it| it.svn);
        (svns(&self.sgx), self.pcesvn, svns(&self.tdx))
    }
}

impl Component {
    /// What it is, in Intel's words; empty if Intel does not say.
    pub(crate) fn words(&self) -> String {
        let words = [&self.category, &self.kind];
        let words: Vec<&str> = words
            .into_iter()
            .map(String::as_str)
            .filter(|it| !it.is_empty())
            .collect();
        words.join(", ")
    }
}

/// A level of the TDX module or of the quoting enclave.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EnclaveLevel {
    pub(crate) tcb: EnclaveTcb,
    pub(crate) tcb_date: Moment,
    tcb_status: String,
    #[serde(default, rename = "advisoryIDs")]
    pub(crate) advisories: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct EnclaveTcb {
    pub(crate) isvsvn: u16,
}

/// An unknown word is refused: it may be worse than any known one.
fn status(word: &str) -> Result<Status, Rejection> {
    Status::parse(word).ok_or_else(|| Rejection::TcbStatusUnknown {
        found: word.to_owned(),
    })
}

impl Level {
    pub(crate) fn status(&self) -> Result<Status, Rejection> {
        status(&self.tcb_status)
    }
}

impl EnclaveLevel {
    pub(crate) fn status(&self) -> Result<Status, Rejection> {
        let found = status(&self.tcb_status)?;
        ensure(found.is_of_component(), || Rejection::TcbStatusUnknown {
            found: format!("{found} of a module or enclave"),
        })?;
        Ok(found)
    }
}

/// The content of QE identity.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QeIdentity {
    id: String,
    version: u32,
    pub(crate) issue_date: Moment,
    next_update: Moment,
    pub(crate) tcb_evaluation_data_number: u32,
    #[serde(with = "hex_array")]
    pub(crate) miscselect: [u8; 4],
    #[serde(with = "hex_array")]
    pub(crate) miscselect_mask: [u8; 4],
    #[serde(with = "hex_array")]
    pub(crate) attributes: [u8; 16],
    #[serde(with = "hex_array")]
    pub(crate) attributes_mask: [u8; 16],
    #[serde(with = "hex_array")]
    pub(crate) mrsigner: [u8; 32],
    pub(crate) isvprodid: u16,
    pub(crate) tcb_levels: Vec<EnclaveLevel>,
}

/// Until when a document is valid, that is, until the next one is due.
fn check_fresh(
    which: &'static str,
    Moment(from): Moment,
    Moment(until): Moment,
    now: Time,
) -> Result<Time, Rejection> {
    if now < from {
        return Err(Rejection::TdxCollateralNotYetValid { which, from });
    }
    if now > until {
        return Err(Rejection::TdxCollateralExpired { which, until });
    }
    Ok(until)
}

fn check_kind(
    which: &'static str,
    found: (&str, u32),
    wanted: (&str, &[u32]),
) -> Result<(), Rejection> {
    if found.0 == wanted.0 && wanted.1.contains(&found.1) {
        return Ok(());
    }
    Err(Rejection::TdxCollateralKind {
        which,
        found: format!("{} version {}", found.0, found.1),
    })
}

impl TcbInfo {
    /// Reads what `Signed::verify` accepted, along with when it expires.
    pub(crate) fn read(body: &str, now: Time) -> Result<(Self, Time), Rejection> {
        let mut info: Self = read("TCB info", body)?;
        check_kind("TCB info", (&info.id, info.version), ("TDX", &[3]))?;
        if info.tcb_type != 0 {
            return Err(Rejection::TdxCollateralKind {
                which: "TCB info",
                found: format!("type {}", info.tcb_type),
            });
        }
        let until = check_fresh("TCB info", info.issue_date, info.next_update, now)?;
        check_levels(info.tcb_levels.iter().map(Level::status))?;
        info.tcb_levels
            .sort_by_key(|level| std::cmp::Reverse(level.tcb.rank()));
        check_levels(
            info.tdx_module_identities
                .iter()
                .map(|_| Ok(Status::UpToDate)),
        )?;
        for identity in &mut info.tdx_module_identities {
            check_levels(identity.tcb_levels.iter().map(EnclaveLevel::status))?;
            sort(&mut identity.tcb_levels);
        }
        Ok((info, until))
    }
}

impl QeIdentity {
    /// Reads what `Signed::verify` accepted, along with when it expires.
    pub(crate) fn read(body: &str, now: Time) -> Result<(Self, Time), Rejection> {
        let mut identity: Self = read("QE identity", body)?;
        let found = (&*identity.id, identity.version);
        check_kind("QE identity", found, ("TD_QE", &[2, 3]))?;
        let (from, until) = (identity.issue_date, identity.next_update);
        let until = check_fresh("QE identity", from, until, now)?;
        check_levels(identity.tcb_levels.iter().map(EnclaveLevel::status))?;
        sort(&mut identity.tcb_levels);
        Ok((identity, until))
    }
}

fn read<'de, T: Deserialize<'de>>(which: &'static str, body: &'de str) -> Result<T, Rejection> {
    serde_json::from_str(body).map_err(|error| Rejection::TdxCollateralContent {
        which,
        what: error.to_string(),
    })
}

/// Highest first, in whatever order they came.
fn sort(levels: &mut [EnclaveLevel]) {
    levels.sort_by_key(|level| std::cmp::Reverse(level.tcb.isvsvn));
}

/// Checks that there are not too many levels, and that each has a known status, even if it turns out not to be needed.
fn check_levels(
    mut levels: impl ExactSizeIterator<Item = Result<Status, Rejection>>,
) -> Result<(), Rejection> {
    if levels.len() > MAX_LEVELS {
        return Err(Rejection::TdxCollateralMalformed {
            what: "there are too many levels",
        });
    }
    levels.try_for_each(|status| status.map(|_| ()))
}

/// A time as Intel writes it: RFC 3339, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) Time);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match OffsetDateTime::parse(&text, &Rfc3339) {
            Ok(moment) if moment.offset().is_utc() => Ok(Self(Time(moment.unix_timestamp()))),
            _ => Err(D::Error::custom("a time is not RFC 3339 in UTC")),
        }
    }
}

mod hex_array {
    use serde::{Deserialize, Deserializer, de::Error};

    pub(super) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        deserializer: D,
    ) -> Result<[u8; N], D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; N];
        hex::decode_to_slice(&text, &mut bytes)
            .map_err(|_| D::Error::custom(format!("expected {N} bytes of hex")))?;
        Ok(bytes)
    }
}
