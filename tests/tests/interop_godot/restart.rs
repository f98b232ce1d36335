//! Sides that leave, crash and come back.

use crate::duo::{Duo, Opening, PEER, Way, skips_at_most};
use crate::ours::{OurServer, connect_again, connect_from};
use crate::packets::still_works;
use crate::scene::{Stage, godot_connects, godot_serves_at};
use drystone::Status;
use drystone::packet_peer::Error;
use drystone_tests::interop::{Cell, Godot, KeyKind, Script};
use std::time::Duration;

/// Long enough for a busy machine, short enough for a test.
const IDLE: Duration = Duration::from_millis(1500);

pub(crate) fn cells(stage: &Stage) -> Vec<Cell<'_>> {
    let mut cells = Vec::new();
    for way in Way::ALL {
        let opening = Opening::new(stage, stage.pki.server(KeyKind::P256));
        let mut cell = |row: &str, case: fn(Way, &Stage, Opening<'_>) -> Result<(), String>| {
            cells.push(Cell::new(row, way.name(), move || case(way, stage, opening)));
        };
        cell("Godot vanishes", godot_vanishes);
        cell("the server stops and comes back", server_restarts);
        cell("the client leaves, comes back from its port", client_returns);
        cell("the client crashes, comes back from its port", client_crashes);
    }
    cells.push(Cell::new("the server crashes and comes back", Way::Go.name(), || {
        server_crashes(stage, Opening::new(stage, stage.pki.server(KeyKind::P256)))
    }));
    cells
}

/// It is killed: nobody says goodbye.
fn godot_vanishes(way: Way, stage: &Stage, opening: Opening<'_>) -> Result<(), String> {
    let mut duo = Duo::connected(way, stage, Opening { idle_timeout: Some(IDLE), ..opening })?;
    duo.scene.godots.clear();
    duo.until("the silence to be noticed", |duo| duo.ours().statuses.last() == Some(&Status::Error))?;
    let expected = [duo.our_beginning(), &[Status::Connected, Status::Error]].concat();
    if duo.ours().statuses != expected {
        return Err(format!("statuses {:?}", duo.ours().statuses));
    }
    match duo.ours().peer.error() {
        Some(Error::IdleTimeout(IDLE)) => Ok(()),
        other => Err(format!("the reason is {other:?}")),
    }
}

/// It says goodbye, and the same client object connects to its successor on the same port.
fn server_restarts(way: Way, stage: &Stage, opening: Opening<'_>) -> Result<(), String> {
    let mut duo = Duo::connected(way, stage, opening)?;
    still_works(&mut duo)?;
    match way {
        Way::Come(entry) => {
            let server = duo.scene.ours.server.as_mut().ok_or("no server")?;
            server.udp.stop();
            duo.until("the goodbye", |duo| duo.far().statuses.last() == Some(&0))?;
            duo.expect_statuses(&[Status::Connected, Status::Disconnected], &[2, 0])?;
            if !matches!(duo.ours().peer.error(), Some(Error::ServerStopped)) {
                return Err(format!("the reason is {:?}", duo.ours().reason()));
            }
            duo.scene.ours.server = None;
            duo.scene.ours.server = Some(OurServer::listen(duo.port, entry, opening.identity, None)?);
            let port = duo.port;
            godot_connects(duo.godot(), PEER, port, 0, opening.trust)?;
            duo.until("the new connection", |duo| {
                matches!(duo.far().statuses[..], [.., 0, 2] | [.., 0, 1, 2])
            })?;
            duo.expect_statuses(&[Status::Connected], &[2, 0, 1, 2])?;
        }
        Way::Go => {
            duo.godot().order(&["quit"])?;
            duo.until("the goodbye", |duo| duo.ours().statuses.last() == Some(&Status::Disconnected))?;
            go_again(&mut duo, stage, opening)?;
            let ours = [Status::Connected, Status::Disconnected, Status::Handshaking, Status::Connected];
            duo.expect_statuses(&ours, &[2])?;
        }
    }
    still_works(&mut duo)
}

/// Nobody says goodbye: the client notices by the silence.
fn server_crashes(stage: &Stage, opening: Opening<'_>) -> Result<(), String> {
    let mut duo = Duo::connected(Way::Go, stage, Opening { idle_timeout: Some(IDLE), ..opening })?;
    duo.scene.godots.clear();
    duo.until("the silence to be noticed", |duo| duo.ours().statuses.last() == Some(&Status::Error))?;
    go_again(&mut duo, stage, opening)?;
    let ours = [Status::Connected, Status::Error, Status::Handshaking, Status::Connected];
    duo.expect_statuses(&ours, &[2])?;
    still_works(&mut duo)
}

/// A new Godot server on the old port, and our client object once more.
fn go_again(duo: &mut Duo, stage: &Stage, opening: Opening<'_>) -> Result<(), String> {
    duo.scene.godots.clear();
    duo.scene.godots.push(godot_serves_at(stage, duo.port, opening.identity)?);
    let port = duo.port;
    connect_again(duo.ours_mut(), port, opening.trust)?;
    duo.until("the new connection", |duo| {
        duo.ours().statuses.last() == Some(&Status::Connected) && duo.far().statuses.last() == Some(&2)
    })
}

/// The client says goodbye, and a new one connects from its port.
fn client_returns(way: Way, stage: &Stage, opening: Opening<'_>) -> Result<(), String> {
    let mut duo = Duo::connected(way, stage, opening)?;
    still_works(&mut duo)?;
    match way {
        Way::Come(_) => {
            let local_port = duo.our_peers_port();
            duo.godot().order(&["quit"])?;
            duo.until("the goodbye", |duo| duo.ours().statuses.last() == Some(&Status::Disconnected))?;
            come_again(&mut duo, stage, opening, local_port)?;
            expect_reasons(&duo, &["", ""])
        }
        Way::Go => {
            let local_port = duo.ours().peer.packet_peer().map_or(0, |udp| udp.get_local_port());
            duo.scene.ours.clients.clear();
            duo.until("the goodbye", |duo| duo.far().statuses.last() == Some(&0))?;
            duo.scene.ours.clients.push(connect_from(local_port, duo.port, opening.trust)?);
            second_connection(&mut duo)
        }
    }
}

/// The client says nothing any more, and a new one connects from its port.
fn client_crashes(way: Way, stage: &Stage, opening: Opening<'_>) -> Result<(), String> {
    match way {
        Way::Come(_) => {
            let mut duo = Duo::connected(way, stage, opening)?;
            let local_port = duo.our_peers_port();
            come_again(&mut duo, stage, opening, local_port)?;
            expect_reasons(&duo, &["the client connected anew from the same address", ""])
        }
        Way::Go => {
            // Our peers always say goodbye. Behind the relay the new client has the address of the silent one.
            let mut duo = Duo::connected(way, stage, Opening { relayed: true, ..opening })?;
            duo.scene.ours.clients.push(connect_from(0, duo.port, opening.trust)?);
            duo.until("the old peer's end", |duo| skips_at_most(&duo.far().statuses, &[1, 2, 3], &1))?;
            second_connection(&mut duo)
        }
    }
}

/// A new Godot client from the old one's port: our server has a second peer, and the first one is over.
fn come_again(duo: &mut Duo, stage: &Stage, opening: Opening<'_>, local_port: u16) -> Result<(), String> {
    duo.scene.godots.clear();
    duo.scene.godots.push(Godot::start(Script::Client, &stage.folder)?);
    let port = duo.port;
    godot_connects(duo.godot(), PEER, port, local_port, opening.trust)?;
    duo.until("the new connection", |duo| {
        let peers = duo.scene.ours.server.as_ref().map_or(&[][..], |server| &server.peers);
        let statuses: Vec<Status> = peers.iter().map(|peer| peer.peer.get_status()).collect();
        let first_is_over = statuses.first().is_some_and(|status| !status.is_active());
        first_is_over && statuses.get(1) == Some(&Status::Connected) && duo.far().statuses.last() == Some(&2)
    })?;
    if duo.our_peers_port() != local_port {
        return Err("the new client has another port".into());
    }
    duo.scene.ours.server.iter_mut().for_each(|server| server.peers.rotate_left(1));
    still_works(duo)?;
    duo.scene.ours.server.iter_mut().for_each(|server| server.peers.rotate_right(1));
    Ok(())
}

fn expect_reasons(duo: &Duo, expected: &[&str]) -> Result<(), String> {
    let server = duo.scene.ours.server.as_ref().ok_or("no server")?;
    let reasons: Vec<String> = server.peers.iter().map(|peer| peer.reason()).collect();
    if reasons == expected { Ok(()) } else { Err(format!("reasons {reasons:?} and not {expected:?}")) }
}

/// Our newest client and Godot's second peer come together.
fn second_connection(duo: &mut Duo) -> Result<(), String> {
    const SECOND: &str = "1";
    duo.until("the new connection", |duo| {
        let client = duo.scene.ours.clients.last();
        let far = duo.scene.godots.first().map(|godot| godot.peer(SECOND));
        client.is_some_and(|client| client.peer.get_status() == Status::Connected)
            && far.is_some_and(|far| skips_at_most(&far.statuses, &[1, 2], &1))
    })
}
