//! How a verdict describes the two main subjects of a policy: the CPU's firmware and the image.

use super::cpu::Cpu;
use crate::{
    policy::{Policy, ReleasePolicy},
    snp,
    tdx::{self, TdxPolicy},
    transcript::{Expect, NO_POLICY},
};

/// Each in a few words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) firmware: String,
    pub(crate) image: String,
}

impl Told {
    /// For a CPU that was appraised by this policy; `None`: by no policy.
    pub(crate) fn of(cpu: &Cpu, policy: Option<&Policy>) -> Self {
        match cpu {
            Cpu::Snp(genuine) => Self::snp(genuine, policy),
            Cpu::Tdx(genuine) => {
                let wanted = policy.map(|it| (it.tdx.as_ref(), it.release.as_ref()));
                Self::tdx(genuine, wanted)
            }
        }
    }

    pub(super) fn snp(genuine: &snp::Genuine, policy: Option<&Policy>) -> Self {
        let wanted = policy.and_then(|it| it.snp.as_ref());
        Self {
            firmware: wanted.map_or_else(
                || genuine.reported_tcb().to_string(),
                |policy| policy.minimum_tcb.told(),
            ),
            image: policy.map_or_else(
                || NO_POLICY.to_owned(),
                |it| image(wanted.map(|it| &it.launch_digest), it.release.as_ref()),
            ),
        }
    }

    pub(super) fn tdx(
        genuine: &tdx::Genuine,
        wanted: Option<(Option<&TdxPolicy>, Option<&ReleasePolicy>)>,
    ) -> Self {
        Self {
            firmware: genuine.td().status.to_string(),
            image: wanted.map_or_else(
                || NO_POLICY.to_owned(),
                |(policy, release)| image(policy.map(|it| &it.mrtd), release),
            ),
        }
    }
}

/// How the image compares with the policy, in evidence where nothing is wrong.
fn image<T>(expected: Option<&Expect<T>>, release: Option<&ReleasePolicy>) -> String {
    match (expected, release) {
        (Some(Expect::AnyOf(_)), Some(release)) => release.told(),
        (Some(Expect::AnyOf(_)), None) => "matches the policy".to_owned(),
        (Some(Expect::Unchecked { why }), _) => format!("not checked: {why}"),
        (None, _) => "not checked".to_owned(),
    }
}
