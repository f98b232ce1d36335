//! Packets there and back, every byte compared, and the goodbyes.

use crate::duo::{Duo, Opening, PEER, Way};
use crate::ours::Entry;
use crate::scene::Stage;
use drystone::packet_peer::Error;
use drystone::{PacketError, PacketPeer, Status};
use drystone_tests::interop::{Cell, KeyKind};
use std::time::Duration;

/// Packets each way.
const PACKETS: usize = 200;
/// Bytes of the longest of them.
const LONGEST: usize = 1200;
/// As many as a receive buffer of the operating system holds for certain.
const AT_ONCE: usize = 20;
/// Longer than any path's MTU, up to a record's limit. The loopback device carries them in one piece.
const LARGE: [usize; 6] = [1201, 1500, 4096, 9000, 16_383, 16_384];

pub(crate) fn cells(stage: &Stage) -> Vec<Cell<'_>> {
    let mut cells = Vec::new();
    for way in Way::ALL {
        for kind in [KeyKind::Rsa2048, KeyKind::P256, KeyKind::P384] {
            let row = format!("{} certificate, {PACKETS} packets each way", kind.name());
            let opening = Opening::new(stage, stage.pki.server(kind));
            cells.push(Cell::new(row, way.name(), move || many_packets(way, stage, opening)));
        }
        let intermediate = Opening::new(stage, &stage.pki.with_intermediate);
        cells.push(Cell::new("chain with an intermediate", way.name(), move || {
            many_packets(way, stage, intermediate)
        }));
        let opening = Opening::new(stage, stage.pki.server(KeyKind::P256));
        let mut cell = |row: &str, case: fn(Way, &Stage, Opening<'_>) -> Result<(), String>| {
            cells.push(Cell::new(row, way.name(), move || case(way, stage, opening)));
        };
        cell("objects spent on the cookie", spent_objects);
        cell("we close behind packets", we_close);
        cell("Godot closes behind packets", godot_closes);
        cell("packets of 1201 to 16384 bytes", large_packets);
        cell("too long for us: refused, nothing changes", too_long_for_us);
        cell("too long for Godot: it is gone, we notice", too_long_for_godot);
        cell("empty packets", empty_packets);
        cell("forged records", forged_records);
    }
    cells
}

/// Different in every byte and from packet to packet.
fn packet(number: usize, length: usize) -> Vec<u8> {
    (0..length).map(|place| (number * 31 + place * 7 + place / 256) as u8).collect()
}

/// Sends packets one way, then the other, in order; everything must come as it was sent.
fn exchange(duo: &mut Duo, packets: &[Vec<u8>]) -> Result<(), String> {
    let (have_far, have_ours) = (duo.far().packets.len(), duo.ours().packets.len());
    for (window, sent) in packets.chunks(AT_ONCE).scan(0, |sent, window| {
        *sent += window.len();
        Some((window, *sent))
    }) {
        for packet in window {
            duo.ours_mut().peer.put_packet(packet).map_err(|error| error.to_string())?;
        }
        duo.until("our packets", |duo| duo.far().packets.len() >= have_far + sent)?;
        for packet in window {
            duo.godot().send(PEER, packet)?;
        }
        duo.until("Godot's packets", |duo| duo.ours().packets.len() >= have_ours + sent)?;
    }
    let same = |found: &[Vec<u8>]| found == packets;
    if !same(&duo.far().packets[have_far..]) || !same(&duo.ours().packets[have_ours..]) {
        return Err("packets came otherwise than they were sent".into());
    }
    Ok(())
}

/// A short conversation: the connection is none the worse for what was before.
pub(crate) fn still_works(duo: &mut Duo) -> Result<(), String> {
    exchange(duo, &[packet(1, 1), packet(2, 500)])
}

fn many_packets(way: Way, stage: &Stage, opening: Opening<'_>) -> Result<(), String> {
    let mut duo = Duo::connected(way, stage, opening)?;
    let length = |number: usize| 1 + (LONGEST - 1) * number / (PACKETS - 1);
    let packets: Vec<Vec<u8>> = (0..PACKETS).map(|number| packet(number, length(number))).collect();
    exchange(&mut duo, &packets)?;
    // The one who came also leaves.
    match way {
        Way::Come(_) => duo.godot().order(&["close", PEER])?,
        Way::Go => duo.ours_mut().peer.disconnect_from_peer(),
    }
    ended_well(&mut duo)
}

/// With `take_connection`, Godot's and ours, the first object of a client is spent. `accept` gives none of that kind.
fn spent_objects(way: Way, stage: &Stage, opening: Opening<'_>) -> Result<(), String> {
    let mut duo = Duo::connected(way, stage, opening)?;
    let godots = duo.godot().spent.clone();
    let ours = duo.scene.ours.server.as_ref().map(|server| server.spent.as_slice()).unwrap_or_default();
    let asked = |reasons: &[String]| reasons.iter().all(|reason| *reason == Error::CookieAsked.to_string());
    // A hello that comes twice on a busy machine spends two.
    let right = match way {
        Way::Come(Entry::Accept) => ours.is_empty(),
        Way::Come(Entry::TakeConnection) => !ours.is_empty() && asked(ours),
        Way::Go => !godots.is_empty() && godots.iter().all(|status| *status == 3),
    };
    if right { Ok(()) } else { Err(format!("ours: {ours:?}, Godot's: {godots:?}")) }
}

/// Both sides are disconnected, without an error.
fn ended_well(duo: &mut Duo) -> Result<(), String> {
    duo.until("the goodbye", |duo| {
        duo.ours().statuses.last() == Some(&Status::Disconnected) && duo.far().statuses.last() == Some(&0)
    })?;
    duo.expect_statuses(&[Status::Connected, Status::Disconnected], &[2, 0])?;
    match duo.ours().reason() {
        reason if reason.is_empty() => Ok(()),
        reason => Err(format!("a goodbye is no error: {reason}")),
    }
}

fn we_close(way: Way, stage: &Stage, opening: Opening<'_>) -> Result<(), String> {
    let mut duo = Duo::connected(way, stage, opening)?;
    let packets: Vec<Vec<u8>> = (0..5).map(|number| packet(number, 100)).collect();
    for packet in &packets {
        duo.ours_mut().peer.put_packet(packet).map_err(|error| error.to_string())?;
    }
    duo.ours_mut().peer.disconnect_from_peer();
    ended_well(&mut duo)?;
    if duo.far().packets != packets {
        return Err(format!("{} packets came before the goodbye", duo.far().packets.len()));
    }
    Ok(())
}

/// Godot itself would not see the goodbye before its packets are read.
fn godot_closes(way: Way, stage: &Stage, opening: Opening<'_>) -> Result<(), String> {
    let mut duo = Duo::connected(way, stage, opening)?;
    duo.ours_mut().reads = false;
    let packets: Vec<Vec<u8>> = (0..5).map(|number| packet(number, 100)).collect();
    for packet in &packets {
        duo.godot().send(PEER, packet)?;
    }
    duo.godot().order(&["close", PEER])?;
    ended_well(&mut duo)?;
    let peer = &mut duo.ours_mut().peer;
    if peer.get_available_packet_count() != packets.len() {
        return Err(format!("{} packets can be read", peer.get_available_packet_count()));
    }
    for packet in &packets {
        match peer.get_packet() {
            Ok(found) if found == packet => {}
            other => return Err(format!("{other:?} behind the goodbye")),
        }
    }
    match (peer.get_packet().map(<[u8]>::len), peer.put_packet(b"late")) {
        (Err(PacketError::Closed), Err(PacketError::NotConnected)) => Ok(()),
        other => Err(format!("{other:?} at the end")),
    }
}

fn large_packets(way: Way, stage: &Stage, opening: Opening<'_>) -> Result<(), String> {
    let mut duo = Duo::connected(way, stage, opening)?;
    for length in LARGE {
        exchange(&mut duo, &[packet(length, length)])?;
    }
    Ok(())
}

fn too_long_for_us(way: Way, stage: &Stage, opening: Opening<'_>) -> Result<(), String> {
    let mut duo = Duo::connected(way, stage, opening)?;
    let peer = &mut duo.ours_mut().peer;
    let limit = peer.get_max_packet_size();
    let refused = peer.put_packet(&packet(3, limit + 1));
    if limit != 16_384 || refused != Err(PacketError::TooLarge { length: limit + 1, limit }) {
        return Err(format!("{refused:?} with a limit of {limit}"));
    }
    still_works(&mut duo)?;
    duo.expect_statuses(&[Status::Connected], &[2])
}

/// Godot drops the connection without a goodbye.
fn too_long_for_godot(way: Way, stage: &Stage, opening: Opening<'_>) -> Result<(), String> {
    let idle_timeout = Some(Duration::from_millis(1500));
    let mut duo = Duo::connected(way, stage, Opening { idle_timeout, ..opening })?;
    duo.godot().send(PEER, &packet(3, 16_385))?;
    duo.until("it to be noticed", |duo| duo.ours().statuses.last() == Some(&Status::Error))?;
    duo.expect_statuses(&[Status::Connected, Status::Error], &[2, 0])?;
    if duo.far().sent != [27] || !duo.ours().reason().contains("it has vanished") {
        return Err(format!("put_packet gave {:?}, and ours is {:?}", duo.far().sent, duo.ours().reason()));
    }
    Ok(())
}

fn empty_packets(way: Way, stage: &Stage, opening: Opening<'_>) -> Result<(), String> {
    let mut duo = Duo::connected(way, stage, opening)?;
    duo.ours_mut().peer.put_packet(b"").map_err(|error| error.to_string())?;
    duo.godot().send(PEER, b"")?;
    // Were an empty packet sent, it would come first.
    still_works(&mut duo)?;
    // The second packet can be here before Godot has told that it is sent.
    duo.until("what put_packet gave", |duo| duo.far().sent.len() == 3)?;
    if duo.far().sent != [0; 3] {
        return Err(format!("Godot's put_packet gave {:?}", duo.far().sent));
    }
    Ok(())
}

/// What anybody on the way can send into a connection that he cannot read.
fn forged_records(way: Way, stage: &Stage, opening: Opening<'_>) -> Result<(), String> {
    let mut duo = Duo::connected(way, stage, Opening { relayed: true, ..opening })?;
    still_works(&mut duo)?;
    for datagram in forgeries() {
        let relay = duo.relay.as_ref().ok_or("no relay")?;
        relay.forge_to_client(&datagram)?;
        relay.forge_to_server(&datagram)?;
        still_works(&mut duo)?;
    }
    // A record that ends too early would end Godot's connection: its mbedTLS takes it for a mistake of its own.
    let relay = duo.relay.as_ref().ok_or("no relay")?;
    let truncated = &record(23, 1, 98, &[7; 40])[..20];
    match way {
        Way::Come(_) => relay.forge_to_server(truncated)?,
        Way::Go => relay.forge_to_client(truncated)?,
    }
    still_works(&mut duo)?;
    duo.expect_statuses(&[Status::Connected], &[2])
}

fn record(content_type: u8, epoch: u8, sequence: u8, payload: &[u8]) -> Vec<u8> {
    let header = [content_type, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, sequence, 0, payload.len() as u8];
    [&header, payload].concat()
}

fn forgeries() -> Vec<Vec<u8>> {
    vec![
        // A packet, a goodbye and a fatal alert with a false tag.
        record(23, 1, 90, &[7; 40]),
        record(21, 1, 91, &[0; 18]),
        record(21, 1, 92, &[2; 18]),
        // Alerts in the clear.
        record(21, 0, 93, &[2, 40]),
        record(21, 0, 94, &[1, 0]),
        // Finished in the clear, a change of ciphers, an epoch that is not there yet.
        record(22, 0, 95, &[20, 0, 0, 12, 0, 9, 0, 0, 0, 0, 0, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
        record(20, 0, 96, &[1]),
        record(23, 2, 97, &[7; 40]),
        // Noise.
        vec![0x5a; 300],
    ]
}
