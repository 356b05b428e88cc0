//! The section "Use" of the README as steps: what is typed, and what is then seen.

/// A command and its output; or an excerpt of a log.
pub struct Step {
    pub command: Option<String>,
    pub output: String,
}

impl Step {
    /// Where it was typed, by what the page shows.
    pub fn host(&self) -> &str {
        let named = self
            .output
            .split_once(", host ")
            .and_then(|(_, rest)| rest.split(' ').next());
        named.unwrap_or("host-a")
    }
}

/// All of them: what is indented by four columns, of which lines with a `#` in front are commands.
pub fn steps() -> Vec<Step> {
    let (_, rest) = README
        .split_once("\n## Use\n")
        .expect("the page has that section");
    let section = rest
        .split_once("\n## ")
        .map_or(rest, |(section, _)| section);
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in section.lines() {
        let Some(line) = line.strip_prefix("    ") else {
            // An empty line within a block belongs to it.
            inside = inside && line.is_empty();
            continue;
        };
        match line.strip_prefix("# ") {
            Some(command) => steps.push(Step {
                command: Some(command.to_owned()),
                output: String::new(),
            }),
            None => {
                if !inside {
                    steps.push(Step {
                        command: None,
                        output: String::new(),
                    });
                }
                let step = steps.last_mut().expect("one was made");
                step.output.extend([line, "\n"]);
            }
        }
        inside = true;
    }
    steps
}

/// The lines of the page without what differs each time.
pub fn plain(output: &str) -> Vec<String> {
    let full = README
        .split_whitespace()
        .filter(|word| word.starts_with("12D3KooW"));
    let full = full
        .map(|word| word.trim_end_matches('.'))
        .map(|id| &id[id.len() - 8..]);
    let short = README
        .split_once(", host host-c (")
        .and_then(|(_, rest)| rest.split(')').next());
    let ids: Vec<&str> = full.chain(short).collect();
    without_variables(output, &ids)
}

/// The lines that say something, without what differs.
pub fn without_variables(output: &str, peers: &[&str]) -> Vec<String> {
    output
        .lines()
        .map(|line| line_of(line, peers))
        .filter(|line| !line.is_empty())
        .collect()
}

fn line_of(line: &str, peers: &[&str]) -> String {
    let line = match line.split_once(", to be found at: ") {
        Some((start, _)) => format!("{start}, to be found at: ADDRESSES."),
        None => without_state(line),
    };
    let words = line.split_whitespace().map(|word| word_of(word, peers));
    let mut words: Vec<String> = words.collect();
    let ago = words
        .windows(3)
        .position(|words| words[0].parse::<u32>().is_ok() && words[1..] == ["s", "ago"]);
    ago.into_iter().for_each(|at| words[at] = "AGE".to_owned());
    words.join(" ")
}

/// Without the state directory, which these hosts name, for they are all on one: what is to be
/// typed next names it too.
fn without_state(line: &str) -> String {
    let Some((before, rest)) = line.split_once(" --state ") else {
        return line.to_owned();
    };
    let after = rest
        .split_once(' ')
        .map_or(String::new(), |(_, after)| format!(" {after}"));
    without_state(&format!("{before}{after}"))
}

fn word_of(word: &str, peers: &[&str]) -> String {
    let bare = word.trim_matches(|mark: char| !mark.is_alphanumeric());
    let is_clock = bare.len() == 5
        && bare.as_bytes()[2] == b':'
        && bare
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b':');
    let is_date = bare.len() == 10 && bare.split('-').count() == 3 && bare.starts_with("20");
    let is_address = bare.contains(':')
        && bare
            .rsplit_once(':')
            .is_some_and(|(host, port)| host.contains('.') && port.parse::<u16>().is_ok());
    let is_size = bare.len() == 3 && bare == word && bare.parse::<u16>().is_ok();
    let kind = match bare {
        _ if bare.starts_with("12D3KooW") || peers.contains(&bare) => "PEER",
        _ if is_revision(bare) => "REVISION",
        _ if is_clock => "CLOCK",
        _ if is_date => "DATE",
        _ if is_address => "ADDRESS",
        _ if is_size => "BYTES",
        _ => return word.to_owned(),
    };
    word.replace(bare, kind)
}

/// Eight or twelve hexadecimal digits.
pub fn is_revision(word: &str) -> bool {
    let word = word.trim_matches(|mark: char| !mark.is_alphanumeric());
    matches!(word.len(), 8 | 12)
        && word
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

const README: &str = include_str!("../../README.md");
