//! The `postern` command: what is typed -> what is printed, a file a command.
//!
//! The answer goes to standard output and nothing else does; why there is none goes to standard
//! error. Exit codes: 0 yes, 1 no, 2 there is no answer.

mod behaviour;
mod check;
mod explain;
mod file;
mod key;
mod output;
mod problems;
mod provided;
mod render;
mod schema;
mod scopes;
mod test;
mod time;
mod token;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Access control for AI agents at the edge: checks and explains policies.
#[derive(Debug, Parser)]
#[command(
    name = "postern",
    version,
    max_term_width = 100,
    after_help = "\
Exit codes: 0 yes, 1 no (errors in the policy, a request denied, a token refused), \
2 no answer (usage, files).
Wherever a FILE is read, `-` is standard input."
)]
struct Postern {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Check),
    Explain(explain::Explain),
    #[command(subcommand)]
    Key(key::Key),
    Render(render::Render),
    Schema(schema::Schema),
    Scopes(scopes::Scopes),
    Test(test::Test),
    #[command(subcommand)]
    Token(token::Token),
}

/// What a command has to say to what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
}

impl From<bool> for Answer {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// Runs the command that this process was started with.
pub fn run() -> ExitCode {
    let answer = match Postern::parse().command {
        Command::Check(check) => check.run(),
        Command::Explain(explain) => explain.run(),
        Command::Key(key) => key.run(),
        Command::Render(render) => render.run(),
        Command::Schema(schema) => schema.run(),
        Command::Scopes(scopes) => scopes.run(),
        Command::Test(test) => test.run(),
        Command::Token(token) => token.run(),
    };
    match answer {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Err(error) => {
            // Whoever closed the pipe has read enough, and need not be told.
            if !is_broken_pipe(&error) {
                output::complain(&format!("{error:#}"));
            }
            ExitCode::from(2)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
