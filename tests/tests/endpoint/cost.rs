//! What associations of an endpoint cost: nothing per packet, and a bounded amount for whoever is unknown.

use drystone::{Endpoint, FourTuple, Incoming, ServerOptions, Start};
use drystone_tests::alloc::measure;
use drystone_tests::link::LinkSettings;
use drystone_tests::star::{SERVER, Star};

use super::{SECOND, VERSIONS, address, configs};

/// A packet to the endpoint at this address comes back. The bytes of the datagram, after the client has sealed it.
fn echo(
    client: &mut Endpoint,
    server: &mut Endpoint,
    from: std::net::SocketAddr,
    start: Start,
    out: &mut [[u8; 2048]; 2],
) {
    let [one, other] = out;
    let peer = client.peers().next().expect("an association");
    let transmit = client.send(peer, b"ping", one).expect("connected");
    let mut incoming = Incoming::new(FourTuple::from(from), &mut one[..transmit.len]);
    let mut length = 0;
    while let Some((peer, data)) = server.receive(start, &mut incoming) {
        length = server.send(peer, data.payload, other).expect("connected").len;
    }
    let mut incoming = Incoming::new(FourTuple::from(SERVER), &mut other[..length]);
    let mut received = 0;
    while let Some((_, data)) = client.receive(start, &mut incoming) {
        received += data.payload.len();
    }
    assert_eq!(received, 4);
    for endpoint in [client, server] {
        endpoint.handle_drained(start.now);
        assert!(endpoint.poll_transmit(start.now, one).is_none() && endpoint.poll_event().is_none());
    }
}

#[test]
fn nothing_is_allocated_for_a_packet() {
    for version in VERSIONS {
        let mut star = Star::new(configs(version).1, ServerOptions::default(), LinkSettings::perfect(), 3);
        let config = configs(version).0;
        star.connect_all((0..20).map(address), &config);
        star.run_for(300 * SECOND);
        let (start, mut out) = (star.start(), [[0; 2048]; 2]);
        let Star { server, clients, .. } = &mut star;
        let mut round = || {
            for (from, client) in clients.iter_mut() {
                echo(&mut client.endpoint, &mut server.endpoint, *from, start, &mut out);
            }
        };
        round();
        let ((), heap) = measure(|| (0..500).for_each(|_| round()));
        assert_eq!((heap.count, heap.live_bytes), (0, 0), "{version}");
    }
}

/// Whoever returns no cookie costs no memory, whatever and from however many addresses it sends.
#[test]
fn unknown_sources_cost_no_memory() {
    for version in VERSIONS {
        let (client, server) = configs(version);
        let mut star = Star::new(server, ServerOptions::default(), LinkSettings::perfect(), 4);
        let mut hello = star.first_datagram(&client);
        let start = star.start();
        let server = &mut star.server.endpoint;
        let mut out = [0; 2048];
        let mut ask = |number: u32| {
            let [_, high, middle, low] = number.to_be_bytes();
            let mut bytes = hello.clone();
            // Of every third only a part arrives, every fourth is damaged.
            let length = if number.is_multiple_of(3) { bytes.len() / 2 } else { bytes.len() };
            if number.is_multiple_of(4) {
                bytes[20 + (number as usize / 4) % 40] ^= 0x55;
            }
            let ends = FourTuple::from(std::net::SocketAddr::from(([10, high, middle, low], 7)));
            let mut incoming = Incoming::new(ends, &mut bytes[..length]);
            assert!(server.receive(start, &mut incoming).is_none());
            let mut answered = 0;
            while let Some(transmit) = server.poll_transmit(start.now, &mut out) {
                assert_eq!(transmit.ends, ends);
                answered += transmit.len;
            }
            while server.poll_event().is_some() {}
            (answered, length)
        };
        // The pool of fragments and the room for refusals have their size then.
        for number in 0..4_000 {
            ask(number);
        }
        let ((), heap) = measure(|| {
            for number in 4_000..30_000 {
                let (answered, length) = ask(number);
                assert!(answered <= length, "{answered} bytes for {length}");
            }
        });
        assert!(heap.live_bytes <= 0, "{heap:?}");
        assert_eq!(server.peer_count(), 0);
        hello.clear();
    }
}
