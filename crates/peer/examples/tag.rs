//! Tag for two players on a terminal, over DTLS: the host decides, the guest only says where it wants to go.
//!
//! ```sh
//! cargo run --example tag -- host key.pem certificate.pem 4433
//! cargo run --example tag -- join 127.0.0.1 4433 certificate.pem
//! ```
//!
//! Type w, a, s or d and Enter to move, q to leave. With `--bot` the player moves by itself. Whoever is "it" (an
//! upper-case letter on the board) catches the other by stepping onto its place; after three catches the game is over.

use std::error::Error;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread::{sleep, spawn};
use std::time::Duration;

use drystone::{
    CryptoKey, DtlsServer, PacketPeer, PacketPeerDtls, PacketPeerUdp, Status, UdpServer, X509Certificate,
};

const USAGE: &str = "usage: tag host KEY.pem CERTIFICATE.pem PORT [--bot]
       tag join HOST PORT CERTIFICATE.pem [--bot]";
const FRAME: Duration = Duration::from_millis(50);
const WIDTH: u8 = 12;
const HEIGHT: u8 = 5;
const CATCHES: u8 = 3;
const HOST: usize = 0;
const GUEST: usize = 1;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let bot = arguments.iter().position(|argument| argument == "--bot").map(|place| arguments.remove(place));
    let controls = if bot.is_some() { Controls::Bot } else { Controls::keyboard() };
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["host", key, certificate, port] => host(key, certificate, port.parse()?, controls),
        ["join", address, port, certificate] => join(address, port.parse()?, certificate, controls),
        _ => Err(USAGE.into()),
    }
}

// ---- the two sides of the network ----

fn host(
    key_file: &str,
    certificate_file: &str,
    port: u16,
    mut controls: Controls,
) -> Result<(), Box<dyn Error>> {
    let mut key = CryptoKey::new();
    key.load(key_file, false)?;
    let mut certificate = X509Certificate::new();
    certificate.load(certificate_file)?;
    let mut udp = UdpServer::new();
    udp.listen(port, "127.0.0.1")?;
    let mut dtls = DtlsServer::new();
    dtls.setup(&key, &certificate, None)?;
    println!("waiting for a guest on {}", udp.get_local_port());

    let mut guest: Option<PacketPeerDtls> = None;
    let mut world = World::new();
    loop {
        // One guest is enough: whoever else comes is dropped at once.
        while let Some(peer) = dtls.accept(&mut udp) {
            guest.get_or_insert(peer);
        }
        if let Some(peer) = &mut guest {
            peer.poll();
            while let Ok(packet) = peer.get_packet() {
                // The newest wish counts; one that is not a direction is nothing.
                world.step(GUEST, packet.first().copied().unwrap_or(b' '));
            }
            match peer.get_status() {
                Status::Handshaking => {}
                Status::Connected => {
                    world.step(HOST, controls.direction(&world, HOST));
                    // A lost state does not matter: the next one comes in 50 ms.
                    let _ = peer.put_packet(&world.to_bytes());
                    world.draw();
                    if world.catches >= CATCHES || controls.left() {
                        println!("game over");
                        return Ok(());
                    }
                }
                _ => return Err(reason(peer)),
            }
        }
        sleep(FRAME);
    }
}

fn join(address: &str, port: u16, certificate: &str, mut controls: Controls) -> Result<(), Box<dyn Error>> {
    let mut trusted = X509Certificate::new();
    trusted.load(certificate)?;
    let mut udp = PacketPeerUdp::new();
    udp.connect_to_host(address, port)?;
    let mut peer = PacketPeerDtls::new();
    peer.connect_to_peer(udp, true, "localhost", Some(&trusted))?;

    let mut world = World::new();
    loop {
        peer.poll();
        while let Ok(packet) = peer.get_packet() {
            if let Some(state) = World::from_bytes(packet).filter(|state| state.tick > world.tick) {
                world = state;
                world.draw();
            }
        }
        match peer.get_status() {
            Status::Handshaking => {}
            Status::Connected => {
                let _ = peer.put_packet(&[controls.direction(&world, GUEST)]);
                if controls.left() {
                    return Ok(());
                }
            }
            // The host says goodbye when the game is over.
            Status::Disconnected => {
                println!("game over");
                return Ok(());
            }
            Status::Error | Status::ErrorHostnameMismatch => return Err(reason(&peer)),
        }
        sleep(FRAME);
    }
}

fn reason(peer: &PacketPeerDtls) -> Box<dyn Error> {
    peer.error().map_or("the other player left".to_owned(), ToString::to_string).into()
}

// ---- the game ----

#[derive(Clone)]
struct World {
    tick: u32,
    players: [(u8, u8); 2],
    it: usize,
    catches: u8,
}

impl World {
    fn new() -> Self {
        Self { tick: 0, players: [(1, 1), (WIDTH - 2, HEIGHT - 2)], it: HOST, catches: 0 }
    }

    fn step(&mut self, player: usize, direction: u8) {
        self.tick += 1;
        let (x, y) = self.players[player];
        self.players[player] = match direction {
            b'w' => (x, y.saturating_sub(1)),
            b's' => (x, (y + 1).min(HEIGHT - 1)),
            b'a' => (x.saturating_sub(1), y),
            b'd' => ((x + 1).min(WIDTH - 1), y),
            _ => (x, y),
        };
        if player == self.it && self.players[HOST] == self.players[GUEST] {
            self.catches += 1;
            self.it = 1 - self.it;
            self.players = Self::new().players;
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let [(x0, y0), (x1, y1)] = self.players;
        [&self.tick.to_be_bytes()[..], &[x0, y0, x1, y1, self.it as u8, self.catches]].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (tick, rest) = bytes.split_first_chunk()?;
        let [x0, y0, x1, y1, it, catches] = *rest else { return None };
        let tick = u32::from_be_bytes(*tick);
        (it < 2).then(|| Self { tick, players: [(x0, y0), (x1, y1)], it: it.into(), catches })
    }

    fn draw(&self) {
        let mut board = format!("tick {} catches {}\n", self.tick, self.catches);
        for y in 0..HEIGHT {
            board.extend((0..WIDTH).map(|x| self.sign_at((x, y))));
            board.push('\n');
        }
        println!("{board}");
    }

    fn sign_at(&self, place: (u8, u8)) -> char {
        match self.players.iter().position(|player| *player == place) {
            Some(player) if player == self.it => ['H', 'G'][player],
            Some(player) => ['h', 'g'][player],
            None => '.',
        }
    }
}

// ---- the player ----

enum Controls {
    Keyboard { lines: Receiver<u8>, left: bool },
    Bot,
}

impl Controls {
    /// Standard input blocks, so a thread waits for it.
    fn keyboard() -> Self {
        let (sender, lines) = mpsc::channel();
        spawn(move || {
            for line in std::io::stdin().lines().map_while(Result::ok) {
                if sender.send(line.bytes().next().unwrap_or(b' ')).is_err() {
                    return;
                }
            }
        });
        Self::Keyboard { lines, left: false }
    }

    fn direction(&mut self, world: &World, player: usize) -> u8 {
        match self {
            Self::Keyboard { lines, left } => match lines.try_recv() {
                Ok(b'q') | Err(TryRecvError::Disconnected) => {
                    *left = true;
                    b' '
                }
                Ok(direction) => direction,
                Err(TryRecvError::Empty) => b' ',
            },
            Self::Bot => chase(world, player),
        }
    }

    fn left(&self) -> bool {
        matches!(self, Self::Keyboard { left: true, .. })
    }
}

/// A bot runs after the other if it is "it", and stands still otherwise.
fn chase(world: &World, player: usize) -> u8 {
    let ((x, y), (to_x, to_y)) = (world.players[player], world.players[1 - player]);
    match (to_x.cmp(&x), to_y.cmp(&y)) {
        _ if world.it != player => b' ',
        (std::cmp::Ordering::Less, _) => b'a',
        (std::cmp::Ordering::Greater, _) => b'd',
        (_, std::cmp::Ordering::Less) => b'w',
        (_, std::cmp::Ordering::Greater) => b's',
        _ => b' ',
    }
}
