//! The proxies, and how they differ.

use super::store::NOT_FOUND;

/// Which proxy's manners the host takes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Envoy: the reference.
    Envoy,
    /// nginx with Kong's ngx_wasm_module: removed headers are still sent, only a hundred are
    /// shown, `cas` 0 means *only if absent*, the store forgets.
    Nginx,
    /// Apache Traffic Server: no pseudo-headers, what is missing is empty, values are cut at a
    /// comma, and after a trap the door is open.
    TrafficServer,
    /// The crate `proxy-wasm-host`: as Envoy, with a small store and a CPU limit.
    ProxyWasmHost,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Envoy, Self::Nginx, Self::TrafficServer, Self::ProxyWasmHost];

    /// Header fields of a request that the filter is shown; the others are left out in silence.
    pub(super) const fn shown_headers(self) -> usize {
        match self {
            Self::Nginx => 100,
            _ => usize::MAX,
        }
    }

    /// Whether a missing property is an empty one.
    pub(super) const fn missing_is_empty(self) -> bool {
        matches!(self, Self::TrafficServer)
    }

    /// What becomes of a call of a foreign function that the proxy does not know: a status, or the
    /// end of the request.
    pub(super) const fn unknown_function(self) -> Option<u32> {
        match self {
            Self::Nginx => None,
            _ => Some(NOT_FOUND),
        }
    }

    /// What `:authority` says to a client that asked for `host`.
    pub(super) const fn authority(self, host: &str) -> &str {
        match self {
            Self::Nginx => "vm:18080",
            _ => host,
        }
    }

    /// The instructions one callback may take.
    pub(super) const fn fuel(self) -> u64 {
        match self {
            Self::ProxyWasmHost => 200_000_000,
            _ => 20_000_000_000,
        }
    }
}
