//! `put_var` and `get_var`, for everything that carries packets. It knows neither sockets nor the bytes of a value.

use thiserror::Error;

use super::{Variant, VariantError, VariantFormat, VariantLimits};
use crate::packet_peer::{PacketError, PacketPeer};

/// `put_var` and `get_var` of Godot, on every [`PacketPeer`]: one value, one packet.
///
/// ```
/// use drystone::variant::Vector2;
/// use drystone::{PacketError, PacketPeer, PacketPeerVariant, VarError, Variant, VariantFormat};
///
/// /// Tells the other side where we are, and returns where it says that it is.
/// fn exchange(peer: &mut impl PacketPeer, here: Vector2) -> Result<Option<Vector2>, VarError> {
///     peer.put_var(&here.into(), VariantFormat::Godot4)?;
///     match peer.get_var(VariantFormat::Godot4) {
///         Ok(Variant::Vector2(there)) => Ok(Some(there)),
///         // Something else, or nothing that Godot can have sent: whoever is there can send anything.
///         Ok(_) | Err(VarError::Value(_)) => Ok(None),
///         Err(VarError::Packet(PacketError::Empty)) => Ok(None),
///         Err(error) => Err(error),
///     }
/// }
/// ```
pub trait PacketPeerVariant: PacketPeer {
    /// Takes the oldest packet that waits and reads the value in it, within the default [`VariantLimits`]. What lies
    /// behind the value in the packet is ignored, as Godot does.
    ///
    /// # Errors
    /// - [`VarError::Packet`]: as [`get_packet`](PacketPeer::get_packet); [`PacketError::Empty`] if none waits.
    /// - [`VarError::Value`]: there is no such value in the packet, which is gone.
    fn get_var(&mut self, format: VariantFormat) -> Result<Variant, VarError> {
        let packet = self.get_packet()?;
        let (value, _) = Variant::decode(packet, format, VariantLimits::default())?;
        Ok(value)
    }

    /// Sends the value as one packet.
    ///
    /// # Errors
    /// Then nothing was sent.
    /// - [`VarError::Value`]: the value cannot be written, see [`Variant::encode`].
    /// - [`VarError::Packet`]: as [`put_packet`](PacketPeer::put_packet); [`PacketError::TooLarge`] if the value is
    ///   larger than a packet of this peer, after which nothing has changed.
    fn put_var(&mut self, value: &Variant, format: VariantFormat) -> Result<(), VarError> {
        let mut packet = Vec::new();
        value.encode(format, &mut packet, VariantLimits::default())?;
        self.put_packet(&packet)?;
        Ok(())
    }
}

impl<P: PacketPeer + ?Sized> PacketPeerVariant for P {}

/// Why a value was not sent or received.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VarError {
    /// The packet peer has no packet, or does not take one.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// The value cannot be written, or the packet holds none that can be read.
    #[error(transparent)]
    Value(#[from] VariantError),
}

impl VarError {
    /// The number in Godot's `Error` enum that comes nearest; 0 (`OK`) for [`PacketError::Empty`].
    pub const fn godot_code(&self) -> i32 {
        match self {
            Self::Packet(error) => error.godot_code(),
            Self::Value(error) => error.godot_code(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::PacketPeerUdp;

    const FORMAT: VariantFormat = VariantFormat::Godot3;

    /// Two UDP peers of which the first sends to the second.
    fn pair() -> (PacketPeerUdp, PacketPeerUdp) {
        let (mut from, mut to) = (PacketPeerUdp::new(), PacketPeerUdp::new());
        to.bind(0, "127.0.0.1").expect("a port");
        from.set_dest_address("127.0.0.1", to.get_local_port()).expect("an address");
        (from, to)
    }

    fn wait(peer: &mut dyn PacketPeer) {
        let deadline = Instant::now() + Duration::from_secs(5);
        while peer.get_available_packet_count() == 0 {
            assert!(Instant::now() < deadline, "no packet comes");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_value_is_a_packet() {
        let (mut from, mut to) = pair();
        let value = Variant::Array(vec!["score".into(), 7.into()]);
        from.put_var(&value, FORMAT).expect("sent");
        wait(&mut to);
        // As a trait object too.
        let to: &mut dyn PacketPeer = &mut to;
        assert_eq!(to.get_var(FORMAT), Ok(value));
        assert_eq!(to.get_var(FORMAT), Err(VarError::Packet(PacketError::Empty)));
    }

    #[test]
    fn packet_and_value_errors_are_told_apart() {
        let (mut from, mut to) = pair();
        from.put_packet(b"no value").expect("sent");
        wait(&mut to);
        let error = to.get_var(FORMAT).expect_err("no value");
        assert!(matches!(error, VarError::Value(VariantError::UnknownType(0x6e))), "{error:?}");
        assert_eq!((error.godot_code(), to.get_available_packet_count()), (30, 0));

        let large = Variant::from(vec![0_u8; from.get_max_packet_size() + 1]);
        let error = from.put_var(&large, FORMAT).expect_err("too large");
        assert!(matches!(error, VarError::Packet(PacketError::TooLarge { .. })), "{error:?}");
        let error = from.put_var(&"\0".into(), FORMAT).expect_err("no text for Godot");
        assert_eq!(error, VarError::Value(VariantError::Text));
        let error = PacketPeerUdp::new().put_var(&Variant::Nil, FORMAT).expect_err("no destination");
        assert_eq!(error, VarError::Packet(PacketError::NotConnected));

        from.put_var(&1.into(), FORMAT).expect("as before");
        wait(&mut to);
        assert_eq!(to.get_var(FORMAT), Ok(1.into()));
    }
}
