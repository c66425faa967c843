//! The parts of a question as they were given, and how each is read. Nothing of them is trusted.

use chrysalis_attestation::{
    Collateral, Waivers, nvidia::ocsp::OcspAnswer, policy::PolicyError, snp::product::Product,
};

use super::names::{self, MAX_WORD};
use crate::{Misuse, Place, TpmQuote, Without, broken_product, of_files, rims, waivers};

/// The most bytes of all files together.
pub(super) const MAX_ALL: usize = 64 * 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Given {
    files: Vec<(String, Vec<u8>)>,
    words: Vec<(String, String)>,
}

impl Given {
    pub(super) fn file(&mut self, name: &str, bytes: &[u8]) -> Result<(), Misuse> {
        let Some((limit, most)) = names::file(name) else {
            let names = names::files();
            return Err(Misuse::new(format!(
                "no question has a file `{name}`; there are {names}"
            )));
        };
        if bytes.len() > limit {
            return Err(Misuse::new(format!("{name} has more than {limit} bytes")));
        }
        let held: usize = self.files.iter().map(|(_, bytes)| bytes.len()).sum();
        if held.saturating_add(bytes.len()) > MAX_ALL {
            return Err(Misuse::new(format!(
                "with {name}, all files together have more than {MAX_ALL} bytes"
            )));
        }
        let same = self.files.iter().filter(|(other, _)| other == name);
        if same.count() >= most {
            return Err(Misuse::new(format!(
                "{name} was given more than {most} times"
            )));
        }
        self.files.push((name.to_owned(), bytes.to_vec()));
        Ok(())
    }

    pub(super) fn word(&mut self, name: &str, text: &str) -> Result<(), Misuse> {
        let Some(most) = names::word(name) else {
            let names = names::words();
            return Err(Misuse::new(format!(
                "no question has a word `{name}`; there are {names}"
            )));
        };
        let same = self.words.iter().filter(|(other, _)| other == name);
        if text.len() > MAX_WORD || same.count() >= most {
            return Err(Misuse::new(format!(
                "{name} has more than {MAX_WORD} bytes, or was given more than {most} times"
            )));
        }
        self.words.push((name.to_owned(), text.to_owned()));
        Ok(())
    }

    /// The names of all that was given.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let files = self.files.iter().map(|(name, _)| name.as_str());
        files.chain(self.words.iter().map(|(name, _)| name.as_str()))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.names().any(|other| other == name)
    }

    /// Refuses `name` where `with` is missing.
    pub(super) fn only_with(&self, name: &str, with: &str) -> Result<(), Misuse> {
        if self.has(name) && !self.has(with) {
            return Err(Misuse::new(format!(
                "`{name}` goes with `{with}`: give it as well"
            )));
        }
        Ok(())
    }

    /// What bears on the evidence of a conversation.
    pub(super) fn collateral(&mut self) -> Result<Collateral, Misuse> {
        let (certificates, lists) = (self.all("cert"), self.all("crl"));
        Ok(Collateral {
            tdx: self.take("collateral").unwrap_or_default(),
            rims: rims(self.named("rim"))?,
            ocsp: self.answers()?,
            statements: self.all("statement"),
            ..of_files(certificates, lists)?
        })
    }

    pub(super) fn answers(&mut self) -> Result<Vec<OcspAnswer>, Misuse> {
        self.only_with("ocsp_nonce", "ocsp")?;
        let nonce = self.exactly("ocsp_nonce")?;
        let answers = self.all_placed("ocsp", Place::OCSP_ANSWER)?;
        let answer = |der| OcspAnswer { der, nonce };
        Ok(answers.into_iter().map(answer).collect())
    }

    pub(super) fn tpm(&mut self, may: &[Without]) -> Result<Option<TpmQuote>, Misuse> {
        for name in ["tpm_signature", "tpm_pcrs", "nonce"] {
            self.only_with(name, "tpm_quote")?;
        }
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
    pub(super) fn policy<T>(
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

    /// What the verification goes without. To be asked before the policy is taken.
    pub(super) fn waivers(&self, may: &[Without]) -> Result<Waivers, Misuse> {
        if self.has("accept_broken") && self.has("policy") {
            return Err(Misuse::new(
                "`accept_broken` goes without a policy: set `snp.broken` there instead",
            ));
        }
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

    pub(super) fn explains(&self) -> Result<bool, Misuse> {
        match self.one("explain") {
            Some("true") => Ok(true),
            Some("false") | None => Ok(false),
            Some(_) => Err(Misuse::new("`explain` is true or false")),
        }
    }

    pub(super) fn report_data(&self) -> Result<Option<[u8; 64]>, Misuse> {
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
    pub(super) fn placed(&mut self, name: &str, place: Place) -> Result<Vec<u8>, Misuse> {
        let placed = self.placed_if(name, place)?;
        placed.ok_or_else(|| missing(name))
    }

    pub(super) fn placed_if(
        &mut self,
        name: &str,
        place: Place,
    ) -> Result<Option<Vec<u8>>, Misuse> {
        let file = self.take(name);
        file.map(|bytes| place.take(name, &bytes)).transpose()
    }

    pub(super) fn all_placed(&mut self, name: &str, place: Place) -> Result<Vec<Vec<u8>>, Misuse> {
        let files = self.all(name).into_iter();
        files.map(|bytes| place.take(name, &bytes)).collect()
    }

    /// The files of this name, in their order.
    pub(super) fn named(&mut self, name: &str) -> Vec<(String, Vec<u8>)> {
        let files = std::mem::take(&mut self.files);
        let (found, rest) = files.into_iter().partition(|(other, _)| other == name);
        self.files = rest;
        found
    }

    pub(super) fn all(&mut self, name: &str) -> Vec<Vec<u8>> {
        let files = self.named(name).into_iter();
        files.map(|(_, bytes)| bytes).collect()
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Vec<u8>> {
        self.all(name).pop()
    }

    fn every<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let words = self.words.iter().filter(move |(other, _)| other == name);
        words.map(|(_, text)| text.as_str())
    }

    pub(super) fn one(&self, name: &str) -> Option<&str> {
        let mut words = self.words.iter().filter(|(other, _)| other == name);
        words.next_back().map(|(_, text)| text.as_str())
    }

    pub(super) fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, Misuse> {
        let bytes = self.one(name).map(hex::decode).transpose();
        bytes.map_err(|_| Misuse::new(format!("write {name} as hex digits")))
    }

    pub(super) fn exactly<const N: usize>(&self, name: &str) -> Result<Option<[u8; N]>, Misuse> {
        let bytes = self.bytes(name)?.map(<[u8; N]>::try_from).transpose();
        bytes.map_err(|_| Misuse::new(format!("write {name} as {} hex digits", 2 * N)))
    }
}

/// Why there is nothing to verify.
pub(super) fn missing(name: &str) -> Misuse {
    Misuse::new(format!(
        "there is nothing to verify without `{name}`: give it"
    ))
}
