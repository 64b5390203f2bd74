//! Which bindings of tokens are checked, and which are required.

use std::collections::BTreeMap;

use super::issuers::Trusted;
use super::problem::{Path, Problem, Problems, Segment};
use super::{duration::Seconds, resource, wire};
use crate::binding::{Bindings, CertificateSource, Checks, Dpop, Origin};
use crate::token::{Algorithm, Algorithms, IssuerId};

/// How old a proof may be where the policy does not say, in seconds.
const DEFAULT_MAX_AGE: u32 = 60;

/// What proofs may be signed with where the policy does not say.
const DEFAULT_ALGORITHMS: [Algorithm; 2] = [Algorithm::EdDsa, Algorithm::Es256];

/// How tokens have to be bound, by issuer and by scope: those that say.
#[derive(Debug, Default)]
pub struct Required {
    issuers: Vec<(IssuerId, Bindings)>,
    /// INVARIANT: in the order of their names.
    scopes: Vec<(String, Bindings)>,
}

impl Required {
    /// How a token of `issuer` with these scopes may be bound.
    pub fn of<'a>(&self, issuer: IssuerId, scopes: impl Iterator<Item = &'a str>) -> Bindings {
        let own = self.of_issuer(issuer);
        if self.scopes.is_empty() {
            return own;
        }
        let of_scope = |scope| {
            let place = self.scopes.binary_search_by(|(name, _)| name.as_str().cmp(scope)).ok()?;
            self.scopes.get(place).map(|(_, bindings)| *bindings)
        };
        scopes.filter_map(of_scope).fold(own, Bindings::and)
    }

    /// How a token of one of these issuers may be bound, before any scope is looked at.
    pub fn of_any(&self, issuers: impl Iterator<Item = IssuerId>) -> Bindings {
        issuers.map(|issuer| self.of_issuer(issuer)).reduce(Bindings::or).unwrap_or_default()
    }

    fn of_issuer(&self, issuer: IssuerId) -> Bindings {
        let found = self.issuers.iter().find(|(id, _)| *id == issuer);
        found.map(|(_, bindings)| *bindings).unwrap_or_default()
    }

    /// Resolves what issuers and scopes require.
    #[inline(never)]
    pub(super) fn compile(
        issuers: Vec<(String, Option<wire::RequireBinding>)>,
        scopes: &BTreeMap<String, wire::Scope>,
        trusted: &Trusted,
    ) -> Self {
        let mut required = Self::default();
        for (identifier, wanted) in issuers {
            let found = trusted.find(&identifier).zip(wanted);
            required.issuers.extend(found.map(|(id, wanted)| (id, bindings(wanted))));
        }
        for (name, scope) in scopes {
            let wanted = scope.require_binding;
            required.scopes.extend(wanted.map(|wanted| (name.clone(), bindings(wanted))));
        }
        required
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
#[inline(never)]
pub(super) fn compile(file: &wire::File, problems: &mut Problems) -> Checks {
    check_requirements(file, problems);
    let Some(wire::Binding { dpop, mtls }) = &file.binding else { return Checks::default() };
    let here = Path::root().join("binding");
    if dpop.is_none() && mtls.is_none() {
        complain(problems, &here, "", "expected `dpop`, `mtls` or both");
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

/// One place for all problems: each costs the filter a call and no more.
#[inline(never)]
fn complain(problems: &mut Problems, here: &Path, name: &str, message: &str) {
    let here = if name.is_empty() { here.clone() } else { here.join(name) };
    problems.add(Problem::new(message).at(here));
}

fn compile_dpop(
    written: &wire::Dpop,
    identifier: Option<&str>,
    here: &Path,
    problems: &mut Problems,
) -> Option<Dpop> {
    let wire::Dpop { origin: written, algorithms, max_age, nonce } = written;
    let text = match (written, identifier) {
        (Some(origin), _) => Some(origin.as_str()),
        // What is wrong with the identifier is told where it stands.
        (None, Some(identifier)) => resource::origin(identifier),
        (None, None) => {
            let message = "a proof is for a URI: expected `origin`, or `resource`";
            complain(problems, here, "", message);
            None
        }
    };
    let origin = text.and_then(Origin::parse);
    match &origin {
        None if written.is_some() => {
            let message = "expected scheme, host and port only, such as `https://api.example`";
            complain(problems, here, "origin", message);
        }
        Some(origin) if !origin.is_secure() && !origin.is_loopback() => {
            let message = "tokens and proofs that come without TLS can be read by whoever stands \
                           in between: expected `https`";
            problems.add(Problem::warning(message).at(here.join("origin")));
        }
        None | Some(_) => {}
    }
    let algorithms = match algorithms {
        None => Algorithms::from_iter(DEFAULT_ALGORITHMS),
        Some(names) => compile_algorithms(names, &here.join("algorithms"), problems),
    };
    let max_age = max_age.map_or(DEFAULT_MAX_AGE, Seconds::get);
    if max_age > Dpop::MAX_AGE_SECS {
        complain(problems, here, "max_age", "expected at most `5m`");
    }
    Some(Dpop { origin: origin?, algorithms, max_age, nonce: *nonce })
}

fn compile_algorithms(names: &[String], here: &Path, problems: &mut Problems) -> Algorithms {
    if names.is_empty() {
        complain(problems, here, "", "expected at least one, such as `ES256`");
    }
    let read = names.iter().enumerate().filter_map(|(index, name)| {
        let algorithm = name.parse().ok().filter(|algorithm| *algorithm != Algorithm::Hs256);
        if algorithm.is_none() {
            let message = "expected a signature algorithm of a public key, such as `ES256`";
            complain(problems, &here.join(index), "", message);
        }
        algorithm
    });
    read.collect()
}

/// Finds requirements that nothing could ever fulfil.
fn check_requirements(file: &wire::File, problems: &mut Problems) {
    let issuers = file.issuers.iter().map(|issuer| issuer.require_binding).enumerate();
    let issuers = issuers.map(|(index, wanted)| (Segment::Index(index), wanted, false));
    let scopes = file.scopes.iter();
    let scopes =
        scopes.map(|(name, scope)| (Segment::Key(name.clone()), scope.require_binding, false));
    let routes = file.routes.iter().enumerate();
    let routes =
        routes.map(|(index, route)| (Segment::Index(index), route.require_binding, route.public));
    check_list(file, "issuers", issuers.collect(), problems);
    check_list(file, "scopes", scopes.collect(), problems);
    check_list(file, "routes", routes.collect(), problems);
    // An API key is a secret that is sent, and bound to nothing.
    for (index, key) in file.api_keys.iter().flat_map(|keys| keys.keys.iter().enumerate()) {
        for (number, name) in key.scopes.iter().enumerate() {
            let scope = file.scopes.get(name);
            if scope.is_some_and(|scope| scope.require_binding.is_some()) {
                let here = Path::root().join("api_keys").join("keys").join(index);
                let message = "the scope wants a bound token, and an API key is bound to nothing";
                complain(problems, &here.join("scopes").join(number), "", message);
            }
        }
    }
}

/// The same of one list: of each entry its place, what it requires, and whether it is public.
fn check_list(
    file: &wire::File,
    list: &'static str,
    entries: Vec<(Segment, Option<wire::RequireBinding>, bool)>,
    problems: &mut Problems,
) {
    let binding = file.binding.as_ref();
    let dpop = binding.is_some_and(|binding| binding.dpop.is_some());
    let mtls = binding.is_some_and(|binding| binding.mtls.is_some());
    for (place, required, public) in entries {
        let message = match required {
            Some(_) if public => "a public route has no token that could be bound",
            Some(wire::RequireBinding::Any) if !dpop && !mtls => {
                "no binding is checked: expected `binding`"
            }
            Some(wire::RequireBinding::Dpop) if !dpop => {
                "no `DPoP` proof is checked: expected `binding.dpop`"
            }
            Some(wire::RequireBinding::Mtls) if !mtls => {
                "no client certificate is checked: expected `binding.mtls`"
            }
            _ => continue,
        };
        complain(problems, &Path::root().join(list).join(place), "require_binding", message);
    }
}

/// Whether no other token will do than one that is bound to a key.
pub(super) fn is_dpop_required(file: &wire::File) -> bool {
    let is_dpop = |required| required == Some(wire::RequireBinding::Dpop);
    let mut routes = file.routes.iter().filter(|route| !route.public);
    file.issuers.iter().all(|issuer| is_dpop(issuer.require_binding))
        || routes.all(|route| is_dpop(route.require_binding))
}
