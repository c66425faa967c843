//! Trust anchors: AMD's, pinned by their whole DER, and simulated ones that a policy names.

use std::sync::{Arc, LazyLock};

use super::{candidate::Certificate, product::Product};
use crate::{encoding::pem, transcript::SIMULATED};

/// The organisation in the names of AMD's certificates.
pub const AMD: &str = "Advanced Micro Devices";

/// ARK, ASK and ASVK, read when the first is wanted.
static PINNED: LazyLock<[(Product, [Arc<Certificate>; 3]); 3]> = LazyLock::new(|| {
    let read = |text| {
        let certificate = Certificate::read(&pem::pinned(text));
        Arc::new(certificate.expect("the pinned files are certificates; a test reads them"))
    };
    [
        (
            Product::Milan,
            [
                read(include_str!("roots/milan-ark.pem")),
                read(include_str!("roots/milan-ask.pem")),
                read(include_str!("roots/milan-asvk.pem")),
            ],
        ),
        (
            Product::Genoa,
            [
                read(include_str!("roots/genoa-ark.pem")),
                read(include_str!("roots/genoa-ask.pem")),
                read(include_str!("roots/genoa-asvk.pem")),
            ],
        ),
        (
            Product::Turin,
            [
                read(include_str!("roots/turin-ark.pem")),
                read(include_str!("roots/turin-ask.pem")),
                read(include_str!("roots/turin-asvk.pem")),
            ],
        ),
    ]
});

/// The anchors that a verifier accepts.
#[derive(Debug, Clone)]
pub struct AmdRoots(Vec<Anchor>);

/// One accepted root (ARK).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Anchor {
    /// AMD's, with its intermediates for VCEKs (ASK) and VLEKs (ASVK): no others count below it.
    Amd {
        product: Product,
        ark: &'static Arc<Certificate>,
        ask: &'static Arc<Certificate>,
        asvk: &'static Arc<Certificate>,
    },
    /// A simulated one, by the SHA-256 of its DER: the certificate itself comes with the evidence.
    Simulated { sha256: [u8; 32] },
}

impl AmdRoots {
    /// AMD's roots for Milan, Genoa and Turin. No simulated roots.
    pub fn amd() -> Self {
        let anchor = |(product, [ark, ask, asvk]): &'static (_, [_; 3])| Anchor::Amd {
            product: *product,
            ark,
            ask,
            asvk,
        };
        Self(PINNED.iter().map(anchor).collect())
    }

    /// Also accepts the simulated root whose DER has this SHA-256. Verdicts that rest on it say `simulated`.
    #[must_use]
    pub fn and_simulated(mut self, sha256: [u8; 32]) -> Self {
        self.0.push(Anchor::Simulated { sha256 });
        self
    }

    /// The anchor whose whole DER is this certificate, which has this SHA-256.
    pub(crate) fn accept(&self, der: &[u8], sha256: &[u8; 32]) -> Option<&Anchor> {
        self.0.iter().find(|anchor| match anchor {
            Anchor::Amd { ark, .. } => ark.der == der,
            Anchor::Simulated { sha256: pinned } => pinned == sha256,
        })
    }

    /// Whether any simulated root is accepted.
    pub(crate) fn name_a_simulation(&self) -> bool {
        self.0.iter().any(Anchor::simulated)
    }

    /// The anchor of a product line whose certificate is built in, so that it need not come with the evidence.
    pub(crate) fn pinned(
        &self,
        wanted: Product,
        organisation: &str,
    ) -> Option<(&Anchor, &'static Arc<Certificate>)> {
        self.0.iter().find_map(|anchor| match anchor {
            Anchor::Amd { product, ark, .. } if *product == wanted && organisation == AMD => {
                Some((anchor, *ark))
            }
            _ => None,
        })
    }
}

impl Anchor {
    /// The organisation that every name of its chain must have.
    pub(crate) fn organisation(&self) -> &'static str {
        match self {
            Self::Amd { .. } => AMD,
            Self::Simulated { .. } => SIMULATED,
        }
    }

    /// Whether it vouches for simulated hardware.
    pub(crate) fn simulated(&self) -> bool {
        matches!(self, Self::Simulated { .. })
    }

    /// The only intermediates that count below it; `None`: those that it issued, which come with the evidence.
    pub(crate) fn intermediates(&self) -> Option<[&'static Arc<Certificate>; 2]> {
        match self {
            Self::Amd { ask, asvk, .. } => Some([ask, asvk]),
            Self::Simulated { .. } => None,
        }
    }
}

/// PEM, for tests that need one of AMD's signatures.
#[cfg(test)]
pub(crate) const ARKS: [&[u8]; 3] = [
    include_bytes!("roots/milan-ark.pem"),
    include_bytes!("roots/genoa-ark.pem"),
    include_bytes!("roots/turin-ark.pem"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::digest::sha256;

    /// ARK, ASK and ASVK from AMD's key service, as several independent verifiers pin them.
    const FINGERPRINTS: [(Product, [&str; 3]); 3] = [
        (
            Product::Milan,
            [
                "69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd",
                "67d303bd3905fd38db8b20e0793699870e7fa612eaad5dec358293fd8c0bac1b",
                "c5e081f59b7efab1fe2f8b505e159704e72f29cab7ef7cf628a05a42439082f5",
            ],
        ),
        (
            Product::Genoa,
            [
                "4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1",
                "5464738c1546aed5f2cecf1dc98c5c960a92e8913238a61711bc90ec6e828521",
                "197e610743a917d6b9bb982a5a9226ccc0a15b611be0619e626aca9151457372",
            ],
        ),
        (
            Product::Turin,
            [
                "1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a",
                "5b77ef5fe7a7a004fd9032668fba9d0fda22f88c4442069a479636a6ae3b3185",
                "104e10a8bd060a3c20a434261a57d0588fd65a88915b4f65b08bdecaf8df1a3c",
            ],
        ),
    ];

    #[test]
    fn the_pinned_certificates_are_amds() {
        let pinned: Vec<_> = AmdRoots::amd()
            .0
            .into_iter()
            .filter_map(|anchor| match anchor {
                Anchor::Amd {
                    product,
                    ark,
                    ask,
                    asvk,
                } => Some((
                    product,
                    [ark, ask, asvk].map(|it| hex::encode(sha256(&[&it.der]))),
                )),
                Anchor::Simulated { .. } => None,
            })
            .collect();
        let expected = FINGERPRINTS.map(|(product, digests)| (product, digests.map(str::to_owned)));
        assert_eq!(pinned, expected);
    }

    /// This is why verification does not check it again each time.
    #[test]
    fn the_pinned_certificates_are_issued_by_the_pinned_roots() {
        for anchor in AmdRoots::amd().0 {
            let Anchor::Amd { ark, ask, asvk, .. } = anchor else {
                panic!("AMD's")
            };
            for certificate in [ark, ask, asvk] {
                let key = ark.key.as_deref();
                assert!(certificate.signed.is_by(key, &crate::Memory::none()));
            }
        }
    }

    #[test]
    fn no_simulated_root_is_accepted_unless_named() {
        let accepted = |roots: &AmdRoots, der: &[u8]| roots.accept(der, &sha256(&[der])).copied();
        let ark = b"an ARK's DER";
        assert_eq!(accepted(&AmdRoots::amd(), ark), None);
        let sha256 = sha256(&[ark]);
        let roots = AmdRoots::amd().and_simulated(sha256);
        assert_eq!(accepted(&roots, ark), Some(Anchor::Simulated { sha256 }));
        assert_eq!(accepted(&roots, b"another"), None);
    }
}
