//! drystone with dimpl 0.9 in both roles, in one process: every cell many times over a bad network in simulated time.
//!
//! `DRYSTONE_INTEROP_HANDSHAKES` sets the handshakes per cell (default 20; the gate asks for 200).

mod dimpl_stack;

use dimpl_stack::Dimpl;

drystone_tests::meeting_tests!(Dimpl, dimpl_stack::OTHERS, 20);
