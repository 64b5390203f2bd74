//! A header map as the filter sees it and as it is sent, which is not always the same.

use super::Profile;

/// A name and a value.
pub type Field = (Vec<u8>, Vec<u8>);

/// The header fields of one message.
#[derive(Clone, Debug)]
pub struct HeaderMap {
    profile: Profile,
    slots: Vec<Slot>,
}

#[derive(Clone, Debug)]
struct Slot {
    field: Field,
    /// `false`: removed as far as the filter can tell, and sent all the same.
    visible: bool,
}

impl HeaderMap {
    pub(super) fn new(profile: Profile, fields: Vec<Field>) -> Self {
        let slots = fields.into_iter().map(|field| Slot { field, visible: true }).collect();
        Self { profile, slots }
    }

    /// What is sent on.
    pub(super) fn sent(&self) -> Vec<Field> {
        self.slots.iter().map(|slot| slot.field.clone()).collect()
    }

    /// What the filter is shown.
    pub(super) fn shown(&self) -> Vec<Field> {
        let pseudo = |slot: &&Slot| slot.field.0.starts_with(b":");
        let visible = || self.slots.iter().filter(|slot| slot.visible);
        if self.profile == Profile::TrafficServer {
            let first = |value: &[u8]| value.split(|b| *b == b',').next().map(<[u8]>::to_vec);
            return visible()
                .filter(|slot| !pseudo(slot))
                .map(|slot| (slot.field.0.clone(), first(&slot.field.1).unwrap_or_default()))
                .collect();
        }
        visible()
            .filter(pseudo)
            .chain(visible().filter(|slot| !pseudo(slot)).take(self.profile.shown_headers()))
            .map(|slot| slot.field.clone())
            .collect()
    }

    pub(super) fn add(&mut self, name: Vec<u8>, value: Vec<u8>) {
        self.slots.push(Slot { field: (name, value), visible: true });
    }

    pub(super) fn remove(&mut self, name: &[u8]) {
        let named = |slot: &Slot| slot.field.0.eq_ignore_ascii_case(name);
        if self.profile == Profile::Nginx {
            self.slots.iter_mut().filter(|slot| named(slot)).for_each(|slot| slot.visible = false);
        } else {
            self.slots.retain(|slot| !named(slot));
        }
    }

    pub(super) fn replace(&mut self, fields: Vec<Field>) {
        match self.profile {
            Profile::Envoy | Profile::ProxyWasmHost => *self = Self::new(self.profile, fields),
            Profile::Nginx => {
                self.slots.iter_mut().for_each(|slot| slot.visible = false);
                self.overwrite_first_copies(fields);
            }
            Profile::TrafficServer => self.overwrite_first_copies(fields),
        }
    }

    fn overwrite_first_copies(&mut self, fields: Vec<Field>) {
        for (name, value) in fields {
            let named = |slot: &&mut Slot| slot.field.0.eq_ignore_ascii_case(&name);
            match self.slots.iter_mut().find(named) {
                Some(slot) => *slot = Slot { field: (name, value), visible: true },
                None => self.add(name, value),
            }
        }
    }
}

/// Writes fields as the ABI passes them.
pub(super) fn encode(fields: &[Field]) -> Vec<u8> {
    let number = |n: usize| u32::try_from(n).expect("a length of 32 bits").to_le_bytes();
    let mut bytes = number(fields.len()).to_vec();
    for (name, value) in fields {
        bytes.extend(number(name.len()));
        bytes.extend(number(value.len()));
    }
    for part in fields.iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend(part);
        bytes.push(0);
    }
    bytes
}

/// Reads fields as the ABI passes them; `None` when the filter wrote nonsense.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<Field>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let (count, rest) = bytes.split_first_chunk()?;
    let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
    let (lengths, mut text) = rest.split_at_checked(count.checked_mul(8)?)?;
    let mut take = |length: &[u8; 4]| {
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (part, rest) = text.split_at_checked(length)?;
        text = rest.strip_prefix(b"\0")?;
        Some(part.to_vec())
    };
    lengths.as_chunks().0.as_chunks().0.iter().map(|[n, v]| take(n).zip(take(v))).collect()
}
