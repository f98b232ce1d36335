//! DTLS handshake: messages, flights, cookies, key schedules, and the sans-I/O `Connection`.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod codec;
mod flight;
pub mod crypto;
pub mod message;
mod transcript;
