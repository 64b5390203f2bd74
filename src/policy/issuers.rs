//! The policy's token issuers: their names, their keys, their habits.

mod asked;
mod jwks;
mod status_lists;

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use hashbrown::HashMap;

use super::duration::Seconds;
use super::problem::{Path, Problem, Problems, quoted};
use super::shape::{self, Shape};
use super::{unknown, wire};
use crate::feed::{MAX_STATUS_LISTS, Source, Url};
use crate::introspection;
use crate::token::{
    Algorithm, Issuer, IssuerId, Issuers, KeySet, Keys, Leeway, Profile, Symmetric,
};

/// The longest a token may be valid where the policy does not say: a day.
const DEFAULT_MAX_LIFETIME: u32 = 86_400;

/// The most issuers a policy may have.
pub const MAX_ISSUERS: usize = 256;

/// The issuers of a policy.
#[derive(Debug, Default)]
pub struct Trusted {
    /// What verifies their tokens.
    pub issuers: Issuers,
    /// Their identifiers, in the order of the file.
    pub identifiers: Vec<String>,
    shapes: HashMap<IssuerId, Shape>,
    /// Who is asked about opaque tokens.
    introspected: Vec<(IssuerId, introspection::Source)>,
}

impl Trusted {
    /// The issuer called `identifier`.
    pub fn find(&self, identifier: &str) -> Option<IssuerId> {
        self.issuers.find(identifier).map(|(id, _)| id)
    }

    /// The issuer called `name`; one that the policy does not have is a problem.
    pub(super) fn resolve(
        &self,
        name: &str,
        here: impl FnOnce() -> Path,
        problems: &mut Problems,
    ) -> Option<IssuerId> {
        let found = self.find(name);
        if found.is_none() && !self.identifiers.iter().any(|known| known == name) {
            let problem = Problem::new(format!("unknown issuer {}", quoted(name))).at(here());
            let known = self.identifiers.iter().map(String::as_str);
            unknown::report(problem, name, known, problems);
        }
        found
    }

    /// What the issuer `id` is called.
    pub fn identifier(&self, id: IssuerId) -> &str {
        self.issuers.get(id).map_or("", |issuer| issuer.identifier.as_str())
    }

    /// What the tokens of the issuer `id` look like.
    pub fn shape(&self, id: IssuerId) -> Option<&Shape> {
        self.shapes.get(&id)
    }

    /// Gives an issuer these keys, in the place of those it had or was to fetch. `false` if there
    /// is no such issuer.
    pub fn provide(&mut self, identifier: &str, keys: KeySet) -> bool {
        self.issuers.provide(identifier, keys)
    }

    /// Where keys are fetched, and whose.
    pub fn sources(&self) -> impl Iterator<Item = (&str, &Source)> {
        self.issuers.iter().filter_map(|(_, issuer)| match &issuer.keys {
            Keys::Inline(_) => None,
            Keys::Remote(source) => Some((issuer.identifier.as_str(), source)),
        })
    }

    /// Who is asked about opaque tokens: which issuer, its name, and where.
    pub fn introspected(&self) -> impl Iterator<Item = (IssuerId, &str, &introspection::Source)> {
        self.introspected.iter().map(|(id, source)| (*id, self.identifier(*id), source))
    }

    /// The servers of issuers that requests are sent to: the upstream's name, and a URL there.
    pub fn servers(&self) -> impl Iterator<Item = (&str, &Url)> {
        let keys = self.sources().map(|(_, source)| (source.cluster.as_str(), &source.url));
        let asked = self.introspected.iter().map(|(_, one)| (one.cluster.as_str(), &one.url));
        let lists = self.issuers.iter().flat_map(|(_, issuer)| &issuer.status_lists);
        let lists = lists.map(|source| (source.cluster.as_str(), &source.url));
        keys.chain(asked).chain(lists)
    }

    /// Reads the issuers; what is wrong, or odd, goes to `problems`. There must be one, unless callers
    /// have something else than tokens.
    #[inline(never)]
    pub(super) fn compile(
        written: Vec<wire::Issuer>,
        is_needed: bool,
        problems: &mut Problems,
    ) -> Self {
        let place = Path::root().join("issuers");
        if written.len() > MAX_ISSUERS || written.is_empty() && is_needed {
            let message = format!("expected 1 to {MAX_ISSUERS} issuers, or `api_keys`");
            problems.add(Problem::new(message).at(place.clone()));
        }
        // Those with problems too, so that whoever speaks of them is not told they are unknown.
        let identifiers = written.iter().take(MAX_ISSUERS).map(|one| one.issuer.clone()).collect();
        let written = written.into_iter().enumerate().take(MAX_ISSUERS);
        let (mut list, mut shapes, mut asked) = (Vec::new(), Vec::new(), Vec::new());
        for (index, issuer) in written {
            let here = place.join(index);
            if let Some((issuer, shape, source)) = compile_one(issuer, &here, problems) {
                asked.extend(
                    source.map(|source| {
                        (issuer.identifier.clone(), source, here.join("introspection"))
                    }),
                );
                list.push(issuer);
                shapes.push(shape);
            }
        }
        asked::check_prefixes(&asked, problems);
        let lists = list.iter().map(|issuer: &Issuer| issuer.status_lists.len());
        if lists.sum::<usize>() > MAX_STATUS_LISTS {
            let message = format!("more than {MAX_STATUS_LISTS} `status_lists` in all");
            problems.add(Problem::new(message).at(place.clone()));
        }
        let names: Vec<_> = list.iter().map(|issuer| issuer.identifier.clone()).collect();
        let issuers = Issuers::new(list).unwrap_or_else(|error| {
            problems.add(Problem::new(error.to_string()).at(place));
            Issuers::default()
        });
        let ids = names.iter().filter_map(|name| Some(issuers.find(name)?.0));
        let shapes = ids.zip(shapes).collect();
        let asked = asked.into_iter();
        let introspected =
            asked.filter_map(|(name, source, _)| Some((issuers.find(&name)?.0, source))).collect();
        Self { issuers, identifiers, shapes, introspected }
    }
}

/// Finds granted scopes that are none of the policy's.
pub(super) fn check_granted_scopes(
    issuers: &[wire::Issuer],
    known: &BTreeMap<String, wire::Scope>,
    problems: &mut Problems,
) {
    for (index, issuer) in issuers.iter().enumerate().take(MAX_ISSUERS) {
        let here = Path::root().join("issuers").join(index).join("machine").join("granted_scopes");
        for (number, scope) in issuer.machine.granted_scopes.iter().enumerate() {
            if !known.contains_key(scope) {
                let message = format!("unknown scope {}", quoted(scope));
                let problem = Problem::new(message).at(here.join(number));
                unknown::report(problem, scope, known.keys().map(String::as_str), problems);
            }
        }
    }
}

fn compile_one(
    written: wire::Issuer,
    here: &Path,
    problems: &mut Problems,
) -> Option<(Issuer, Shape, Option<introspection::Source>)> {
    let wire::Issuer {
        issuer: identifier,
        preset,
        audiences,
        clients,
        algorithms,
        jwks,
        introspection,
        status_lists,
        profile,
        leeway,
        max_token_lifetime,
        mut claims,
        machine,
        agent_when,
        require,
        require_binding: _,
        allow_symmetric_keys_for_development,
    } = written;
    let habits = preset.habits();
    let says_what_a_machine_is = machine.subject.is_some() || machine.when.is_some();
    let symmetric = if allow_symmetric_keys_for_development {
        Symmetric::AllowedForDevelopment
    } else {
        Symmetric::Refused
    };
    let source =
        introspection.map(|written| asked::compile(written, &here.join("introspection"), problems));
    let keys = match jwks {
        Some(jwks) => jwks::compile(jwks, &identifier, symmetric, &here.join("jwks"), problems),
        None if source.is_none() => {
            let message = "expected `jwks`, `introspection` or both: what vouches for its tokens";
            problems.add(Problem::new(message).at(here.clone()));
            None
        }
        None if !algorithms.is_empty() => {
            let message = "nothing is signed without keys: expected it with `jwks` only";
            problems.add(Problem::new(message).at(here.join("algorithms")));
            None
        }
        None => Some(Keys::none()),
    };
    let has_keys = keys.as_ref().is_none_or(|keys| !keys.is_none());
    let place = here.join("status_lists");
    let status_lists = status_lists::compile(status_lists, has_keys, &place, problems);
    let algorithms = algorithms.iter().enumerate().filter_map(|(index, name)| {
        let algorithm = allowed(name, symmetric);
        problems.take(algorithm.map_err(|problem| problem.at(here.join("algorithms").join(index))))
    });
    let algorithms = algorithms.collect();
    let leeway = leeway.map_or(Some(Leeway::default()), |time| Leeway::from_secs(time.get()));
    let leeway = problems.take(leeway.ok_or_else(|| {
        Problem::new(format!("expected at most `{}s`", Leeway::MAX_SECS)).at(here.join("leeway"))
    }));
    let place = here.join("claims").join("client");
    let client_claims = shape::paths(claims.client.take(), habits.client, &place, problems);
    let shape = Shape::compile(claims, machine, (agent_when, require), habits, here, problems);
    let profile = match profile.unwrap_or(habits.profile) {
        wire::Profile::Rfc9068 => Profile::Rfc9068,
        wire::Profile::Jwt => Profile::Jwt,
    };
    if audiences.is_empty() && (clients.is_empty() || profile == Profile::Rfc9068) {
        let message = "no audience: expected `audiences`, or `clients` and the profile `jwt` where \
                       tokens have no `aud`";
        problems.add(Problem::new(message).at(here.clone()));
        return None;
    }
    // RFC 9068 says what `sub` is in a program's token; RFC 7662 does not.
    let is_open = profile == Profile::Jwt || source.is_some();
    if is_open && preset == wire::Preset::Rfc9068 && !says_what_a_machine_is {
        let message = "no preset, and nothing under `machine`: a program's token whose `sub` is \
                       not its client is taken for a person's";
        problems.add(Problem::warning(message).at(here.clone()));
    }
    let max_lifetime = max_token_lifetime.map_or(DEFAULT_MAX_LIFETIME, Seconds::get);
    let issuer = Issuer {
        identifier,
        audiences,
        clients,
        client_claims: client_claims?,
        algorithms,
        keys: keys?,
        status_lists,
        profile,
        leeway: leeway?,
        max_lifetime: NonZeroU32::new(max_lifetime)?,
    };
    // One that is written and wrong is a problem; without it the issuer is another one.
    let source = match source {
        Some(source) => Some(source?),
        None => None,
    };
    Some((issuer, shape?, source))
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
