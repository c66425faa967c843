//! How the driver set the GPUs up, in one question. The wrapper only has this combined with whether they are ready, as one
//! bool.

#![allow(unsafe_code)]

use chrysalis_wire::gpu::State;
use nvml_wrapper::{Nvml, error::NvmlError};
use nvml_wrapper_sys::bindings::{
    NVML_CC_SYSTEM_DEVTOOLS_MODE_OFF, NVML_CC_SYSTEM_ENVIRONMENT_PROD,
    NVML_CC_SYSTEM_FEATURE_ENABLED, nvmlConfComputeSystemState_t, nvmlReturn_enum_NVML_SUCCESS,
};

/// Asks `nvmlSystemGetConfComputeState`.
pub(crate) fn read(nvml: &Nvml, gpus: u32) -> Result<State, NvmlError> {
    let ask = nvml
        .lib()
        .nvmlSystemGetConfComputeState
        .as_ref()
        .map_err(|error| NvmlError::FailedToLoadSymbol(error.to_string()))?;
    let mut state = nvmlConfComputeSystemState_t {
        environment: 0,
        ccFeature: 0,
        devToolsMode: 0,
    };
    // SAFETY: `ask` was loaded under this name from the library that `nvml` keeps loaded and initialised, with the type
    // that nvml.h gives it; it writes three integers into `state`, which outlives the call, and keeps no pointer to it.
    let code = unsafe { ask(&raw mut state) };
    if code != nvmlReturn_enum_NVML_SUCCESS {
        return Err(NvmlError::NotSupported);
    }
    Ok(State {
        gpus,
        confidential: state.ccFeature == NVML_CC_SYSTEM_FEATURE_ENABLED,
        production: state.environment == NVML_CC_SYSTEM_ENVIRONMENT_PROD,
        devtools: state.devToolsMode != NVML_CC_SYSTEM_DEVTOOLS_MODE_OFF,
    })
}
