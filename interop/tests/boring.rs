//! drystone with BoringSSL in both roles, in one process: every cell many times over a bad network in simulated time.
//!
//! `DRYSTONE_INTEROP_HANDSHAKES` sets the handshakes per cell (default 200).

use drystone_interop::{Boring, OTHERS};

drystone_tests::meeting_tests!(Boring, OTHERS, 200);
