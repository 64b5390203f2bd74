//! What an issuer says of an opaque token (RFC 7662 §2.2), under the rules that hold for claims in
//! a token.

use serde_json::{Map, Value};

use super::{Claims, Issuer, IssuerId, Profile, Rejected, Validity, Verified};
use crate::host::Timestamp;

/// What the policy says of an issuer's answers.
pub struct Expected<'a> {
    /// It calls nothing active but access tokens, so it need not say that something is one.
    pub access_tokens_only: bool,
    /// Whether claims without `sub` are a client's own.
    pub is_machines: &'a dyn Fn(&Claims) -> bool,
}

impl<'p> Verified<'p> {
    /// Takes an issuer's word for a token of its own: the `members` of its answer.
    ///
    /// Where a token in the compact serialization proves where it comes from by a signature, this
    /// one does by whom we asked. All else is checked as in such a token.
    ///
    /// # Errors
    ///
    /// The first thing that is amiss.
    pub fn introspected(
        (issuer_id, issuer): (IssuerId, &'p Issuer),
        mut members: Map<String, Value>,
        expected: &Expected<'_>,
        now: Timestamp,
    ) -> Result<Self, Rejected> {
        // RFC 7662 §2.2: nothing but `true` is; a word or a number is somebody's mistake.
        if members.remove("active") != Some(Value::Bool(true)) {
            return Err(Rejected::Inactive);
        }
        // An endpoint tells of refresh tokens too, and those are for the issuer alone.
        match members.get("token_type") {
            None if expected.access_tokens_only => {}
            Some(Value::String(kind)) if kind.eq_ignore_ascii_case("bearer") => {}
            // RFC 9449 §6.2: and then it says to which key, which each request proves.
            Some(Value::String(kind))
                if kind.eq_ignore_ascii_case("dpop") && members.contains_key("cnf") => {}
            _ => return Err(Rejected::NotBearer),
        }
        let claims = Claims::from_members(members)?;
        // Without `iss` it is whom we asked.
        if claims.issuer().is_some_and(|identifier| identifier != issuer.identifier) {
            return Err(Rejected::IssuerUnknown);
        }
        let Validity { not_before, expires, lifetime } = Validity::of(&claims, issuer, now)?;
        // No leeway at the end: the issuer says now what it thinks of the token, by its own clock.
        let expires = expires.saturating_sub(issuer.leeway.as_secs().into());
        if now.as_secs() >= expires {
            return Err(Rejected::Expired);
        }
        let client = issuer.check_recipients(&claims)?.to_owned();
        // RFC 9068 is about tokens that are JWTs; what tells an ID token holds for all.
        Profile::Jwt.check_claims(&claims)?;
        let subject = match claims.subject() {
            Some(subject) => subject.to_owned(),
            // Who acts for somebody acts for somebody with a name.
            None if claims.actor().is_none() && (expected.is_machines)(&claims) => client.clone(),
            None => return Err(Rejected::SubjectMissing),
        };
        Ok(Self {
            status: None,
            issuer_id,
            issuer,
            signer: None,
            subject,
            client,
            claims,
            not_before,
            expires,
            lifetime,
        })
    }
}
