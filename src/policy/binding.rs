//! Which bindings of tokens are checked, and which are required.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::issuers::Trusted;
use super::problem::{Path, Problem, Problems, quoted};
use super::{duration::Seconds, resource, wire};
use crate::binding::{Bindings, CertificateSource, Checks, Dpop, Origin};
use crate::token::{Algorithm, Algorithms, IssuerId};

/// How old a proof may be where the policy does not say, in seconds.
const DEFAULT_MAX_AGE: u32 = 60;

/// What proofs may be signed with where the policy does not say.
const DEFAULT_ALGORITHMS: [Algorithm; 2] = [Algorithm::EdDsa, Algorithm::Es256];

/// How tokens have to be bound, by issuer and by scope.
#[derive(Debug, Default)]
pub struct Required {
    issuers: HashMap<IssuerId, Bindings>,
    scopes: HashMap<String, Bindings>,
}

impl Required {
    /// How a token of `issuer` with these scopes may be bound.
    pub fn of<'a>(&self, issuer: IssuerId, scopes: impl Iterator<Item = &'a str>) -> Bindings {
        let own = self.issuers.get(&issuer).copied().unwrap_or_default();
        if self.scopes.is_empty() {
            return own;
        }
        scopes.filter_map(|scope| self.scopes.get(scope)).fold(own, |all, one| all.and(*one))
    }

    /// How a token of one of these issuers may be bound, before any scope is looked at.
    pub fn of_any(&self, issuers: impl Iterator<Item = IssuerId>) -> Bindings {
        let of = |issuer| self.issuers.get(&issuer).copied().unwrap_or_default();
        issuers.map(of).reduce(Bindings::or).unwrap_or_default()
    }

    /// Resolves what issuers and scopes require.
    pub(super) fn compile(
        issuers: Vec<(String, Option<wire::RequireBinding>)>,
        scopes: &BTreeMap<String, wire::Scope>,
        trusted: &Trusted,
    ) -> Self {
        let issuers = issuers.into_iter().filter_map(|(identifier, required)| {
            Some((trusted.find(&identifier)?, bindings(required?)))
        });
        let scopes = scopes
            .iter()
            .filter_map(|(name, scope)| Some((name.clone(), bindings(scope.require_binding?))));
        Self { issuers: issuers.collect(), scopes: scopes.collect() }
    }
}

/// The bindings that will do.
pub(super) const fn bindings(required: wire::RequireBinding) -> Bindings {
    match required {
        wire::RequireBinding::Any => Bindings::BOUND,
        wire::RequireBinding::Dpop => Bindings::DPOP,
        wire::RequireBinding::Mtls => Bindings::MTLS,
    }
}

/// Reads how bindings are checked; what is wrong goes to `problems`.
pub(super) fn compile(file: &wire::File, problems: &mut Problems) -> Checks {
    check_requirements(file, problems);
    let Some(wire::Binding { dpop, mtls }) = &file.binding else { return Checks::default() };
    let here = Path::root().join("binding");
    if dpop.is_none() && mtls.is_none() {
        problems.add(Problem::new("expected `dpop`, `mtls` or both").at(here.clone()));
    }
    let identifier = file.resource.as_ref().map(|one| one.identifier.as_str());
    let dpop = dpop.as_ref();
    let dpop = dpop.and_then(|dpop| compile_dpop(dpop, identifier, &here.join("dpop"), problems));
    let mtls = mtls.as_ref().map(|mtls| match mtls.certificate {
        wire::CertificateSource::Connection => CertificateSource::Connection,
        wire::CertificateSource::XForwardedClientCert => CertificateSource::ForwardedHeader,
    });
    Checks { dpop, mtls }
}

fn compile_dpop(
    written: &wire::Dpop,
    identifier: Option<&str>,
    here: &Path,
    problems: &mut Problems,
) -> Option<Dpop> {
    let wire::Dpop { origin, algorithms, max_age, nonce } = written;
    let place = here.join("origin");
    let origin = match (origin, identifier) {
        (Some(origin), _) => Origin::parse(origin).ok_or_else(|| {
            Problem::new("expected scheme, host and port only, such as `https://api.example`")
                .at(place.clone())
        }),
        // What is wrong with the identifier is told where it stands.
        (None, Some(identifier)) => Ok(Origin::parse(resource::origin(identifier)?)?),
        (None, None) => {
            let message = "a proof is for a URI: expected `origin`, or `resource`";
            Err(Problem::new(message).at(here.clone()))
        }
    };
    let origin = problems.take(origin);
    if origin.as_ref().is_some_and(|origin| !origin.is_secure() && !origin.is_loopback()) {
        let message = "tokens and proofs that come without TLS can be read by whoever stands in \
                       between: expected `https`";
        problems.add(Problem::warning(message).at(place));
    }
    let algorithms = match algorithms {
        None => Algorithms::from_iter(DEFAULT_ALGORITHMS),
        Some(names) => compile_algorithms(names, &here.join("algorithms"), problems),
    };
    let max_age = max_age.map_or(DEFAULT_MAX_AGE, Seconds::get);
    if max_age > Dpop::MAX_AGE_SECS {
        problems.add(Problem::new("expected at most `5m`").at(here.join("max_age")));
    }
    Some(Dpop { origin: origin?, algorithms, max_age, nonce: *nonce })
}

fn compile_algorithms(names: &[String], here: &Path, problems: &mut Problems) -> Algorithms {
    if names.is_empty() {
        problems.add(Problem::new("expected at least one, such as `ES256`").at(here.clone()));
    }
    let read = names.iter().enumerate().filter_map(|(index, name)| {
        let algorithm = name.parse().ok().filter(|algorithm| *algorithm != Algorithm::Hs256);
        if algorithm.is_none() {
            let message = format!(
                "{} is no algorithm for proofs: expected one of a public key, such as `ES256`",
                quoted(name)
            );
            problems.add(Problem::new(message).at(here.join(index)));
        }
        algorithm
    });
    read.collect()
}

/// Finds requirements that nothing could ever fulfil.
fn check_requirements(file: &wire::File, problems: &mut Problems) {
    let binding = file.binding.as_ref();
    let dpop = binding.is_some_and(|binding| binding.dpop.is_some());
    let mtls = binding.is_some_and(|binding| binding.mtls.is_some());
    let mut check = |required: Option<wire::RequireBinding>, here: &dyn Fn() -> Path| {
        let message = match required {
            Some(wire::RequireBinding::Any) if !dpop && !mtls => {
                "no binding is checked: expected `binding`"
            }
            Some(wire::RequireBinding::Dpop) if !dpop => {
                "no `DPoP` proof is checked: expected `binding.dpop`"
            }
            Some(wire::RequireBinding::Mtls) if !mtls => {
                "no client certificate is checked: expected `binding.mtls`"
            }
            _ => return,
        };
        problems.add(Problem::new(message).at(here().join("require_binding")));
    };
    for (index, issuer) in file.issuers.iter().enumerate() {
        check(issuer.require_binding, &|| Path::root().join("issuers").join(index));
    }
    for (name, scope) in &file.scopes {
        check(scope.require_binding, &|| Path::root().join("scopes").join(name.as_str()));
    }
    for (index, route) in file.routes.iter().enumerate() {
        let here = || Path::root().join("routes").join(index);
        check(route.require_binding, &here);
    }
    for (index, route) in file.routes.iter().enumerate() {
        if route.public && route.require_binding.is_some() {
            let here = Path::root().join("routes").join(index).join("require_binding");
            let message = "a public route has no token that could be bound";
            problems.add(Problem::new(message).at(here));
        }
    }
    // An API key is a secret that is sent, and bound to nothing.
    for (index, key) in file.api_keys.iter().flat_map(|keys| keys.keys.iter().enumerate()) {
        for (number, name) in key.scopes.iter().enumerate() {
            let scope = file.scopes.get(name);
            if scope.is_some_and(|scope| scope.require_binding.is_some()) {
                let here = Path::root().join("api_keys").join("keys").join(index);
                let message = format!(
                    "scope {} wants a bound token, and an API key is bound to nothing",
                    quoted(name)
                );
                problems.add(Problem::new(message).at(here.join("scopes").join(number)));
            }
        }
    }
}

/// Whether no other token will do than one that is bound to a key.
pub(super) fn is_dpop_required(file: &wire::File) -> bool {
    let is_dpop = |required| required == Some(wire::RequireBinding::Dpop);
    let mut routes = file.routes.iter().filter(|route| !route.public);
    file.issuers.iter().all(|issuer| is_dpop(issuer.require_binding))
        || routes.all(|route| is_dpop(route.require_binding))
}
