//! A document that is fetched: what it is of, where its record lies, and the edition at hand.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::record::Record;
use super::statuses::{self, StatusList};
use super::{Failure, SECOND, Source, keys, revocations};
use crate::denial::{Denial, Refusal};
use crate::host::{Expected, Host, HostError, Stored, Swap};
use crate::policy::revocations::Document;
use crate::token::{Issuer, IssuerId, KeySet, Keys};

/// One document for all workers, and what this one has of it.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) subject: Subject,
    /// What operators know it by.
    pub(super) name: String,
    pub(super) source: Source,
    pub(super) store_key: String,
    pub(super) current: RefCell<Option<Rc<Current>>>,
    pub(super) failures: Cell<u32>,
    pub(super) changed: Cell<bool>,
}

/// What a document is of.
#[derive(Debug)]
pub(super) enum Subject {
    /// The keys of an issuer.
    Keys(IssuerId),
    /// What is taken back.
    Revocations(Box<Revocations>),
    /// What became of an issuer's tokens.
    Statuses(Box<SignedBy>),
}

/// What there is to know of a list of revocations before it comes.
#[derive(Debug)]
pub(super) struct Revocations {
    pub(super) signed_by: Option<SignedBy>,
    pub(super) denies_when_stale: bool,
}

/// Who signs a document.
#[derive(Debug)]
pub(crate) struct SignedBy {
    pub(super) issuer: IssuerId,
    pub(super) name: String,
    /// Its keys, where they are in the policy.
    pub(super) keys: Option<KeySet>,
}

impl SignedBy {
    pub(crate) fn new(id: IssuerId, issuer: &Issuer) -> Self {
        let keys = match &issuer.keys {
            Keys::Inline(keys) => Some(keys.clone()),
            Keys::Remote(_) => None,
        };
        Self { issuer: id, name: issuer.identifier.clone(), keys }
    }
}

/// A document as it is used.
#[derive(Clone, Debug)]
pub(super) enum Holding {
    Keys(Rc<KeySet>),
    Revocations(Rc<Document>),
    Statuses(Rc<StatusList>),
}

/// A document, and when it came.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) holding: Holding,
    pub(super) edition: u64,
    pub(super) fetched_at: u64,
}

/// A record as it was loaded, and what must be there for it to be replaced.
pub(super) struct Loaded {
    pub(super) record: Record,
    pub(super) expected: Expected,
}

impl Subject {
    /// Reads what an answer came down to.
    pub(super) fn hold(&self, document: &[u8]) -> Result<Holding, Failure> {
        match self {
            Self::Keys(_) => keys::read(document).map(|(set, _)| Holding::Keys(Rc::new(set))),
            Self::Revocations(_) => {
                revocations::read(document).map(|document| Holding::Revocations(Rc::new(document)))
            }
            Self::Statuses(_) => {
                statuses::read(document).map(|list| Holding::Statuses(Rc::new(list)))
            }
        }
    }

    /// What a document has to be, to be one of these.
    pub(super) fn kind(&self) -> String {
        match self {
            Self::Keys(_) => "keys".to_owned(),
            Self::Revocations(about) => match &about.signed_by {
                None => "revocations".to_owned(),
                Some(issuer) => format!("revocations by {}", issuer.name),
            },
            Self::Statuses(issuer) => format!("statuses by {}", issuer.name),
        }
    }
}

impl Current {
    pub(super) fn keys(&self) -> Option<&KeySet> {
        match &self.holding {
            Holding::Keys(keys) => Some(keys),
            Holding::Revocations(_) | Holding::Statuses(_) => None,
        }
    }

    /// When it is over whatever its source says, in nanoseconds since the Unix epoch.
    fn end(&self) -> u64 {
        match &self.holding {
            Holding::Keys(_) | Holding::Revocations(_) => u64::MAX,
            Holding::Statuses(list) => {
                u64::try_from(list.expires).unwrap_or_default().saturating_mul(SECOND)
            }
        }
    }
}

impl Seat {
    pub(super) fn new(subject: Subject, name: String, source: &Source) -> Self {
        Self {
            store_key: source.store_key(&subject.kind()),
            subject,
            name,
            source: source.clone(),
            current: RefCell::default(),
            failures: Cell::default(),
            changed: Cell::default(),
        }
    }

    /// What operators are told of.
    pub(super) fn label(&self) -> String {
        let name = self.name.escape_debug();
        match self.subject {
            Subject::Keys(_) => format!("keys of `{name}`"),
            Subject::Revocations(_) => format!("revocations at `{name}`"),
            Subject::Statuses(_) => format!("statuses at `{name}`"),
        }
    }

    /// The document, if it is there and young enough to be believed.
    pub(super) fn usable(&self, now: u64) -> Option<Rc<Current>> {
        let current = self.current.borrow().clone()?;
        (now < self.stale(&current)).then_some(current)
    }

    /// When an edition is too old to be believed, in nanoseconds since the Unix epoch.
    pub(super) fn stale(&self, current: &Current) -> u64 {
        current.fetched_at.saturating_add(self.source.staleness_nanos()).min(current.end())
    }

    /// Refuses to decide without the document; while it is being fetched for the first time it is
    /// worth waiting.
    pub(super) fn not_ready(&self, why: &'static str) -> Refusal {
        let is_coming = self.failures.get() == 0 && self.current.borrow().is_none();
        let refusal = Refusal::because(Denial::NotReady, why);
        refusal.worth_waiting(is_coming.then_some(self.source.hold))
    }

    pub(super) fn load(&self, host: &impl Host) -> Result<Loaded, HostError> {
        Ok(match host.load(self.store_key.as_bytes())? {
            None => Loaded { record: Record::default(), expected: Expected::Absent },
            Some(Stored { value, version }) => Loaded {
                // What nobody here wrote is replaced at the next chance.
                record: Record::decode(&value).unwrap_or_default(),
                expected: Expected::Version(version),
            },
        })
    }

    pub(super) fn swap(&self, host: &impl Host, loaded: &Loaded) -> Result<Swap, HostError> {
        host.swap(self.store_key.as_bytes(), &loaded.record.encode(), loaded.expected)
    }
}
