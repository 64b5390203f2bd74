//! Is the caller the one that the token was given to.
//!
//! A bearer token is worth as much to its thief as to its owner. One that is bound (`cnf`,
//! RFC 7800) is worth nothing without the key that it is bound to, and each request proves anew
//! that the caller has it: by a signature over the request (`DPoP`, RFC 9449), or by the TLS
//! connection that it came over (RFC 8705). A token that is bound in a way that is not checked
//! here is refused, for to take it as a bearer token would undo what binding it was for.
//!
//! | file | what is there |
//! | --- | --- |
//! | `certificate` | the client's certificate: from the connection, or from a header |
//! | `dpop` | the proof in the header `DPoP`, and its checks (RFC 9449 §4.3) |
//! | `target` | `htu` against the URI of the request (RFC 3986 §6.2) |
//! | `nonce` | nonces that nobody has to remember (RFC 9449 §8) |
//! | `replay` | a proof is good once, on whichever worker (RFC 9449 §11.1) |
//! | `unproven` | every way to fail, by name |

mod certificate;
mod dpop;
mod nonce;
pub(crate) mod replay;
mod target;
#[cfg(test)]
mod tests;
mod unproven;

use base64ct::{Base64UrlUnpadded, Encoding};

pub use certificate::{CertificateSource, HEADER as CERTIFICATE_HEADER, parse_digest};
pub use dpop::{Dpop, HEADER as PROOF_HEADER};
pub use nonce::{Nonces, SLOT_SECS};
pub use target::Origin;
pub use unproven::Unproven;

use crate::audit::folds_to;
use crate::host::{Host, Timestamp};
use crate::route::NormalPath;
use crate::token::{Claims, Native, credential::Scheme};

/// The SHA-256 of a certificate or of what makes a key what it is.
pub type Digest = [u8; 32];

/// What a token is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// The client certificate of this digest (RFC 8705 §3.1).
    Certificate(Digest),
    /// The key of this thumbprint (RFC 9449 §6.1, RFC 7638).
    Key(Digest),
}

impl Binding {
    /// What a token with these claims is bound to, if it is.
    ///
    /// # Errors
    ///
    /// [`Unproven::ConfirmationUnknown`] for a `cnf` that is anything but one member that we can
    /// check: of several we would have to prove all.
    pub fn of(claims: &Claims) -> Result<Option<Self>, Unproven> {
        let Some(confirmation) = claims.confirmation() else { return Ok(None) };
        let mut members = confirmation.as_object().into_iter().flatten();
        let (Some((name, value)), None) = (members.next(), members.next()) else {
            return Err(Unproven::ConfirmationUnknown);
        };
        let digest = value.as_str().and_then(digest).ok_or(Unproven::ConfirmationUnknown)?;
        match name.as_str() {
            "jkt" => Ok(Some(Self::Key(digest))),
            "x5t#S256" => Ok(Some(Self::Certificate(digest))),
            _ => Err(Unproven::ConfirmationUnknown),
        }
    }

    /// What policies and records call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Certificate(_) => "mtls",
            Self::Key(_) => "dpop",
        }
    }
}

/// A digest as it stands in a token: 43 characters of canonical base64url.
fn digest(text: &str) -> Option<Digest> {
    let mut digest = Digest::default();
    let read = Base64UrlUnpadded::decode(text, &mut digest).ok()?;
    (read.len() == digest.len()).then_some(digest)
}

/// How a token may be bound, not at all among it: a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bindings(u8);

impl Bindings {
    const NOT_AT_ALL: u8 = 1;
    const CERTIFICATE: u8 = 2;
    const KEY: u8 = 4;

    /// In any way, or not at all.
    pub const ALL: Self = Self(Self::NOT_AT_ALL | Self::CERTIFICATE | Self::KEY);
    /// In any way.
    pub const BOUND: Self = Self(Self::CERTIFICATE | Self::KEY);
    /// To a key.
    pub const DPOP: Self = Self(Self::KEY);
    /// To a certificate.
    pub const MTLS: Self = Self(Self::CERTIFICATE);

    /// What both permit.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What one of the two permits.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a token may be bound so.
    pub const fn permits(self, binding: Option<Binding>) -> bool {
        let bit = match binding {
            None => Self::NOT_AT_ALL,
            Some(Binding::Certificate(_)) => Self::CERTIFICATE,
            Some(Binding::Key(_)) => Self::KEY,
        };
        self.0 & bit != 0
    }

    /// Whether nothing else will do than a key.
    pub const fn is_dpop_only(self) -> bool {
        self.0 == Self::KEY
    }

    /// Whether a key will do.
    pub const fn takes_dpop(self) -> bool {
        self.0 & Self::KEY != 0
    }
}

impl Default for Bindings {
    fn default() -> Self {
        Self::ALL
    }
}

/// Which bindings are checked, and how: what is not is refused.
#[derive(Debug, Default)]
pub struct Checks {
    /// Bindings to a key.
    pub dpop: Option<Dpop>,
    /// Bindings to a certificate: where the client's is seen.
    pub mtls: Option<CertificateSource>,
}

impl Checks {
    /// Refuses a token that is bound in a way that is not checked.
    ///
    /// # Errors
    ///
    /// [`Unproven::BindingUnchecked`].
    pub const fn cover(&self, binding: Option<Binding>) -> Result<(), Unproven> {
        match binding {
            Some(Binding::Key(_)) if self.dpop.is_none() => Err(Unproven::BindingUnchecked),
            Some(Binding::Certificate(_)) if self.mtls.is_none() => Err(Unproven::BindingUnchecked),
            _ => Ok(()),
        }
    }

    /// The places of the headers that are evidence, which go where the credential goes.
    pub fn evidence(&self, headers: &[(&[u8], &[u8])]) -> impl Iterator<Item = usize> {
        let headers = headers.iter().enumerate();
        headers.filter(|(_, (name, _))| self.asks_for(name)).map(|(place, _)| place)
    }

    /// Whether any binding is checked.
    pub const fn any(&self) -> bool {
        self.dpop.is_some() || self.mtls.is_some()
    }

    /// Whether a header of this name is evidence, in any spelling that a backend may take for it.
    fn asks_for(&self, name: &[u8]) -> bool {
        (self.dpop.is_some() && folds_to(name, PROOF_HEADER))
            || (self.mtls.is_some() && folds_to(name, CERTIFICATE_HEADER))
    }
}

/// A header that is to come once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sole<'a> {
    /// It did not come.
    #[default]
    Absent,
    /// It came once, and says this.
    One(&'a [u8]),
    /// It came more often.
    Several,
}

impl<'a> Sole<'a> {
    /// One more.
    pub const fn add(&mut self, value: &'a [u8]) {
        *self = match self {
            Self::Absent => Self::One(value),
            Self::One(_) | Self::Several => Self::Several,
        };
    }
}

/// The headers by which a caller proves what it has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence<'a> {
    /// `DPoP`.
    pub proof: Sole<'a>,
    /// `x-forwarded-client-cert`, which a proxy in front of us adds.
    pub certificate: Sole<'a>,
}

impl<'a> Evidence<'a> {
    /// What there is of it among `headers`. Another spelling that a backend may read alike is in
    /// the way, and proves nothing itself: whoever keeps callers from sending the one may let the
    /// other pass.
    pub fn among(headers: &[(&[u8], &'a [u8])]) -> Self {
        let mut evidence = Self::default();
        for (name, value) in headers {
            if name.eq_ignore_ascii_case(PROOF_HEADER) {
                evidence.proof.add(value);
            } else if name.eq_ignore_ascii_case(CERTIFICATE_HEADER) {
                evidence.certificate.add(value);
            } else if folds_to(name, CERTIFICATE_HEADER) {
                evidence.certificate = Sole::Several;
            }
        }
        evidence
    }
}

/// A request with a token, as far as its caller has something to prove.
#[derive(Debug)]
pub struct Request<'a> {
    /// How the token came.
    pub scheme: Scheme,
    /// The token, as it came.
    pub token: &'a [u8],
    /// The method.
    pub method: &'a [u8],
    /// The path.
    pub path: &'a NormalPath<'a>,
    /// What the caller brought.
    pub evidence: Evidence<'a>,
}

/// Checks that the caller of `request` has what its token is bound to. Where that takes a nonce,
/// the one to use next goes to `next_nonce` unless the caller has it.
///
/// # Errors
///
/// The first thing that is wrong.
pub fn prove(
    checks: &Checks,
    binding: Option<Binding>,
    request: &Request<'_>,
    (nonces, next_nonce): (&Nonces, &mut Option<String>),
    host: &impl Host,
    now: Timestamp,
) -> Result<(), Unproven> {
    checks.cover(binding)?;
    match (binding, request.scheme) {
        (None, Scheme::Bearer) => Ok(()),
        // RFC 9449 §7.1: the token is to be bound to the key of the proof.
        (None | Some(Binding::Certificate(_)), Scheme::Dpop) => Err(Unproven::NotBoundToKey),
        // RFC 9449 §7.2.
        (Some(Binding::Key(_)), Scheme::Bearer) => Err(Unproven::SchemeMismatch),
        (Some(Binding::Certificate(digest)), Scheme::Bearer) => {
            let source = checks.mtls.ok_or(Unproven::BindingUnchecked)?;
            certificate::check(source, &digest, request.evidence.certificate, host)
        }
        (Some(Binding::Key(thumbprint)), Scheme::Dpop) => {
            let dpop = checks.dpop.as_ref().ok_or(Unproven::BindingUnchecked)?;
            let fresh = || nonces.fresh(host, now).ok_or(Unproven::StoreUnavailable);
            let usual = if dpop.nonce { Some(fresh()?) } else { None };
            let native: Native<'_> = &|check| host.verify_signature(check);
            let proven = dpop.check(&thumbprint, request, usual.as_ref(), native, now);
            match (proven, usual) {
                (_, None) | (Ok((_, nonce::Age::Current)), _) => {}
                (Err(Unproven::NonceStale), _) => {
                    // Or ours is: the store may have lost the secret, and have another by now.
                    nonces.forget();
                    *next_nonce = Some(fresh()?.text());
                }
                (_, Some(fresh)) => *next_nonce = Some(fresh.text()),
            }
            let (mark, _) = proven?;
            replay::record(&mark, host, now)
        }
    }
}
