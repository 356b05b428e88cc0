//! Tokens: their exact text, and every slip of the hand.

use super::*;
use crate::model::signature::SecretKey;

fn fleet(name: &str) -> Fleet {
    let id = FleetId::from_bytes(SecretKey::from_seed(&[1; 32]).public()).unwrap();
    Fleet::new(
        name.to_owned(),
        id,
        vec![FleetKey::from_bytes([2; 32]), FleetKey::from_bytes([3; 32])],
    )
    .unwrap()
}

fn example() -> Token {
    Token::new(
        &fleet("example"),
        vec!["192.0.2.1:7411".to_owned(), "host.example:7411".to_owned()],
    )
    .unwrap()
}

/// The text of a token with these bytes and a right checksum.
fn sealed(body: &[u8]) -> String {
    let bytes = [body, &checksum(body)].concat();
    format!("{PREFIX}{}", bs58::encode(bytes).into_string())
}

/// Worked out by another program (base58 by long division, in Python).
const EXAMPLE: &str = concat!(
    "starling1-3YEKBMc1weQRzNUn7vhZuCmm7WPSAtCCMgvjn6LeRFKFPjFsxXHZFMMVE9QYF9Cb26Yhh6T55PaAhTrgmMVB8Uz8yf",
    "mvFEcx3teMePtzTfgUsdbWfB7TQLCWWEMuMpxpGY8vv5UhPLwFAeS5ACyRiNH",
);

#[test]
fn the_text_of_a_token_never_changes() {
    assert_eq!(example().to_string(), EXAMPLE);
    assert_eq!(EXAMPLE.parse(), Ok(example()));
    assert_eq!(
        example().fleet().keys(),
        [FleetKey::from_bytes([2; 32])],
        "the first key alone"
    );
    assert_eq!(
        example().fleet().id().to_string(),
        "AKnL4NNf3DGWZJS6cPknBuEGnVsV4A4m5tgebLHaRSZ9"
    );
    assert_eq!(example().fleet().id().short(), "bLHaRSZ9");
}

#[test]
fn the_largest_and_the_smallest_token_come_back() {
    let host = "h".repeat(TOKEN_ADDRESS_MAX - ":65535".len());
    let largest = Token::new(
        &fleet(&"n".repeat(NAME_MAX)),
        vec![format!("{host}:65535"); ADDRESSES_MAX],
    )
    .unwrap();
    let smallest = Token::new(&fleet("n"), vec![]).unwrap();
    for token in [largest, smallest] {
        let text = token.to_string();
        assert!(
            text.len() <= TOKEN_TEXT_MAX && text.bytes().all(|c| c.is_ascii_graphic()),
            "{text}"
        );
        assert_eq!(text.parse(), Ok(token));
    }
}

#[test]
fn each_mistyped_lost_doubled_or_swapped_character_is_noticed() {
    for at in 0..EXAMPLE.len() {
        let (before, rest) = EXAMPLE.split_at(at);
        let (this, after) = rest.split_at(1);
        for other in ["2", "z", "l", "ü", " "]
            .iter()
            .filter(|other| **other != this)
        {
            assert!(
                format!("{before}{other}{after}").parse::<Token>().is_err(),
                "{other} at {at}"
            );
        }
        assert!(
            format!("{before}{after}").parse::<Token>().is_err(),
            "lost at {at}"
        );
        assert!(
            format!("{before}{this}{this}{after}")
                .parse::<Token>()
                .is_err(),
            "doubled at {at}"
        );
        assert!(before.parse::<Token>().is_err(), "cut at {at}");
        let next = after.get(..1).unwrap_or(this);
        if next != this {
            assert!(
                format!("{before}{next}{this}{}", &after[1..])
                    .parse::<Token>()
                    .is_err(),
                "swapped at {at}"
            );
        }
    }
}

#[test]
fn a_token_that_is_not_one_is_refused_by_name() {
    let refused = |text: &str| text.parse::<Token>().unwrap_err();
    assert_eq!(refused(""), NotAToken::Prefix);
    assert_eq!(refused("12D3KooW"), NotAToken::Prefix);
    assert_eq!(refused("starling1-"), NotAToken::Checksum);
    assert_eq!(refused(&EXAMPLE[..EXAMPLE.len() - 1]), NotAToken::Checksum);
    assert_eq!(refused(&format!("{EXAMPLE}\n")), NotAToken::Base58);
    assert_eq!(refused(&"x".repeat(TOKEN_TEXT_MAX + 1)), NotAToken::Long);
}

#[test]
fn a_token_of_a_later_form_says_so() {
    let mut body = example().to_bytes();
    body[0] = 2;
    assert_eq!(sealed(&body).parse::<Token>(), Err(NotAToken::Version(2)));
}

#[test]
fn a_whole_token_without_sense_is_refused_field_by_field() {
    let body = example().to_bytes();
    assert_eq!(body[2..9], *b"example");
    let refused = |alter: &dyn Fn(&mut Vec<u8>)| {
        let mut altered = body.clone();
        alter(&mut altered);
        match sealed(&altered).parse::<Token>().unwrap_err() {
            NotAToken::Malformed(malformed) => malformed.what.to_owned(),
            other => format!("{other:?}"),
        }
    };
    assert_eq!(refused(&|body| body[2] = b'/'), "name");
    assert_eq!(refused(&|body| body[2] = 0xff), "name");
    assert_eq!(refused(&|body| body[1] = 64), "name");
    assert_eq!(refused(&|body| body[9..41].fill(0)), "fleet");
    assert_eq!(refused(&|body| body[73] = 9), "Addresses(9)");
    assert_eq!(refused(&|body| body[74] = 255), "address");
    assert_eq!(refused(&|body| body[75] = 0xff), "address");
    assert_eq!(
        refused(&|body| body[75] = b' '),
        "Address(\" 92.0.2.1:7411\")"
    );
    assert_eq!(refused(&|body| body.push(0)), "end");
    for length in 1..body.len() {
        assert!(
            sealed(&body[..length]).parse::<Token>().is_err(),
            "{length} bytes"
        );
    }
}

#[test]
fn an_address_is_a_host_and_a_port() {
    for address in [
        "a:1",
        "192.0.2.1:65535",
        "[::1]:7411",
        "db-1.example_net:80",
    ] {
        assert!(is_address(address), "{address}");
    }
    for address in [
        "", ":", "a", "a:", ":1", "a:0", "a:01", "a:+1", "a:65536", "::1:80", "[::1]", "[a]:1",
        "a b:1", "a/b:1", "ü:1", "a:1\n",
    ] {
        assert!(!is_address(address), "{address:?}");
    }
    assert!(!is_address(&format!("{}:1", "h".repeat(TOKEN_ADDRESS_MAX))));
}

#[test]
fn a_token_takes_no_more_than_eight_addresses_and_no_bad_one() {
    assert_eq!(
        Token::new(&fleet("a"), vec!["a:1".to_owned(); 9]),
        Err(NotAToken::Addresses(9))
    );
    assert_eq!(
        Token::new(&fleet("a"), vec!["a".to_owned()]),
        Err(NotAToken::Address("a".to_owned()))
    );
}
