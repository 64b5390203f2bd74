//! A list of what is taken back, fetched by a real Envoy with two workers.

use postern_demo::cast::{ADA, SUPPORT_BOT, acting, human};
use postern_demo::key_server::{KeyServer, Mood};
use postern_demo::{Lab, Settings};
use serde_json::json;

use crate::say;

fn says(list: &str) -> Mood {
    Mood::Says(200, list.to_owned())
}

#[test]
fn a_kill_switch_stops_one_agent_on_all_workers_and_an_outage_of_the_list_everybody() {
    let server = KeyServer::start(says("{}")).unwrap();
    let mut settings = Settings::from_env().unwrap();
    settings.policy["limits"] = json!({});
    settings.policy["revocations"] = json!({ "feed": {
        "url": server.url(), "cluster": "admin", "refresh": "5s", "max_staleness": "10s",
        "timeout": "1s",
    } });
    let lab = Lab::start(settings).unwrap();
    let bot = acting(SUPPORT_BOT, ADA, "crm.read").sign(&lab.cast.login).unwrap();
    let ada = human(ADA, "crm.read").sign(&lab.cast.login).unwrap();
    let all_say = |token: &str, code: &str| say::all(&lab, token, code);
    let becomes = |token: &str, code: &str| say::in_the_end(&lab, token, code);
    // The first of them waited for the list.
    assert!(all_say(&ada, "allow") && all_say(&bot, "allow"), "{}", lab.envoy.log_tail());

    server.set(says(r#"{"agents":["support-bot"]}"#));
    becomes(&bot, "agent_blocked");
    assert!(all_say(&ada, "allow"), "nobody else is stopped");

    // What is no list changes nothing, until the last one is too old.
    server.set(says(r#"{"agents":"support-bot"}"#));
    assert!(all_say(&bot, "agent_blocked") && all_say(&ada, "allow"));
    becomes(&ada, "not_ready");
    server.set(says("{}"));
    becomes(&ada, "allow");
    becomes(&bot, "allow");
}
