//! Shows what passes outside of application data (`--msg`).

use drystone::{Direction, Observed, Observer};

use crate::report::Report;
use crate::reporter::Reporter;

/// Bytes of a handshake message before its body (RFC 6347 section 4.2.2).
const HANDSHAKE_HEADER: usize = 12;

/// Reports each handshake message, alert, ChangeCipherSpec and ACK.
#[derive(Debug)]
pub(crate) struct Watch {
    reporter: Reporter,
}

impl Watch {
    pub(crate) const fn new(reporter: Reporter) -> Self {
        Self { reporter }
    }
}

impl Observer for Watch {
    fn observe(&self, direction: Direction, item: Observed<'_>) {
        let direction = match direction {
            Direction::Received => "received",
            Direction::Sent => "sent",
        };
        let is_retry = item.is_hello_retry_request();
        let report = match item {
            Observed::Handshake { msg_type, message_seq, body } => Report::Message {
                direction,
                message: if is_retry { "HelloRetryRequest".to_owned() } else { msg_type.to_string() },
                size: HANDSHAKE_HEADER + body.len(),
                message_seq: Some(message_seq),
                level: None,
                epoch: None,
            },
            Observed::ChangeCipherSpec => Report::Message {
                direction,
                message: "ChangeCipherSpec".to_owned(),
                size: 1,
                message_seq: None,
                level: None,
                epoch: None,
            },
            Observed::Alert { level, description, epoch } => Report::Message {
                direction,
                message: format!("Alert {description}"),
                size: 2,
                message_seq: None,
                level: Some(level),
                epoch: Some(epoch),
            },
            Observed::Ack { epoch, body } => Report::Message {
                direction,
                message: "ACK".to_owned(),
                size: body.len(),
                message_seq: None,
                level: None,
                epoch: Some(epoch),
            },
            // Later kinds are none of those that the option promises.
            _ => return,
        };
        self.reporter.report(&report);
    }
}
