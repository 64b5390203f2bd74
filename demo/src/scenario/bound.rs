//! A token that is bound to its client's key, and what it is worth to others.

use postern_cli::mint::{Algorithm, PrivateKey, Proof};

use super::{Step, not_from_backend, require};
use crate::Lab;
use crate::cast::{ADA, AUDIENCE, SUPPORT_BOT, acting};
use crate::client::{Request, Response};
use crate::clock;

pub(super) fn steps(lab: &Lab) -> anyhow::Result<Vec<Step>> {
    let key = PrivateKey::generate(Algorithm::Es256)?;
    let token = acting(SUPPORT_BOT, ADA, "crm.read").bound_to_key(&key.thumbprint());
    let token = token.sign(&lab.cast.login)?;
    let read = || Request::get("/v1/contacts");
    let proof =
        |path: &str| Proof::new("GET", &format!("{AUDIENCE}{path}"), clock::now()).token(&token);
    let proven = read().dpop(&token, &proof("/v1/contacts").sign(&key)?);
    let (bot, mallory) = ("support-bot for ada", "mallory, with the bot's token");
    Ok(vec![
        Step::allowed(
            bot,
            "reads with a bound token and its proof",
            proven.clone(),
            "it has the key that the token is bound to",
        ),
        Step::denied(
            mallory,
            "sends the bot's proof once more",
            proven,
            (401, "invalid_dpop_proof"),
            "a proof is good once, on whichever worker",
        ),
        Step::denied(
            mallory,
            "sends it without a proof",
            read().header("Authorization", format!("DPoP {token}")),
            (401, "unbound_token"),
            "the token alone is worth nothing",
        )
        .checked(asks_for_a_proof),
        Step::denied(
            mallory,
            "sends it as a bearer token",
            read().bearer(&token),
            (401, "unbound_token"),
            "a bound token is none",
        ),
        Step::denied(
            mallory,
            "proves to have another key",
            read().dpop(
                &token,
                &proof("/v1/contacts").sign(&PrivateKey::generate(Algorithm::Es256)?)?,
            ),
            (401, "unbound_token"),
            "the token names the key",
        ),
        Step::denied(
            mallory,
            "uses a proof for another path",
            read().dpop(&token, &proof("/v1/deals").sign(&key)?),
            (401, "invalid_dpop_proof"),
            "a proof is for one request",
        ),
    ])
}

fn asks_for_a_proof(response: &Response) -> Result<(), String> {
    not_from_backend(response)?;
    let mut challenges = response.all("www-authenticate");
    let is_asked = challenges.any(|one| one.starts_with("DPoP error=") && one.contains("algs="));
    require(is_asked, "there is no DPoP challenge with an error")
}
