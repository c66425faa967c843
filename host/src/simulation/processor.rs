//! The simulated security processor, in place of AMD's on a machine without one. No hardware protects anything here.
//!
//! It measures exactly the files and the command line that QEMU gets, and the firmware that SNP would run in front of
//! them, and signs reports of the real layout under a root that says it is simulated. A relying party accepts them only
//! if its policy names that root.

use std::path::Path;

use anyhow::Context;
use chrysalis_attestation::{
    evidence::Endorsements,
    snp::{bits::GuestPolicy, tcb::Tcb},
};
use chrysalis_simulate::{Amd, Launch, VcekProfile};
use ring::rand::{SecureRandom, SystemRandom};

use crate::{clock::now, talk::say};

/// Its name wherever it appears.
pub(crate) const NAME: &str = "simulated AMD SEV-SNP (no hardware protects this machine)";

/// A processor with one guest.
pub(crate) struct Processor {
    amd: Amd,
    launch: Launch,
    tcb: Option<Tcb>,
}

/// What is launched.
pub(crate) struct Launched {
    /// What was measured of it: exactly the files and the command line that QEMU gets.
    pub(crate) launch_digest: [u8; 48],
    /// The configuration's digest.
    pub(crate) host_data: [u8; 32],
    /// What the guest's owner allows the host.
    pub(crate) policy: GuestPolicy,
    /// Other firmware levels than an up-to-date machine's.
    pub(crate) tcb: Option<Tcb>,
}

impl Processor {
    /// Vouches for a launch. The vendor's keys are in `keys`; the first time, making them takes seconds.
    pub(crate) fn launch(keys: &Path, launched: &Launched) -> anyhow::Result<Self> {
        let mut report_id = [0; 32];
        SystemRandom::new()
            .fill(&mut report_id)
            .ok()
            .context("the system provides no random numbers")?;
        let amd = Amd::open_or_create(keys, now()?, &mut |step| {
            say(format_args!("simulated processor: {step}"));
        })?;
        let mut launch = Launch::new(launched.launch_digest, launched.host_data, report_id);
        launch.policy = launched.policy;
        Ok(Self {
            amd,
            launch,
            tcb: launched.tcb,
        })
    }

    /// A signed report.
    pub(crate) fn report(&self, report_data: [u8; 64]) -> Vec<u8> {
        let mut report = self.amd.report(&self.launch, report_data);
        if let Some(tcb) = self.tcb {
            report.current_tcb = tcb.encode();
            report.reported_tcb = tcb.encode();
            report.committed_tcb = tcb.encode();
            report.launch_tcb = tcb.encode();
        }
        self.amd.sign(&report).to_vec()
    }

    /// Renews the revocation list once a day.
    pub(crate) fn renew(&mut self) -> anyhow::Result<()> {
        Ok(self.amd.renew(now()?)?)
    }

    /// What a relying party needs to check the reports.
    pub(crate) fn endorsements(&mut self) -> anyhow::Result<Endorsements> {
        let now = now()?;
        self.renew()?;
        let mut endorsements = self.amd.endorsements();
        if let Some(tcb) = self.tcb {
            // The key is derived from the levels, so its certificate names them: the first, before the authorities.
            let vcek = self.amd.issue_vcek(&VcekProfile {
                tcb,
                ..self.amd.vcek_profile(now)
            })?;
            if let Some(first) = endorsements.certificates.first_mut() {
                *first = vcek;
            }
        }
        Ok(endorsements)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use chrysalis_attestation::snp::report::Report;
    use chrysalis_simulate::TCB;

    /// A processor whose vendor all tests share: making one takes seconds.
    pub(crate) fn processor(host_data: [u8; 32]) -> Processor {
        let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../build/tests/simulated-amd");
        Processor {
            amd: Amd::open_or_create(&keys, now().unwrap(), &mut |_| ()).unwrap(),
            launch: Launch::new([3; 48], host_data, [4; 32]),
            tcb: None,
        }
    }

    impl Processor {
        pub(crate) fn root_sha256(&self) -> [u8; 32] {
            self.amd.root_sha256()
        }
    }

    #[test]
    fn reports_what_was_launched() {
        let mut processor = processor([5; 32]);
        processor.launch.policy = GuestPolicy(0xb_0000);
        let report = Report::parse(&processor.report([6; 64])).unwrap();
        assert_eq!(
            (
                report.launch_digest,
                report.host_data,
                report.report_data,
                report.policy
            ),
            ([3; 48], [5; 32], [6; 64], GuestPolicy(0xb_0000))
        );
        assert_eq!(report.reported_tcb, TCB.encode());
    }

    #[test]
    fn other_firmware_levels_are_in_the_report_and_in_the_keys_certificate() {
        let mut processor = processor([5; 32]);
        let honest = processor.endorsements().unwrap().certificates;
        let tcb = Tcb {
            bootloader: 1,
            ..TCB
        };
        processor.tcb = Some(tcb);
        let report = Report::parse(&processor.report([6; 64])).unwrap();
        assert_eq!(
            (report.reported_tcb, report.launch_tcb),
            (tcb.encode(), tcb.encode())
        );
        let altered = processor.endorsements().unwrap().certificates;
        assert_ne!(altered[0], honest[0]);
        assert_eq!(altered[1..], honest[1..]);
    }
}
