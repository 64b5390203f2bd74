//! Whom the policy trusts to sign tokens, and with what.

use std::fmt;
use std::num::NonZeroU32;

use hashbrown::HashMap;

use super::{Algorithms, ClaimPath, Claims, KeySet, Profile, Rejected};
use crate::feed::Source;

/// An authorization server whose tokens we accept.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// Its identifier, as in `iss` (RFC 8414 §2): compared byte for byte.
    pub identifier: String,
    /// Names of ours; a token's `aud` must hold one of them, byte for byte (RFC 8707). Without
    /// any, a token must have no `aud`, and its client must be one of `clients`.
    pub audiences: Vec<String>,
    /// The clients whose tokens are taken; without any, those of all.
    pub clients: Vec<String>,
    /// The claims that may name the client.
    pub client_claims: Vec<ClaimPath>,
    /// What it may sign with.
    pub algorithms: Algorithms,
    /// Its keys: no other issuer's token is checked with them (RFC 8725 §3.8).
    pub keys: Keys,
    /// Where it says what became of its tokens.
    pub status_lists: Vec<Source>,
    /// What its access tokens look like.
    pub profile: Profile,
    /// How far its clock and ours may differ.
    pub leeway: Leeway,
    /// The longest a token may live, in seconds: from `iat`, or from now where that is absent.
    pub max_lifetime: NonZeroU32,
}

impl Issuer {
    /// The client that a token of ours was issued to, if the token is for us.
    pub(super) fn check_recipients<'c>(&self, claims: &'c Claims) -> Result<&'c str, Rejected> {
        claims.check_audience(&self.audiences)?;
        let client = claims.client(&self.client_claims)?;
        let is_taken = |clients: &[String]| clients.iter().any(|name| name == client);
        match self.clients.as_slice() {
            // INVARIANT of `Issuers`: who has no clients has audiences.
            [] => Ok(client),
            clients if is_taken(clients) => Ok(client),
            _ => Err(Rejected::ClientNotAccepted),
        }
    }
}

/// Where an issuer's keys are.
#[derive(Clone, Debug)]
pub enum Keys {
    /// In the policy.
    Inline(KeySet),
    /// At a URL.
    Remote(Source),
}

impl Keys {
    /// No keys at all: whose tokens are all opaque signs nothing.
    pub fn none() -> Self {
        Self::Inline(KeySet::default())
    }

    /// Whether there are none, and never will be.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::Inline(keys) if keys.is_empty())
    }
}

/// How far two clocks may differ, in seconds: 30 unless told, at most [`Leeway::MAX_SECS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leeway(u32);

impl Leeway {
    /// The most there is: past it a revoked or expired token would live too long.
    pub const MAX_SECS: u32 = 300;

    /// A leeway of `secs` seconds, if that is at most [`Leeway::MAX_SECS`].
    pub const fn from_secs(secs: u32) -> Option<Self> {
        if secs <= Self::MAX_SECS { Some(Self(secs)) } else { None }
    }

    /// In seconds.
    pub const fn as_secs(self) -> u32 {
        self.0
    }
}

impl Default for Leeway {
    fn default() -> Self {
        Self(30)
    }
}

/// Names one of the [`Issuers`] that it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IssuerId(usize);

/// All issuers of a policy, each under its own identifier.
#[derive(Clone, Debug, Default)]
pub struct Issuers {
    listed: Vec<Issuer>,
    // INVARIANT: every id is an index into `listed`.
    by_identifier: HashMap<String, IssuerId>,
}

impl Issuers {
    /// Gathers the issuers of a policy.
    ///
    /// # Errors
    ///
    /// An issuer without identifier or algorithm, for no token of its could ever pass; one whose
    /// tokens would be taken whomever they are for; two issuers under one identifier.
    pub fn new(listed: Vec<Issuer>) -> Result<Self, IssuersError> {
        let mut by_identifier = HashMap::with_capacity(listed.len());
        for (index, issuer) in listed.iter().enumerate() {
            let identifier = issuer.identifier.clone();
            if identifier.is_empty() {
                return Err(IssuersError::EmptyIdentifier);
            }
            let has_audience = match issuer.profile {
                Profile::Rfc9068 => !issuer.audiences.is_empty(),
                Profile::Jwt => !issuer.audiences.is_empty() || !issuer.clients.is_empty(),
            };
            if !has_audience || issuer.audiences.iter().any(String::is_empty) {
                return Err(IssuersError::NoAudience(identifier));
            }
            if issuer.client_claims.is_empty() || issuer.clients.iter().any(String::is_empty) {
                return Err(IssuersError::NoClient(identifier));
            }
            if issuer.algorithms.is_empty() && !issuer.keys.is_none() {
                return Err(IssuersError::NoAlgorithm(identifier));
            }
            if by_identifier.contains_key(&identifier) {
                return Err(IssuersError::Duplicate(identifier));
            }
            by_identifier.insert(identifier, IssuerId(index));
        }
        Ok(Self { listed, by_identifier })
    }

    /// The issuer of this exact identifier.
    pub fn find(&self, identifier: &str) -> Option<(IssuerId, &Issuer)> {
        let id = *self.by_identifier.get(identifier)?;
        Some((id, self.get(id)?))
    }

    /// All of them, in the order of the policy.
    pub fn iter(&self) -> impl Iterator<Item = (IssuerId, &Issuer)> {
        self.listed.iter().enumerate().map(|(index, issuer)| (IssuerId(index), issuer))
    }

    /// Gives an issuer these keys for good, in the place of those it had or was to fetch. `false`
    /// if there is no such issuer.
    pub fn provide(&mut self, identifier: &str, keys: KeySet) -> bool {
        let id = self.by_identifier.get(identifier);
        let issuer = id.and_then(|id| self.listed.get_mut(id.0));
        issuer.map(|issuer| issuer.keys = Keys::Inline(keys)).is_some()
    }

    /// The issuer named by an id; none if the id came from other `Issuers`.
    pub fn get(&self, id: IssuerId) -> Option<&Issuer> {
        self.listed.get(id.0)
    }
}

/// Why a list of issuers cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssuersError {
    /// Two issuers share this identifier.
    Duplicate(String),
    /// An issuer has the empty string for an identifier.
    EmptyIdentifier,
    /// This issuer may sign with nothing.
    NoAlgorithm(String),
    /// This issuer has no audience, or an empty one.
    NoAudience(String),
    /// This issuer has a client without a name, or no claim that names clients.
    NoClient(String),
}

impl fmt::Display for IssuersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate(issuer) => write!(f, "issuer `{issuer}` is listed twice"),
            Self::EmptyIdentifier => f.write_str("an issuer's identifier is empty"),
            Self::NoAlgorithm(issuer) => {
                write!(f, "issuer `{issuer}` has no algorithm, expected at least one")
            }
            Self::NoAudience(issuer) => {
                write!(f, "issuer `{issuer}` has no audience or an empty one, expected one or more")
            }
            Self::NoClient(issuer) => {
                write!(f, "issuer `{issuer}` has a client without a name, or no claim for clients")
            }
        }
    }
}

impl std::error::Error for IssuersError {}

#[cfg(test)]
mod tests {
    use super::super::tests::forge;
    use super::*;

    #[test]
    fn issuers_are_found_by_their_exact_identifier_only() {
        let issuers = Issuers::new(vec![forge::issuer()]).unwrap();
        let (id, issuer) = issuers.find(forge::ISSUER).unwrap();
        assert_eq!(issuers.get(id).unwrap().identifier, issuer.identifier);
        for other in ["", "HTTPS://login.example/", "https://login.example", " "] {
            assert!(issuers.find(other).is_none(), "{other}");
        }
    }

    #[test]
    fn two_issuers_under_one_identifier_are_refused() {
        let refused = Issuers::new(vec![forge::issuer(), forge::issuer()]).unwrap_err();
        assert_eq!(refused, IssuersError::Duplicate(forge::ISSUER.to_owned()));
    }

    #[test]
    fn an_issuer_whose_tokens_could_never_pass_is_refused() {
        let refused = |issuer| Issuers::new(vec![issuer]).unwrap_err();
        let name = || forge::ISSUER.to_owned();
        let unnamed = Issuer { identifier: String::new(), ..forge::issuer() };
        assert_eq!(refused(unnamed), IssuersError::EmptyIdentifier);
        for audiences in [vec![], vec![String::new()]] {
            let deaf = Issuer { audiences, ..forge::issuer() };
            assert_eq!(refused(deaf), IssuersError::NoAudience(name()));
        }
        let nobodys = Issuer { clients: vec![String::new()], ..forge::issuer() };
        assert_eq!(refused(nobodys), IssuersError::NoClient(name()));
        let mute = Issuer { algorithms: Algorithms::default(), ..forge::issuer() };
        assert_eq!(refused(mute), IssuersError::NoAlgorithm(name()));
    }

    #[test]
    fn who_has_no_audience_names_the_clients_and_does_not_claim_to_follow_rfc9068() {
        let clients = vec!["support-bot".to_owned()];
        let named = Issuer { audiences: vec![], clients, ..forge::lenient_issuer() };
        Issuers::new(vec![named.clone()]).unwrap();
        for deaf in [
            Issuer { clients: vec![], ..named.clone() },
            Issuer { profile: Profile::Rfc9068, ..named },
        ] {
            let refused = Issuers::new(vec![deaf]).unwrap_err();
            assert_eq!(refused, IssuersError::NoAudience(forge::ISSUER.to_owned()));
        }
    }

    #[test]
    fn rfc7519_4_1_4_leeway_is_thirty_seconds_unless_told_and_five_minutes_at_most() {
        assert_eq!(Leeway::default().as_secs(), 30);
        assert_eq!(Leeway::from_secs(300).unwrap().as_secs(), 300);
        assert_eq!(Leeway::from_secs(301), None);
    }
}
