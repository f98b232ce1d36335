//! The functions of BoringSSL that `boring` does not wrap, made safe: its clock, its timer, KeyUpdate. All `unsafe` code
//! of this workspace is here; it must not know what the functions are used for.

use std::cell::Cell;
use std::time::Duration;

use boring::ssl::{SslContextBuilder, SslRef};
use boring_sys as ffi;
use foreign_types::ForeignTypeRef;

thread_local! {
    /// The present since the epoch of Unix. BoringSSL's callback gets no argument that could carry it.
    static NOW: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Sets the time that BoringSSL sees on this thread.
pub(crate) fn set_time(since_unix_epoch: Duration) {
    NOW.set(since_unix_epoch);
}

/// Connections of this context take the time from [`set_time`].
pub(crate) fn take_time_from_us(context: &mut SslContextBuilder) {
    // SAFETY: the context is alive, and the callback fits the declared type and lives forever.
    unsafe { ffi::SSL_CTX_set_current_time_cb(context.as_ptr(), Some(tell_time)) }
}

unsafe extern "C" fn tell_time(_: *const ffi::SSL, out: *mut ffi::timeval) {
    let now = NOW.get();
    // SAFETY: BoringSSL passes a pointer to a timeval of its own (ssl.h, SSL_CTX_set_current_time_cb).
    let out = unsafe { &mut *out };
    out.tv_sec = now.as_secs().try_into().unwrap_or(0);
    out.tv_usec = now.subsec_micros().into();
}

/// The time until the connection's timer is due; `None` if none runs.
pub(crate) fn timeout(ssl: &SslRef) -> Option<Duration> {
    let mut out = ffi::timeval { tv_sec: 0, tv_usec: 0 };
    // SAFETY: the connection is alive, and `out` is written before the call returns.
    let runs = unsafe { ffi::DTLSv1_get_timeout(ssl.as_ptr(), &mut out) } == 1;
    let seconds = u64::try_from(out.tv_sec).unwrap_or(0);
    let micros = u64::try_from(out.tv_usec).unwrap_or(0);
    runs.then(|| Duration::from_secs(seconds) + Duration::from_micros(micros))
}

/// Lets the connection's timer do its work if it is due; false if the connection failed over it.
pub(crate) fn handle_timeout(ssl: &mut SslRef) -> bool {
    // SAFETY: the connection is alive and borrowed by nobody else.
    unsafe { ffi::DTLSv1_handle_timeout(ssl.as_ptr()) >= 0 }
}

/// Queues a KeyUpdate, which goes out with the next application data; false if that cannot be.
pub(crate) fn key_update(ssl: &mut SslRef, request_peer: bool) -> bool {
    let request =
        if request_peer { ffi::SSL_KEY_UPDATE_REQUESTED } else { ffi::SSL_KEY_UPDATE_NOT_REQUESTED };
    // SAFETY: the connection is alive and borrowed by nobody else.
    unsafe { ffi::SSL_key_update(ssl.as_ptr(), request) == 1 }
}
