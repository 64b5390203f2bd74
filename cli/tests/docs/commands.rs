//! The commands in the documentation, run as a reader would.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::page::{Block, PAGES, Page, blessing, repository};

/// A directory in which a page's commands run.
struct Lab(PathBuf);

impl Lab {
    fn new(page: &str) -> Self {
        let name = format!("docs-{}-{}", std::process::id(), page.replace('/', "-"));
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&dir).unwrap();
        symlink(repository().join("policies"), dir.join("policies")).unwrap();
        Self(dir)
    }

    /// Runs a line in a shell: what it prints on either stream, in its order.
    fn run(&self, line: &str) -> String {
        let bin = Path::new(env!("CARGO_BIN_EXE_postern")).parent().unwrap();
        let path = std::env::join_paths(
            [bin.to_owned()]
                .into_iter()
                .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
        );
        let output = Command::new("sh")
            .args(["-c", &format!("exec 2>&1\n{line}")])
            .current_dir(&self.0)
            .env("PATH", path.unwrap())
            .env_remove("CLICOLOR_FORCE")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.code().is_some_and(|code| code < 2), "{line}\n{printed}");
        if line.contains("keygen") {
            self.install(&printed);
        }
        printed.trim_end().to_owned()
    }

    /// Puts the public keys that were printed into the policies, as the reader is told to.
    fn install(&self, printed: &str) {
        let (_, keys) = printed.split_once('\n').unwrap();
        let keys: Value = serde_json::from_str(keys).unwrap();
        for entry in fs::read_dir(&self.0).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                let text = fs::read_to_string(&path).unwrap();
                fs::write(&path, with_keys(&text, &keys)).unwrap();
            }
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The policy with these keys in the place of what is at `jwks`, and as many lines.
fn with_keys(policy: &str, keys: &Value) -> String {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut out = Vec::new();
    let mut inside: Option<usize> = None;
    for line in policy.lines() {
        if inside.is_some_and(|outer| indent(line) > outer) {
            out.push(String::new());
            continue;
        }
        inside = line.trim_start().starts_with("jwks:").then(|| indent(line));
        out.push(match inside {
            Some(outer) => format!("{}jwks: {keys}", " ".repeat(outer)),
            None => line.to_owned(),
        });
    }
    out.join("\n") + "\n"
}

/// Whether what was printed is what is shown: `...` stands for any lines, `[..]` for any text.
fn fits(shown: &[&str], printed: &[&str]) -> bool {
    match (shown.split_first(), printed.split_first()) {
        (None, None) => true,
        (Some((&"...", rest)), _) => {
            (0..=printed.len()).any(|skipped| fits(rest, &printed[skipped..]))
        }
        (Some((first, rest)), Some((line, more))) => fits_line(first, line) && fits(rest, more),
        _ => false,
    }
}

fn fits_line(shown: &str, line: &str) -> bool {
    let Some((start, rest)) = shown.split_once("[..]") else { return shown == line };
    let Some(line) = line.strip_prefix(start) else { return false };
    (0..=line.len()).any(|skipped| line.get(skipped..).is_some_and(|line| fits_line(rest, line)))
}

/// The block as it should be.
fn rerun(lab: &Lab, block: &Block) -> String {
    let mut out: Vec<String> = Vec::new();
    let mut lines = block.text.lines().peekable();
    while let Some(line) = lines.next() {
        let mut typed = line.to_owned();
        while typed.ends_with('\\')
            && let Some(more) = lines.next()
        {
            typed = format!("{typed}\n{more}");
        }
        let mut shown = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
            shown.push(line);
        }
        let command = typed.strip_prefix("$ ");
        let printed = lab.run(command.unwrap_or_else(|| panic!("expected `$ `: {typed}")));
        let printed: Vec<_> = printed.lines().collect();
        let kept = if fits(&shown, &printed) { shown } else { printed };
        out.push(typed);
        out.extend(kept.into_iter().map(str::to_owned));
    }
    out.join("\n")
}

#[test]
fn every_command_shown_prints_what_is_shown() {
    let _alone = blessing();
    let mut run = 0;
    for name in PAGES {
        let page = Page::read(name);
        let lab = Lab::new(name);
        let mut changes = Vec::new();
        for block in page.blocks() {
            if let Some(file) = block.option("file") {
                fs::write(lab.0.join(file), format!("{}\n", block.text)).unwrap();
            }
            if block.is("console") {
                run += 1;
                let expected = rerun(&lab, &block);
                if expected != block.text {
                    changes.push((block, expected));
                }
            }
        }
        page.expect(changes);
    }
    assert!(run > 3, "{run}");
}
