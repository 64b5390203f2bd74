//! The policy's revocations.

use std::collections::BinaryHeap;

use super::agent::Agents;
use super::issuers::Trusted;
use super::problem::{Path, Problem, Problems, quoted};
use super::{MAX_ENTRIES, unknown, wire};
use crate::api_key::{ApiKey, ApiKeys};
use crate::revocation::{Revocation, Revocations, Target, What};
use crate::token::{self, IssuerId};

/// Reads what is taken back; what is wrong, or does nothing, goes to `problems`.
pub(super) fn compile(
    written: wire::Revocations,
    (trusted, agents, api_keys): (&Trusted, &Agents, Option<&ApiKeys>),
    problems: &mut Problems,
) -> Revocations {
    let wire::Revocations {
        agents: stopped,
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
        let known = agents.find(&name).is_some();
        if !known {
            let here = path(What::Agent).join(index);
            let problem = Problem::new(format!("unknown agent {}", quoted(&name))).at(here);
            let known = agents.iter().map(|agent| agent.name.as_str());
            unknown::report(problem, &name, known, reader.problems);
        }
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
        let own = Revocation { what: target.what, index };
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
