//! A question, by the names that tests/vectors/README.md has for its parts; the command line's options have the same.

use chrysalis_attestation::{
    Collateral, Refusal, Time, Verdict, Waivers,
    evidence::{Evidence, KeyAgreement, MAX_SAVED, SavedSession, binding::Session},
    nvidia::{GpuCollateral, NvidiaRoots, ocsp::OcspAnswer},
    policy::{Policy, PolicyError},
    release::{MAX_ENVELOPE, MAX_STATEMENTS},
    snp::product::Product,
    tdx::IntelCollateral,
};
use chrysalis_settle::{Content, EpochEvidence, Kept, MAX_KEPT};
use chrysalis_verifier::{
    Artifact, GpuRequest, Judging, MAX_CONTENT, MAX_EVIDENCE, MAX_FILES, MAX_JSON, MAX_POLICY,
    Misuse, PAST, Parts, Place, Receipt, Refused, SnpRequest, TdxRequest, TdxWanted, TpmQuote,
    Without, broken_product, content_digest, gpu_evidence, gpu_policy, json, of_files, of_the_past,
    rims, waivers,
};

/// Every file that a question may have, with the most bytes of one and the most files of the name.
const FILES: [(&str, usize, usize); 22] = [
    ("bundle", MAX_SAVED, 1),
    ("report", MAX_JSON, 1),
    ("quote", MAX_EVIDENCE, 1),
    ("receipt", MAX_KEPT, 1),
    ("policy", MAX_POLICY, 1),
    ("cert", MAX_EVIDENCE, MAX_FILES),
    ("crl", MAX_EVIDENCE, MAX_FILES),
    ("statement", MAX_ENVELOPE, MAX_STATEMENTS),
    ("collateral", MAX_EVIDENCE, 1),
    ("event_log", MAX_EVIDENCE, 1),
    ("hcl_report", MAX_EVIDENCE, 1),
    ("tpm_quote", MAX_EVIDENCE, 1),
    ("tpm_signature", MAX_EVIDENCE, 1),
    ("tpm_pcrs", MAX_EVIDENCE, 1),
    ("chain", MAX_EVIDENCE, 1),
    ("switches", MAX_JSON, 1),
    ("rim", MAX_EVIDENCE, MAX_FILES),
    ("ocsp", MAX_EVIDENCE, MAX_FILES),
    ("certificate", MAX_SAVED, 1),
    ("evidence", MAX_KEPT, 1),
    ("request", MAX_CONTENT, 1),
    ("answer", MAX_CONTENT, 1),
];
/// What is no file.
const WORDS: [&str; 9] = [
    "report_data",
    "nonce",
    "ocsp_nonce",
    "spki",
    "exporter",
    "agreement",
    "without",
    "accept_broken",
    "explain",
];
/// The most words of one name.
const MAX_WORDS: usize = 16;
/// The most bytes of a word: a key of RSA-8192 in hex is shorter.
const MAX_WORD: usize = 4096;
/// The most bytes of all files together.
const MAX_ALL: usize = 64 * 1024 * 1024;

/// The most bytes of a file of this name; `None` if no question has one.
pub fn limit(name: &str) -> Option<usize> {
    let mut files = FILES.iter();
    files
        .find(|(known, ..)| *known == name)
        .map(|(_, limit, _)| *limit)
}

/// What was said so far. Nothing of it is trusted.
#[derive(Debug, Default)]
pub struct Asked {
    files: Vec<(String, Vec<u8>)>,
    words: Vec<(String, String)>,
}

impl Asked {
    /// Adds a file.
    pub fn file(&mut self, name: &str, bytes: &[u8]) -> Result<(), Misuse> {
        let known = FILES.iter().find(|(known, ..)| *known == name);
        let Some((_, limit, most)) = known else {
            let names = FILES.map(|(name, ..)| name).join(", ");
            return Err(Misuse::new(format!(
                "no question has a file `{name}`; there are {names}"
            )));
        };
        let held: usize = self.files.iter().map(|(_, bytes)| bytes.len()).sum();
        if bytes.len() > *limit || held.saturating_add(bytes.len()) > MAX_ALL {
            return Err(Misuse::new(format!("{name} has more than {limit} bytes")));
        }
        let same = self.files.iter().filter(|(other, _)| other == name);
        if same.count() >= *most {
            return Err(Misuse::new(format!(
                "{name} was given more than {most} times"
            )));
        }
        self.files.push((name.to_owned(), bytes.to_vec()));
        Ok(())
    }

    /// Adds what is no file.
    pub fn word(&mut self, name: &str, text: &str) -> Result<(), Misuse> {
        if !WORDS.contains(&name) {
            let names = WORDS.join(", ");
            return Err(Misuse::new(format!(
                "no question has a word `{name}`; there are {names}"
            )));
        }
        let same = self.words.iter().filter(|(other, _)| other == name);
        if text.len() > MAX_WORD || same.count() >= MAX_WORDS {
            return Err(Misuse::new(format!(
                "{name} has more than {MAX_WORD} letters, or was given more than {MAX_WORDS} times"
            )));
        }
        self.words.push((name.to_owned(), text.to_owned()));
        Ok(())
    }

    /// The verdict on a question of this kind at a moment, in the command line's JSON.
    pub fn verdict(mut self, kind: &str, now: Time) -> Result<String, Misuse> {
        match kind {
            "bundle" => self.bundle(now),
            "snp" => self.snp(now),
            "tdx" => self.tdx(now),
            "nvidia" => self.gpus(now),
            "receipt" => self.receipt(now),
            _ => Err(Misuse::new(format!(
                "there is no question `{kind}`; ask bundle, snp, tdx, nvidia or receipt"
            ))),
        }
    }

    fn bundle(&mut self, now: Time) -> Result<String, Misuse> {
        let waivers = self.waivers(Without::CONVERSATION)?;
        let policy = self.policy(Policy::parse)?;
        let policy = policy.map(|policy| waivers.applied_to(policy));
        let collateral = self.collateral()?;
        let judging = Judging {
            policy: policy.as_ref(),
            waivers: &waivers,
            collateral: &collateral,
            now,
            explain: self.explains(),
        };
        let found = match self.artifact()?.parts()? {
            Ok(parts) => {
                let Parts {
                    evidence,
                    conversation,
                    agreement,
                } = parts;
                let conversation = conversation.as_ref();
                let conversation = conversation.map(|(session, spki)| (session, &spki[..]));
                judging.judge(evidence, conversation, agreement)
            }
            Err(rejection) => Err(rejection.into()),
        };
        Ok(told(&found))
    }

    /// What was handed over, with the conversation that the question says it is about.
    fn artifact(&mut self) -> Result<Artifact, Misuse> {
        let bytes = self.take("bundle").or_else(|| self.take("certificate"));
        let Some(bytes) = bytes else {
            return Err(missing("bundle"));
        };
        let Some(spki) = self.bytes("spki")? else {
            return Artifact::recognise(&bytes);
        };
        let (Some(nonce), Some(exporter)) = (self.exactly("nonce")?, self.exactly("exporter")?)
        else {
            return Err(Misuse::new(
                "a conversation has `spki`, `nonce` and `exporter`: give all three",
            ));
        };
        let agreement = match self.one("agreement") {
            None => None,
            Some(name) => Some(KeyAgreement::named(name).ok_or_else(|| {
                Misuse::new(
                    "no key agreement has this name; write X25519MLKEM768, X-Wing, x25519, secp256r1 or secp384r1",
                )
            })?),
        };
        let saved = SavedSession::new(spki, nonce, exporter, bytes).agreed(agreement);
        Ok(Artifact::Session(saved))
    }

    /// What bears on the evidence of a conversation.
    fn collateral(&mut self) -> Result<Collateral, Misuse> {
        let (certificates, lists) = (self.all("cert"), self.all("crl"));
        Ok(Collateral {
            tdx: self.take("collateral").unwrap_or_default(),
            rims: rims(self.named("rim"))?,
            ocsp: self.answers()?,
            statements: self.all("statement"),
            ..of_files(certificates, lists)?
        })
    }

    fn snp(&mut self, now: Time) -> Result<String, Misuse> {
        let request = SnpRequest {
            report: self.placed("report", Place::SNP_REPORT)?,
            certificates: self.all_placed("cert", Place::SNP_CERTIFICATE)?,
            lists: self.all_placed("crl", Place::REVOCATION_LIST)?,
            statements: self.all("statement"),
            tpm: self.tpm(Without::SNP)?,
            report_data: self.report_data()?,
            policy: self.policy(Policy::parse)?,
            waivers: self.waivers(Without::SNP)?,
            explain: self.explains(),
            now,
        };
        let found = request.verify(|_, _| Ok::<(), Misuse>(()))?;
        Ok(told(&found))
    }

    fn tdx(&mut self, now: Time) -> Result<String, Misuse> {
        let collateral = self.placed("collateral", Place::TDX_COLLATERAL)?;
        let request = TdxRequest {
            quote: self.placed("quote", Place::QUOTE)?,
            collateral: IntelCollateral::parse(&collateral),
            event_log: self.placed_if("event_log", Place::EVENT_LOG)?,
            hcl_report: self.placed_if("hcl_report", Place::HCL_REPORT)?,
            statements: self.all("statement"),
            tpm: self.tpm(Without::TDX)?,
            report_data: self.report_data()?,
            wanted: self
                .policy(TdxWanted::read)?
                .unwrap_or_else(TdxWanted::nothing),
            waivers: self.waivers(Without::TDX)?,
            explain: self.explains(),
            now,
        };
        Ok(told(&request.verify()?))
    }

    fn gpus(&mut self, now: Time) -> Result<String, Misuse> {
        let waivers = self.waivers(Without::GPUS)?;
        let policy = self.policy(|text| gpu_policy(text, &waivers))?;
        let (policy, roots) = match policy {
            Some((policy, roots)) => (Some(policy), roots),
            None => (None, NvidiaRoots::nvidia()),
        };
        let report = self.placed("report", Place::GPU_REPORT)?;
        let chain = self.placed_if("chain", Place::GPU_CHAIN)?;
        let switches = self.placed_if("switches", Place::SWITCHES)?;
        let nonce = self.exactly("nonce")?.ok_or_else(|| missing("nonce"))?;
        let manifests = self.named("rim").into_iter().map(|(name, bytes)| {
            let bytes = Place::RIM.take(&name, &bytes)?;
            Ok((name, bytes))
        });
        let collateral = GpuCollateral {
            rims: rims(manifests.collect::<Result<_, Misuse>>()?)?,
            ocsp: self.answers()?,
        };
        let evidence = gpu_evidence("report", &report, chain.as_deref(), switches.as_deref())?;
        let found = match evidence {
            Ok(evidence) => {
                let request = GpuRequest {
                    evidence,
                    nonce,
                    roots,
                    collateral,
                    policy,
                    waivers,
                    explain: self.explains(),
                    now,
                };
                request.verify()
            }
            Err(rejection) => Err(rejection.into()),
        };
        Ok(told(&found))
    }

    fn receipt(&mut self, now: Time) -> Result<String, Misuse> {
        let policy = self.policy(Policy::parse)?;
        let policy = policy.ok_or_else(|| missing("policy"))?;
        let policy = of_the_past(policy, PAST);
        let waivers = Waivers {
            freshness: Some(PAST.to_owned()),
            ..Waivers::default()
        };
        let collateral = self.collateral()?;
        let mut digest = |name| self.take(name).map(|body| content_digest(&body));
        let content = Content {
            request: digest("request"),
            answer: digest("answer"),
        };
        let file = self.take("receipt").ok_or_else(|| missing("receipt"))?;
        let named = self.take("evidence");
        let judging = Judging {
            policy: Some(&policy),
            waivers: &waivers,
            collateral: &collateral,
            now,
            explain: false,
        };
        let verified = match Kept::decode(&file) {
            Err(rejection) => Err(rejection.into()),
            Ok(kept) => {
                let epoch = match (named, &kept.evidence) {
                    (Some(bytes), _) => EpochEvidence::decode(&bytes)
                        .map_err(|why| Misuse::new(format!("`evidence` cannot be used: {why}")))?,
                    (None, Some(evidence)) => evidence.clone(),
                    (None, None) => {
                        return Err(Misuse::new(
                            "the receipt does not bring the evidence that it names: give the .evidence file that the proxy kept beside it, \
                             or pack both with `chrysalis receipt pack`",
                        ));
                    }
                };
                proved(&judging, kept, &epoch, content)
            }
        };
        Ok(match verified {
            Ok(receipt) => receipt.json().to_string(),
            Err(refused) => refused.json().to_string(),
        })
    }

    fn answers(&mut self) -> Result<Vec<OcspAnswer>, Misuse> {
        let nonce = self.exactly("ocsp_nonce")?;
        let answers = self.all_placed("ocsp", Place::OCSP_ANSWER)?;
        let answer = |der| OcspAnswer { der, nonce };
        Ok(answers.into_iter().map(answer).collect())
    }

    fn tpm(&mut self, may: &[Without]) -> Result<Option<TpmQuote>, Misuse> {
        let Some(quote) = self.take("tpm_quote") else {
            return Ok(None);
        };
        let (signature, pcrs) = (self.take("tpm_signature"), self.take("tpm_pcrs"));
        let pcrs = pcrs.as_deref().map(|bytes| ("tpm_pcrs", bytes));
        let quote = TpmQuote::read("tpm_quote", &quote, signature.as_deref(), pcrs)?;
        let quote = quote.asked(self.bytes("nonce")?);
        Ok(Some(quote.waiving(&self.without(may)?)))
    }

    /// What is read of the policy's text, if there is a policy.
    fn policy<T>(
        &mut self,
        read: impl FnOnce(&str) -> Result<T, PolicyError>,
    ) -> Result<Option<T>, Misuse> {
        let Some(bytes) = self.take("policy") else {
            return Ok(None);
        };
        let text = String::from_utf8(bytes);
        let text = text.map_err(|_| Misuse::new("the policy is not text"))?;
        let read = read(&text);
        read.map(Some)
            .map_err(|why| Misuse::new(format!("the policy cannot be used: {why}")))
    }

    fn waivers(&self, may: &[Without]) -> Result<Waivers, Misuse> {
        let broken = self.every("accept_broken").map(broken_product);
        let broken: Vec<Product> = broken.collect::<Result<_, _>>().map_err(Misuse::new)?;
        Ok(waivers(&self.without(may)?, &broken))
    }

    fn without(&self, may: &[Without]) -> Result<Vec<Without>, Misuse> {
        let known = |name: &str| {
            let input = Without::named(name).filter(|input| may.contains(input));
            input.ok_or_else(|| {
                let names: Vec<_> = may.iter().map(|input| input.name()).collect();
                let names = names.join(", ");
                Misuse::new(format!(
                    "nothing goes without `{name}` here; this may go without {names}"
                ))
            })
        };
        self.every("without").map(known).collect()
    }

    fn explains(&self) -> bool {
        self.one("explain") == Some("true")
    }

    fn report_data(&self) -> Result<Option<[u8; 64]>, Misuse> {
        let Some(given) = self.bytes("report_data")? else {
            return Ok(None);
        };
        let mut data = [0; 64];
        let place = data.get_mut(..given.len()).filter(|_| !given.is_empty());
        let place = place.ok_or_else(|| Misuse::new("report_data has from 1 to 64 bytes"))?;
        place.copy_from_slice(&given);
        Ok(Some(data))
    }

    /// The file of this name, which must be there and look like what belongs in this place.
    fn placed(&mut self, name: &str, place: Place) -> Result<Vec<u8>, Misuse> {
        let placed = self.placed_if(name, place)?;
        placed.ok_or_else(|| missing(name))
    }

    fn placed_if(&mut self, name: &str, place: Place) -> Result<Option<Vec<u8>>, Misuse> {
        let file = self.take(name);
        file.map(|bytes| place.take(name, &bytes)).transpose()
    }

    fn all_placed(&mut self, name: &str, place: Place) -> Result<Vec<Vec<u8>>, Misuse> {
        let files = self.all(name).into_iter();
        files.map(|bytes| place.take(name, &bytes)).collect()
    }

    /// The files of this name, in their order.
    fn named(&mut self, name: &str) -> Vec<(String, Vec<u8>)> {
        let files = std::mem::take(&mut self.files);
        let (found, rest) = files.into_iter().partition(|(other, _)| other == name);
        self.files = rest;
        found
    }

    fn all(&mut self, name: &str) -> Vec<Vec<u8>> {
        let files = self.named(name).into_iter();
        files.map(|(_, bytes)| bytes).collect()
    }

    fn take(&mut self, name: &str) -> Option<Vec<u8>> {
        self.all(name).pop()
    }

    fn every<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let words = self.words.iter().filter(move |(other, _)| other == name);
        words.map(|(_, text)| text.as_str())
    }

    fn one(&self, name: &str) -> Option<&str> {
        let mut words = self.words.iter().filter(|(other, _)| other == name);
        words.next_back().map(|(_, text)| text.as_str())
    }

    fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, Misuse> {
        let bytes = self.one(name).map(hex::decode).transpose();
        bytes.map_err(|_| Misuse::new(format!("write {name} as hex digits")))
    }

    fn exactly<const N: usize>(&self, name: &str) -> Result<Option<[u8; N]>, Misuse> {
        let bytes = self.bytes(name)?.map(<[u8; N]>::try_from).transpose();
        bytes.map_err(|_| Misuse::new(format!("write {name} as {} hex digits", 2 * N)))
    }
}

/// Evidence, the key in it, and the receipt that the key signed.
fn proved(
    judging: &Judging<'_>,
    kept: Kept,
    epoch: &EpochEvidence,
    content: Content,
) -> Result<Receipt, Refused> {
    let evidence = Evidence::decode(&epoch.bundle).map_err(Refusal::from)?;
    let conversation = Some((&Session::Boot, &epoch.spki[..]));
    let found = judging.judge(evidence.clone(), conversation, None)?;
    Receipt::verify(kept, &evidence, found, content)
}

/// The verdict of any walk, as the command line prints it.
fn told<T>(found: &Result<T, Refusal>) -> String
where
    for<'a> &'a T: Into<Verdict<'a>>,
{
    json(&Verdict::of(found)).to_string()
}

fn missing(name: &str) -> Misuse {
    Misuse::new(format!(
        "there is nothing to verify without `{name}`: give it"
    ))
}
