//! The verifier for C: a question in JSON, and the answer in JSON. `include/chrysalis.h` says what both look like.
//!
//! Whatever bytes it is given, it answers or gives NULL. No panic leaves it.

use std::{
    ffi::{CStr, CString, c_char},
    panic::{AssertUnwindSafe, catch_unwind},
    time::SystemTime,
};

use chrysalis_attestation::Time;
use serde_json::json;

/// Answers a question about evidence.
///
/// `question` is JSON in UTF-8, as docs/guide/c.md describes it. The answer is the verdict, as `chrysalis verify --format json` prints it
/// (docs/spec/verdict.schema.json), or `{"error": "..."}` where there is none. Give it to `chrysalis_free`.
///
/// Without `now` in the question, the verdict is as of this machine's clock. Nothing is read from disk, and nobody is asked over the network.
/// May be called from any thread. NULL if `question` is NULL.
///
/// # Safety
/// `question` is NULL or ends in a NUL.
#[unsafe(no_mangle)]
#[expect(
    unsafe_code,
    reason = "C calls it by name, and says only by its NUL how long a text is"
)]
pub unsafe extern "C" fn chrysalis_verify(question: *const c_char) -> *mut c_char {
    if question.is_null() {
        return std::ptr::null_mut();
    }
    // SAFETY: not NULL, and the caller promises the NUL.
    let question = unsafe { CStr::from_ptr(question) };
    let answer = catch_unwind(AssertUnwindSafe(|| answer(question)));
    let answer = answer.unwrap_or_else(|_| error("the verifier failed: report this as a bug"));
    // JSON escapes NULs, so there is none.
    CString::new(answer).map_or(std::ptr::null_mut(), CString::into_raw)
}

/// Frees an answer of `chrysalis_verify`. NULL is let be.
///
/// # Safety
/// `answer` is NULL, or came from `chrysalis_verify` and was not freed before.
#[unsafe(no_mangle)]
#[expect(unsafe_code, reason = "what was handed to C comes back as an address")]
pub unsafe extern "C" fn chrysalis_free(answer: *mut c_char) {
    if !answer.is_null() {
        // SAFETY: the caller promises that `into_raw` made it, and that this is the first time.
        drop(unsafe { CString::from_raw(answer) });
    }
}

fn answer(question: &CStr) -> String {
    let Ok(question) = question.to_str() else {
        return error("the question is not UTF-8");
    };
    match chrysalis_verifier::answer(question, Time::from(SystemTime::now())) {
        Ok(verdict) => verdict,
        Err(why) => error(&why.to_string()),
    }
}

fn error(why: &str) -> String {
    json!({ "error": why }).to_string()
}
