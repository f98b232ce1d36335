//! The trait that Godot's packet peers have in common. It knows nothing of sockets or of DTLS.

use super::error::PacketError;

/// Something that sends and receives packets, such as a UDP peer or a DTLS peer.
///
/// Packets are whole or lost, and may come in another order than they were sent.
///
/// ```
/// use drystone::{PacketError, PacketPeer};
///
/// /// Sends back whatever comes, for any kind of peer.
/// fn echo(peer: &mut impl PacketPeer) -> Result<(), PacketError> {
///     loop {
///         let packet = match peer.get_packet() {
///             Ok(packet) => packet.to_vec(),
///             Err(PacketError::Empty) => return Ok(()),
///             Err(error) => return Err(error),
///         };
///         peer.put_packet(&packet)?;
///     }
/// }
/// ```
pub trait PacketPeer {
    /// How many packets wait to be read. A UDP peer looks at its socket for that; a DTLS peer tells what
    /// its last `poll` brought.
    fn get_available_packet_count(&mut self) -> usize;

    /// The oldest packet that waits, where it lies; it stays readable until the next call.
    ///
    /// # Errors
    /// [`PacketError::Empty`] if none waits, which is no fault; [`PacketError::NotConnected`] or
    /// [`PacketError::Closed`] if none can come any more.
    fn get_packet(&mut self) -> Result<&[u8], PacketError>;

    /// Sends a packet. An empty one is `Ok` and sends nothing, as in Godot.
    ///
    /// # Errors
    /// [`PacketError::NotConnected`]; [`PacketError::TooLarge`], after which nothing has changed;
    /// [`PacketError::Busy`] or [`PacketError::Socket`] if the operating system does not take it: then the packet is
    /// lost and the connection is none the worse for it.
    fn put_packet(&mut self, packet: &[u8]) -> Result<(), PacketError>;

    /// What the last [`get_packet`](Self::get_packet) failed with; none if it gave a packet.
    fn get_packet_error(&self) -> Option<PacketError>;

    /// The most bytes that one packet may have.
    fn get_max_packet_size(&self) -> usize;

    /// The most bytes of a packet that travels without being cut into IP fragments, as far as the MTU is known.
    /// Larger ones are often lost on the way.
    fn max_unfragmented_packet_size(&self) -> usize;
}
