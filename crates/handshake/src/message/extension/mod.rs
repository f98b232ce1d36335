//! Extensions: which may stand where, what each carries, and one struct per message's block.
//!
//! * `table.rs` says which message may carry which extension; * `payload.rs` has the contents;
//! * `set.rs` has sets of types, to hold answers against what was asked;
//! * `declare.rs` has the macro that turns a list of fields into a block; `blocks.rs` has the lists;
//! * here is what all blocks share: the walk over the wire, duplicates, and the extensions that nobody knows.

mod blocks;
mod declare;
mod others;
mod payload;
mod set;
mod table;

pub(super) use blocks::COOKIE;
pub use blocks::{
    CertificateEntryExtensions, CertificateRequestExtensions, ClientExtensions, EncryptedExtensions,
    HelloRetryExtensions, NewSessionTicketExtensions, ServerHelloExtensions,
};
pub(super) use declare::{Block, TrailingBlock};
pub use others::{Others, OthersIter, RawExtension};
pub use payload::{
    CertificateStatusRequest, Empty, KeyShareEntry, OfferedPsks, ProtocolName, PskBinder, PskIdentity,
    RecordSizeLimit, ServerName, ServerNameList, UseSrtp, UseSrtpAnswer,
};
pub(crate) use set::ExtensionSet;
