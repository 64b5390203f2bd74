//! Charging a request to its limits, all or none.

use std::fmt;

use super::gcra::NANOS_PER_SEC;
use super::key::Owner;
use super::lease::Leases;
use super::meter::Meter;
use super::record::{self, Claim, Record};
use super::{BucketKey, Class, Kind, Limit, MAX_LIMITS};
use crate::host::{Host, Timestamp};

/// What a request costs at one limit.
#[derive(Clone, Copy, Debug)]
pub struct Charge<'a> {
    /// The limit.
    pub limit: &'a Limit,
    /// Whose bucket.
    pub key: BucketKey,
    /// Units to take.
    pub cost: u32,
    /// What the clocks say by which its windows end, less UTC, in seconds.
    pub zone: i32,
}

impl Charge<'_> {
    pub(super) const fn meter(&self) -> Meter {
        self.limit.meter.in_zone(self.zone)
    }

    /// Whose record has the bucket.
    pub(super) fn owner(&self) -> Owner {
        self.key.owner(self.limit.class, self.limit.group.table)
    }

    /// Whose bucket of which limit.
    pub(super) const fn bucket(&self) -> (Class, u8, BucketKey) {
        (self.limit.class, self.limit.index, self.key)
    }
}

/// What a bucket holds after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Whose limit it is.
    pub class: Class,
    /// Which of its class it is.
    pub index: u8,
    /// What it counts.
    pub kind: Kind,
    /// Whole units that are left.
    pub remaining: u32,
    /// Nanoseconds until there is one unit more; 0 when the bucket is full.
    pub until_more: u64,
    /// The state of the bucket.
    pub(super) state: u64,
}

impl Usage {
    /// Of the bucket of a charge, in this state.
    pub(super) fn new(charge: &Charge<'_>, state: u64, now: u64) -> Self {
        let (limit, meter) = (charge.limit, charge.meter());
        Self {
            class: limit.class,
            index: limit.index,
            kind: limit.kind,
            remaining: meter.remaining(state, now),
            until_more: meter.until_more(state, now),
            state,
        }
    }

    /// Of a bucket in which nothing will be for so many nanoseconds.
    pub(super) const fn used_up(charge: &Charge<'_>, until_more: u64) -> Self {
        let Limit { class, index, kind, .. } = *charge.limit;
        Self { class, index, kind, remaining: 0, until_more, state: 0 }
    }

    /// Whether it is of `limit`.
    pub fn is_of(&self, limit: &Limit) -> bool {
        (self.class, self.index) == (limit.class, limit.index)
    }
}

/// The usage of every limit that a request was charged to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usages([Option<Usage>; MAX_LIMITS]);

impl Usages {
    /// One by one, in the order of the charges.
    pub fn iter(&self) -> impl Iterator<Item = Usage> {
        self.0.iter().flatten().copied()
    }

    /// Tells that no more than so many units are left in the bucket of a charge.
    pub(super) fn cap(&mut self, charge: &Charge<'_>, left: u32) {
        let mut usages = self.0.iter_mut().flatten();
        if let Some(usage) = usages.find(|usage| usage.is_of(charge.limit)) {
            usage.remaining = usage.remaining.min(left);
        }
    }
}

/// Why a request was charged to none of its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A bucket does not hold enough.
    Exceeded {
        /// Of the limit that asks for the longest wait.
        usage: Usage,
        /// Seconds to wait, for `Retry-After`; at least 1.
        retry_after: u64,
    },
    /// The shared store failed, holds what it should not, or is too contended: nothing is known, so
    /// nothing is admitted.
    Unavailable,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exceeded { retry_after, .. } => {
                write!(f, "the limit is used up for {retry_after} s")
            }
            Self::Unavailable => f.write_str("the rate limits cannot be counted"),
        }
    }
}

impl std::error::Error for Refused {}

/// Takes every charge from its bucket, or nothing from any of them; from what this worker has
/// taken ahead of need where there is enough of it.
///
/// All buckets are looked at before any is charged, so a refusal costs loads only. Should another
/// worker empty one in between, what the others were charged is given back, except where yet
/// another request was charged meanwhile: there the refused one stays charged, on the strict side.
///
/// # Errors
///
/// [`Refused::Exceeded`] with the longest wait when buckets do not hold enough, and
/// [`Refused::Unavailable`] when that cannot be known or there are more than [`MAX_LIMITS`] charges.
///
/// # Examples
///
/// ```
/// use postern::host::{Expected, Host, HostError, Stored, Swap, Timestamp};
/// use postern::limit::{BucketKey, Charge, Class, Leases, Limit, Refused, take};
///
/// struct NoStore;
///
/// impl Host for NoStore {
///     fn now(&self) -> Timestamp {
///         Timestamp::from_secs(1_800_000_000)
///     }
///     fn load(&self, _: &[u8]) -> Result<Option<Stored>, HostError> {
///         Err(HostError)
///     }
///     fn swap(&self, _: &[u8], _: &[u8], _: Expected) -> Result<Swap, HostError> {
///         Err(HostError)
///     }
/// }
///
/// let limit = Limit::new("agent", Class::Agents, 0, "60/min".parse()?, 20.try_into()?)?;
/// let key = BucketKey::new(&["agent", "https://login.crm.example/", "support-bot"]);
/// let charges = [Charge { limit: &limit, key, cost: 1, zone: 0 }];
/// let taken = take(&mut Leases::default(), &NoStore, NoStore.now(), charges.into_iter());
/// assert_eq!(taken, Err(Refused::Unavailable));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn take<'a>(
    leases: &mut Leases,
    host: &impl Host,
    now: Timestamp,
    charges: impl Iterator<Item = Charge<'a>> + Clone,
) -> Result<Usages, Refused> {
    if charges.clone().count() > MAX_LIMITS {
        return Err(Refused::Unavailable);
    }
    let now = now.as_nanos();
    if charges.clone().all(|charge| leases.find(&charge, now).is_some()) {
        let mut usages = Usages::default();
        spend(leases, now, charges, &mut usages)?;
        return Ok(usages);
    }

    let mut records = Records::default();
    let mut claims: [Option<Claim<'_>>; MAX_LIMITS] = [None; MAX_LIMITS];
    for (place, charge) in claims.iter_mut().zip(charges.clone()) {
        if leases.find(&charge, now).is_none() {
            *place = records.look(host, now, charge, leases.has_room(&charge, now))?;
        }
    }
    records.verdict(host)?;
    records.commit(host, now, &mut claims)?;

    let mut usages = Usages::default();
    for (usage, claim) in usages.0.iter_mut().zip(&claims) {
        *usage = claim.map(|claim| claim.usage(now));
    }
    spend(leases, now, charges, &mut usages)?;
    claims.iter().flatten().for_each(|claim| claim.lease(leases));
    Ok(usages)
}

/// Whether every bucket holds its charge; nothing is taken. A bucket that closes once it is exceeded does
/// so here too.
///
/// # Errors
///
/// As of [`take`].
pub fn check<'a>(
    host: &impl Host,
    now: Timestamp,
    charges: impl Iterator<Item = Charge<'a>>,
) -> Result<(), Refused> {
    let mut records = Records::default();
    for charge in charges {
        records.look(host, now.as_nanos(), charge, false)?;
    }
    records.verdict(host)
}

/// Gives as many units as a charge is for back to its bucket, if that owes any.
pub fn credit(host: &impl Host, now: Timestamp, charge: &Charge<'_>) {
    record::credit(host, now.as_nanos(), charge);
}

/// Pays from leases what has not been charged in the store.
fn spend<'a>(
    leases: &mut Leases,
    now: u64,
    charges: impl Iterator<Item = Charge<'a>>,
    usages: &mut Usages,
) -> Result<(), Refused> {
    for (usage, charge) in usages.0.iter_mut().zip(charges) {
        if usage.is_none() {
            let spent = leases.spend(&charge, now).ok_or(Refused::Unavailable)?;
            *usage = Some(Usage::new(&charge, spent, now));
        }
    }
    Ok(())
}

/// The records of all whose buckets are charged, and the longest wait of those that do not hold enough.
#[derive(Default)]
struct Records {
    records: [Option<Record>; MAX_LIMITS],
    longest: Option<Exceeded>,
}

impl Records {
    /// Looks whether a bucket holds a charge, and where that is `wanted` some more. Each record is read
    /// once.
    fn look<'a>(
        &mut self,
        host: &impl Host,
        now: u64,
        charge: Charge<'a>,
        wanted: bool,
    ) -> Result<Option<Claim<'a>>, Refused> {
        for (place, record) in self.records.iter_mut().enumerate() {
            let record = match record {
                Some(record) if !record.is_of(&charge) => continue,
                Some(record) => record,
                None => record.insert(Record::read(host, now, &charge)?),
            };
            return Ok(match record.look((charge, place), wanted, now) {
                Ok(claim) => Some(claim),
                Err(this) => {
                    self.longest =
                        self.longest.filter(|other| other.wait >= this.wait).or(Some(this));
                    None
                }
            });
        }
        Err(Refused::Unavailable)
    }

    /// Whether all hold what they are charged; else what there is to put right is written.
    fn verdict(&self, host: &impl Host) -> Result<(), Refused> {
        let Some(exceeded) = self.longest else { return Ok(()) };
        self.records.iter().flatten().for_each(|record| record.mend(host));
        Err(exceeded.into())
    }

    /// Writes one record after the other; when one fails, those before it are given back.
    fn commit(
        &mut self,
        host: &impl Host,
        now: u64,
        claims: &mut [Option<Claim<'_>>],
    ) -> Result<(), Refused> {
        for place in 0..self.records.len() {
            let Some(Some(record)) = self.records.get_mut(place) else { break };
            if let Err(refused) = record.commit(host, now, (claims, place)) {
                for (before, record) in self.records.iter().flatten().enumerate().take(place) {
                    record.give_back(host, now, (claims, before));
                }
                return Err(refused);
            }
        }
        Ok(())
    }
}

/// What a bucket lacks for a charge.
#[derive(Clone, Copy)]
pub(super) struct Exceeded {
    pub(super) usage: Usage,
    /// Nanoseconds until it holds enough.
    pub(super) wait: u64,
}

impl From<Exceeded> for Refused {
    fn from(exceeded: Exceeded) -> Self {
        let retry_after = exceeded.wait.div_ceil(NANOS_PER_SEC).max(1);
        Self::Exceeded { usage: exceeded.usage, retry_after }
    }
}
