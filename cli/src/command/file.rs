//! Files that are read, `-` for standard input, and files that are written.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, bail};
use postern::policy::source::LIMITS;

/// The most that is read of any file, in bytes: one more than a policy may have.
const MAX_BYTES: u64 = LIMITS.bytes as u64 + 1;

/// Where something is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    File(PathBuf),
    Stdin,
}

impl Input {
    /// All of it, as far as anything may be long.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub(super) fn read(&self) -> anyhow::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match self {
            Self::File(path) => {
                File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes))
            }
            Self::Stdin => io::stdin().lock().take(MAX_BYTES).read_to_end(&mut bytes),
        }
        .with_context(|| format!("cannot read `{self}`"))?;
        Ok(bytes)
    }

    /// All of it as text without white space around it: a token, a key.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is no text. What it says is not told.
    pub(super) fn read_word(&self) -> anyhow::Result<String> {
        match String::from_utf8(self.read()?) {
            Ok(text) => Ok(text.trim().to_owned()),
            Err(_) => bail!("`{self}` is not UTF-8"),
        }
    }
}

impl FromStr for Input {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if text == "-" { Self::Stdin } else { Self::File(text.into()) })
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.write_str(&super::output::plain(&path.to_string_lossy())),
            Self::Stdin => f.write_str("standard input"),
        }
    }
}

/// Refuses to read standard input for two things at once.
///
/// # Errors
///
/// More than one of `inputs` is standard input.
pub(super) fn one_stdin<'a>(inputs: impl IntoIterator<Item = &'a Input>) -> anyhow::Result<()> {
    if inputs.into_iter().filter(|input| **input == Input::Stdin).count() > 1 {
        bail!("standard input can be read once: expected at most one `-`");
    }
    Ok(())
}

/// Writes a file that only its owner may read, and never over another.
///
/// # Errors
///
/// There is such a file already, or it cannot be written.
pub(super) fn write_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write `{}`", path.display()))
}
