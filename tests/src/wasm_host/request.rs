//! A request from a client.

use std::collections::BTreeMap;

use super::headers::{Field, HeaderMap};
use super::{Profile, worker::Stream};

/// A request from a client: any bytes at all, as a proxy might let them through.
#[derive(Clone, Debug)]
pub struct Request {
    method: Vec<u8>,
    path: Vec<u8>,
    fields: Vec<Field>,
    properties: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Request {
    /// A request with no more headers than it must have.
    pub fn new(method: impl AsRef<[u8]>, path: impl AsRef<[u8]>) -> Self {
        let (method, path) = (method.as_ref().to_vec(), path.as_ref().to_vec());
        Self { method, path, fields: Vec::new(), properties: Vec::new() }
    }

    /// A `GET`.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// Adds a header field.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.fields.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Gives it a property, by its path.
    #[must_use]
    pub fn property(mut self, path: &[&str], value: impl AsRef<[u8]>) -> Self {
        self.properties.push((path.join("\0").into_bytes(), value.as_ref().to_vec()));
        self
    }

    /// Adds a token that is bound to a key, and its proof.
    #[must_use]
    pub fn dpop(self, token: &str, proof: &str) -> Self {
        self.header("authorization", format!("DPoP {token}")).header("dpop", proof)
    }

    /// Adds a bearer token.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// The method.
    pub fn method(&self) -> &[u8] {
        &self.method
    }

    /// The path, with its query.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// All header fields that a proxy of this profile has, pseudo-headers first.
    pub fn fields(&self, profile: Profile) -> Vec<Field> {
        let pseudo = [
            (b":authority".to_vec(), profile.authority("api.example").into()),
            (b":path".to_vec(), self.path.clone()),
            (b":method".to_vec(), self.method.clone()),
            (b":scheme".to_vec(), b"https".to_vec()),
        ];
        pseudo.into_iter().chain(self.fields.iter().cloned()).collect()
    }

    pub(super) fn stream(&self, profile: Profile) -> Stream {
        let mut properties: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::from([
            (b"request\0path".to_vec(), self.path.clone()),
            (b"request\0method".to_vec(), self.method.clone()),
        ]);
        properties.extend(self.properties.iter().cloned());
        let own: Option<(&[u8], &[u8])> = match profile {
            Profile::Envoy => Some((b"xds\0listener_direction", &1_i64.to_le_bytes())),
            Profile::Nginx => Some((b"ngx\0nginx_version", b"1.27.5")),
            Profile::TrafficServer | Profile::ProxyWasmHost => None,
        };
        properties.extend(own.map(|(name, value)| (name.to_vec(), value.to_vec())));
        Stream {
            request: HeaderMap::new(profile, self.fields(profile)),
            response: None,
            properties,
            set_properties: BTreeMap::new(),
            reply: None,
            resumed: false,
        }
    }
}
