//! An issuer's answer about an opaque token, given on the command line.

use anyhow::bail;
use postern::decision::{Engine, Request};
use postern::feed::Response;
use postern::introspection::News;

use super::memory::{CALL, Memory};
use crate::command::file::Input;

/// Has `engine` ask about the token of `request`, and take what is in `file` for the answer.
///
/// # Errors
///
/// Nobody is asked about this token, or `file` cannot be read or is no answer.
pub(super) fn answer(
    engine: &Engine,
    request: &Request<'_>,
    host: &Memory,
    (token, file): (Option<&str>, &Input),
) -> anyhow::Result<()> {
    if !token.is_some_and(|token| engine.introspection().asks_about(token)) {
        bail!("no issuer of the policy is asked about this token: expected one that is opaque");
    }
    // A request that ends before its token is looked at leads to no question.
    drop(engine.attempt(request, host));
    engine.ask(host);
    let body = file.read()?;
    let response =
        Response { status: Some(200), length: body.len(), body: &body, ..Response::default() };
    if let Some(News::Failed { failure, .. }) = engine.answered(CALL, &response, host) {
        bail!("`{file}` is no answer about a token: {failure}");
    }
    Ok(())
}
