//! The local chain as toncenter's HTTP interface (v2) shows a chain: what existing wallets, libraries and our own client ask.

use chrysalis_chain::{LOCAL_ID, address};
use serde_json::{Value, json};
use tycho_types::{
    boc::Boc,
    cell::{Cell, CellBuilder, HashBytes, Lazy},
    models::{AccountState, IntAddr, Message, MsgInfo, StdAddr, Transaction, TxInfo},
};
use tycho_vm::RcStackValue;

use super::{Local, NotTaken, stack};

/// The most transactions in one answer.
const MAX_TRANSACTIONS: usize = 100;

/// Why a question has no answer: an HTTP status and a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong(pub(super) u16, pub(super) String);

type Answer = Result<Value, Wrong>;

/// Answers one method.
pub(super) fn answer(chain: &mut Local, method: &str, parameters: &Value) -> Answer {
    match method {
        "getAddressInformation" => Ok(account(chain, &address(parameters)?)),
        "getAddressBalance" => Ok(account(chain, &address(parameters)?)["balance"].take()),
        "getAddressState" => Ok(account(chain, &address(parameters)?)["state"].take()),
        "getTransactions" => transactions(chain, parameters),
        "runGetMethod" => get_method(chain, parameters),
        "sendBoc" => send(chain, parameters),
        "getMasterchainInfo" => Ok(json!({
            "@type": "blocks.masterchainInfo",
            "state_root_hash": zeros(),
            "last": block(chain),
            "init": block(chain),
        })),
        "getConfigParam" => parameter(parameters),
        other => Err(Wrong(404, format!("this chain has no method {other}"))),
    }
}

fn text<'p>(parameters: &'p Value, name: &str) -> Result<&'p str, Wrong> {
    parameters[name]
        .as_str()
        .ok_or_else(|| Wrong(422, format!("{name} is missing, or is no text")))
}

/// A number, as JSON has it or as a query does.
fn number(parameters: &Value, name: &str) -> Result<Option<u64>, Wrong> {
    let wrong = || Wrong(422, format!("{name} is no number"));
    match &parameters[name] {
        Value::Null => Ok(None),
        Value::String(text) => text.parse().map(Some).map_err(|_| wrong()),
        other => other.as_u64().map(Some).ok_or_else(wrong),
    }
}

fn address(parameters: &Value) -> Result<StdAddr, Wrong> {
    let text = text(parameters, "address")?;
    address::parse(text).ok_or_else(|| Wrong(422, "address is none".to_owned()))
}

fn cell(parameters: &Value, name: &str) -> Result<Cell, Wrong> {
    let text = text(parameters, name)?;
    Boc::decode_base64(text).map_err(|error| Wrong(422, format!("{name} is no cell: {error}")))
}

fn base64(hash: &HashBytes) -> String {
    data_encoding::BASE64.encode(hash.as_slice())
}

fn zeros() -> String {
    base64(&HashBytes::ZERO)
}

fn block(chain: &Local) -> Value {
    json!({
        "@type": "ton.blockIdExt",
        "workchain": -1,
        "shard": "-9223372036854775808",
        "seqno": chain.taken,
        "root_hash": zeros(),
        "file_hash": zeros(),
    })
}

fn account(chain: &Local, address: &StdAddr) -> Value {
    let found = chain.account(address);
    let cell = |cell: Option<Cell>| cell.map(Boc::encode_base64).unwrap_or_default();
    let balance = found
        .as_ref()
        .map_or(0, |it| it.balance.tokens.into_inner());
    let (state, code, data, frozen) = match found.map(|it| it.state) {
        Some(AccountState::Active(state)) => {
            ("active", cell(state.code), cell(state.data), String::new())
        }
        Some(AccountState::Frozen(hash)) => ("frozen", String::new(), String::new(), base64(&hash)),
        Some(AccountState::Uninit) | None => {
            ("uninitialized", String::new(), String::new(), String::new())
        }
    };
    let (lt, hash) = chain.last(address);
    json!({
        "@type": "raw.fullAccountState",
        "balance": balance.to_string(),
        "extra_currencies": [],
        "code": code,
        "data": data,
        "last_transaction_id": {"@type": "internal.transactionId", "lt": lt.to_string(), "hash": base64(&hash)},
        "block_id": block(chain),
        "frozen_hash": frozen,
        "sync_utime": chain.clock(),
        "state": state,
    })
}

fn send(chain: &mut Local, parameters: &Value) -> Answer {
    let message = cell(parameters, "boc")?;
    match chain.send(message) {
        Ok(()) => Ok(json!({"@type": "ok"})),
        Err(NotTaken::Malformed(why)) => Err(Wrong(422, why)),
        Err(NotTaken::NoContract) => Err(not_applied("there is no contract at this address")),
        Err(NotTaken::Refused(code)) => Err(not_applied(&format!(
            "exitcode={code}, steps=0, gas_used=0"
        ))),
    }
}

/// As toncenter says it.
fn not_applied(why: &str) -> Wrong {
    Wrong(
        500,
        format!(
            "cannot apply external message to current state : External message was not accepted\n{why}"
        ),
    )
}

fn get_method(chain: &Local, parameters: &Value) -> Answer {
    let address = address(parameters)?;
    let method = text(parameters, "method")?;
    let arguments = match &parameters["stack"] {
        Value::Null => Vec::new(),
        Value::Array(entries) => entries.iter().map(argument).collect::<Result<_, _>>()?,
        _ => return Err(Wrong(422, "stack is no list".to_owned())),
    };
    let got = chain.call(&address, method, arguments);
    // What toncenter says where no contract is.
    let Some(got) = got else {
        return Ok(json!({"@type": "smc.runResult", "gas_used": 0, "stack": [], "exit_code": -13}));
    };
    let stack: Option<Vec<Value>> = got.stack.iter().map(stack::told).collect();
    Ok(json!({
        "@type": "smc.runResult",
        "gas_used": got.gas,
        "stack": stack.ok_or_else(|| Wrong(500, "the answer has something that JSON cannot show".to_owned()))?,
        "exit_code": got.exit_code,
    }))
}

fn argument(entry: &Value) -> Result<RcStackValue, Wrong> {
    stack::read(entry).ok_or_else(|| {
        Wrong(
            422,
            format!("an entry of the stack is not understood: {entry}"),
        )
    })
}

fn parameter(parameters: &Value) -> Answer {
    let wanted = match number(parameters, "config_id")? {
        Some(id) => Some(id),
        None => number(parameters, "param")?,
    };
    if wanted != Some(19) {
        return Err(Wrong(
            404,
            "this chain shows its parameter 19 alone: the global id".to_owned(),
        ));
    }
    let cell = CellBuilder::build_from(u32::from_be_bytes(LOCAL_ID.to_be_bytes()));
    let cell = cell.map_err(|error| Wrong(500, error.to_string()))?;
    Ok(
        json!({"@type": "configInfo", "config": {"@type": "tvm.cell", "bytes": Boc::encode_base64(cell)}}),
    )
}

/// The newest first; from a transaction on that is named, and down to one.
fn transactions(chain: &Local, parameters: &Value) -> Answer {
    let address = address(parameters)?;
    let limit = number(parameters, "limit")?.unwrap_or(10);
    let limit = usize::try_from(limit)
        .unwrap_or(MAX_TRANSACTIONS)
        .min(MAX_TRANSACTIONS);
    let (from, to) = (number(parameters, "lt")?, number(parameters, "to_lt")?);
    let mut told = Vec::new();
    for kept in chain.transactions(&address).iter().rev() {
        let loaded = kept.load().map_err(|error| Wrong(500, error.to_string()))?;
        if from.is_some_and(|from| loaded.lt > from) {
            continue;
        }
        if told.len() == limit || to.is_some_and(|to| loaded.lt <= to) {
            break;
        }
        told.push(
            transaction(&address, kept, &loaded).map_err(|error| Wrong(500, error.to_string()))?,
        );
    }
    Ok(told.into())
}

fn transaction(
    address: &StdAddr,
    kept: &Lazy<Transaction>,
    loaded: &Transaction,
) -> Result<Value, tycho_types::error::Error> {
    let fee = loaded.total_fees.tokens.into_inner();
    let storage = match loaded.load_info()? {
        TxInfo::Ordinary(info) => info
            .storage_phase
            .map_or(0, |phase| phase.storage_fees_collected.into_inner()),
        TxInfo::TickTock(_) => 0,
    };
    let received = loaded
        .load_in_msg()?
        .map(|message| told(&message))
        .transpose()?;
    let mut sent = Vec::new();
    for message in loaded.iter_out_msgs() {
        sent.push(told(&message?)?);
    }
    let cell = kept.inner().clone();
    Ok(json!({
        "@type": "raw.transaction",
        "address": {"@type": "accountAddress", "account_address": address.to_string()},
        "utime": loaded.now,
        "data": Boc::encode_base64(cell.clone()),
        "transaction_id": {"@type": "internal.transactionId", "lt": loaded.lt.to_string(), "hash": base64(cell.repr_hash())},
        "fee": fee.to_string(),
        "storage_fee": storage.to_string(),
        "other_fee": fee.saturating_sub(storage).to_string(),
        "in_msg": received,
        "out_msgs": sent,
    }))
}

fn told(message: &Message<'_>) -> Result<Value, tycho_types::error::Error> {
    let name = |address: Option<&IntAddr>| address.map(ToString::to_string).unwrap_or_default();
    let (source, destination, value, fee, lt) = match &message.info {
        MsgInfo::Int(it) => (
            name(Some(&it.src)),
            name(Some(&it.dst)),
            it.value.tokens.into_inner(),
            it.fwd_fee.into_inner(),
            it.created_lt,
        ),
        MsgInfo::ExtIn(it) => (String::new(), name(Some(&it.dst)), 0, 0, 0),
        MsgInfo::ExtOut(it) => (name(Some(&it.src)), String::new(), 0, 0, it.created_lt),
    };
    let body = CellBuilder::build_from(message.body)?;
    Ok(json!({
        "@type": "raw.message",
        "source": source,
        "destination": destination,
        "value": value.to_string(),
        "fwd_fee": fee.to_string(),
        "ihr_fee": "0",
        "created_lt": lt.to_string(),
        "body_hash": base64(body.repr_hash()),
        "msg_data": {"@type": "msg.dataRaw", "body": Boc::encode_base64(body), "init_state": ""},
    }))
}
