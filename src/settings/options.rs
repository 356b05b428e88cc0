//! All options, in the order of the usage text.
//!
//! Each is one entry; what the entries mean, and who reads them, is in `table`.

mod shared;
mod subcommands;

use super::table::{COUNT, Opt, Setting, Subcommand};
use super::value;
use crate::settings::options::shared::SIMULATED;
use crate::settings::options::subcommands::CHANGE;
use crate::settings::options::subcommands::CONTROL;
use crate::settings::options::subcommands::EVERY;
use crate::settings::options::subcommands::GROUP;
use crate::settings::options::subcommands::PRINT;
use crate::settings::options::subcommands::RUN;
use crate::settings::options::subcommands::TOKEN;

/// All options, in the order of the usage text.
pub static OPTIONS: &[Opt] = &[
    Opt {
        name: "state",
        short: None,
        argument: Some("DIR"),
        help: "the state directory: keys, fleet and revisions",
        section: "Files",
        commands: EVERY,
        setting: Some(Setting {
            take: |settings, text| value::path(text).map(|path| settings.state = path),
            show: |settings| settings.state.display().to_string(),
            clear: None,
        }),
    },
    Opt {
        name: "config",
        short: Some('f'),
        argument: Some("FILE"),
        help: "settings file, if not /etc/starling/starling.conf",
        section: "Files",
        commands: EVERY,
        setting: None,
    },
    Opt {
        name: "control",
        short: None,
        argument: Some("PATH"),
        help: "the Unix socket of the REST endpoint",
        section: "REST",
        commands: CONTROL,
        setting: Some(Setting {
            take: |settings, text| value::path(text).map(|path| settings.control = path),
            show: |settings| settings.control.display().to_string(),
            clear: None,
        }),
    },
    Opt {
        name: "control-mode",
        short: None,
        argument: Some("MODE"),
        help: "the octal mode of that socket; 600 if not given",
        section: "REST",
        commands: RUN,
        setting: Some(Setting {
            take: |settings, text| {
                value::control_mode(text).map(|mode| settings.control_mode = mode)
            },
            show: |settings| format!("{:04o}", settings.control_mode),
            clear: None,
        }),
    },
    Opt {
        name: "control-group",
        short: None,
        argument: Some("GROUP"),
        help: "the system's group that the socket belongs to",
        section: "REST",
        commands: RUN,
        setting: Some(Setting {
            take: |settings, text| {
                value::system_group(text).map(|group| settings.control_group = Some(group))
            },
            show: |settings| {
                settings
                    .control_group
                    .clone()
                    .unwrap_or_else(|| "none".to_owned())
            },
            clear: None,
        }),
    },
    Opt {
        name: "api",
        short: None,
        argument: Some("ADDR:PORT"),
        help: "REST on TCP too; without a token, GET on loopback only",
        section: "REST",
        commands: RUN,
        setting: Some(Setting {
            take: |settings, text| {
                value::socket_address(text).map(|address| settings.api = Some(address))
            },
            show: |settings| {
                settings
                    .api
                    .map_or("none".to_owned(), |address| address.to_string())
            },
            clear: None,
        }),
    },
    Opt {
        name: "api-token-file",
        short: None,
        argument: Some("FILE"),
        help: "the file with the token that REST on TCP demands",
        section: "REST",
        commands: RUN,
        setting: Some(Setting {
            take: |settings, text| {
                value::path(text).map(|path| settings.api_token_file = Some(path))
            },
            show: |settings| {
                settings
                    .api_token_file
                    .as_ref()
                    .map_or("none".to_owned(), |path| path.display().to_string())
            },
            clear: None,
        }),
    },
    Opt {
        name: "listen",
        short: None,
        argument: Some("ADDR:PORT"),
        help: "where peers reach this one",
        section: "Links",
        commands: TOKEN,
        setting: Some(Setting {
            take: |settings, text| {
                value::socket_address(text).map(|address| settings.listen = address)
            },
            show: |settings| settings.listen.to_string(),
            clear: None,
        }),
    },
    Opt {
        name: "peer",
        short: None,
        argument: Some("HOST:PORT"),
        help: "a peer to link to, or to name in a token (repeatable)",
        section: "Links",
        commands: TOKEN,
        setting: Some(Setting {
            take: |settings, text| value::add(&mut settings.peers, value::host_and_port(text)?),
            show: |settings| value::listed(&settings.peers),
            clear: Some(|settings| settings.peers.clear()),
        }),
    },
    Opt {
        name: "no-mdns",
        short: None,
        argument: None,
        help: "neither announce this peer nor look for others",
        section: "Links",
        commands: RUN,
        setting: Some(Setting {
            take: |settings, text| value::yes(text).map(|no| settings.mdns = !no),
            show: |settings| (!settings.mdns).to_string(),
            clear: None,
        }),
    },
    Opt {
        name: "interface",
        short: None,
        argument: Some("NAME"),
        help: "use this, not all but the loopback (repeatable)",
        section: "Links",
        commands: TOKEN,
        setting: Some(Setting {
            take: |settings, text| value::add(&mut settings.interfaces, value::interface(text)?),
            show: |settings| value::listed(&settings.interfaces),
            clear: Some(|settings| settings.interfaces.clear()),
        }),
    },
    Opt {
        name: "unit",
        short: None,
        argument: Some("PATH|URL|none"),
        help: "NGINX Unit's control API; found by itself if not given",
        section: "This host",
        commands: RUN,
        setting: Some(Setting {
            take: |settings, text| value::unit(text).map(|unit| settings.unit = unit),
            show: value::show_unit,
            clear: None,
        }),
    },
    Opt {
        name: "name",
        short: None,
        argument: Some("NAME"),
        help: "what people call this host, if not its host name",
        section: "This host",
        commands: RUN,
        setting: Some(Setting {
            take: |settings, text| value::node_name(text).map(|name| settings.name = name),
            show: |settings| settings.name.clone(),
            clear: None,
        }),
    },
    Opt {
        name: "group",
        short: None,
        argument: Some("NAME"),
        help: "the group that this host follows, or that is meant",
        section: "This host",
        commands: GROUP,
        setting: Some(Setting {
            take: |settings, text| value::group(text).map(|group| settings.group = group),
            show: |settings| settings.group.clone(),
            clear: None,
        }),
    },
    Opt {
        name: "overlay",
        short: None,
        argument: Some("FILE"),
        help: "a merge patch of this host's, on top of the document",
        section: "This host",
        commands: RUN,
        setting: Some(Setting {
            take: |settings, text| value::path(text).map(|path| settings.overlay = Some(path)),
            show: |settings| {
                settings
                    .overlay
                    .as_ref()
                    .map_or("none".to_owned(), |path| path.display().to_string())
            },
            clear: None,
        }),
    },
    Opt {
        name: "variable",
        short: None,
        argument: Some("NAME=VALUE"),
        help: "what ${starling.var.NAME} is on this host (repeatable)",
        section: "This host",
        commands: RUN,
        setting: Some(Setting {
            take: |settings, text| value::add(&mut settings.variables, value::variable(text)?),
            show: |settings| value::listed(&settings.variables),
            clear: Some(|settings| settings.variables.clear()),
        }),
    },
    Opt {
        name: "drift",
        short: None,
        argument: Some("WHAT"),
        help: "when the server is changed: report, repair or adopt",
        section: "This host",
        commands: RUN,
        setting: Some(Setting {
            take: |settings, text| value::drift(text).map(|drift| settings.drift = drift),
            show: value::show_drift,
            clear: None,
        }),
    },
    Opt {
        name: "history",
        short: None,
        argument: Some(COUNT),
        help: "how many older revisions to keep; 64 if not given",
        section: "This host",
        commands: RUN,
        setting: Some(Setting {
            take: |settings, text| value::history(text).map(|count| settings.history = count),
            show: |settings| settings.history.to_string(),
            clear: None,
        }),
    },
    Opt {
        name: "keys-kept",
        short: None,
        argument: Some(COUNT),
        help: "seconds that keys of deleted bundles stay; 3600",
        section: "This host",
        commands: RUN,
        setting: Some(Setting {
            take: |settings, text| {
                value::keys_kept(text).map(|seconds| settings.keys_kept = seconds)
            },
            show: |settings| settings.keys_kept.to_string(),
            clear: None,
        }),
    },
    Opt {
        name: "state-max",
        short: None,
        argument: Some("MIB"),
        help: "what revisions may take on disk; 512 MiB if not given",
        section: "This host",
        commands: RUN,
        setting: Some(Setting {
            take: |settings, text| value::state_mib(text).map(|mib| settings.state_mib = mib),
            show: |settings| settings.state_mib.to_string(),
            clear: None,
        }),
    },
    Opt {
        name: "log",
        short: None,
        argument: Some("LEVEL"),
        help: "what to log: error, warn, info or debug",
        section: "This host",
        commands: RUN,
        setting: Some(Setting {
            take: |settings, text| value::log(text).map(|level| settings.log = level),
            show: value::show_log,
            clear: None,
        }),
    },
    Opt {
        name: "fleet",
        short: None,
        argument: Some("NAME"),
        help: "what to call the fleet; fleet-XXXX if not given",
        section: "Founding",
        commands: &[Subcommand::Init],
        setting: None,
    },
    Opt {
        name: "nodes",
        argument: Some("N"),
        help: "how many hosts, 2 to 8000; 100 if not given",
        ..SIMULATED
    },
    Opt {
        name: "node-records",
        argument: Some("N"),
        help: "simulate them in fleets of up to N hosts; 200",
        ..SIMULATED
    },
    Opt {
        name: "delay",
        argument: Some("TIME"),
        help: "the least that anything takes on its way; 5ms",
        ..SIMULATED
    },
    Opt {
        name: "jitter",
        argument: Some("TIME"),
        help: "by how much more it may be, at random; 5ms",
        ..SIMULATED
    },
    Opt {
        name: "loss",
        argument: Some("SHARE%"),
        help: "of the frames, lost and sent again by TCP; 0%",
        ..SIMULATED
    },
    Opt {
        name: "break",
        argument: Some("SHARE%"),
        help: "of the frames, at which their link breaks; 0%",
        ..SIMULATED
    },
    Opt {
        name: "size",
        argument: Some("BYTES"),
        help: "of the document, 200 to 1m; 4k",
        ..SIMULATED
    },
    Opt {
        name: "changes",
        argument: Some("N"),
        help: "changes by random hosts; 10",
        ..SIMULATED
    },
    Opt {
        name: "authors",
        argument: Some("N"),
        help: "hosts that make the changes; any",
        ..SIMULATED
    },
    Opt {
        name: "partition",
        argument: Some("TIME"),
        help: "how long the fleet is cut in halves; 30s",
        ..SIMULATED
    },
    Opt {
        name: "die",
        argument: Some("SHARE%"),
        help: "of the hosts, which die at once; 30%",
        ..SIMULATED
    },
    Opt {
        name: "seed",
        argument: Some("N"),
        help: "the same seed gives the same figures; 1",
        ..SIMULATED
    },
    Opt {
        name: "effective",
        short: None,
        argument: None,
        help: "what this host's server is given, not a revision",
        section: "Printing",
        commands: &[Subcommand::Show],
        setting: None,
    },
    Opt {
        name: "path",
        short: None,
        argument: Some("PATH"),
        help: "restore what is there, not all: /config/...",
        section: "Changing",
        commands: &[Subcommand::Restore],
        setting: None,
    },
    Opt {
        name: "all",
        short: None,
        argument: None,
        help: "the servers of all hosts of this one's group",
        section: "Changing",
        commands: &[Subcommand::Repair],
        setting: None,
    },
    Opt {
        name: "force",
        short: None,
        argument: None,
        help: "remove a group that hosts may follow which are away",
        section: "Changing",
        commands: &[Subcommand::Groups],
        setting: None,
    },
    Opt {
        name: "keep",
        short: None,
        argument: None,
        help: "make the change that lost, now",
        section: "Changing",
        commands: &[Subcommand::Resolve],
        setting: None,
    },
    Opt {
        name: "drop",
        short: None,
        argument: None,
        help: "leave the document as it is",
        section: "Changing",
        commands: &[Subcommand::Resolve],
        setting: None,
    },
    Opt {
        name: "note",
        short: None,
        argument: Some("TEXT"),
        help: "who and why, kept with the revision",
        section: "Changing",
        commands: CHANGE,
        setting: None,
    },
    Opt {
        name: "json",
        short: None,
        argument: None,
        help: "print it as JSON, for programs",
        section: "Printing",
        commands: PRINT,
        setting: None,
    },
    Opt {
        name: "help",
        short: Some('h'),
        argument: None,
        help: "print this text",
        section: "Printing",
        commands: EVERY,
        setting: None,
    },
    Opt {
        name: "version",
        short: Some('V'),
        argument: None,
        help: "print the version",
        section: "Printing",
        commands: EVERY,
        setting: None,
    },
];

/// The option of this long name.
pub fn option(name: &str) -> Option<&'static Opt> {
    OPTIONS.iter().find(|option| option.name == name)
}
