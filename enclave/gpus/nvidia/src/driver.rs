//! NVML: which GPUs there are, what they sign, and whether they may compute.

use chrysalis_wire::gpu::{Answer, FromGpus, MAX_GPUS, MAX_WHY, Missing, State, ToGpus};
use nvml_wrapper::{Nvml, error::NvmlError};

use crate::{sandbox, self_test, state};

/// NVIDIA's driver, once requested. It stays open as long as the worker lives: a GPU in confidential mode forgets its
/// session, and that it was ready, when the last process that holds it lets go.
#[derive(Default)]
pub(crate) struct Driver {
    nvml: Option<Nvml>,
}

/// Why a question got no answer.
enum Refused {
    Missing(Missing),
    Failed(String),
}

impl Driver {
    /// The answer to one question.
    pub(crate) fn answer(&mut self, question: &ToGpus) -> FromGpus {
        let answer = match question {
            ToGpus::State => self.state().map(FromGpus::State),
            ToGpus::Evidence { nonce } => self.evidence(nonce).map(FromGpus::Evidence),
            ToGpus::SetReady => self.set_ready().map(|()| FromGpus::Ready),
            ToGpus::SelfTest => self_test::run()
                .map(FromGpus::Tested)
                .map_err(|why| Refused::Failed(format!("{why:#}"))),
            other => Err(Refused::Failed(format!(
                "this worker does not know {other:?}"
            ))),
        };
        match answer {
            Ok(answer) => answer,
            Err(Refused::Missing(missing)) => FromGpus::Missing(missing),
            Err(Refused::Failed(mut why)) => {
                why.truncate(why.floor_char_boundary(MAX_WHY));
                FromGpus::Failed { why }
            }
        }
    }

    fn state(&mut self) -> Result<State, Refused> {
        let nvml = self.open()?;
        let gpus = nvml.device_count().map_err(refused("count the GPUs"))?;
        if gpus == 0 {
            return Err(Refused::Missing(Missing::Device));
        }
        state::read(nvml, gpus).map_err(refused("say whether the GPUs are confidential"))
    }

    fn evidence(&mut self, nonce: &[u8; 32]) -> Result<Vec<Answer>, Refused> {
        let nvml = self.open()?;
        let gpus = nvml.device_count().map_err(refused("count the GPUs"))?;
        if usize::try_from(gpus).unwrap_or(usize::MAX) > MAX_GPUS {
            return Err(Refused::Failed(format!(
                "{gpus} GPUs, more than {MAX_GPUS}"
            )));
        }
        (0..gpus)
            .map(|index| evidence_of(nvml, index, nonce))
            .collect()
    }

    /// The driver requires an administrator's privilege for this. Nothing later does, so it is given up.
    fn set_ready(&mut self) -> Result<(), Refused> {
        let nvml = self.open()?;
        let first = nvml.device_by_index(0).map_err(refused("open GPU 0"))?;
        // This is for the whole machine, whichever GPU it is called on.
        first
            .set_confidential_compute_state(true)
            .map_err(refused("set the GPUs ready"))?;
        let ready = first
            .get_confidential_compute_state()
            .map_err(refused("say whether the GPUs are ready"))?;
        if !ready {
            return Err(Refused::Failed(
                "the GPUs were set ready and are not".to_owned(),
            ));
        }
        sandbox::give_up_rights().map_err(|error| Refused::Failed(format!("{error:#}")))
    }

    fn open(&mut self) -> Result<&Nvml, Refused> {
        let nvml = match self.nvml.take() {
            Some(nvml) => nvml,
            None => Nvml::init().map_err(unopened)?,
        };
        Ok(self.nvml.insert(nvml))
    }
}

fn evidence_of(nvml: &Nvml, index: u32, nonce: &[u8; 32]) -> Result<Answer, Refused> {
    let gpu = nvml.device_by_index(index).map_err(refused("open a GPU"))?;
    let report = gpu
        .confidential_compute_gpu_attestation_report(*nonce)
        .map_err(refused("have a GPU sign"))?;
    let certificates = gpu
        .confidential_compute_gpu_certificate()
        .map_err(refused("give a GPU's certificates"))?;
    let mut chain = certificates.attestation_cert_chain;
    // Depending on the release, it counts the zero that ends the text or does not.
    while chain.last() == Some(&0) {
        chain.pop();
    }
    Ok(Answer {
        report: report.attestation_report,
        chain,
    })
}

fn refused(what: &'static str) -> impl FnOnce(NvmlError) -> Refused {
    move |error| Refused::Failed(format!("NVML could not {what}: {error}"))
}

fn unopened(error: NvmlError) -> Refused {
    match error {
        NvmlError::LibloadingError(error) => {
            let mut why = error.to_string();
            why.truncate(why.floor_char_boundary(MAX_WHY));
            Refused::Missing(Missing::Library { why })
        }
        NvmlError::DriverNotLoaded => Refused::Missing(Missing::Driver),
        error => refused("start")(error),
    }
}

/// For people who start the worker by hand.
pub(crate) fn missing(missing: &Missing) -> String {
    let why = match missing {
        Missing::Library { why } => why,
        Missing::Driver => "NVIDIA's driver is not loaded",
        _ => "NVIDIA's driver sees none",
    };
    format!("no GPU found: {why}")
}
