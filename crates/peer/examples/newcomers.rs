//! How newcomers fare at a server with default options: a crowd that comes at once, and single clients beside a flood.
//!
//! ```text
//! cargo run --release -p drystone --example newcomers -- crowd [CLIENTS]
//! cargo run --release -p drystone --example newcomers -- flood [HELLOS PER SECOND]
//! cargo run --release -p drystone --example newcomers -- flood-packet-peers [HELLOS PER SECOND]
//! ```
//!
//! It measures, and is no test: the figures depend on the machine. Wanted on two cores: a crowd of 1,000 is connected
//! within 10 s, and beside 5,000 hellos a second each client of another network within 1 s. Needs two file descriptors
//! per client (`ulimit -n 4096`), and for the flood a system on which all of 127.0.0.0/8 is loopback.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use drystone::x509::{Policy, PrivateKeyDer, ServerName, TrustAnchors};
use drystone::{
    Client, ClientConfig, ClientEvent, Clock, Connection, Credential, Credentials, Datagram, DtlsServer,
    Event, PacketPeerDtls, Path, Server, ServerConfig, UdpServer,
};

const PATIENCE: Duration = Duration::from_secs(45);

/// Ports from which the flood comes, all of one address.
const PORTS: usize = 1_000;

/// How often packet peers are polled. What comes meanwhile lies in the socket's buffer, which by default holds about a
/// hundred datagrams on Linux: at 60 frames a second the system itself drops half of such a flood, and of the rest.
const FRAME: Duration = Duration::from_millis(2);

/// Clients that come beside the flood, one after the other.
const VISITORS: u8 = 50;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next();
    let number = arguments.next().map(|text| text.parse()).transpose()?;
    match mode.as_deref() {
        Some("crowd") => crowd(number.unwrap_or(1_000)),
        Some("flood") => flood(Scene::with_server()?, number.unwrap_or(5_000)),
        Some("flood-packet-peers") => flood(Scene::with_packet_peers()?, number.unwrap_or(5_000)),
        _ => Err("say crowd, flood or flood-packet-peers".into()),
    }
}

/// All clients say hello in the same moment.
fn crowd(count: usize) -> Result<(), Box<dyn Error>> {
    let scene = Scene::with_server()?;
    let begin = Instant::now();
    let mut clients = (0..count).map(|_| scene.client()).collect::<Result<Vec<_>, _>>()?;
    let (mut connected, mut failed, mut last) = (vec![false; count], 0, Duration::ZERO);
    while connected.iter().filter(|connected| **connected).count() + failed < count
        && begin.elapsed() < PATIENCE
    {
        for (client, connected) in clients.iter_mut().zip(&mut connected) {
            match client.poll(Duration::ZERO)? {
                Some(ClientEvent::Connection(Event::Connected(_))) => {
                    (*connected, last) = (true, begin.elapsed());
                }
                Some(ClientEvent::Connection(Event::Failed(_))) => failed += 1,
                _ => {}
            }
        }
        thread::sleep(Duration::from_millis(1));
    }
    let connected = connected.iter().filter(|connected| **connected).count();
    println!("{count} clients at once: {connected} connected, {failed} failed, the last after {last:.2?}");
    println!("{}", scene.end());
    Ok(())
}

/// One address with many ports sends second hellos with good cookies and never goes on, while clients of other networks
/// connect one after the other.
fn flood(scene: Scene, per_second: usize) -> Result<(), Box<dyn Error>> {
    let over = Arc::new(AtomicBool::new(false));
    let flood = Flood::new(&scene)?;
    let (stop, address) = (Arc::clone(&over), scene.address);
    let flooding = thread::spawn(move || flood.run(address, per_second, &stop));
    // Until the flood has what it can get.
    thread::sleep(Duration::from_secs(4));
    let mut times = Vec::new();
    for visitor in 0..VISITORS {
        let begin = Instant::now();
        let outcome = scene.visitor(visitor).and_then(|mut client| Ok(client.connected(PATIENCE)?));
        match outcome {
            Ok(_) => times.push(begin.elapsed()),
            Err(error) => println!("visitor {visitor}: {error}"),
        }
        thread::sleep(Duration::from_millis(60));
    }
    over.store(true, Ordering::Relaxed);
    let (sent, took) = flooding.join().map_err(|_| "the flood failed")?;
    times.sort_unstable();
    let within = times.iter().filter(|time| **time < Duration::from_secs(1)).count();
    println!("{:.0} hellos a second of one network for {took:.1?}", sent as f64 / took.as_secs_f64());
    println!(
        "{within} of {VISITORS} clients of other networks connected within 1 s, median {:.1?}, slowest {:.1?}",
        times.get(times.len() / 2).copied().unwrap_or_default(),
        times.last().copied().unwrap_or_default(),
    );
    println!("{}", scene.end());
    Ok(())
}

fn configs() -> Result<(Arc<ClientConfig>, Arc<ServerConfig>), Box<dyn Error>> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let mut anchors = TrustAnchors::new();
    anchors.add(made.cert.der().clone())?;
    let credential = Credential::new(vec![made.cert.der().clone()], &key)?;
    let client = ClientConfig::new(drystone::settings(), Policy::new(anchors))?;
    let server = ServerConfig::new(drystone::settings(), Credentials::single(credential))?;
    Ok((Arc::new(client), Arc::new(server)))
}

/// A server on a thread of its own, and what its clients need.
struct Scene {
    address: SocketAddr,
    config: Arc<ClientConfig>,
    over: Arc<AtomicBool>,
    /// Ends with what the server has counted.
    serving: JoinHandle<String>,
}

impl Scene {
    /// A [`Server`].
    fn with_server() -> Result<Self, Box<dyn Error>> {
        let (config, server_config) = configs()?;
        let mut server = Server::bind((Ipv4Addr::LOCALHOST, 0).into(), server_config)?;
        let (address, over) = (server.local_addr()?, Arc::new(AtomicBool::new(false)));
        let stop = Arc::clone(&over);
        let serving = thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                server.poll(Duration::from_millis(50)).expect("a socket");
            }
            format!("{:?}", server.stats())
        });
        Ok(Self { address, config, over, serving })
    }

    /// A [`DtlsServer`] that is polled once per frame.
    fn with_packet_peers() -> Result<Self, Box<dyn Error>> {
        let (config, server_config) = configs()?;
        let (mut udp, mut dtls) = (UdpServer::new(), DtlsServer::new());
        udp.listen(0, "127.0.0.1")?;
        dtls.setup_with(server_config)?;
        let address = (Ipv4Addr::LOCALHOST, udp.get_local_port()).into();
        let over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&over);
        let serving = thread::spawn(move || {
            let (mut peers, mut accepted) = (Vec::new(), 0);
            while !stop.load(Ordering::Relaxed) {
                while let Some(peer) = dtls.accept(&mut udp) {
                    peers.push(peer);
                    accepted += 1;
                }
                peers.iter_mut().for_each(PacketPeerDtls::poll);
                peers.retain(|peer| peer.get_status().is_active());
                thread::sleep(FRAME);
            }
            format!("{accepted} accepted, {} datagrams dropped", udp.dropped_packet_count())
        });
        Ok(Self { address, config, over, serving })
    }

    fn client(&self) -> Result<Client, Box<dyn Error>> {
        Ok(Client::new(self.address, ServerName::try_from("localhost")?, Arc::clone(&self.config))?)
    }

    /// A client of a network of its own.
    fn visitor(&self, number: u8) -> Result<Client, Box<dyn Error>> {
        let socket = UdpSocket::bind((Ipv4Addr::new(127, 1, number, 1), 0))?;
        let name = ServerName::try_from("localhost")?;
        Ok(Client::over(socket, self.address, name, Arc::clone(&self.config))?)
    }

    fn end(self) -> String {
        self.over.store(true, Ordering::Relaxed);
        self.serving.join().expect("the server ran")
    }
}

/// Many ports of one address, each with a hello that carries a good cookie.
struct Flood {
    ports: Vec<Port>,
    config: Arc<ClientConfig>,
    clock: Clock,
}

struct Port {
    socket: UdpSocket,
    connection: Connection,
    /// The second hello, once the server has given its cookie.
    hello: Vec<Vec<u8>>,
    replays: u32,
}

impl Flood {
    fn new(scene: &Scene) -> Result<Self, Box<dyn Error>> {
        let (clock, config) = (Clock::new(), Arc::clone(&scene.config));
        let ports = (0..PORTS)
            .map(|_| {
                let socket = UdpSocket::bind((Ipv4Addr::new(127, 2, 0, 1), 0))?;
                socket.set_nonblocking(true)?;
                let connection = Self::begin(&config, &clock)?;
                Ok(Port { socket, connection, hello: Vec::new(), replays: 0 })
            })
            .collect::<Result<Vec<_>, Box<dyn Error>>>()?;
        Ok(Self { ports, config, clock })
    }

    fn begin(config: &Arc<ClientConfig>, clock: &Clock) -> Result<Connection, Box<dyn Error>> {
        Ok(Connection::client(Arc::clone(config), ServerName::try_from("localhost")?, clock.start())?)
    }

    /// How many second hellos were sent, in which time.
    fn run(mut self, server: SocketAddr, per_second: usize, over: &AtomicBool) -> (usize, Duration) {
        let (begin, mut sent) = (Instant::now(), 0);
        while !over.load(Ordering::Relaxed) {
            for port in &mut self.ports {
                sent += port.visit(server, &self.config, &self.clock);
                let due = Duration::from_secs_f64(sent as f64 / per_second as f64);
                thread::sleep(due.saturating_sub(begin.elapsed()));
            }
        }
        (sent, begin.elapsed())
    }
}

impl Port {
    /// Replays the second hello if there is one, which is renewed now and then; how many were sent.
    fn visit(&mut self, server: SocketAddr, config: &Arc<ClientConfig>, clock: &Clock) -> usize {
        const REPLAYS: u32 = 16;
        if self.replays >= REPLAYS
            && let Ok(connection) = Flood::begin(config, clock)
        {
            (self.connection, self.replays) = (connection, 0);
            self.hello.clear();
        }
        let mut buffer = [0; 2048];
        if self.hello.is_empty() {
            // The first hello, or its copy when nothing has come for long enough.
            self.connection.handle_timeout(clock.now());
            while let Some(transmit) = self.connection.poll_transmit(clock.now(), &mut buffer) {
                let _ = self.socket.send_to(&buffer[..transmit.len], server);
            }
            while let Ok(length) = self.socket.recv(&mut buffer) {
                let mut datagram = Datagram::new(Path::default(), &mut buffer[..length]);
                let _ = self.connection.receive(clock.now(), &mut datagram);
            }
            while let Some(transmit) = self.connection.poll_transmit(clock.now(), &mut buffer) {
                self.hello.push(buffer[..transmit.len].to_vec());
            }
            if self.hello.is_empty() {
                return 0;
            }
        }
        // What the server answers is of no interest.
        while self.socket.recv(&mut buffer).is_ok() {}
        for datagram in &self.hello {
            let _ = self.socket.send_to(datagram, server);
        }
        self.replays += 1;
        1
    }
}
