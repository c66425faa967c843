//! What a verdict needs to know about every CPU, regardless of its vendor.

use serde_json::{Value, json};

use crate::{
    azure::vtpm::Told,
    snp::{
        self,
        broken::{self, Broken},
        report::SigningKey,
    },
    tdx::{
        self, Status,
        attributes::{DEBUG, PROFILING},
    },
};

/// A genuine CPU and the guest that it runs.
pub(crate) trait Platform: std::fmt::Debug {
    /// Its name in a verdict.
    fn name(&self) -> String;
    /// Who made it.
    fn vendor(&self) -> &'static str;
    fn is_simulated(&self) -> bool;
    /// Why its product line counts as broken, if it does.
    fn broken(&self) -> Option<&'static Broken>;
    /// Whether its vendor reports nothing wrong with it.
    fn is_current(&self) -> bool;
    /// Whether its vendor has revoked it, which refuses it whatever a policy says.
    fn is_revoked(&self) -> bool;
    /// Whether the host cannot read the guest's memory, which a policy may allow.
    fn is_private(&self) -> bool;
    /// The launch digest, or MRTD.
    fn measurement(&self) -> [u8; 48];
    /// How many events explain the run-time registers, if the platform has these and a log came with the evidence.
    fn events(&self) -> Option<usize>;
    /// What its report says, signed by hardware, and what its vendor says about it: digests and identities as lower-case hex,
    /// versions and statuses as text.
    fn claims(&self) -> Value;
}

/// What a refused verdict says of evidence by itself whose CPU is genuine.
pub(crate) fn known(cpu: &dyn Platform, vtpm: Option<&Told>) -> Value {
    json!({
        "measurement": hex::encode(cpu.measurement()),
        "cpu": cpu.claims(),
        "vtpm": vtpm.map(Told::claims),
    })
}

impl Platform for snp::Genuine {
    fn name(&self) -> String {
        format!("AMD SEV-SNP, {}", self.product())
    }

    fn vendor(&self) -> &'static str {
        "AMD"
    }

    fn is_simulated(&self) -> bool {
        self.simulated()
    }

    fn broken(&self) -> Option<&'static Broken> {
        broken::of(self.product())
    }

    fn is_current(&self) -> bool {
        self.broken().is_none()
    }

    /// A revoked certificate is refused before there is such a value.
    fn is_revoked(&self) -> bool {
        false
    }

    fn is_private(&self) -> bool {
        !self.report().policy.debug_allowed()
    }

    fn measurement(&self) -> [u8; 48] {
        self.report().launch_digest
    }

    fn events(&self) -> Option<usize> {
        None
    }

    fn claims(&self) -> Value {
        let genuine = self;
        let report = genuine.report();
        json!({
            "platform": "snp",
            "simulated": genuine.simulated(),
            "product": genuine.product().to_string().to_lowercase(),
            "measurement": hex::encode(report.launch_digest),
            "report_data": hex::encode(report.report_data),
            "host_data": hex::encode(report.host_data),
            "version": report.version,
            "tcb": hex::encode(report.reported_tcb.0),
            "tcb_components": genuine.reported_tcb(),
            "current_tcb": hex::encode(report.current_tcb.0),
            "committed_tcb": hex::encode(report.committed_tcb.0),
            "launch_tcb": hex::encode(report.launch_tcb.0),
            "current_firmware": report.current_firmware.to_string(),
            "committed_firmware": report.committed_firmware.to_string(),
            "status": match genuine.revocation_until() {
                Some(_) => "not_revoked",
                None => "not_checked",
            },
            "policy": format!("{:#x}", report.policy.0),
            "debug": report.policy.debug_allowed(),
            "platform_info": format!("{:#x}", report.platform_info.0),
            "vmpl": report.vmpl,
            "guest_svn": report.guest_svn,
            "signing_key": match report.key_info.signing_key {
                SigningKey::Vcek => "vcek",
                SigningKey::Vlek => "vlek",
                SigningKey::None => "none",
            },
            "family_id": hex::encode(report.family_id),
            "image_id": hex::encode(report.image_id),
            "id_key_digest": hex::encode(report.id_key_digest),
            "author_key_digest": hex::encode(report.author_key_digest),
            "report_id": hex::encode(report.report_id),
            "chip_id": hex::encode(report.chip_id),
            "root": genuine.root(),
            "broken": broken::of(genuine.product()),
        })
    }
}

impl Platform for tdx::Genuine {
    fn name(&self) -> String {
        let [update, version, ..] = self.td().report.tee_tcb_svn.0;
        format!("Intel TDX, module {version}.{update}")
    }

    fn vendor(&self) -> &'static str {
        "Intel"
    }

    fn is_simulated(&self) -> bool {
        self.simulated()
    }

    fn broken(&self) -> Option<&'static Broken> {
        None
    }

    fn is_current(&self) -> bool {
        self.td().status == Status::UpToDate
    }

    fn is_revoked(&self) -> bool {
        self.td().status == Status::Revoked
    }

    fn is_private(&self) -> bool {
        self.td().report.attributes & (DEBUG | PROFILING) == 0
    }

    fn measurement(&self) -> [u8; 48] {
        self.td().report.mrtd.0
    }

    fn events(&self) -> Option<usize> {
        self.td().event_log.as_ref().map(|log| log.events.len())
    }

    fn claims(&self) -> Value {
        let (td, report, platform) = (self.td(), &self.td().report, &self.td().platform);
        json!({
            "platform": "tdx",
            "simulated": self.simulated(),
            "version": td.version,
            "layout": report.layout,
            "measurement": report.mrtd,
            "rtmr": report.rtmr,
            "report_data": report.report_data,
            "mrconfigid": report.mrconfigid,
            "mrowner": report.mrowner,
            "mrownerconfig": report.mrownerconfig,
            "mrservicetd": report.mrservicetd,
            "mrseam": report.mrseam,
            "mrsignerseam": report.mrsignerseam,
            "extended": report.extended,
            "attributes": format!("{:#x}", report.attributes),
            "debug": !self.is_private(),
            "xfam": format!("{:#x}", report.xfam),
            "tcb": report.tee_tcb_svn,
            "current_tcb": report.tee_tcb_svn_2,
            "cpu_svn": platform.cpu_svn,
            "pce_svn": platform.pcesvn,
            "qe_svn": td.qe_svn,
            "status": td.status,
            "lagging": td.lagging,
            "platform_status": td.platform_status,
            "module_status": td.module_status,
            "qe_status": td.qe_status,
            "advisories": td.advisories,
            "tcb_date": td.tcb_date,
            "evaluation": td.evaluation,
            "fmspc": platform.fmspc,
            "pceid": platform.pceid,
            "ppid": platform.ppid,
            "platform_instance": platform.instance,
            "configuration": platform.configuration,
            "event_log": td.event_log.as_ref().map(|log| &log.events),
            "trailing_bytes": td.trailing_bytes,
            "root": self.root(),
        })
    }
}
