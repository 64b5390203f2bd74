//! `postern key`.

mod new;

use clap::Subcommand;

use super::Answer;

/// Make API keys for organizations.
#[derive(Debug, Subcommand)]
pub(super) enum Key {
    New(new::New),
}

impl Key {
    pub(super) fn run(&self) -> anyhow::Result<Answer> {
        match self {
            Self::New(new) => new.run(),
        }
    }
}
