//! Handshake messages: one struct per wire message.

pub mod registry;
