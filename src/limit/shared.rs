//! Limits that replicas share: a service counts them that speaks Envoy's rate limit protocol, such as
//! envoyproxy/ratelimit or Limitador.
//!
//! No request waits for the service. A worker asks it for units ahead of need (a lease), spends them by
//! itself, and lets them lapse with the window that they are of. How many it asks for follows from how
//! fast the last ones went. Before any were granted a worker admits its *overdraft*, and reports that
//! with the next question. So in a window of the service's no more is admitted than its limit and, for
//! each worker, an overdraft; where the service does not say when its windows end, one more of them.
//!
//! | file | what is there |
//! | --- | --- |
//! | `account` | what one worker has of one bucket |
//! | `protocol` | questions and answers on the wire |
//! | `news` | what an operator is told |

mod account;
mod news;
mod protocol;
#[cfg(test)]
mod tests;

use std::cell::RefCell;

use hashbrown::HashMap;

use super::take::{Charge, Exceeded, Refused, Usage, Usages};
use super::{BucketKey, Class, Kind, Limit};
use crate::breaker::Breaker;
use crate::feed::{Response, Url};
use crate::host::{Content, Fetch, Host, Timestamp};
use account::{Account, Lack};
pub use news::{Failure, News};

const SECOND: u64 = super::gcra::NANOS_PER_SEC;

/// Buckets of shared limits that one worker keeps account of.
pub const MAX_ACCOUNTS: usize = 4_096;

/// Questions that one worker has under way, and that it is about to ask; further ones are not asked.
pub const MAX_QUESTIONS: usize = 64;

/// How long a caller is told to wait for units that have been asked for, in nanoseconds.
const RETRY: u64 = SECOND;

/// How much longer than the service's time to answer a question is remembered.
const SLACK: u64 = SECOND;

/// Where shared limits are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Where it is.
    pub url: Url,
    /// Through which upstream the proxy gets there: the name of a cluster that speaks HTTP/2.
    pub cluster: String,
    /// What the service calls these limits.
    pub domain: String,
    /// How long it has to answer, in milliseconds.
    pub timeout_millis: u32,
}

/// How a limit is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// What becomes of calls while the service does not answer and nothing is left of what it granted.
    pub on_failure: OnFailure,
    /// Units that a worker admits before the service has granted any.
    pub overdraft: u32,
}

/// What becomes of calls while the service does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// They are denied.
    Closed,
    /// Each proxy counts for itself, as it does besides.
    Local,
}

/// Whether the service can count by the span of time that a limit is written in.
pub(super) fn is_countable(limit: &Limit) -> bool {
    matches!(limit.kind, Kind::Rate | Kind::Quota | Kind::Loop) && protocol::unit(limit) > 0
}

/// Whose bucket of which limit.
type Bucket = (Class, u8, BucketKey);

/// What one worker has of the limits that replicas share.
#[derive(Debug, Default)]
pub struct Ledger {
    service: Option<Service>,
    limits: Vec<Limit>,
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    accounts: HashMap<Bucket, Account>,
    /// When it was looked last which accounts can be closed, in nanoseconds.
    swept: u64,
    /// Whose units are to be asked for.
    wanted: Vec<Bucket>,
    asked: Vec<Asked>,
    breaker: Breaker,
}

/// A question that has no answer yet.
#[derive(Clone, Copy, Debug)]
struct Asked {
    /// The host's name for it.
    call: u32,
    bucket: Bucket,
    /// Of the units asked for those that are spent already.
    debt: u32,
    /// The others.
    ahead: u32,
    begun: u64,
    /// When nobody expects an answer any more.
    until: u64,
}

impl Ledger {
    /// A ledger for those of `limits` that are shared. Without a service each proxy counts for itself.
    pub fn new<'l>(service: Option<Service>, limits: impl IntoIterator<Item = &'l Limit>) -> Self {
        let shared = limits.into_iter().filter(|limit| limit.share.is_some());
        Self { limits: shared.cloned().collect(), service, state: RefCell::default() }
    }

    /// Whether no limit is counted by a service.
    pub const fn is_empty(&self) -> bool {
        self.service.is_none() || self.limits.is_empty()
    }

    /// Whether the host's `call` is a question of ours.
    pub fn is_asked(&self, call: u32) -> bool {
        self.state.borrow().asked.iter().any(|asked| asked.call == call)
    }

    /// Whether there is anything to ask.
    pub fn has_wanted(&self) -> bool {
        !self.state.borrow().wanted.is_empty()
    }

    /// Whether this worker has enough of each bucket for these charges, as far as they are shared;
    /// nothing is spent yet.
    ///
    /// # Errors
    ///
    /// [`Refused::Exceeded`] with the longest wait, and [`Refused::Unavailable`] where the service does
    /// not answer and the limit says that then nobody passes.
    pub(crate) fn check<'a>(
        &self,
        charges: impl Iterator<Item = Charge<'a>>,
        now: Timestamp,
    ) -> Result<(), Refused> {
        if self.is_empty() {
            return Ok(());
        }
        let (now, state) = (now.as_nanos(), &mut *self.state.borrow_mut());
        let mut longest: Option<Exceeded> = None;
        for charge in charges {
            let Some(share) = charge.limit.share else { continue };
            if !charge.limit.admits(charge.cost) {
                // The proxy's own count never holds so much: it is not worth a question.
                continue;
            }
            let bucket = charge.bucket();
            let lack = match state.account(bucket, now) {
                Some(account) => match account.check(charge.cost, share.overdraft, now) {
                    Ok(()) => continue,
                    Err(lack) => {
                        account.miss(charge.cost);
                        Some(lack)
                    }
                },
                None => None,
            };
            let wait = match lack {
                Some(Lack::Closed(wait)) => Some(wait),
                Some(Lack::Pending) => {
                    state.want(bucket);
                    (!state.breaker.is_open()).then_some(RETRY)
                }
                None => None,
            };
            match (wait, share.on_failure) {
                (Some(wait), _) => {
                    let this = Exceeded { usage: Usage::used_up(&charge, wait), wait };
                    longest = longest.filter(|other| other.wait >= wait).or(Some(this));
                }
                (None, OnFailure::Local) => {}
                (None, OnFailure::Closed) => return Err(Refused::Unavailable),
            }
        }
        longest.map_or(Ok(()), |exceeded| Err(exceeded.into()))
    }

    /// Spends what was [checked](Self::check), and tells what is left where that is less than the
    /// proxy's own count says.
    pub(crate) fn spend<'a>(
        &self,
        charges: impl Iterator<Item = Charge<'a>>,
        now: Timestamp,
        usages: &mut Usages,
    ) {
        if self.is_empty() {
            return;
        }
        let (now, state) = (now.as_nanos(), &mut *self.state.borrow_mut());
        for charge in charges {
            let Some(share) = charge.limit.share else { continue };
            let bucket = charge.bucket();
            let Some(account) = state.account(bucket, now) else { continue };
            let wants_more = account.spend(charge.cost, share.overdraft, now);
            if let Some(left) = account.left(now) {
                usages.cap(&charge, left);
            }
            if wants_more {
                state.want(bucket);
            }
        }
    }

    /// Corrects what was spent for a call that has cost something else.
    pub(super) fn settle(&self, bucket: Bucket, reserved: (u32, u64), cost: u32, now: u64) {
        let state = &mut *self.state.borrow_mut();
        if let Some(account) = state.accounts.get_mut(&bucket) {
            account.settle(reserved, cost, now);
        }
    }

    /// Asks for what is wanted; what came of it is for the log.
    pub fn send(&self, host: &impl Host) -> Vec<News> {
        let mut news = Vec::new();
        let Some(service) = &self.service else { return news };
        let now = host.now().as_nanos();
        // A host may answer in the midst of it: nothing is borrowed while it is called.
        for _ in 0..MAX_QUESTIONS {
            let Some((asked, message)) = self.next_question(service, now) else { break };
            let sent = host.fetch(&Fetch {
                upstream: &service.cluster,
                scheme: service.url.scheme(),
                authority: service.url.authority(),
                path: protocol::PATH,
                timeout_millis: service.timeout_millis,
                known_etag: None,
                content: Content::Message(&message),
            });
            let state = &mut *self.state.borrow_mut();
            match sent {
                Ok(call) => state.asked.push(Asked { call, ..asked }),
                Err(_) => news.extend(state.failed(Failure::NotSent, now, now)),
            }
        }
        news
    }

    /// The next question to ask, if the service is asked at all.
    fn next_question(&self, service: &Service, now: u64) -> Option<(Asked, Vec<u8>)> {
        let patience = u64::from(service.timeout_millis) * 1_000_000 + SLACK;
        let state = &mut *self.state.borrow_mut();
        state.asked.retain(|asked| asked.is_open(now, patience));
        while state.asked.len() < MAX_QUESTIONS {
            let bucket = state.wanted.pop()?;
            let (class, index, key) = bucket;
            let is_of = |limit: &&Limit| (limit.class, limit.index) == (class, index);
            let Some(limit) = self.limits.iter().find(is_of) else { continue };
            let Some(share) = limit.share else { continue };
            let Some(account) = state.accounts.get_mut(&bucket) else { continue };
            let most = account.most(limit.told.0, share.overdraft);
            let Some((debt, ahead)) = account.ask(most, now) else { continue };
            if !state.breaker.admits(now, patience) {
                state.wanted.clear();
                return None;
            }
            let until = now.saturating_add(patience);
            let asked = Asked { call: 0, bucket, debt, ahead, begun: now, until };
            let hits = debt.saturating_add(ahead);
            return Some((asked, protocol::question(&service.domain, limit, key, hits)));
        }
        None
    }

    /// Takes the answer to a question, if it is one to a question of ours; what came of it is for the
    /// log.
    pub fn answered(&self, call: u32, response: &Response<'_>, now: Timestamp) -> Option<News> {
        let (now, state) = (now.as_nanos(), &mut *self.state.borrow_mut());
        let at = state.asked.iter().position(|asked| asked.call == call)?;
        let asked = state.asked.swap_remove(at);
        let word = match protocol::answer(response) {
            Ok(word) => word,
            Err(failure) => return state.failed(failure, asked.begun, now),
        };
        let has_recovered = state.breaker.succeed();
        let is_to_ask = state.accounts.get_mut(&asked.bucket).is_some_and(|account| {
            let (asked, begun) = ((asked.debt, asked.ahead), asked.begun);
            match word {
                Ok(word) => {
                    account.grant(asked, &word, begun, now);
                    false
                }
                Err(word) => account.deny(asked, &word, now),
            }
        });
        if is_to_ask {
            state.want(asked.bucket);
        }
        has_recovered.then_some(News::Recovered)
    }
}

impl State {
    /// The account of a bucket; none where there are too many that cannot be closed.
    fn account(&mut self, bucket: Bucket, now: u64) -> Option<&mut Account> {
        if !self.accounts.contains_key(&bucket) && self.accounts.len() >= MAX_ACCOUNTS {
            if now.abs_diff(self.swept) < SECOND {
                return None;
            }
            self.swept = now;
            self.accounts.retain(|_, account| !account.is_idle(now));
            if self.accounts.len() >= MAX_ACCOUNTS {
                return None;
            }
        }
        Some(self.accounts.entry(bucket).or_default())
    }

    /// Has units of a bucket asked for, unless they are being asked for.
    fn want(&mut self, bucket: Bucket) {
        let is_asked = self.asked.iter().any(|asked| asked.bucket == bucket);
        let is_wanted = self.wanted.contains(&bucket);
        if !is_asked && !is_wanted && self.wanted.len() < MAX_QUESTIONS {
            self.wanted.push(bucket);
        }
    }

    fn failed(&mut self, failure: Failure, begun: u64, now: u64) -> Option<News> {
        let pause = self.breaker.fail(begun, now)?;
        Some(News::Failed { failure, pause_millis: pause / 1_000_000 })
    }
}

impl Asked {
    /// Whether an answer may still come; not if the clock has gone back since.
    const fn is_open(&self, now: u64, patience: u64) -> bool {
        let left = self.until.saturating_sub(now);
        left > 0 && left <= patience
    }
}
