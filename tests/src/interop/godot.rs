//! Runs GDScript in a real Godot 3 (`godot3-server`, which has no window).
//!
//! It knows the program's arguments and what a project is. It must not know what a script does: that is between the
//! script, in `tests/godot/`, and its test.

mod game;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::Process;
use super::stack::program_is_here;
pub use game::{Godot, GodotPeer, Script};

const PROGRAM: &str = "godot3-server";

/// The least that Godot takes for a project.
const PROJECT: &str = "config_version=4\n[application]\nconfig/name=\"drystone\"\n";

/// A Godot project in a folder of its own: nothing that Godot writes lands anywhere else.
#[derive(Debug)]
pub struct GodotProject {
    folder: PathBuf,
}

/// Whether Godot is installed. A missing one is said aloud.
///
/// # Panics
/// If it is missing and the environment has `DRYSTONE_REQUIRE_PEERS=1`.
pub fn godot_is_here() -> bool {
    program_is_here(PROGRAM)
}

impl GodotProject {
    /// Makes an empty project, in place of whatever is in `folder`.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn make(folder: &Path) -> Result<Self, String> {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let project = Self { folder: folder.to_owned() };
        project.write("project.godot", PROJECT)?;
        Ok(project)
    }

    /// Puts a file into the project, which scripts find as `res://NAME`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, name: &str, content: &str) -> Result<(), String> {
        fs::write(self.folder.join(name), content).map_err(|error| format!("{name}: {error}"))
    }

    /// Puts an empty file into the project, to be written to while a script reads it.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn create(&self, name: &str) -> Result<File, String> {
        File::create(self.folder.join(name)).map_err(|error| format!("{name}: {error}"))
    }

    /// Puts `tests/godot/SCRIPT` into the project: one that others extend, or that [`start`](Self::start) runs.
    ///
    /// # Errors
    /// If there is none, or it cannot be written.
    pub fn add_script(&self, script: &str) -> Result<(), String> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("godot").join(script);
        let source = fs::read_to_string(&source).map_err(|error| format!("{}: {error}", source.display()))?;
        self.write(script, &source)
    }

    /// Starts Godot with `tests/godot/SCRIPT`, a `SceneTree` that ends with `quit()`. It finds the arguments in
    /// `OS.get_cmdline_args()`; they begin with `--`. Its `print` comes at once, its `printerr` and its errors on
    /// standard error. Dropping the process kills it.
    ///
    /// # Errors
    /// If the program or the script is missing.
    pub fn start(&self, script: &str, arguments: &[String]) -> Result<Process, String> {
        self.add_script(script)?;
        let mut command = Command::new(PROGRAM);
        command.current_dir(&self.folder).args(["-s", script]).args(arguments);
        for home in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
            command.env(home, &self.folder);
        }
        Process::start(&mut command)
    }
}
