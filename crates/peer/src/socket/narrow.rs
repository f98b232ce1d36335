//! For tests: the sockets of a thread refuse longer datagrams, as the system does where the path does not carry them.

use std::cell::Cell;
use std::io;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// From now on the sockets of this thread send datagrams of at most `largest` bytes.
pub(crate) fn set_largest(largest: usize) {
    LARGEST.set(largest);
}

/// What the system says to a datagram of this length.
pub(super) fn check(length: usize) -> io::Result<()> {
    #[cfg(unix)]
    const TOO_LARGE: i32 = libc::EMSGSIZE;
    #[cfg(not(unix))]
    const TOO_LARGE: i32 = 10_040;
    if length > LARGEST.get() { Err(io::Error::from_raw_os_error(TOO_LARGE)) } else { Ok(()) }
}
