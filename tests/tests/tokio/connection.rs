//! One connection: packets, ends, errors, cancellation.

use std::sync::Arc;
use std::time::Duration;

use drystone::tokio::{ConnectionError, Endpoint};
use drystone::{AlertDescription, CloseReason, Error, Misuse, ProtocolVersion};
use drystone_tests::identity::{Identity, client_config, name, settings_of};

use super::{LOOPBACK, VERSIONS, address, configs, echo, echoes, in_time, pair, server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_go_both_ways_and_each_end_closes() {
    for version in VERSIONS {
        let server = server(version);
        let (_endpoint, client, accepted) = pair(&server, version).await;
        assert_eq!((client.connected().version, accepted.connected().version), (version, version));
        assert_eq!(client.remote_addr(), address(&server));
        let exported = |connection: &drystone::tokio::Connection| {
            let mut out = [0; 32];
            let exported = connection
                .inspect(|inner| inner.export_keying_material(b"EXPERIMENTAL test", None, &mut out));
            exported.expect("alive").expect("connected");
            out
        };
        assert_eq!(exported(&client), exported(&accepted));

        let mut buffer = [0; 2048];
        for (from, to) in [(&client, &accepted), (&accepted, &client)] {
            for packet in [&b"one"[..], b"", &[7; 1_000]] {
                in_time(from.send(packet)).await.unwrap();
                let length = in_time(to.recv(&mut buffer)).await.unwrap();
                assert_eq!(&buffer[..length], packet);
            }
        }
        client.send(b"last").await.unwrap();
        client.close();
        assert!(matches!(in_time(accepted.closed()).await, ConnectionError::Closed(CloseReason::Peer)));
        assert_eq!(in_time(accepted.recv(&mut buffer)).await.unwrap(), 4, "what came before stays readable");
        for ended in [accepted.recv(&mut buffer).await, accepted.send(b"late").await.map(|()| 0)] {
            assert!(matches!(ended, Err(ConnectionError::Closed(CloseReason::Peer))));
        }
        assert!(matches!(client.send(b"late").await, Err(ConnectionError::ClosedHere)));
        assert_eq!((accepted.max_payload(), server.peer_count()), (0, 0));
    }
}

/// A packet is there for the next call if the call that waited for it was given up.
#[tokio::test]
async fn giving_up_a_call_loses_nothing() {
    for version in VERSIONS {
        let server = server(version);
        let (_endpoint, client, accepted) = pair(&server, version).await;
        let mut buffer = [0; 16];
        for number in 0..100_u8 {
            // Given up before, while and after the packet arrives.
            let wait = Duration::from_micros(u64::from(number) * 5);
            client.send(&[number]).await.unwrap();
            let mut received = tokio::time::timeout(wait, accepted.recv(&mut buffer)).await.ok();
            if received.is_none() {
                received = Some(in_time(accepted.recv(&mut buffer)).await);
            }
            assert_eq!((received.unwrap().unwrap(), buffer[0]), (1, number));
        }
        // Two at once: each packet goes to one of them, also when one is given up.
        let mut other_buffer = [0; 16];
        let other = in_time(accepted.recv(&mut other_buffer));
        assert!(accepted.recv(&mut buffer).await_nothing().await.is_none());
        client.send(b"x").await.unwrap();
        assert_eq!(other.await.unwrap(), 1);
    }
}

/// Polls a future once, and gives it up.
trait AwaitNothing: Future + Sized {
    async fn await_nothing(self) -> Option<Self::Output> {
        tokio::select! {
            biased;
            output = self => Some(output),
            () = std::future::ready(()) => None,
        }
    }
}

impl<F: Future> AwaitNothing for F {}

#[tokio::test]
async fn what_does_not_work_says_so_and_changes_nothing() {
    let version = ProtocolVersion::DTLS_1_3;
    let server = server(version);
    let (endpoint, client, accepted) = pair(&server, version).await;
    let again = endpoint.connect(address(&server), name(), configs(version).0).await;
    assert!(matches!(again, Err(ConnectionError::AddressInUse(at)) if at == address(&server)));
    let limit = client.max_payload();
    let sent = client.send(&vec![0; limit + 1]).await;
    assert!(
        matches!(sent, Err(ConnectionError::Misuse(Misuse::PayloadTooLarge { limit: told })) if told == limit)
    );
    client.send(b"seven b").await.unwrap();
    let received = in_time(accepted.recv(&mut [0; 6])).await;
    assert!(matches!(received, Err(ConnectionError::BufferTooShort { needed: 7 })));
    assert_eq!(in_time(accepted.recv(&mut [0; 7])).await.unwrap(), 7);
    client.update_keys(true).unwrap();
    tokio::spawn(echo(accepted));
    echoes(&client, 3).await;
}

#[tokio::test]
async fn a_handshake_that_fails_says_why_to_both() {
    for version in VERSIONS {
        let server = server(version);
        let stranger = client_config(
            settings_of(version),
            &Identity::with_intermediate(|| rcgen::KeyPair::generate().unwrap()),
        );
        let endpoint = Endpoint::client(LOOPBACK).unwrap();
        let failed = in_time(endpoint.connect(address(&server), name(), stranger)).await;
        assert!(matches!(failed, Err(ConnectionError::Failed(Error::Certificate(_)))), "{failed:?}");
        // The server goes on, and so does the endpoint.
        let trusted = configs(version).0;
        let (connected, accepted) = tokio::join!(
            in_time(endpoint.connect(address(&server), name(), trusted)),
            in_time(server.accept())
        );
        assert!(connected.is_ok() && accepted.is_some());
    }
}

/// Dropping the future of a connection that is being made ends it, and leaves its address free.
#[tokio::test]
async fn a_connection_that_is_given_up_leaves_nothing() {
    let silent = std::net::UdpSocket::bind(LOOPBACK).unwrap();
    let remote = silent.local_addr().unwrap();
    let endpoint = Endpoint::client(LOOPBACK).unwrap();
    let config = configs(ProtocolVersion::DTLS_1_3).0;
    for _ in 0..3 {
        assert!(endpoint.connect(remote, name(), Arc::clone(&config)).await_nothing().await.is_none());
        // The last one may stay for a while, to send its alert again.
        assert!(endpoint.peer_count() <= 1);
    }
}

#[tokio::test]
async fn a_verdict_reaches_the_peer_as_an_alert() {
    let version = ProtocolVersion::DTLS_1_3;
    let server = server(version);
    let (_endpoint, client, accepted) = pair(&server, version).await;
    accepted.close_with(AlertDescription::ACCESS_DENIED);
    let reason = in_time(client.closed()).await;
    assert!(
        matches!(
            reason,
            ConnectionError::Failed(Error::AlertReceived {
                description: AlertDescription::ACCESS_DENIED,
                ..
            })
        ),
        "{reason:?}"
    );
}

/// Connections outlive the handles of their endpoint; clients that nobody can accept any more are told so.
#[tokio::test]
async fn connections_go_on_without_a_handle() {
    for version in VERSIONS {
        let server = server(version);
        let (endpoint, client, accepted) = pair(&server, version).await;
        let waiting = Endpoint::client(LOOPBACK).unwrap();
        let unwanted = in_time(waiting.connect(address(&server), name(), configs(version).0)).await.unwrap();
        tokio::spawn(echo(accepted));
        drop((server, endpoint));
        assert!(matches!(in_time(unwanted.closed()).await, ConnectionError::Closed(CloseReason::Peer)));
        echoes(&client, 10).await;
    }
}

#[tokio::test]
async fn a_shutdown_ends_whoever_waits() {
    for version in VERSIONS {
        let server = server(version);
        let (endpoint, client, accepted) = pair(&server, version).await;
        let handle = server.clone();
        let accepting = tokio::spawn(async move { handle.accept().await.is_none() });
        in_time(server.shutdown()).await;
        assert!(in_time(accepting).await.unwrap());
        assert!(matches!(in_time(client.closed()).await, ConnectionError::Closed(CloseReason::Peer)));
        assert!(matches!(accepted.closed().await, ConnectionError::Stopped));
        in_time(endpoint.shutdown()).await;
        let again = endpoint.connect(address(&server), name(), configs(version).0).await;
        assert!(matches!(again, Err(ConnectionError::Stopped)));
        // Once more is no fault.
        in_time(server.shutdown()).await;
    }
}

#[test]
fn without_a_runtime_it_is_an_error() {
    let refused = Endpoint::client(LOOPBACK);
    assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::Other);
}
