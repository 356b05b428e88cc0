//! A hostile member: somebody who holds the fleet key and says what no honest host says.
//!
//! `hostile-member ATTACK ADDRESS… <TOKEN` reads a token of the fleet from its standard input,
//! links with the hosts at these addresses by the library's own handshake, and carries out one of
//! the attacks of [`attacks`], with frames that are made with the library's own wire and model.
//! Exit status 0 means that the attack was carried out, which says nothing of what became of the
//! fleet: that is looked at by whoever started this, tests/lab/hostile.rs. What an attack wants to
//! tell it prints.

mod attacks;
mod member;

use std::io::Read;

fn main() {
    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap_or_default();
    let addresses: Vec<String> = words.collect();
    let mut token = String::new();
    std::io::stdin()
        .read_to_string(&mut token)
        .expect("a token comes on standard input");
    let Some((_, attack)) = attacks::ATTACKS.iter().find(|(known, _)| *known == name) else {
        let known: Vec<&str> = attacks::ATTACKS.iter().map(|(known, _)| *known).collect();
        eprintln!(
            "hostile-member: there is no attack {name:?}, but {}",
            known.join(", ")
        );
        std::process::exit(2);
    };
    attack(&attacks::Siege { token, addresses });
}
