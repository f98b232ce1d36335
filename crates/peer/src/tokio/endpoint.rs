//! A UDP socket with all its connections, as its owner sees it.

use std::fmt;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::pin::pin;
use std::sync::Arc;

use drystone_handshake::{Answer, ClientConfig, Request, RequestId, ServerConfig};
use drystone_x509::ServerName;

use super::connection::{Connection, Link};
use super::driver;
use super::error::ConnectionError;
use super::shared::{Keeper, Shared};
use super::socket::TokioSocket;
use super::state::{Accepted, State};
use crate::endpoint::{self, FourTuple, PeerId, ServerOptions, ServerStats};
use crate::error::ServerError;

/// A UDP socket that accepts clients, connects to servers, or both. Clones are handles of the same endpoint.
///
/// How it treats unknown sources and silent peers is said at [`drystone::Endpoint`](crate::Endpoint), which it runs, and in
/// [`ServerOptions`].
///
/// When the last handle is dropped nobody is accepted any more, and connections go on; when the last of these is dropped too,
/// the endpoint closes its socket. [`shutdown`](Self::shutdown) ends all at once.
///
/// For an example see [the module](super).
#[doc(alias = "listener")]
#[doc(alias = "acceptor")]
pub struct Endpoint {
    shared: Keeper,
}

impl Endpoint {
    /// Listens on `address` for clients; port 0 takes a free one ([`local_addr`](Self::local_addr) says which).
    ///
    /// # Errors
    /// [`ServerError::Socket`] if the operating system refuses (the port is taken, for example), or outside of a tokio runtime;
    /// [`ServerError::Config`] if the configuration cannot work.
    ///
    /// # Panics
    /// In a runtime without I/O or time (`enable_all` has both).
    pub fn server(
        address: SocketAddr,
        config: Arc<ServerConfig>,
        options: ServerOptions,
    ) -> Result<Self, ServerError> {
        let udp = UdpSocket::bind(address).map_err(|source| ServerError::Socket { address, source })?;
        Self::server_over(udp, config, options)
    }

    /// Like [`server`](Self::server), on the caller's socket, which is bound and not connected.
    ///
    /// # Errors
    /// As [`server`](Self::server).
    ///
    /// # Panics
    /// As [`server`](Self::server).
    pub fn server_over(
        udp: UdpSocket,
        config: Arc<ServerConfig>,
        options: ServerOptions,
    ) -> Result<Self, ServerError> {
        let protocol = endpoint::Endpoint::server(config, options)?;
        let address = udp.local_addr().unwrap_or(([0, 0, 0, 0], 0).into());
        Self::over(udp, protocol).map_err(|source| ServerError::Socket { address, source })
    }

    /// An endpoint that accepts nobody, for [`connect`](Self::connect), bound to this address: mostly the unspecified one of
    /// the servers' family, and port 0.
    ///
    /// # Errors
    /// What the operating system says; [`io::ErrorKind::Other`] outside of a tokio runtime.
    ///
    /// # Panics
    /// As [`server`](Self::server).
    pub fn client(address: SocketAddr) -> io::Result<Self> {
        Self::over(UdpSocket::bind(address)?, endpoint::Endpoint::client())
    }

    fn over(udp: UdpSocket, protocol: endpoint::Endpoint) -> io::Result<Self> {
        let socket = TokioSocket::from_std(udp)?;
        let shared = Arc::new(Shared::new(State::new(protocol), socket));
        ::tokio::spawn(driver::run(Arc::clone(&shared)));
        Ok(Self { shared: Keeper::Endpoint(shared) })
    }

    /// Connects to the server at `remote`, which must prove that it is `name`. Given up by the deadline of the configuration
    /// ([`Settings::handshake_deadline`](crate::Settings::handshake_deadline)); dropping the future gives up at once.
    ///
    /// # Errors
    /// Why there is no connection: [`ConnectionError::AddressInUse`] if this endpoint has one with that address already,
    /// [`ConnectionError::Failed`] if the handshake failed, [`ConnectionError::Stopped`] after a shutdown.
    pub async fn connect(
        &self,
        remote: SocketAddr,
        name: impl Into<Option<ServerName<'static>>>,
        config: Arc<ClientConfig>,
    ) -> Result<Connection, ConnectionError> {
        let start = self.shared.clock.start();
        let ends = FourTuple::from(self.shared.socket.form_of(remote));
        let link = self.shared.with(|state, _| {
            state.check()?;
            let peer = state.endpoint.connect(start, ends, name, config)?;
            state.connections += 1;
            Ok::<_, ConnectionError>((peer, state.begin(peer)))
        });
        let (peer, channel) = link?;
        let shared = Keeper::connection(&self.shared);
        Connection::after_handshake(Link { shared, peer, remote, channel }).await
    }

    /// Waits for the next client whose handshake is done; `None` when the endpoint has stopped. May be cancelled: no client is
    /// lost by that.
    pub async fn accept(&self) -> Option<Connection> {
        loop {
            let mut news = pin!(self.shared.accepted.notified());
            news.as_mut().enable();
            let accepted = self.shared.with(|state, _| {
                let accepted = state.next_accepted();
                state.connections += usize::from(accepted.is_some());
                accepted.ok_or_else(|| state.check())
            });
            match accepted {
                Ok(Accepted { peer, remote, channel }) => {
                    let link = Link { shared: Keeper::connection(&self.shared), peer, remote, channel };
                    if let Ok(connection) = Connection::after_handshake(link).await {
                        return Some(connection);
                    }
                }
                Err(Err(_)) => return None,
                Err(Ok(())) => news.await,
            }
        }
    }

    /// Waits for the next question of a call-out of a configuration that answers later; `None` when the endpoint has stopped.
    /// Only for configurations with such call-outs.
    pub async fn next_request(&self) -> Option<(PeerId, RequestId, Box<Request>)> {
        loop {
            let mut news = pin!(self.shared.questions.notified());
            news.as_mut().enable();
            let question = self.shared.with(|state, _| state.next_question().ok_or_else(|| state.check()));
            match question {
                Ok(question) => return Some(question),
                Err(Err(_)) => return None,
                Err(Ok(())) => news.await,
            }
        }
    }

    /// Gives the answer to a [request](Self::next_request).
    ///
    /// # Errors
    /// [`ConnectionError::ClosedHere`] if there is no such peer (any more), [`ConnectionError::Misuse`] if no such request is
    /// open or the answer is of another kind; nothing is changed then.
    pub fn answer(&self, peer: PeerId, id: RequestId, answer: Answer) -> Result<(), ConnectionError> {
        Ok(self.shared.with(|state, now| state.endpoint.answer(now, peer, id, answer))?)
    }

    /// Closes all connections with close_notify, lets nobody begin a new one, and waits until all that is sent.
    pub async fn shutdown(&self) {
        self.shared.with(|state, now| state.stop(now));
        self.shared.tell_of_stop();
        loop {
            let mut stopped = pin!(self.shared.stopped.notified());
            stopped.as_mut().enable();
            if self.shared.look(State::has_ended) {
                return;
            }
            stopped.await;
        }
    }

    /// The address of the socket.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.shared.socket.local_addr()
    }

    /// How many associations there are, half-open ones too.
    pub fn peer_count(&self) -> usize {
        self.shared.look(|state| state.endpoint.peer_count())
    }

    /// The endpoint's own counters.
    pub fn stats(&self) -> ServerStats {
        self.shared.look(|state| {
            let mut stats = state.endpoint.stats();
            stats.send_failures = state.send_failures();
            stats
        })
    }
}

impl Clone for Endpoint {
    fn clone(&self) -> Self {
        Self { shared: Keeper::endpoint(&self.shared) }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("address", &self.local_addr().ok())
            .field("peers", &self.peer_count())
            .finish_non_exhaustive()
    }
}
