//! HelloVerifyRequests on their way in (RFC 6347 section 4.2.1). They stand outside the order of the server's messages, so
//! that they bypass its reassembly and have their own. Knows no cookie.

use alloc::boxed::Box;

use super::fault::{self, Verdict};
use super::{Connection, Phase};
use crate::client::ExpectServerHello;
use crate::flight::{Accepted, Arrival, Bound, Expectation, Expected, Fragment, Incoming, Message};
use crate::message::registry::HandshakeType;
use crate::time::Instant;
use drystone_record::{Discard, RecordNumber};

/// server_version, and a cookie of 255 bytes behind its length.
const LONGEST: u32 = 2 + 1 + 255;

/// Bytes of heap for parts of one message.
const ROOM: u32 = 2 * 1024;

static VERIFY_REQUEST: [Expected; 1] =
    [Expected::always(HandshakeType::HELLO_VERIFY_REQUEST, Bound::Fixed(LONGEST))];

impl Connection {
    /// Every HelloVerifyRequest of a stateless server has message_seq 0.
    ///
    /// Each repeats the record number of the hello that it answers (RFC 6347 section 4.2.1). One for an earlier hello,
    /// late after a retransmission, has a cookie of its own but is answered already: to answer it again would
    /// restart the handshake under the server's hands.
    pub(super) fn verify_request(&mut self, now: Instant, answers: u64, fragment: &Fragment<'_>) {
        let Phase::Handshaking(handshaking) = &mut self.phase else { return };
        if answers < handshaking.hello_sequence {
            return self.stats.count(Discard::DuplicateMessage);
        }
        if fragment.is_whole() {
            // It displaces parts of others.
            handshaking.verify_request = None;
            let Fragment { msg_type, message_seq, payload: body, .. } = *fragment;
            return self.run_verify_request(now, answers, Message { epoch: 0, msg_type, message_seq, body });
        }
        let expectation = Expectation::AnyOf(&VERIFY_REQUEST);
        let limits = &self.config.common().settings.limits;
        let arrival = Arrival { epoch: 0, now: now.since_origin(), expectation, limits };
        let fresh = || Box::new(Incoming::new(fragment.message_seq, ROOM));
        let known = handshaking.verify_request.take();
        let of_this = known.filter(|incoming| incoming.next_message_seq() == Some(fragment.message_seq));
        let incoming = handshaking.verify_request.insert(of_this.unwrap_or_else(fresh));
        let accepted = incoming.accept(arrival, *fragment);
        let (whole, displaced) = (incoming.take_ready(), incoming.take_displaced());
        match accepted {
            Accepted::Dropped(fault) => self.apply(now, fault::of_fragment(fault, false)),
            _ if displaced => self.apply(now, Verdict::Discard(Discard::ContradictingFragment)),
            _ => {}
        }
        if let Some(message) = whole {
            if let Phase::Handshaking(handshaking) = &mut self.phase {
                handshaking.verify_request = None;
            }
            self.run_verify_request(now, answers, message.as_message());
        }
    }

    fn run_verify_request(&mut self, now: Instant, answers: u64, message: Message<'_>) {
        let sent = self.hello_sent_at(RecordNumber { epoch: 0, sequence: answers });
        let Phase::Handshaking(handshaking) = &mut self.phase else { return };
        handshaking.io.flights.timer.answered(now.since_origin(), sent);
        let cookies = handshaking.expects_server_hello().map(ExpectServerHello::cookies);
        self.run_message(now, message);
        let next_record = self.writes.current().next_number().sequence;
        let Phase::Handshaking(handshaking) = &mut self.phase else { return };
        if handshaking.expects_server_hello().map(ExpectServerHello::cookies) != cookies {
            handshaking.hello_sequence = next_record;
        }
        let incoming = &mut handshaking.io.flights.incoming;
        if incoming.next_message_seq() == Some(0) {
            incoming.set_next_message_seq(1);
        }
    }
}
