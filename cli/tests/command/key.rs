//! `postern key`.

use insta::assert_snapshot;

use crate::lab::{Lab, assert_holds_none_of};

/// The policy with `keys` at its end.
fn with_keys(lab: &Lab, keys: &str) {
    let rest = format!("\napi_keys:\n  prefix: crm_key_\n  keys:\n{keys}");
    lab.write("policy.yaml", &(lab.read("policy.yaml") + &rest));
}

/// The lines of an entry.
fn entry(out: &str) -> String {
    let lines = out.lines().skip_while(|line| !line.starts_with("  - id:"));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_new_key_and_its_entry_let_its_organization_in() {
    let lab = Lab::new();
    let made = lab.run(
        "key new --prefix crm_key_ --organization acme --scope crm.read --id ci --at NOW --out a.key",
    );
    assert_eq!((made.code, made.err.as_str()), (0, "wrote the key to a.key\n"));
    with_keys(&lab, &entry(&made.out));
    let key = lab.read("a.key");
    let ran = lab.run("explain policy.yaml --path /v1/contacts --at NOW --key-file a.key");
    assert_holds_none_of(&ran, key.trim());
    assert_snapshot!(ran, @r"
    GET /v1/contacts at 2026-01-01T12:00:00Z, policy `test-1`

    ok firewall   nothing that only the gateway may set
    ok route      routes[0] `/v1/contacts` needs `contacts:read`
    ok key        `ci` of the organization `acme`
                  due to be rotated at 2026-04-01T12:00:00Z (in 90d)
                  valid until 2026-04-15T12:00:00Z (in 104d)
    ok authorize  `contacts:read` is needed
                  scope crm.read -> reader, which holds it
                  smallest scope that grants it: crm.read
    ok limits     none counts this call

    allowed

    the backend also sees:
      x-postern-kind: organization
      x-postern-organization: acme
      x-postern-key: ci
      x-postern-roles: reader
      x-postern-policy-version: test-1
      x-postern-decision-id: 0000000000000000-1

    the backend does not see:
      x-api-key
    exit code 0
    ");
    let ran =
        lab.run("explain policy.yaml --method PUT --path /v1/contacts/7 --at NOW --key-file a.key");
    assert!(ran.code == 1 && ran.out.contains("`insufficient_scope`"), "{ran}");
    let ran = lab
        .run("explain policy.yaml --path /v1/contacts --at 2026-04-20T00:00:00Z --key-file a.key");
    assert!(ran.code == 1 && ran.out.contains("not rotated in time"), "{ran}");
}

#[test]
fn a_key_is_for_its_owner_only_and_no_other_is_the_same() {
    let lab = Lab::empty();
    let new = "key new --prefix crm_key_ --organization acme --scope crm.read";
    let keys: Vec<_> = (0..2)
        .map(|_| {
            let out = lab.run(new).out;
            out.lines().find(|line| line.starts_with("crm_key_")).unwrap().to_owned()
        })
        .collect();
    assert!(keys[0] != keys[1] && keys.iter().all(|key| key.len() == "crm_key_".len() + 43));
    assert_eq!(lab.run(&format!("{new} --out a.key")).code, 0);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(lab.path("a.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let key = lab.read("a.key");
    assert_eq!(lab.run(&format!("{new} --out a.key")).code, 2);
    assert_eq!(lab.read("a.key"), key);
}

#[test]
fn a_key_is_made_for_the_policy_that_is_named() {
    let lab = Lab::new();
    let new = "key new --policy policy.yaml --organization acme --scope";
    let ran = lab.run(&format!("{new} crm.read"));
    assert!(ran.code == 2 && ran.err.contains("has no `api_keys`"), "{ran}");
    let other = "  - { id: other, hash: \"sha256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU\", organization: acme, scopes: [crm.read], created: 2026-01-01 }\n";
    with_keys(&lab, other);
    let made = lab.run(&format!("{new} crm.read"));
    assert!(made.out.contains("\ncrm_key_"), "{made}");
    let ran = lab.run(&format!("{new} crm.raed"));
    assert!(ran.code == 2 && ran.err.contains("has no scope `crm.raed`"), "{ran}");
    let ran = lab.run("key new --prefix a_ --organization a --scope b --at NOW --expires NOW");
    assert!(ran.code == 2 && ran.err.contains("before it is made"), "{ran}");
    assert_eq!(lab.run("key new --organization acme --scope crm.read").code, 2);
}
