//! Godot's packet peers over UDP and DTLS, with Godot's names, statuses and rules: [`PacketPeerDtls`],
//! [`DtlsServer`], [`UdpServer`], [`PacketPeerUdp`].
//!
//! A game that used Godot's classes finds them here, talks to games that still do, and is told why when something
//! fails. Nothing blocks and nothing happens outside the `poll` methods, which are called once per frame.
//!
//! ```text
//!            socket                     one socket for all
//!              |                               |
//!        PacketPeerUdp                     UdpServer -----------> PacketPeerUdp (one per address)
//!              |                        sorts by sender                 |
//!              v                               |                        v
//!        PacketPeerDtls                    DtlsServer ----------> PacketPeerDtls (one per client)
//!        connect_to_peer            accept: asks for cookies
//!                                   from the receive buffer
//! ```
//!
//! * **A client**: [`PacketPeerUdp::connect_to_host`], then [`PacketPeerDtls::connect_to_peer`], then
//!   [`poll`](PacketPeerDtls::poll) until [`Status::Connected`].
//! * **A server**: [`UdpServer::listen`] and [`DtlsServer::setup`], then [`DtlsServer::accept`] every frame.
//! * **Failures**: [`PacketPeerDtls::error`] gives this module's [`Error`], not the protocol's at the root of the crate.
//! * **Packets**: the trait [`PacketPeer`]; Godot's values (`put_var`, `get_var`) in feature `variant`.
//!
//! # Differences from Godot
//!
//! Where Godot's behaviour is a trap, this one differs:
//!
//! | what | Godot | here |
//! | --- | --- | --- |
//! | the certificate is for another name | [`Status::Error`]; `ErrorHostnameMismatch` means that nothing listens | [`Status::ErrorHostnameMismatch`]; everything else is [`Status::Error`] |
//! | nothing listens at the port | `connect_to_peer` fails and leaves `ErrorHostnameMismatch` | `connect_to_peer` is `Ok`; a later [`poll`](PacketPeerDtls::poll) gives [`Status::Error`] with [`Error::NothingListens`] |
//! | why it failed | a number on standard output | [`PacketPeerDtls::error`], in words and as Godot's number |
//! | `validate_certs` with an empty `for_hostname`, or with nothing to trust | fails later, always | refused at once by [`connect_to_peer`](PacketPeerDtls::connect_to_peer), which gives the UDP peer back |
//! | a certificate without subjectAltName, as Godot makes them | its common name counts | the same, if exactly that certificate is in `valid_certificate`; no authority can vouch for a common name |
//! | IP addresses in certificates | ignored | verified: `for_hostname` may be an address |
//! | trusting exactly the server's own certificate | only if it is self-signed | any certificate in `valid_certificate` |
//! | `chain` of [`DtlsServer::setup`] | ignored | sent |
//! | key and certificate that do not belong together | accepted, and every handshake fails | refused by `setup` |
//! | a null key or certificate in `setup` | accepted, and every handshake fails | [`Error::Incomplete`] |
//! | loading a key or certificate while a server uses it | refused with 22 | done: the server keeps the one that it was set up with |
//! | `get_packet` when no packet waits | reads the socket itself | reads what the last [`poll`](PacketPeerDtls::poll) brought |
//! | packets that wait | one | a queue of 65,536 bytes, where each packet costs 24 more than it has; when it is full the newest is dropped and [counted](PacketPeerDtls::dropped_packet_count) |
//! | the other side's goodbye behind an unread packet | not seen | seen by [`poll`](PacketPeerDtls::poll); the packets stay readable |
//! | `put_packet` of more than 16,384 bytes | disconnects | [`PacketError::TooLarge`], with Godot's number 27, and nothing has changed |
//! | packets longer than a path carries that is known to be narrow | left to IP to fragment | [`PacketError::TooLarge`], unless [`Settings::ip_fragmentation`](crate::Settings::ip_fragmentation) is set |
//! | `put_packet` while the socket's queue is full | says OK, and loses this or the next packet | [`PacketError::Busy`] |
//! | packets for which the system's socket buffer was full | not seen | counted by `dropped_packet_count` where the system tells them (Linux, Android) |
//! | one forged record | kills a handshake; one that is cut short kills a connection too | is dropped |
//! | a handshake that gets no answer | fails after 123 s | fails after 30 s, or [what is set](PacketPeerDtls::set_handshake_deadline) |
//! | a peer that vanished | stays connected for ever | fails after 120 s of silence, or [what is set](PacketPeerDtls::set_idle_timeout); in a full table [earlier](UdpServer::set_displaced_after) |
//! | an ICMP message that nothing listens there | ends a connection too | ends a handshake to which nothing has answered ([`Error::NothingListens`]); later it is ignored, since anybody can forge it |
//! | a client that connects anew from the same port | the old peer fails, the new one needs a second more | both go on side by side; the old one fails with [`Error::Replaced`] when the new one is connected |
//! | strangers' hellos | take one of 16 places, and every second object of `take_connection` is spent on the cookie | the same with [`take_connection`](DtlsServer::take_connection); with [`accept`](DtlsServer::accept) they cost no memory, and every peer is a client |
//! | lowering or raising `max_pending_connections` | deletes pending peers | leaves them |
//! | a UDP peer in use | shared by reference | moved in; [`ConnectError::into_packet_peer`] and [`take_packet_peer`](PacketPeerDtls::take_packet_peer) give it back |
//! | loading a certificate twice | appends | replaces |
//! | fragmentation of handshakes | only after two losses | always to the MTU, 1,200 bytes unless [set](PacketPeerDtls::set_mtu) |
//! | Curve25519, client certificates, protocols (ALPN) | not in 3.x | [`PacketPeerDtls::connect_with`], [`DtlsServer::setup_with`] |
//!
//! Both generations of Godot's names exist where they differ: `bind` and `listen`, `is_bound` and `is_listening`,
//! `is_socket_connected` and `is_connected_to_host`.
//!
//! The same as in Godot: an empty `put_packet` is `Ok` and sends nothing; `disconnect_from_peer` sends one
//! goodbye and waits for nothing; one record per packet, one datagram per record.

mod address;
mod connect;
mod dtls;
mod dtls_server;
mod error;
mod exchange;
mod lan;
mod link;
mod peer;
mod status;
mod udp;
mod udp_server;

pub use connect::ConnectError;
pub use dtls::PacketPeerDtls;
pub use dtls_server::DtlsServer;
pub use error::{Error, PacketError};
pub use peer::PacketPeer;
pub use status::Status;
pub use udp::PacketPeerUdp;
pub use udp_server::UdpServer;
