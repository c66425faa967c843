//! Intel's words for how current a platform is, and how the words for its parts combine into one.

use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! statuses {
    ($($(#[doc = $doc:literal])+ $name:ident),+ $(,)?) => {
        /// How current a platform is, in Intel's words.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Status {
            $($(#[doc = $doc])+ $name),+
        }

        impl Status {
            /// Every status.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Intel's word.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name)),+
                }
            }
        }
    };
}

statuses! {
    /// The platform is up to date.
    UpToDate,
    /// The software in the TD must defend itself against known flaws.
    SWHardeningNeeded,
    /// The platform should be configured differently.
    ConfigurationNeeded,
    /// Both of these.
    ConfigurationAndSWHardeningNeeded,
    /// Updates are missing.
    OutOfDate,
    /// Updates are missing, and the platform should be configured differently.
    OutOfDateConfigurationNeeded,
    /// The platform was updated after the TD was launched.
    TDRelaunchAdvised,
    /// The same, and the platform should be configured differently.
    TDRelaunchAdvisedConfigurationNeeded,
    /// Its keys must no longer be trusted. No policy can accept this.
    Revoked,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl Status {
    /// The status with this word, if there is one.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|status| status.word() == word)
    }

    /// Whether the TDX module and the quoting enclave can have this status.
    pub(super) fn is_of_component(self) -> bool {
        matches!(self, Self::UpToDate | Self::OutOfDate | Self::Revoked)
    }

    /// The platform's status when combined with that of one of its components.
    pub(super) fn converge(self, component: Self) -> Self {
        match (component, self) {
            (Self::Revoked, _) => Self::Revoked,
            (Self::OutOfDate, Self::UpToDate | Self::SWHardeningNeeded) => Self::OutOfDate,
            (
                Self::OutOfDate,
                Self::ConfigurationNeeded | Self::ConfigurationAndSWHardeningNeeded,
            ) => Self::OutOfDateConfigurationNeeded,
            (_, platform) => platform,
        }
    }

    /// Whether no update is missing.
    pub(super) fn is_current(self) -> bool {
        self == Self::UpToDate || self == Self::SWHardeningNeeded || self.wants_configuration()
    }

    /// Whether, apart from updates, the platform should be configured differently.
    pub(super) fn wants_configuration(self) -> bool {
        matches!(
            self,
            Self::ConfigurationNeeded | Self::ConfigurationAndSWHardeningNeeded
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Status::{self, *};

    #[test]
    fn statuses_converge_as_intels_table_says() {
        for platform in Status::ALL {
            assert_eq!(platform.converge(UpToDate), *platform);
            assert_eq!(platform.converge(Revoked), Revoked);
        }
        for (platform, out_of_date) in [
            (UpToDate, OutOfDate),
            (SWHardeningNeeded, OutOfDate),
            (ConfigurationNeeded, OutOfDateConfigurationNeeded),
            (
                ConfigurationAndSWHardeningNeeded,
                OutOfDateConfigurationNeeded,
            ),
            (OutOfDate, OutOfDate),
            (OutOfDateConfigurationNeeded, OutOfDateConfigurationNeeded),
            (TDRelaunchAdvised, TDRelaunchAdvised),
            (
                TDRelaunchAdvisedConfigurationNeeded,
                TDRelaunchAdvisedConfigurationNeeded,
            ),
            (Revoked, Revoked),
        ] {
            assert_eq!(platform.converge(OutOfDate), out_of_date, "{platform}");
        }
    }
}
