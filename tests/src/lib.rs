//! What the tests of the whole house share. Trusts nothing and is used by nothing else.

#![forbid(unsafe_code)]

pub mod scene;
