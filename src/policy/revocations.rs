//! The policy's revocations.

use super::agent::Agents;
use super::issuers::Trusted;
use super::problem::{Path, Problem, Problems, quoted};
use super::{MAX_ENTRIES, unknown, wire};
use crate::revocation::{List, Revocation, Revocations, Target, Whose};
use crate::token::{self, IssuerId};

/// Reads what is taken back; what is wrong, or does nothing, goes to `problems`.
pub(super) fn compile(
    written: wire::Revocations,
    (trusted, agents): (&Trusted, &Agents),
    problems: &mut Problems,
) -> Revocations {
    let wire::Revocations { agents: stopped, clients, issued_before, issuers, subjects, tokens } =
        written;
    let mut reader = Reader { trusted, problems, targets: Vec::new() };
    reader.read(List::Agents, stopped, |reader, name, here| {
        let found = agents.find(&name);
        if found.is_none() {
            let problem = Problem::new(format!("unknown agent {}", quoted(&name))).at(here.clone());
            let known = agents.iter().map(|agent| agent.name.as_str());
            unknown::report(problem, &name, known, reader.problems);
        }
        found.map(Target::Agent)
    });
    reader.read(List::Clients, clients, |reader, wire::RevokedClient { client, issuer }, here| {
        let client = reader.name(client, "client", here);
        Some(Target::Client(reader.issuer(issuer, here)?, client?))
    });
    reader.read(List::IssuedBefore, issued_before, Reader::issued_before);
    reader.read(List::Issuers, issuers, |reader, name, here| {
        let issuer = reader.trusted.resolve(&name, || here.clone(), reader.problems);
        issuer.map(Target::Issuer)
    });
    reader.read(List::Subjects, subjects, |reader, one, here| {
        let wire::RevokedSubject { subject, issuer } = one;
        let subject = reader.name(subject, "subject", here);
        Some(Target::Subject(reader.issuer(issuer, here)?, subject?))
    });
    reader.read(List::Tokens, tokens, |reader, wire::RevokedToken { id, issuer }, here| {
        let id = reader.name(id, "id", here);
        Some(Target::Token(reader.issuer(issuer, here)?, id?))
    });

    let Reader { targets, problems, .. } = reader;
    let mut revocations = Revocations::default();
    for (target, Revocation { index, .. }) in &targets {
        revocations.insert(target, *index);
    }
    for (target, own) in &targets {
        if let Some(other) = revocations.covering(target).filter(|other| other != own) {
            let message = format!("this can never be what refuses a token: {other} does already");
            problems.add(Problem::warning(message).at(path(own.list).join(own.index)));
        }
    }
    revocations
}

fn path(list: List) -> Path {
    Path::root().join("revocations").join(list.name())
}

struct Reader<'a> {
    trusted: &'a Trusted,
    problems: &'a mut Problems,
    targets: Vec<(Target, Revocation)>,
}

impl Reader<'_> {
    fn read<T>(
        &mut self,
        list: List,
        written: Vec<T>,
        target: impl Fn(&mut Self, T, &Path) -> Option<Target>,
    ) {
        if written.len() > MAX_ENTRIES {
            self.problems.add(Problem::new(format!("more than {MAX_ENTRIES}")).at(path(list)));
            return;
        }
        for (index, one) in written.into_iter().enumerate() {
            let target = target(self, one, &path(list).join(index));
            self.targets.extend(target.map(|target| (target, Revocation { list, index })));
        }
    }

    fn issued_before(&mut self, written: wire::IssuedBefore, here: &Path) -> Option<Target> {
        let wire::IssuedBefore { at, issuer, subject, client } = written;
        let whose = match (subject, client) {
            (None, None) => Some(Whose::Everybody),
            (Some(subject), None) => self.name(subject, "subject", here).map(Whose::Subject),
            (None, Some(client)) => self.name(client, "client", here).map(Whose::Client),
            (Some(_), Some(_)) => {
                let message = "expected `subject` or `client`, not both: write two entries";
                self.problems.add(Problem::new(message).at(here.clone()));
                None
            }
        };
        Some(Target::IssuedBefore(self.issuer(issuer, here)?, whose?, at))
    }

    /// A name that a token may have.
    fn name(&mut self, name: String, field: &'static str, here: &Path) -> Option<String> {
        if token::is_identifier(&name) {
            return Some(name);
        }
        let message = "expected 1 to 512 bytes without control characters: no token has another";
        self.problems.add(Problem::new(message).at(here.join(field)));
        None
    }

    /// The issuer named, or any; nothing if it is unknown.
    fn issuer(&mut self, name: Option<String>, here: &Path) -> Option<Option<IssuerId>> {
        match name {
            None => Some(None),
            Some(name) => {
                self.trusted.resolve(&name, || here.join("issuer"), self.problems).map(Some)
            }
        }
    }
}
