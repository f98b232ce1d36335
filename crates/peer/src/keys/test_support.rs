//! Folders and files for the tests of certificates and keys. It knows no class of the crate.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, process};

/// A folder of one test, removed with its content on drop.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("drystone-keys-{}-{number}", process::id()));
        fs::create_dir(&path).expect("a folder of its own");
        // On some systems the folder for temporary files is a link.
        Self(fs::canonicalize(path).expect("it is there"))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// What is in it, sorted.
    pub(super) fn names(&self) -> Vec<String> {
        let name = |entry: Result<fs::DirEntry, _>| entry.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<_> = fs::read_dir(&self.0).unwrap().map(name).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A file of the repository's `vectors`.
pub(super) fn vector(name: &str) -> Vec<u8> {
    fs::read(format!("{}/../../vectors/{name}", env!("CARGO_MANIFEST_DIR"))).expect(name)
}
