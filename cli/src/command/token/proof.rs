//! `postern token proof`.

use clap::Args;

use super::mint::read_key;
use crate::command::Answer;
use crate::command::file::{Input, one_stdin};
use crate::command::output::print;
use crate::command::time::Moment;
use crate::mint::Proof;

/// Make the `DPoP` proof (RFC 9449) of one request with a token that is bound to a key, for
/// development.
#[derive(Debug, Args)]
#[command(after_help = "\
Example: a token that is bound to the client's key, and the proof of one request with it:
  postern token keygen > client.jwk
  postern token mint --key dev.jwk --dpop-key client.jwk ... > bound.jwt
  curl -H \"Authorization: DPoP $(cat bound.jwt)\" -H \"DPoP: $(postern token proof \\
    --key client.jwk --token-file bound.jwt --url https://api.crm.example/v1/contacts)\" \\
    https://api.crm.example/v1/contacts")]
pub(in crate::command) struct MakeProof {
    /// The client's private key, as `postern token keygen` writes it
    #[arg(long, value_name = "FILE")]
    key: Input,
    /// A file with the access token
    #[arg(long, value_name = "FILE")]
    token_file: Input,
    /// The request's method (`htm`)
    #[arg(long, default_value = "GET")]
    method: String,
    /// The request's URL without its query (`htu`)
    #[arg(long)]
    url: String,
    /// The nonce that the API gave in `DPoP-Nonce`
    #[arg(long)]
    nonce: Option<String>,
    /// When it is made, if not now: in RFC 3339 or in seconds since 1970
    #[arg(long, value_name = "TIME")]
    at: Option<Moment>,
}

impl MakeProof {
    pub(in crate::command) fn run(&self) -> anyhow::Result<Answer> {
        one_stdin([&self.key, &self.token_file])?;
        let now = self.at.unwrap_or_else(Moment::now).as_secs();
        let proof = Proof::new(&self.method, &self.url, now).token(&self.token_file.read_word()?);
        let proof = self.nonce.iter().fold(proof, |proof, nonce| proof.nonce(nonce));
        print(&format!("{}\n", proof.sign(&read_key(&self.key)?)?))?;
        Ok(Answer::Yes)
    }
}
