//! Plugin configuration -> engine.

use super::abi::{self, Level, Status};
use super::{context, memory};
use crate::decision::Engine;
use crate::policy;

/// Whether the policy of `size` bytes is now in force for `root`. If not, the log says why, and
/// what was in force before still is: at first, nothing, and every request is denied.
pub(super) fn on_configure(root: u32, size: usize) -> bool {
    match read(size) {
        Ok(engine) => {
            let configured = context::configure(root, engine);
            if !configured {
                abi::log(
                    Level::Error,
                    "policy refused: the proxy configures a plugin it never created",
                );
            }
            configured
        }
        Err(problems) => {
            for problem in problems {
                abi::log(Level::Error, &format!("policy refused: {problem}"));
            }
            false
        }
    }
}

fn read(size: usize) -> Result<Engine, Vec<String>> {
    if size == 0 {
        return Err(vec!["the plugin configuration is empty, expected a policy".into()]);
    }
    if size > memory::MAX_BUFFER {
        return Err(vec![format!("longer than {} bytes", memory::MAX_BUFFER)]);
    }
    let failed = |_: Status| vec!["the proxy did not hand over the plugin configuration".into()];
    let bytes = abi::plugin_configuration(size).map_err(failed)?;
    if bytes.len() != size {
        return Err(vec!["the proxy did not hand over all of the plugin configuration".into()]);
    }
    let policy = policy::load(&bytes)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let seed = abi::random().map_err(|_| vec!["the proxy has no source of randomness".into()])?;
    Ok(Engine::new(policy, seed))
}
