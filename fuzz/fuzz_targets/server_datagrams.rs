//! The bytes are a script for an attacker who stands between an honest client and a server, from the first hello to the
//! gate on: pass on, hold back, replay, damage, rewrite with right lengths, forge, wait. Cryptography is null, so that
//! what is changed gets past it; in half of the scripts the record protection notices every change.
//!
//! What must hold: a stranger costs no memory and gets no more bytes than it sent; an address without a cookie gets at
//! most three times as many; and everything that `drystone_fuzz::End` says.
#![no_main]

use drystone_fuzz::{Side, attack};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &[u8]| attack(Side::Server, script));
