//! Datagrams of sources that mean no good: replayed hellos, forged addresses, damaged records of live associations.

use std::net::SocketAddr;
use std::time::Duration;

use drystone::{Endpoint, Event, FourTuple, Incoming, ServerOptions};
use drystone_tests::hostile::{Class, Hostile};
use drystone_tests::identity::{Identity, name, server_config, settings_of};
use drystone_tests::link::LinkSettings;
use drystone_tests::star::{SERVER, Star};

use super::{SECOND, VERSIONS, address, configs};

/// Hostile datagrams, from the addresses of live associations and from others, end none and keep no newcomer out.
#[test]
fn hostile_datagrams_end_nothing_and_keep_nobody_out() {
    for version in VERSIONS {
        let mut star = Star::new(configs(version).1, ServerOptions::default(), LinkSettings::perfect(), 5);
        let config = configs(version).0;
        star.connect_all((0..10).map(address), &config);
        star.run_for(SECOND);
        let flights = vec![star.first_datagram(&config)];
        let (mut hostile, mut bytes) = (Hostile::new(6, flights), Vec::new());
        let mut out = [0; 2048];
        for round in 0..400_u16 {
            for class in Class::ALL {
                for source in [address(round % 10), address(100 + round)] {
                    hostile.make(class, &mut bytes);
                    let start = star.start();
                    let mut incoming = Incoming::new(FourTuple::from(source), &mut bytes);
                    assert!(
                        star.server.endpoint.receive(start, &mut incoming).is_none(),
                        "no packet of theirs"
                    );
                }
            }
            while star.server.endpoint.poll_transmit(star.now(), &mut out).is_some() {}
            let number = round % 10;
            star.send(address(number), &round.to_be_bytes());
            star.run_for(SECOND / 10);
            let (_, packet) = star.server.packets.last().expect("it arrives");
            assert_eq!(packet, &round.to_be_bytes());
            if let Some(newcomer) = (round % 40 == 0).then(|| address(600 + round)) {
                star.connect(newcomer, &config);
            }
        }
        star.run_for(5 * SECOND);
        assert_eq!(star.server.connected(), 20, "{version}");
        let ended = star.server.events.iter().filter(|(_, event)| !matches!(event, Event::Connected(_)));
        assert_eq!(ended.count(), 0, "{version}");
    }
}

/// One address begins anew again and again, in every phase of its handshakes, while associations of it are closed: nobody
/// else notices.
#[test]
fn threat_58_a_storm_of_handshakes_from_one_address_disturbs_no_other() {
    for version in VERSIONS {
        let mut star = Star::new(configs(version).1, ServerOptions::default(), LinkSettings::perfect(), 8);
        let config = configs(version).0;
        star.connect_all((0..5).map(address), &config);
        star.run_for(SECOND);
        let others: Vec<_> = star.server.endpoint.peers().collect();
        for round in 0..300_u16 {
            star.connect(address(77), &config);
            star.run_for(Duration::from_millis(7 * u64::from(round % 40)));
            let now = star.now();
            let of_storm: Vec<_> = star.server.endpoint.peers().filter(|id| !others.contains(id)).collect();
            for id in of_storm.into_iter().filter(|_| round % 3 == 0) {
                star.server.endpoint.close(now, id);
            }
            star.flush();
            star.send(address(round % 5), &round.to_be_bytes());
        }
        star.run_for(SECOND);
        assert!(others.iter().all(|id| star.server.endpoint.connection(*id).is_some()));
        let of_others = star.server.packets.iter().filter(|(id, _)| others.contains(id)).count();
        assert_eq!(of_others, 300, "{version}");
        assert!(star.server.endpoint.peer_count() <= 5 + 2, "an association and a challenger");
    }
}

/// A hello with a good cookie that is replayed for ever, from its own address, does not keep other networks out.
#[test]
fn replayed_hellos_take_no_place_of_others() {
    for version in VERSIONS {
        let mut options = ServerOptions::default();
        options.max_half_open = 64;
        let mut star = Star::new(configs(version).1, options, LinkSettings::perfect(), 6);
        let config = configs(version).0;
        // Hellos that returned their cookies, of one network.
        let replayed: Vec<_> =
            (0..200).map(|number| with_cookie(&mut star, attacker(number), &config)).collect();
        for round in 0..50 {
            for (number, bytes) in (0..).zip(&replayed) {
                let mut copy = bytes.clone();
                let start = star.start();
                let mut incoming = Incoming::new(FourTuple::from(attacker(number)), &mut copy);
                assert!(star.server.endpoint.receive(start, &mut incoming).is_none());
            }
            if round % 5 == 0 {
                star.connect(address(round), &config);
            }
            star.run_for(SECOND / 5);
        }
        star.run_for(SECOND);
        assert_eq!(star.server.connected(), 10, "{version}");
    }
}

fn attacker(number: u16) -> SocketAddr {
    ([198, 51, 100, 9], 1_000 + number).into()
}

/// The hello with which a client returns its cookie.
fn with_cookie(
    star: &mut Star,
    from: SocketAddr,
    config: &std::sync::Arc<drystone::ClientConfig>,
) -> Vec<u8> {
    let (start, mut out) = (star.start(), [0; 2048]);
    let mut client = Endpoint::client();
    client.connect(start, SERVER.into(), name(), config.clone()).expect("a client begins");
    let transmit = client.poll_transmit(start.now, &mut out).expect("a hello");
    let mut incoming = Incoming::new(FourTuple::from(from), &mut out[..transmit.len]);
    assert!(star.server.endpoint.receive(start, &mut incoming).is_none());
    let transmit = star.server.endpoint.poll_transmit(start.now, &mut out).expect("a cookie");
    let mut incoming = Incoming::new(FourTuple::from(SERVER), &mut out[..transmit.len]);
    assert!(client.receive(start, &mut incoming).is_none());
    let transmit = client.poll_transmit(start.now, &mut out).expect("the second hello");
    out[..transmit.len].to_vec()
}

/// Refused hellos are all answered and counted; of those that nobody asks for, few are kept as events.
#[test]
fn refusals_that_nobody_reads_are_counted_and_not_kept() {
    let [v12, v13] = VERSIONS;
    let client = configs(v12).0;
    let mut settings = settings_of(v13);
    settings.min_version = v13;
    let server = server_config(settings, Identity::p256());
    let mut star = Star::new(server, ServerOptions::default(), LinkSettings::perfect(), 9);
    for told in [64, 128] {
        for number in 0..100 {
            let (start, mut hello) = (star.start(), star.first_datagram(&client));
            let mut incoming = Incoming::new(FourTuple::from(address(number)), &mut hello);
            assert!(star.server.endpoint.receive(start, &mut incoming).is_none());
            assert!(star.server.endpoint.poll_transmit(start.now, &mut [0; 2048]).is_some());
        }
        star.flush();
        assert_eq!(star.server.refused.len(), told);
    }
    assert_eq!(star.server.endpoint.stats().hellos_refused, 200);
}
