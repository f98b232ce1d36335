//! NewSessionTicket: a ticket for a later, shorter handshake.

use super::NewSessionTicketExtensions;
use super::extension::Block;
use crate::codec::structs::message;
use crate::codec::{Plain, Vector};

message! {
    "NewSessionTicket";
    /// NewSessionTicket of DTLS 1.2 (RFC 5077 section 3.3).
    pub struct NewSessionTicket12<'a> {
        /// Seconds; 0 leaves it to the client.
        ticket_lifetime_hint: u32 = Plain,
        /// Empty if the server has changed its mind.
        ticket: &'a [u8] = Vector::u16(0, 0xffff),
    }
}

message! {
    "NewSessionTicket";
    /// NewSessionTicket of DTLS 1.3 (RFC 9846 section 4.7.1).
    pub struct NewSessionTicket13<'a> {
        /// Seconds, at most 604,800; 0 means: discard at once.
        ticket_lifetime: u32 = Plain,
        /// Hides the ticket's age, in milliseconds, when it is used.
        ticket_age_add: u32 = Plain,
        /// Unique among the tickets of a connection.
        ticket_nonce: &'a [u8] = Vector::u8(0, 255),
        /// The identity to offer later.
        ticket: &'a [u8] = Vector::u16(1, 0xffff),
        /// What the ticket is good for.
        extensions: NewSessionTicketExtensions<'a> = Block(Vector::u16(0, 0xffff)),
    }
}
