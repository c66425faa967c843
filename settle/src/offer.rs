//! What an enclave offers: one of its models, and how much of it at a time. Signed, so that whoever lists it can leave it out but not
//! change it.

use chrysalis_attestation::{
    encoding::{
        cbor::{self, Fields, Value},
        digest::sha256,
    },
    evidence::{
        binding::label,
        claims::{KINDS, is_name},
    },
    verify_ed25519,
};

use crate::{
    Rejection, Sign,
    fields::{self, number, read_signed, signed},
};

/// The most bytes of a signed offer; one has about 450.
pub const MAX_OFFER: usize = 768;
/// What may vouch for an enclave's CPU.
pub const PLATFORMS: [&str; 3] = ["snp", "tdx", "simulated"];
/// The version that this library reads.
const VERSION: u64 = 1;

/// One model at one enclave, in one epoch of its trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The enclave's, which signs this.
    pub receipt_key: [u8; 32],
    /// The epoch, as `claims.epoch`.
    pub epoch: u64,
    /// SHA-256 of the epoch's bundle without endorsements, as jobs name it.
    pub evidence: [u8; 32],
    /// SHA-256 of the measured configuration.
    pub configuration: [u8; 32],
    /// The enclave program's version.
    pub release: String,
    /// One of [`PLATFORMS`].
    pub platform: String,
    /// GPUs that the enclave has verified.
    pub gpus: u64,
    /// The model's name at this enclave.
    pub model: String,
    /// What it is for: one of the claims' kinds.
    pub kind: String,
    /// SHA-256 of its weights: the class that it belongs to.
    pub weights: [u8; 32],
    /// The most tokens of prompt and answer together; 0 where tokens are not what it reads.
    pub context: u64,
    /// Answers that it works on at a time.
    pub slots: u64,
    /// Tokens a second over the last epoch of the price, all answers together; 0 where there were none.
    pub tokens_per_second: u64,
}

impl Offer {
    /// Deterministic CBOR.
    pub fn encode(&self) -> Vec<u8> {
        let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
        let text = |text: &str| Value::Text(text.to_owned());
        cbor::encode(&cbor::map([
            ("version", number(VERSION)),
            ("receipt_key", bytes(&self.receipt_key)),
            ("epoch", number(self.epoch)),
            ("evidence", bytes(&self.evidence)),
            ("configuration", bytes(&self.configuration)),
            ("release", text(&self.release)),
            ("platform", text(&self.platform)),
            ("gpus", number(self.gpus)),
            ("model", text(&self.model)),
            ("kind", text(&self.kind)),
            ("weights", bytes(&self.weights)),
            ("context", number(self.context)),
            ("slots", number(self.slots)),
            ("tokens_per_second", number(self.tokens_per_second)),
        ]))
    }

    fn decode(bytes: &[u8]) -> Result<Self, Rejection> {
        fields::whole(bytes, MAX_OFFER, VERSION, Self::fields)
            .map_err(|what| Rejection::OfferMalformed { what })
    }

    fn fields(fields: &mut Fields) -> Option<Self> {
        let mut word = |name| fields.text(name).filter(|word| is_name(word));
        let (release, model) = (word("release")?, word("model")?);
        let platform = word("platform").filter(|it| PLATFORMS.contains(&it.as_str()))?;
        let kind = word("kind").filter(|it| KINDS.contains(&it.as_str()))?;
        Some(Self {
            receipt_key: fields.bytes("receipt_key")?,
            epoch: fields.number("epoch")?,
            evidence: fields.bytes("evidence")?,
            configuration: fields.bytes("configuration")?,
            release,
            platform,
            gpus: fields.number("gpus")?,
            model,
            kind,
            weights: fields.bytes("weights")?,
            context: fields.number("context")?,
            slots: fields.number("slots").filter(|slots| *slots > 0)?,
            tokens_per_second: fields.number("tokens_per_second")?,
        })
    }

    /// Signs it. `None`: the key is gone.
    pub fn sign(&self, key: &impl Sign) -> Option<SignedOffer> {
        let offer = self.encode();
        let signature = key.sign(&digest(&offer))?;
        Some(SignedOffer { offer, signature })
    }
}

/// `SHA-256(label("chrysalis/offer/v1") ‖ offer)`.
fn digest(offer: &[u8]) -> [u8; 32] {
    sha256(&[&label("chrysalis/offer/v1"), offer])
}

/// An offer with its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedOffer {
    /// The offer, encoded.
    pub offer: Vec<u8>,
    /// Ed25519 by the receipt key over `SHA-256(label("chrysalis/offer/v1") ‖ offer)`.
    pub signature: [u8; 64],
}

impl SignedOffer {
    /// Deterministic CBOR of `{offer: bytes, signature: bytes 64}`.
    pub fn encode(&self) -> Vec<u8> {
        signed("offer", &self.offer, &self.signature)
    }

    /// Reads the one encoding, and checks the signature. That the key is an enclave's, evidence alone says.
    pub fn verify(bytes: &[u8]) -> Result<Offer, Rejection> {
        let (offer, signature) = read_signed(bytes, MAX_OFFER, ("offer", "no offer"))
            .map_err(|what| Rejection::OfferMalformed { what })?;
        let read = Offer::decode(&offer)?;
        verify_ed25519(&read.receipt_key, &digest(&offer), &signature)
            .map_err(|_| Rejection::OfferSignature)?;
        Ok(read)
    }
}
