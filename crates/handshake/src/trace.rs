//! Diagnostic events for the crate `tracing`, with the feature of that name; without it these functions are empty. This is
//! the only file of the crate that knows `tracing`. Nothing here is called for application data.

#[cfg(not(feature = "tracing"))]
pub(crate) use disabled::{event, item, retransmission, verdict};
#[cfg(feature = "tracing")]
pub(crate) use enabled::{event, item, retransmission, verdict};

#[cfg(feature = "tracing")]
mod enabled {
    use tracing::{Level, debug, level_enabled, trace, warn};

    use crate::event::Event;
    use crate::observe::{Direction, Observed};
    use crate::server::gate::Verdict;

    /// The target of all events, whatever file they come from.
    const TARGET: &str = "drystone_handshake";

    /// Something passed outside of application data.
    pub(crate) fn item(direction: Direction, item: &Observed<'_>) {
        if !level_enabled!(Level::DEBUG) {
            return;
        }
        let direction = match direction {
            Direction::Received => "received",
            Direction::Sent => "sent",
        };
        match item {
            Observed::Handshake { message_seq, body, .. } if item.is_hello_retry_request() => {
                debug!(target: TARGET, message_seq, length = body.len(), "{direction} HelloRetryRequest");
            }
            Observed::Handshake { msg_type, message_seq, body } => {
                debug!(target: TARGET, message_seq, length = body.len(), "{direction} {msg_type}");
            }
            Observed::ChangeCipherSpec => debug!(target: TARGET, "{direction} ChangeCipherSpec"),
            Observed::Alert { level, description, epoch } => {
                debug!(target: TARGET, level, epoch, "{direction} alert {description}");
            }
            Observed::Ack { epoch, body } => {
                trace!(target: TARGET, epoch, length = body.len(), "{direction} ACK");
            }
        }
    }

    /// The association's owner takes an event.
    pub(crate) fn event(is_client: bool, event: &Event) {
        let side = if is_client { "client" } else { "server" };
        match event {
            Event::Connected(connected) => debug!(
                target: TARGET,
                side,
                version = %connected.version,
                cipher_suite = %connected.cipher_suite,
                group = %connected.group,
                "connected"
            ),
            Event::Request(..) => trace!(target: TARGET, side, "a call-out answers later"),
            Event::Closed(reason) => debug!(target: TARGET, side, "closed: {reason}"),
            Event::Failed(error) => debug!(target: TARGET, side, "failed: {error}"),
            Event::KeysNearLimit => warn!(target: TARGET, side, "the write key is nearly used up"),
            Event::MtuReduced { mtu, .. } => {
                debug!(target: TARGET, side, mtu, "the path carries less than the MTU");
            }
            Event::AssociationReplaced => {
                debug!(target: TARGET, side, "replaced by a newer association of the same address");
            }
            Event::TicketReceived(ticket) => {
                trace!(target: TARGET, side, lifetime = ticket.lifetime, "received a ticket");
            }
        }
    }

    /// A flight is sent again: the timer has expired, or the peer has sent its own again.
    pub(crate) fn retransmission() {
        debug!(target: TARGET, "retransmission of the last flight");
    }

    /// What the gate says to a datagram of an unknown sender.
    pub(crate) fn verdict(verdict: &Verdict) {
        match verdict {
            Verdict::Drop(reason) => {
                trace!(target: TARGET, ?reason, "dropped a datagram of an unknown sender");
            }
            Verdict::Hold => trace!(target: TARGET, "buffered a fragment of a ClientHello"),
            Verdict::Reply(length) => {
                trace!(target: TARGET, length, "answered a ClientHello without a good cookie");
            }
            Verdict::Refuse { error, .. } => trace!(target: TARGET, "refused a ClientHello: {error}"),
            Verdict::Accept(_) => trace!(target: TARGET, "accepted a ClientHello with a good cookie"),
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod disabled {
    use crate::event::Event;
    use crate::observe::{Direction, Observed};
    use crate::server::gate::Verdict;

    pub(crate) const fn item(_: Direction, _: &Observed<'_>) {}
    pub(crate) const fn event(_: bool, _: &Event) {}
    pub(crate) const fn retransmission() {}
    pub(crate) const fn verdict(_: &Verdict) {}
}
