//! A denial on the wire: status, challenge and problem document.

use serde::Serialize;

use super::{Denial, Refusal};
use crate::limit::{Limit, Refused, write_usage};
use crate::policy::{Consent, Limits, StepUp};
use crate::token::credential::Scheme;

/// An answer that Postern gives in the backend's stead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The header fields.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

/// What a caller may be told besides the denial itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told<'a> {
    /// The decision's identifier, to ask the operator about; empty where there is none.
    pub decision: &'a str,
    /// The permission that the operation needs.
    pub permission: Option<&'a str>,
    /// The scope that would do.
    pub scope: Option<&'a str>,
    /// How the user must have logged in for it.
    pub step_up: Option<&'a StepUp>,
    /// Where its user is asked, and in which header the answer comes.
    pub consent: Option<(&'a Consent, &'a str)>,
    /// Where the API's OAuth metadata is (RFC 9728 §5.1).
    pub metadata: Option<&'a str>,
    /// The limits that count the caller's calls.
    pub limits: Option<&'a Limits>,
    /// How the token came, or would best have come.
    pub scheme: Scheme,
    /// Whether the operation takes no bearer tokens, not even those bound to a certificate.
    pub refuses_bearer: bool,
    /// What the proof of a token bound to a key may be signed with; none where no such token is
    /// taken.
    pub dpop_algs: Option<&'a str>,
    /// The nonce that the next proof is to have.
    pub dpop_nonce: Option<&'a str>,
}

/// RFC 9457, with members of our own after the standard ones.
#[derive(Serialize)]
struct ProblemDocument<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    permission: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    #[serde(rename = "violated-policies", skip_serializing_if = "Option::is_none")]
    violated_policies: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consent: Option<ConsentAsked<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    decision: &'a str,
}

/// What an agent needs to ask its user.
#[derive(Serialize)]
struct ConsentAsked<'a> {
    url: &'a str,
    header: &'a str,
    audience: &'a str,
    agent: &'a str,
}

impl Refusal {
    /// The answer that tells the caller of this refusal.
    pub fn reply(&self, told: &Told<'_>) -> Reply {
        let denial = self.denial;
        let status = denial.status();
        let exceeded = match self.limit {
            Some(Refused::Exceeded { usage, retry_after }) => Some((usage, retry_after)),
            Some(Refused::Unavailable) | None => None,
        };
        let retry_after = match denial {
            Denial::NotReady => Some(1),
            // Not by a limit of the policy's.
            Denial::RateLimited if exceeded.is_none() => Some(1),
            _ => exceeded.map(|(_, seconds)| seconds),
        };
        let mut headers = vec![
            ("content-type", "application/problem+json".to_owned()),
            ("cache-control", "no-store".to_owned()),
        ];
        headers.extend(challenges(denial, told).map(|value| ("www-authenticate", value)));
        headers.extend(told.dpop_nonce.map(|nonce| ("dpop-nonce", nonce.to_owned())));
        headers.extend(retry_after.map(|seconds| ("retry-after", seconds.to_string())));
        let violated: Option<&Limit> =
            exceeded.zip(told.limits).and_then(|((usage, _), limits)| limits.find(usage));
        if let (Some((usage, _)), Some(limits)) = (exceeded, told.limits) {
            let mut field = String::new();
            write_usage(&mut field, limits.iter(), [usage]);
            let fields = [("ratelimit-policy", limits.field.to_string()), ("ratelimit", field)];
            headers.extend(fields.into_iter().filter(|(_, value)| !value.is_empty()));
        }
        let unmet = matches!(denial, Denial::InsufficientScope | Denial::MissingToken);
        let is_asked = matches!(
            denial,
            Denial::ConsentInvalid | Denial::ConsentRequired | Denial::ConsentSpent
        );
        let document = ProblemDocument {
            r#type: match denial {
                Denial::BudgetExhausted | Denial::RateLimited | Denial::TooManyConcurrent => {
                    "https://iana.org/assignments/http-problem-types#quota-exceeded"
                }
                Denial::LoopDetected | Denial::TooManyDenials | Denial::TooManyWrites => {
                    "https://iana.org/assignments/http-problem-types#abnormal-usage-detected"
                }
                _ => "about:blank",
            },
            title: title(status),
            status,
            detail: self.reason,
            code: denial.code(),
            permission: told.permission,
            scope: told.scope.filter(|_| unmet),
            violated_policies: violated.map(|limit| [limit.name()]),
            retry_after,
            consent: told.consent.filter(|_| is_asked).map(|(consent, agent)| ConsentAsked {
                url: &consent.url,
                header: &consent.header,
                audience: &consent.audience,
                agent,
            }),
            decision: told.decision,
        };
        // Strings and numbers never fail to serialize; an empty body would still be a denial.
        Reply { status, headers, body: serde_json::to_string(&document).unwrap_or_default() }
    }
}

/// The challenges of a 401, a 403 for want of scope, or a malformed use of a token (RFC 6750 §3):
/// one for each scheme that would do, that of the token first. Only it has the error
/// (RFC 9449 §7.1).
fn challenges(denial: Denial, told: &Told<'_>) -> impl Iterator<Item = String> {
    let error = match (denial, denial.status()) {
        (Denial::MissingToken, _) => Some(None),
        (Denial::InsufficientScope, _) => Some(Some("insufficient_scope")),
        (
            Denial::InsufficientUserAuthentication
            | Denial::InvalidDpopProof
            | Denial::InvalidRequest
            | Denial::UseDpopNonce,
            _,
        ) => Some(Some(denial.code())),
        (_, 401) => Some(Some("invalid_token")),
        _ => None,
    };
    let other = match told.scheme {
        Scheme::Bearer => Scheme::Dpop,
        Scheme::Dpop => Scheme::Bearer,
    };
    let is_taken = |scheme: &Scheme| match scheme {
        Scheme::Bearer => !told.refuses_bearer,
        Scheme::Dpop => told.dpop_algs.is_some(),
    };
    // Another token may come otherwise; where no other is needed, there is nothing to choose.
    let is_open = denial.status() == 401;
    let own = Some(told.scheme).filter(|own| denial != Denial::MissingToken || is_taken(own));
    let other = Some(other).filter(|other| is_open && is_taken(other));
    [own, other].into_iter().flatten().filter_map(move |scheme| {
        let error = error?.filter(|_| scheme == told.scheme);
        Some(challenge(scheme, error, denial, told))
    })
}

fn challenge(
    scheme: Scheme,
    error: Option<&'static str>,
    denial: Denial,
    told: &Told<'_>,
) -> String {
    let mut parameters = Vec::new();
    parameters.extend(error.map(|error| format!("error=\"{error}\"")));
    // What a reason says is ours, and has neither quotes nor backslashes.
    parameters.extend(error.map(|_| format!("error_description=\"{}\"", describe(denial))));
    if denial != Denial::InvalidRequest {
        parameters.extend(told.scope.map(|scope| format!("scope=\"{scope}\"")));
    }
    if let (Denial::InsufficientUserAuthentication, Some(asked)) = (denial, told.step_up) {
        let values = Some(&asked.acr_values).filter(|values| !values.is_empty());
        parameters.extend(values.map(|values| format!("acr_values=\"{values}\"")));
        parameters.extend(asked.max_age.map(|seconds| format!("max_age=\"{seconds}\"")));
    }
    if scheme == Scheme::Dpop {
        parameters.extend(told.dpop_algs.map(|algs| format!("algs=\"{algs}\"")));
    }
    parameters.extend(told.metadata.map(|url| format!("resource_metadata=\"{url}\"")));
    match parameters.as_slice() {
        [] => scheme.name().to_owned(),
        _ => format!("{} {}", scheme.name(), parameters.join(", ")),
    }
}

/// The code and what it means: visible ASCII without quotes (RFC 6750 §3).
fn describe(denial: Denial) -> String {
    format!("{}: {}", denial.code(), denial.advice())
}

const fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        429 => "Too Many Requests",
        _ => "Service Unavailable",
    }
}
