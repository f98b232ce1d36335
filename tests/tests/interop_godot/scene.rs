//! A scene: peers of ours and Godots, all of them polled until something is so. It knows no case.

use crate::ours::{Cast, Ours, Trust};
use drystone_tests::interop::{Godot, Identity, Pki, Script, Stack, godot_is_here, peers_are_here};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How long a single step may take. Far more than it needs, so that only a failure runs into it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// One frame of our games.
pub(crate) const FRAME: Duration = Duration::from_millis(1);

/// The name in every server certificate.
pub(crate) const NAME: &str = "localhost";

/// What the scenes of a test share.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) pki: Pki,
    pub(crate) folder: PathBuf,
}

impl Stage {
    /// Certificates and a folder of its own for a test; none if there is no Godot, or no `openssl` to make keys.
    pub(crate) fn of(test: &str) -> Option<Self> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("godot-{test}"));
        let is_possible = godot_is_here() && peers_are_here(&[Stack::OpenSsl]);
        is_possible.then(|| Self { pki: Pki::make(&folder).expect("certificates can be made"), folder })
    }
}

/// Who takes part.
#[derive(Debug, Default)]
pub(crate) struct Scene {
    pub(crate) ours: Cast,
    pub(crate) godots: Vec<Godot>,
}

impl Scene {
    /// Polls everybody until `done`.
    pub(crate) fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) -> Result<(), String> {
        until(self, |scene| scene, PATIENCE, what, done)
    }

    /// Polls everybody until `done`, for something that takes longer than a step.
    pub(crate) fn until_at_last(&mut self, what: &str, done: impl Fn(&Self) -> bool) -> Result<(), String> {
        until(self, |scene| scene, 5 * PATIENCE, what, done)
    }

    /// Polls everybody for this long.
    pub(crate) fn go_on(&mut self, time: Duration) -> Result<(), String> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.turn()?;
            thread::sleep(FRAME);
        }
        Ok(())
    }

    fn turn(&mut self) -> Result<(), String> {
        self.ours.turn()?;
        self.godots.iter_mut().try_for_each(Godot::take_in)
    }

    fn describe(&self) -> String {
        let server = self.ours.server.iter().flat_map(|server| &server.peers);
        let tell = |ours: &Ours| {
            let (statuses, packets) = (&ours.statuses, ours.packets.len());
            format!("  ours: {statuses:?}, {packets} packets, {:?}\n", ours.reason())
        };
        let ours: String = server.chain(&self.ours.clients).map(tell).collect();
        let godots: String = self.godots.iter().map(Godot::transcript).collect();
        ours + &godots
    }
}

/// Polls the scene that is a part of `all`, until `done` with all.
pub(crate) fn until<T>(
    all: &mut T,
    scene: fn(&mut T) -> &mut Scene,
    patience: Duration,
    what: &str,
    done: impl Fn(&T) -> bool,
) -> Result<(), String> {
    let deadline = Instant::now() + patience;
    while !done(all) {
        let scene = scene(all);
        if Instant::now() > deadline {
            return Err(format!("not in time: {what}\n{}", scene.describe()));
        }
        scene.turn()?;
        thread::sleep(FRAME);
    }
    Ok(())
}

/// Makes a Godot client connect.
pub(crate) fn godot_connects(
    godot: &mut Godot,
    id: &str,
    port: u16,
    local_port: u16,
    trust: Trust<'_>,
) -> Result<(), String> {
    let anchors = trust.anchors.map_or_else(|| "-".to_owned(), |file| file.display().to_string());
    let name = if trust.name.is_empty() { "-" } else { trust.name };
    let (port, local_port) = (port.to_string(), local_port.to_string());
    godot.order(&["connect", id, &port, &local_port, if trust.validate { "1" } else { "0" }, name, &anchors])
}

/// A Godot server that listens.
pub(crate) fn godot_serves(stage: &Stage, identity: &Identity) -> Result<(Godot, u16), String> {
    let (mut godot, port) = Godot::serve(&stage.folder, &identity.key, &identity.chain)?;
    godot_listens(&mut godot)?;
    Ok((godot, port))
}

/// A Godot server on a port that was in use a moment ago.
pub(crate) fn godot_serves_at(stage: &Stage, port: u16, identity: &Identity) -> Result<Godot, String> {
    let mut godot = Godot::start(Script::Server, &stage.folder)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        godot.listening = None;
        godot.listen(port, &identity.key, &identity.chain)?;
        match godot_listens(&mut godot) {
            // As with our ports: it may be taken for a moment still.
            Err(_) if Instant::now() < deadline => thread::sleep(FRAME),
            listening => return listening.map(|()| godot),
        }
    }
}

fn godot_listens(godot: &mut Godot) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        godot.take_in()?;
        match godot.listening {
            Some(0) => return Ok(()),
            Some(error) => return Err(format!("Godot's server does not listen: {error}")),
            None if Instant::now() > deadline => return Err("Godot's server is silent".into()),
            None => thread::sleep(FRAME),
        }
    }
}
