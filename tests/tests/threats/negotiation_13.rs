//! Negotiation of DTLS 1.3 against a peer that cheats: un-offered choices, key shares, questions and downgrades (threats 14,
//! 48, 50, 57, 75, 76 and 79).

use drystone_handshake::crypto::{self, Side};
use drystone_handshake::message::registry::{
    CipherSuiteId, ExtensionType, HandshakeType, NamedGroup, ProtocolVersion, SignatureScheme,
};
use drystone_handshake::message::{
    AnyServerHello, ClientHello, DOWNGRADE_TO_1_1, DOWNGRADE_TO_1_2, Empty, EncryptedExtensions,
    HelloRetryRequest, KeyShareEntry, ProtocolName, RawExtension, ServerHello,
};
use drystone_handshake::{Discard, Settings};
use drystone_record::ContentType;
use drystone_tests::identity::{
    Identity, client_config, server_config, settings, settings_of, settings_of_both,
};
use drystone_tests::rogue::alert::{
    DECODE_ERROR, HANDSHAKE_FAILURE, ILLEGAL_PARAMETER, MISSING_EXTENSION, PROTOCOL_VERSION,
    UNEXPECTED_MESSAGE, UNSUPPORTED_EXTENSION,
};
use drystone_tests::rogue::{
    CLIENT_STEPS, CLIENT_STEPS_13, Duel, Rogue, SERVER_STEPS, SERVER_STEPS_13, Step, Victim,
    connects_and_talks, refused,
};

/// A rogue client in front of a server that asks for no cookie; it has not said hello.
fn open_server_duel(settings: Settings) -> Duel {
    let victim = Victim::server_without_cookie(server_config(settings, Identity::p256()));
    Duel::between(Rogue::new_13(Side::Client, Identity::p256()), victim)
}

// ---- 48, 50, 79: choices and shares ----

#[test]
fn threat_48_a_server_hello_without_key_share_ends_before_there_are_keys() {
    let mut duel = Duel::usual_client_13();
    duel.rogue.alter_server_hello(|hello| hello.extensions.key_share = None);
    duel.play(&SERVER_STEPS_13[..1]);
    refused(&duel, MISSING_EXTENSION, "no key share");
    assert!(duel.rogue.numbers_heard().iter().all(|number| number.epoch == 0), "no key was used");
    let mut duel = open_server_duel(settings_of_both());
    duel.rogue.alter_client_hello(|hello| hello.extensions.key_share = None);
    duel.play(&[Step::ClientHello]);
    refused(&duel, MISSING_EXTENSION, "a client without key share");
}

type ServerHelloChange = fn(&mut ServerHello<'_>);

#[test]
fn threat_50_choices_that_were_not_offered_are_refused() {
    let cases: [(&str, u8, ServerHelloChange); 13] = [
        ("DTLS 1.0", ILLEGAL_PARAMETER, |hello| {
            hello.extensions.supported_versions = Some(ProtocolVersion(0xfeff));
        }),
        ("DTLS 1.4", ILLEGAL_PARAMETER, |hello| {
            hello.extensions.supported_versions = Some(ProtocolVersion(0xfefb));
        }),
        // RFC 9846 section 4.3.1: neither a version that was not offered nor one before 1.3.
        ("1.2 by supported_versions", ILLEGAL_PARAMETER, |hello| {
            hello.extensions.supported_versions = Some(ProtocolVersion::DTLS_1_2);
        }),
        // RFC 9846 section 4.2.3: "MUST abort the handshake with a "protocol_version" alert".
        ("another legacy version", PROTOCOL_VERSION, |hello| {
            hello.server_version = ProtocolVersion::DTLS_1_3;
        }),
        ("an unknown suite", ILLEGAL_PARAMETER, |hello| hello.cipher_suite = CipherSuiteId(0x1304)),
        ("a suite of 1.2", ILLEGAL_PARAMETER, |hello| {
            hello.cipher_suite = CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
        }),
        ("compression", ILLEGAL_PARAMETER, |hello| hello.compression_method = 1),
        ("another group", ILLEGAL_PARAMETER, |hello| {
            hello.extensions.key_share =
                Some(KeyShareEntry { group: NamedGroup::SECP256R1, key_exchange: &[4; 65] });
        }),
        // Of the right length: its name alone tells.
        ("a group that was not offered", ILLEGAL_PARAMETER, |hello| {
            hello.extensions.key_share =
                Some(KeyShareEntry { group: NamedGroup(0x100), key_exchange: &[9; 32] });
        }),
        ("an offered group without a share", ILLEGAL_PARAMETER, |hello| {
            hello.extensions.key_share =
                Some(KeyShareEntry { group: NamedGroup::X25519MLKEM768, key_exchange: &[4; 1120] });
        }),
        ("an echoed session id", ILLEGAL_PARAMETER, |hello| hello.session_id = &[7; 32]),
        ("a pre-shared key", UNSUPPORTED_EXTENSION, |hello| hello.extensions.pre_shared_key = Some(0)),
        ("a connection id", UNSUPPORTED_EXTENSION, |hello| hello.extensions.connection_id = Some(&[1])),
    ];
    for (what, alert, change) in cases {
        let mut duel = Duel::usual_client_13();
        duel.rogue.alter_server_hello(change);
        duel.play(&SERVER_STEPS_13[..1]);
        refused(&duel, alert, what);
    }
}

type ExtensionsChange = fn(&mut EncryptedExtensions<'_>);

#[test]
fn threat_50_answers_to_extensions_that_were_not_sent_are_refused() {
    let cases: [(&str, u8, ExtensionsChange); 4] = [
        ("early data", UNSUPPORTED_EXTENSION, |extensions| extensions.early_data = Some(Empty {})),
        ("an application protocol", UNSUPPORTED_EXTENSION, |extensions| {
            extensions.alpn = Some(ProtocolName { name: b"h2" });
        }),
        ("a certificate type", UNSUPPORTED_EXTENSION, |extensions| {
            extensions.server_certificate_type =
                Some(drystone_handshake::message::registry::CertificateType(0));
        }),
        ("a record size limit", UNSUPPORTED_EXTENSION, |extensions| {
            extensions.record_size_limit = drystone_handshake::message::RecordSizeLimit::new(64);
        }),
    ];
    for (what, alert, change) in cases {
        let mut duel = Duel::usual_client_13();
        duel.rogue.alter_encrypted_extensions(change);
        duel.play(&SERVER_STEPS_13[..2]);
        refused(&duel, alert, what);
    }
    // An extension that has its place in another message (RFC 9846 section 4.3).
    let mut misplaced = Duel::usual_client_13();
    misplaced.rogue.alter(Step::EncryptedExtensions, |body| {
        let [high, low] = ExtensionType::KEY_SHARE.0.to_be_bytes();
        *body = vec![0, 4, high, low, 0, 0];
    });
    misplaced.play(&SERVER_STEPS_13[..2]);
    refused(&misplaced, ILLEGAL_PARAMETER, "a key share in EncryptedExtensions");
}

/// An extension in each message of the server's, by its bytes.
fn with_extension(step: Step, extension_type: ExtensionType, data: &'static [u8]) -> Duel {
    let mut duel = Duel::usual_client_13();
    let extension = Box::leak(Box::new(RawExtension { extension_type, data }));
    let others: &'static [RawExtension<'static>] = core::slice::from_ref(extension);
    match step {
        Step::ServerHello => {
            duel.rogue.alter_server_hello(move |hello| hello.extensions.others = others.into());
        }
        Step::HelloRetryRequest => {
            duel.rogue.alter_hello_retry_request(move |hello| hello.extensions.others = others.into());
        }
        Step::EncryptedExtensions => {
            duel.rogue.alter_encrypted_extensions(move |extensions| extensions.others = others.into());
        }
        _ => duel.rogue.alter_certificate_13(move |certificate| {
            let mut entries: Vec<_> = certificate.certificate_list.iter().collect();
            entries[0].extensions.others = others.into();
            certificate.certificate_list = (&*entries.leak()).into();
        }),
    }
    duel
}

#[test]
fn threat_50_each_message_answers_only_what_was_asked() {
    let answers = [
        (Step::HelloRetryRequest, &[Step::HelloRetryRequest][..]),
        (Step::ServerHello, &SERVER_STEPS_13[..1]),
        (Step::EncryptedExtensions, &SERVER_STEPS_13[..2]),
        (Step::Certificate, &SERVER_STEPS_13[..3]),
    ];
    for (step, steps) in answers {
        // RFC 8701 section 3.1: nobody may answer GREASE, which was offered.
        let duel = Duel::usual_client_13();
        let hello = duel.rogue.last(HandshakeType::CLIENT_HELLO).expect("the client has said hello");
        let offered = ClientHello::decode(&hello.body).unwrap().extensions.others;
        let grease = offered.iter().next().expect("a hello with GREASE").extension_type;
        for extension_type in [grease, ExtensionType(0x1234)] {
            let mut duel = with_extension(step, extension_type, &[]);
            duel.play(steps);
            refused(&duel, UNSUPPORTED_EXTENSION, &format!("{extension_type} in {step:?}"));
        }
    }
    // RFC 9846 section 4.3: what is recognized and not specified for the message, whether it was offered or not.
    let mut misplaced = with_extension(Step::ServerHello, ExtensionType::SIGNATURE_ALGORITHMS, &[]);
    misplaced.play(&SERVER_STEPS_13[..1]);
    refused(&misplaced, ILLEGAL_PARAMETER, "signature_algorithms in ServerHello");
    // RFC 9846 section 4.3.7: the server's groups, for the next handshake.
    let mut duel = Duel::usual_client_13();
    duel.rogue.alter_encrypted_extensions(|extensions| {
        extensions.supported_groups = Some((&[NamedGroup(0x1234), NamedGroup::SECP521R1]).into());
    });
    connects_and_talks(&mut duel, &SERVER_STEPS_13, "supported_groups in EncryptedExtensions");
}

/// RFC 9846 section 4.3: not more than one of a type in a block. That conforms to the syntax, so that section 6.2 has
/// illegal_parameter for it.
#[test]
fn threat_50_an_extension_that_comes_twice_is_an_illegal_parameter() {
    /// A block of extensions at this place of the body: all of them again.
    fn double(body: &mut Vec<u8>, at: usize) {
        let block = body[at + 2..].to_vec();
        assert!(!block.is_empty());
        body.extend(&block);
        let length = (block.len() * 2) as u16;
        body[at..at + 2].copy_from_slice(&length.to_be_bytes());
    }
    // Version, random, an empty session id, suite and compression.
    const BEFORE_EXTENSIONS: usize = 2 + 32 + 1 + 2 + 1;
    let mut duel = Duel::usual_client();
    duel.rogue.alter(Step::ServerHello, |body| double(body, BEFORE_EXTENSIONS));
    duel.play(&SERVER_STEPS[..1]);
    refused(&duel, ILLEGAL_PARAMETER, "ServerHello of 1.2");
    let mut duel = Duel::usual_client_13();
    duel.rogue.alter(Step::ServerHello, |body| double(body, BEFORE_EXTENSIONS));
    duel.play(&SERVER_STEPS_13[..1]);
    refused(&duel, ILLEGAL_PARAMETER, "ServerHello of 1.3");
    let mut duel = Duel::usual_client_13();
    duel.rogue.alter(Step::EncryptedExtensions, |body| {
        *body = vec![0, 4, 0, 0, 0, 0];
        double(body, 0);
    });
    duel.play(&SERVER_STEPS_13[..2]);
    refused(&duel, ILLEGAL_PARAMETER, "EncryptedExtensions");
    let mut duel = open_server_duel(settings_of_both());
    // Version, random, empty session id and cookie, one suite, one compression method.
    duel.rogue.alter(Step::ClientHello, |body| double(body, 2 + 32 + 1 + 1 + 4 + 2));
    duel.greet();
    refused(&duel, ILLEGAL_PARAMETER, "ClientHello");
}

/// The suite was settled by the first hello (RFC 9846 section 4.2.4), whether a gate has asked or the association.
#[test]
fn threat_57_the_second_hello_must_offer_the_settled_suite() {
    for behind_gate in [true, false] {
        for honest in [true, false] {
            let mut duel = if behind_gate {
                let victim = Victim::server(server_config(settings_of_both(), Identity::p256()));
                Duel::between(Rogue::new_13(Side::Client, Identity::p256()), victim)
            } else {
                open_server_duel(settings_of_both())
            };
            let hellos = core::cell::Cell::new(0);
            duel.rogue.alter_client_hello(move |hello| {
                hellos.set(hellos.get() + 1);
                match hellos.get() {
                    // The association asks for a share that is not there, the gate for its cookie as well.
                    1 => hello.extensions.key_share = Some((&[]).into()),
                    _ if honest => {}
                    _ => hello.cipher_suites = (&[CipherSuiteId::TLS_CHACHA20_POLY1305_SHA256]).into(),
                }
            });
            duel.play(&[Step::ClientHello, Step::ClientHello]);
            if honest {
                connects_and_talks(&mut duel, &CLIENT_STEPS_13, &format!("behind a gate: {behind_gate}"));
            } else {
                refused(&duel, ILLEGAL_PARAMETER, &format!("behind a gate: {behind_gate}"));
            }
        }
    }
}

/// RFC 9846 section 4.2.2: the same hello but for what was asked. A gate binds the random by its cookie, an association that
/// has asked compares it.
#[test]
fn threat_57_the_second_hello_has_the_random_of_the_first() {
    let mut duel = open_server_duel(settings_of_both());
    let hellos = core::cell::Cell::new(0);
    duel.rogue.alter_client_hello(move |hello| {
        hellos.set(hellos.get() + 1);
        match hellos.get() {
            1 => hello.extensions.key_share = Some((&[]).into()),
            _ => hello.random = &[0x77; 32],
        }
    });
    duel.play(&[Step::ClientHello, Step::ClientHello]);
    refused(&duel, ILLEGAL_PARAMETER, "another random");
}

/// RFC 9846 section 4.2.2: the share that was asked for, and no other.
#[test]
fn threat_57_the_second_hello_has_one_share() {
    for honest in [true, false] {
        let mut duel = open_server_duel(settings_of_both());
        let hellos = core::cell::Cell::new(0);
        duel.rogue.alter_client_hello(move |hello| {
            hellos.set(hellos.get() + 1);
            hello.extensions.supported_groups = Some((&[NamedGroup::X25519, NamedGroup::SECP256R1]).into());
            if hellos.get() == 1 {
                hello.extensions.key_share = Some((&[]).into());
            } else if !honest {
                let asked = hello.extensions.key_share.and_then(|shares| shares.iter().next()).unwrap();
                assert_eq!(asked.group, NamedGroup::X25519);
                let further = KeyShareEntry { group: NamedGroup::SECP256R1, key_exchange: &[4; 65] };
                // A list is borrowed for as long as the message: a test leaks a few bytes.
                let asked = KeyShareEntry { key_exchange: asked.key_exchange.to_vec().leak(), ..asked };
                hello.extensions.key_share = Some((&*vec![asked, further].leak()).into());
            }
        });
        duel.play(&[Step::ClientHello, Step::ClientHello]);
        if honest {
            connects_and_talks(&mut duel, &CLIENT_STEPS_13, "one share");
        } else {
            refused(&duel, ILLEGAL_PARAMETER, "two shares");
        }
    }
}

/// RFC 9846 section 4.3.8: "Clients MUST NOT offer multiple KeyShareEntry values for the same group".
#[test]
fn threat_79_two_shares_of_one_group_are_refused() {
    let mut duel = open_server_duel(settings_of_both());
    duel.rogue.alter_client_hello(|hello| {
        let share = hello.extensions.key_share.and_then(|shares| shares.iter().next()).unwrap();
        let key: &[u8] = share.key_exchange.to_vec().leak();
        let twice = [(); 2].map(|()| KeyShareEntry { group: share.group, key_exchange: key });
        hello.extensions.key_share = Some((&*twice.to_vec().leak()).into());
    });
    duel.play(&[Step::ClientHello]);
    refused(&duel, ILLEGAL_PARAMETER, "two shares");
}

#[test]
fn threat_79_shares_of_every_length_are_refused_but_for_one() {
    let cases = [
        (NamedGroup::X25519, 32, 32),
        (NamedGroup::SECP256R1, 65, 65),
        (NamedGroup::X25519MLKEM768, 1216, 1120),
    ];
    for (name, client_length, server_length) in cases {
        let group = crypto::ring::provider().group(name).unwrap();
        for length in (0..=client_length + 1).filter(|length| length % 97 < 3 || client_length - length < 3) {
            if length == client_length {
                continue;
            }
            let mut duel = open_server_duel(settings_of_both());
            duel.rogue.group = group;
            duel.rogue.alter(Step::ClientHello, move |body| resize_share(body, length));
            duel.play(&[Step::ClientHello]);
            let alert = if length == 0 { DECODE_ERROR } else { ILLEGAL_PARAMETER };
            refused(&duel, alert, &format!("{name}: a client's share of {length} bytes"));
        }
        for length in (0..=server_length + 1).filter(|length| length % 89 < 3 || server_length - length < 3) {
            if length == server_length {
                continue;
            }
            let mut settings = settings_of_both();
            settings.groups = Some(vec![name]);
            let mut duel = Duel::client_13(settings);
            let share = vec![4; length as usize];
            alter_share_of_server(&mut duel, name, share);
            duel.play(&SERVER_STEPS_13[..1]);
            let alert = if length == 0 { DECODE_ERROR } else { ILLEGAL_PARAMETER };
            refused(&duel, alert, &format!("{name}: a server's share of {length} bytes"));
        }
    }
}

/// Cuts or fills the only share of a hello.
fn resize_share(body: &mut Vec<u8>, length: i32) {
    let hello = ClientHello::decode(body).unwrap();
    let entry = hello.extensions.key_share.unwrap().iter().next().unwrap();
    let mut share = entry.key_exchange.to_vec();
    share.resize(length as usize, 9);
    *body = replace_share(body, entry, entry.group, &share);
}

fn alter_share_of_server(duel: &mut Duel, name: NamedGroup, share: Vec<u8>) {
    duel.rogue.alter(Step::ServerHello, move |body| {
        let hello = ServerHello::decode(body).unwrap();
        let old = hello.extensions.key_share.unwrap();
        *body = replace_share(body, old, name, &share);
    });
}

/// The share of a hello, replaced by one of any length: no encoder would write an empty one.
fn replace_share(body: &[u8], old: KeyShareEntry<'_>, group: NamedGroup, new: &[u8]) -> Vec<u8> {
    let entry = |group: NamedGroup, share: &[u8]| {
        [&group.0.to_be_bytes()[..], &(share.len() as u16).to_be_bytes(), share].concat()
    };
    let (old, new) = (entry(old.group, old.key_exchange), entry(group, new));
    let place = body.windows(old.len()).position(|window| window == old).unwrap();
    let mut altered = body.to_vec();
    altered.splice(place..place + old.len(), new.iter().copied());
    let grown = new.len() as i32 - old.len() as i32;
    let mut add = |at: usize| {
        let old = i32::from(u16::from_be_bytes([altered[at], altered[at + 1]]));
        altered[at..at + 2].copy_from_slice(&((old + grown) as u16).to_be_bytes());
    };
    // The extension's own length, and that of the list in a ClientHello.
    let key_share = ExtensionType::KEY_SHARE.0.to_be_bytes();
    if body[place - 4..place - 2] == key_share {
        add(place - 2);
    } else {
        assert_eq!(body[place - 6..place - 4], key_share);
        add(place - 4);
        add(place - 2);
    }
    // The length of the block: after version, random, session id, and what lies between.
    let mut at = 35 + usize::from(body[34]);
    if body[place - 4..place - 2] == key_share {
        at += 3;
    } else {
        at += 1 + usize::from(body[at]);
        at += 2 + usize::from(u16::from_be_bytes([body[at], body[at + 1]]));
        at += 1 + usize::from(body[at]);
    }
    add(at);
    altered
}

/// The all-zero share gives an all-zero secret (RFC 7748 section 6.1).
#[test]
fn threat_79_shares_of_low_order_are_refused() {
    let mut server = open_server_duel(settings_of_both());
    server.rogue.alter(Step::ClientHello, |body| {
        let hello = ClientHello::decode(body).unwrap();
        let entry = hello.extensions.key_share.unwrap().iter().next().unwrap();
        *body = replace_share(body, entry, entry.group, &[0; 32]);
    });
    server.play(&[Step::ClientHello]);
    refused(&server, ILLEGAL_PARAMETER, "a client's zeros");
    let mut client = Duel::usual_client_13();
    alter_share_of_server(&mut client, NamedGroup::X25519, vec![0; 32]);
    client.play(&SERVER_STEPS_13[..1]);
    refused(&client, ILLEGAL_PARAMETER, "a server's zeros");
}

#[test]
fn a_client_that_offers_nothing_in_common_is_refused() {
    type Change = fn(&mut ClientHello<'_>);
    let cases: [(&str, u8, Change); 7] = [
        ("no suite", HANDSHAKE_FAILURE, |hello| hello.cipher_suites = (&[CipherSuiteId(0x1304)]).into()),
        ("no group", HANDSHAKE_FAILURE, |hello| {
            hello.extensions.supported_groups = Some((&[NamedGroup(0x100)]).into());
            hello.extensions.key_share = Some((&[]).into());
        }),
        ("no groups", MISSING_EXTENSION, |hello| hello.extensions.supported_groups = None),
        ("no schemes", MISSING_EXTENSION, |hello| hello.extensions.signature_algorithms = None),
        ("no common scheme", HANDSHAKE_FAILURE, |hello| {
            hello.extensions.signature_algorithms = Some((&[SignatureScheme::ED25519]).into());
        }),
        ("no version", PROTOCOL_VERSION, |hello| {
            hello.extensions.supported_versions = Some((&[ProtocolVersion(0xfefb)]).into());
        }),
        ("compression", ILLEGAL_PARAMETER, |hello| hello.compression_methods = &[0, 1]),
    ];
    for (what, alert, change) in cases {
        let mut duel = open_server_duel(settings_of_both());
        duel.rogue.alter_client_hello(change);
        duel.play(&[Step::ClientHello]);
        refused(&duel, alert, what);
    }
}

// ---- 57: questions ----

/// A client that has been asked for a cookie.
fn asked_duel() -> Duel {
    let mut duel = Duel::usual_client_13();
    duel.rogue.cookie = vec![5; 40];
    duel.play(&[Step::HelloRetryRequest]);
    assert!(duel.victim.error().is_none(), "{:?}", duel.victim.error());
    duel
}

#[test]
fn threat_57_a_client_answers_one_hello_retry_request() {
    let mut honest = asked_duel();
    let hello = honest.rogue.last(HandshakeType::CLIENT_HELLO).unwrap();
    assert_eq!(hello.message_seq, 1);
    let cookie = ClientHello::decode(&hello.body).unwrap().extensions.cookie;
    assert_eq!(cookie, Some(&[5; 40][..]));
    honest.play(&SERVER_STEPS_13);
    assert!(honest.victim.is_connected(), "{:?}", honest.victim.error());
    honest.talk();
    let mut second = asked_duel();
    second.play(&[Step::HelloRetryRequest]);
    refused(&second, UNEXPECTED_MESSAGE, "a second question");
    // A copy of the first is none.
    let mut copied = Duel::usual_client_13();
    copied.rogue.cookie = vec![5; 40];
    let question = copied.rogue.perform(Step::HelloRetryRequest);
    for _ in 0..100 {
        copied.give(&question);
    }
    copied.play(&SERVER_STEPS_13);
    assert!(copied.victim.is_connected(), "{:?}", copied.victim.error());
}

#[test]
fn threat_57_a_question_for_another_group_is_answered_with_its_share_alone() {
    let mut rogue = Rogue::new_13(Side::Server, Identity::p256());
    rogue.group = crypto::ring::provider().group(NamedGroup::SECP384R1).unwrap();
    let victim = Victim::client(client_config(settings_of_both(), Identity::p256()));
    let mut duel = Duel::between(rogue, victim);
    duel.play(&[Step::HelloRetryRequest]);
    let hello = duel.rogue.last(HandshakeType::CLIENT_HELLO).unwrap();
    let shares = ClientHello::decode(&hello.body).unwrap().extensions.key_share.unwrap();
    let groups: Vec<_> = shares.iter().map(|share| share.group).collect();
    assert_eq!(groups, [NamedGroup::SECP384R1]);
    duel.play(&SERVER_STEPS_13);
    assert!(duel.victim.is_connected(), "{:?}", duel.victim.error());
    duel.talk();
}

type RetryChange = fn(&mut HelloRetryRequest<'_>);

#[test]
fn threat_57_questions_that_ask_wrongly_are_refused() {
    let cases: [(&str, u8, RetryChange); 9] = [
        ("nothing", ILLEGAL_PARAMETER, |request| request.extensions.cookie = None),
        ("the group that was sent", ILLEGAL_PARAMETER, |request| {
            request.extensions.key_share = Some(NamedGroup::X25519);
        }),
        ("a group that was not offered", ILLEGAL_PARAMETER, |request| {
            request.extensions.key_share = Some(NamedGroup(0x100));
        }),
        ("an unknown suite", ILLEGAL_PARAMETER, |request| request.cipher_suite = CipherSuiteId(0x1304)),
        ("a suite of 1.2", ILLEGAL_PARAMETER, |request| {
            request.cipher_suite = CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
        }),
        ("no version", PROTOCOL_VERSION, |request| request.extensions.supported_versions = None),
        ("1.2", ILLEGAL_PARAMETER, |request| {
            request.extensions.supported_versions = Some(ProtocolVersion::DTLS_1_2);
        }),
        ("another legacy version", PROTOCOL_VERSION, |request| {
            request.server_version = ProtocolVersion(0xfeff);
        }),
        ("a session id", ILLEGAL_PARAMETER, |request| request.session_id = &[1; 32]),
    ];
    for (what, alert, change) in cases {
        let mut duel = Duel::usual_client_13();
        duel.rogue.cookie = vec![5; 40];
        duel.rogue.alter_hello_retry_request(change);
        let question = duel.rogue.perform(Step::HelloRetryRequest);
        duel.give(&question);
        refused(&duel, alert, what);
    }
}

#[test]
fn threat_57_what_a_question_settled_must_hold() {
    // RFC 9846 section 4.2.4: the suite, and the version.
    let mut suite = asked_duel();
    suite.rogue.alter_server_hello(|hello| hello.cipher_suite = CipherSuiteId::TLS_AES_256_GCM_SHA384);
    suite.play(&SERVER_STEPS_13[..1]);
    refused(&suite, ILLEGAL_PARAMETER, "another suite");
    let mut version = asked_duel();
    version.rogue.alter_server_hello(|hello| {
        hello.cipher_suite = CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
        hello.extensions.supported_versions = None;
        hello.extensions.key_share = None;
    });
    version.play(&SERVER_STEPS_13[..1]);
    refused(&version, ILLEGAL_PARAMETER, "1.2 after all");
    // Nor does a server of 1.3 ask in the way of 1.2 (RFC 9147 section 5.1): that is somebody else's.
    let mut verify = asked_duel();
    let body = verify.rogue.message(Step::HelloVerifyRequest).to_bytes();
    let record = verify.rogue.plaintext(ContentType::HANDSHAKE, &body);
    verify.give(&record);
    assert!(verify.victim.error().is_none(), "{:?}", verify.victim.error());
    assert_eq!(verify.victim.discards(Discard::PlaintextAfterKeys), 1);
}

// ---- 75 and 76: downgrades, and what is left of 1.2 ----

/// Our client of these settings meets a server of 1.2 whose random ends so.
fn downgraded(settings: Settings, end: [u8; 8]) -> Duel {
    let mut duel = Duel::client_12(settings);
    duel.rogue.randoms.server[24..].copy_from_slice(&end);
    duel.play(&SERVER_STEPS);
    duel
}

#[test]
fn threat_75_a_client_of_1_3_stops_at_a_sentinel() {
    for sentinel in [DOWNGRADE_TO_1_2, DOWNGRADE_TO_1_1] {
        refused(&downgraded(settings_of_both(), sentinel), ILLEGAL_PARAMETER, "a sentinel");
        // Who offers no more than 1.2 cannot be downgraded to it.
        assert!(downgraded(settings(), sentinel).victim.is_connected());
    }
    let mut duel = downgraded(settings_of_both(), *b"DOWNGRD\x02");
    assert!(duel.victim.is_connected(), "{:?}", duel.victim.error());
    duel.talk();
}

#[test]
fn threat_75_the_sentinel_counts_after_a_cookie_too() {
    let mut duel = Duel::client_12(settings_of_both());
    duel.rogue.cookie = vec![3; 20];
    duel.play(&[Step::HelloVerifyRequest]);
    duel.rogue.randoms.server[24..].copy_from_slice(&DOWNGRADE_TO_1_2);
    duel.play(&SERVER_STEPS);
    refused(&duel, ILLEGAL_PARAMETER, "a sentinel after a cookie");
}

#[test]
fn threat_75_a_server_of_1_3_sets_the_sentinel_for_a_client_of_1_2() {
    for (settings, is_set) in [(settings_of_both(), true), (settings(), false)] {
        let mut duel = Duel::server_12(settings);
        assert_eq!(duel.rogue.randoms.server.ends_with(&DOWNGRADE_TO_1_2), is_set);
        duel.play(&CLIENT_STEPS);
        assert!(duel.victim.is_connected(), "{:?}", duel.victim.error());
    }
}

#[test]
fn threat_76_a_client_of_1_3_alone_answers_no_hello_verify_request() {
    let mut duel = Duel::client_13(settings_of(ProtocolVersion::DTLS_1_3));
    duel.rogue.cookie = vec![3; 20];
    duel.play(&[Step::HelloVerifyRequest]);
    refused(&duel, PROTOCOL_VERSION, "HelloVerifyRequest");
}

#[test]
fn threat_76_after_a_hello_verify_request_1_3_is_no_choice() {
    let mut duel = Duel::usual_client_13();
    duel.rogue.cookie = vec![3; 20];
    duel.play(&[Step::HelloVerifyRequest, Step::ServerHello]);
    refused(&duel, PROTOCOL_VERSION, "1.3 by a server that asks as one of 1.2 does");
}

#[test]
fn threat_76_a_legacy_cookie_is_illegal_and_no_session_id_is_echoed() {
    let mut duel = open_server_duel(settings_of_both());
    duel.rogue.alter_client_hello(|hello| hello.cookie = &[1; 20]);
    duel.play(&[Step::ClientHello]);
    refused(&duel, ILLEGAL_PARAMETER, "a legacy cookie");
    let victim = Victim::server(server_config(settings_of_both(), Identity::p256()));
    let mut echo = Duel::between(Rogue::new_13(Side::Client, Identity::p256()), victim);
    echo.rogue.alter_client_hello(|hello| hello.session_id = &[6; 32]);
    echo.greet();
    let hello = echo.rogue.last(HandshakeType::SERVER_HELLO).unwrap();
    let Ok(AnyServerHello::Hello(hello)) = AnyServerHello::decode(&hello.body) else { panic!("no hello") };
    assert!(hello.session_id.is_empty());
    echo.play(&CLIENT_STEPS_13);
    assert!(echo.victim.is_connected(), "{:?}", echo.victim.error());
}

// ---- 14: large hellos ----

/// In 2 to 8 pieces, behind a cookie, in any order of the second hello's.
#[test]
fn threat_14_a_hello_larger_than_a_datagram_connects_behind_a_cookie() {
    for count in 2..=8 {
        for backwards in [false, true] {
            let identity = Identity::p256();
            let mut rogue = Rogue::new_13(Side::Client, identity);
            rogue.group = crypto::ring::provider().group(NamedGroup::X25519MLKEM768).unwrap();
            let mut duel = Duel::between(rogue, Victim::server(server_config(settings_of_both(), identity)));
            for round in 0..2 {
                let hello = duel.rogue.message(Step::ClientHello);
                assert!(hello.body.len() > 1_300);
                let mut pieces = hello.fragments(hello.body.len().div_ceil(count));
                assert_eq!(pieces.len(), count);
                if backwards && round == 1 {
                    // The first has the cookie.
                    pieces[1..].reverse();
                }
                for piece in pieces {
                    let record = duel.rogue.plaintext(ContentType::HANDSHAKE, &piece);
                    duel.give(&record);
                }
            }
            duel.play(&CLIENT_STEPS_13);
            assert!(duel.victim.is_connected(), "{count}: {:?}", duel.victim.error());
            duel.talk();
        }
    }
}
