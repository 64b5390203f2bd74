//! What a token grants by `authorization_details` (RFC 9396).

use postern_cli::mint::AccessToken;
use postern_tests::engine::{
    AUDIENCE, Call, Gate, Outcome, call, compact, get, policy, problems, token,
};
use serde_json::{Value, json};

/// The base policy, which knows one type of details for single contacts and one for all exports.
fn knowing() -> Value {
    let mut policy = policy();
    policy["authorization_details"] = json!({
        "contact": {
            "path": "/v1/contacts/{identifier}",
            "actions": { "change": ["contacts:write"], "read": ["contacts:read"] },
            "ignore": ["purpose"],
        },
        "export": { "actions": { "start": ["exports:create"] } },
    });
    policy
}

fn ask(policy: &Value, call: Call, token: &AccessToken) -> Outcome {
    Gate::new(policy).ask(&call.bearer(&compact(token)))
}

/// What becomes of a change to contact 7 by Ada, who has no scope for it and these details.
fn change(details: &Value) -> String {
    ask(&knowing(), call("PUT", "/v1/contacts/7"), &ada(details)).code()
}

fn ada(details: &Value) -> AccessToken {
    token("ada", "web-app", "crm.read")
        .roles(&["editor"])
        .claim("authorization_details", details.clone())
}

#[test]
fn details_grant_their_actions_on_their_resource() {
    let details = json!([{ "type": "contact", "actions": ["change"], "identifier": "7" }]);
    let outcome = ask(&knowing(), call("PUT", "/v1/contacts/7"), &ada(&details));
    assert_eq!(outcome.code(), "allow");
    assert_eq!(outcome.record["authorization_details"], "contact");
    for (method, path) in
        [("PUT", "/v1/contacts/8"), ("PUT", "/v1/deals/7"), ("POST", "/v1/exports")]
    {
        let outcome = ask(&knowing(), call(method, path), &ada(&details));
        assert_eq!(outcome.code(), "insufficient_scope", "{method} {path}");
    }
    // Percent-encoded it is the same segment, and no other.
    assert_eq!(ask(&knowing(), call("PUT", "/v1/contacts/%37"), &ada(&details)).code(), "allow");
    // What a scope grants needs no details, and is not recorded as if it did.
    let outcome = ask(&knowing(), call("GET", "/v1/contacts"), &ada(&details));
    assert_eq!(
        (outcome.code().as_str(), &outcome.record["authorization_details"]),
        ("allow", &Value::Null)
    );
}

#[test]
fn details_that_are_not_understood_in_full_grant_nothing() {
    let sound = json!({ "type": "contact", "actions": ["change"], "identifier": "7" });
    assert_eq!(change(&json!([sound])), "allow");
    for (what, change_of) in [
        ("another type", json!({ "type": "deal" })),
        ("a type in another case", json!({ "type": "Contact" })),
        ("no type", json!({ "type": null })),
        ("a type that is no text", json!({ "type": ["contact"] })),
        ("another action", json!({ "actions": ["read"] })),
        ("an unknown action", json!({ "actions": ["delete"] })),
        ("no actions", json!({ "actions": null })),
        ("actions in one text", json!({ "actions": "change" })),
        ("an action that is no text", json!({ "actions": ["change", 7] })),
        ("another resource", json!({ "identifier": "8" })),
        ("no resource", json!({ "identifier": null })),
        ("a number", json!({ "identifier": 7 })),
        ("a pattern", json!({ "identifier": "*" })),
        ("a restriction that nobody knows", json!({ "fields": ["email"] })),
        ("another API", json!({ "locations": ["https://other.example/"] })),
        ("no place at all", json!({ "locations": [] })),
        ("a place that is no list", json!({ "locations": AUDIENCE })),
    ] {
        let mut detail = sound.clone();
        for (name, value) in change_of.as_object().unwrap() {
            detail[name] = value.clone();
            if value.is_null() {
                detail.as_object_mut().unwrap().remove(name);
            }
        }
        assert_eq!(change(&json!([detail])), "insufficient_scope", "{what}");
        // Nor do they spoil those beside them.
        assert_eq!(change(&json!([detail, sound])), "allow", "{what}");
    }
    for whole in [sound, json!("contact"), json!({}), json!([[]]), json!(true), json!([null])] {
        assert_eq!(change(&whole), "insufficient_scope", "{whole}");
    }
}

#[test]
fn details_may_name_this_api_and_say_what_is_ignored() {
    for more in [json!({ "locations": [AUDIENCE] }), json!({ "purpose": "a campaign" })] {
        let mut detail = json!({ "type": "contact", "actions": ["change"], "identifier": "7" });
        detail.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(change(&json!([detail])), "allow", "{more}");
    }
}

#[test]
fn details_for_all_there_are_name_no_resource() {
    let start =
        |detail: Value| ask(&knowing(), call("POST", "/v1/exports"), &ada(&json!([detail]))).code();
    assert_eq!(start(json!({ "type": "export", "actions": ["start"] })), "allow");
    let one = json!({ "type": "export", "actions": ["start"], "identifier": "7" });
    assert_eq!(start(one), "insufficient_scope");
}

#[test]
fn details_reach_no_further_than_ceiling_never_user_and_organization() {
    let details = json!([
        { "type": "contact", "actions": ["change"], "identifier": "7" },
        { "type": "export", "actions": ["start"] },
    ]);
    let bot = |roles: &[&str]| {
        token("ada", "web-app", "crm.read")
            .roles(roles)
            .actor("support-bot")
            .claim("org_id", "acme")
            .claim("authorization_details", details.clone())
    };
    let change = |policy: &Value, roles: &[&str]| {
        ask(policy, call("PUT", "/v1/contacts/7"), &bot(roles)).code()
    };
    assert_eq!(change(&knowing(), &["editor"]), "allow");
    assert_eq!(change(&knowing(), &["reader"]), "user_lacks_role");
    let export = ask(&knowing(), call("POST", "/v1/exports"), &bot(&["admin"]));
    assert_eq!(export.code(), "agent_ceiling");
    let mut never = knowing();
    never["agents"]["support-bot"]["never"] = json!(["contacts:write"]);
    assert_eq!(change(&never, &["editor"]), "agent_forbidden");
    let mut organization = knowing();
    organization["organizations"] = json!({ "acme": { "agent_ceiling": "reader" } });
    assert_eq!(change(&organization, &["editor"]), "agent_ceiling");
    organization["organizations"] =
        json!({ "acme": { "blocked_scopes": ["crm.write", "crm.admin"] } });
    assert_eq!(change(&organization, &["editor"]), "insufficient_scope");
}

#[test]
fn a_policy_without_types_takes_no_notice_of_details() {
    let details = json!([{ "type": "contact", "actions": ["change"], "identifier": "7" }]);
    let outcome = ask(&policy(), call("PUT", "/v1/contacts/7"), &ada(&details));
    assert_eq!(outcome.code(), "insufficient_scope");
    // And who needs none is none the worse for them.
    assert_eq!(ask(&policy(), call("GET", "/v1/contacts"), &ada(&json!("?"))).code(), "allow");
}

#[test]
fn the_metadata_of_the_resource_names_the_types() {
    let metadata = |policy: &Value| {
        let reply = Gate::new(policy).ask(&get("/.well-known/oauth-protected-resource/crm"));
        serde_json::from_str::<Value>(&reply.reply().body).unwrap()
    };
    let member = "authorization_details_types_supported";
    assert_eq!(metadata(&knowing())[member], json!(["contact", "export"]));
    assert_eq!(metadata(&policy()).get(member), None);
}

#[test]
fn mistakes_are_found_when_the_policy_is_read() {
    let wrong = |detail: Value| {
        let mut policy = policy();
        policy["authorization_details"] = json!({ "contact": detail });
        problems(&policy)
    };
    let none = wrong(json!({ "actions": {} }));
    assert!(none.contains("authorization_details.contact.actions"), "{none}");
    let unknown = wrong(json!({ "actions": { "read": ["contacts:raed"] } }));
    assert!(unknown.contains("did you mean `contacts:read`?"), "{unknown}");
    let path = json!({ "actions": { "read": ["contacts:read"] }, "path": "/v1/contacts/{id}" });
    assert!(wrong(path).contains("expected `{identifier}`"));
    let ignored = json!({ "actions": { "read": ["contacts:read"] }, "ignore": ["locations"] });
    assert!(wrong(ignored).contains("`locations` says what details are for"));
}
