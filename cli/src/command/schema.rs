//! `postern schema`.

use clap::Args;
use postern::policy::wire;

use super::{Answer, output};

/// Print the JSON Schema of the policy file, for editors and other tools.
#[derive(Debug, Args)]
#[command(after_help = "\
Example: postern schema > policy.schema.json
An editor with the YAML language server then completes a policy that begins with
  # yaml-language-server: $schema=policy.schema.json")]
pub(super) struct Schema {}

impl Schema {
    pub(super) fn run(&self) -> anyhow::Result<Answer> {
        let mut schema = schemars::schema_for!(wire::File);
        schema.insert("title".to_owned(), "Postern policy".into());
        output::print_json(&schema)?;
        Ok(Answer::Yes)
    }
}
