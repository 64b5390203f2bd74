//! `postern token mint`.

use anyhow::{Context, anyhow};
use base64ct::{Base64, Encoding};
use clap::Args;
use postern::policy::Seconds;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::command::Answer;
use crate::command::file::{Input, one_stdin};
use crate::command::output::print;
use crate::command::time::Moment;
use crate::mint::{AccessToken, PrivateKey};

/// Make an access token (RFC 9068), for development.
#[derive(Debug, Args)]
#[command(after_help = "\
Example: `support-bot` acts for `ada`, an editor:
  postern token mint --key dev.jwk --issuer https://login.crm.example/ \\
    --audience https://api.crm.example --subject ada --client support-bot \\
    --scope crm.read --role editor --actor support-bot
With --dpop-key the token is bound to a key of the client's.")]
pub(in crate::command) struct Mint {
    /// The private key, as `postern token keygen` writes it
    #[arg(long, value_name = "FILE")]
    key: Input,
    /// Who issues it (`iss`)
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// The API it is for (`aud`)
    #[arg(long, value_name = "URL")]
    audience: String,
    /// Whom it speaks for (`sub`)
    #[arg(long, value_name = "NAME")]
    subject: String,
    /// The OAuth client it is issued to (`client_id`)
    #[arg(long, value_name = "NAME")]
    client: String,
    /// What it may be used for (`scope`), again for more
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// A role of the user (`roles`), again for more
    #[arg(long, value_name = "ROLE")]
    role: Vec<String>,
    /// Who acts with it (`act`); again for the one it acts through, and so on
    #[arg(long, value_name = "NAME")]
    actor: Vec<String>,
    /// The organization the user belongs to (`org_id`)
    #[arg(long, value_name = "NAME")]
    organization: Option<String>,
    /// The client's key, to bind the token to it (`cnf.jkt`, RFC 9449); `postern token proof`
    /// makes the proofs
    #[arg(long, value_name = "FILE", conflicts_with = "certificate")]
    dpop_key: Option<Input>,
    /// The client's certificate in PEM, to bind the token to it (`cnf.x5t#S256`, RFC 8705)
    #[arg(long, value_name = "FILE")]
    certificate: Option<Input>,
    /// How long it is valid: `30s`, `5m`, `1h`, `7d`
    #[arg(long, value_name = "TIME", default_value = "1h")]
    expires_in: Seconds,
    /// When it is issued, if not now: in RFC 3339 or in seconds since 1970
    #[arg(long, value_name = "TIME")]
    at: Option<Moment>,
    /// Any claim, its value in JSON: `confidence=0.9`, `model='"m-4"'`
    #[arg(long = "claim", value_name = "NAME=JSON", value_parser = claim)]
    claims: Vec<(String, Value)>,
    /// The token's type (`typ`)
    #[arg(long, value_name = "TYPE", default_value = "at+jwt")]
    typ: String,
}

impl Mint {
    pub(in crate::command) fn run(&self) -> anyhow::Result<Answer> {
        let files = self.dpop_key.iter().chain(&self.certificate);
        one_stdin([&self.key].into_iter().chain(files))?;
        let key = read_key(&self.key)?;
        let mut token = self.token(self.at.unwrap_or_else(Moment::now).as_secs());
        if let Some(input) = &self.dpop_key {
            token = token.bound_to_key(&read_key(input)?.thumbprint());
        }
        if let Some(input) = &self.certificate {
            let digest = certificate_digest(&input.read_word()?);
            let digest = digest.with_context(|| format!("no certificate in `{input}`"))?;
            token = token.bound_to_certificate(&digest);
        }
        print(&format!("{}\n", token.sign(&key)?))?;
        Ok(Answer::Yes)
    }

    fn token(&self, now: i64) -> AccessToken {
        let mut token = AccessToken::new(&self.issuer, &self.audience, now)
            .valid(now, now.saturating_add(self.expires_in.get().into()))
            .subject(&self.subject)
            .client(&self.client)
            .header("typ", self.typ.as_str());
        if !self.scope.is_empty() {
            token = token.scope(&self.scope.join(" "));
        }
        if !self.role.is_empty() {
            let roles: Vec<_> = self.role.iter().map(String::as_str).collect();
            token = token.roles(&roles);
        }
        // The last to be named is the current one, which is given first here.
        for actor in self.actor.iter().rev() {
            token = token.actor(actor);
        }
        if let Some(organization) = &self.organization {
            token = token.claim("org_id", organization.as_str());
        }
        self.claims.iter().fold(token, |token, (name, value)| token.claim(name, value.clone()))
    }
}

/// The private key in a file.
pub(super) fn read_key(input: &Input) -> anyhow::Result<PrivateKey> {
    let text = input.read_word()?;
    // The parser's own words might quote the key.
    let key = serde_json::from_str(&text).map_err(|_| anyhow!("not JSON"));
    let key = key.and_then(|jwk| Ok(PrivateKey::from_jwk(&jwk)?));
    key.with_context(|| format!("cannot use the key in `{input}`"))
}

/// The SHA-256 of the first certificate in a text (RFC 7468 §5).
fn certificate_digest(text: &str) -> Option<[u8; 32]> {
    let (_, rest) = text.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let body: String = body.split_ascii_whitespace().collect();
    Some(Sha256::digest(Base64::decode_vec(&body).ok()?).into())
}

fn claim(text: &str) -> Result<(String, Value), &'static str> {
    let (name, value) = text.split_once('=').ok_or("expected `NAME=JSON`")?;
    let value = serde_json::from_str(value)
        .map_err(|_| "expected JSON after `=`: `0.9`, `true`, or a text in quotes: `'\"m-4\"'`")?;
    Ok((name.to_owned(), value))
}
