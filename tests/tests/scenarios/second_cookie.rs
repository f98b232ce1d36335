//! A client that answers two different cookies of one server: its second hello counts.

use core::cell::RefCell;
use core::time::Duration;
use std::rc::Rc;

use drystone_handshake::HandshakeType;
use drystone_tests::identity::{Identity, client_config, name, server_config, settings};
use drystone_tests::link::{Direction, Fate};
use drystone_tests::pair::{Pair, perfect_link};

/// Where the handshake type lies in a plaintext record.
const TYPE: usize = 13;
/// Where the message_seq lies.
const MESSAGE_SEQ: usize = 17;

#[test]
fn a_hello_with_another_message_seq_does_not_end_the_handshake() {
    let identity = Identity::p256();
    let mut link = perfect_link();
    let hello = Rc::new(RefCell::new(Vec::new()));
    let last_hello = Rc::clone(&hello);
    // Before the server's flight arrives, the client's hello comes once more, as if for a second cookie.
    link.add_hook(move |passing| match passing.direction {
        Direction::ToClient if passing.bytes[TYPE] == HandshakeType::SERVER_HELLO.0 => {
            Fate::Delay(Duration::from_millis(200))
        }
        Direction::ToServer if passing.bytes[TYPE] == HandshakeType::CLIENT_HELLO.0 => {
            *last_hello.borrow_mut() = passing.bytes.clone();
            Fate::Pass
        }
        _ => Fate::Pass,
    });
    let mut pair =
        Pair::new(client_config(settings(), identity), server_config(settings(), identity), name(), link);
    assert!(pair.run_until(Duration::from_secs(5), |pair| pair.server.connection.is_some()));
    let mut again = hello.borrow().clone();
    again[MESSAGE_SEQ + 1] += 1;
    pair.deliver(Direction::ToServer, &mut again);
    assert!(pair.connect(), "{pair:?}");
}
