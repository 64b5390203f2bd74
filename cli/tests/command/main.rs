//! The `postern` command as it is typed: what it prints, and its exit code.

#![cfg(test)]

mod check;
mod explain;
mod introspection;
mod key;
mod lab;
mod plumbing;
mod schema;
mod scopes;
mod test;
mod token;
