//! Which handshake messages may come, as data: their types, their order and how long each may be. Owns the rule that decides
//! about a fragment before anything of it is stored; knows neither states nor bytes.

use super::limits::Bound;
use crate::message::registry::HandshakeType;

/// A message that may come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Expected {
    msg_type: HandshakeType,
    bound: Bound,
    /// Whether the peer may leave it out.
    is_optional: bool,
}

impl Expected {
    /// A message that comes in its place.
    pub(crate) const fn always(msg_type: HandshakeType, bound: Bound) -> Self {
        Self { msg_type, bound, is_optional: false }
    }

    /// A message that the peer may leave out.
    pub(crate) const fn maybe(msg_type: HandshakeType, bound: Bound) -> Self {
        Self { msg_type, bound, is_optional: true }
    }
}

/// What a state expects from the peer, from the next message on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Expectation {
    /// These, in this order.
    InOrder {
        messages: &'static [Expected],
        /// How many numbers before the first of them may stay unused: those of stateless answers.
        skipped: u16,
    },
    /// Any of these, in any number and order.
    AnyOf(&'static [Expected]),
}

impl Expectation {
    /// Nothing: the peer waits for us.
    pub(crate) const NOTHING: Self = Self::InOrder { messages: &[], skipped: 0 };

    /// A flight from the first message of this type on.
    pub(crate) fn from(flight: &'static [Expected], msg_type: HandshakeType) -> Self {
        let first = flight.iter().position(|expected| expected.msg_type == msg_type);
        let messages = first.and_then(|first| flight.get(first..)).unwrap_or_default();
        Self::InOrder { messages, skipped: 0 }
    }

    /// What bounds a message of this type, so many messages after the next one; `None` if it cannot come there.
    pub(crate) fn bound_of(self, msg_type: HandshakeType, distance: u32) -> Option<Bound> {
        self.at(distance).find(|expected| expected.msg_type == msg_type).map(|expected| expected.bound)
    }

    /// The bounds of the messages that may come next.
    pub(crate) fn next_bounds(self) -> impl Iterator<Item = Bound> {
        self.at(0).map(|expected| expected.bound)
    }

    /// The messages that may come so many places after the next one: those before them that cannot be left out take up no
    /// more places, and those that can no fewer.
    fn at(self, distance: u32) -> impl Iterator<Item = &'static Expected> {
        let (messages, skipped, in_order) = match self {
            Self::InOrder { messages, skipped } => (messages, u32::from(skipped), true),
            Self::AnyOf(messages) => (messages, 0, false),
        };
        let mut certain = 0_u32;
        (skipped..).zip(messages).filter_map(move |(most, expected)| {
            let fewest = certain;
            certain = certain.saturating_add(u32::from(!expected.is_optional));
            (!in_order || (fewest..=most).contains(&distance)).then_some(expected)
        })
    }

    /// The name of the first message, for errors.
    pub(crate) fn name(self) -> &'static str {
        let (Self::InOrder { messages, .. } | Self::AnyOf(messages)) = self;
        match self {
            Self::AnyOf(_) => "application data",
            Self::InOrder { .. } => {
                let first = messages.iter().find(|expected| !expected.is_optional);
                first.and_then(|expected| expected.msg_type.name()).unwrap_or("our next flight")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use HandshakeType as T;

    const FLIGHT: [Expected; 4] = [
        Expected::always(T::CERTIFICATE, Bound::Certificate),
        Expected::always(T::SERVER_KEY_EXCHANGE, Bound::Other),
        Expected::maybe(T::CERTIFICATE_REQUEST, Bound::CertificateRequest),
        Expected::always(T::SERVER_HELLO_DONE, Bound::Fixed(0)),
    ];

    fn distances(expectation: Expectation, msg_type: T) -> Vec<u32> {
        (0..10).filter(|distance| expectation.bound_of(msg_type, *distance).is_some()).collect()
    }

    #[test]
    fn a_message_has_the_places_that_optional_ones_leave_it() {
        let flight = Expectation::InOrder { messages: &FLIGHT, skipped: 0 };
        assert_eq!(distances(flight, T::CERTIFICATE), [0]);
        assert_eq!(distances(flight, T::SERVER_KEY_EXCHANGE), [1]);
        assert_eq!(distances(flight, T::CERTIFICATE_REQUEST), [2]);
        assert_eq!(distances(flight, T::SERVER_HELLO_DONE), [2, 3]);
        assert_eq!(distances(flight, T::FINISHED), [0_u32; 0]);
        assert_eq!(flight.bound_of(T::CERTIFICATE_REQUEST, 2), Some(Bound::CertificateRequest));

        let rest = Expectation::from(&FLIGHT, T::CERTIFICATE_REQUEST);
        assert_eq!(distances(rest, T::SERVER_HELLO_DONE), [0, 1]);
        assert_eq!(rest.next_bounds().count(), 2);
        assert_eq!(rest.name(), "ServerHelloDone");
    }

    #[test]
    fn stateless_answers_move_every_message() {
        let flight = Expectation::InOrder { messages: &FLIGHT, skipped: 2 };
        assert_eq!(distances(flight, T::CERTIFICATE), [0, 1, 2]);
        assert_eq!(distances(flight, T::SERVER_HELLO_DONE), [2, 3, 4, 5]);
    }

    #[test]
    fn any_of_them_may_be_anywhere() {
        let any = Expectation::AnyOf(&FLIGHT);
        assert_eq!(distances(any, T::SERVER_HELLO_DONE).len(), 10);
        assert_eq!(distances(any, T::FINISHED), [0_u32; 0]);
        assert_eq!(distances(Expectation::NOTHING, T::FINISHED), [0_u32; 0]);
        assert_eq!(Expectation::from(&FLIGHT, T::FINISHED).next_bounds().count(), 0);
    }
}
