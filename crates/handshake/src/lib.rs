//! DTLS handshake: messages, flights, cookies, key schedules, and the sans-I/O `Connection`.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod codec;
pub mod crypto;
mod flight;
pub mod message;
mod transcript;
