use super::*;

fn parse(line: &str) -> Result<Arguments, CommandError> {
    Arguments::parse(line.split_whitespace().map(OsString::from))
}

fn refused(line: &str) -> String {
    match parse(line) {
        Err(CommandError::Usage(words)) => words,
        other => panic!("{line:?} gave {other:?}"),
    }
}

fn order(line: &str) -> Order {
    match parse(line) {
        Ok(Arguments::Do(order)) => order,
        other => panic!("{line:?} gave {other:?}"),
    }
}

#[test]
fn a_mistyped_word_is_answered_with_the_nearest() {
    assert_eq!(
        refused("satus"),
        "unknown subcommand \"satus\"; did you mean \"status\"?"
    );
    assert_eq!(
        refused("run --lisen x"),
        "unknown option --lisen; did you mean --listen?"
    );
    assert!(
        refused("frobnicate")
            .starts_with("unknown subcommand \"frobnicate\"; there are init, token, ")
    );
    assert_eq!(
        refused("run --frobnicate"),
        "unknown option --frobnicate; see starling --help"
    );
    assert_eq!(refused("run -x"), "unknown option -x; see starling --help");
}

#[test]
fn each_subcommand_takes_its_own_options_only() {
    assert_eq!(
        refused("init --peer a:1"),
        "--peer is no option of starling init"
    );
    assert_eq!(refused("run --json"), "--json is no option of starling run");
    assert_eq!(refused("id extra"), "starling id: \"extra\" is too much");
    assert_eq!(refused("join"), "starling join: TOKEN|- is missing");
    assert_eq!(refused("join a b"), "starling join: \"b\" is too much");
    assert_eq!(refused("run --state"), "--state: DIR is missing");
    assert_eq!(refused("diff"), "starling diff: ID is missing");
    assert_eq!(refused("diff a b c"), "starling diff: \"c\" is too much");
    assert_eq!(order("diff a").operands, ["a"]);
    assert_eq!(order("diff a b").operands, ["a", "b"]);
    assert_eq!(
        refused("log --note x"),
        "--note is no option of starling log"
    );
    assert!(refused("status --json=yes").contains("json"));
    assert!(refused("").starts_with("what to do?\n\nusage: starling COMMAND"));
}

#[test]
fn options_are_understood_in_any_place_and_spelling() {
    let order = order("--state /a join - --state=/b -f c");
    assert_eq!(order.command, Subcommand::Join);
    assert_eq!(order.operands, ["-"]);
    assert_eq!(order.text("state"), Some("/b"), "the last one counts");
    assert_eq!(order.text("config"), Some("c"));
}

#[test]
fn help_and_version_come_before_everything_else() {
    assert!(matches!(parse("--help"), Ok(Arguments::Help(None))));
    assert!(matches!(
        parse("join -h"),
        Ok(Arguments::Help(Some(Subcommand::Join)))
    ));
    assert!(matches!(parse("--version"), Ok(Arguments::Version)));
}

#[test]
fn the_usage_text_names_everything_and_fits_a_terminal() {
    let whole = usage::whole();
    for command in Subcommand::ALL {
        assert!(whole.contains(&format!("\n  {}", command.name())));
        let own = usage::of(command);
        for option in OPTIONS {
            assert_eq!(
                own.contains(&format!("--{} ", option.name)),
                option.commands.contains(&command),
                "{}",
                option.name
            );
        }
    }
    for option in OPTIONS {
        assert!(whole.contains(&format!("--{}", option.name)));
    }
    for line in whole.lines().chain(
        Subcommand::ALL
            .map(usage::of)
            .iter()
            .flat_map(|own| own.lines()),
    ) {
        assert!(line.chars().count() <= 80, "{line}");
    }
}
