//! Behaviour of an agent that is made up.

use std::str::FromStr;

use postern::behaviour::{Part, Scores};

/// One part of it, as it is written: `rate=0.8`.
#[derive(Clone, Debug)]
pub(super) struct Supposed {
    name: String,
    part: Part,
}

impl FromStr for Supposed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, part) = text.split_once('=').ok_or("expected such as `rate=0.8`")?;
        Self::new(name, part)
    }
}

impl Supposed {
    /// So much of a part.
    ///
    /// # Errors
    ///
    /// There is no such part, or it is not from 0 to 1.
    pub(super) fn new(name: &str, part: &str) -> Result<Self, String> {
        if !["rate", "novelty", "failures", "sources"].contains(&name) {
            return Err("expected `rate`, `novelty`, `failures` or `sources`".to_owned());
        }
        Ok(Self { name: name.to_owned(), part: part.parse()? })
    }
}

/// The behaviour that is usual but for these parts of it.
pub(super) fn suppose(parts: &[Supposed]) -> Scores {
    let mut scores = Scores { known: true, ..Scores::default() };
    for Supposed { name, part } in parts {
        match name.as_str() {
            "rate" => scores.rate = *part,
            "novelty" => scores.novelty = *part,
            "failures" => scores.failures = *part,
            _ => scores.sources = *part,
        }
    }
    scores
}
