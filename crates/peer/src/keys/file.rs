//! Reads a file whole, and puts a file in the place of another whole or not at all. It must not know what they hold.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use drystone_handshake::SecureRandom as _;
use zeroize::Zeroizing;

use super::error::CryptoError;
use crate::random::OsRandom;

/// Who may read a file that is made here, on Unix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readers {
    /// As the process's umask has it.
    Usual,
    /// Its owner only.
    Owner,
}

/// The content of a file. It is wiped, since it may be a private key.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    // The standard library reserves the file's size first, so that no copies are left behind by growing.
    fs::read(path).map(Zeroizing::new).map_err(|source| CryptoError::Read { path: path.to_owned(), source })
}

/// Writes a file beside `path` and puts it in its place. Whoever opens `path` finds the old content or the new one,
/// whatever fails and whenever the process ends; a symbolic link goes on pointing to where it did.
pub(super) fn replace(path: &Path, content: &str, readers: Readers) -> Result<(), CryptoError> {
    let create = |source| CryptoError::Create { path: path.to_owned(), source };
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let temporary = beside(&target).map_err(create)?;
    let mut options = OpenOptions::new();
    // Never what is there already: it may be a link that somebody laid.
    options.write(true).create_new(true);
    #[cfg(unix)]
    if readers == Readers::Owner {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = readers;
    let mut file = options.open(&temporary).map_err(create)?;
    let written = file.write_all(content.as_bytes()).and_then(|()| file.sync_all());
    drop(file); // Windows does not rename open files
    written.and_then(|()| fs::rename(&temporary, &target)).map_err(|source| {
        let _ = fs::remove_file(&temporary);
        CryptoError::Write { path: path.to_owned(), source }
    })
}

/// A name in the same folder that nobody else uses or can foresee.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let no_name = || io::Error::new(io::ErrorKind::InvalidInput, "the path does not end in a file's name");
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().ok_or_else(no_name)?);
    let mut random = [0; 8];
    OsRandom.fill(&mut random).map_err(io::Error::other)?;
    name.push(format!(".{:016x}.tmp", u64::from_le_bytes(random)));
    Ok(path.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use super::super::test_support::Folder;
    use super::*;

    #[test]
    fn the_new_content_takes_the_place_of_the_old_and_nothing_else_is_left() {
        let folder = Folder::new();
        let path = folder.path("file");
        for content in ["first", "second, which is longer", "3rd"] {
            replace(&path, content, Readers::Usual).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            assert_eq!(folder.names(), ["file"]);
        }
    }

    #[test]
    fn what_cannot_be_replaced_stays_and_the_temporary_file_goes() {
        let folder = Folder::new();
        let path = folder.path("taken");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("inside"), "x").unwrap();
        let error = replace(&path, "content", Readers::Usual).unwrap_err();
        assert!(matches!(&error, CryptoError::Write { path: named, .. } if *named == path), "{error}");
        assert_eq!(error.godot_code(), 1);
        assert!(error.to_string().starts_with(&format!("cannot write {}: ", path.display())), "{error}");
        assert_eq!(folder.names(), ["taken"]);
        assert_eq!(fs::read_to_string(path.join("inside")).unwrap(), "x");
    }

    #[test]
    fn a_folder_that_is_not_there_is_said() {
        let folder = Folder::new();
        for path in [folder.path("missing").join("file"), folder.path("missing").join("..")] {
            let error = replace(&path, "content", Readers::Usual).unwrap_err();
            assert!(error.to_string().starts_with(&format!("cannot create {}: ", path.display())), "{error}");
            assert_eq!(error.godot_code(), 31);
        }
        assert_eq!(folder.names(), [""; 0]);
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_is_for_its_owner_only_even_where_everybody_could_read() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = Folder::new();
        let path = folder.path("secret");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        replace(&path, "new", Readers::Owner).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_goes_on_pointing_to_its_file() {
        let folder = Folder::new();
        let (file, link) = (folder.path("file"), folder.path("link"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        replace(&link, "new", Readers::Usual).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}
