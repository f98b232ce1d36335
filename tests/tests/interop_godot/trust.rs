//! Whom the client believes: right and wrong names, authorities and dates.

use crate::duo::{Duo, Opening, Way};
use crate::ours::Trust;
use crate::packets::still_works;
use crate::scene::{NAME, Stage};
use drystone::Status;
use drystone::packet_peer::Error::NoHostname;
use drystone_tests::interop::{Cell, Identity, KeyKind};

/// A certificate that the client must not believe.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal<'a> {
    pub(crate) row: &'static str,
    pub(crate) identity: &'a Identity,
    pub(crate) trust: Trust<'a>,
    /// The status of our client; a Godot client has ERROR for everything.
    pub(crate) ours: Status,
    /// What the reason of our client says.
    pub(crate) reason: &'static str,
    /// The alert that Godot's client sends (our server's reason says it).
    pub(crate) alert: &'static str,
}

pub(crate) fn cells(stage: &Stage) -> Vec<Cell<'_>> {
    let mut cells = Vec::new();
    for way in Way::ALL {
        for refusal in refusals(stage) {
            cells.push(Cell::new(refusal.row, way.name(), move || refused(way, stage, refusal)));
        }
        cells.push(Cell::new("validated, no name", way.name(), move || nameless(way, stage)));
        for (row, identity, trust) in acceptances(stage) {
            let opening = Opening { trust, ..Opening::new(stage, identity) };
            cells.push(Cell::new(row, way.name(), move || accepted(way, stage, opening)));
        }
    }
    cells
}

fn refusals(stage: &Stage) -> [Refusal<'_>; 4] {
    let pki = &stage.pki;
    let right = Refusal {
        row: "",
        identity: pki.server(KeyKind::P256),
        trust: Trust { validate: true, name: NAME, anchors: Some(&pki.root) },
        ours: Status::Error,
        reason: "",
        alert: "unknown_ca",
    };
    [
        Refusal {
            row: "wrong name",
            trust: Trust { name: "other.example", ..right.trust },
            ours: Status::ErrorHostnameMismatch,
            reason: "other.example",
            alert: "bad_certificate",
            ..right
        },
        Refusal {
            row: "wrong authority",
            trust: Trust { anchors: Some(&pki.other_root), ..right.trust },
            reason: "is not known",
            ..right
        },
        Refusal {
            row: "expired",
            identity: &pki.expired,
            reason: "expired",
            alert: "certificate_expired",
            ..right
        },
        Refusal {
            row: "self-signed, not trusted",
            identity: &pki.self_signed,
            reason: "is not known",
            ..right
        },
    ]
}

fn acceptances(stage: &Stage) -> [(&'static str, &Identity, Trust<'_>); 3] {
    let pki = &stage.pki;
    let trust = Trust { validate: true, name: NAME, anchors: Some(&pki.self_signed.chain) };
    let nobody = Trust { validate: false, name: "other.example", anchors: None };
    [
        ("self-signed, its own anchor", &pki.self_signed, trust),
        ("not validated", &pki.expired, nobody),
        ("not validated, no name", &pki.self_signed, Trust { name: "", ..nobody }),
    ]
}

pub(crate) fn refused(way: Way, stage: &Stage, refusal: Refusal<'_>) -> Result<(), String> {
    let opening = Opening { trust: refusal.trust, ..Opening::new(stage, refusal.identity) };
    let mut duo = Duo::open(way, stage, opening)?;
    duo.until("the refusal", |duo| {
        duo.ours().peer.get_status().is_error() && duo.far().statuses.last() == Some(&3)
    })?;
    let (ours, reason) = match way {
        Way::Come(_) => (Status::Error, refusal.alert),
        Way::Go => (refusal.ours, refusal.reason),
    };
    duo.expect_statuses(&[ours], &[3])?;
    if !duo.ours().reason().contains(reason) {
        return Err(format!("{:?} does not say {reason:?}", duo.ours().reason()));
    }
    Ok(())
}

/// Godot compares the certificate with the empty name, which it never has. Ours says what is missing.
fn nameless(way: Way, stage: &Stage) -> Result<(), String> {
    let trust = Trust { validate: true, name: "", anchors: Some(&stage.pki.root) };
    let opening = Opening { trust, ..Opening::new(stage, stage.pki.server(KeyKind::P256)) };
    match (way, Duo::open(way, stage, opening)) {
        (Way::Come(_), Ok(mut duo)) => {
            duo.until("the refusal", |duo| {
                duo.ours().statuses.last() == Some(&Status::Error) && duo.far().statuses.last() == Some(&3)
            })?;
            duo.expect_statuses(&[Status::Error], &[3])
        }
        (Way::Go, Err(error)) if error == NoHostname.to_string() => Ok(()),
        (_, other) => Err(format!("{:?}", other.map(|duo| duo.ours().statuses.clone()))),
    }
}

pub(crate) fn accepted(way: Way, stage: &Stage, opening: Opening<'_>) -> Result<(), String> {
    let mut duo = Duo::connected(way, stage, opening)?;
    still_works(&mut duo)?;
    duo.expect_statuses(&[Status::Connected], &[2])
}
