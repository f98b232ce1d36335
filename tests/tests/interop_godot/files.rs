//! Keys and certificates that one side made and saved, loaded by the other.

use crate::duo::{Opening, Way};
use crate::ours::Trust;
use crate::scene::{Scene, Stage};
use crate::trust::{Refusal, accepted, refused};
use drystone::{Crypto, CryptoKey, KeyAlgorithm, SelfSigned, Status, X509Certificate};
use drystone_tests::interop::{Cell, Godot, Identity, Script};
use std::path::{Path, PathBuf};

/// What the certificates are good for: Godot writes it as the common name and nowhere else.
const GAME: &str = "play.example.org";

/// Certificates that signed themselves, each its own trust anchor.
#[derive(Debug)]
pub(crate) struct Files {
    godots: Identity,
    saved_again: Identity,
    ours: Identity,
}

impl Files {
    pub(crate) fn make(stage: &Stage) -> Result<Self, String> {
        let godots = by_godot(stage)?;
        let saved_again = save_again(&godots, &stage.folder)?;
        Ok(Self { godots, saved_again, ours: by_us(&stage.folder)? })
    }

    pub(crate) fn cells<'a>(&'a self, stage: &'a Stage) -> Vec<Cell<'a>> {
        let mut cells = Vec::new();
        for way in Way::ALL {
            for (row, identity) in [
                ("RSA, made by Godot", &self.godots),
                ("RSA, made by Godot, saved again by us", &self.saved_again),
                ("P-256, made by us", &self.ours),
            ] {
                let trust = Trust { validate: true, name: GAME, anchors: Some(&identity.chain) };
                let opening = Opening { trust, ..Opening::new(stage, identity) };
                cells.push(Cell::new(row, way.name(), move || accepted(way, stage, opening)));
            }
            let refusal = self.wrong_name();
            cells.push(Cell::new(refusal.row, way.name(), move || refused(way, stage, refusal)));
        }
        cells
    }

    fn wrong_name(&self) -> Refusal<'_> {
        Refusal {
            row: "RSA, made by Godot, for another name",
            identity: &self.godots,
            trust: Trust { validate: true, name: "other.example", anchors: Some(&self.godots.chain) },
            ours: Status::ErrorHostnameMismatch,
            reason: "other.example",
            alert: "bad_certificate",
        }
    }
}

fn by_godot(stage: &Stage) -> Result<Identity, String> {
    let identity = identity(&stage.folder, "godots");
    let (key, certificate) = (identity.key.display().to_string(), identity.chain.display().to_string());
    let mut godot = Godot::start(Script::Client, &stage.folder)?;
    godot.order(&["generate", &key, &certificate, GAME])?;
    let mut scene = Scene { godots: vec![godot], ..Scene::default() };
    scene.until_at_last("a key", |scene| scene.godots[0].generated.is_some())?;
    match scene.godots[0].generated {
        Some(0) => Ok(identity),
        other => Err(format!("Godot cannot save a key: {other:?}")),
    }
}

fn save_again(godots: &Identity, folder: &Path) -> Result<Identity, String> {
    let (mut key, mut certificate) = (CryptoKey::new(), X509Certificate::new());
    key.load(&godots.key, false).map_err(|error| error.to_string())?;
    certificate.load(&godots.chain).map_err(|error| error.to_string())?;
    save(&key, &certificate, identity(folder, "godots-again"))
}

fn by_us(folder: &Path) -> Result<Identity, String> {
    let crypto = Crypto::new();
    let key = crypto.generate_key(KeyAlgorithm::EcP256).map_err(|error| error.to_string())?;
    let wanted = SelfSigned { subject_alt_names: vec![GAME.to_owned()], ..SelfSigned::default() };
    let certificate = crypto.generate_self_signed_certificate(&key, &wanted);
    save(&key, &certificate.map_err(|error| error.to_string())?, identity(folder, "ours"))
}

fn save(key: &CryptoKey, certificate: &X509Certificate, identity: Identity) -> Result<Identity, String> {
    key.save(&identity.key, false).map_err(|error| error.to_string())?;
    certificate.save(&identity.chain).map_err(|error| error.to_string())?;
    Ok(identity)
}

fn identity(folder: &Path, name: &str) -> Identity {
    let file = |kind: &str| -> PathBuf { folder.join(format!("{name}.{kind}")) };
    // Godot goes by these endings.
    Identity { chain: file("crt"), intermediates: None, key: file("key") }
}
