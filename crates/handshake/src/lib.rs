//! DTLS handshake: messages, flights, cookies, key schedules, and the sans-I/O `Connection`.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod codec;
pub mod crypto;
mod flight;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod message;
mod transcript;
