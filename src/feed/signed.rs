//! Documents that have to be signed by whom they are about.

use serde_json::Value;

use super::{Failure, MAX_RESPONSE_BYTES};
use crate::json::{self, Bounds};
use crate::token::{KeySet, Native, Statement};

/// Who signs a document, and by which keys.
pub(super) struct Signatory<'a> {
    pub(super) issuer: &'a str,
    pub(super) keys: &'a KeySet,
    pub(super) native: Native<'a>,
}

impl Signatory<'_> {
    /// What it says in a JWT of the type `name`.
    ///
    /// # Errors
    ///
    /// It is none, or somebody else's.
    pub(super) fn read(&self, body: &[u8], name: &str, bounds: Bounds) -> Result<Value, Failure> {
        let text = str::from_utf8(body.trim_ascii()).map_err(|_| Failure::NotSigned)?;
        let statement = Statement::read(text, name, MAX_RESPONSE_BYTES);
        let statement = statement.filter(|statement| statement.is_by(self.keys, self.native));
        let statement = statement.ok_or(Failure::NotSigned)?;
        json::parse(statement.payload(), bounds).map_err(|_| Failure::NotJson)
    }
}
