//! What a token settles before any request is looked at, and the bounded memory of it.
//!
//! Verifying a token and working out what its holder may do depends on the token and the policy
//! alone, so it is done once for both: a request with a token seen before does look-ups only.

use std::hash::{Hash, Hasher};
use std::rc::Rc;

use hashbrown::hash_map::IntoIter;
use hashbrown::{Equivalent, HashMap};

use crate::api_key::ApiKey;
use crate::audit::{Members, identity};
use crate::authorize::facts::{self, Known, OfCredential, Settled};
use crate::authorize::{self, Grant};
use crate::binding::{Binding, Unproven};
use crate::denial::{Denial, Refusal};
use crate::feed::{Feeds, TokenStatus};
use crate::fields::Fields;
use crate::host::Timestamp;
use crate::limit::BucketKey;
use crate::policy::{Amendments, Kind, Limits, Per, Policy};
use crate::principal::attributes::{self, Values};
use crate::principal::{Caller, Principal};
use crate::revocation::{Revocation, Revocations, What};
use crate::token::{Claims, Rejected, Signer, Verified};

/// A verified token's holder, or an API key's, and what they may do.
#[derive(Debug)]
pub struct Session {
    /// Who is calling.
    pub caller: Caller,
    /// What they may do; or why they may do nothing at all.
    pub standing: Result<Grant, Refusal>,
    /// What has been taken back of it; it has no standing then.
    pub revocation: Option<Revocation>,
    /// What the token is bound to: each request has to prove it.
    pub binding: Option<Binding>,
    /// What the token says, for conditions.
    pub claims: Claims,
    /// What is known of the agent by the policy and the token.
    pub attributes: Values,
    /// What the credential settles of what conditions ask.
    pub known: Known,
    /// What it decides of conditions.
    pub settled: Settled,
    /// Their bucket in each of the limits of their class, as far as it does not depend on the request.
    pub buckets: Vec<BucketKey>,
    /// By what they are watched, if they are an agent and the policy has agents watched.
    pub watched: Option<BucketKey>,
    /// What their organization's clocks say less UTC, in seconds.
    pub zone: i32,
    /// The headers that tell the backend of them.
    pub headers: Rc<Fields>,
    /// What is recorded of them.
    pub members: Members,
    /// The key that the token is signed with, if it is one.
    signer: Option<Signer>,
    /// What its issuer said of it later, if it says so anywhere.
    status: Option<TokenStatus>,
    /// Bytes of an answer that it was read from; what a token says weighs as much as the token.
    weight: usize,
    not_before: i64,
    expires: i64,
}

impl Session {
    /// Settles what a token is good for; `taken` is what is taken back besides what the policy takes
    /// back.
    ///
    /// # Errors
    ///
    /// Why the token is refused.
    pub fn open(
        policy: &Policy,
        taken: &Amendments,
        verified: Verified<'_>,
    ) -> Result<Self, Refusal> {
        let principal = Principal::identify(&verified, policy)
            .map_err(|error| Refusal::because(Denial::InvalidToken, error.reason()))?;
        let binding = Binding::of(&verified.claims)?;
        policy.binding.cover(binding)?;
        let scopes = || principal.scopes(policy, &verified.claims);
        if !policy.lifetimes.permit(verified.lifetime, scopes()) {
            return Err(Rejected::LifetimeTooLong.into());
        }
        if !policy.required.of(verified.issuer_id, scopes()).permits(binding) {
            return Err(Unproven::NotBoundAsRequired.into());
        }
        let ended = verified.status.filter(|status| !status.is_valid());
        let revocation = revocation(policy, taken, &principal, &verified.claims)
            .or_else(|| ended.map(|status| Revocation::by_status(status.index)));
        let (attributes, invalid) = match attributes::of_token(policy, &principal, &verified.claims)
        {
            Ok(attributes) => (attributes, None),
            Err(denial) => (Values::new(), Some(denial)),
        };
        let (buckets, watched) = (buckets(policy, &principal), watched(policy, &principal));
        let zone = zone(policy, taken, principal.organization.as_deref());
        let members = Members::of_caller(policy, &principal, &attributes, binding, revocation);
        let caller = Caller::Token(principal);
        let known = facts::known(policy, &caller, &attributes);
        let settled = Settled::none(policy);
        let standing = match (revocation, invalid, &caller) {
            (Some(revocation), ..) => Err(revocation.refusal()),
            (None, Some(denial), _) => Err(denial.into()),
            (None, None, Caller::Key(_)) => Err(Denial::InvalidToken.into()),
            (None, None, Caller::Token(principal)) => {
                let known = OfCredential {
                    claims: &verified.claims,
                    known: &known,
                    settled: &settled,
                    vocabulary: &policy.vocabulary,
                };
                let organization = principal.organization.as_deref();
                let controls = authorize::controls(policy, taken, organization);
                authorize::grant(policy, principal, &known, &controls)
                    .and_then(|grant| authorize::delegation(policy, principal).map(|()| grant))
            }
        };
        let headers = standing.as_ref().map(|grant| identity(policy, &caller, grant).into());
        Ok(Self {
            attributes,
            known,
            settled,
            buckets,
            watched,
            zone,
            headers: headers.unwrap_or_default(),
            members,
            signer: verified.signer,
            status: verified.status,
            weight: 0,
            not_before: verified.not_before,
            expires: verified.expires,
            binding,
            claims: verified.claims,
            caller,
            standing,
            revocation,
        })
    }

    /// Settles what an API key is good for; `taken` as for a token.
    ///
    /// # Errors
    ///
    /// Why the key is refused.
    pub fn open_key(
        policy: &Policy,
        taken: &Amendments,
        secret: &[u8],
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let key = policy.api_keys.as_ref().and_then(|keys| keys.find(secret));
        let unknown = "the API key is none of this API's";
        let key = key.ok_or(Refusal::because(Denial::InvalidToken, unknown))?;
        let span = key.span(now)?;
        let revocation = key_revocation(policy, taken, &key.id);
        let standing = match revocation {
            Some(revocation) => Err(revocation.refusal()),
            None => {
                let controls = authorize::controls(policy, taken, Some(&key.organization));
                Ok(authorize::grant_key(policy, key, &controls))
            }
        };
        let caller = Caller::Key(key.clone());
        let headers = standing.as_ref().map(|grant| identity(policy, &caller, grant).into());
        Ok(Self {
            attributes: Values::new(),
            known: facts::known(policy, &caller, &Values::new()),
            settled: Settled::none(policy),
            buckets: key_buckets(policy, key),
            watched: None,
            zone: zone(policy, taken, Some(&key.organization)),
            headers: headers.unwrap_or_default(),
            members: Members::of_key(key, span.due, revocation),
            signer: None,
            status: None,
            weight: 0,
            not_before: span.not_before,
            expires: span.expires,
            binding: None,
            claims: Claims::default(),
            caller,
            standing,
            revocation,
        })
    }

    /// Whom the token speaks for, if it is one.
    pub const fn principal(&self) -> Option<&Principal> {
        match &self.caller {
            Caller::Key(_) => None,
            Caller::Token(principal) => Some(principal),
        }
    }

    /// What is known of it before there is a request.
    pub const fn credential<'a>(&'a self, policy: &'a Policy) -> OfCredential<'a> {
        OfCredential {
            claims: &self.claims,
            known: &self.known,
            settled: &self.settled,
            vocabulary: &policy.vocabulary,
        }
    }

    /// Whether as much of it is taken away now as was when it was opened, and that was by `before`.
    pub(crate) fn is_as_it_was(
        &self,
        policy: &Policy,
        before: &Amendments,
        taken: &Amendments,
    ) -> bool {
        let (now, organization) = match &self.caller {
            Caller::Key(key) => {
                (key_revocation(policy, taken, &key.id), Some(key.organization.as_str()))
            }
            Caller::Token(principal) => {
                let revocation = revocation(policy, taken, principal, &self.claims);
                (revocation, principal.organization.as_deref())
            }
        };
        let own = |one: &Revocation| one.what == What::Status;
        let is_decided_alike = organization
            .is_none_or(|name| before.organizations.get(name) == taken.organizations.get(name));
        is_decided_alike && now.or(self.revocation.filter(own)) == self.revocation
    }

    /// The same, read from so many bytes besides the token.
    #[must_use]
    pub(crate) fn weighing(self, weight: usize) -> Self {
        Self { weight, ..self }
    }

    /// Whether it is the session of a token about which its issuer was asked.
    pub const fn is_introspected(&self) -> bool {
        matches!(self.caller, Caller::Token(_)) && self.signer.is_none()
    }

    /// Whether the token is valid at `now`.
    fn is_valid(&self, now: Timestamp) -> bool {
        (self.not_before..self.expires).contains(&now.as_secs())
    }

    /// The limits that count the calls of this session.
    pub fn limits<'p>(&self, policy: &'p Policy) -> &'p Limits {
        limits_of(policy, self.principal().map_or(Kind::Organization, |principal| principal.kind))
    }
}

/// What of a token is taken back: by the policy, or else besides.
fn revocation(
    policy: &Policy,
    taken: &Amendments,
    principal: &Principal,
    claims: &Claims,
) -> Option<Revocation> {
    let find = |revocations: &Revocations| revocations.find(&policy.agents, principal, claims);
    find(&policy.revocations).or_else(|| find(&taken.revocations).map(Revocation::fetched))
}

/// The same of an API key.
fn key_revocation(policy: &Policy, taken: &Amendments, id: &str) -> Option<Revocation> {
    let find = |revocations: &Revocations| revocations.find_key(id);
    find(&policy.revocations).or_else(|| find(&taken.revocations).map(Revocation::fetched))
}

fn limits_of(policy: &Policy, kind: Kind) -> &Limits {
    match kind {
        Kind::Agent => &policy.agent_limits,
        Kind::Human => &policy.human_limits,
        Kind::Organization => &policy.key_limits,
    }
}

/// Where the days of an organization begin.
fn zone(policy: &Policy, taken: &Amendments, organization: Option<&str>) -> i32 {
    let controls = authorize::controls(policy, taken, organization);
    controls.iter().flatten().find_map(|control| control.zone).unwrap_or_default()
}

/// The buckets of an API key, one for each limit of keys.
fn key_buckets(policy: &Policy, key: &ApiKey) -> Vec<BucketKey> {
    let (organization, id) = (key.organization.as_str(), key.id.as_str());
    let parts = |per: &Per, parts: &mut Vec<_>| match per {
        Per::Organization => parts.extend(["organization", organization]),
        Per::Permission | Per::Request | Per::Route => {}
        Per::Agent | Per::Client | Per::Key | Per::User => {
            parts.extend(["key", organization, id]);
        }
    };
    policy.key_limits.rules.iter().map(|rule| bucket(&rule.per, parts)).collect()
}

/// The buckets of `principal`, one for each limit of its class.
fn buckets(policy: &Policy, principal: &Principal) -> Vec<BucketKey> {
    let limits = limits_of(policy, principal.kind);
    limits.rules.iter().map(|rule| bucket_of(policy, principal, &rule.per)).collect()
}

/// By what `principal` is watched.
fn watched(policy: &Policy, principal: &Principal) -> Option<BucketKey> {
    let behaviour = policy.behaviour.as_ref().filter(|_| principal.kind == Kind::Agent)?;
    Some(bucket_of(policy, principal, &behaviour.per))
}

/// The bucket of `principal` where calls are counted so.
fn bucket_of(policy: &Policy, principal: &Principal, per: &[Per]) -> BucketKey {
    let issuer = policy.trusted.identifier(principal.issuer);
    // An agent that acts for nobody is no user, even if a user has the same subject.
    let holder = if principal.agent.is_some() && !principal.delegated { "itself" } else { "user" };
    let own = [issuer, holder, principal.subject.as_str()];
    let parts =
        |per: &Per, parts: &mut Vec<_>| match (per, &principal.agent, &principal.organization) {
            (Per::Agent, Some(agent), _) => match (agent.registered, &agent.issuer) {
                (Some(_), _) => parts.extend([issuer, "registered", &agent.name]),
                (None, None) => parts.extend([issuer, "unregistered", &agent.name]),
                (None, Some(other)) => parts.extend([issuer, "unregistered", other, &agent.name]),
            },
            (Per::Organization, _, Some(organization)) => {
                parts.extend([issuer, "organization", organization]);
            }
            (Per::Client, ..) => parts.extend([issuer, "client", &principal.client]),
            (Per::Permission | Per::Request | Per::Route, ..) => {}
            (Per::Agent | Per::Key | Per::Organization | Per::User, ..) => parts.extend(own),
        };
    bucket(per, parts)
}

/// The bucket that is of all this.
fn bucket<'a>(per: &[Per], add: impl Fn(&Per, &mut Vec<&'a str>)) -> BucketKey {
    let mut parts = Vec::new();
    per.iter().for_each(|per| add(per, &mut parts));
    BucketKey::new(&parts)
}

/// Sessions by token, or by API key: at most [`Sessions::CAPACITY`] of them, and of at most
/// [`Sessions::CAPACITY_BYTES`] of tokens and answers about them; those that were not used for longest go first.
///
/// Two generations: what is used moves to the young one, and when that is full the old one is
/// forgotten as a whole. So nothing is ever searched for what to evict. To free so much at once would
/// take milliseconds that a request waits, so what is forgotten goes little by little.
#[derive(Debug, Default)]
pub struct Sessions {
    young: HashMap<Key, Rc<Session>>,
    old: HashMap<Key, Rc<Session>>,
    forgotten: IntoIter<Key, Rc<Session>>,
    young_bytes: usize,
}

/// One forgotten session is freed for so many bytes that are remembered, and two besides: then all
/// are gone before the next generation is full.
const BYTES_PER_FREED: usize = 512;

impl Sessions {
    /// How many sessions are kept.
    pub const CAPACITY: usize = 4_096;

    /// How many bytes of tokens are kept, and of answers about them.
    pub const CAPACITY_BYTES: usize = 8 << 20;

    /// The session of `token`, if it is remembered and valid at `now`.
    pub fn find(&mut self, token: &[u8], now: Timestamp) -> Option<Rc<Session>> {
        let lookup = Lookup(token);
        if let Some(session) = self.young.get(&lookup) {
            return session.is_valid(now).then(|| Rc::clone(session));
        }
        let (key, session) = self.old.remove_entry(&lookup)?;
        if !session.is_valid(now) {
            return None;
        }
        self.keep(key, Rc::clone(&session));
        Some(session)
    }

    /// Remembers the session of `token`.
    pub fn insert(&mut self, token: &[u8], session: Rc<Session>) {
        self.keep(Key(token.into()), session);
    }

    /// Forgets all others than those.
    pub(crate) fn retain(&mut self, keeps: impl Fn(&Session) -> bool) {
        self.young.retain(|_, session| keeps(session));
        self.old.retain(|_, session| keeps(session));
    }

    /// Forgets every session whose key its issuer no longer has, or of which it says something else
    /// now.
    pub fn forget_what_changed(&mut self, feeds: &Feeds) {
        let holds = |session: &Session| match (session.principal(), &session.signer) {
            (Some(principal), Some(signer)) => feeds.still_holds(principal.issuer, signer),
            (None, _) | (_, None) => true,
        };
        let stands = |session: &Session| session.status.is_none_or(|one| feeds.still_stands(one));
        self.retain(|session| holds(session) && stands(session));
    }

    /// How many sessions are remembered.
    pub fn len(&self) -> usize {
        self.young.len().saturating_add(self.old.len())
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn keep(&mut self, key: Key, session: Rc<Session>) {
        let weight = key.0.len().saturating_add(session.weight);
        let bytes = self.young_bytes.saturating_add(weight);
        if self.young.len() >= Self::CAPACITY / 2 || bytes > Self::CAPACITY_BYTES / 2 {
            let old = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
            self.forgotten = old.into_iter();
            self.young_bytes = 0;
        }
        let freed = (weight / BYTES_PER_FREED).saturating_add(2);
        self.forgotten.by_ref().take(freed).for_each(drop);
        self.young_bytes = self.young_bytes.saturating_add(weight);
        self.young.insert(key, session);
    }
}

/// A whole token. Equality looks at all of it; the hash only at its end, where the signature is:
/// only tokens with a valid one, or that their issuer vouches for, are ever kept, so nobody can make
/// many that collide.
#[derive(PartialEq, Eq)]
struct Key(Box<[u8]>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

struct Lookup<'a>(&'a [u8]);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Lookup(&self.0).hash(state);
    }
}

impl Hash for Lookup<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.last_chunk::<32>().map_or(self.0, |tail| tail).hash(state);
    }
}

/// What `==` says, which goes byte by byte in WebAssembly; this, by words.
fn same(one: &[u8], other: &[u8]) -> bool {
    let word = |chunk: &[u8; 8]| u64::from_ne_bytes(*chunk);
    let ((ones, rest), (others, other_rest)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    let ((fours, few), (other_fours, other_few)) = (ones.as_chunks::<4>(), others.as_chunks::<4>());
    one.len() == other.len()
        && fours.iter().zip(other_fours).all(|([a, b, c, d], [e, f, g, h])| {
            let differ =
                (word(a) ^ word(e), word(b) ^ word(f), word(c) ^ word(g), word(d) ^ word(h));
            differ.0 | differ.1 | differ.2 | differ.3 == 0
        })
        && few == other_few
        && rest == other_rest
}

impl Equivalent<Key> for Lookup<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        same(self.0, &key.0)
    }
}
