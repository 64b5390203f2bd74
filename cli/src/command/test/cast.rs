//! Callers with credentials: the policy under test has keys of our own in the place of its own, for
//! nobody has the private halves of those.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow, bail};
use postern::binding::parse_digest;
use postern::policy::Policy;
use postern::policy::nearest::nearest;
use postern::route::NormalPath;
use serde_json::{Value, json};

use super::written::{Caller, Consent};
use crate::command::output::plain;
use crate::command::time::Moment;
use crate::mint::{AccessToken, Algorithm, ApiKey, PrivateKey, key_set};

/// How many callers may be one a kind of the other.
const MAX_LIKE: usize = 16;

/// The keys of all that the policy knows.
pub(super) struct Cast {
    key: PrivateKey,
    api_keys: BTreeMap<String, ApiKey>,
    /// The header that API keys come in.
    key_header: String,
    /// The issuers, each with its first audience.
    issuers: Vec<(String, Option<String>)>,
}

/// What a request comes with.
pub(super) struct Credential {
    pub(super) headers: Vec<(String, String)>,
    pub(super) certificate: Option<[u8; 32]>,
}

impl Cast {
    /// Puts our keys into `policy`, and takes out what would have to be fetched.
    ///
    /// # Errors
    ///
    /// There is no randomness for keys.
    pub(super) fn equip(policy: &mut Value) -> anyhow::Result<Self> {
        let key = PrivateKey::generate(Algorithm::EdDsa)?.with_kid("test");
        let mut cast = Self {
            api_keys: BTreeMap::new(),
            key_header: "x-api-key".to_owned(),
            issuers: Vec::new(),
            key,
        };
        for issuer in policy.get_mut("issuers").and_then(Value::as_array_mut).into_iter().flatten()
        {
            let Some(issuer) = issuer.as_object_mut() else { continue };
            issuer.insert("jwks".to_owned(), key_set([&cast.key]));
            issuer.insert("algorithms".to_owned(), json!(["EdDSA"]));
            issuer.remove("introspection");
            issuer.remove("status_lists");
            let name = issuer.get("issuer").and_then(Value::as_str).unwrap_or_default();
            let audience = issuer.get("audiences").and_then(|list| list.get(0)?.as_str());
            cast.issuers.push((name.to_owned(), audience.map(str::to_owned)));
        }
        if let Some(revocations) = policy.get_mut("revocations").and_then(Value::as_object_mut) {
            revocations.remove("feed");
        }
        if let Some(keys) = policy.get_mut("api_keys") {
            cast.equip_keys(keys)?;
        }
        Ok(cast)
    }

    fn equip_keys(&mut self, keys: &mut Value) -> anyhow::Result<()> {
        if let Some(header) = keys.get("header").and_then(Value::as_str) {
            header.clone_into(&mut self.key_header);
        }
        let prefix = keys.get("prefix").and_then(Value::as_str).unwrap_or_default().to_owned();
        for entry in keys.get_mut("keys").and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(entry) = entry.as_object_mut() else { continue };
            let Some(id) = entry.get("id").and_then(Value::as_str) else { continue };
            let (id, key) = (id.to_owned(), ApiKey::generate(&prefix)?);
            entry.insert("hash".to_owned(), key.hash().into());
            self.api_keys.insert(id, key);
        }
        Ok(())
    }

    /// What the user of `caller` says to a request at `now`, as the header that it comes in.
    ///
    /// # Errors
    ///
    /// The policy asks no users, or the caller has none.
    pub(super) fn consent(
        &self,
        policy: &Policy,
        (caller, said): (&Caller, &Consent),
        (method, path): (&str, &str),
        now: Moment,
    ) -> anyhow::Result<(String, String)> {
        let asked = policy.consent.as_ref().context("the policy has no `consent`")?;
        let subject = caller.claims.get("sub").and_then(Value::as_str);
        let path = NormalPath::parse(path.as_bytes()).context("`request`")?;
        let token = AccessToken::new(&asked.issuer_name, &asked.audience, now.as_secs())
            .header("typ", "consent+jwt")
            .subject(subject.context("the caller has no `sub` who could be asked")?)
            .claim("agent", said.agent.as_str())
            .claim("permission", said.permission.as_str())
            .claim("htm", method)
            .claim("path", path.as_str());
        Ok((asked.header.clone(), token.sign(&self.key)?))
    }

    /// What `caller` comes with at `now`.
    ///
    /// # Errors
    ///
    /// The policy has no such issuer or API key.
    pub(super) fn credential(&self, caller: &Caller, now: Moment) -> anyhow::Result<Credential> {
        let certificate = caller.certificate.as_ref().map(|digits| {
            let expected = "`certificate`: expected 64 hexadecimal digits";
            parse_digest(digits.as_bytes()).context(expected)
        });
        let certificate = certificate.transpose()?;
        if let Some(id) = &caller.api_key {
            let key = self
                .api_keys
                .get(id)
                .ok_or_else(|| unknown("API key", id, self.api_keys.keys().map(String::as_str)))?;
            let headers = vec![(self.key_header.clone(), key.secret().to_owned())];
            return Ok(Credential { headers, certificate });
        }
        let issuer = match &caller.issuer {
            None => self.issuers.first().context("the policy has no issuers")?,
            Some(name) => {
                let found = self.issuers.iter().find(|(issuer, _)| issuer == name);
                let known = self.issuers.iter().map(|(issuer, _)| issuer.as_str());
                found.ok_or_else(|| unknown("issuer", name, known))?
            }
        };
        let (issuer, audience) = issuer;
        let mut token =
            AccessToken::new(issuer, audience.as_deref().unwrap_or_default(), now.as_secs());
        // So that what is told of a decision is the same each time.
        token = token.claim("jti", "test");
        if audience.is_none() {
            token = token.without("aud");
        }
        if let Some(digest) = &certificate {
            token = token.bound_to_certificate(digest);
        }
        for (name, value) in &caller.claims {
            token = token.claim(name, value.clone());
        }
        for (name, ago) in &caller.ago {
            token = token.claim(name, now.as_secs().saturating_sub(i64::from(ago.get())));
        }
        for name in &caller.without {
            token = token.without(name);
        }
        let bearer = format!("Bearer {}", token.sign(&self.key)?);
        Ok(Credential { headers: vec![("authorization".to_owned(), bearer)], certificate })
    }
}

/// `caller` with all that it has of those that it is like.
///
/// # Errors
///
/// There is no such caller, or it is like itself.
pub(super) fn resolve(
    caller: &Caller,
    callers: &BTreeMap<String, Caller>,
) -> anyhow::Result<Caller> {
    let mut kinds = vec![caller];
    while let Some(name) = kinds.last().and_then(|caller| caller.like.as_ref()) {
        let known = callers.keys().map(String::as_str);
        kinds.push(callers.get(name).ok_or_else(|| unknown("caller", name, known))?);
        if kinds.len() > MAX_LIKE {
            bail!("a caller is like more than {MAX_LIKE} others, or like itself");
        }
    }
    let mut whole = Caller::default();
    for Caller { like: _, issuer, claims, ago, without, api_key, certificate } in
        kinds.into_iter().rev()
    {
        // What is said last counts.
        whole.without.retain(|name| !claims.contains_key(name) && !ago.contains_key(name));
        whole.claims.extend(claims.clone());
        whole.ago.retain(|name, _| !claims.contains_key(name));
        whole.ago.extend(ago.clone());
        whole.without.extend(without.iter().cloned());
        whole.issuer = issuer.clone().or(whole.issuer);
        whole.api_key = api_key.clone().or(whole.api_key);
        whole.certificate = certificate.clone().or(whole.certificate);
    }
    Ok(whole)
}

/// There is nothing of this name.
pub(super) fn unknown<'a>(
    kind: &str,
    name: &str,
    known: impl Iterator<Item = &'a str>,
) -> anyhow::Error {
    let meant = nearest(name, known).map(|near| format!(": did you mean `{}`?", plain(near)));
    anyhow!("unknown {kind} `{}`{}", plain(name), meant.unwrap_or_default())
}
