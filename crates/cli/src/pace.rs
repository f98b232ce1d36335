//! After which of the packets that are sent the keys are renewed (`--key-update-after`).

/// Counts the packets of one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    every: Option<u64>,
    sent: u64,
}

impl Pace {
    pub(crate) const fn new(every: Option<u64>) -> Self {
        Self { every, sent: 0 }
    }

    /// Counts a packet, and says whether the keys are to be renewed now.
    pub(crate) const fn sent_one(&mut self) -> bool {
        let Some(every) = self.every else { return false };
        self.sent += 1;
        let due = self.sent >= every;
        if due {
            self.sent = 0;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_that_so_many_were_sent() {
        let due = |every| {
            let mut pace = Pace::new(every);
            (1..=7).filter(|_| pace.sent_one()).collect::<Vec<_>>()
        };
        assert_eq!(due(Some(3)), [3, 6]);
        assert_eq!(due(Some(1)), [1, 2, 3, 4, 5, 6, 7]);
        assert!(due(Some(8)).is_empty());
        assert!(due(None).is_empty());
    }
}
