//! What comes after the handshake of DTLS 1.3: KeyUpdates in both directions (threat 83), tickets, and messages that have no
//! business there.

use core::time::Duration;

use drystone_handshake::message::KeyUpdateRequest;
use drystone_handshake::{Discard, Error, Event, HandshakeType, Misuse};
use drystone_record::{ContentType, RecordNumber};
use drystone_tests::rogue::alert::UNEXPECTED_MESSAGE;
use drystone_tests::rogue::{CLIENT_STEPS, Duel, Message, SERVER_STEPS, Step};

fn key_updates(duel: &Duel) -> usize {
    duel.rogue.key_updates().len()
}

#[test]
fn a_peers_update_is_acknowledged_at_once_and_answered_if_it_asks() {
    for mut duel in Duel::usual_connected_13() {
        for round in 0..10 {
            let before = duel.rogue.acks().len();
            duel.update_rogue();
            assert_eq!(duel.rogue.acks().len(), before + 1, "round {round}");
            assert_eq!(key_updates(&duel), round);
            duel.talk();
            duel.rogue.request_update = KeyUpdateRequest::Requested;
            duel.update_rogue();
            duel.rogue.request_update = KeyUpdateRequest::NotRequested;
            assert_eq!(key_updates(&duel), round + 1, "it asked for ours");
            duel.acknowledge();
            duel.talk();
        }
        let epochs = (duel.rogue.present_epoch(), duel.rogue.numbers_heard().last().unwrap().epoch);
        assert_eq!(epochs, (23, 13));
    }
}

/// "the receiver [..] keeps the old one": packets from before the update arrive after it.
#[test]
fn packets_of_the_old_keys_arrive_after_the_update() {
    for mut duel in Duel::usual_connected_13() {
        let late = duel.rogue.data(b"late");
        let later = duel.rogue.data(b"later");
        duel.update_rogue();
        duel.give(&late);
        duel.talk();
        duel.give(&later);
        assert_eq!(duel.victim.received, [&b"late"[..], b"later"]);
        // Two updates on, they are too old.
        let stale = {
            duel.rogue.write_in(3);
            duel.rogue.data(b"stale")
        };
        duel.rogue.write_in(4);
        duel.update_rogue();
        duel.talk();
        duel.give(&stale);
        assert_eq!(duel.victim.received.len(), 2);
    }
}

#[test]
fn threat_83_commands_merge_and_a_second_update_waits_for_the_ack_of_the_first() {
    for mut duel in Duel::usual_connected_13() {
        for request_peer in [false, true, false] {
            duel.victim.update_keys(request_peer).unwrap();
        }
        duel.listen();
        assert_eq!(key_updates(&duel), 1);
        duel.pass(Duration::from_secs(5));
        assert_eq!(key_updates(&duel), 1, "repeated, not another");
        duel.talk();
        duel.acknowledge();
        assert_eq!(key_updates(&duel), 2, "what was wanted meanwhile, in one");
        let last = duel.rogue.last(HandshakeType::KEY_UPDATE).unwrap();
        assert_eq!(last.body, [1], "update_requested is not lost");
        duel.acknowledge();
        duel.talk();
        assert_eq!(duel.rogue.numbers_heard().last().unwrap().epoch, 5);
        assert_eq!(duel.pass(Duration::from_secs(100)), 0);
    }
}

#[test]
fn threat_83_the_write_keys_change_with_the_ack_and_not_before() {
    for mut duel in Duel::usual_connected_13() {
        duel.victim.update_keys(false).unwrap();
        duel.listen();
        let update = *duel.rogue.handshakes_heard().last().unwrap();
        for wrong in [
            vec![],
            vec![RecordNumber { sequence: update.sequence + 1_000, ..update }],
            vec![RecordNumber { epoch: 2, ..update }],
        ] {
            let ack = duel.rogue.ack(&wrong);
            duel.give(&ack);
            duel.talk();
            assert_eq!(duel.rogue.numbers_heard().last().unwrap().epoch, 3, "{wrong:?}");
        }
        // Not by the peer's own update either.
        duel.update_rogue();
        duel.talk();
        assert_eq!(duel.rogue.numbers_heard().last().unwrap().epoch, 3);
        let ack = duel.rogue.ack(&[update]);
        duel.give(&ack);
        duel.talk();
        assert_eq!(duel.rogue.numbers_heard().last().unwrap().epoch, 4);
    }
}

#[test]
fn threat_83_a_message_after_a_key_update_in_its_epoch_is_unexpected() {
    for step in [Step::KeyUpdate, Step::NewSessionTicket, Step::Finished] {
        for takes_over in [false, true] {
            for mut duel in Duel::usual_connected_13() {
                duel.update_rogue();
                if takes_over {
                    duel.talk();
                }
                let late = duel.rogue.perform_in(3, step);
                duel.give(&late);
                assert_eq!(duel.rogue.alerts(), [UNEXPECTED_MESSAGE], "{step:?} {:?}", duel.victim.error());
                assert!(!duel.victim.is_connected());
            }
        }
    }
}

/// A copy of what came before is none: its ACK was lost.
#[test]
fn threat_83_a_copy_of_the_key_update_is_acknowledged_again_and_changes_nothing() {
    for mut duel in Duel::usual_connected_13() {
        let update = duel.rogue.message(Step::KeyUpdate).to_bytes();
        for _ in 0..5 {
            let record = duel.rogue.record_in(3, ContentType::HANDSHAKE, &update);
            let before = duel.rogue.acks().len();
            duel.give(&record);
            duel.pass(Duration::from_millis(101));
            assert_eq!(duel.rogue.acks().len(), before + 1);
        }
        duel.rogue.next_keys();
        duel.talk();
        assert!(duel.victim.events.is_empty());
    }
}

#[test]
fn a_key_update_in_the_epoch_of_the_handshake_is_unexpected() {
    for mut duel in Duel::usual_connected_13() {
        let late = duel.rogue.perform_in(2, Step::KeyUpdate);
        duel.give(&late);
        assert_eq!(duel.rogue.alerts(), [UNEXPECTED_MESSAGE]);
    }
}

#[test]
fn a_key_update_with_another_value_is_illegal() {
    for value in [2, 3, 255] {
        for mut duel in Duel::usual_connected_13() {
            duel.rogue.alter(Step::KeyUpdate, move |body| body[0] = value);
            duel.update_rogue();
            assert_eq!(duel.rogue.alerts(), [47], "illegal_parameter");
        }
    }
    for body in [vec![], vec![0, 0]] {
        for mut duel in Duel::usual_connected_13() {
            let body = body.clone();
            duel.rogue.alter(Step::KeyUpdate, move |old| old.clone_from(&body));
            duel.update_rogue();
            assert_eq!(duel.rogue.alerts(), [50], "decode_error");
        }
    }
}

#[test]
fn more_than_32_key_updates_without_data_end_the_association() {
    for data_between in [false, true] {
        for mut duel in Duel::usual_connected_13() {
            for round in 1..=100 {
                duel.update_rogue();
                if data_between && round % 32 == 0 {
                    duel.talk();
                }
                let ended = duel.victim.error().is_some();
                assert_eq!(ended, !data_between && round > 32, "round {round}: {:?}", duel.victim.error());
                if ended {
                    break;
                }
            }
            assert_eq!(duel.rogue.alerts(), if data_between { vec![] } else { vec![UNEXPECTED_MESSAGE] });
        }
    }
}

/// Its ACK would let the peer write with keys that we do not have before the message in between is here.
#[test]
fn a_key_update_that_waits_for_an_earlier_message_is_acknowledged_when_it_counts() {
    let [mut duel, _] = Duel::usual_connected_13();
    let ticket = duel.rogue.perform(Step::NewSessionTicket);
    let update = duel.rogue.message(Step::KeyUpdate).to_bytes();
    let send_update = |duel: &mut Duel| {
        let record = duel.rogue.record_in(3, ContentType::HANDSHAKE, &update);
        duel.give(&record);
        duel.pass(Duration::from_millis(101));
        duel.rogue.acks().len()
    };
    for copy in 0..3 {
        assert_eq!(send_update(&mut duel), 0, "copy {copy}");
    }
    duel.talk();
    duel.give(&ticket);
    assert_eq!((tickets(&duel).len(), duel.rogue.acks().len()), (1, 1));
    assert_eq!(duel.rogue.acks()[0].1.len(), 1, "the ticket's record alone");
    assert_eq!(send_update(&mut duel), 2);
    duel.rogue.next_keys();
    duel.talk();
}

/// Both sides at once, and each acknowledges the other's.
#[test]
fn updates_cross() {
    for mut duel in Duel::usual_connected_13() {
        for _ in 0..5 {
            duel.victim.update_keys(true).unwrap();
            duel.listen();
            duel.rogue.request_update = KeyUpdateRequest::Requested;
            let before = key_updates(&duel);
            duel.update_rogue();
            assert_eq!(key_updates(&duel), before, "the one under way is the answer");
            duel.acknowledge();
            duel.talk();
        }
        assert_eq!(duel.rogue.numbers_heard().last().unwrap().epoch, 8);
        assert_eq!(duel.pass(Duration::from_secs(100)), 0);
    }
}

#[test]
fn dtls_1_2_has_no_key_update() {
    for mut duel in Duel::usual_connected() {
        assert_eq!(duel.victim.update_keys(false), Err(Misuse::NoKeyUpdate));
        duel.talk();
    }
    let mut early = Duel::usual_client_13();
    assert_eq!(early.victim.update_keys(false), Err(Misuse::NotConnected));
}

// ---- messages that have no business there ----

#[test]
fn other_messages_after_the_handshake_are_unexpected() {
    let types = [
        HandshakeType::HELLO_REQUEST,
        HandshakeType::CLIENT_HELLO,
        HandshakeType::SERVER_HELLO,
        HandshakeType::HELLO_VERIFY_REQUEST,
        HandshakeType::ENCRYPTED_EXTENSIONS,
        HandshakeType::CERTIFICATE,
        HandshakeType::CERTIFICATE_REQUEST,
        HandshakeType::CERTIFICATE_VERIFY,
        HandshakeType::FINISHED,
        HandshakeType::SERVER_KEY_EXCHANGE,
        HandshakeType::CLIENT_KEY_EXCHANGE,
        HandshakeType::MESSAGE_HASH,
        HandshakeType(77),
    ];
    for msg_type in types {
        for mut duel in Duel::usual_connected_13() {
            let message = Message { msg_type, message_seq: duel.rogue.next_message_seq, body: vec![0; 32] };
            let record = duel.rogue.record_in(3, ContentType::HANDSHAKE, &message.to_bytes());
            duel.give(&record);
            assert_eq!(duel.rogue.alerts(), [UNEXPECTED_MESSAGE], "{msg_type}: {:?}", duel.victim.error());
            let unexpected = Error::UnexpectedMessage { expected: "application data", received: msg_type };
            assert_eq!(duel.victim.error(), Some(&unexpected));
        }
    }
}

fn tickets(duel: &Duel) -> Vec<Vec<u8>> {
    let ticket = |event: &Event| match event {
        Event::TicketReceived(ticket) => Some(ticket.ticket.clone()),
        _ => None,
    };
    duel.victim.events.iter().filter_map(ticket).collect()
}

#[test]
fn a_ticket_is_offered_once_and_acknowledged_each_time() {
    let [mut client, mut server] = Duel::usual_connected_13();
    let message = client.rogue.message(Step::NewSessionTicket).to_bytes();
    for copy in 0..3 {
        let record = client.rogue.record(ContentType::HANDSHAKE, &message);
        client.give(&record);
        client.pass(Duration::from_millis(101));
        assert_eq!(client.rogue.acks().len(), copy + 1);
    }
    assert_eq!(tickets(&client), [[9; 32]]);
    client.rogue.ticket = vec![8; 500];
    let second = client.rogue.perform(Step::NewSessionTicket);
    client.give(&second);
    assert_eq!(tickets(&client).len(), 2);
    client.talk();
    // No client gives tickets.
    let record = server.rogue.perform(Step::NewSessionTicket);
    server.give(&record);
    assert_eq!(server.rogue.alerts(), [UNEXPECTED_MESSAGE]);
}

/// RFC 9846 section 4.7.1.
#[test]
fn a_ticket_without_a_lifetime_is_discarded() {
    let [mut client, _] = Duel::usual_connected_13();
    let mut message = client.rogue.message(Step::NewSessionTicket);
    message.body[..4].fill(0);
    let record = client.rogue.record(ContentType::HANDSHAKE, &message.to_bytes());
    client.give(&record);
    assert_eq!(client.rogue.acks().len(), 1);
    assert!(tickets(&client).is_empty());
    client.talk();
}

#[test]
fn a_ticket_in_pieces_is_put_together_in_any_order() {
    for backwards in [false, true] {
        let [mut duel, _] = Duel::usual_connected_13();
        duel.rogue.ticket = (0..3_000).map(|byte| byte as u8).collect();
        let mut pieces = duel.rogue.message(Step::NewSessionTicket).fragments(400);
        if backwards {
            pieces.reverse();
        }
        let (last, others) = pieces.split_last().unwrap();
        for piece in others.iter().chain(&others[1..3]) {
            let record = duel.rogue.record(ContentType::HANDSHAKE, piece);
            assert_eq!(duel.give(&record), 0, "pieces are acknowledged a little later");
        }
        assert!(tickets(&duel).is_empty());
        duel.pass(Duration::from_millis(101));
        let (_, numbers) = duel.rogue.acks().pop().expect("an ACK of the pieces");
        assert_eq!(numbers.len(), others.len() + 2);
        let record = duel.rogue.record(ContentType::HANDSHAKE, last);
        assert_eq!(duel.give(&record), 1, "the whole at once");
        assert_eq!(tickets(&duel), [&duel.rogue.ticket[..]]);
        duel.talk();
    }
}

/// A server that gives ticket after ticket to a client that takes none fills no memory.
#[test]
fn eight_tickets_wait_and_the_oldest_gives_way() {
    let [mut duel, _] = Duel::usual_connected_13();
    let given = |duel: &mut Duel, numbers: core::ops::Range<u16>| {
        let mut records: Vec<_> = numbers
            .map(|number| {
                duel.rogue.ticket = number.to_be_bytes().repeat(50);
                duel.rogue.perform(Step::NewSessionTicket)
            })
            .collect();
        duel.victim.flood(&mut records).live_bytes
    };
    given(&mut duel, 0..100);
    let more = given(&mut duel, 100..3_000);
    assert_eq!(more, 0, "bytes of the heap");
    assert!(duel.victim.error().is_none());
    duel.listen();
    let newest: Vec<_> = (2_992_u16..3_000).map(|number| number.to_be_bytes().repeat(50)).collect();
    assert_eq!(tickets(&duel), newest);
    // Once they are taken, there is room for as many.
    given(&mut duel, 0..8);
    duel.listen();
    assert_eq!(tickets(&duel).len(), 16);
    duel.talk();
}

#[test]
fn a_malformed_ticket_ends_the_association() {
    let [mut duel, _] = Duel::usual_connected_13();
    duel.rogue.alter(Step::NewSessionTicket, |body| body.truncate(20));
    let record = duel.rogue.perform(Step::NewSessionTicket);
    duel.give(&record);
    assert_eq!(duel.rogue.alerts(), [50]);
}

/// In 1.2 there is nothing after the handshake.
#[test]
fn a_key_update_or_a_ticket_in_dtls_1_2_is_unexpected() {
    for (msg_type, body) in
        [(HandshakeType::KEY_UPDATE, vec![0]), (HandshakeType::NEW_SESSION_TICKET, vec![0; 40])]
    {
        let mut client = Duel::usual_client();
        client.play(&SERVER_STEPS);
        let mut server = Duel::usual_server();
        server.play(&CLIENT_STEPS);
        for mut duel in [client, server] {
            let message = Message { msg_type, message_seq: duel.rogue.next_message_seq, body: body.clone() };
            let record = duel.rogue.handshake_record(&message.to_bytes());
            duel.give(&record);
            assert_eq!(duel.rogue.alerts(), [UNEXPECTED_MESSAGE], "{msg_type}");
        }
    }
}

/// Nothing the application was given is lost by what ends the association.
#[test]
fn what_came_before_a_fault_was_delivered() {
    for mut duel in Duel::usual_connected_13() {
        let good = duel.rogue.data(b"good");
        let bad = duel.rogue.perform_in(3, Step::Finished);
        let late = duel.rogue.data(b"late");
        duel.give(&[good, bad, late].concat());
        assert_eq!(duel.victim.received, [b"good"]);
        assert_eq!(duel.victim.discards(Discard::AfterClose), 1);
    }
}
