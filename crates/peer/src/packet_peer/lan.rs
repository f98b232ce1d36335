//! What `PacketPeerUdp` has for finding others on a local network: broadcast, multicast, and waiting. It knows nothing of
//! DTLS.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use super::error::Error;
use super::udp::PacketPeerUdp;

impl PacketPeerUdp {
    /// Allows packets to broadcast addresses, as 255.255.255.255 (IPv4 only). Off by default. It can be set before there is
    /// a socket.
    ///
    /// ```
    /// use std::{thread::sleep, time::Duration};
    /// use drystone::{PacketPeer, PacketPeerUdp};
    ///
    /// // A game that is open to others listens, and answers who asks.
    /// let mut open = PacketPeerUdp::new();
    /// open.bind(0, "0.0.0.0")?;
    ///
    /// // Who looks for games asks everybody. (This network ends at the machine: else it is 255.255.255.255.)
    /// let mut seeker = PacketPeerUdp::new();
    /// seeker.set_broadcast_enabled(true)?;
    /// seeker.set_dest_address("127.255.255.255", open.get_local_port())?;
    /// seeker.put_packet(b"who is there?")?;
    ///
    /// # #[cfg(target_os = "linux")] {
    /// open.wait()?;
    /// assert_eq!(open.get_packet()?, b"who is there?");
    /// open.set_dest_address(&open.get_packet_ip().unwrap().to_string(), open.get_packet_port())?;
    /// open.put_packet(b"a game of tag")?;
    ///
    /// seeker.wait()?;
    /// assert_eq!(seeker.get_packet()?, b"a game of tag");
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Locked`] if the peer is a server's, [`Error::Socket`] if the operating system refuses.
    pub fn set_broadcast_enabled(&mut self, enabled: bool) -> Result<(), Error> {
        self.broadcast(enabled)
    }

    /// Receives from now on what is sent to a multicast group, on the interface of this name (`"eth0"`; empty: the one that
    /// the operating system chooses). [`bind`](Self::bind) to the group's port comes first.
    ///
    /// # Errors
    /// [`Error::Locked`] if the peer is a server's, [`Error::Unconfigured`] before `bind`,
    /// [`Error::CantResolve`] if the address is none of a multicast group or there is no such interface, [`Error::Socket`]
    /// if the operating system refuses.
    pub fn join_multicast_group(
        &mut self,
        multicast_address: &str,
        interface_name: &str,
    ) -> Result<(), Error> {
        let (group, interface) = (group(multicast_address)?, interface_index(interface_name)?);
        Ok(self.own_socket()?.join_multicast(group, interface)?)
    }

    /// Leaves a multicast group again: with the same interface's name as when it joined.
    ///
    /// # Errors
    /// As for [`join_multicast_group`](Self::join_multicast_group).
    pub fn leave_multicast_group(
        &mut self,
        multicast_address: &str,
        interface_name: &str,
    ) -> Result<(), Error> {
        let (group, interface) = (group(multicast_address)?, interface_index(interface_name)?);
        Ok(self.own_socket()?.leave_multicast(group, interface)?)
    }

    /// Godot 3's name of [`is_bound`](Self::is_bound).
    pub fn is_listening(&self) -> bool {
        self.is_bound()
    }

    /// Godot 3's name of [`is_socket_connected`](Self::is_socket_connected).
    pub fn is_connected_to_host(&self) -> bool {
        self.is_socket_connected()
    }
}

fn group(address: &str) -> Result<IpAddr, Error> {
    let group = address.parse::<IpAddr>().ok().filter(IpAddr::is_multicast);
    group.ok_or_else(|| Error::CantResolve {
        host: address.to_owned(),
        reason: "it is not the address of a multicast group".to_owned(),
    })
}

/// The number of an interface, 0 for no particular one. The resolver knows it: as the zone of a link-local address (RFC 4007
/// section 11).
fn interface_index(name: &str) -> Result<u32, Error> {
    if name.is_empty() {
        return Ok(0);
    }
    let unknown =
        || Error::CantResolve { host: name.to_owned(), reason: "there is no such interface".to_owned() };
    let mut addresses = (format!("fe80::1%{name}").as_str(), 0).to_socket_addrs().map_err(|_| unknown())?;
    match addresses.next() {
        Some(SocketAddr::V6(address)) if address.scope_id() != 0 => Ok(address.scope_id()),
        _ => Err(unknown()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PacketPeer;

    #[test]
    fn groups_and_interfaces_are_checked() {
        let mut peer = PacketPeerUdp::new();
        assert_eq!(peer.join_multicast_group("239.255.0.1", "").unwrap_err().godot_code(), 3);
        peer.bind(0, "0.0.0.0").unwrap();
        assert!(peer.is_listening() && !peer.is_connected_to_host());
        for (address, interface) in [("10.0.0.1", ""), ("nonsense", ""), ("239.255.0.1", "no such interface")]
        {
            assert_eq!(peer.join_multicast_group(address, interface).unwrap_err().godot_code(), 26);
        }
    }

    #[test]
    fn without_a_socket_there_is_nothing_to_wait_for() {
        assert_eq!(PacketPeerUdp::new().wait().unwrap_err().godot_code(), 3);
    }

    /// The loopback interface carries the packets of a group that one of its sockets has joined.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_group_is_joined_and_left() {
        let (mut member, mut sender) = (PacketPeerUdp::new(), PacketPeerUdp::new());
        member.bind(0, "0.0.0.0").unwrap();
        if member.join_multicast_group("239.255.77.1", "lo").is_err() {
            eprintln!("skipped: no multicast on this machine");
            return;
        }
        sender.bind(0, "127.0.0.1").unwrap();
        sender.set_dest_address("239.255.77.1", member.get_local_port()).unwrap();
        if sender.put_packet(b"hello, group").is_err() {
            eprintln!("skipped: no route to multicast groups on this machine");
            return;
        }
        member.wait().unwrap();
        assert_eq!(member.get_packet().unwrap(), b"hello, group");
        member.leave_multicast_group("239.255.77.1", "lo").unwrap();
        assert!(member.leave_multicast_group("239.255.77.1", "lo").is_err());
    }
}
