//! Limits that count by the same, and so lie side by side in the store.

use std::sync::Arc;

use super::meter::Idle;
use super::{Kind, Limit};

/// A limit among those of a group: the same one in the next edition of the policy, as long as it is
/// called the same and counts the same way.
pub(super) type Member = u32;

/// What whoever does not know the limit must know of its states: when they may be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) member: Member,
    pub(super) idle: Idle,
}

/// Limits of one class whose buckets are all of the same owners: one record of the store has them all.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Group {
    /// Which table of its class it is.
    pub(super) table: u8,
    pub(super) columns: Vec<Column>,
}

impl Limit {
    /// The same in a group of its own.
    pub(super) fn alone(mut self) -> Self {
        let table = self.index;
        Self::put_together(&mut [&mut self], table);
        self
    }

    /// Puts limits of one class together that count by the same; `table` says by what.
    pub fn put_together(limits: &mut [&mut Self], table: u8) {
        let mut columns: Vec<Column> = Vec::with_capacity(limits.len());
        for limit in limits.iter() {
            let mut member = member(limit);
            while columns.iter().any(|other| other.member == member) {
                member = member.wrapping_add(1);
            }
            columns.push(Column { member, idle: limit.meter.idle() });
        }
        let group = Arc::new(Group { table, columns });
        for (place, limit) in limits.iter_mut().enumerate() {
            (limit.group, limit.place) = (Arc::clone(&group), place);
        }
    }

    /// What it is called among the members of its group.
    pub(super) fn member(&self) -> Member {
        self.group.columns.get(self.place).map_or_else(|| member(self), |column| column.member)
    }
}

/// By a hash (FNV-1a) of the name, and of what a state of it means.
fn member(limit: &Limit) -> Member {
    // A state of calls under way is read by the length of its spans.
    let (meter, nanos) = limit.meter.idle().to_parts();
    let kind = match limit.kind {
        Kind::Denials => b'd',
        Kind::Writes => b'w',
        Kind::Rate | Kind::Quota | Kind::Loop | Kind::Concurrent => b'c',
    };
    let bytes = [meter, kind].into_iter().chain(nanos.to_le_bytes()).chain(limit.name.bytes());
    bytes.fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
