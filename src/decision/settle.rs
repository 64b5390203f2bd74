//! What a call has cost after all, once there is a response.

use super::Engine;
use crate::host::Host;
use crate::limit::Receipt;

impl Engine {
    /// What a call has cost after all: nothing where the backend failed, and else what the backend says. Where
    /// it says nothing, the call costs what was reserved.
    pub fn true_cost<'h>(
        &self,
        status: Option<u16>,
        headers: impl Iterator<Item = (&'h [u8], &'h [u8])>,
    ) -> Option<u32> {
        match status {
            Some(500..) => Some(0),
            _ => self.reported_cost(headers),
        }
    }

    /// Corrects what was reserved for a call: this is what it has cost.
    pub fn settle(&self, receipts: &[Receipt], cost: u32, host: &impl Host) {
        let now = host.now();
        receipts.iter().for_each(|receipt| receipt.settle(host, &self.ledger, now, cost));
    }

    /// A call has ended, however it did: it counts no more among those under way.
    pub fn end(&self, receipts: &[Receipt], host: &impl Host) {
        receipts.iter().for_each(|receipt| receipt.end(host, host.now()));
    }

    /// What the backend says that it has cost: nothing where it says so twice, or no number.
    fn reported_cost<'h>(
        &self,
        headers: impl Iterator<Item = (&'h [u8], &'h [u8])>,
    ) -> Option<u32> {
        let wanted = self.policy.cost_header.as_deref()?.as_bytes();
        let mut values = headers.filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        let (_, value) = values.next()?;
        let text = str::from_utf8(value).ok()?.trim();
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // Too large a number is as much as there can be.
        (is_number && values.next().is_none()).then(|| text.parse().unwrap_or(u32::MAX))
    }
}
