//! The proof that a caller has the key its token is bound to (RFC 9449).

use sha2::{Digest as _, Sha256};

use super::nonce::{Age, Fresh};
use super::replay::Mark;
use super::{Digest, Origin, Request, Sole, Unproven, digest};
use crate::host::Timestamp;
use crate::token::{Algorithms, Claims, Embedded, Native, Rejected, Unusable};

/// The header that brings the proof.
pub const HEADER: &[u8] = b"dpop";

/// How far ahead of ours the clock of a client may be, in seconds (RFC 9449 §11.1).
const AHEAD_SECS: i64 = 30;

/// The longest `jti`, in bytes.
const MAX_ID_BYTES: usize = 256;

/// How proofs are checked.
#[derive(Debug)]
pub struct Dpop {
    /// The origin that they are for.
    pub origin: Origin,
    /// What they may be signed with: no shared secrets.
    pub algorithms: Algorithms,
    /// How old they may be, in seconds; at most [`Dpop::MAX_AGE_SECS`].
    pub max_age: u32,
    /// Whether they must have a nonce of ours.
    pub nonce: bool,
}

impl Dpop {
    /// The longest `max_age`, in seconds.
    pub const MAX_AGE_SECS: u32 = 300;

    /// The names of the algorithms, as `algs` lists them (RFC 9449 §7.1).
    pub fn algs(&self) -> String {
        let mut names = String::new();
        for algorithm in self.algorithms.iter() {
            if !names.is_empty() {
                names.push(' ');
            }
            names.push_str(algorithm.name());
        }
        names
    }

    /// All checks of RFC 9449 §4.3, the cheap ones first. What is left to do is to see to it that
    /// the proof is used once.
    pub(super) fn check(
        &self,
        thumbprint: &Digest,
        request: &Request<'_>,
        fresh: Option<&Fresh>,
        native: Native<'_>,
        now: Timestamp,
    ) -> Result<(Mark, Age), Unproven> {
        // 1: one header. 2: one JWT.
        let text = match request.evidence.proof {
            Sole::Absent => return Err(Unproven::ProofMissing),
            Sole::One(value) => value,
            Sole::Several => return Err(Unproven::ProofRepeated),
        };
        let text = str::from_utf8(text).map_err(|_| Unproven::ProofMalformed)?;
        let proof = Embedded::parse(text).map_err(malformed)?;
        // 4: its type.
        if !proof.is_of_type("dpop+jwt") {
            return Err(Unproven::TypeNotProof);
        }
        // 5: its algorithm.
        if !self.algorithms.contains(proof.algorithm()) {
            return Err(Unproven::AlgorithmNotAllowed);
        }
        // 7: its key is public. 12: and the token's.
        if proof.has_private_key() {
            return Err(Unproven::KeyPrivate);
        }
        if proof.thumbprint().ok_or(Unproven::KeyUnusable)? != *thumbprint {
            return Err(Unproven::KeyMismatch);
        }
        // 3: all claims.
        let claims = Claimed::read(proof.claims())?;
        // 8: the method, case-sensitively (RFC 9110 §9.1). 9: the URI.
        if claims.method.as_bytes() != request.method {
            return Err(Unproven::MethodMismatch);
        }
        if !self.origin.has(claims.target, request.path) {
            return Err(Unproven::TargetMismatch);
        }
        // 12: the token.
        if !hashes_to(request.token, claims.token_hash) {
            return Err(Unproven::TokenHashMismatch);
        }
        // 10: the nonce. 11: the time.
        let age = match (fresh, claims.nonce) {
            (None, _) => Age::Current,
            (Some(_), None) => return Err(Unproven::NonceMissing),
            (Some(fresh), Some(nonce)) => fresh.age(nonce).ok_or(Unproven::NonceStale)?,
        };
        let expires = self.expiry(claims.created, now)?;
        // 6: the signature.
        if !proof.verify(native).map_err(|reason| match reason {
            Unusable::PrivateKey => Unproven::KeyPrivate,
            _ => Unproven::KeyUnusable,
        })? {
            return Err(Unproven::SignatureInvalid);
        }
        Ok((Mark::new(thumbprint, claims.id, expires), age))
    }

    /// The first second at which a proof that was made at `created` is too old, if that is to come.
    fn expiry(&self, created: f64, now: Timestamp) -> Result<i64, Unproven> {
        let now = now.as_secs();
        if created.ceil() as i64 > now.saturating_add(AHEAD_SECS) {
            return Err(Unproven::CreatedInFuture);
        }
        let last = (created.floor() as i64).saturating_add(self.max_age.into());
        if now > last {
            return Err(Unproven::CreatedTooEarly);
        }
        Ok(last.saturating_add(1))
    }
}

/// What a proof says (RFC 9449 §4.2).
struct Claimed<'a> {
    id: &'a str,
    method: &'a str,
    target: &'a str,
    token_hash: &'a str,
    nonce: Option<&'a str>,
    created: f64,
}

impl<'a> Claimed<'a> {
    fn read(claims: &'a Claims) -> Result<Self, Unproven> {
        let text = |name| claims.text(name).ok_or(Unproven::ClaimMissing);
        let nonce = match claims.has("nonce") {
            true => Some(claims.text("nonce").ok_or(Unproven::NonceStale)?),
            false => None,
        };
        let id = text("jti").ok().filter(|id| (1..=MAX_ID_BYTES).contains(&id.len()));
        Ok(Self {
            id: id.ok_or(Unproven::ClaimMissing)?,
            method: text("htm")?,
            target: text("htu")?,
            token_hash: text("ath")?,
            nonce,
            created: claims.date("iat").ok().flatten().ok_or(Unproven::ClaimMissing)?,
        })
    }
}

/// Whether `hash` is the SHA-256 of `token` in base64url (RFC 9449 §4.2).
fn hashes_to(token: &[u8], hash: &str) -> bool {
    let ours: Digest = Sha256::digest(token).into();
    digest(hash) == Some(ours)
}

const fn malformed(rejected: Rejected) -> Unproven {
    match rejected {
        Rejected::AlgorithmMissing | Rejected::AlgorithmNotAllowed => Unproven::AlgorithmNotAllowed,
        Rejected::TypeNotAccessToken => Unproven::TypeNotProof,
        Rejected::IdentifierMalformed => Unproven::ClaimMissing,
        _ => Unproven::ProofMalformed,
    }
}
