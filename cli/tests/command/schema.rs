//! `postern schema`.

use crate::lab::Lab;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/policy.schema.json");

#[test]
fn the_schema_in_the_documentation_is_up_to_date() {
    let printed = Lab::empty().run("schema");
    assert_eq!(printed.code, 0);
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    assert!(committed == printed.out, "out of date: postern schema > docs/policy.schema.json");
}

#[test]
fn every_field_of_the_policy_is_described() {
    let printed = Lab::empty().run("schema");
    let schema: serde_json::Value = serde_json::from_str(&printed.out).unwrap();
    let types = schema["$defs"].as_object().unwrap().iter().map(|(name, one)| (name.as_str(), one));
    for (name, one) in types.chain([("policy", &schema)]) {
        for (field, property) in one["properties"].as_object().into_iter().flatten() {
            assert!(property["description"].is_string(), "{name}.{field}");
        }
    }
}
