//! `postern key new`.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;

use crate::command::Answer;
use crate::command::file::{Input, write_secret};
use crate::command::output::{note, plain, print};
use crate::command::problems::Source;
use crate::command::time::Moment;
use crate::mint::ApiKey;

/// Make an API key, and its entry in the policy.
///
/// The key is shown this once, or written to a file that only you may read; the policy gets its
/// hash. To rotate a key make another one under the same name, and take the old entry out when
/// nobody uses it any more.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  postern key new --policy policy.yaml --organization acme --scope crm.read --id acme-ci")]
pub(in crate::command) struct New {
    /// The organization whose it is
    #[arg(long, value_name = "NAME")]
    organization: String,
    /// A scope that it has, again for more
    #[arg(long, value_name = "SCOPE", required = true)]
    scope: Vec<String>,
    /// The key's name; the organization's when left out
    #[arg(long, value_name = "NAME")]
    id: Option<String>,
    /// The policy it is for, which says what keys begin with, and which scopes there are
    #[arg(long, value_name = "FILE", required_unless_present = "prefix")]
    policy: Option<Input>,
    /// What it begins with, as `api_keys.prefix` in the policy
    #[arg(long, conflicts_with = "policy")]
    prefix: Option<String>,
    /// When it ends, if that is before its rotation is overdue
    #[arg(long, value_name = "TIME")]
    expires: Option<Moment>,
    /// When it is made, if not now: in RFC 3339 or in seconds since 1970
    #[arg(long, value_name = "TIME")]
    at: Option<Moment>,
    /// Write the key here, never over another file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl New {
    pub(in crate::command) fn run(&self) -> anyhow::Result<Answer> {
        let created = self.at.unwrap_or_else(Moment::now);
        if self.expires.is_some_and(|expires| expires.as_secs() <= created.as_secs()) {
            bail!("a key cannot end before it is made: expected `--expires` to lie ahead");
        }
        let key = ApiKey::generate(&self.prefix()?)?;
        if let Some(path) = &self.out {
            write_secret(path, &format!("{}\n", key.secret()))?;
            note(&format!("wrote the key to {}", plain(&path.to_string_lossy())));
        } else {
            print(&format!("# The key, shown this once:\n{}\n\n", key.secret()))?;
        }
        let id = self.id.as_ref().unwrap_or(&self.organization);
        // JSON's texts are YAML's too, whatever is in them.
        let text = |text: &str| Value::from(text).to_string();
        let scopes: Vec<_> = self.scope.iter().map(|scope| text(scope)).collect();
        let expires = self.expires.map(|moment| format!("\n    expires: {moment}"));
        print(&format!(
            "# Its entry at `api_keys.keys` in the policy:\n  - id: {}\n    hash: {}\n    organization: {}\n    scopes: [{}]\n    created: {created}{}\n",
            text(id),
            text(&key.hash()),
            text(&self.organization),
            scopes.join(", "),
            expires.unwrap_or_default(),
        ))?;
        Ok(Answer::Yes)
    }

    /// What the key begins with.
    fn prefix(&self) -> anyhow::Result<String> {
        let Some(input) = &self.policy else {
            return self.prefix.clone().context("expected `--policy` or `--prefix`");
        };
        let (_, policy) = Source::read(input)?.policy()?;
        let keys = policy.api_keys.as_ref();
        let keys = keys.with_context(|| format!("`{input}` has no `api_keys`"))?;
        for scope in &self.scope {
            if !policy.scopes.contains_key(scope) {
                bail!("`{input}` has no scope `{}`", plain(scope));
            }
        }
        Ok(keys.prefix().to_owned())
    }
}
