//! A document that is fetched: what it is of, where its record lies, and the edition at hand.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::record::Record;
use super::{Failure, Source, keys, revocations};
use crate::host::{Expected, Host, HostError, Stored, Swap};
use crate::policy::revocations::Document;
use crate::token::{IssuerId, KeySet};

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
}

/// What there is to know of a list of revocations before it comes.
#[derive(Debug)]
pub(super) struct Revocations {
    /// Who signs it: the issuer, its name and, where they are in the policy, its keys.
    pub(super) signer: Option<(IssuerId, String, Option<KeySet>)>,
    pub(super) denies_when_stale: bool,
}

/// A document as it is used.
#[derive(Clone, Debug)]
pub(super) enum Holding {
    Keys(Rc<KeySet>),
    Revocations(Rc<Document>),
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
        }
    }

    /// What a document has to be, to be one of these.
    pub(super) fn kind(&self) -> String {
        match self {
            Self::Keys(_) => "keys".to_owned(),
            Self::Revocations(about) => match &about.signer {
                None => "revocations".to_owned(),
                Some((_, issuer, _)) => format!("revocations by {issuer}"),
            },
        }
    }
}

impl Current {
    pub(super) fn keys(&self) -> Option<&KeySet> {
        match &self.holding {
            Holding::Keys(keys) => Some(keys),
            Holding::Revocations(_) => None,
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
        }
    }

    /// The document, if it is there and young enough to be believed.
    pub(super) fn usable(&self, now: u64) -> Option<Rc<Current>> {
        let current = self.current.borrow().clone()?;
        let age = now.saturating_sub(current.fetched_at);
        (age < self.source.staleness_nanos()).then_some(current)
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
