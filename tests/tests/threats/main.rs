//! What befell other stacks, tried on this one by a rogue peer. The numbers are those of the threats that each test names.

mod acks;
mod alerts;
mod certificates;
mod flights;
mod honest;
mod identity_12;
mod identity_13;
mod limits;
mod messages;
mod negotiation_12;
mod negotiation_13;
mod packet_peer;
mod records;
mod records_12;
mod records_13;
mod states;
mod states_13;
mod strangers;
mod strangers_13;
