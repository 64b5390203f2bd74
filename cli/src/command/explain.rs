//! `postern explain`.

mod finding;
mod introspection;
mod memory;
mod report;
mod text;
mod watch;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use postern::binding::parse_digest;
use postern::decision::{Engine, Request};
use postern::host::Timestamp;

use super::Answer;
use super::behaviour::{Supposed, suppose};
use super::file::{Input, one_stdin};
use super::output::{print, print_json};
use super::problems::Source;
use super::provided::{Provided, provide};
use super::time::Moment;

pub(super) use finding::Finding;
pub(super) use memory::Memory;
pub(super) use report::{Asked, Report};
pub(super) use text::render;
pub(super) use watch::Watch;

/// Explain what a policy decides of a request, step by step, and why.
///
/// Runs the engine that the filter runs. Nothing is remembered between two runs, so limits are
/// those of a caller that has not called before. Nothing is fetched either: where the policy has
/// a URL for keys, give them with --jwks; what the issuer of an opaque token would answer, with
/// --introspection. Exit code 1 if the request is denied.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postern explain policy.yaml --path /v1/contacts --token-file token.jwt
  postern explain policy.yaml --method PUT --path /v1/contacts/7 --token-file - < token.jwt
  postern explain policy.yaml --path /v1/contacts --token-file token.jwt \\
    --jwks https://login.crm.example/=jwks.json
  postern explain policy.yaml --path /v1/contacts --token-file bound.jwt \\
    --header \"DPoP: $(cat proof.jwt)\"
  postern explain policy.yaml --path /v1/contacts --key-file acme.key
  postern explain policy.yaml --path /v1/contacts --token-file opaque.txt \\
    --introspection answer.json
A token given by --token shows in lists of processes and in the shell's history; one given by
--token-file does not. Neither is ever printed.")]
pub(super) struct Explain {
    /// A policy, in YAML or JSON
    #[arg(value_name = "FILE")]
    file: Input,
    /// The request's method
    #[arg(long, default_value = "GET")]
    method: String,
    /// The request's path, with its query if it has one
    #[arg(long)]
    path: String,
    /// The access token; better use --token-file
    #[arg(long, conflicts_with = "token_file")]
    token: Option<String>,
    /// A file with the access token
    #[arg(long, value_name = "FILE")]
    token_file: Option<Input>,
    /// A file with an API key, in place of a token
    #[arg(long, value_name = "FILE", conflicts_with_all = ["token", "token_file"])]
    key_file: Option<Input>,
    /// The SHA-256 of the client certificate of the connection, in hexadecimal digits
    #[arg(long, value_name = "HEX", value_parser = digest)]
    certificate: Option<[u8; 32]>,
    /// A header of the request, again for more; with one called `DPoP` the token comes under the
    /// scheme of that name
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// The keys of an issuer that the proxy would fetch, as the issuer publishes them, again for
    /// another
    #[arg(long, value_name = "ISSUER=FILE")]
    jwks: Vec<Provided>,
    /// What the issuer of an opaque token answers about it (RFC 7662), as JSON
    #[arg(long, value_name = "FILE")]
    introspection: Option<Input>,
    /// How unusual the agent behaves, again for more: `rate`, `novelty`, `failures` or `sources` from
    /// 0 to 1
    #[arg(long, value_name = "PART=NUMBER")]
    behaviour: Vec<Supposed>,
    /// When the request comes, if not now: in RFC 3339 or in seconds since 1970
    #[arg(long, value_name = "TIME")]
    at: Option<Moment>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn digest(text: &str) -> Result<[u8; 32], &'static str> {
    parse_digest(text.as_bytes()).ok_or("expected 64 hexadecimal digits")
}

impl Explain {
    pub(super) fn run(&self) -> anyhow::Result<Answer> {
        let files = self.jwks.iter().map(|provided| &provided.file).chain(&self.introspection);
        let secrets = self.token_file.iter().chain(&self.key_file);
        one_stdin([&self.file].into_iter().chain(secrets).chain(files))?;
        let (_, mut policy) = Source::read(&self.file)?.policy()?;
        // Nothing is fetched here: what the policy itself takes back is all there is.
        policy.subscription = None;
        provide(&self.jwks, &mut policy)?;
        let token = match &self.token_file {
            Some(input) => Some(input.read_word()?),
            None => self.token.as_ref().map(|token| token.trim().to_owned()),
        };
        let mut headers = self.headers()?;
        let is_proof = |(name, _): &(String, String)| name.eq_ignore_ascii_case("dpop");
        let scheme = if headers.iter().any(is_proof) { "DPoP" } else { "Bearer" };
        let credential = token.as_ref().map(|token| format!("{scheme} {token}"));
        headers.extend(credential.map(|value| ("authorization".to_owned(), value)));
        if let Some(input) = &self.key_file {
            let keys = policy.api_keys.as_ref().context("the policy has no `api_keys`")?;
            headers.push((keys.header().to_owned(), input.read_word()?));
        }
        let bytes: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        let request = Request {
            method: self.method.as_bytes(),
            path: self.path.as_bytes(),
            headers: &bytes,
            strips_headers: true,
        };
        let now = self.at.unwrap_or_else(Moment::now);
        let time = Timestamp::from_secs(now.as_secs().unsigned_abs());
        let host = Memory::new(time, self.certificate);

        // Nobody else decides here, so one decision needs no random name.
        let mut engine = Engine::new(policy, [0; 16]);
        if !self.behaviour.is_empty() {
            if engine.policy().behaviour.is_none() {
                bail!("`--behaviour`: the policy has no `behaviour`");
            }
            engine = engine.supposing(suppose(&self.behaviour));
        }
        if let Some(file) = &self.introspection {
            introspection::answer(&engine, &request, &host, (token.as_deref(), file))?;
        }
        let mut watch = Watch::new(engine.policy(), &request, time);
        let decision = engine.decide(&request, &host, &mut watch);

        let asked = Asked::new(&self.method, &self.path, now, &engine.policy().version);
        let report = Report::new(asked, watch.finish(), decision, &bytes);
        if self.json {
            print_json(&report)?;
        } else {
            print(&render(&report))?;
        }
        Ok(report.decision.allowed.into())
    }

    fn headers(&self) -> anyhow::Result<Vec<(String, String)>> {
        let pair = |header: &String| {
            // What does not look like a header may be a token, so it is not repeated.
            let (name, value) = header
                .split_once(':')
                .ok_or_else(|| anyhow!("expected `--header 'NAME: VALUE'`"))?;
            let name = name.trim();
            if name.is_empty() {
                bail!("expected a header's name before the `:`");
            }
            Ok((name.to_owned(), value.trim().to_owned()))
        };
        self.headers.iter().map(pair).collect()
    }
}
