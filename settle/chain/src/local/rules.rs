//! The main network's prices and limits, with a name of its own: nothing that is signed for this chain counts anywhere else.

use tycho_executor::{ExecutorParams, ParsedConfig};
use tycho_types::{
    boc::Boc,
    cell::{Cell, CellBuilder, HashBytes},
    dict::Dict,
    error::Error,
    models::{
        Account, BlockchainConfig, WorkchainDescription, WorkchainFormat, WorkchainFormatBasic,
    },
};
use tycho_vm::{RcStackValue, VmCaller, VmGetterArgs, VmMessageArgs};

use super::Got;

/// What `GLOBALID` says here.
pub const GLOBAL_ID: i32 = i32::from_be_bytes(*b"CHRY");
/// The main network's configuration without its validators, as @ton/sandbox 0.41.0 has it (MIT, Copyright (c) 2022 Ton Tech).
const CONFIGURATION: &[u8] = include_bytes!("config.boc");

/// What transactions follow.
pub(super) struct Rules {
    parsed: ParsedConfig,
    caller: VmCaller,
}

impl Rules {
    pub(super) fn new() -> Self {
        let configuration =
            Boc::decode(CONFIGURATION).expect("the shipped configuration is a cell");
        Self::of(configuration, Some(GLOBAL_ID))
            .expect("the shipped configuration is one; a test reads it")
    }

    /// From a dictionary of parameters, with another global id.
    pub(super) fn of(configuration: Cell, global_id: Option<i32>) -> Result<Self, Error> {
        let mut builder = CellBuilder::new();
        builder.store_u256(&HashBytes([0x55; 32]))?;
        builder.store_reference(configuration)?;
        let mut configuration: BlockchainConfig = builder.build()?.parse()?;
        let mut workchains = Dict::<i32, _>::new();
        workchains.set(0, workchain())?;
        configuration.params.set_workchains(&workchains)?;
        if let Some(global_id) = global_id {
            configuration.params.set_global_id(global_id)?;
        }
        let caller = VmCaller {
            libraries: Dict::new(),
            behaviour_modifiers: Default::default(),
            config: configuration.params.clone(),
        };
        let parsed = ParsedConfig::parse(configuration, u32::MAX)?;
        Ok(Self { parsed, caller })
    }

    pub(super) fn parsed(&self) -> &ParsedConfig {
        &self.parsed
    }

    /// For a transaction at this time.
    pub(super) fn params(&self, clock: u32, lt: u64) -> ExecutorParams {
        ExecutorParams {
            block_unixtime: clock,
            block_lt: lt,
            strict_extra_currency: true,
            charge_action_fees_on_fail: true,
            ..ExecutorParams::default()
        }
    }

    /// What a get-method answers at this time. `None`: there is no contract.
    pub(super) fn call(
        &self,
        account: &Account,
        method: &str,
        arguments: Vec<RcStackValue>,
        clock: u32,
    ) -> Option<Got> {
        let mut at = VmGetterArgs::default();
        at.now = clock;
        let output = self
            .caller
            .call_getter_ext(account, method, arguments, &at, None)
            .ok()?;
        Some(Got {
            exit_code: output.exit_code,
            gas: output.gas_used,
            stack: output.stack,
        })
    }

    /// The exit code with which a contract refuses a message from outside. `None`: there is no contract.
    pub(super) fn refusal(&self, account: &Account, message: Cell, clock: u32) -> Option<i32> {
        let mut at = VmMessageArgs::default();
        at.now = clock;
        let output = self
            .caller
            .call_with_message_ext(account, message, &at, None)
            .ok()?;
        Some(output.exit_code)
    }
}

fn workchain() -> WorkchainDescription {
    WorkchainDescription {
        enabled_since: 0,
        actual_min_split: 0,
        min_split: 0,
        max_split: 0,
        active: true,
        accept_msgs: true,
        zerostate_root_hash: HashBytes::ZERO,
        zerostate_file_hash: HashBytes::ZERO,
        version: 0,
        format: WorkchainFormat::Basic(WorkchainFormatBasic {
            vm_mode: 0,
            vm_version: 0,
        }),
    }
}
