//! `postern schema`.

use clap::Args;
use postern::policy::wire;
use schemars::transform::{RecursiveTransform, Transform};

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
        RecursiveTransform(unwrap_lines).transform(&mut schema);
        output::print_json(&schema)?;
        Ok(Answer::Yes)
    }
}

/// Joins the lines of a description: they were broken for whoever reads the source.
fn unwrap_lines(schema: &mut schemars::Schema) {
    if let Some(serde_json::Value::String(text)) = schema.get_mut("description") {
        *text = text.replace('\n', " ");
    }
}
