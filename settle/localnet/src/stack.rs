//! What goes into a get-method and comes out of it, as toncenter writes it.

use num_bigint::BigInt;
use serde_json::{Value, json};
use tycho_types::{
    boc::Boc,
    cell::{Cell, CellBuilder},
};
use tycho_vm::{OwnedCellSlice, RcStackValue};

/// One entry of an answer. A slice is written as a cell, as toncenter does.
pub(super) fn told(entry: &RcStackValue) -> Option<Value> {
    let bytes = |cell: Cell| json!({"bytes": Boc::encode_base64(cell)});
    if let Some(number) = entry.as_int() {
        return Some(json!(["num", hexadecimal(number)]));
    }
    if let Some(cell) = entry.as_cell() {
        return Some(json!(["cell", bytes(cell.clone())]));
    }
    if let Some(slice) = entry.as_cell_slice() {
        let cell = CellBuilder::build_from(slice.apply()).ok()?;
        return Some(json!(["cell", bytes(cell)]));
    }
    None
}

/// One argument.
pub(super) fn read(entry: &Value) -> Option<RcStackValue> {
    let [kind, value] = &entry.as_array()?[..] else {
        return None;
    };
    let cell = || Boc::decode_base64(value.as_str()?).ok();
    Some(match kind.as_str()? {
        "num" => RcStackValue::new_dyn_value(numeral(value)?),
        "tvm.Cell" => RcStackValue::new_dyn_value(cell()?),
        "tvm.Slice" => RcStackValue::new_dyn_value(OwnedCellSlice::new_allow_exotic(cell()?)),
        _ => return None,
    })
}

fn hexadecimal(number: &BigInt) -> String {
    let (sign, digits) = (number.sign(), number.magnitude().to_str_radix(16));
    let minus = if sign == num_bigint::Sign::Minus {
        "-"
    } else {
        ""
    };
    format!("{minus}0x{digits}")
}

/// Decimal, or hexadecimal behind `0x`; a number in JSON as well.
fn numeral(value: &Value) -> Option<BigInt> {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), ToOwned::to_owned);
    let (minus, digits) = text
        .strip_prefix('-')
        .map_or((false, &text[..]), |rest| (true, rest));
    let number = match digits.strip_prefix("0x") {
        Some(digits) => BigInt::parse_bytes(digits.as_bytes(), 16),
        None => BigInt::parse_bytes(digits.as_bytes(), 10),
    }?;
    Some(if minus { -number } else { number })
}
