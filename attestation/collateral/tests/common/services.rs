//! Intel's and NVIDIA's services, as a local one plays them with a simulated vendor's objects.

use chrysalis_attestation::{Time, nvidia::GpuEvidence, tdx::IntelCollateral};
use chrysalis_simulate::{
    Nvidia,
    service::{self, Answered, Asked},
};

use super::{Answer, Local};

/// Answers as Intel does about the simulated platform.
pub(crate) fn intel(local: &Local, said: &IntelCollateral) {
    serve(local, service::intel(said));
}

/// Answers as NVIDIA does about a simulated GPU: both manifests, and every certificate's answer, made `at` this time.
pub(crate) fn nvidia(local: &Local, vendor: &Nvidia, gpu: &GpuEvidence, at: Time) {
    serve(local, service::nvidia(vendor, gpu, at).unwrap());
}

/// Has every certificate's answer made at this time.
pub(crate) fn respond(local: &Local, vendor: &Nvidia, at: Time) {
    serve(local, service::ocsp(vendor, at));
}

fn serve(local: &Local, answers: Vec<Answered>) {
    for Answered { to, headers, body } in answers {
        let answer = Answer::Whole(200, headers, body);
        match to {
            Asked::Get(path) => local.answer(&path, [answer]),
            Asked::About(bytes) => local.respond(&bytes, answer),
        };
    }
}
