//! Trust anchors: AMD's, pinned by their whole DER, and simulated ones that a policy names.

/// The anchors that a verifier accepts.
#[derive(Debug, Clone)]
pub struct Roots(());

impl Roots {
    /// AMD's roots for Milan, Genoa and Turin. No simulation.
    pub fn amd() -> Self {
        unimplemented!()
    }

    /// Also accepts the simulated root whose DER has this SHA-256. Verdicts that rest on it say `simulated`.
    #[must_use]
    pub fn and_simulated(self, _sha256: [u8; 32]) -> Self {
        unimplemented!()
    }
}
