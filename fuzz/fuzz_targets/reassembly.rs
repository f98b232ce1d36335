//! The bytes are a script of fragments, honest and hostile. Reassembly must agree with a model that is too simple to be
//! wrong, and must stay within its memory bound.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &[u8]| drystone_handshake::fuzzing::reassembly(script));
