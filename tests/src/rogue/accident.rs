//! What may happen to one message of a flight.

use super::Step;

/// Happens to the message of a place; the flight as it is then.
pub type Accident = fn(Vec<Step>, usize) -> Vec<Step>;

/// It changes places with the next, if there is one.
pub fn swap(mut steps: Vec<Step>, place: usize) -> Vec<Step> {
    let last = steps.len() - 1;
    steps.swap(place, (place + 1).min(last));
    steps
}

/// It comes twice.
pub fn double(mut steps: Vec<Step>, place: usize) -> Vec<Step> {
    steps.insert(place, steps[place]);
    steps
}

/// It does not come.
pub fn lose(mut steps: Vec<Step>, place: usize) -> Vec<Step> {
    steps.remove(place);
    steps
}
