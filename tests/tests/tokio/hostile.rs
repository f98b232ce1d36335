//! The hostile tests of `Endpoint`, in short, over a socket: nothing of what strangers send ends a connection or the task.

use std::net::UdpSocket;

use drystone_tests::hostile::{Class, Hostile};

use super::{LOOPBACK, VERSIONS, address, echo, echoes, in_time, pair, server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_datagrams_end_nothing() {
    for version in VERSIONS {
        let server = server(version);
        let (_endpoint, client, accepted) = pair(&server, version).await;
        tokio::spawn(echo(accepted));
        let stranger = UdpSocket::bind(LOOPBACK).unwrap();
        let (mut hostile, mut bytes) = (Hostile::new(11, Vec::new()), Vec::new());
        for round in 0..50 {
            for class in [Class::Random, Class::Mutated].into_iter().cycle().take(40) {
                hostile.make(class, &mut bytes);
                stranger.send_to(&bytes, address(&server)).unwrap();
            }
            if round % 10 == 0 {
                echoes(&client, 5).await;
                let (_other, newcomer, accepted) = pair(&server, version).await;
                tokio::spawn(echo(accepted));
                echoes(&newcomer, 1).await;
            }
        }
        assert!(server.stats().strangers_dropped > 0);
        in_time(server.shutdown()).await;
    }
}
