//! Microsoft Entra ID: two versions, application permissions, agent facets.

use postern_tests::engine::AUDIENCE;
use serde_json::{Value, json};

use super::{NO_CLIENT, UNCLEAR, ask, token, trusting, with, without};

const TENANT: &str = "00000001-0000-0ff1-ce00-000000000000";
const ISSUER: &str =
    "https://login.microsoftonline.example/00000001-0000-0ff1-ce00-000000000000/v2.0";
const BOT: &str = "aaaaaaaa-1111-2222-3333-444444444444";

fn policy() -> Value {
    trusting(ISSUER, &json!({ "preset": "entra" }), BOT)
}

fn person() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "pairwise", "oid": "ada-oid", "tid": TENANT,
        "azp": "web-app", "azpacr": "1", "scp": "openid crm.read", "ver": "2.0", "uti": "u",
    })
}

/// An app that acts for itself, with an application permission.
fn app(client: &str) -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "sp-oid", "oid": "sp-oid", "tid": TENANT,
        "azp": client, "azpacr": "1", "idtyp": "app", "roles": ["crm.read"], "ver": "2.0",
    })
}

#[test]
fn a_person_is_a_human_of_her_tenant() {
    let told = ask(&policy(), &token(Some("JWT"), &person()));
    assert_eq!(told, format!("human pairwise, {TENANT}"));
    let typed = with(person(), json!({ "idtyp": "user" }));
    assert_eq!(ask(&policy(), &token(Some("JWT"), &typed)), told);
}

#[test]
fn an_app_is_an_agent_for_itself_and_its_roles_are_its_scopes() {
    let told = format!("support-bot for itself, {TENANT}");
    assert_eq!(ask(&policy(), &token(Some("JWT"), &app(BOT))), told);
    let v1 = with(without(app(BOT), "azp"), json!({ "appid": BOT, "ver": "1.0" }));
    assert_eq!(ask(&policy(), &token(Some("JWT"), &v1)), told);
    let unknown = ask(&policy(), &token(Some("JWT"), &app("scraper")));
    assert!(unknown.starts_with("agent_unknown"), "{unknown}");
}

#[test]
fn the_roles_of_a_person_are_not_scopes() {
    let claims = with(person(), json!({ "scp": "openid", "roles": ["crm.read"] }));
    let told = ask(&policy(), &token(Some("JWT"), &claims));
    assert!(told.starts_with("insufficient_scope"), "{told}");
}

#[test]
fn a_token_that_is_neither_an_apps_nor_a_persons_is_refused() {
    for claims in [
        without(app(BOT), "idtyp"),
        with(app(BOT), json!({ "idtyp": "user" })),
        with(app(BOT), json!({ "scp": "crm.read" })),
        without(person(), "scp"),
    ] {
        assert_eq!(ask(&policy(), &token(Some("JWT"), &claims)), UNCLEAR, "{claims}");
    }
}

#[test]
fn an_agent_identity_is_an_agent_in_every_role_it_plays() {
    let facets = json!({
        "xms_act_fct": "3 9 11", "xms_sub_fct": "9 3 11", "xms_par_app_azp": "blueprint",
    });
    let alone = with(app(BOT), facets);
    let told = ask(&policy(), &token(Some("JWT"), &alone));
    assert_eq!(told, format!("support-bot for itself, {TENANT}"));

    let acting = with(
        person(),
        json!({ "azp": BOT, "idtyp": "user", "xms_act_fct": "9 11 3", "roles": ["reader"] }),
    );
    let told = ask(&policy(), &token(Some("JWT"), &acting));
    assert_eq!(told, format!("support-bot for pairwise, {TENANT}"));

    let own_user = with(person(), json!({ "xms_act_fct": "11", "xms_sub_fct": "13 9" }));
    for claims in [own_user.clone(), without(own_user, "xms_act_fct")] {
        let unregistered = ask(&policy(), &token(Some("JWT"), &claims));
        assert!(unregistered.starts_with("agent_unknown"), "{unregistered}");
    }
    let no_agent = with(person(), json!({ "xms_act_fct": "111 3", "xms_sub_fct": "113" }));
    let told = ask(&policy(), &token(Some("JWT"), &no_agent));
    assert_eq!(told, format!("human pairwise, {TENANT}"));
}

#[test]
fn an_id_token_is_refused_also_where_the_app_is_the_api() {
    let id = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "pairwise", "oid": "ada-oid", "tid": TENANT,
        "name": "Ada", "preferred_username": "ada@crm.example", "ver": "2.0",
    });
    assert_eq!(ask(&policy(), &token(Some("JWT"), &id)), NO_CLIENT);
    let with_client = with(id, json!({ "azp": "web-app" }));
    assert_eq!(ask(&policy(), &token(Some("JWT"), &with_client)), UNCLEAR);
}
