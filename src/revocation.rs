//! What has been taken back before it ended by itself, and whether a caller is any of it.
//!
//! A token names parties: its subject, its client, its actors. RFC 8693 §4.1 has a permission
//! depend on the outermost actor alone, and so it does in [`crate::authorize`]. Here every party
//! counts, actors inside of actors too: a token that went through the hands of an agent that has
//! been stopped is that agent's work, and nobody gains a permission by one refusal more.
//!
//! Everything is a look-up, so how much is revoked has no part in what a request costs. It is
//! asked once for each token, when its session is opened.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::iter::once;

use hashbrown::{Equivalent, HashMap};

use crate::denial::{Denial, Refusal};
use crate::policy::{Agents, Moment};
use crate::principal::Principal;
use crate::token::{Claims, IssuerId};

/// What is taken back.
#[derive(Clone, Debug)]
pub struct Target {
    /// What it is.
    pub what: What,
    /// The issuer that knows it; none is any.
    pub issuer: Option<IssuerId>,
    /// What it is called; empty where it has no name.
    pub name: String,
    /// Taken back is what was issued before this moment; all is where there is none.
    pub before: Option<Moment>,
}

impl Target {
    /// The first second that it leaves alone.
    fn end(&self) -> i64 {
        self.before.map_or(i64::MAX, Moment::as_secs)
    }
}

/// What something is that is taken back. An actor is both a client and a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// A registered agent, by its name in the policy.
    Agent,
    /// A client.
    Client,
    /// What a client was given before a moment.
    ClientBefore,
    /// What anybody was given before a moment.
    EverybodyBefore,
    /// All that an issuer says.
    Issuer,
    /// An API key, by its name in the policy.
    Key,
    /// One token, by its place in a list of its issuer's. Never written in a policy.
    Status,
    /// A subject.
    Subject,
    /// What a subject was given before a moment.
    SubjectBefore,
    /// One token, by its `jti`.
    Token,
}

impl What {
    /// The list of a policy in which it is.
    pub const fn list(self) -> &'static str {
        match self {
            Self::Agent => "agents",
            Self::Client => "clients",
            Self::ClientBefore | Self::EverybodyBefore | Self::SubjectBefore => "issued_before",
            Self::Issuer => "issuers",
            Self::Key => "keys",
            Self::Status => "status_lists",
            Self::Subject => "subjects",
            Self::Token => "tokens",
        }
    }
}

/// One revocation: what it is about, and where in its list it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// What it is about.
    pub what: What,
    /// Its place in the list.
    pub index: usize,
    /// Whether it is none of the policy's own, and was fetched.
    pub is_fetched: bool,
}

impl Revocation {
    /// What a token's issuer says at this place of a list.
    pub(crate) fn by_status(index: u64) -> Self {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        Self { what: What::Status, index, is_fetched: true }
    }

    /// The same, by a list that was fetched.
    pub(crate) const fn fetched(self) -> Self {
        Self { is_fetched: true, ..self }
    }

    /// What those are told whom it refuses.
    pub const fn refusal(self) -> Refusal {
        let (denial, reason) = match self.what {
            What::Agent => (Denial::AgentBlocked, Denial::AgentBlocked.advice()),
            What::Client => (Denial::ClientBlocked, Denial::ClientBlocked.advice()),
            What::ClientBefore | What::EverybodyBefore | What::SubjectBefore => {
                (Denial::RevokedToken, "tokens issued before a certain moment have been revoked")
            }
            What::Issuer => (Denial::RevokedToken, "the tokens of an issuer have been revoked"),
            What::Key => (Denial::RevokedToken, "the API key has been revoked"),
            What::Subject => (Denial::RevokedToken, "the tokens of a subject have been revoked"),
            What::Status | What::Token => (Denial::RevokedToken, "the token has been revoked"),
        };
        Refusal::because(denial, reason)
    }
}

/// As a path into the policy.
impl fmt::Display for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.what == What::Status {
            return write!(f, "{}[{}]", self.what.list(), self.index);
        }
        let feed = if self.is_fetched { "feed." } else { "" };
        write!(f, "revocations.{feed}{}[{}]", self.what.list(), self.index)
    }
}

/// All that is taken back.
#[derive(Debug, Default)]
pub struct Revocations {
    entries: HashMap<Key, Entry>,
    count: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// What was issued before this second is refused; anything is, if it is the last there is.
    before: i64,
    index: usize,
}

#[derive(Debug, PartialEq, Eq)]
struct Key(What, Option<IssuerId>, Box<str>);

#[derive(Hash)]
struct KeyRef<'a>(What, Option<IssuerId>, &'a str);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        KeyRef(self.0, self.1, &self.2).hash(state);
    }
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.0 == key.0 && self.1 == key.1 && *self.2 == *key.2
    }
}

impl Revocations {
    /// Takes `target` back, as is written at `index` of its list. Of two that say the same the
    /// first counts; of two moments the later.
    pub fn insert(&mut self, target: &Target, index: usize) {
        self.count = self.count.saturating_add(1);
        let entry = Entry { before: target.end(), index };
        let key = Key(target.what, target.issuer, target.name.as_str().into());
        let known = self.entries.entry(key).or_insert(entry);
        if known.before < entry.before {
            *known = entry;
        }
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
        // What does not say when it was issued may be older than anything.
        let issued = claims.issued_at().unwrap_or(i64::MIN);
        let refused = |what, issuer, name: &str| self.reaching(what, issuer, name, issued);

        // Whoever takes part, and the issuer that knows it, if the policy knows that one.
        let issuer = Some(principal.issuer);
        let client = (issuer, principal.client.as_str());
        let subject = (issuer, principal.subject.as_str());
        let names = principal.actors.iter().map(String::as_str);
        let actors: Vec<_> = principal.actor_issuers.iter().copied().zip(names).collect();
        let involved = |what, first| {
            once(&first).chain(&actors).find_map(|(issuer, name)| refused(what, *issuer, name))
        };

        // An agent may be called by either of its names wherever somebody acts.
        let mut acting =
            vec![principal.registered(), agents.with_client(principal.issuer, client.1)];
        for (issuer, name) in &actors {
            acting.extend(issuer.map(|issuer| agents.with_client(issuer, name)));
            acting.extend(issuer.map(|issuer| agents.with_actor(issuer, name)));
        }
        let mut acting = acting.into_iter().flatten().filter_map(|id| agents.get(id));
        let mut issuers = once(&issuer).chain(&principal.actor_issuers);

        acting
            .find_map(|agent| refused(What::Agent, None, &agent.name))
            .or_else(|| involved(What::Client, client))
            .or_else(|| issuers.find_map(|issuer| refused(What::Issuer, *issuer, "")))
            .or_else(|| involved(What::Subject, subject))
            .or_else(|| refused(What::Token, issuer, principal.token_id.as_deref()?))
            .or_else(|| refused(What::EverybodyBefore, issuer, ""))
            .or_else(|| involved(What::ClientBefore, client))
            .or_else(|| involved(What::SubjectBefore, subject))
    }

    /// The revocation that refuses the API key of this name.
    pub fn find_key(&self, id: &str) -> Option<Revocation> {
        self.reaching(What::Key, None, id, i64::MIN)
    }

    /// The revocation that refuses all that `target` does: another than its own, if that one is
    /// never needed.
    pub fn covering(&self, target: &Target) -> Option<Revocation> {
        let Target { what, issuer, name, .. } = target;
        // The last second that it refuses.
        let last = target.end().saturating_sub(1);
        let wholly = match what {
            What::ClientBefore => Some(What::Client),
            What::SubjectBefore => Some(What::Subject),
            _ => None,
        };
        let by_issuer = match what {
            // These are told first, so that they still speak.
            What::Agent | What::Client => None,
            _ => self.reaching(What::Issuer, *issuer, "", last),
        };
        by_issuer
            .or_else(|| self.reaching(wholly?, *issuer, name, last))
            // One issuer's moment is for its own tokens, and its actors may be in another's.
            .or_else(|| wholly.and_then(|_| self.reaching(What::EverybodyBefore, None, "", last)))
            .or_else(|| self.reaching(*what, *issuer, name, last))
    }

    /// The revocation of just this that reaches what was issued at a second: any issuer's first.
    fn reaching(
        &self,
        what: What,
        issuer: Option<IssuerId>,
        name: &str,
        issued: i64,
    ) -> Option<Revocation> {
        [None, issuer].into_iter().find_map(|issuer| {
            let entry = self.entries.get(&KeyRef(what, issuer, name))?;
            (issued < entry.before).then_some(Revocation {
                what,
                index: entry.index,
                is_fetched: false,
            })
        })
    }
}
