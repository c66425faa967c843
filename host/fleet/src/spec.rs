//! What is wanted.

use std::collections::BTreeSet;

/// An image, by its launch digest or by whatever else the policy names it by: 48 bytes of SNP, or a digest of TDX's measurements.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Image(pub Vec<u8>);

/// A fleet as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    image: Image,
    accepted: BTreeSet<Image>,
    replicas: usize,
    away: usize,
    surplus: usize,
}

/// With no machine away and none more than there should be, none can be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no machine can be replaced: let one be away, or have room for one more")]
pub struct NoProgress;

impl Spec {
    /// So many machines with this image. `accepted` are the images of the policy that relying parties verify by. While machines are
    /// replaced, `away` of them may be missing, and there may be `surplus` more, those that drain included.
    ///
    /// # Errors
    ///
    /// If both are 0.
    pub fn new(
        image: Image,
        accepted: BTreeSet<Image>,
        replicas: usize,
        away: usize,
        surplus: usize,
    ) -> Result<Self, NoProgress> {
        if away == 0 && surplus == 0 {
            return Err(NoProgress);
        }
        Ok(Self {
            image,
            accepted,
            replicas,
            away,
            surplus,
        })
    }

    /// What every machine should run.
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// Whether relying parties accept the wanted image. If not, the fleet stays as it is: say so to whoever wants it.
    pub fn is_accepted(&self) -> bool {
        self.accepts(&self.image)
    }

    /// Whether relying parties accept this one.
    pub fn accepts(&self, image: &Image) -> bool {
        self.accepted.contains(image)
    }

    /// How many machines should serve.
    pub fn replicas(&self) -> usize {
        self.replicas
    }

    /// The fewest that serve while others are replaced.
    pub fn fewest(&self) -> usize {
        self.replicas.saturating_sub(self.away)
    }

    /// The most that there may be at once.
    pub fn most(&self) -> usize {
        self.replicas.saturating_add(self.surplus)
    }
}
