//! The stand-in for NGINX Unit, as a program: `unit-standin SOCKET [--state FILE] [--port N]
//! [--faults SOCKET] [--moments NAME]`.
//!
//! Runs until it is killed. The lines that its faults socket takes are listed in `faults.rs`. With
//! `--moments` it prints a line whenever it has taken a configuration, as in `moments.rs`.

#[path = "server.rs"]
mod server;

use std::path::PathBuf;
use std::process::ExitCode;

use server::{Setup, StandIn};

fn main() -> ExitCode {
    let setup = match parse(std::env::args().skip(1)) {
        Ok(setup) => setup,
        Err(why) => {
            eprintln!(
                "unit-standin: {why}\nusage: unit-standin SOCKET [--state FILE] [--port N] [--faults SOCKET] [--moments NAME]"
            );
            return ExitCode::from(2);
        }
    };
    match StandIn::start(setup) {
        Ok(standin) => standin.tell("wait"),
        Err(error) => {
            eprintln!("unit-standin: {error}");
            return ExitCode::FAILURE;
        }
    };
    ExitCode::SUCCESS
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Setup, String> {
    let mut setup = Setup::default();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--state" => setup.state = Some(PathBuf::from(value()?)),
            "--faults" => setup.faults = Some(PathBuf::from(value()?)),
            "--moments" => setup.moments = Some(value()?),
            "--port" => {
                setup.port = Some(
                    value()?
                        .parse()
                        .map_err(|_| "--port needs a number".to_owned())?,
                )
            }
            flag if flag.starts_with('-') => return Err(format!("unknown flag {flag}")),
            path if setup.socket.as_os_str().is_empty() => setup.socket = PathBuf::from(path),
            more => return Err(format!("what is {more}?")),
        }
    }
    if setup.socket.as_os_str().is_empty() {
        Err("no control socket named".to_owned())
    } else {
        Ok(setup)
    }
}
