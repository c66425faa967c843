//! A receipt to keep: with what anyone needs to verify it again, offline. In one file with the epoch's evidence, or beside it.

use chrysalis_attestation::{
    encoding::cbor::{self, Fields, Value},
    evidence::MAX_BUNDLE,
};

use crate::{
    Attested, Job, Receipt, Rejection, STATEMENT_LENGTH, Statement, Tag, chain, money,
    statement::take,
};

/// The most bytes of a kept receipt: a bundle and little else.
pub const MAX_KEPT: usize = MAX_BUNDLE + 8192;
/// The most bytes of a public key; an RSA-8192 key is shorter.
const MAX_SPKI: usize = 2048;

/// An epoch's evidence, and the TLS key that it is bound to. Untrusted until it has been verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochEvidence {
    /// DER `SubjectPublicKeyInfo` of the enclave's TLS key.
    pub spki: Vec<u8>,
    /// The bundle, with or without endorsements.
    pub bundle: Vec<u8>,
}

impl EpochEvidence {
    /// Deterministic CBOR of `{spki, bundle}`.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(&self.value())
    }

    /// Reads the one encoding.
    pub fn decode(bytes: &[u8]) -> Result<Self, Rejection> {
        let wrong = Rejection::KeptMalformed {
            what: "no evidence of an epoch",
        };
        Some(bytes)
            .filter(|bytes| bytes.len() <= MAX_KEPT)
            .and_then(cbor::decode)
            .and_then(Self::read)
            .ok_or(wrong)
    }

    fn value(&self) -> Value {
        cbor::map([
            ("spki", Value::Bytes(self.spki.clone())),
            ("bundle", Value::Bytes(self.bundle.clone())),
        ])
    }

    fn read(value: Value) -> Option<Self> {
        let mut fields = Fields::of(value)?;
        let mut take = |name, most| {
            let bytes = cbor::bytes(fields.take(name)?)?;
            (bytes.len() <= most).then_some(bytes)
        };
        let evidence = Self {
            spki: take("spki", MAX_SPKI)?,
            bundle: take("bundle", MAX_BUNDLE)?,
        };
        fields.left_over().is_none().then_some(evidence)
    }
}

/// What somebody who verifies a receipt has of the conversation: SHA-256 of the bodies. What is not there is not compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Content {
    /// Of the request's body.
    pub request: Option<[u8; 32]>,
    /// Of the answer's body up to the receipt.
    pub answer: Option<[u8; 32]>,
}

/// A receipt that a tab accepted, and what it takes to verify it without that tab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    receipt: Receipt,
    job: Job,
    statement: Statement,
    before: [u8; 32],
    /// The evidence that the job names, where the file has it as well.
    pub evidence: Option<EpochEvidence>,
}

impl Kept {
    pub(crate) fn new(receipt: Receipt, job: Job, statement: Statement, before: [u8; 32]) -> Self {
        Self {
            receipt,
            job,
            statement,
            before,
            evidence: None,
        }
    }

    /// The job. Not verified.
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// What the enclave signed. Not verified.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Deterministic CBOR of `{job, statement, signature, before}`, and `evidence` where it is there.
    pub fn encode(&self) -> Vec<u8> {
        let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
        let fields = [
            ("job", bytes(&self.receipt.job)),
            ("statement", bytes(&self.statement.encode())),
            ("signature", bytes(&self.receipt.signature)),
            ("before", bytes(&self.before)),
        ];
        let evidence = self.evidence.as_ref();
        let evidence = evidence.map(|evidence| ("evidence", evidence.value()));
        let fields = fields.into_iter().chain(evidence);
        let fields = fields.map(|(name, value)| (Value::Text(name.to_owned()), value));
        cbor::encode(&Value::Map(fields.collect()))
    }

    /// Reads the one encoding. The job and the statement are read as well, and nothing is verified.
    pub fn decode(bytes: &[u8]) -> Result<Self, Rejection> {
        let wrong = |what| Rejection::KeptMalformed { what };
        if bytes.len() > MAX_KEPT {
            return Err(wrong("it is too long"));
        }
        let value = cbor::decode(bytes).ok_or(wrong("not deterministic CBOR"))?;
        let mut fields = Fields::of(value).ok_or(wrong("not a map"))?;
        let job = fields.take("job").and_then(cbor::bytes);
        let job = job.ok_or(wrong("no job"))?;
        let statement: [u8; STATEMENT_LENGTH] = fields
            .bytes("statement")
            .ok_or(wrong("no statement of 83 bytes"))?;
        let signature = fields
            .bytes("signature")
            .ok_or(wrong("no signature of 64 bytes"))?;
        let before = fields.bytes("before").ok_or(wrong("no head before"))?;
        let evidence = match fields.take("evidence") {
            None => None,
            Some(value) => {
                Some(EpochEvidence::read(value).ok_or(wrong("no evidence of an epoch"))?)
            }
        };
        if fields.left_over().is_some() {
            return Err(wrong("an unknown field"));
        }
        let statement = Statement::decode(&statement)?;
        Ok(Self {
            job: Job::decode(&job)?,
            receipt: Receipt { job, signature },
            statement,
            before,
            evidence,
        })
    }

    /// Whether `bytes` begin as a kept receipt does.
    pub fn is_one(bytes: &[u8]) -> bool {
        // A map of four or five whose first key is `job`: the shortest.
        let (start, _) = take::<5>(bytes);
        matches!(start, [0xA4 | 0xA5, 0x63, b'j', b'o', b'b'])
    }

    /// Verifies it, once the evidence that it names has been: the signature, the head, the sums, the evidence, the content. The job that
    /// comes back is what the enclave signed.
    pub fn verify(&self, attested: &Attested, content: &Content) -> Result<&Job, Rejection> {
        let (job, statement) = (&self.job, &self.statement);
        let key = &attested.receipt_key;
        if statement.tag != Tag::Receipt || !statement.is_signed(key, &self.receipt.signature) {
            return Err(Rejection::Signature);
        }
        if statement.last != chain::next_head(&self.before, &self.receipt.job) {
            return Err(Rejection::Chain {
                what: "the signed head does not come of this job",
            });
        }
        let first = job.seq == 1;
        if first != (self.before == chain::first_head(key, &statement.tab)) {
            return Err(Rejection::Chain {
                what: "only the first job follows the tab's first head",
            });
        }
        sums(job, statement, first)?;
        attested.check(job)?;
        for (body, commitment, commit, what) in [
            (
                content.request,
                job.request,
                chain::request_commitment as fn(&_, &_) -> _,
                "request",
            ),
            (
                content.answer,
                job.response,
                chain::response_commitment,
                "answer",
            ),
        ] {
            if body.is_some_and(|body| commit(&job.job, &body) != commitment) {
                return Err(Rejection::Content { what });
            }
        }
        Ok(job)
    }
}

/// What can be known of sums without the receipts before and the quote.
fn sums(job: &Job, statement: &Statement, first: bool) -> Result<(), Rejection> {
    let wrong = |what| Err(Rejection::Sum { what });
    if statement.amount != job.cumulative {
        return wrong("the signed sum is not the job's");
    }
    if job.cumulative < job.amount || (first && job.cumulative != job.amount) {
        return wrong("the sum is not the last one with this amount");
    }
    let unpaid = statement.tab.lane == 0;
    if unpaid != (job.quote == money::unpaid_quote()) {
        return Err(Rejection::Quote);
    }
    if unpaid && job.cumulative != 0 {
        return wrong("nobody pays on this tab, and something is owed");
    }
    Ok(())
}
