//! What a verdict says about evidence, for programs: digests and identities as lower-case hex, versions and statuses as text.

use serde::Serialize;
use serde_json::Value;

use super::about::{About, Bound};
use crate::{
    appraisal::platform::Platform,
    azure::vtpm::Told,
    encoding::digest::Hex,
    evidence::claims,
    nvidia::{Gpu, Switch},
};

/// The enclave's claims, along with what the hardware says. The names are the same for every kind of evidence.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Claims<'a> {
    /// `None` where it is not known that the CPU signed for them.
    #[serde(flatten)]
    enclave: Option<&'a claims::Claims>,
    /// The CPU's, at the place where most readers look for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    measurement: Option<Hex<48>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vtpm: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gpus: Option<&'a [Gpu]>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    switches: &'a [Switch],
}

impl<'a> Claims<'a> {
    pub(super) fn of(about: &About<'a>) -> Self {
        let cpu = about.cpu;
        Self {
            enclave: match about.bound {
                Bound::Conversation(_, claims, ..) => Some(claims),
                Bound::Asked | Bound::Nothing => None,
            },
            measurement: cpu.map(|cpu| Hex(cpu.measurement())),
            cpu: cpu.map(Platform::claims),
            vtpm: about.vtpm.map(Told::claims),
            gpus: about.devices.map(|it| it.gpus.as_slice()),
            switches: about.devices.map_or(&[], |it| &it.switches),
        }
    }
}
