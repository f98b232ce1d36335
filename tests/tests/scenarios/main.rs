//! Two of our own ends over the simulated network: what goes well, what goes wrong, and how it ends.

mod callouts;
mod certificate_cases;
mod comes_again;
mod curves;
mod fingerprints;
mod half_rtt;
mod idle;
mod key_updates_under_loss;
mod keys_of_alerts;
mod limits;
mod limits_13;
mod loss;
mod lost_acks_13;
mod negotiation;
mod negotiation_13;
mod observation;
mod padding;
mod path_size;
mod post_handshake;
mod rules;
mod second_cookie;
mod timers;
mod unusual;
mod without_cookie;
