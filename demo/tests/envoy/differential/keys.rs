//! Two issuers' keys. Each has one called `ec`.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use postern_cli::mint::{Algorithm, PrivateKey, key_set};
use rsa::traits::PublicKeyParts as _;
use rsa::{Pkcs1v15Sign, Pss, RsaPrivateKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

pub(crate) struct Keys {
    pub(crate) ec: PrivateKey,
    pub(crate) ed: PrivateKey,
    pub(crate) rsa: RsaPrivateKey,
    /// Another issuer's `ec`.
    pub(crate) partner: PrivateKey,
    /// What the public may know of `ec`, as a secret.
    pub(crate) confused: PrivateKey,
}

/// Whose signature a token has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signer {
    Ec,
    Ed,
    Partner,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    /// HMAC with a public key for a secret.
    Confused,
}

impl Signer {
    pub(crate) const fn algorithm(self) -> &'static str {
        match self {
            Self::Ec | Self::Partner => "ES256",
            Self::Ed => "EdDSA",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Confused => "HS256",
        }
    }

    pub(crate) const fn kid(self) -> &'static str {
        match self {
            Self::Ec | Self::Partner | Self::Confused => "ec",
            Self::Ed => "ed",
            Self::Rs256 | Self::Rs384 | Self::Rs512 | Self::Ps256 => "rsa",
        }
    }
}

impl Keys {
    pub(crate) fn new() -> Self {
        let make = |algorithm, kid| PrivateKey::generate(algorithm).unwrap().with_kid(kid);
        let ec = make(Algorithm::Es256, "ec");
        let confused = PrivateKey::symmetric(ec.public_jwk().unwrap().to_string());
        Self {
            ec,
            ed: make(Algorithm::EdDsa, "ed"),
            rsa: RsaPrivateKey::new(&mut rand_core::OsRng, 2048).unwrap(),
            partner: make(Algorithm::Es256, "ec"),
            confused: confused.with_kid("ec"),
        }
    }

    /// The first issuer's, as it publishes them.
    pub(crate) fn login_set(&self) -> Value {
        let mut set = key_set([&self.ec, &self.ed]);
        set["keys"].as_array_mut().unwrap().push(json!({
            "kty": "RSA", "kid": "rsa", "use": "sig",
            "n": base64(&self.rsa.n().to_bytes_be()), "e": base64(&self.rsa.e().to_bytes_be()),
        }));
        set
    }

    /// The other one's.
    pub(crate) fn partner_set(&self) -> Value {
        key_set([&self.partner])
    }

    pub(crate) fn sign(&self, signer: Signer, input: &[u8]) -> Vec<u8> {
        let rsa = |scheme, digest: &[u8]| self.rsa.sign::<Pkcs1v15Sign>(scheme, digest).unwrap();
        match signer {
            Signer::Ec => self.ec.sign(input).unwrap(),
            Signer::Ed => self.ed.sign(input).unwrap(),
            Signer::Partner => self.partner.sign(input).unwrap(),
            Signer::Confused => self.confused.sign(input).unwrap(),
            Signer::Rs256 => rsa(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(input)),
            Signer::Rs384 => rsa(Pkcs1v15Sign::new::<Sha384>(), &Sha384::digest(input)),
            Signer::Rs512 => rsa(Pkcs1v15Sign::new::<Sha512>(), &Sha512::digest(input)),
            Signer::Ps256 => {
                let digest = Sha256::digest(input);
                self.rsa
                    .sign_with_rng(&mut rand_core::OsRng, Pss::new::<Sha256>(), &digest)
                    .unwrap()
            }
        }
    }
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}
