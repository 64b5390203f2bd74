//! Postern before a person's eyes: `demo` runs the scenario and prints it, `demo up` leaves it
//! all running.

use std::io::{IsTerminal as _, stdout};
use std::process::ExitCode;
use std::time::Duration;
use std::{env, thread};

use anyhow::Context as _;
use postern_cli::mint::AccessToken;
use postern_demo::cast::{self, ADA, SUPPORT_BOT};
use postern_demo::client::Request;
use postern_demo::{Lab, Settings, interrupt, scenario, table};

/// The longest a token may live by the policy, in seconds.
const HOUR: i64 = 3600;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let result = match arguments.as_slice() {
        [] => demo(),
        [word] if word == "up" => up().map(|()| true),
        _ => {
            eprintln!("usage: demo [up]");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> anyhow::Result<Lab> {
    interrupt::catch()?;
    let lab = Lab::start(Settings::from_env()?)?;
    println!(
        "Envoy at http://{} was ready after {} ms\n",
        lab.address(),
        lab.envoy.ready_after().as_millis()
    );
    Ok(lab)
}

/// Whether every row of the scenario holds.
fn demo() -> anyhow::Result<bool> {
    let lab = start()?;
    show_one_request(&lab)?;
    let mut rows = scenario::run(&lab)?;
    if env::var_os("LIMIT_SERVICE").is_some_and(|path| !path.is_empty()) {
        rows.extend(scenario::share()?);
    } else {
        eprintln!("demo: two Envoys that share a limit are left out: see above what they lack\n");
    }
    let colors = stdout().is_terminal() && env::var_os("NO_COLOR").is_none();
    print!("{}", table::render(&rows, colors));
    let held = rows.iter().filter(|row| row.holds()).count();
    println!("\n{held} of {} as expected", rows.len());
    if held < rows.len() {
        eprintln!("\nEnvoy's log ends with:\n{}", lab.envoy.log_tail());
    }
    Ok(held == rows.len())
}

fn show_one_request(lab: &Lab) -> anyhow::Result<()> {
    let token = cast::acting(SUPPORT_BOT, ADA, "crm.read").sign(&lab.cast.login)?;
    let response = lab.send(&Request::get("/v1/contacts").bearer(&token))?;
    let echo = response
        .echo()
        .with_context(|| format!("the backend did not answer, but: {}", response.status))?;
    println!("{SUPPORT_BOT} reads contacts for {}. The backend was told:\n", ADA.subject);
    println!("    {} {}", echo.method, echo.path);
    for (name, value) in &echo.headers {
        println!("    {name}: {value}");
    }
    let ids = echo.all("x-request-id");
    let line = lab.log_line(ids.first().context("Envoy gave the request no id")?)?;
    println!("\nThe access log has:\n\n    {line}\n");
    Ok(())
}

fn up() -> anyhow::Result<()> {
    let lab = start()?;
    let (base, key) = (format!("http://{}", lab.address()), &lab.cast.login);
    let curl = |what: &str, token: AccessToken, rest: &str| -> anyhow::Result<()> {
        let issued = token.claims().get("iat").and_then(serde_json::Value::as_i64).unwrap_or(0);
        let token = token.valid(issued, issued.saturating_add(HOUR)).sign(key)?;
        println!("# {what}\ncurl -i -H 'Authorization: Bearer {token}' {rest}\n");
        Ok(())
    };
    println!("# no token\ncurl -i {base}/v1/contacts\n");
    curl("a person reads", cast::human(ADA, "crm.read"), &format!("{base}/v1/contacts"))?;
    curl(
        "an agent reads for her",
        cast::acting(SUPPORT_BOT, ADA, "crm.read"),
        &format!("{base}/v1/contacts"),
    )?;
    curl(
        "it tries to write, and lacks the scope",
        cast::acting(SUPPORT_BOT, ADA, "crm.read"),
        &format!("-X PUT {base}/v1/contacts/42"),
    )?;
    println!("Envoy's admin: http://{}", lab.envoy.admin());
    println!("Policy and logs: {}", lab.directory().display());
    println!("Ctrl-C ends it.");
    while interrupt::check().is_ok() {
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
