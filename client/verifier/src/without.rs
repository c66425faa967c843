//! What a verification may go without, by the names that the command line has for it. The verdict says that it was asked to.

use chrysalis_attestation::{
    Waivers,
    snp::{
        broken::{self, Accepted, Broken},
        product::Product,
    },
};

/// An input that may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Without {
    /// AMD's revocation list.
    Crl,
    /// OCSP answers: whether GPUs' certificates are revoked.
    Ocsp,
    /// Reference manifests: whether GPUs' firmware is one that NVIDIA published.
    Rim,
    /// The firmware's identity, which GPU reports of 2023 do not have.
    Fwid,
    /// A TD's event log.
    EventLog,
    /// Proof that the evidence is recent.
    Freshness,
    /// Values of the PCRs that a virtual TPM quoted.
    Pcrs,
    /// The conversation of a bare bundle.
    Session,
}

impl Without {
    /// Every one, by its name.
    const NAMES: [(Self, &'static str); 8] = [
        (Self::Crl, "crl"),
        (Self::Ocsp, "ocsp"),
        (Self::Rim, "rim"),
        (Self::Fwid, "fwid"),
        (Self::EventLog, "event-log"),
        (Self::Freshness, "freshness"),
        (Self::Pcrs, "pcrs"),
        (Self::Session, "session"),
    ];
    /// What a conversation's evidence may go without.
    pub const CONVERSATION: &'static [Self] = &[
        Self::Crl,
        Self::Ocsp,
        Self::Rim,
        Self::Fwid,
        Self::EventLog,
        Self::Freshness,
        Self::Session,
    ];
    /// What a report of AMD's may go without.
    pub const SNP: &'static [Self] = &[Self::Crl, Self::Freshness, Self::Pcrs];
    /// What a quote may go without.
    pub const TDX: &'static [Self] = &[Self::EventLog, Self::Freshness, Self::Pcrs];
    /// What GPUs may go without.
    pub const GPUS: &'static [Self] = &[Self::Ocsp, Self::Rim, Self::Fwid];

    /// The one with this name.
    pub fn named(name: &str) -> Option<Self> {
        let mut known = Self::NAMES.into_iter();
        known.find(|(_, known)| *known == name).map(|(it, _)| it)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        let mut known = Self::NAMES.into_iter();
        known
            .find(|(known, _)| *known == self)
            .map_or("", |(_, name)| name)
    }
}

/// The reason that stands in a verdict, if this is waived.
pub(crate) fn why(waived: &[Without], input: Without) -> Option<String> {
    let is_waived = waived.contains(&input);
    is_waived.then(|| format!("--without {}", input.name()))
}

/// These, and these product lines, accepted.
pub fn waivers(waived: &[Without], broken: &[Product]) -> Waivers {
    let why = |input| why(waived, input);
    Waivers {
        crl: why(Without::Crl),
        ocsp: why(Without::Ocsp),
        rim: why(Without::Rim),
        fwid: why(Without::Fwid),
        event_log: why(Without::EventLog),
        freshness: why(Without::Freshness),
        session: why(Without::Session),
        broken: accepted(broken),
    }
}

/// A product line by its name in policies. A sound one is not to be accepted ahead of its day.
pub fn broken_product(text: &str) -> Result<Product, String> {
    let known = |broken: &Broken| broken.product.name().to_lowercase();
    let found = broken::KNOWN.iter().find(|broken| known(broken) == text);
    found.map(|broken| broken.product).ok_or_else(|| {
        let all: Vec<_> = broken::KNOWN.iter().map(known).collect();
        format!("known to be broken: {}", all.join(", "))
    })
}

/// The broken product lines that are accepted.
fn accepted(products: &[Product]) -> Accepted {
    let known = products.iter().filter_map(|product| broken::of(*product));
    let accepted = known.map(|broken| (broken.product, accept_broken(broken)));
    accepted.collect()
}

/// How one is accepted.
pub fn accept_broken(broken: &Broken) -> String {
    let name = broken.product.name().to_lowercase();
    format!("--accept-broken {name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_broken_line_is_accepted_as_one() {
        assert_eq!(broken_product("milan"), Ok(Product::Milan));
        let error = "known to be broken: milan".to_owned();
        for sound in ["genoa", "turin", "Milan", ""] {
            assert_eq!(broken_product(sound), Err(error.clone()), "{sound}");
        }
    }

    #[test]
    fn each_has_a_name_and_stands_in_the_verdict_by_it() {
        for (input, name) in Without::NAMES {
            assert_eq!((Without::named(name), input.name()), (Some(input), name));
        }
        assert_eq!(Without::named("signature"), None);
        let waivers = waivers(&[Without::EventLog], &[]);
        assert_eq!(waivers.event_log.as_deref(), Some("--without event-log"));
        assert_eq!(waivers.crl, None);
    }
}
