//! Several connections at once, of which some fail: the others must not feel it.

use crate::duo::{Way, skips_at_most};
use crate::ours::{Cast, Entry, OurServer, Ours, Trust, connect};
use crate::scene::{NAME, Scene, Stage, godot_connects, godot_serves};
use drystone::packet_peer::Error;
use drystone::{PacketPeer, Status};
use drystone_tests::interop::{Cell, Godot, KeyKind, Relay, Script};
use std::time::Duration;

/// After this silence of one peer the others have exchanged many packets.
const IDLE: Duration = Duration::from_millis(1500);
/// Between packets: often enough that no healthy peer seems silent.
const PAUSE: Duration = Duration::from_millis(40);
/// Packets of each healthy connection, each way; they take longer than [`IDLE`].
const ROUNDS: u8 = 50;

pub(crate) fn cells(stage: &Stage) -> Vec<Cell<'_>> {
    let cell = |way: Way| {
        Cell::new("two stay, one is refused, one vanishes", way.name(), move || match way {
            Way::Come(entry) => come(entry, stage),
            Way::Go => go(stage),
        })
    };
    Way::ALL.into_iter().map(cell).collect()
}

/// The trust of a client that belongs to the game, and of one that does not.
fn trusts(stage: &Stage) -> (Trust<'_>, Trust<'_>) {
    let right = Trust { validate: true, name: NAME, anchors: Some(&stage.pki.root) };
    (right, Trust { anchors: Some(&stage.pki.other_root), ..right })
}

/// Three Godot clients in one program, one of which does not trust us, and one in a program that is killed.
fn come(entry: Entry, stage: &Stage) -> Result<(), String> {
    let (right, wrong) = trusts(stage);
    let server = OurServer::listen(0, entry, stage.pki.server(KeyKind::P256), Some(IDLE))?;
    let port = server.udp.get_local_port();
    let mut games = Vec::new();
    for _ in 0..2 {
        games.push(Godot::start(Script::Client, &stage.folder)?);
    }
    for (id, trust) in [("0", right), ("1", wrong), ("2", right)] {
        godot_connects(&mut games[0], id, port, 0, trust)?;
    }
    godot_connects(&mut games[1], "0", port, 0, right)?;
    let mut scene = Scene { ours: Cast { server: Some(server), ..Cast::default() }, godots: games };
    scene.until("three connections and a refusal", |scene| {
        let last = |game: usize, id: &str| scene.godots[game].peer(id).statuses.last().copied();
        [last(0, "0"), last(0, "1"), last(0, "2"), last(1, "0")] == [Some(2), Some(3), Some(2), Some(2)]
    })?;
    scene.godots.pop();

    let mut expected: [Vec<Vec<u8>>; 2] = Default::default();
    for round in 0..ROUNDS {
        for (name, packets) in (0..).zip(&mut expected) {
            let packet = vec![name, round];
            scene.godots[0].send(["0", "2"][usize::from(name)], &packet)?;
            packets.push(packet);
        }
        scene.go_on(PAUSE)?;
        echo(&mut scene);
    }
    scene.until("the last echoes", |scene| {
        ["0", "2"].map(|id| scene.godots[0].peer(id).packets.len()) == [usize::from(ROUNDS); 2]
    })?;

    let found = ["0", "2"].map(|id| scene.godots[0].peer(id).packets.clone());
    let statuses = ["0", "2"].map(|id| scene.godots[0].peer(id).statuses.clone());
    let fit = |found: &Vec<u8>| skips_at_most(found, &[0, 1, 2], &1);
    if found != expected || !statuses.iter().all(fit) {
        return Err(format!("what stayed had statuses {statuses:?} and packets {found:?}"));
    }
    let server = scene.ours.server.as_ref().ok_or("no server")?;
    let mut ends: Vec<String> = server.peers.iter().map(Ours::reason).collect();
    ends.sort();
    let of = |part: &str| ends.iter().filter(|reason| reason.contains(part)).count();
    if (ends.len(), of("unknown_ca"), of("it has vanished")) != (4, 1, 1) {
        return Err(format!("our peers' ends: {ends:?}"));
    }
    Ok(())
}

/// What came to our server goes back.
fn echo(scene: &mut Scene) {
    for ours in scene.ours.server.iter_mut().flat_map(|server| &mut server.peers) {
        for packet in ours.packets.drain(..) {
            // Of a connection that has ended meanwhile nobody waits for an echo.
            let _ = ours.peer.put_packet(&packet);
        }
    }
}

/// Four clients of ours: one does not trust Godot's server, one loses its network.
fn go(stage: &Stage) -> Result<(), String> {
    let (right, wrong) = trusts(stage);
    let (game, port) = godot_serves(stage, stage.pki.server(KeyKind::P256))?;
    let relay = Relay::start(port)?;
    let mut scene = Scene { godots: vec![game], ..Scene::default() };
    for (port, trust) in [(port, right), (port, right), (port, wrong), (relay.port, right)] {
        scene.ours.clients.push(connect(port, trust, Some(IDLE))?);
    }
    let statuses = |scene: &Scene| -> Vec<Status> {
        scene.ours.clients.iter().map(|client| client.peer.get_status()).collect()
    };
    const BEGINNING: [Status; 4] = [Status::Connected, Status::Connected, Status::Error, Status::Connected];
    scene.until("three connections and a refusal", |scene| statuses(scene) == BEGINNING)?;
    drop(relay);

    let mut echoed = [0; 4];
    let mut expected: [Vec<Vec<u8>>; 2] = Default::default();
    for round in 0..ROUNDS {
        for (name, packets) in (0..).zip(&mut expected) {
            let packet = vec![name, round];
            let client = &mut scene.ours.clients[usize::from(name)];
            client.peer.put_packet(&packet).map_err(|error| error.to_string())?;
            packets.push(packet);
        }
        scene.go_on(PAUSE)?;
        godot_echoes(&mut scene, &mut echoed)?;
    }
    scene.until("the last packets", |scene| {
        let far = ["0", "1", "2", "3"].map(|id| scene.godots[0].peer(id).packets.len());
        far.iter().filter(|count| **count == usize::from(ROUNDS)).count() == 2
    })?;
    godot_echoes(&mut scene, &mut echoed)?;
    scene.until("the last echoes", |scene| {
        scene.ours.clients[..2].iter().all(|client| client.packets.len() == usize::from(ROUNDS))
    })?;

    let clients = &scene.ours.clients;
    if clients[0].packets != expected[0] || clients[1].packets != expected[1] {
        return Err("packets came otherwise than they were sent".into());
    }
    const END: [Status; 4] = [Status::Connected, Status::Connected, Status::Error, Status::Error];
    let vanished = matches!(clients[3].peer.error(), Some(Error::IdleTimeout(IDLE)));
    if statuses(&scene) != END || !vanished {
        return Err(format!("statuses {:?}, {:?}", statuses(&scene), clients[3].reason()));
    }
    Ok(())
}

/// What came to Godot's server goes back: its peers are numbered in the order in which the clients came.
fn godot_echoes(scene: &mut Scene, echoed: &mut [usize; 4]) -> Result<(), String> {
    for (id, echoed) in ["0", "1", "2", "3"].into_iter().zip(echoed) {
        let packets = &scene.godots[0].peer(id).packets;
        let new = packets.get(*echoed..).unwrap_or_default().to_vec();
        *echoed = packets.len();
        for packet in new {
            scene.godots[0].send(id, &packet)?;
        }
    }
    Ok(())
}
