//! The bytes are a script for the owners of a client and a server, and for the network between them: every call of a
//! connection in any order, loss, repetition, reordering, garbage. `drystone_fuzz::operations` says what must hold.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &[u8]| drystone_fuzz::operations(script));
