//! `postern token keygen`.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use crate::command::Answer;
use crate::command::file::write_secret;
use crate::command::output::{json, note, plain, print, print_json};
use crate::mint::{Algorithm, PrivateKey, key_set};

/// Make a key that signs tokens, for development.
///
/// Prints the private key as a JSON Web Key, or writes it to a file that only you may read. An
/// identity provider in production keeps its keys to itself.
#[derive(Debug, Args)]
#[command(after_help = "\
Example: a key, and what belongs at `jwks` in the policy:
  postern token keygen --out dev.jwk --public")]
pub(in crate::command) struct Keygen {
    /// What it signs with: ES256, EdDSA, RS256 or HS256
    #[arg(long, value_name = "NAME", default_value = "ES256")]
    algorithm: Algorithm,
    /// The key's name in tokens and key sets; its thumbprint (RFC 7638) when left out
    #[arg(long)]
    kid: Option<String>,
    /// Write the private key here, never over another file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print the public half as a JSON Web Key Set
    #[arg(long, requires = "out")]
    public: bool,
}

impl Keygen {
    pub(in crate::command) fn run(&self) -> anyhow::Result<Answer> {
        if self.public && self.algorithm == Algorithm::Hs256 {
            bail!("an HS256 key has no public half: expected another algorithm with `--public`");
        }
        let key = PrivateKey::generate(self.algorithm)?;
        let key = match &self.kid {
            Some(kid) => key.with_kid(kid),
            None => key,
        };
        match &self.out {
            Some(path) => {
                write_secret(path, &format!("{}\n", json(&key.to_jwk())?))?;
                let path = path.to_string_lossy();
                note(&format!("wrote the private key `{}` to {}", plain(key.kid()), plain(&path)));
            }
            None => print(&format!("{}\n", json(&key.to_jwk())?))?,
        }
        if self.public {
            print_json(&key_set([&key]))?;
        }
        Ok(Answer::Yes)
    }
}
