//! Keys given on the command line, in the place of those that the proxy would fetch.

use std::str::FromStr;

use anyhow::{Context, bail};
use postern::feed;
use postern::policy::Policy;

use super::file::Input;
use super::output::plain;

/// An issuer, and a file with the keys that it publishes: `ISSUER=FILE`.
#[derive(Clone, Debug)]
pub(super) struct Provided {
    issuer: String,
    pub(super) file: Input,
}

impl FromStr for Provided {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // An issuer may have a `=` in it, the file's name may not.
        match text.rsplit_once('=') {
            Some((issuer, file)) if !issuer.is_empty() && !file.is_empty() => {
                let Ok(file) = file.parse::<Input>();
                Ok(Self { issuer: issuer.to_owned(), file })
            }
            _ => Err("expected an issuer and a file, such as `https://login.example/=jwks.json`"),
        }
    }
}

/// Puts the keys into `policy`, read as the filter would read them.
///
/// # Errors
///
/// A file cannot be read or holds no key set, or the policy has no such issuer.
pub(super) fn provide(all: &[Provided], policy: &mut Policy) -> anyhow::Result<()> {
    for Provided { issuer, file } in all {
        let (set, _) = feed::read(&file.read()?)
            .with_context(|| format!("`{file}` is not a key set that can be used"))?;
        if !policy.trusted.provide(issuer, set) {
            bail!("the policy has no issuer `{}`", plain(issuer));
        }
    }
    Ok(())
}
