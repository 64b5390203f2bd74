//! What all commands share: help, exit codes, streams.

use insta::assert_snapshot;

use crate::lab::Lab;

#[test]
fn every_command_has_help_with_an_example() {
    let lab = Lab::empty();
    assert_snapshot!(lab.run("--help"), @r"
    Access control for AI agents at the edge: checks and explains policies

    Usage: postern <COMMAND>

    Commands:
      check    Check policies, and say what is wrong with them and where
      explain  Explain what a policy decides of a request, step by step, and why
      key      Make API keys for organizations
      render   Turn a policy into a proxy's configuration that enforces it
      schema   Print the JSON Schema of the policy file, for editors and other tools
      scopes   Show what each scope is worth, and how far each agent reaches
      test     Test policies: given a caller, when a request comes, then a decision
      token    Make keys and tokens for development, and look into tokens
      help     Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Exit codes: 0 yes, 1 no (errors in the policy, a request denied, a token refused), 2 no answer
    (usage, files).
    Wherever a FILE is read, `-` is standard input.
    exit code 0
    ");
    for command in [
        "check",
        "explain",
        "key new",
        "render",
        "schema",
        "scopes",
        "test",
        "token inspect",
        "token keygen",
        "token mint",
    ] {
        let ran = lab.run(&format!("{command} --help"));
        assert!(ran.code == 0 && ran.out.contains("Example"), "{ran}");
    }
}

#[test]
fn usage_and_files_that_are_not_there_are_no_answer() {
    let lab = Lab::empty();
    for arguments in ["", "chekc", "check", "check none.yaml", "explain none.yaml --path /"] {
        let ran = lab.run(arguments);
        assert_eq!(ran.code, 2, "{ran}");
        assert!(ran.out.is_empty() && !ran.err.is_empty(), "{ran:?}");
    }
    assert_snapshot!(lab.run("check none.yaml"), @r"
    error: cannot read `none.yaml`: No such file or directory (os error 2)
    exit code 2
    ");
}

#[test]
fn a_policy_is_rendered_to_two_files_that_a_proxy_starts_with() {
    let lab = Lab::new();
    let ran = lab.run(
        "render policy.yaml --for envoy --out-dir out --upstream api.internal:8443 --listen 9000",
    );
    assert_snapshot!(ran, @r"
    wrote out/postern.ecds.yaml
    wrote out/postern.yaml
    exit code 0
    ");
    let bootstrap = lab.read("out/postern.yaml");
    for part in ["api.internal", "8443", "9000", "out/postern.ecds.yaml"] {
        assert!(bootstrap.contains(part), "{part}: {bootstrap}");
    }
    assert!(lab.read("out/postern.ecds.yaml").contains("contacts:read"));
    assert!(!lab.path("out/postern.yaml.new").exists());
}

#[test]
fn a_policy_with_errors_is_not_rendered() {
    let lab = Lab::empty();
    lab.write("p.yaml", "version: 1\n");
    let ran = lab.run("render p.yaml --for envoy --out-dir out");
    assert_eq!(ran.code, 2);
    assert!(!lab.path("out").exists());
}

#[test]
fn a_policy_is_rendered_with_another_to_try_beside_it_unless_that_one_is_broken() {
    let lab = Lab::new();
    let next = lab.read("policy.yaml").replace("revision: test-1", "revision: next");
    lab.write("next.yaml", &next);
    let ran = lab.run("render policy.yaml --candidate next.yaml --for envoy --out-dir out");
    assert_eq!(ran.code, 0, "{ran}");
    let filter = lab.read("out/postern.ecds.yaml");
    assert!(filter.contains("candidate:") && filter.contains("revision: next"), "{filter}");
    lab.write("next.yaml", "version: 1");
    let ran = lab.run("render policy.yaml --candidate next.yaml --for envoy --out-dir out");
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("next.yaml"), "{ran}");
}
