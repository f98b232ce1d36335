//! The bytes are a script for an attacker who stands between a client and an honest server; see `server_datagrams`. The
//! server sees only what the client really sent, so that its flights lead the client through the whole handshake.
#![no_main]

use drystone_fuzz::{Side, attack};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &[u8]| attack(Side::Client, script));
