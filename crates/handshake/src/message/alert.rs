//! Alerts (RFC 9846 section 6): the content of an alert record.

use super::registry::{AlertDescription, AlertLevel};
use crate::codec::Plain;
use crate::codec::structs::message;

message! {
    "Alert";
    /// What went wrong, or that nothing more follows.
    pub struct Alert {
        /// Tells warnings from fatal alerts in 1.2; in 1.3 the description alone decides.
        level: AlertLevel = Plain,
        /// The reason.
        description: AlertDescription = Plain,
    }
}
