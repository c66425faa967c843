//! What the enclave offers, read; and listings made of it: pure, with the time and the number as arguments.

use std::collections::BTreeSet;

use chrysalis_attestation::encoding::digest::sha256;
use chrysalis_network::{Descriptor, Endpoint, Listing, SignedListing};
use chrysalis_settle::{EpochEvidence, MAX_OFFER, Offer, SignedOffer};
use chrysalis_wire::host::MAX_OFFERS;

use super::operator::Operator;

/// What the enclave offers in an epoch: what the network has a class for, each class once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Offered {
    offers: Vec<(Offer, Vec<u8>)>,
    evidence: Option<EpochEvidence>,
    /// Models that are not listed, and why.
    pub(super) left_out: Vec<(String, &'static str)>,
}

impl Offered {
    /// Reads what the enclave handed over, or says in a word why it is not taken.
    pub(super) fn read(
        offers: Vec<Vec<u8>>,
        evidence: &[u8],
        network: &Descriptor,
    ) -> Result<Self, &'static str> {
        if offers.len() > MAX_OFFERS || offers.iter().any(|it| it.len() > 2 * MAX_OFFER) {
            return Err("offer_malformed");
        }
        let evidence = EpochEvidence::decode(evidence).map_err(|rejection| rejection.code())?;
        let mut read = Self {
            evidence: Some(evidence),
            ..Self::default()
        };
        let mut weights = BTreeSet::new();
        for bytes in offers {
            let offer = SignedOffer::verify(&bytes).map_err(|rejection| rejection.code())?;
            if network.class_of(&offer.weights).is_none() {
                let why = "the network has no class for its weights";
                read.left_out.push((offer.model, why));
            } else if weights.insert(offer.weights) {
                read.offers.push((offer, bytes));
            } else {
                let why = "another model has the same weights";
                read.left_out.push((offer.model, why));
            }
        }
        Ok(read)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.offers.is_empty()
    }

    /// The models' names.
    pub(super) fn models(&self) -> Vec<&str> {
        self.offers
            .iter()
            .map(|(it, _)| it.model.as_str())
            .collect()
    }
}

/// What all listings of a run say.
pub(super) struct Terms {
    pub(super) network: [u8; 32],
    pub(super) payee: [u8; 32],
    pub(super) lane_min: u64,
    pub(super) delay_min: u64,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) region: String,
}

/// All that is listed at a time: what every directory should have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Edition {
    /// Of each listing; greater than that of any edition before.
    pub(super) seq: u64,
    /// Signed, one for each offer.
    pub(super) listings: Vec<Vec<u8>>,
    /// What the offers name, and its SHA-256.
    pub(super) evidence: Option<EpochEvidence>,
    pub(super) digest: [u8; 32],
    /// When all of it ends.
    pub(super) until: i64,
}

impl Terms {
    /// Lists what is offered until then. What no directory would take is refused here, with what to do.
    pub(super) fn list(
        &self,
        offered: &Offered,
        operator: &Operator,
        seq: u64,
        until: i64,
    ) -> Result<Edition, String> {
        let list = |offer: &[u8]| {
            let listing = Listing {
                network: self.network,
                operator: operator.key(),
                seq,
                payee: self.payee,
                lane_min: self.lane_min,
                delay_min: self.delay_min,
                endpoints: self.endpoints.clone(),
                region: self.region.clone(),
                offer: offer.to_vec(),
                until,
            };
            let signed = listing.sign(operator).ok_or("the operator's key is gone")?;
            SignedListing::verify(&signed).map_err(|rejection| {
                format!("a listing cannot be made: {rejection}\nhint: name fewer or shorter addresses with --endpoint")
            })?;
            Ok(signed)
        };
        let listings = offered.offers.iter().map(|(_, offer)| list(offer));
        let evidence = offered.evidence.clone();
        let encoded = evidence.as_ref().map(EpochEvidence::encode);
        Ok(Edition {
            seq,
            listings: listings.collect::<Result<_, String>>()?,
            digest: sha256(&[&encoded.unwrap_or_default()]),
            evidence,
            until,
        })
    }
}
