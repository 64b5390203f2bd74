//! A directory with a policy, its keys, and the command to run in it.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// When everything happens: what `NOW` stands for in arguments.
const NOW: &str = "2026-01-01T12:00:00Z";

const POLICY: &str = include_str!("../fixtures/policy.yaml");

/// Goes away with all that is in it.
pub(crate) struct Lab {
    dir: PathBuf,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Lab {
    /// An empty directory.
    pub(crate) fn empty() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("lab-{}-{number}", std::process::id());
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&dir).unwrap();
        Self { dir }
    }

    /// With `policy.yaml`, and the private keys `login.jwk` and `partner.jwk` of its issuers.
    pub(crate) fn new() -> Self {
        let lab = Self::empty();
        let policy = [("login", "LOGIN_KEYS"), ("partner", "PARTNER_KEYS")].into_iter().fold(
            POLICY.to_owned(),
            |policy, (name, place)| {
                let file = format!("{name}.jwk");
                let kid = format!("{name}-1");
                let made = lab.run(&format!("token keygen --kid {kid} --out {file} --public"));
                policy.replace(place, &made.out.replace('\n', " "))
            },
        );
        lab.write("policy.yaml", &policy);
        lab
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.join(name), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(name)).unwrap()
    }

    /// Runs the command in the directory, its arguments parted by spaces, with nothing on standard
    /// input.
    pub(crate) fn run(&self, arguments: &str) -> Ran {
        self.run_with(arguments, "")
    }

    pub(crate) fn run_with(&self, arguments: &str, input: &str) -> Ran {
        let arguments = arguments.split_whitespace();
        let mut child = Command::new(env!("CARGO_BIN_EXE_postern"))
            .args(arguments.map(|word| if word == "NOW" { NOW } else { word }))
            .current_dir(&self.dir)
            .env_remove("CLICOLOR_FORCE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that reads nothing may have ended already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let ran = Ran {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'), "colours: {ran:?}");
        ran
    }

    /// A token for `ada` by `support-bot`, changed by further arguments, in a file of this name.
    pub(crate) fn mint(&self, name: &str, more: &str) -> String {
        let mut arguments = format!("token mint --claim jti=\"t-1\" {more}");
        for (option, value) in [
            ("--at", "NOW"),
            ("--key", "login.jwk"),
            ("--issuer", "https://login.crm.example/"),
            ("--audience", "https://api.crm.example"),
            ("--subject", "ada"),
            ("--client", "support-bot"),
        ] {
            if !more.contains(option) {
                arguments.push_str(&format!(" {option} {value}"));
            }
        }
        let made = self.run(&arguments);
        assert_eq!(made.code, 0, "{made:?}");
        self.write(name, &made.out);
        made.out.trim().to_owned()
    }

    /// What the policy says of a request, given as `GET /path`, with a token minted so.
    pub(crate) fn explain(&self, request: &str, token: &str) -> Ran {
        self.explain_with(request, token, "")
    }

    /// The same with more arguments.
    pub(crate) fn explain_with(&self, request: &str, token: &str, more: &str) -> Ran {
        let token = self.mint("token.jwt", token);
        let (method, path) = request.split_once(' ').unwrap();
        let ran = self.run(&format!(
            "explain policy.yaml --method {method} --path {path} --at NOW --token-file token.jwt {more}"
        ));
        assert_holds_none_of(&ran, &token);
        ran
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Neither the token nor its signature is in what was printed.
pub(crate) fn assert_holds_none_of(ran: &Ran, token: &str) {
    for part in token.split('.').filter(|part| !part.is_empty()) {
        assert!(!ran.out.contains(part) && !ran.err.contains(part), "the token shows: {ran:?}");
    }
}

/// Code and output together, as a snapshot shows them.
impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}exit code {}", self.out, self.err, self.code)
    }
}
