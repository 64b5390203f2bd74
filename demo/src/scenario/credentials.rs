//! Tokens that are missing, doubled, misplaced, stale, for others, or forged.

use postern_cli::mint::{Encoding, PrivateKey};

use super::{Outcome, Step, not_from_backend, require, with};
use crate::Lab;
use crate::cast::{ADA, human};
use crate::client::{Request, Response};
use crate::clock;

const HOUR: i64 = 3600;

pub(super) fn steps(lab: &Lab) -> anyhow::Result<Vec<Step>> {
    let key = &lab.cast.login;
    let read = || Request::get("/v1/contacts");
    let token = human(ADA, "crm.read");
    let signed = token.sign(key)?;
    let now = clock::now();
    let (ada, mallory) = ("ada, an editor", "mallory");
    Ok(vec![
        Step::denied(
            "anybody",
            "reads contacts with no token",
            read(),
            (401, "missing_token"),
            "the answer asks for one",
        )
        .checked(asks_for_a_token),
        Step::denied(
            mallory,
            "sends two Authorization headers",
            read().bearer(&signed).bearer(&signed),
            (400, "invalid_request"),
            "which of the two would the backend read?",
        ),
        Step::denied(
            mallory,
            "puts the token in the query",
            Request::get(&format!("/v1/contacts?access_token={signed}")),
            (400, "invalid_request"),
            "queries end up in logs",
        ),
        Step {
            expected: Outcome { status: 400, code: None },
            ..Step::denied(
                mallory,
                "hides a slash in the path",
                Request::get("/v1/contacts%2F42").bearer(&signed),
                (400, ""),
                "Envoy itself refuses a path of two readings",
            )
        },
        Step::denied(
            ada,
            "comes with an old token",
            with(read(), &token.clone().valid(now - HOUR, now - HOUR / 2), key)?,
            (401, "expired_token"),
            "it ended half an hour ago",
        ),
        Step::denied(
            ada,
            "comes with a token for another API",
            with(read(), &token.clone().claim("aud", "https://api.other.example"), key)?,
            (401, "wrong_audience"),
            "its audience is not this API",
        ),
        Step::denied(
            mallory,
            "signs nothing: alg none",
            read().bearer(&token.unsecured()?),
            (401, "invalid_token"),
            "a token without a signature is no token",
        ),
        Step {
            requests: [Encoding::Pem, Encoding::Der, Encoding::Modulus]
                .into_iter()
                .filter_map(|encoding| lab.cast.login_rsa.public_bytes(encoding))
                .map(|public| {
                    let stolen = PrivateKey::symmetric(public).with_kid(lab.cast.login_rsa.kid());
                    with(read(), &token, &stolen)
                })
                .collect::<Result<_, _>>()?,
            ..Step::denied(
                mallory,
                "signs HS256 with the public RSA key",
                read(),
                (401, "invalid_token"),
                "the policy says the algorithm, not the token",
            )
        },
        Step::denied(
            "the partner's login",
            "signs for the login, same kid",
            with(read(), &token, &lab.cast.partner)?,
            (401, "invalid_token"),
            "a key counts for its own issuer alone",
        ),
        Step::denied(
            mallory,
            "names a key nobody has",
            with(read(), &token.clone().header("kid", "key-9"), key)?,
            (401, "unknown_key"),
            "the issuer publishes no such key",
        ),
    ])
}

fn asks_for_a_token(response: &Response) -> Result<(), String> {
    not_from_backend(response)?;
    let challenge = response.header("www-authenticate").unwrap_or_default();
    require(challenge.starts_with("Bearer"), "there is no Bearer challenge")?;
    require(!challenge.contains("error="), "no token was sent, so none was wrong (RFC 6750 §3.1)")
}
