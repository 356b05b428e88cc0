//! The system calls of a program that touch files, and what it says, as strace has recorded them.
//!
//! Strings are written in hexadecimal (`-xx`), so that no byte of them can be mistaken for syntax.
//! A call that another thread interrupts is put together again and counts where it ended; what is
//! said counts where it began, for somebody may have heard it by then.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One step of a program.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A new process begins, with no file open.
    Process,
    /// A file or directory was opened.
    Open {
        fd: u32,
        path: PathBuf,
        create: bool,
        truncate: bool,
    },
    /// Bytes were written: to a file, if the descriptor is one's, or else to somebody.
    Write { fd: u32, bytes: Vec<u8> },
    /// A file was made this long.
    Length { fd: u32, length: usize },
    /// A file or directory is durable.
    Sync { fd: u32 },
    /// A descriptor is none any more.
    Close { fd: u32 },
    /// A name was given to what had another.
    Rename { from: PathBuf, to: PathBuf },
    /// A name was given to what keeps its other.
    Link { from: PathBuf, to: PathBuf },
    /// A name was taken away.
    Unlink { path: PathBuf },
    /// A directory was made.
    MakeDirectory { path: PathBuf },
}

/// The words before a program's own that have it recorded into `file`. `inject` is strace's, or
/// empty.
pub fn recorder(file: &Path, inject: &str) -> Vec<String> {
    let trace = format!("trace={CALLS}");
    let file = file.display().to_string();
    let mut words = [
        "strace", "-f", "-xx", "-s", "16777216", "-e", &trace, "-o", &file,
    ]
    .map(str::to_owned)
    .to_vec();
    words.extend(match inject {
        "" => vec!["--seccomp-bpf".to_owned()],
        // With that, which is only quicker, no signal is injected.
        inject => vec!["-e".to_owned(), format!("inject={inject}")],
    });
    words
}

/// A strace that has every fsync of a running process, and of its threads, fail with this error
/// until it is ended.
pub fn failing_fsync(process: &str, error: &str) -> Command {
    let inject = format!("inject=fsync,fdatasync:error={error}");
    let mut command = Command::new("strace");
    command.args([
        "-f",
        "-p",
        process,
        "-o",
        "/dev/null",
        "-e",
        "trace=fsync,fdatasync",
        "-e",
        &inject,
    ]);
    command
}

/// Why nothing can be recorded on this machine, or nothing.
pub fn lacks() -> Option<String> {
    match Command::new("strace")
        .args(["-f", "-e", "trace=fsync", "true"])
        .output()
    {
        Err(_) => Some("the program `strace`".to_owned()),
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!(
            "leave to trace ({})",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
    }
}

/// The steps of one process, from what strace wrote. Calls that failed are none.
pub fn steps(record: &str) -> Vec<Step> {
    let mut steps = vec![Step::Process];
    let mut unfinished: BTreeMap<&str, String> = BTreeMap::new();
    for line in record.lines() {
        let Some((thread, call)) = line.split_once(' ') else {
            continue;
        };
        let call = call.trim_start();
        if let Some(begun) = call.strip_suffix(" <unfinished ...>") {
            match said(begun) {
                Some(bytes) => steps.push(bytes),
                None => drop(unfinished.insert(thread, begun.to_owned())),
            }
        } else if let Some((_, rest)) = call
            .split_once(" resumed>")
            .filter(|_| call.starts_with("<... "))
        {
            let begun = unfinished.remove(thread).unwrap_or_default();
            steps.extend(step(&format!("{begun}{rest}")));
        } else {
            steps.extend(step(call));
        }
    }
    steps
}

/// What goes to a socket, of a call that has only begun.
fn said(begun: &str) -> Option<Step> {
    let mut arguments = begun.strip_prefix("sendto(")?.split(", ");
    Some(Step::Write {
        fd: arguments.next()?.parse().ok()?,
        bytes: string(arguments.next()?)?,
    })
}

/// One call that succeeded: `name(arguments) = result`.
fn step(call: &str) -> Option<Step> {
    let (name, rest) = call.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(") ")?;
    let result: i64 = result
        .trim_start()
        .strip_prefix("= ")?
        .split_whitespace()
        .next()?
        .parse()
        .ok()?;
    let arguments: Vec<&str> = arguments.split(", ").collect();
    let fd = || arguments.first()?.parse().ok();
    let path = |index: usize| {
        arguments
            .get(index)
            .and_then(|text| string(text))
            .map(path_of)
    };
    let number = usize::try_from(result).ok()?;
    Some(match name {
        "openat" => {
            let flags: Vec<&str> = arguments.get(2)?.split('|').collect();
            let (create, truncate) = (flags.contains(&"O_CREAT"), flags.contains(&"O_TRUNC"));
            Step::Open {
                fd: u32::try_from(number).ok()?,
                path: path(1)?,
                create,
                truncate,
            }
        }
        "write" | "sendto" => {
            let mut bytes = string(arguments.get(1)?)?;
            bytes.truncate(number);
            Step::Write { fd: fd()?, bytes }
        }
        "ftruncate" => Step::Length {
            fd: fd()?,
            length: arguments.get(1)?.parse().ok()?,
        },
        "fsync" | "fdatasync" => Step::Sync { fd: fd()? },
        "close" => Step::Close { fd: fd()? },
        "rename" => Step::Rename {
            from: path(0)?,
            to: path(1)?,
        },
        "renameat" | "renameat2" => Step::Rename {
            from: path(1)?,
            to: path(3)?,
        },
        "link" => Step::Link {
            from: path(0)?,
            to: path(1)?,
        },
        "linkat" => Step::Link {
            from: path(1)?,
            to: path(3)?,
        },
        "unlink" | "rmdir" => Step::Unlink { path: path(0)? },
        "unlinkat" => Step::Unlink { path: path(1)? },
        "mkdir" => Step::MakeDirectory { path: path(0)? },
        "mkdirat" => Step::MakeDirectory { path: path(1)? },
        // Whoever uses one of these must teach this file what it does.
        other => panic!("a call that is not understood: {other}"),
    })
}

/// `"\x2f\x74"`.
fn string(text: &str) -> Option<Vec<u8>> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    inner
        .split("\\x")
        .skip(1)
        .map(|hex| u8::from_str_radix(hex, 16).ok())
        .collect()
}

fn path_of(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(String::from_utf8(bytes).expect("the paths of a test are text"))
}

/// All that could change a file or a name, and what is said to somebody. Reading does not matter.
const CALLS: &str = "openat,open,creat,write,pwrite64,writev,pwritev,sendto,copy_file_range,sendfile,fallocate,fsync,fdatasync,\
    rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,rmdir,ftruncate,truncate,close";
