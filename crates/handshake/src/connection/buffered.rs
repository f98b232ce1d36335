//! What an association buffers of its peer's handshake: how much it is, and how an owner of many bounds it for all together.

use super::{Connection, Phase};

impl Connection {
    /// Bytes of heap in which parts of the peer's handshake messages wait for the rest. Never more than what
    /// [`Limits`](crate::Limits) says for the side and the phase; 0 where every message came whole and in order.
    ///
    /// For servers that bound what all their half-open associations buffer together: the sum of this over them, kept as it
    /// changes with each [`receive`](Self::receive), and what is left of the bound granted by
    /// [`limit_buffered_bytes`](Self::limit_buffered_bytes) before.
    pub fn buffered_bytes(&self) -> usize {
        match &self.phase {
            Phase::Handshaking(handshaking) => handshaking.buffered_bytes(),
            Phase::Connected(established) => {
                let post = established.post_handshake.as_ref();
                post.map_or(0, |post| post.incoming.held_bytes())
            }
            Phase::Draining { .. } | Phase::Closed(_) | Phase::Failed(..) => 0,
        }
    }

    /// Buffers at most this many bytes from now on, if that is less than [`Limits`](crate::Limits) allow; until it is
    /// called again, or the handshake is done. What is buffered already stays, and messages that come whole and in order need nothing: an honest
    /// handshake only becomes slower.
    pub fn limit_buffered_bytes(&mut self, bytes: usize) {
        if let Phase::Handshaking(handshaking) = &mut self.phase {
            handshaking.io.flights.incoming.grant(bytes);
        }
    }
}
