//! Handshakes of DTLS 1.2 in which one datagram is lost, or the next one overtakes it: each in turn, in both directions. All
//! must complete, whatever the timers of the other program are.
//!
//! It must not know how a program is driven.

use super::conversation::Conversation;
use super::matrix::Pair;
use super::pki::Pki;
use super::relay::Fault;
use super::side::{KeyKind, Side};
use super::table::{Cell, Table};
use crate::link::Direction;

impl Pair {
    /// One cell for each loss, and each pair of neighbours that is swapped.
    pub fn single_faults(self, pki: &Pki) -> Table {
        let title = self.title("a datagram of the handshake is lost, or overtaken by the next");
        let cells = match self.meet(pki, None) {
            Ok(datagrams) => faults(datagrams)
                .into_iter()
                .map(|fault| {
                    let (row, column) = match fault {
                        Fault::Lose(direction, index) => (format!("{direction:?} {index}"), "lost"),
                        Fault::Swap(direction, index) => (format!("{direction:?} {index}"), "swapped"),
                    };
                    Cell::new(row, column, move || self.meet(pki, Some(fault)).map(drop))
                })
                .collect(),
            Err(error) => vec![Cell::new("without a fault", "", move || Err(error))],
        };
        Table::fill_at_once(title, cells)
    }

    fn meet(self, pki: &Pki, fault: Option<Fault>) -> Result<[usize; 2], String> {
        let server = Side { identity: Some(pki.server(KeyKind::P256)), ..Side::default() };
        let client = Side { trust: Some(&pki.root), name: Some("localhost"), ..Side::default() };
        let (server, client) = ((self.server, server), (self.client, client));
        Conversation { server, client, packets: 1, longest: 100 }.run_through(fault)
    }
}

/// Every fault of a handshake with so many datagrams in each direction. The last one of a direction has none that could
/// overtake it.
pub fn faults(datagrams: [usize; 2]) -> Vec<Fault> {
    let each = |direction: Direction| {
        let count = datagrams[direction as usize];
        let lost = (0..count).map(move |index| Fault::Lose(direction, index));
        lost.chain((1..count).map(move |index| Fault::Swap(direction, index - 1)))
    };
    Direction::BOTH.into_iter().flat_map(each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_datagram_is_lost_and_each_pair_swapped() {
        let faults = faults([2, 1]);
        let (up, down) = (Direction::ToServer, Direction::ToClient);
        assert_eq!(
            faults,
            [Fault::Lose(up, 0), Fault::Lose(up, 1), Fault::Swap(up, 0), Fault::Lose(down, 0)]
        );
    }
}
