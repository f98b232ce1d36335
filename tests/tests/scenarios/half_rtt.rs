//! Application data, tickets and KeyUpdates that a server of DTLS 1.3 sends behind its Finished, before it has the client's
//! (RFC 9846 sections 2, 4.7.1 and 4.7.3): none of them acknowledges the client's last flight (RFC 9147 section 7).

use core::time::Duration;

use drystone_handshake::Event;
use drystone_handshake::crypto::Side;
use drystone_tests::identity::{Identity, settings_of_both};
use drystone_tests::rogue::{Duel, Rogue, SERVER_STEPS_13, Step, Victim};

/// What a server of DTLS 1.3 does that asks for a certificate.
const ASKING_STEPS: [Step; 6] = [
    Step::ServerHello,
    Step::EncryptedExtensions,
    Step::CertificateRequest,
    Step::Certificate,
    Step::CertificateVerify,
    Step::Finished,
];

/// What the server sends behind its Finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Early {
    Data,
    Ticket,
    KeyUpdate,
}

impl Early {
    const ALL: [Self; 3] = [Self::Data, Self::Ticket, Self::KeyUpdate];

    fn record(self, rogue: &mut Rogue) -> Vec<u8> {
        match self {
            Self::Data => rogue.data(b"early"),
            Self::Ticket => rogue.perform(Step::NewSessionTicket),
            Self::KeyUpdate => rogue.key_update(),
        }
    }
}

/// How Finished and what follows it travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    OneDatagram,
    TwoDatagrams,
    OneDatagramSwapped,
    TwoDatagramsSwapped,
}

impl Order {
    const ALL: [Self; 4] =
        [Self::OneDatagram, Self::TwoDatagrams, Self::OneDatagramSwapped, Self::TwoDatagramsSwapped];

    fn is_swapped(self) -> bool {
        matches!(self, Self::OneDatagramSwapped | Self::TwoDatagramsSwapped)
    }
}

fn duel(certified: bool) -> (Duel, &'static [Step]) {
    if certified {
        let rogue = Rogue::new_13(Side::Server, Identity::p256());
        (Duel::between(rogue, Victim::certified_client(settings_of_both())), &ASKING_STEPS)
    } else {
        (Duel::usual_client_13(), &SERVER_STEPS_13)
    }
}

/// The datagrams with the server's Finished and what it sends early.
fn last_datagrams(duel: &mut Duel, early: Early, order: Order) -> Vec<Vec<u8>> {
    let finished = duel.rogue.perform(Step::Finished);
    let early = early.record(&mut duel.rogue);
    match order {
        Order::OneDatagram => vec![[finished, early].concat()],
        Order::TwoDatagrams => vec![finished, early],
        Order::OneDatagramSwapped => vec![[early, finished].concat()],
        Order::TwoDatagramsSwapped => vec![early, finished],
    }
}

fn finished_heard(duel: &Duel) -> bool {
    duel.rogue.peer_finished == Some(true)
}

fn each_case(mut run: impl FnMut(bool, Early, Order)) {
    for certified in [false, true] {
        for early in Early::ALL {
            for order in Order::ALL {
                run(certified, early, order);
            }
        }
    }
}

#[test]
fn the_clients_flight_goes_out_whatever_follows_the_servers_finished() {
    each_case(|certified, early, order| {
        let case = format!("{certified} {early:?} {order:?}");
        let (mut duel, steps) = duel(certified);
        duel.play(&steps[..steps.len() - 1]);
        for datagram in last_datagrams(&mut duel, early, order) {
            duel.give(&datagram);
        }
        assert!(duel.victim.is_connected() && finished_heard(&duel), "{case}");
        let early_is_there = match early {
            Early::Data => duel.victim.received.pop().is_some(),
            Early::Ticket => duel.victim.events.iter().any(|event| matches!(event, Event::TicketReceived(_))),
            Early::KeyUpdate => !duel.rogue.acks().is_empty(),
        };
        assert_eq!(early_is_there, !order.is_swapped(), "{case}");
        duel.acknowledge();
        assert_eq!(duel.pass(Duration::from_secs(100)), 0, "{case}: all is acknowledged");
        duel.talk();
    });
}

/// The client's flight is lost again and again, while the server goes on to send.
#[test]
fn the_clients_flight_is_sent_again_until_an_ack_names_it() {
    each_case(|certified, early, order| {
        let case = format!("{certified} {early:?} {order:?}");
        let (mut duel, steps) = duel(certified);
        duel.play(&steps[..steps.len() - 1]);
        for datagram in last_datagrams(&mut duel, early, order) {
            duel.victim.give(&datagram);
        }
        for round in 0..4 {
            let lost = duel.victim.pass(Duration::from_secs(1 << round));
            assert!(!lost.is_empty(), "{case}: round {round}");
            // What the server says is no proof that it has the flight.
            let more = duel.rogue.data(b"more");
            duel.victim.give(&more);
        }
        duel.pass(Duration::from_secs(20));
        assert!(finished_heard(&duel), "{case}");
        duel.acknowledge();
        assert_eq!(duel.pass(Duration::from_secs(100)), 0, "{case}");
        duel.talk();
    });
}

/// A server that repeats its flight has not seen the client's, whatever else it says.
#[test]
fn a_repeat_of_the_servers_flight_is_answered_by_the_clients() {
    each_case(|certified, early, order| {
        let case = format!("{certified} {early:?} {order:?}");
        let (mut duel, steps) = duel(certified);
        duel.play(&steps[..steps.len() - 2]);
        let signature = duel.rogue.message(Step::CertificateVerify).to_bytes();
        let record = duel.rogue.record_in(2, drystone_record::ContentType::HANDSHAKE, &signature);
        duel.give(&record);
        let finished = duel.rogue.message(Step::Finished).to_bytes();
        let record = duel.rogue.record_in(2, drystone_record::ContentType::HANDSHAKE, &finished);
        let early_record = early.record(&mut duel.rogue);
        let mut records = [record, early_record];
        if order.is_swapped() {
            records.reverse();
        }
        for record in &records {
            duel.victim.give(record);
        }
        assert!(!finished_heard(&duel), "{case}: its flight was lost");
        duel.victim.pass(Duration::from_millis(300));
        let again = duel.rogue.record_in(2, drystone_record::ContentType::HANDSHAKE, &finished);
        duel.give(&again);
        assert!(finished_heard(&duel), "{case}: at once, not when the timer expires");
    });
}
