//! The policy's revocations.

use std::collections::{BTreeMap, BinaryHeap};

use serde_json::Value;

use super::agent::Agents;
use super::elevations::{self, Elevations};
use super::fetched::{self, Fetched};
use super::issuers::Trusted;
use super::organizations::Organizations;
use super::problem::{Path, Problem, Problems, quoted};
use super::source::de;
use super::{MAX_ENTRIES, unknown, wire};
use crate::api_key::{ApiKey, ApiKeys};
use crate::feed::Subscription;
use crate::revocation::{Revocation, Revocations, Target, What};
use crate::token::{self, IssuerId};

/// How often what is taken back is fetched, in seconds, and how old it may get.
const DEFAULT_REFRESH: u32 = 10;
const DEFAULT_MAX_STALENESS: u32 = 300;

/// What counts besides what the policy says.
#[derive(Debug, Default)]
pub struct Amendments {
    /// What is taken back.
    pub revocations: Revocations,
    /// What organizations have decided for their own.
    pub organizations: Organizations,
    /// What agents may for a while besides what they have.
    pub elevations: Elevations,
}

/// What of a document is no list of revocations.
const ORGANIZATIONS: &str = "organizations";

/// What else is not: it gives, and is taken of who signs it only.
pub(crate) const GRANTS: &str = "grants";

/// A document of what is taken away that was fetched: as a policy has it, and read for itself.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    revocations: wire::Revocations,
    organizations: BTreeMap<String, wire::Organization>,
    grants: Vec<wire::Grant>,
}

impl Document {
    /// Reads one; `None` for what is none.
    pub(crate) fn read(value: &Value) -> Option<Self> {
        let mut members = value.as_object()?.clone();
        let organizations = match members.remove(ORGANIZATIONS) {
            Some(value) => de::from_value(&value).ok()?,
            None => BTreeMap::new(),
        };
        let grants = match members.remove(GRANTS) {
            Some(value) => de::from_value(&value).ok()?,
            None => Vec::new(),
        };
        let revocations: wire::Revocations = de::from_value(&Value::Object(members)).ok()?;
        // What it says of two parties at once nobody could do as it says.
        let is_clear = |one: &wire::IssuedBefore| one.subject.is_none() || one.client.is_none();
        let is_whole = revocations.feed.is_none() && revocations.issued_before.iter().all(is_clear);
        is_whole.then_some(Self { revocations, organizations, grants })
    }

    /// How much is taken back.
    pub(crate) fn len(&self) -> usize {
        let wire::Revocations {
            agents,
            clients,
            issued_before,
            issuers,
            keys,
            subjects,
            tokens,
            ..
        } = &self.revocations;
        [agents.len(), clients.len(), issued_before.len(), issuers.len(), keys.len()]
            .into_iter()
            .chain([subjects.len(), tokens.len(), self.organizations.len(), self.grants.len()])
            .sum()
    }

    /// What of it is about this policy: an issuer that it does not have has no tokens here.
    pub(crate) fn compile(&self, policy: &super::Policy) -> Amendments {
        let mut written = self.revocations.clone();
        let trusted = &policy.trusted;
        let is_ours = |issuer: &Option<String>| {
            issuer.as_ref().is_none_or(|name| trusted.find(name).is_some())
        };
        for list in [&mut written.clients, &mut written.subjects, &mut written.tokens] {
            list.retain(|one| is_ours(&one.issuer));
        }
        written.issued_before.retain(|one| is_ours(&one.issuer));
        written.issuers.retain(|name| trusted.find(name).is_some());
        // Names of agents and keys that the policy does not have yet do no harm.
        let parties = (trusted, &policy.agents, policy.api_keys.as_ref());
        let unheard = &mut Problems::new();
        let organizations = self.organizations.clone();
        let about = elevations::About {
            agents: &policy.agents,
            roles: &policy.roles,
            permissions: &policy.permissions,
        };
        Amendments {
            elevations: Elevations::compile(self.grants.clone(), &about, None, unheard),
            revocations: compile(written, parties, unheard),
            organizations: Organizations::compile(
                organizations,
                &policy.roles,
                &policy.scopes,
                unheard,
            ),
        }
    }
}

/// Reads where what is taken back is told; what is wrong goes to `problems`.
pub(super) fn subscribe(
    written: Option<wire::RevocationFeed>,
    trusted: &Trusted,
    problems: &mut Problems,
) -> Option<Subscription> {
    let wire::RevocationFeed {
        url,
        cluster,
        signed_by,
        refresh,
        max_staleness,
        when_stale,
        timeout,
        hold,
    } = written?;
    let here = Path::root().join("revocations").join("feed");
    let url = fetched::url(&url, &here, "url", problems);
    let fetched = Fetched {
        cluster: Some(cluster),
        refresh: (refresh, DEFAULT_REFRESH),
        max_staleness: (max_staleness, DEFAULT_MAX_STALENESS),
        timeout,
        hold,
    };
    let source = fetched.compile(url, false, &here, problems);
    let signer = match signed_by {
        None => None,
        Some(name) => Some(trusted.resolve(&name, || here.join("signed_by"), problems)?),
    };
    let denies_when_stale = when_stale == wire::WhenStale::Deny;
    Some(Subscription { source: source?, signer, denies_when_stale })
}

/// Reads what is taken back; what is wrong, or does nothing, goes to `problems`.
#[inline(never)]
pub(super) fn compile(
    written: wire::Revocations,
    (trusted, agents, api_keys): (&Trusted, &Agents, Option<&ApiKeys>),
    problems: &mut Problems,
) -> Revocations {
    let wire::Revocations {
        agents: stopped,
        feed: _,
        clients,
        issued_before,
        issuers,
        keys,
        subjects,
        tokens,
    } = written;
    let mut reader = Reader { trusted, problems, targets: Vec::new() };
    reader.bound(What::Agent, stopped.len());
    for (index, name) in stopped.into_iter().enumerate().take(MAX_ENTRIES) {
        agents.resolve(&name, || path(What::Agent).join(index), reader.problems);
        reader.add(index, Target { what: What::Agent, issuer: None, name, before: None });
    }
    reader.bound(What::Key, keys.len());
    let known = api_keys.into_iter().flat_map(ApiKeys::iter).map(ApiKey::name);
    let known = BinaryHeap::from_iter(known).into_sorted_vec();
    for (index, name) in keys.into_iter().enumerate().take(MAX_ENTRIES) {
        if known.binary_search(&name.as_str()).is_err() {
            let here = path(What::Key).join(index);
            let problem = Problem::new(format!("unknown key {}", quoted(&name))).at(here);
            unknown::report(problem, &name, known.iter().copied(), reader.problems);
        }
        reader.add(index, Target { what: What::Key, issuer: None, name, before: None });
    }
    reader.bound(What::Issuer, issuers.len());
    for (index, name) in issuers.into_iter().enumerate().take(MAX_ENTRIES) {
        let issuer = reader.issuer(Some(name), || path(What::Issuer).join(index));
        let name = String::new();
        reader.add(index, Target { what: What::Issuer, issuer, name, before: None });
    }
    for (what, list) in [(What::Client, clients), (What::Subject, subjects), (What::Token, tokens)]
    {
        reader.bound(what, list.len());
        for (index, wire::Revoked { id, issuer }) in list.into_iter().enumerate().take(MAX_ENTRIES)
        {
            let here = || path(what).join(index);
            reader.check_name(&id, || here().join("id"));
            let issuer = reader.issuer(issuer, || here().join("issuer"));
            reader.add(index, Target { what, issuer, name: id, before: None });
        }
    }
    reader.bound(What::EverybodyBefore, issued_before.len());
    for (index, written) in issued_before.into_iter().enumerate().take(MAX_ENTRIES) {
        let wire::IssuedBefore { at, issuer, subject, client } = written;
        let here = || path(What::EverybodyBefore).join(index);
        let (what, name) = match (subject, client) {
            (None, None) => (What::EverybodyBefore, None),
            (Some(subject), None) => (What::SubjectBefore, Some(("subject", subject))),
            (None, Some(client)) => (What::ClientBefore, Some(("client", client))),
            (Some(_), Some(client)) => {
                let message = "expected `subject` or `client`, not both: write two entries";
                reader.problems.add(Problem::new(message).at(here()));
                (What::ClientBefore, Some(("client", client)))
            }
        };
        if let Some((field, name)) = &name {
            reader.check_name(name, || here().join(*field));
        }
        let issuer = reader.issuer(issuer, || here().join("issuer"));
        let name = name.map(|(_, name)| name).unwrap_or_default();
        reader.add(index, Target { what, issuer, name, before: Some(at) });
    }
    reader.finish()
}

fn path(what: What) -> Path {
    Path::root().join("revocations").join(what.list())
}

/// A policy with an error is no policy, so what is wrong is told, and read on.
struct Reader<'a> {
    trusted: &'a Trusted,
    problems: &'a mut Problems,
    targets: Vec<(Target, Revocation)>,
}

impl Reader<'_> {
    fn bound(&mut self, what: What, length: usize) {
        if length > MAX_ENTRIES {
            let message = format!("more than {MAX_ENTRIES}");
            self.problems.add(Problem::new(message).at(path(what)));
        }
    }

    fn check_name(&mut self, name: &str, here: impl FnOnce() -> Path) {
        if !token::is_identifier(name) {
            let message = "expected 1 to 512 bytes without control characters: \
                           no token has another";
            self.problems.add(Problem::new(message).at(here()));
        }
    }

    fn issuer(&mut self, name: Option<String>, here: impl FnOnce() -> Path) -> Option<IssuerId> {
        self.trusted.resolve(&name?, here, self.problems)
    }

    fn add(&mut self, index: usize, target: Target) {
        let own = Revocation { what: target.what, index, is_fetched: false };
        self.targets.push((target, own));
    }

    fn finish(self) -> Revocations {
        let mut revocations = Revocations::default();
        for (target, own) in &self.targets {
            revocations.insert(target, own.index);
        }
        for (target, own) in &self.targets {
            if let Some(other) = revocations.covering(target).filter(|other| other != own) {
                let message =
                    format!("this can never be what refuses a token: {other} does already");
                let here = path(own.what).join(own.index);
                self.problems.add(Problem::warning(message).at(here));
            }
        }
        revocations
    }
}
