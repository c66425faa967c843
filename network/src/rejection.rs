//! Why a descriptor, a listing or a directory's file is refused. Each reason has a stable code, and a vector in tests/vectors/network.

use chrysalis_attestation::Time;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// The envelope of a descriptor, or a key of it.
    #[error(transparent)]
    Envelope(#[from] chrysalis_attestation::Rejection),
    /// An offer or a report.
    #[error(transparent)]
    Settle(#[from] chrysalis_settle::Rejection),
    /// Not a descriptor.
    #[error("the network's descriptor cannot be read: {what}")]
    DescriptorMalformed {
        /// What is wrong.
        what: String,
    },
    /// Fewer of the named keys signed than have to.
    #[error("{found} of the named keys signed the descriptor; {wanted} have to")]
    DescriptorSigners {
        /// How many did.
        found: usize,
        /// How many have to.
        wanted: usize,
    },
    /// It is over.
    #[error("the network's descriptor expired on {until}")]
    DescriptorExpired {
        /// When it did.
        until: Time,
    },
    /// A newer one was seen.
    #[error("this is version {found} of the network's descriptor; version {seen} was seen before")]
    DescriptorRolledBack {
        /// Its version.
        found: u64,
        /// The newest that was seen.
        seen: u64,
    },
    /// Another descriptor with the version of one that was seen.
    #[error("another descriptor with version {version} was seen before")]
    DescriptorVersionReused {
        /// The version of both.
        version: u64,
    },
    /// Not the one encoding of a listing.
    #[error("the listing is not one in deterministic CBOR: {what}")]
    ListingMalformed {
        /// What is wrong.
        what: &'static str,
    },
    /// Another key than the one in the listing signed, or other bytes.
    #[error("the listing is not signed by the operator in it")]
    ListingSignature,
    /// A listing of another network.
    #[error("the listing is for another network")]
    ListingNetwork,
    /// It is over.
    #[error("the listing ended at {until}")]
    ListingExpired {
        /// When it did.
        until: Time,
    },
    /// It would be valid for too long.
    #[error("the listing would last until {until}, which is more than an hour ahead")]
    ListingTooLong {
        /// When it would end.
        until: Time,
    },
    /// A model that the network has no class for.
    #[error("the network has no class for these weights")]
    ListingClass,
    /// The evidence is about something else than what is listed.
    #[error("the listing is not about this evidence: another {what}")]
    ListingMismatch {
        /// What differs.
        what: &'static str,
    },
    /// Not the one encoding of a directory's file.
    #[error("the directory's file is not one: {what}")]
    FileMalformed {
        /// What is wrong.
        what: &'static str,
    },
    /// Not what a host sends to a directory.
    #[error("the body is no listing with its evidence: {what}")]
    UploadMalformed {
        /// What is wrong.
        what: &'static str,
    },
    /// An address where nobody may be made to knock.
    #[error("`{address}` is not an address on the public internet")]
    EndpointPrivate {
        /// The address.
        address: String,
    },
}

impl Rejection {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Envelope(rejection) => rejection.code(),
            Self::Settle(rejection) => rejection.code(),
            Self::DescriptorMalformed { .. } => "descriptor_malformed",
            Self::DescriptorSigners { .. } => "descriptor_signers",
            Self::DescriptorExpired { .. } => "descriptor_expired",
            Self::DescriptorRolledBack { .. } => "descriptor_rolled_back",
            Self::DescriptorVersionReused { .. } => "descriptor_version_reused",
            Self::ListingMalformed { .. } => "listing_malformed",
            Self::ListingSignature => "listing_signature",
            Self::ListingNetwork => "listing_network",
            Self::ListingExpired { .. } => "listing_expired",
            Self::ListingTooLong { .. } => "listing_too_long",
            Self::ListingClass => "listing_class",
            Self::ListingMismatch { .. } => "listing_mismatch",
            Self::FileMalformed { .. } => "directory_file_malformed",
            Self::UploadMalformed { .. } => "upload_malformed",
            Self::EndpointPrivate { .. } => "endpoint_private",
        }
    }

    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Envelope(rejection) => rejection.hint(),
            Self::Settle(rejection) => rejection.hint(),
            Self::DescriptorMalformed { .. } => {
                "get the descriptor again from whoever runs the network; this program may be older than it"
            }
            Self::DescriptorSigners { .. } => {
                "compare the keys with those that the network publishes, and how many of them you ask for"
            }
            Self::DescriptorExpired { .. } => "get the network's current descriptor",
            Self::DescriptorRolledBack { .. } | Self::DescriptorVersionReused { .. } => {
                "do not use it: somebody hands out an old or a second descriptor; ask whoever runs the network"
            }
            Self::ListingMalformed { .. }
            | Self::ListingSignature
            | Self::ListingMismatch { .. } => {
                "do not use this listing; its provider has to make it anew"
            }
            Self::ListingNetwork => "list under the descriptor of this network",
            Self::ListingExpired { .. } | Self::ListingTooLong { .. } => {
                "set the clock, and list again; a listing lasts an hour at most"
            }
            Self::ListingClass => {
                "serve one of the network's models, or ask whoever runs it for a class"
            }
            Self::FileMalformed { .. } => "ask another of the network's directories",
            Self::UploadMalformed { .. } => {
                "send the deterministic CBOR of {listing: bytes, evidence: bytes}"
            }
            Self::EndpointPrivate { .. } => {
                "list an address on the public internet; in a network of your own, use --allow-private"
            }
        }
    }
}
