//! `postern token`.

mod decoded;
mod inspect;
mod keygen;
mod mint;
mod proof;

use clap::Subcommand;

pub(super) use decoded::Decoded;

use super::Answer;

/// Make keys and tokens for development, and look into tokens.
#[derive(Debug, Subcommand)]
pub(super) enum Token {
    Inspect(inspect::Inspect),
    Keygen(keygen::Keygen),
    Mint(Box<mint::Mint>),
    Proof(proof::MakeProof),
}

impl Token {
    pub(super) fn run(&self) -> anyhow::Result<Answer> {
        match self {
            Self::Inspect(inspect) => inspect.run(),
            Self::Keygen(keygen) => keygen.run(),
            Self::Mint(mint) => mint.run(),
            Self::Proof(proof) => proof.run(),
        }
    }
}
