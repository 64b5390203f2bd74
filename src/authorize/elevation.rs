//! What an agent may besides what it has, and how often.

use std::fmt;

use super::facts::Facts;
use super::{Grant, controls, held, is_taken_away};
use crate::denial::{Denial, Refusal};
use crate::host::{Expected, Host, HostError, Swap};
use crate::policy::{Amendments, Elevation, Kind, PermissionId, Policy};
use crate::principal::Principal;

/// Swaps that are tried before the store counts as too contended.
const MAX_ATTEMPTS: usize = 16;

/// A grant that is used.
#[derive(Clone, Debug)]
pub struct Used {
    /// Its place among the grants of the policy, or of a feed.
    pub index: usize,
    /// Whether it was fetched.
    pub is_fetched: bool,
    /// Who approved it.
    pub approved_by: String,
    /// Why.
    pub reason: String,
    /// How often it may be used, and where that is counted.
    uses: Option<(u32, String)>,
    /// How many uses are left after this one, once it is counted.
    pub left: Option<u32>,
}

/// The first grant by which an agent may do what it may not by itself.
///
/// What the user behind it may not do it may by such a grant only that says so, and what its
/// organization does not let agents do by none.
pub fn find(
    policy: &Policy,
    taken: &Amendments,
    principal: Option<&Principal>,
    grant: &Grant,
    permission: PermissionId,
    facts: &Facts<'_>,
) -> Option<Used> {
    let principal = principal.filter(|one| one.kind == Kind::Agent)?;
    let agent = principal.registered()?;
    let by_organization = grant.organization_ceilings.iter();
    if by_organization.into_iter().any(|role| !held(policy, *role).contains(permission)) {
        return None;
    }
    let may_user = !principal.delegated
        || principal.roles.iter().any(|role| policy.roles.holds(*role, permission));
    let now = facts.now.as_secs();
    let of = |list: &'_ crate::policy::Elevations| {
        let mut valid = list.of(agent, permission, facts.path, now);
        valid.find(|one| (may_user || one.beyond_user) && speaks(one, facts)).map(Used::of)
    };
    let used = of(&policy.elevations).or_else(|| of(&taken.elevations))?;
    let controls = controls(policy, taken, principal.organization.as_deref());
    (!is_taken_away(policy, principal, permission, &controls)).then_some(used)
}

/// Whether what it asks of a request is so: what cannot be told is not.
fn speaks(elevation: &Elevation, facts: &Facts<'_>) -> bool {
    let claims = facts.credential.claims;
    elevation.when.iter().all(|condition| condition.test(claims, facts) == Ok(true))
}

impl fmt::Display for Used {
    /// Where it is written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}grants[{}]", if self.is_fetched { "feed." } else { "" }, self.index)
    }
}

impl Used {
    fn of(elevation: &Elevation) -> Self {
        let Elevation { index, is_fetched, approved_by, reason, .. } = elevation;
        Self {
            index: *index,
            is_fetched: *is_fetched,
            approved_by: approved_by.clone(),
            reason: reason.clone(),
            uses: elevation.uses.as_ref().map(|(uses, key)| (uses.get(), key.clone())),
            left: None,
        }
    }

    /// Counts this use, once for all workers.
    ///
    /// # Errors
    ///
    /// [`Denial::GrantExhausted`] if it was used often enough, [`Denial::NotReady`] where that cannot
    /// be told.
    pub fn spend(&mut self, host: &impl Host) -> Result<(), Refusal> {
        let Some((uses, key)) = &self.uses else { return Ok(()) };
        self.left = Some(count(*uses, key.as_bytes(), host)?);
        Ok(())
    }
}

/// How many uses are left after one more.
fn count(uses: u32, key: &[u8], host: &impl Host) -> Result<u32, Refusal> {
    let unavailable = |_: HostError| {
        Refusal::because(Denial::NotReady, "the uses of a grant cannot be counted now")
    };
    for _ in 0..MAX_ATTEMPTS {
        let stored = host.load(key).map_err(unavailable)?;
        let (used, expected) = match &stored {
            None => (0, Expected::Absent),
            Some(stored) => {
                let bytes = stored.value.as_slice().try_into();
                // To take anything else for nothing would be to forget.
                let used = bytes.map(u32::from_le_bytes).map_err(|_| unavailable(HostError))?;
                (used, Expected::Version(stored.version))
            }
        };
        let left = uses.checked_sub(used).and_then(|left| left.checked_sub(1));
        let left = left.ok_or(Denial::GrantExhausted)?;
        let used = used.saturating_add(1).to_le_bytes();
        if host.swap(key, &used, expected).map_err(unavailable)? == Swap::Done {
            return Ok(left);
        }
    }
    Err(unavailable(HostError))
}
