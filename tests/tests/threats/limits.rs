//! What may come, how long it may be and how much of it is buffered: by state, by side, and for all associations of a server
//! together (threats 1, 2, 5 to 9); and messages of the greatest honest length.

use core::task::Poll;
use core::time::Duration;
use std::sync::{Arc, Mutex};

use drystone_handshake::crypto::Side;
use drystone_handshake::message::CertificateRequest12;
use drystone_handshake::message::registry::{ExtensionType, HandshakeType};
use drystone_handshake::{
    ClientAuth, ClientConfig, Credential, CredentialOffer, CredentialResolver, Discard, Error,
    ProtocolVersion, ServerConfig, Settings,
};
use drystone_record::ContentType;
use drystone_tests::identity::{Identity, server_config, settings, settings_of, settings_of_both};
use drystone_tests::random::SplitMix64;
use drystone_tests::rogue::alert::{ILLEGAL_PARAMETER, UNEXPECTED_MESSAGE};
use drystone_tests::rogue::{
    CERTIFIED_CLIENT_STEPS, CERTIFIED_CLIENT_STEPS_13, CLIENT_STEPS, Duel, Rogue, SERVER_STEPS,
    SERVER_STEPS_13, Step, Victim, connects_and_talks, fragment_header, refused,
};

/// A fragment with these claims and so many bytes of content.
fn claim(msg_type: HandshakeType, length: u32, message_seq: u16, offset: u32, content: usize) -> Vec<u8> {
    let mut bytes = fragment_header(msg_type, length, message_seq, offset, content as u32).to_vec();
    bytes.resize(bytes.len() + content, 0xaa);
    bytes
}

/// Performs a step in fragments of this size, each in a datagram of its own.
fn play_in_pieces(duel: &mut Duel, step: Step, size: usize) {
    let epoch = duel.rogue.epoch_of(step);
    let message = duel.rogue.message(step);
    let pieces = if message.body.is_empty() { vec![message.to_bytes()] } else { message.fragments(size) };
    for piece in pieces {
        let record = duel.rogue.record_in(epoch, ContentType::HANDSHAKE, &piece);
        duel.give(&record);
    }
}

/// Distinguished names of so many bytes in all, each behind its length.
fn names(bytes: usize) -> Vec<u8> {
    let mut list = Vec::new();
    while list.len() < bytes {
        let rest = bytes - list.len();
        let length = if rest < 400 { rest - 2 } else { 175 };
        list.extend((length as u16).to_be_bytes());
        list.resize(list.len() + length, 0x30);
    }
    list
}

/// Lets a rogue server name authorities in its CertificateRequest of DTLS 1.2.
fn name_authorities_12(rogue: &mut Rogue, bytes: usize) {
    rogue.alter(Step::CertificateRequest, move |body| {
        let list = names(bytes);
        body.truncate(body.len() - 2);
        body.extend((list.len() as u16).to_be_bytes());
        body.extend(list);
        CertificateRequest12::decode(body).expect("an honest request");
    });
}

/// The same in DTLS 1.3, where the names are an extension.
fn name_authorities_13(rogue: &mut Rogue, bytes: usize) {
    rogue.alter(Step::CertificateRequest, move |body| {
        let list = names(bytes);
        body.extend(ExtensionType::CERTIFICATE_AUTHORITIES.0.to_be_bytes());
        body.extend((list.len() as u16 + 2).to_be_bytes());
        body.extend((list.len() as u16).to_be_bytes());
        body.extend(list);
        // The context is empty, and the length of all extensions follows it.
        let extensions = (body.len() - 3) as u16;
        body[1..3].copy_from_slice(&extensions.to_be_bytes());
    });
}

// ---- messages of every honest length ----

/// The list of authorities of a whole company: a request of 65,543 bytes is the longest that DTLS 1.2 knows with one
/// certificate type and one algorithm.
#[test]
fn a_certificate_request_may_name_every_authority_there_is() {
    for bytes in [26_000, 65_535] {
        let mut duel = Duel::usual_client();
        name_authorities_12(&mut duel.rogue, bytes);
        duel.play(&SERVER_STEPS[..3]);
        play_in_pieces(&mut duel, Step::CertificateRequest, 1_100);
        connects_and_talks(&mut duel, &SERVER_STEPS[3..], &format!("{bytes} bytes in DTLS 1.2"));
    }
    for bytes in [26_000, 65_400] {
        let mut duel = Duel::usual_client_13();
        name_authorities_13(&mut duel.rogue, bytes);
        duel.play(&SERVER_STEPS_13[..2]);
        play_in_pieces(&mut duel, Step::CertificateRequest, 1_100);
        connects_and_talks(&mut duel, &SERVER_STEPS_13[2..], &format!("{bytes} bytes in DTLS 1.3"));
    }
}

/// Notes how many bytes of names each offer has.
#[derive(Debug, Default)]
struct Noting(Mutex<Vec<usize>>);

impl CredentialResolver for Noting {
    fn resolve(&self, offer: &CredentialOffer<'_>) -> Poll<Option<Arc<Credential>>> {
        let bytes = offer.authorities.iter().map(|name| 2 + name.len()).sum();
        self.0.lock().unwrap().push(bytes);
        Poll::Ready(Some(Arc::new(Identity::p256().credential())))
    }
}

#[test]
fn a_client_hears_which_authorities_the_server_names() {
    for version in [ProtocolVersion::DTLS_1_2, ProtocolVersion::DTLS_1_3] {
        let noting = Arc::new(Noting::default());
        let config = ClientConfig::new(settings_of(version), Identity::p256().policy()).unwrap();
        let victim = Victim::client(Arc::new(config.with_credentials(Shared(Arc::clone(&noting)))));
        if version == ProtocolVersion::DTLS_1_2 {
            let mut duel = Duel::between(Rogue::new(Side::Server, Identity::p256()), victim);
            name_authorities_12(&mut duel.rogue, 900);
            duel.play(&SERVER_STEPS[..3]);
            duel.play(&[Step::CertificateRequest]);
            duel.play(&SERVER_STEPS[3..4]);
        } else {
            let mut duel = Duel::between(Rogue::new_13(Side::Server, Identity::p256()), victim);
            name_authorities_13(&mut duel.rogue, 900);
            duel.play(&SERVER_STEPS_13[..2]);
            duel.play(&[Step::CertificateRequest]);
            duel.play(&SERVER_STEPS_13[2..]);
        }
        assert_eq!(*noting.0.lock().unwrap(), [900], "{version}");
    }
}

#[test]
fn a_server_of_1_3_hears_which_authorities_the_client_names() {
    let noting = Arc::new(Noting::default());
    let config =
        ServerConfig::new(settings_of(ProtocolVersion::DTLS_1_3), Shared(Arc::clone(&noting))).unwrap();
    let mut rogue = Rogue::new_13(Side::Client, Identity::p256());
    rogue.alter(Step::ClientHello, |body| {
        let list = names(900);
        // client_version, random, session_id, cookie, cipher_suites, compression_methods; then all extensions.
        let mut at = 34;
        at += 1 + usize::from(body[at]);
        at += 1 + usize::from(body[at]);
        at += 2 + usize::from(u16::from_be_bytes([body[at], body[at + 1]]));
        at += 1 + usize::from(body[at]);
        body.extend(ExtensionType::CERTIFICATE_AUTHORITIES.0.to_be_bytes());
        body.extend((list.len() as u16 + 2).to_be_bytes());
        body.extend((list.len() as u16).to_be_bytes());
        body.extend(list);
        let length = (body.len() - at - 2) as u16;
        body[at..at + 2].copy_from_slice(&length.to_be_bytes());
    });
    let mut duel = Duel::between(rogue, Victim::server_without_cookie(Arc::new(config)));
    duel.play(&[Step::ClientHello]);
    assert_eq!(*noting.0.lock().unwrap(), [900]);
}

/// A resolver of which the test keeps a part.
#[derive(Debug)]
struct Shared(Arc<Noting>);

impl CredentialResolver for Shared {
    fn resolve(&self, offer: &CredentialOffer<'_>) -> Poll<Option<Arc<Credential>>> {
        self.0.resolve(offer)
    }
}

fn short_request(mut settings: Settings) -> Settings {
    settings.limits.certificate_request = 20_000;
    settings
}

/// Without keys anybody may have sent it: the handshake goes on, and its deadline tells what could not get across.
#[test]
fn threat_09_in_plaintext_the_deadline_names_what_was_too_long() {
    let mut duel = Duel::client_12(short_request(settings()));
    name_authorities_12(&mut duel.rogue, 19_993);
    duel.play(&SERVER_STEPS[..3]);
    play_in_pieces(&mut duel, Step::CertificateRequest, 1_100);
    duel.play(&SERVER_STEPS[3..4]);
    assert_eq!(duel.victim.error(), None);
    assert_eq!(duel.victim.discards(Discard::FragmentBeyondLimit), 19);
    duel.pass(Duration::from_secs(31));
    let error = duel.victim.error().expect("the deadline is over").clone();
    let expected = Error::MessageTooLong {
        message: HandshakeType::CERTIFICATE_REQUEST,
        length: 20_001,
        limit: 20_000,
        setting: Some("limits.certificate_request"),
    };
    assert_eq!(error, expected);
    assert_eq!(
        error.to_string(),
        "the peer's CertificateRequest has 20001 bytes, and at most 20000 are accepted: \
         `Settings::limits.certificate_request` raises that"
    );

    // One byte less is accepted.
    let mut duel = Duel::client_12(short_request(settings()));
    name_authorities_12(&mut duel.rogue, 19_992);
    duel.play(&SERVER_STEPS[..3]);
    play_in_pieces(&mut duel, Step::CertificateRequest, 1_100);
    connects_and_talks(&mut duel, &SERVER_STEPS[3..], "at the limit");

    // A peer that is only silent is called so.
    let mut duel = Duel::client_12(short_request(settings()));
    duel.play(&SERVER_STEPS[..3]);
    duel.pass(Duration::from_secs(31));
    assert_eq!(duel.victim.error(), Some(&Error::HandshakeTimeout));
}

#[test]
fn threat_09_under_keys_the_first_fragment_of_what_is_too_long_is_fatal() {
    let mut duel = Duel::client_13(short_request(settings_of_both()));
    name_authorities_13(&mut duel.rogue, 21_000);
    duel.play(&SERVER_STEPS_13[..2]);
    let request = duel.rogue.message(Step::CertificateRequest);
    let first = duel.rogue.record_in(2, ContentType::HANDSHAKE, &request.fragment(5_000, 10));
    duel.give(&first);
    let too_long = |error: Option<&Error>, wanted: &str| matches!(error, Some(Error::MessageTooLong { setting: Some(setting), .. }) if *setting == wanted);
    assert!(too_long(duel.victim.error(), "limits.certificate_request"), "{:?}", duel.victim.error());
    refused(&duel, ILLEGAL_PARAMETER, "a long CertificateRequest");

    let mut duel = Duel::asking_server_13(settings_of_both(), ClientAuth::Require);
    let message_seq = duel.rogue.next_message_seq;
    let bytes = claim(HandshakeType::CERTIFICATE, 16_385, message_seq, 0, 100);
    let first = duel.rogue.record_in(2, ContentType::HANDSHAKE, &bytes);
    duel.give(&first);
    assert!(too_long(duel.victim.error(), "limits.client_certificate"), "{:?}", duel.victim.error());
    refused(&duel, ILLEGAL_PARAMETER, "a long Certificate of a client");
}

// ---- planted fragments ----

/// A fragment that anybody can send, before the genuine message or between its pieces, does not keep that message out.
#[test]
fn threat_01_a_planted_fragment_blocks_no_handshake() {
    let types = [
        HandshakeType::SERVER_HELLO,
        HandshakeType::CERTIFICATE,
        HandshakeType::SERVER_KEY_EXCHANGE,
        HandshakeType::CERTIFICATE_REQUEST,
        HandshakeType::SERVER_HELLO_DONE,
    ];
    type Begin = fn() -> Duel;
    let clients: [(&str, Begin, &[Step]); 2] =
        [("1.2", Duel::usual_client, &SERVER_STEPS), ("1.3", Duel::usual_client_13, &SERVER_STEPS_13)];
    for (version, client, steps) in clients {
        for (length, offset) in [(1_000, 0), (1_000, 500), (13, 12)] {
            for size in [usize::MAX, 40] {
                let mut duel = client();
                for (message_seq, msg_type) in types.into_iter().enumerate() {
                    let plant = claim(msg_type, length, message_seq as u16, offset, 1);
                    let record = duel.rogue.plaintext(ContentType::HANDSHAKE, &plant);
                    duel.give(&record);
                }
                for step in steps {
                    match step {
                        Step::ChangeCipherSpec => duel.play(&[*step]),
                        _ => play_in_pieces(&mut duel, *step, size),
                    }
                }
                let what = format!("{version}: {length} {offset} {size}");
                assert!(duel.victim.is_connected(), "{what}: {:?}", duel.victim.error());
                duel.talk();
            }
        }
    }
}

#[test]
fn threat_01_a_planted_fragment_blocks_no_server() {
    let identity = Identity::p256();
    for (length, planted_seq) in [(1_000, 0), (20, 0), (1_000, 1), (1_000, 5)] {
        let victim = Victim::server_without_cookie(server_config(settings(), identity));
        let mut duel = Duel::with_server(victim, identity);
        let plant = claim(HandshakeType::CLIENT_HELLO, length, planted_seq, 3, 9);
        let record = duel.rogue.plaintext(ContentType::HANDSHAKE, &plant);
        duel.give(&record);
        play_in_pieces(&mut duel, Step::ClientHello, 60);
        let plant = claim(HandshakeType::CLIENT_KEY_EXCHANGE, 500, 1, 3, 9);
        let record = duel.rogue.plaintext(ContentType::HANDSHAKE, &plant);
        duel.give(&record);
        connects_and_talks(&mut duel, &CLIENT_STEPS, &format!("{length} bytes of message {planted_seq}"));
    }
}

// ---- memory ----

/// Bytes that one connected peer may make an association buffer.
const CONNECTED: i64 = 8 * 1024;

/// Bytes that one half-open peer may make an association buffer.
const HALF_OPEN: i64 = 20 * 1024;

/// What a flood makes the victim hold more than before, and what it buffers of it, each at its most.
fn flood(duel: &mut Duel, epoch: u64, fragments: impl Iterator<Item = Vec<u8>>) -> (i64, i64) {
    let (mut held, mut most_held, mut most_buffered) = (0, 0, 0);
    for fragment in fragments {
        let record = duel.rogue.record_in(epoch, ContentType::HANDSHAKE, &fragment);
        held += duel.victim.flood(&mut [record]).live_bytes;
        most_held = most_held.max(held);
        most_buffered = most_buffered.max(duel.victim.connection().buffered_bytes() as i64);
    }
    (most_held, most_buffered)
}

/// Random pieces of messages that claim this length, all from this message_seq on.
fn pieces(
    seed: u64,
    count: usize,
    kinds: &'static [(u16, HandshakeType, u32)],
    first: u16,
) -> impl Iterator<Item = Vec<u8>> {
    let mut random = SplitMix64::new(seed);
    (0..count).map(move |_| {
        let (distance, msg_type, length) = kinds[random.below(kinds.len() as u64) as usize];
        let content = 1 + random.below(u64::from((length - 1).clamp(1, 900))) as u32;
        let offset = random.below(u64::from(length - content + 1)) as u32;
        // The first byte never comes, so that no message becomes whole.
        let offset = if offset == 0 && length > content { 1 } else { offset };
        claim(msg_type, length, first + distance, offset, content as usize)
    })
}

#[test]
fn threat_05_a_connected_client_of_1_3_holds_next_to_nothing() {
    static KINDS: [(u16, HandshakeType, u32); 4] = [
        (1, HandshakeType::KEY_UPDATE, 1),
        (2, HandshakeType::KEY_UPDATE, 1),
        (3, HandshakeType::KEY_UPDATE, 1),
        (4, HandshakeType::KEY_UPDATE, 1),
    ];
    let [_, mut duel] = Duel::usual_connected_13();
    let first = duel.rogue.next_message_seq;
    let (held, buffered) = flood(&mut duel, 3, pieces(1, 1_000, &KINDS, first));
    assert!((1..=1_024).contains(&buffered) && held <= 2_048, "{held} bytes held, {buffered} buffered");
    duel.pass(Duration::from_secs(239));
    assert!(duel.victim.connection().buffered_bytes() > 0);
    duel.pass(Duration::from_secs(1));
    assert_eq!(duel.victim.connection().buffered_bytes(), 0);
    duel.talk();
}

#[test]
fn threat_05_a_connected_server_of_1_3_holds_8_kib_for_a_minute() {
    static KINDS: [(u16, HandshakeType, u32); 6] = [
        (0, HandshakeType::NEW_SESSION_TICKET, 4_096),
        (1, HandshakeType::NEW_SESSION_TICKET, 4_096),
        (2, HandshakeType::NEW_SESSION_TICKET, 4_000),
        (3, HandshakeType::NEW_SESSION_TICKET, 3_000),
        (4, HandshakeType::NEW_SESSION_TICKET, 4_096),
        (5, HandshakeType::NEW_SESSION_TICKET, 4_096),
    ];
    let [mut duel, _] = Duel::usual_connected_13();
    let first = duel.rogue.next_message_seq;
    let (held, buffered) = flood(&mut duel, 3, pieces(2, 5_000, &KINDS, first));
    assert!(held <= CONNECTED, "{held} bytes");
    assert!(buffered > CONNECTED * 3 / 4, "{buffered} bytes: the flood has to fill what there is");
    duel.pass(Duration::from_secs(240));
    assert_eq!(duel.victim.connection().buffered_bytes(), 0);
    duel.talk();
}

/// The first fragment of anything else ends the association, and what it held is free.
#[test]
fn threat_05_after_the_handshake_of_1_3_everything_else_is_unexpected() {
    for msg_type in (0..=u8::MAX).map(HandshakeType) {
        for (side, mut duel) in ["client", "server"].into_iter().zip(Duel::usual_connected_13()) {
            let ticket = side == "client" && msg_type == HandshakeType::NEW_SESSION_TICKET;
            if msg_type == HandshakeType::KEY_UPDATE || ticket {
                continue;
            }
            let message_seq = duel.rogue.next_message_seq + 1;
            let record = duel.rogue.handshake_record(&claim(msg_type, 60_000, message_seq, 9, 20));
            duel.give(&record);
            let what = format!("{msg_type} at a {side}");
            assert!(
                matches!(duel.victim.error(), Some(Error::UnexpectedMessage { received, .. }) if *received == msg_type),
                "{what}: {:?}",
                duel.victim.error()
            );
            assert_eq!(duel.rogue.alerts(), [UNEXPECTED_MESSAGE], "{what}");
        }
    }
}

#[test]
fn threat_05_a_connected_peer_of_1_2_makes_nobody_hold_anything() {
    for mut duel in Duel::usual_connected() {
        let first = duel.rogue.next_message_seq;
        let fragments = (0..2_000).map(|number| {
            // Anything else is fatal at once, a second Finished too.
            let types = [HandshakeType::CLIENT_HELLO, HandshakeType::HELLO_REQUEST];
            claim(types[number % 2], 12_000, first + (number % 9) as u16, number as u32, 200)
        });
        // A warning may wait to be sent.
        let (held, buffered) = flood(&mut duel, 1, fragments);
        assert!(held <= 128 && buffered == 0, "{held} bytes held, {buffered} buffered");
        duel.talk();
    }
}

/// Every pieces that a client of either version can send before it is connected, with a certificate and without.
#[test]
fn threat_05_a_half_open_peer_makes_a_server_hold_20_kib_at_most() {
    use HandshakeType as T;
    static PLAIN: [(u16, T, u32); 8] = [
        (0, T::CERTIFICATE, 16_384),
        (0, T::CLIENT_KEY_EXCHANGE, 1_024),
        (1, T::CLIENT_KEY_EXCHANGE, 1_024),
        (1, T::CERTIFICATE, 16_384),
        (2, T::CERTIFICATE_VERIFY, 16_384),
        (2, T::FINISHED, 64),
        (3, T::FINISHED, 12),
        (4, T(99), 16_384),
    ];
    static FINISHED: [(u16, T, u32); 1] = [(0, T::FINISHED, 64)];
    static PROTECTED: [(u16, T, u32); 3] =
        [(0, T::CERTIFICATE, 16_384), (1, T::CERTIFICATE_VERIFY, 16_384), (2, T::FINISHED, 64)];
    let asking_12 = || Duel::asking_server_12(settings(), ClientAuth::Require);
    let asking_13 = || Duel::asking_server_13(settings_of_both(), ClientAuth::Require);
    let after_certificate = || {
        let mut duel = asking_12();
        duel.play(&CERTIFIED_CLIENT_STEPS[..1]);
        duel
    };
    let proving = || {
        let mut duel = asking_13();
        duel.play(&CERTIFIED_CLIENT_STEPS_13[..1]);
        duel
    };
    type Case<'a> =
        (&'a str, &'a dyn Fn() -> Duel, u64, &'static [(u16, T, u32)], core::ops::RangeInclusive<i64>);
    let cases: [Case<'_>; 6] = [
        ("1.2", &Duel::usual_server, 0, &PLAIN, 500..=2_048),
        ("1.2, asked", &asking_12, 0, &PLAIN, 16_384..=HALF_OPEN),
        ("1.2, with a certificate", &after_certificate, 0, &PLAIN[2..], 10_000..=HALF_OPEN),
        ("1.3", &Duel::usual_server_13, 2, &FINISHED, 1..=2_048),
        ("1.3, asked", &asking_13, 2, &PROTECTED, 16_384..=HALF_OPEN),
        ("1.3, with a certificate", &proving, 2, &PROTECTED[1..], 10_000..=HALF_OPEN),
    ];
    for (what, begin, epoch, kinds, bounds) in cases {
        let mut duel = begin();
        let first = duel.rogue.next_message_seq - kinds[0].0;
        let (held, buffered) = flood(&mut duel, epoch, pieces(3, 4_000, kinds, first));
        assert!(duel.victim.error().is_none(), "{what}: {:?}", duel.victim.error());
        assert!(bounds.contains(&buffered), "{what}: {buffered} bytes buffered");
        assert!(held <= HALF_OPEN, "{what}: {held} bytes held");
        println!("{what}: at most {held} bytes held, {buffered} buffered");
    }
}

/// What a server does that bounds all of its half-open associations together.
#[test]
fn threat_05_all_half_open_peers_together_stay_below_their_total() {
    use HandshakeType as T;
    static KINDS: [(u16, T, u32); 3] =
        [(0, T::CERTIFICATE, 16_384), (1, T::CLIENT_KEY_EXCHANGE, 1_024), (2, T::CERTIFICATE_VERIFY, 16_384)];
    const TOTAL: usize = 100_000;
    let mut duels: Vec<_> =
        (0..40).map(|_| Duel::asking_server_12(settings(), ClientAuth::Require)).collect();
    let (mut buffered, mut most) = (0, 0);
    for round in 0..200 {
        for duel in &mut duels {
            let before = duel.victim.connection().buffered_bytes();
            duel.victim.connection().limit_buffered_bytes(TOTAL - buffered + before);
            let first = duel.rogue.next_message_seq;
            flood(duel, 0, pieces(round, 3, &KINDS, first));
            buffered = buffered - before + duel.victim.connection().buffered_bytes();
            assert!(buffered <= TOTAL, "{buffered} bytes in round {round}");
            most = most.max(buffered);
        }
    }
    assert!(most > TOTAL * 9 / 10, "{most} bytes: the flood has to fill what there is");
    assert!(duels.iter().all(|duel| duel.victim.error().is_none()));
    // An honest peer, whose messages come whole and in order, needs none of it.
    let mut honest = Duel::asking_server_12(settings(), ClientAuth::Require);
    honest.victim.connection().limit_buffered_bytes(0);
    connects_and_talks(&mut honest, &CERTIFIED_CLIENT_STEPS, "without room");
}
