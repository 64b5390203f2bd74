//! What all workers of an Envoy say of a token.

use std::time::Duration;

use postern_demo::Lab;
use postern_demo::client::Request;
use postern_demo::clock::wait_for;

/// How long anything may take that is to happen at all.
const SOON: Duration = Duration::from_secs(20);

/// Requests after which both workers have had some.
const OFTEN: usize = 24;

/// Whether all of them answer with this code, or `allow`.
pub(crate) fn all(lab: &Lab, token: &str, code: &str) -> bool {
    (0..OFTEN).all(|_| {
        let response = lab.send(&Request::get("/v1/contacts").bearer(token)).unwrap();
        response.code().unwrap_or("allow".to_owned()) == code
    })
}

/// Waits until they do.
pub(crate) fn in_the_end(lab: &Lab, token: &str, code: &str) {
    let settled = || Ok(all(lab, token, code).then_some(()));
    wait_for(code, SOON, settled).unwrap_or_else(|_| panic!("{}", lab.envoy.log_tail()));
}
