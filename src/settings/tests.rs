use std::path::PathBuf;

use super::*;

fn root() -> Environment {
    Environment {
        root: true,
        host_name: "gull\n".to_owned(),
        ..Environment::default()
    }
}

fn flag(name: &str, text: &str) -> (&'static Opt, String) {
    (options::option(name).unwrap(), text.to_owned())
}

fn with_file(text: &str) -> Result<Resolved, SettingsError> {
    Resolved::new(
        &root(),
        Some(SettingsFile {
            name: "s.conf",
            text: text.as_bytes(),
        }),
        &[],
    )
}

fn with_flag(name: &str, text: &str) -> Result<Resolved, SettingsError> {
    Resolved::new(&root(), None, &[flag(name, text)])
}

/// A good value for every setting: a new one that is missing here fails the tests below.
const GOOD: &[(&str, &str)] = &[
    ("state", "/tmp/s"),
    ("control", "/tmp/s/c"),
    ("control-mode", "0660"),
    ("control-group", "adm"),
    ("api", "127.0.0.1:3000"),
    ("api-token-file", "/tmp/t"),
    ("listen", "0.0.0.0:1"),
    ("peer", "gull:7117"),
    ("no-mdns", "true"),
    ("interface", "eth0"),
    ("unit", "/run/control.unit.sock"),
    ("name", "Möwe 3"),
    ("group", "edge"),
    ("overlay", "/etc/starling/overlay.json"),
    ("variable", "root=/srv/a=b"),
    ("drift", "adopt"),
    ("history", "200"),
    ("keys-kept", "600"),
    ("state-max", "100"),
    ("log", "debug"),
];

#[test]
fn root_has_the_systems_directories_and_others_have_their_own() {
    let settings = Resolved::new(&root(), None, &[]).unwrap().settings;
    assert_eq!(settings.state, PathBuf::from("/var/lib/starling"));
    assert_eq!(
        settings.control,
        PathBuf::from("/run/starling/control.sock")
    );
    assert_eq!(settings.name, "gull");
    assert_eq!(settings.listen.to_string(), "[::]:7117");

    let mut user = Environment {
        home: Some("/home/u".into()),
        ..Environment::default()
    };
    let settings = Resolved::new(&user, None, &[]).unwrap().settings;
    assert_eq!(
        settings.state,
        PathBuf::from("/home/u/.local/state/starling")
    );
    assert_eq!(
        settings.control,
        PathBuf::from("/home/u/.local/state/starling/control.sock")
    );
    assert_eq!(settings.name, "unnamed");
    user.xdg_state_home = Some("/s".into());
    user.xdg_runtime_dir = Some("/r".into());
    let settings = Resolved::new(&user, None, &[]).unwrap().settings;
    assert_eq!(settings.state, PathBuf::from("/s/starling"));
    assert_eq!(settings.control, PathBuf::from("/r/starling/control.sock"));
}

#[test]
fn the_control_socket_is_its_owners_alone_unless_a_group_is_let_in() {
    let mode =
        |text: &str| with_flag("control-mode", text).map(|resolved| resolved.settings.control_mode);
    assert_eq!(
        Resolved::new(&root(), None, &[])
            .unwrap()
            .settings
            .control_mode,
        0o600
    );
    for (text, expected) in [
        ("600", 0o600),
        ("0620", 0o620),
        ("640", 0o640),
        ("660", 0o660),
    ] {
        assert_eq!(mode(text), Ok(expected));
    }
}

#[test]
fn without_a_home_the_state_directory_must_be_given_and_the_socket_follows_it() {
    assert_eq!(
        Resolved::new(&Environment::default(), None, &[]),
        Err(SettingsError::NoHome)
    );
    let resolved = Resolved::new(&Environment::default(), None, &[flag("state", "/s")]).unwrap();
    assert_eq!(resolved.settings.control, PathBuf::from("/s/control.sock"));
}

#[test]
fn flags_win_over_the_file_and_the_file_over_the_defaults() {
    let file = SettingsFile {
        name: "s.conf",
        text: br#"{"name": "tern", "group": "edge", "peer": ["a:1", "b:2"]}"#,
    };
    let flags = [
        flag("name", "kite"),
        flag("peer", "c:3"),
        flag("peer", "d:4"),
    ];
    let resolved = Resolved::new(&root(), Some(file), &flags).unwrap();
    assert_eq!(resolved.settings.name, "kite");
    assert_eq!(resolved.settings.group, "edge");
    assert_eq!(resolved.settings.peers, ["c:3", "d:4"]);
    let rows: Vec<_> = resolved.rows().collect();
    assert!(rows.contains(&("name", "kite".to_owned(), Source::Flag)));
    assert!(rows.contains(&("group", "edge".to_owned(), Source::File)));
    assert!(rows.contains(&("log", "info".to_owned(), Source::Default)));
}

#[test]
fn an_empty_list_in_the_file_is_a_list() {
    let resolved = with_file(r#"{"peer": []}"#).unwrap();
    assert!(
        resolved
            .rows()
            .any(|row| row == ("peer", "none".to_owned(), Source::File))
    );
}

#[test]
fn every_setting_is_taken_from_a_flag_and_from_the_file_alike() {
    let mut members = Vec::new();
    let mut flags = Vec::new();
    for (name, text) in GOOD {
        let option = options::option(name).unwrap();
        flags.push(flag(name, text));
        let value = match (option.is_list(), option.argument) {
            _ if option.is_count() => (*text).to_owned(),
            (true, _) => format!("[{text:?}]"),
            (false, Some(_)) => format!("{text:?}"),
            (false, None) => (*text).to_owned(),
        };
        members.push(format!("{:?}: {value}", option.member().unwrap()));
    }
    let from_file = with_file(&format!("{{{}}}", members.join(","))).unwrap();
    let from_flags = Resolved::new(&root(), None, &flags).unwrap();
    assert_eq!(from_file.settings, from_flags.settings);
    assert!(
        from_file
            .rows()
            .all(|(_, _, source)| source == Source::File),
        "a setting has no good value in this test"
    );
    assert!(
        from_flags
            .rows()
            .all(|(_, _, source)| source == Source::Flag)
    );
    for (name, text) in GOOD {
        assert!(
            from_file
                .rows()
                .any(|row| row == (*name, (*text).to_owned(), Source::File)),
            "{name} is not shown as it was given"
        );
    }
}

#[test]
fn every_bad_value_is_refused_by_name() {
    let bad = [
        ("state", ""),
        ("control-mode", ""),
        ("control-mode", "rw"),
        ("control-mode", "+660"),
        ("control-mode", "666"),
        ("control-mode", "606"),
        ("control-mode", "400"),
        ("control-mode", "700"),
        ("control-mode", "1660"),
        ("control-group", ""),
        ("control-group", "a:b"),
        ("control-group", "a b"),
        ("control", ""),
        ("api", "3000"),
        ("api", "localhost:3000"),
        ("api-token-file", ""),
        ("listen", "7117"),
        ("listen", "[::]"),
        ("keys-kept", "604801"),
        ("keys-kept", "1h"),
        ("history", "15"),
        ("history", "1025"),
        ("history", "+64"),
        ("history", "many"),
        ("state-max", "63"),
        ("state-max", "1048577"),
        ("state-max", "1G"),
        ("peer", "gull"),
        ("peer", "gull:0"),
        ("peer", "[fe80::1]:7117"),
        ("peer", "gull:+1"),
        ("peer", "gull:65536"),
        ("peer", ":7117"),
        ("peer", "2001:db8::1:7117"),
        ("peer", "[gull]:7117"),
        ("peer", "[::1:7117"),
        ("peer", "gull tern:7117"),
        ("peer", "http://gull:7117"),
        ("no-mdns", "perhaps"),
        ("interface", ""),
        ("interface", "sixteen-letters-"),
        ("interface", "eth/0"),
        ("unit", "unitd"),
        ("unit", "http://"),
        ("unit", "http://gull"),
        ("unit", "http://gull:0"),
        ("unit", "http://gull:80/x"),
        ("unit", "http://::1:80"),
        ("unit", ""),
        ("name", ""),
        ("name", "a\nb"),
        ("group", ".hidden"),
        ("group", "a/b"),
        ("log", "loud"),
    ];
    for (name, text) in bad {
        let error = with_flag(name, text).expect_err(&format!("--{name} {text:?} was taken"));
        let words = error.to_string();
        assert!(
            words.starts_with(&format!("--{name}: expected "))
                && words.ends_with(&format!("found {text:?}")),
            "{words}"
        );
    }
}

#[test]
fn good_hosts_are_taken_as_they_are() {
    for text in [
        "gull:1",
        "gull.example:65535",
        "192.0.2.1:7117",
        "[2001:db8::1]:7117",
        "[fe80::1%eth0]:7117",
        "my_host-1.lan:80",
    ] {
        assert_eq!(with_flag("peer", text).unwrap().settings.peers, [text]);
    }
}

#[test]
fn an_error_in_the_file_names_file_member_and_what_was_expected() {
    let words = |text: &str| with_file(text).unwrap_err().to_string();
    assert_eq!(
        words(r#"{"nmae": "gull"}"#),
        r#"s.conf: unknown member "nmae"; did you mean "name"?"#
    );
    assert_eq!(
        words(r#"{"frobnicate": 1}"#),
        r#"s.conf: unknown member "frobnicate""#
    );
    assert_eq!(
        words(r#"{"name": 3}"#),
        r#"s.conf: "name": expected a text, found 3"#
    );
    assert_eq!(
        words(r#"{"history": "64"}"#),
        r#"s.conf: "history": expected a number, found "64""#
    );
    assert_eq!(
        words(r#"{"history": 6.5}"#),
        r#"s.conf: "history": expected a number from 16 to 1024, found "6.5""#
    );
    assert_eq!(
        words(r#"{"peer": "a:1"}"#),
        r#"s.conf: "peer": expected a list of texts, found "a:1""#
    );
    assert!(
        words(r#"{"peer": ["a:1", "b"]}"#)
            .starts_with(r#"s.conf: "peer"[1]: expected a host and a port"#)
    );
    assert_eq!(
        words(r#"{"no_mdns": "yes"}"#),
        r#"s.conf: "no_mdns": expected true or false, found "yes""#
    );
    assert!(words("[]").starts_with("s.conf: expected an object"));
    assert!(words("{\n  \"name\" 3 }").starts_with("s.conf: "));
    assert!(words("{\n  \"name\" 3 }").contains("line 2"));
    assert_eq!(
        words(r#"{"config": "other"}"#),
        r#"s.conf: unknown member "config""#,
        "a file does not name another"
    );
    assert_eq!(
        words(&" ".repeat(limits::SETTINGS_FILE_MAX + 1)),
        "s.conf: expected at most 64 KiB of settings"
    );
}

#[test]
fn rest_for_other_hosts_needs_a_token() {
    let open = flag("api", "0.0.0.0:3000");
    assert!(matches!(
        Resolved::new(&root(), None, std::slice::from_ref(&open)),
        Err(SettingsError::Open(_))
    ));
    assert!(Resolved::new(&root(), None, &[open, flag("api-token-file", "/t")]).is_ok());
    assert_eq!(
        with_flag("api-token-file", "/t"),
        Err(SettingsError::TokenWithoutApi)
    );
    assert!(with_flag("api", "[::1]:3000").is_ok());
}

#[test]
fn lists_and_the_sockets_path_are_bounded() {
    let peers: Vec<_> = (1..=65)
        .map(|port| flag("peer", &format!("gull:{port}")))
        .collect();
    assert!(Resolved::new(&root(), None, &peers[..64]).is_ok());
    assert!(Resolved::new(&root(), None, &peers).is_err());
    let long = format!("/{}", "x".repeat(limits::SOCKET_PATH_MAX));
    assert!(matches!(
        with_flag("control", &long),
        Err(SettingsError::SocketPath(_))
    ));
}

#[test]
fn a_host_name_of_any_kind_becomes_a_name() {
    assert_eq!(value::host_name(" gull\n"), "gull");
    assert_eq!(value::host_name(&"ö".repeat(60)).len(), 62);
    assert_eq!(value::host_name("\u{7}"), "unnamed");
}

#[test]
fn garbage_never_panics_the_reader() {
    let seed_text =
        br#"{"name": "gull", "peer": ["a:1", "[::1]:2"], "no_mdns": true, "api": "[::1]:3000"}"#;
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    for _ in 0..20_000 {
        let mut text = seed_text.to_vec();
        for _ in 0..=next() % 4 {
            let at = usize::try_from(next() % text.len() as u64).unwrap();
            match next() % 3 {
                0 => text[at] = next().to_le_bytes()[0],
                1 => text.truncate(at.max(1)),
                _ => text.insert(at, b"{}[]\",:/*\\"[usize::try_from(next() % 10).unwrap()]),
            }
        }
        let _ = Resolved::new(
            &root(),
            Some(SettingsFile {
                name: "s.conf",
                text: &text,
            }),
            &[],
        )
        .map_err(|error| error.to_string());
    }
}

#[test]
fn names_are_not_used_twice() {
    for (index, option) in OPTIONS.iter().enumerate() {
        assert!(
            OPTIONS[..index]
                .iter()
                .all(|other| other.name != option.name),
            "{} stands twice",
            option.name
        );
        assert!(
            option.short.is_none()
                || OPTIONS[..index]
                    .iter()
                    .all(|other| other.short != option.short)
        );
        assert!(!option.commands.is_empty());
    }
}
