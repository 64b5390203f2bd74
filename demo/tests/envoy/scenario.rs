//! The configurations that come with Postern, and the demonstration.

use postern_demo::{Lab, Settings, envoy, repository, scenario, table};

#[test]
fn envoy_takes_the_configuration_to_start_from() -> anyhow::Result<()> {
    accepts("envoy/postern.yaml")
}

#[test]
fn envoy_takes_the_minimal_configuration_and_the_filter_its_policy() -> anyhow::Result<()> {
    accepts("envoy/minimal.yaml")
}

fn accepts(file: &str) -> anyhow::Result<()> {
    envoy::validate(&Settings::from_env()?.envoy, repository(), file)
}

#[test]
fn everything_in_the_scenario_comes_out_as_it_should() {
    let lab = Lab::start(Settings::from_env().unwrap()).unwrap();
    let mut rows = scenario::run(&lab).unwrap();
    rows.extend(scenario::share().unwrap());
    assert!(rows.iter().all(scenario::Row::holds), "\n{}", table::render(&rows, false));
}
