//! A listing: an operator says that an enclave of theirs serves a model, where, and who is paid. The enclave's own offer is in it.

use std::collections::BTreeSet;

use chrysalis_attestation::{
    Time,
    encoding::{
        cbor::{self, Fields, Value},
        digest::sha256,
    },
    evidence::{binding::label, claims::Claims},
    verify_ed25519,
};
use chrysalis_settle::{
    Attested, MAX_OFFER, Offer, Sign, SignedOffer,
    fields::{self, number, read_signed, signed},
};

use crate::{Descriptor, Endpoint, ProviderId, Rejection};

/// The most bytes of a signed listing; one has about 850.
pub const MAX_LISTING: usize = 1024;
/// The most addresses of one enclave.
pub const MAX_ENDPOINTS: usize = 4;
/// How far ahead a listing may end, in seconds.
pub const MAX_AHEAD: i64 = 3600;
/// The most bytes of a region's name.
const MAX_REGION: usize = 32;
/// The version that this library reads.
const VERSION: u64 = 1;

/// One model at one enclave, listed by its operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// [`Descriptor::id`].
    pub network: [u8; 32],
    /// The operator's Ed25519 key, which signs this.
    pub operator: [u8; 32],
    /// Of two listings of one operator and enclave, the one with the greater number counts.
    pub seq: u64,
    /// Who is paid: an account in workchain 0. All zeros: nobody can be, answers are free.
    pub payee: [u8; 32],
    /// Nano: the smallest lane that the operator serves.
    pub lane_min: u64,
    /// Seconds: the shortest delay of a lane's closing that the operator serves.
    pub delay_min: u64,
    /// Where the enclave answers: 1 to [`MAX_ENDPOINTS`].
    pub endpoints: Vec<Endpoint>,
    /// Where it stands, as the operator says: a hint. May be empty.
    pub region: String,
    /// A signed offer, encoded.
    pub offer: Vec<u8>,
    /// Unix seconds: when it ends, at most [`MAX_AHEAD`] from now.
    pub until: i64,
}

impl Listing {
    /// Deterministic CBOR.
    pub fn encode(&self) -> Vec<u8> {
        let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
        let endpoints = self.endpoints.iter();
        let endpoints = endpoints.map(|it| Value::Text(it.to_string())).collect();
        cbor::encode(&cbor::map([
            ("version", number(VERSION)),
            ("network", bytes(&self.network)),
            ("operator", bytes(&self.operator)),
            ("seq", number(self.seq)),
            ("payee", bytes(&self.payee)),
            ("lane_min", number(self.lane_min)),
            ("delay_min", number(self.delay_min)),
            ("endpoints", Value::Array(endpoints)),
            ("region", Value::Text(self.region.clone())),
            ("offer", bytes(&self.offer)),
            ("until", Value::Integer(self.until.into())),
        ]))
    }

    fn decode(bytes: &[u8]) -> Result<Self, Rejection> {
        fields::whole(bytes, MAX_LISTING, VERSION, Self::fields)
            .map_err(|what| Rejection::ListingMalformed { what })
    }

    fn fields(fields: &mut Fields) -> Option<Self> {
        let region = fields
            .text("region")
            .filter(|it| it.len() <= MAX_REGION && it.bytes().all(|byte| byte.is_ascii_graphic()));
        Some(Self {
            network: fields.bytes("network")?,
            operator: fields.bytes("operator")?,
            seq: fields.number("seq")?,
            payee: fields.bytes("payee")?,
            lane_min: fields.number("lane_min")?,
            delay_min: fields.number("delay_min")?,
            endpoints: endpoints(fields.take("endpoints")?)?,
            region: region?,
            offer: fields
                .take("offer")
                .and_then(cbor::bytes)
                .filter(|offer| offer.len() <= MAX_OFFER)?,
            until: fields.number("until")?,
        })
    }

    /// Signs it. `None`: the key is gone.
    pub fn sign(&self, key: &impl Sign) -> Option<Vec<u8>> {
        let listing = self.encode();
        let signature = key.sign(&digest(&listing))?;
        Some(signed("listing", &listing, &signature))
    }
}

fn endpoints(value: Value) -> Option<Vec<Endpoint>> {
    let values = cbor::array(value)?;
    if !(1..=MAX_ENDPOINTS).contains(&values.len()) {
        return None;
    }
    let endpoint = |value| match value {
        Value::Text(text) => Endpoint::parse(&text),
        _ => None,
    };
    let read: Vec<_> = values.into_iter().map(endpoint).collect::<Option<_>>()?;
    let different: BTreeSet<_> = read.iter().collect();
    (different.len() == read.len()).then_some(read)
}

/// `SHA-256(label("chrysalis/listing/v1") ‖ listing)`.
fn digest(listing: &[u8]) -> [u8; 32] {
    sha256(&[&label("chrysalis/listing/v1"), listing])
}

/// A listing whose signatures hold: the operator's, and the enclave's on the offer in it. Whether an enclave has that key, evidence alone says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedListing {
    bytes: Vec<u8>,
    listing: Listing,
    offer: Offer,
}

impl SignedListing {
    /// Reads the one encoding of `{listing: bytes, signature: bytes 64}`, and checks both signatures.
    pub fn verify(bytes: &[u8]) -> Result<Self, Rejection> {
        let (listing, signature) = read_signed(bytes, MAX_LISTING, ("listing", "no listing"))
            .map_err(|what| Rejection::ListingMalformed { what })?;
        let read = Listing::decode(&listing)?;
        verify_ed25519(&read.operator, &digest(&listing), &signature)
            .map_err(|_| Rejection::ListingSignature)?;
        Ok(Self {
            bytes: bytes.to_vec(),
            offer: SignedOffer::verify(&read.offer)?,
            listing: read,
        })
    }

    /// Is it for this network, of one of its models, and valid at this time?
    pub fn check(&self, network: &Descriptor, now: Time) -> Result<(), Rejection> {
        if self.listing.network != network.id() {
            return Err(Rejection::ListingNetwork);
        }
        network
            .class_of(&self.offer.weights)
            .ok_or(Rejection::ListingClass)?;
        let until = Time(self.listing.until);
        if now >= until {
            return Err(Rejection::ListingExpired { until });
        }
        if until.0 > now.0.saturating_add(MAX_AHEAD) {
            return Err(Rejection::ListingTooLong { until });
        }
        Ok(())
    }

    /// Is the offer about this enclave, whose evidence has been verified? A client compares everything but the epoch's evidence, which a
    /// listing may be behind: `exact` asks for that as well.
    pub fn is_about(
        &self,
        claims: &Claims,
        attested: &Attested,
        exact: bool,
    ) -> Result<(), Rejection> {
        let offer = &self.offer;
        let model = claims.models.iter().find(|it| it.name == offer.model);
        for (same, what) in [
            (offer.receipt_key == attested.receipt_key, "receipt key"),
            (offer.configuration == claims.configuration, "configuration"),
            (offer.release == claims.release, "release"),
            (
                model.is_some_and(|it| it.weights == offer.weights && it.kind == offer.kind),
                "model",
            ),
            (!exact || offer.epoch == attested.epoch, "epoch"),
            (!exact || offer.evidence == attested.evidence, "bundle"),
        ] {
            if !same {
                return Err(Rejection::ListingMismatch { what });
            }
        }
        Ok(())
    }

    /// As it was read.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What the operator says.
    pub fn listing(&self) -> &Listing {
        &self.listing
    }

    /// What the enclave says.
    pub fn offer(&self) -> &Offer {
        &self.offer
    }

    /// What directories call it.
    pub fn id(&self) -> ProviderId {
        ProviderId::of(
            &self.listing.operator,
            &self.offer.receipt_key,
            &self.offer.weights,
        )
    }
}
