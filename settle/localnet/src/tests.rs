//! That this emulator does what the chain's own node does: a script of messages, with what came of each in the other
//! (settle/contracts/steps.mjs).

use serde_json::Value;
use tycho_types::{
    boc::Boc,
    models::{ComputePhase, ComputePhaseSkipReason, TxInfo},
};

use super::*;

const STEPS: &str = include_str!("../../contracts/steps.json");

/// What came of a step, in one line.
fn line(
    taken: bool,
    exit: &str,
    gas: u64,
    fees: &str,
    balance: &str,
    data: &str,
    out: &str,
) -> String {
    format!(
        "taken {taken}, exit {exit}, gas {gas}, fees {fees}, balance {balance}, data {data}, out {out}"
    )
}

fn expected(step: &Value) -> String {
    let text = |name: &str| match &step[name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let gas = step["gas"].as_u64().unwrap();
    line(
        step["taken"].as_bool().unwrap(),
        &text("exit"),
        gas,
        &text("fees"),
        &text("balance"),
        &text("data"),
        &step["out"].to_string(),
    )
}

fn balance_and_data(chain: &Local, address: &StdAddr) -> (String, String) {
    let account = chain.account(address);
    let balance = account
        .as_ref()
        .map_or(0, |it| it.balance.tokens.into_inner());
    let data = account.and_then(|it| match it.state {
        AccountState::Active(state) => state.data,
        _ => None,
    });
    (
        balance.to_string(),
        data.map_or("null".to_owned(), |data| data.repr_hash().to_string()),
    )
}

/// Runs a step, and tells what came of it.
fn found(chain: &mut Local, address: &StdAddr, message: &Cell, external: bool) -> String {
    let before = chain.transactions(address).len();
    let sent = chain.execute(address, message.clone(), external);
    let (balance, data) = balance_and_data(chain, address);
    let Some(sent) = sent else {
        let exit = match chain.why(address, message.clone()) {
            NotTaken::Refused(code) => code.to_string(),
            _ => "null".to_owned(),
        };
        return line(false, &exit, 0, "0", &balance, &data, "[]");
    };
    let transaction = chain.transactions(address)[before].load().unwrap();
    let TxInfo::Ordinary(info) = transaction.load_info().unwrap() else {
        panic!("not ordinary")
    };
    let (exit, gas) = match &info.compute_phase {
        ComputePhase::Executed(phase) => (phase.exit_code.to_string(), phase.gas_used.into_inner()),
        ComputePhase::Skipped(skipped) => match skipped.reason {
            ComputePhaseSkipReason::NoState => ("no-state".to_owned(), 0),
            ComputePhaseSkipReason::NoGas => ("no-gas".to_owned(), 0),
            other => (format!("{other:?}"), 0),
        },
    };
    let fees = transaction.total_fees.tokens.into_inner().to_string();
    let out: Vec<Value> = sent
        .iter()
        .map(|message| out(&message.load().unwrap()))
        .collect();
    line(
        true,
        &exit,
        gas,
        &fees,
        &balance,
        &data,
        &Value::from(out).to_string(),
    )
}

/// `[raw address, nano, hash of the body, bounced]`.
fn out(message: &OwnedMessage) -> Value {
    let MsgInfo::Int(info) = &message.info else {
        panic!("not internal")
    };
    let body = CellBuilder::build_from(message.body.0.apply(&message.body.1).unwrap()).unwrap();
    serde_json::json!([
        info.dst.to_string(),
        info.value.tokens.into_inner().to_string(),
        body.repr_hash().to_string(),
        info.bounced,
    ])
}

#[test]
fn every_step_ends_as_in_the_chains_own_emulator() {
    let script: Value = serde_json::from_str(STEPS).unwrap();
    let steps = script["steps"].as_array().unwrap();
    assert!(steps.len() >= 40);
    let config = Boc::decode_base64(script["config"].as_str().unwrap()).unwrap();
    let address: StdAddr = script["address"].as_str().unwrap().parse().unwrap();
    let mut chain = Local {
        rules: Rules::of(config, None).unwrap(),
        ..Local::new(0)
    };
    let mut differ = 0;
    for step in steps {
        let lt: u64 = step["lt"].as_str().unwrap().parse().unwrap();
        chain.clock = u32::try_from(step["now"].as_u64().unwrap()).unwrap();
        chain.lt = lt.saturating_sub(TICK);
        let message = Boc::decode_base64(step["message"].as_str().unwrap()).unwrap();
        let found = found(
            &mut chain,
            &address,
            &message,
            step["external"].as_bool().unwrap(),
        );
        if found != expected(step) {
            differ += 1;
            println!(
                "{}\n  here  {found}\n  there {}",
                step["name"],
                expected(step)
            );
        }
    }
    assert_eq!(differ, 0, "of {} steps", steps.len());
}
