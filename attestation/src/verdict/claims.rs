//! What a verdict says of a peer, for programs: digests and identities as lower-case hex, versions and statuses as text.

use serde::Serialize;
use serde_json::{Value, json};

use super::About;
use crate::{
    Cpu, claims,
    digest::Hex,
    nvidia::{Gpu, Switch},
    snp::{self, broken, report::SigningKey},
    tdx,
};

/// The enclave's claims, and what the hardware says beside them.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Claims<'a> {
    /// None where nobody knows that the CPU signed for them.
    #[serde(flatten)]
    enclave: Option<&'a claims::Claims>,
    /// Of the CPU, where most look for it.
    measurement: Hex<48>,
    cpu: Value,
    gpus: &'a [Gpu],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    switches: &'a [Switch],
}

impl<'a> Claims<'a> {
    pub(super) fn of(about: &About<'a>) -> Self {
        Self {
            enclave: about.bound.map(|(_, claims)| claims),
            measurement: Hex(about.cpu.measurement()),
            cpu: about.cpu.claims(),
            gpus: &about.devices.gpus,
            switches: &about.devices.switches,
        }
    }
}

impl Cpu {
    /// What its report says, signed by hardware, and what its vendor says about it.
    pub fn claims(&self) -> Value {
        match self {
            Self::Snp(genuine) => of_snp(genuine),
            Self::Tdx(genuine) => of_tdx(genuine),
        }
    }
}

fn of_snp(genuine: &snp::Genuine) -> Value {
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

fn of_tdx(genuine: &tdx::Genuine) -> Value {
    let tdx::Td {
        version,
        report,
        platform,
        status,
        platform_status,
        module_status,
        qe_status,
        advisories,
        tcb_date,
        evaluation,
        ..
    } = genuine.td();
    json!({
        "platform": "tdx",
        "simulated": genuine.simulated(),
        "measurement": report.mrtd,
        "rtmr": report.rtmr,
        "report_data": report.report_data,
        "mrconfigid": report.mrconfigid,
        "mrowner": report.mrowner,
        "mrownerconfig": report.mrownerconfig,
        "mrseam": report.mrseam,
        "version": version,
        "tcb": report.tee_tcb_svn,
        "status": status,
        "platform_status": platform_status,
        "module_status": module_status,
        "qe_status": qe_status,
        "advisories": advisories,
        "tcb_date": tcb_date,
        "evaluation": evaluation,
        "attributes": format!("{:#x}", report.attributes),
        "xfam": format!("{:#x}", report.xfam),
        "fmspc": platform.fmspc,
        "ppid": platform.ppid,
        "root": genuine.root(),
    })
}
