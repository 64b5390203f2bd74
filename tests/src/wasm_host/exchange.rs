//! What became of a request.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Field;

/// What became of a request, and what it cost.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What became of it.
    pub outcome: Outcome,
    /// Calls of the host's functions, by name.
    pub calls: BTreeMap<&'static str, u32>,
    /// Instructions that all callbacks of the request took.
    pub fuel: u64,
    /// Properties that were set, and that an access log could show.
    pub properties: BTreeMap<String, Vec<u8>>,
    /// Why the VM trapped, if it did.
    pub trap: Option<String>,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It reached the upstream.
    Upstream {
        /// With these headers.
        request: Vec<Field>,
        /// And the client got these, after the upstream's own.
        response: Vec<Field>,
    },
    /// The filter answered.
    Reply {
        /// The HTTP status.
        status: u16,
        /// The headers the filter gave.
        headers: Vec<Field>,
        /// The body.
        body: String,
    },
    /// The proxy answered, for want of a working filter.
    ProxyError {
        /// The HTTP status.
        status: u16,
    },
    /// It waits, and nobody will wake it.
    Held,
}

impl Exchange {
    /// The status that the client gets, 200 standing for the upstream's; `None` while it waits.
    pub fn status(&self) -> Option<u16> {
        match self.outcome {
            Outcome::Upstream { .. } => Some(200),
            Outcome::Reply { status, .. } | Outcome::ProxyError { status } => Some(status),
            Outcome::Held => None,
        }
    }

    /// The values under a name that reached the upstream, in every spelling a backend may fold
    /// together; `None` when nothing did.
    pub fn upstream(&self, name: &str) -> Option<Vec<String>> {
        let Outcome::Upstream { request, .. } = &self.outcome else { return None };
        let fold = |name: &[u8]| String::from_utf8_lossy(name).to_lowercase().replace('_', "-");
        let named = request.iter().filter(|(n, _)| fold(n) == fold(name.as_bytes()));
        Some(named.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect())
    }

    /// The code of the filter's denial.
    pub fn code(&self) -> Option<String> {
        let Outcome::Reply { body, .. } = &self.outcome else { return None };
        let body: Value = serde_json::from_str(body).ok()?;
        Some(body.get("code")?.as_str()?.to_owned())
    }

    /// A header that the client got.
    pub fn answer(&self, name: &str) -> Option<String> {
        let fields = match &self.outcome {
            Outcome::Upstream { response, .. } => response,
            Outcome::Reply { headers, .. } => headers,
            Outcome::ProxyError { .. } | Outcome::Held => return None,
        };
        let (_, value) = fields.iter().find(|(n, _)| n == name.as_bytes())?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// The record that an access log could show.
    pub fn record(&self) -> Option<Value> {
        serde_json::from_slice(self.properties.get("postern")?).ok()
    }
}
