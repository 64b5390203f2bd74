//! What has been taken back before it ended by itself, and whether a caller is any of it.
//!
//! A token names parties: its subject, its client, its actors. RFC 8693 §4.1 has a permission
//! depend on the outermost actor alone, and so it does in [`crate::authorize`]. Here every party
//! counts, actors inside of actors too: a token that went through the hands of an agent that has
//! been stopped is that agent's work, and nobody gains a permission by one refusal more.
//!
//! Everything is a look-up, so how much is revoked has no part in what a request costs. It is
//! asked once for each token, when its session is opened.

mod named;

use std::fmt;
use std::iter::once;

use hashbrown::HashMap;

use crate::denial::{Denial, Refusal};
use crate::policy::{AgentId, Agents, Moment};
use crate::principal::Principal;
use crate::token::{Claims, IssuerId};
use named::{Named, Party, Role};

/// What is taken back. An issuer that is left out is any.
#[derive(Clone, Debug)]
pub enum Target {
    /// A registered agent.
    Agent(AgentId),
    /// A client.
    Client(Option<IssuerId>, String),
    /// What was issued before a moment.
    IssuedBefore(Option<IssuerId>, Whose, Moment),
    /// All that an issuer says.
    Issuer(IssuerId),
    /// A subject.
    Subject(Option<IssuerId>, String),
    /// One token, by its `jti`.
    Token(Option<IssuerId>, String),
}

/// Whose tokens.
#[derive(Clone, Debug)]
pub enum Whose {
    /// A client's.
    Client(String),
    /// Everybody's.
    Everybody,
    /// A subject's.
    Subject(String),
}

impl Whose {
    fn key(&self) -> (Role, &str) {
        match self {
            Self::Client(name) => (Role::Client, name),
            Self::Everybody => (Role::Everybody, ""),
            Self::Subject(name) => (Role::Subject, name),
        }
    }
}

/// A list of revocations, as policies call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// `agents`.
    Agents,
    /// `clients`.
    Clients,
    /// `issued_before`.
    IssuedBefore,
    /// `issuers`.
    Issuers,
    /// `subjects`.
    Subjects,
    /// `tokens`.
    Tokens,
}

impl List {
    /// Its name in the policy.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agents => "agents",
            Self::Clients => "clients",
            Self::IssuedBefore => "issued_before",
            Self::Issuers => "issuers",
            Self::Subjects => "subjects",
            Self::Tokens => "tokens",
        }
    }
}

/// One revocation: where it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// In which list.
    pub list: List,
    /// At which place.
    pub index: usize,
}

impl Revocation {
    /// What those are told whom it refuses.
    pub const fn refusal(self) -> Refusal {
        let (denial, reason) = match self.list {
            List::Agents => (Denial::AgentBlocked, Denial::AgentBlocked.advice()),
            List::Clients => (Denial::ClientBlocked, Denial::ClientBlocked.advice()),
            List::IssuedBefore => {
                (Denial::RevokedToken, "tokens issued before a certain moment have been revoked")
            }
            List::Issuers => (Denial::RevokedToken, "the tokens of an issuer have been revoked"),
            List::Subjects => (Denial::RevokedToken, "the tokens of a subject have been revoked"),
            List::Tokens => (Denial::RevokedToken, "the token has been revoked"),
        };
        Refusal::because(denial, reason)
    }
}

/// As a path into the policy.
impl fmt::Display for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "revocations.{}[{}]", self.list.name(), self.index)
    }
}

/// All that is taken back.
#[derive(Debug, Default)]
pub struct Revocations {
    agents: HashMap<AgentId, usize>,
    issuers: HashMap<IssuerId, usize>,
    named: Named<usize>,
    cutoffs: Named<Cutoff>,
    count: usize,
}

/// Tokens of before this second are refused.
#[derive(Clone, Copy, Debug)]
struct Cutoff {
    before: i64,
    index: usize,
}

impl Revocations {
    /// Takes `target` back, as is written at `index` of its list. Of two that say the same the
    /// first counts; of two moments the later.
    pub fn insert(&mut self, target: &Target, index: usize) {
        self.count = self.count.saturating_add(1);
        let (role, party) = match target {
            Target::Agent(id) => {
                self.agents.entry(*id).or_insert(index);
                return;
            }
            Target::Issuer(id) => {
                self.issuers.entry(*id).or_insert(index);
                return;
            }
            Target::IssuedBefore(issuer, whose, at) => {
                let cutoff = Cutoff { before: at.as_secs(), index };
                let (role, name) = whose.key();
                let known = self.cutoffs.entry(role, Party(*issuer, name), cutoff);
                if known.before < cutoff.before {
                    *known = cutoff;
                }
                return;
            }
            Target::Client(issuer, name) => (Role::Client, Party(*issuer, name)),
            Target::Subject(issuer, name) => (Role::Subject, Party(*issuer, name)),
            Target::Token(issuer, id) => (Role::Token, Party(*issuer, id)),
        };
        self.named.entry(role, party, index);
    }

    /// How many there are, those that say the same among them.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The revocation that refuses a token; first what no other token of the caller's would mend.
    pub fn find(
        &self,
        agents: &Agents,
        principal: &Principal,
        claims: &Claims,
    ) -> Option<Revocation> {
        if self.is_empty() {
            return None;
        }
        let issuer = Some(principal.issuer);
        let actors = || {
            let names = principal.actors.iter().map(String::as_str);
            principal.actor_issuers.iter().zip(names).map(|(issuer, name)| Party(*issuer, name))
        };
        let clients = || once(Party(issuer, &principal.client)).chain(actors());
        let subjects = || once(Party(issuer, &principal.subject)).chain(actors());
        let mut issuers = once(issuer).chain(principal.actor_issuers.iter().copied()).flatten();
        let token = principal.token_id.as_deref().map(|id| Party(issuer, id));

        // An agent may be called by either of its names wherever somebody acts.
        let by_client =
            clients().filter_map(|Party(issuer, name)| agents.with_client(issuer?, name));
        let by_actor = actors().filter_map(|Party(issuer, name)| agents.with_actor(issuer?, name));
        let mut acting = by_client.chain(by_actor).chain(principal.registered());

        let named = |role, party| self.named.of(role, party).next();
        let cutoff = || {
            let issued = claims.issued_at();
            let everybody = self.cutoffs.of(Role::Everybody, Party(issuer, ""));
            let clients = clients().flat_map(|party| self.cutoffs.of(Role::Client, party));
            let subjects = subjects().flat_map(|party| self.cutoffs.of(Role::Subject, party));
            let mut cutoffs = everybody.chain(clients).chain(subjects);
            cutoffs.find(|cutoff| issued.is_none_or(|issued| issued < cutoff.before))
        };
        acting
            .find_map(|id| self.agents.get(&id))
            .map(|index| (List::Agents, *index))
            .or_else(|| {
                let found = clients().find_map(|party| named(Role::Client, party));
                found.map(|index| (List::Clients, *index))
            })
            .or_else(|| {
                let found = issuers.find_map(|id| self.issuers.get(&id));
                found.map(|index| (List::Issuers, *index))
            })
            .or_else(|| {
                let found = subjects().find_map(|party| named(Role::Subject, party));
                found.map(|index| (List::Subjects, *index))
            })
            .or_else(|| named(Role::Token, token?).map(|index| (List::Tokens, *index)))
            .or_else(|| cutoff().map(|cutoff| (List::IssuedBefore, cutoff.index)))
            .map(|(list, index)| Revocation { list, index })
    }

    /// The revocation that refuses whatever `target` would: another one than `target` itself, if
    /// that is never needed.
    pub fn covering(&self, target: &Target) -> Option<Revocation> {
        let issuer = |issuer: Option<IssuerId>| {
            let index = self.issuers.get(&issuer?)?;
            Some((List::Issuers, *index))
        };
        let named = |list, role, party| {
            let index = self.named.of(role, party).next()?;
            Some((list, *index))
        };
        let found = match target {
            Target::Agent(id) => self.agents.get(id).map(|index| (List::Agents, *index)),
            Target::Client(at, name) => named(List::Clients, Role::Client, Party(*at, name)),
            Target::Issuer(id) => issuer(Some(*id)),
            Target::Subject(at, name) => {
                issuer(*at).or_else(|| named(List::Subjects, Role::Subject, Party(*at, name)))
            }
            Target::Token(at, id) => {
                issuer(*at).or_else(|| named(List::Tokens, Role::Token, Party(*at, id)))
            }
            Target::IssuedBefore(at, whose, moment) => {
                let (role, name) = whose.key();
                let party = Party(*at, name);
                let wholly = match whose {
                    Whose::Client(_) => named(List::Clients, role, party),
                    Whose::Everybody => None,
                    Whose::Subject(_) => named(List::Subjects, role, party),
                };
                let everybody = self.cutoffs.of(Role::Everybody, Party(None, ""));
                let mut cutoffs = everybody.chain(self.cutoffs.of(role, party));
                let later = cutoffs.find(|cutoff| cutoff.before >= moment.as_secs());
                issuer(*at)
                    .or(wholly)
                    .or_else(|| later.map(|cutoff| (List::IssuedBefore, cutoff.index)))
            }
        };
        found.map(|(list, index)| Revocation { list, index })
    }
}
