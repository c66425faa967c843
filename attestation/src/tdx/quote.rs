//! A quote as Intel's quoting enclave writes it: header, the TD's report, and their signature data. Trusts nothing.
//!
//! Versions 4 and 5 for TDs. Version 3, and any quote of an SGX enclave, is read only far enough to say what it is.

use super::{
    certificate::chain,
    report::{ENCLAVE_SIZE, EnclaveReport, Layout, TdReport},
};
use crate::{
    Rejection,
    encoding::{digest::Hex, reader::Reader},
};

/// The most that is read: real quotes have 4 to 8 KB, some of it padding.
pub const MAX_QUOTE_SIZE: usize = 64 * 1024;

const HEADER_SIZE: usize = 48;
const DESCRIPTOR_SIZE: usize = 6;
const ECDSA_P256: u16 = 2;
const SGX: u32 = 0;
const TDX: u32 = 0x81;
const QE_REPORT: u16 = 6;
const PCK_CHAIN: u16 = 5;
/// The only known vendor of quoting enclaves: Intel.
const INTEL: [u8; 16] = [
    0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07,
];

/// A quote that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quote<'a> {
    /// 4 or 5; 3 for an enclave.
    pub version: u16,
    /// Whose it is.
    pub body: Body,
    /// What the attestation key signed.
    pub(super) signed: &'a [u8],
    pub(super) signature: [u8; 64],
    /// x and y, 64 bytes.
    pub(super) attestation_key: [u8; 64],
    /// The quoting enclave's report, as signed by the PCK, and read.
    pub(super) qe_signed: &'a [u8],
    /// The quoting enclave.
    pub qe: EnclaveReport,
    pub(super) qe_signature: [u8; 64],
    pub(super) qe_authentication: &'a [u8],
    /// The PCK's chain as it came with the quote: DER, leaf first. Candidates, not anchors.
    pub chain: Vec<Vec<u8>>,
    /// Bytes after the quote, which nothing covers.
    pub trailing: Trailing,
}

/// What a quote comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A TD.
    Td(Box<TdReport>),
    /// An SGX enclave.
    Enclave(Box<EnclaveReport>),
}

/// Bytes after a quote's declared end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trailing {
    /// How many.
    pub count: usize,
    /// Whether all are zero, as left by buffers of a fixed size.
    pub zero: bool,
}

fn malformed(what: &'static str) -> Rejection {
    Rejection::QuoteMalformed { what }
}

impl<'a> Quote<'a> {
    /// Reads a quote. What follows its declared end is counted but not read.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Rejection> {
        let found = bytes.len();
        if found > MAX_QUOTE_SIZE {
            return Err(Rejection::QuoteTooLarge { found });
        }
        let (header, after_header) = take(bytes, HEADER_SIZE)?;
        let (version, tee) = read_header(header)?;
        let (body, signed_size, rest) = match version {
            5 => read_described(after_header, tee)?,
            _ => read_body(after_header, body_of(tee, version)?, HEADER_SIZE)?,
        };
        let (signed, _) = take(bytes, signed_size)?;
        let (data, after) = take_counted(rest)?;
        let signatures = Signatures::parse(data, version)?;
        Ok(Self {
            version,
            body,
            signed,
            signature: signatures.signature,
            attestation_key: signatures.attestation_key,
            qe_signed: signatures.qe_signed,
            qe: EnclaveReport::read(&mut Reader::new(
                signatures.qe_signed,
                Rejection::QuoteTruncated,
            ))?,
            qe_signature: signatures.qe_signature,
            qe_authentication: signatures.qe_authentication,
            chain: signatures.chain,
            trailing: Trailing {
                count: after.len(),
                zero: after.iter().all(|byte| *byte == 0),
            },
        })
    }

    /// The TD's report; a quote of anything else is refused.
    pub fn td(&self) -> Result<&TdReport, Rejection> {
        match &self.body {
            Body::Td(report) => Ok(report),
            Body::Enclave(_) => Err(Rejection::QuoteOfEnclave {
                version: self.version,
            }),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Enclave,
    Td(Layout),
}

fn read_header(header: &[u8]) -> Result<(u16, u32), Rejection> {
    let mut reader = Reader::new(header, Rejection::QuoteTruncated);
    let version = u16::from_le_bytes(reader.array()?);
    if !(3..=5).contains(&version) {
        return Err(Rejection::QuoteVersion { found: version });
    }
    let found = u16::from_le_bytes(reader.array()?);
    if found != ECDSA_P256 {
        return Err(Rejection::QuoteKeyType { found });
    }
    let tee = reader.u32()?;
    reader.u32()?;
    let found = reader.array()?;
    if found != INTEL {
        return Err(Rejection::QuoteVendor { found: Hex(found) });
    }
    Ok((version, tee))
}

fn body_of(tee: u32, version: u16) -> Result<Kind, Rejection> {
    match (tee, version) {
        (SGX, _) => Ok(Kind::Enclave),
        (TDX, 4..) => Ok(Kind::Td(Layout::V1)),
        (found, _) => Err(Rejection::QuoteTeeType { found }),
    }
}

/// Version 5 states the type and length of its body.
fn read_described(after_header: &[u8], tee: u32) -> Result<(Body, usize, &[u8]), Rejection> {
    let (descriptor, rest) = take(after_header, DESCRIPTOR_SIZE)?;
    let mut reader = Reader::new(descriptor, Rejection::QuoteTruncated);
    let found = u16::from_le_bytes(reader.array()?);
    let size = reader.u32()?;
    let (kind, expected) = match found {
        1 => (Kind::Enclave, ENCLAVE_SIZE),
        2 => (Kind::Td(Layout::V1), Layout::V1.size()),
        3 => (Kind::Td(Layout::V15), Layout::V15.size()),
        4 => (Kind::Td(Layout::V15Extended), Layout::V15Extended.size()),
        _ => return Err(Rejection::QuoteBodyType { found }),
    };
    if usize::try_from(size) != Ok(expected) {
        return Err(malformed("the body does not have the size of its type"));
    }
    if body_of(tee, 5)? == Kind::Enclave && kind != Kind::Enclave
        || body_of(tee, 5)? != Kind::Enclave && kind == Kind::Enclave
    {
        return Err(malformed(
            "the body does not belong to the TEE that the header names",
        ));
    }
    read_body(rest, kind, HEADER_SIZE + DESCRIPTOR_SIZE)
}

/// The body, the size of everything that is signed, and what follows.
fn read_body(bytes: &[u8], kind: Kind, before: usize) -> Result<(Body, usize, &[u8]), Rejection> {
    let size = match kind {
        Kind::Enclave => ENCLAVE_SIZE,
        Kind::Td(layout) => layout.size(),
    };
    let (content, rest) = take(bytes, size)?;
    let mut reader = Reader::new(content, Rejection::QuoteTruncated);
    let body = match kind {
        Kind::Enclave => Body::Enclave(Box::new(EnclaveReport::read(&mut reader)?)),
        Kind::Td(layout) => Body::Td(Box::new(TdReport::read(&mut reader, layout)?)),
    };
    Ok((body, before + size, rest))
}

struct Signatures<'a> {
    signature: [u8; 64],
    attestation_key: [u8; 64],
    qe_signed: &'a [u8],
    qe_signature: [u8; 64],
    qe_authentication: &'a [u8],
    chain: Vec<Vec<u8>>,
}

impl<'a> Signatures<'a> {
    fn parse(data: &'a [u8], version: u16) -> Result<Self, Rejection> {
        let (signature, rest) = take_array(data)?;
        let (attestation_key, rest) = take_array(rest)?;
        // Version 3 has no wrapper around what follows.
        let inner = if version == 3 {
            rest
        } else {
            certification(rest, QE_REPORT)?
        };
        let (qe_signed, rest) = take(inner, ENCLAVE_SIZE)?;
        let (qe_signature, rest) = take_array(rest)?;
        let (length, rest) = take_array(rest)?;
        let (qe_authentication, rest) = take(rest, usize::from(u16::from_le_bytes(length)))?;
        let text = certification(rest, PCK_CHAIN)?;
        let chain = chain(text).ok_or(malformed("the PCK chain is not PEM"))?;
        Ok(Self {
            signature,
            attestation_key,
            qe_signed,
            qe_signature,
            qe_authentication,
            chain,
        })
    }
}

/// The content of certification data, which must have this type and end where `bytes` does.
fn certification(bytes: &[u8], wanted: u16) -> Result<&[u8], Rejection> {
    let (found, rest) = take_array(bytes)?;
    let found = u16::from_le_bytes(found);
    if found != wanted {
        return Err(Rejection::QuoteCertification { found });
    }
    match take_counted(rest)? {
        (content, []) => Ok(content),
        _ => Err(malformed("certification data ends before its wrapper does")),
    }
}

fn take(bytes: &[u8], size: usize) -> Result<(&[u8], &[u8]), Rejection> {
    bytes
        .split_at_checked(size)
        .ok_or(Rejection::QuoteTruncated)
}

fn take_array<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), Rejection> {
    bytes
        .split_first_chunk()
        .map(|(head, rest)| (*head, rest))
        .ok_or(Rejection::QuoteTruncated)
}

/// A little-endian count of four bytes, that many bytes, and the rest.
fn take_counted(bytes: &[u8]) -> Result<(&[u8], &[u8]), Rejection> {
    let (count, rest) = take_array(bytes)?;
    let count =
        usize::try_from(u32::from_le_bytes(count)).map_err(|_| Rejection::QuoteTruncated)?;
    take(rest, count)
}
