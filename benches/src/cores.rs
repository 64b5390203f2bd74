//! Who runs on which core.

use std::ffi::OsStr;
use std::process::{Command, Stdio};
use std::thread;

/// Envoy on one core, the load on another, where there are two and `taskset` is at hand.
pub(crate) struct Cores {
    pinned: bool,
}

impl Cores {
    /// As few as the measurement needs.
    pub(crate) fn apart() -> Self {
        let several = thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
        let quiet = |command: &mut Command| {
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()
        };
        let works = |core: &str| {
            quiet(Command::new("taskset").args(["-c", core, "true"])).is_ok_and(|s| s.success())
        };
        let pinned = several && works("0") && works("1");
        if !pinned {
            eprintln!("bench: Envoy and the load share their cores: figures will be noisy");
        }
        Self { pinned }
    }

    /// Whichever the system gives.
    pub(crate) const fn any() -> Self {
        Self { pinned: false }
    }

    /// `program`, where Envoy runs.
    pub(crate) fn server(&self, program: impl AsRef<OsStr>) -> Command {
        self.command("0", program)
    }

    /// `program`, where the load is made.
    pub(crate) fn load(&self, program: impl AsRef<OsStr>) -> Command {
        self.command("1", program)
    }

    fn command(&self, core: &str, program: impl AsRef<OsStr>) -> Command {
        if !self.pinned {
            return Command::new(program);
        }
        let mut command = Command::new("taskset");
        command.args(["-c", core]).arg(program);
        command
    }
}
