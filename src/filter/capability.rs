//! What this proxy can be trusted with, learnt at the first request.
//!
//! The first question is a property only nginx has, and the answers differ: nginx has a value, Apache
//! Traffic Server says that all is well and the value is empty, and every other host says that
//! there is no such thing. It is not asked in a root context, where it is the end of an nginx
//! worker. Of Envoy, which has a property of its own as well, it is tried whether it checks
//! signatures.

use std::cell::Cell;

use super::abi::{self, Level, Status};
use super::{native, pairs};

/// What this proxy can be trusted with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capability {
    /// A removed request header does not reach the upstream.
    pub(super) strips_headers: bool,
    /// Writing the whole header map replaces the whole header map.
    pub(super) replaces_headers: bool,
    /// A property that was set can be read in the access log.
    pub(super) keeps_properties: bool,
    /// A request that is held can be let go on from elsewhere.
    pub(super) resumes: bool,
    /// It says who sent a request.
    pub(super) shows_source: bool,
    /// What it says of the client's certificate is of this connection's.
    pub(super) shows_certificates: bool,
    /// It checks signatures itself, and does it right.
    pub(super) verifies_signatures: bool,
    /// A request that it sends for the filter may be a call of gRPC.
    pub(super) speaks_grpc: bool,
    /// The value of a header is shown as a whole, commas and all.
    pub(super) shows_whole_headers: bool,
    /// The most header fields of a request that are surely all there are.
    pub(super) max_headers: usize,
    /// The `cas` that means *only if the key is absent*.
    pub(super) cas_if_absent: u32,
}

/// Envoy, and whoever follows it.
const ENVOY: Capability = Capability {
    strips_headers: true,
    replaces_headers: true,
    keeps_properties: true,
    resumes: true,
    shows_source: true,
    shows_certificates: true,
    // Asked for where it may be there.
    verifies_signatures: false,
    speaks_grpc: false,
    shows_whole_headers: true,
    max_headers: pairs::MAX_HEADERS,
    // 0 would overwrite unconditionally; a present key has any version but this.
    cas_if_absent: u32::MAX,
};

/// nginx with Kong's module: `proxy_pass` still sends what was removed, and only the first
/// hundred header fields are shown, without a word about the others.
const NGINX: Capability = Capability {
    strips_headers: false,
    replaces_headers: false,
    keeps_properties: false,
    resumes: false,
    shows_source: true,
    shows_certificates: false,
    verifies_signatures: false,
    speaks_grpc: false,
    shows_whole_headers: true,
    max_headers: 99,
    cas_if_absent: 0,
};

/// Apache Traffic Server: writing the map leaves second copies, properties are dropped in silence,
/// values are shown up to the first comma.
const TRAFFIC_SERVER: Capability = Capability {
    replaces_headers: false,
    keeps_properties: false,
    resumes: false,
    shows_source: false,
    shows_certificates: false,
    shows_whole_headers: false,
    ..ENVOY
};

/// A host that answered with an error: nothing is taken for granted.
const UNKNOWN: Capability = Capability {
    cas_if_absent: u32::MAX,
    shows_source: false,
    shows_whole_headers: false,
    ..NGINX
};

/// Which way a listener's traffic goes.
const ENVOY_ONLY: &[u8] = b"xds\0listener_direction";

const NGINX_ONLY: &[u8] = b"ngx\0nginx_version";

thread_local! {
    static KNOWN: Cell<Option<Capability>> = const { Cell::new(None) };
}

/// The same as far as it is known, for where it cannot be asked.
pub(super) fn so_far() -> Capability {
    KNOWN.get().unwrap_or(UNKNOWN)
}

/// What this proxy can be trusted with. Only to be asked while a request is handled.
pub(super) fn get() -> Capability {
    if let Some(known) = KNOWN.get() {
        return known;
    }
    let capability = match abi::property(NGINX_ONLY) {
        Ok(version) if version.is_empty() => TRAFFIC_SERVER,
        Ok(_) => NGINX,
        Err(Status::NotFound) => {
            // To nginx, whatever it said before, the name of an unknown function is a trap.
            let is_envoy = abi::property(ENVOY_ONLY).is_ok_and(|value| !value.is_empty());
            let verifies_signatures = is_envoy && native::works();
            let by = if verifies_signatures { "the proxy" } else { "the filter" };
            abi::log(Level::Info, &format!("signatures of ES256 and RSA are checked by {by}"));
            Capability { verifies_signatures, speaks_grpc: is_envoy, ..ENVOY }
        }
        Err(_) => return UNKNOWN,
    };
    KNOWN.set(Some(capability));
    capability
}
