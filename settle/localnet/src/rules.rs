//! The main network's prices and limits, with a name of its own: nothing that is signed for this chain counts anywhere else.

use chrysalis_chain::LOCAL_ID;
use num_bigint::BigInt;
use tycho_executor::{ExecutorParams, ParsedConfig};
use tycho_types::{
    boc::Boc,
    cell::{Cell, CellBuilder, HashBytes},
    crc::crc_16,
    dict::Dict,
    error::Error,
    models::{
        Account, AccountState, BlockchainConfig, IntAddr, WorkchainDescription, WorkchainFormat,
        WorkchainFormatBasic,
    },
};
use tycho_vm::{
    BehaviourModifiers, GasParams, RcStackValue, SmcInfoBase, VmCaller, VmMessageArgs,
    VmStateBuilder, VmVersion,
};

/// The main network's configuration without its validators, as @ton/sandbox 0.41.0 has it (MIT, Copyright (c) 2022 Ton Tech).
const CONFIGURATION: &[u8] = include_bytes!("config.boc");

/// What a get-method answered.
#[derive(Debug, Clone)]
pub struct Got {
    /// 0 or 1: it answered.
    pub exit_code: i32,
    /// Units of gas.
    pub gas: u64,
    /// What it left on the stack, the topmost last.
    pub stack: Vec<RcStackValue>,
}

/// What transactions follow.
pub(super) struct Rules {
    parsed: ParsedConfig,
    caller: VmCaller,
}

impl Rules {
    pub(super) fn new() -> Self {
        let configuration =
            Boc::decode(CONFIGURATION).expect("the shipped configuration is a cell");
        Self::of(configuration, Some(LOCAL_ID))
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
            behaviour_modifiers: BehaviourModifiers::default(),
            config: configuration.params.clone(),
        };
        let parsed = ParsedConfig::parse(configuration, u32::MAX)?;
        Ok(Self { parsed, caller })
    }

    pub(super) fn parsed(&self) -> &ParsedConfig {
        &self.parsed
    }

    /// For a transaction at this time.
    pub(super) fn params(clock: u32, lt: u64) -> ExecutorParams {
        ExecutorParams {
            block_unixtime: clock,
            block_lt: lt,
            strict_extra_currency: true,
            charge_action_fees_on_fail: true,
            ..ExecutorParams::default()
        }
    }

    /// What a get-method answers at this time. `None`: there is no contract.
    ///
    /// tycho-vm 0.3.7 has this, but runs it as version 11 of the machine, where messages run as version 12.
    pub(super) fn call(
        &self,
        account: &Account,
        method: &str,
        mut stack: Vec<RcStackValue>,
        clock: u32,
    ) -> Option<Got> {
        let (AccountState::Active(state), IntAddr::Std(address)) =
            (&account.state, &account.address)
        else {
            return None;
        };
        let code = state.code.clone()?;
        let number = u32::from(crc_16(method.as_bytes())) | 0x10000;
        stack.push(RcStackValue::new_dyn_value(BigInt::from(number)));
        let info = SmcInfoBase::new()
            .with_now(clock)
            .with_block_lt(account.last_trans_lt)
            .with_tx_lt(account.last_trans_lt)
            .with_mixed_rand_seed(&HashBytes::ZERO, &address.address)
            .with_account_balance(account.balance.clone())
            .with_account_addr(account.address.clone())
            .with_config(self.caller.config.clone())
            .require_ton_v4()
            .with_code(code.clone())
            .require_ton_v6()
            .fill_unpacked_config()
            .ok()?
            .require_ton_v11();
        let libraries = (&state.libraries, &self.caller.libraries);
        let mut machine = VmStateBuilder::new()
            .with_smc_info(info)
            .with_code(code)
            .with_data(state.data.clone().unwrap_or_default())
            .with_libraries(&libraries)
            .with_init_selector(false)
            .with_stack(stack)
            .with_gas(GasParams::getter())
            .with_version(VmVersion::LATEST_TON)
            .build();
        let exit_code = !machine.run();
        Some(Got {
            exit_code,
            gas: machine.gas.consumed(),
            stack: machine.stack.items.clone(),
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
