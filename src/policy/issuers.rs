//! The policy's token issuers: their names, their keys, their habits.

use std::num::NonZeroU32;

use hashbrown::HashMap;
use serde_json::json;

use super::duration::Seconds;
use super::problem::{Path, Problem, Problems};
use super::wire;
use crate::token::{
    Algorithm, ClaimPath, Issuer, IssuerId, Issuers, KeySet, Leeway, Profile, Symmetric,
};

/// The longest a token may be valid where the policy does not say: a day.
const DEFAULT_MAX_LIFETIME: u32 = 86_400;

/// The most issuers a policy may have.
pub const MAX_ISSUERS: usize = 256;

/// Where an issuer puts what the policy needs to know of a user.
#[derive(Debug)]
pub struct ClaimNames {
    /// The organization.
    pub organization: ClaimPath,
    /// The user's roles.
    pub roles: ClaimPath,
}

/// The issuers of a policy.
#[derive(Debug, Default)]
pub struct Trusted {
    /// What verifies their tokens.
    pub issuers: Issuers,
    /// Their identifiers, in the order of the file.
    pub identifiers: Vec<String>,
    names: HashMap<IssuerId, ClaimNames>,
}

impl Trusted {
    /// The issuer called `identifier`.
    pub fn find(&self, identifier: &str) -> Option<IssuerId> {
        self.issuers.find(identifier).map(|(id, _)| id)
    }

    /// What the issuer `id` is called.
    pub fn identifier(&self, id: IssuerId) -> &str {
        self.issuers.get(id).map_or("", |issuer| issuer.identifier.as_str())
    }

    /// Where the issuer `id` puts things.
    pub fn claim_names(&self, id: IssuerId) -> Option<&ClaimNames> {
        self.names.get(&id)
    }

    /// Reads the issuers; what is wrong, or odd, goes to `problems`.
    pub(super) fn compile(written: Vec<wire::Issuer>, problems: &mut Problems) -> Self {
        let place = Path::root().join("issuers");
        if written.is_empty() || written.len() > MAX_ISSUERS {
            problems.add(
                Problem::new(format!("expected 1 to {MAX_ISSUERS} issuers")).at(place.clone()),
            );
        }
        let written = written.into_iter().enumerate().take(MAX_ISSUERS);
        let compiled =
            written.filter_map(|(index, issuer)| compile_one(issuer, &place.join(index), problems));
        let (list, names): (Vec<_>, Vec<_>) = compiled.unzip();
        let identifiers: Vec<_> = list.iter().map(|issuer| issuer.identifier.clone()).collect();
        let issuers = Issuers::new(list).unwrap_or_else(|error| {
            problems.add(Problem::new(error.to_string()).at(place));
            Issuers::default()
        });
        let ids = identifiers.iter().filter_map(|name| Some(issuers.find(name)?.0));
        let names = ids.zip(names).collect();
        Self { issuers, identifiers, names }
    }
}

fn compile_one(
    written: wire::Issuer,
    here: &Path,
    problems: &mut Problems,
) -> Option<(Issuer, ClaimNames)> {
    let wire::Issuer {
        issuer: identifier,
        audiences,
        algorithms,
        jwks: wire::Jwks { keys },
        profile,
        leeway,
        max_token_lifetime,
        claims,
        allow_symmetric_keys_for_development,
    } = written;
    let symmetric = if allow_symmetric_keys_for_development {
        Symmetric::AllowedForDevelopment
    } else {
        Symmetric::Refused
    };
    let keys = KeySet::from_jwks(&json!({ "keys": keys }), symmetric);
    let keys =
        problems.take(keys.map_err(|error| Problem::new(error.to_string()).at(here.join("jwks"))));
    let keys = keys.map(|(keys, skipped)| {
        for key in skipped {
            let place = here.join("jwks").join("keys").join(key.index);
            let message = format!("this key is not used: {}", key.reason);
            problems.add(Problem::warning(message).at(place));
        }
        keys
    });
    let algorithms = algorithms.iter().enumerate().filter_map(|(index, name)| {
        let algorithm = allowed(name, symmetric);
        problems.take(algorithm.map_err(|problem| problem.at(here.join("algorithms").join(index))))
    });
    let algorithms = algorithms.collect();
    let leeway = leeway.map_or(Some(Leeway::default()), |time| Leeway::from_secs(time.get()));
    let leeway = problems.take(leeway.ok_or_else(|| {
        Problem::new(format!("expected at most `{}s`", Leeway::MAX_SECS)).at(here.join("leeway"))
    }));
    let mut path = |name: &str, text: &str| {
        let path = text.parse::<ClaimPath>();
        let place = || here.join("claims").join(name);
        problems.take(path.map_err(|error| Problem::new(error.to_string()).at(place())))
    };
    let organization = path("organization", &claims.organization);
    let roles = path("roles", &claims.roles);
    let profile = match profile {
        wire::Profile::Rfc9068 => Profile::Rfc9068,
        wire::Profile::Jwt => Profile::Jwt,
    };
    let max_lifetime = max_token_lifetime.map_or(DEFAULT_MAX_LIFETIME, Seconds::get);
    let issuer = Issuer {
        identifier,
        audiences,
        algorithms,
        keys: keys?,
        profile,
        leeway: leeway?,
        max_lifetime: NonZeroU32::new(max_lifetime)?,
    };
    Some((issuer, ClaimNames { organization: organization?, roles: roles? }))
}

/// The algorithm called `name`, if an issuer may sign with it.
fn allowed(name: &str, symmetric: Symmetric) -> Result<Algorithm, Problem> {
    match name.parse() {
        Ok(Algorithm::Hs256) if symmetric == Symmetric::Refused => Err(Problem::new(
            "`HS256` shares its secret with whoever verifies: expected a public key algorithm, such as `ES256`",
        )),
        Ok(algorithm) => Ok(algorithm),
        Err(error) => Err(Problem::new(format!("unknown algorithm `{name}`: {error}"))),
    }
}
