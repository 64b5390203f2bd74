//! Plugin configuration -> engine.

use super::abi::{self, Level};
use super::{context, feeds, memory, shared_limits};
use crate::decision::Engine;
use crate::policy::problem::{Problem, Problems, Severity};
use crate::policy::{self, Mode};

/// Whether the policy of `size` bytes is now in force for `root`. If not, the log says why, and
/// what was in force before still is: at first, nothing, and every request is denied.
pub(super) fn on_configure(root: u32, size: usize) -> bool {
    match read(size) {
        Ok(engine) => {
            let configured = context::configure(root, engine);
            if configured {
                feeds::on_configure(root);
            } else {
                abi::log(
                    Level::Error,
                    "policy refused: the proxy configures a plugin it never created",
                );
            }
            configured
        }
        Err(problems) => {
            tell(&problems);
            false
        }
    }
}

/// Logs each problem on a line of its own.
fn tell(problems: &Problems) {
    for problem in problems {
        match problem.severity {
            Severity::Error => abi::log(Level::Error, &format!("policy refused: {problem}")),
            Severity::Warning => abi::log(Level::Warn, &format!("policy: {problem}")),
        }
    }
    if problems.dropped() > 0 {
        let line = format!("policy refused: and {} more problems", problems.dropped());
        abi::log(Level::Error, &line);
    }
}

fn read(size: usize) -> Result<Engine, Problems> {
    if size == 0 {
        return Err(Problem::new("the plugin configuration is empty, expected a policy").into());
    }
    if size > memory::MAX_BUFFER {
        return Err(Problem::new(format!("longer than {} bytes", memory::MAX_BUFFER)).into());
    }
    let bytes =
        abi::plugin_configuration(size).ok().filter(|bytes| bytes.len() == size).ok_or_else(
            || Problem::new("the proxy did not hand over all of the plugin configuration"),
        )?;
    let policy = policy::load(&bytes)?;
    if policy.mode == Mode::Shadow {
        abi::log(Level::Warn, "policy: nobody is denied anything, for it is in shadow mode");
    }
    // Elsewhere it is known at the first request.
    if cfg!(feature = "nginx") && policy.shared_limits.is_some() {
        abi::log(Level::Warn, shared_limits::LOCAL);
    }
    let seed = abi::random().map_err(|_| Problem::new("the proxy has no source of randomness"))?;
    Ok(Engine::new(policy, seed))
}
