//! Evidence without a conversation: a report of AMD's, a quote of Intel's, GPUs.

use chrysalis_attestation::{
    Time,
    nvidia::{GpuCollateral, NvidiaRoots},
    policy::Policy,
    tdx::IntelCollateral,
};

use super::{
    given::{Given, missing},
    told::told,
};
use crate::{
    GpuRequest, Misuse, Place, SnpRequest, TdxRequest, TdxWanted, Without, gpu_evidence,
    gpu_policy, rims,
};

pub(super) fn snp(given: &mut Given, now: Time) -> Result<String, Misuse> {
    let request = SnpRequest {
        report: given.placed("report", Place::SNP_REPORT)?,
        certificates: given.all_placed("cert", Place::SNP_CERTIFICATE)?,
        lists: given.all_placed("crl", Place::REVOCATION_LIST)?,
        statements: given.all("statement"),
        tpm: given.tpm(Without::SNP)?,
        report_data: given.report_data()?,
        waivers: given.waivers(Without::SNP)?,
        policy: given.policy(Policy::parse)?,
        explain: given.explains()?,
        now,
    };
    let found = request.verify(|_, _| Ok::<(), Misuse>(()))?;
    Ok(told(&found))
}

pub(super) fn tdx(given: &mut Given, now: Time) -> Result<String, Misuse> {
    let collateral = given.placed("collateral", Place::TDX_COLLATERAL)?;
    let request = TdxRequest {
        quote: given.placed("quote", Place::QUOTE)?,
        collateral: IntelCollateral::parse(&collateral),
        event_log: given.placed_if("event_log", Place::EVENT_LOG)?,
        hcl_report: given.placed_if("hcl_report", Place::HCL_REPORT)?,
        statements: given.all("statement"),
        tpm: given.tpm(Without::TDX)?,
        report_data: given.report_data()?,
        waivers: given.waivers(Without::TDX)?,
        wanted: given
            .policy(TdxWanted::read)?
            .unwrap_or_else(TdxWanted::nothing),
        explain: given.explains()?,
        now,
    };
    Ok(told(&request.verify()?))
}

pub(super) fn gpus(given: &mut Given, now: Time) -> Result<String, Misuse> {
    let waivers = given.waivers(Without::GPUS)?;
    let policy = given.policy(|text| gpu_policy(text, &waivers))?;
    let (policy, roots) = match policy {
        Some((policy, roots)) => (Some(policy), roots),
        None => (None, NvidiaRoots::nvidia()),
    };
    let report = given.placed("report", Place::GPU_REPORT)?;
    let chain = given.placed_if("chain", Place::GPU_CHAIN)?;
    let switches = given.placed_if("switches", Place::SWITCHES)?;
    let nonce = given.exactly("nonce")?.ok_or_else(|| missing("nonce"))?;
    let manifests = given.named("rim").into_iter().map(|(name, bytes)| {
        let bytes = Place::RIM.take(&name, &bytes)?;
        Ok((name, bytes))
    });
    let collateral = GpuCollateral {
        rims: rims(manifests.collect::<Result<_, Misuse>>()?)?,
        ocsp: given.answers()?,
    };
    let explain = given.explains()?;
    let evidence = gpu_evidence("report", &report, chain.as_deref(), switches.as_deref())?;
    let found = match evidence {
        Ok(evidence) => {
            let request = GpuRequest {
                evidence,
                nonce,
                roots,
                collateral,
                policy,
                waivers,
                explain,
                now,
            };
            request.verify()
        }
        Err(rejection) => Err(rejection.into()),
    };
    Ok(told(&found))
}
