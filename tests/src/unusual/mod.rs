//! A second peer of the tests, honest but unusual: it does all that the RFCs ask for, and whatever else they allow. Where the
//! rogue shows what must be refused, this one shows what must be borne: half-RTT data, early tickets, several flights at once,
//! every packing, order and numbering of records, extensions that nobody knows, ACKs early, late or only where they are due,
//! timers short and long, one record per read.
//!
//! Its cryptography is the rogue's; its order of messages is its own, not that of the state machine under test.

mod extensions;
mod habits;
mod meeting;
mod outbox;
mod peer;

pub use habits::{AckHabit, CookieHabit, Habits, Packing};
pub use meeting::{Ending, Meeting};
pub use peer::Unusual;
