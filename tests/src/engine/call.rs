//! Requests.

/// A request to be.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method.
    pub method: Vec<u8>,
    /// The path, with its query.
    pub path: Vec<u8>,
    /// The headers, in order.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// Whether the host keeps dropped headers from the backend.
    pub strips_headers: bool,
}

/// A request without headers.
pub fn call(method: impl AsRef<[u8]>, path: impl AsRef<[u8]>) -> Call {
    let (method, path) = (method.as_ref().to_vec(), path.as_ref().to_vec());
    Call { method, path, headers: Vec::new(), strips_headers: true }
}

/// A `GET` without headers.
pub fn get(path: impl AsRef<[u8]>) -> Call {
    call("GET", path)
}

impl Call {
    /// With one header more.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// With a token that is bound to a key, and its proof.
    #[must_use]
    pub fn dpop(self, token: &str, proof: &str) -> Self {
        self.header("authorization", format!("DPoP {token}")).header("dpop", proof)
    }

    /// With a token.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }
}
