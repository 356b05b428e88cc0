//! What the stand-in can be told to do wrong, and what it keeps.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::bundles::bundle;
use super::standin::{Setup, StandIn};
use harness::http::{Door, Reply};
use starlingd::model::json;

struct Server {
    standin: Option<StandIn>,
    setup: Setup,
}

impl Server {
    fn start(name: &str) -> Self {
        let path = |end: &str| {
            std::env::temp_dir().join(format!(
                "starling-faults-{}-{name}{end}",
                std::process::id()
            ))
        };
        let setup = Setup {
            socket: path(".sock"),
            state: Some(path(".json")),
            ..Setup::default()
        };
        Self {
            standin: Some(StandIn::start(setup.clone()).unwrap()),
            setup,
        }
    }

    fn tell(&self, line: &str) -> String {
        self.standin.as_ref().unwrap().tell(line)
    }

    fn ask(&self, method: &str, target: &str, body: &str) -> Reply {
        let bytes = format!(
            "{method} {target} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Door::Unix(self.setup.socket.clone()).send(bytes.as_bytes())
    }

    fn gets(&self, target: &str) -> (u16, String) {
        let reply = self.ask("GET", target, "");
        (reply.status, reply.body)
    }

    /// The number of a file that is gone may be given to the next one: the time tells them apart.
    fn file(&self) -> (u64, i64, i64) {
        let file = std::fs::metadata(&self.setup.socket).unwrap();
        (file.ino(), file.ctime(), file.ctime_nsec())
    }

    /// A certificate, a module, and a configuration that names both, made in two steps.
    fn furnish(&self) {
        assert_eq!(
            self.ask("PUT", "/certificates/a~0123abcd4567", &bundle("a"))
                .status,
            200
        );
        assert_eq!(
            self.ask("PUT", "/js_modules/m", "export default {}\n")
                .status,
            200
        );
        assert_eq!(
            self.ask("PUT", "/config/settings", r#"{"js_module":"m"}"#)
                .status,
            200
        );
        let listener = r#"{"pass":"routes","tls":{"certificate":"a~0123abcd4567"}}"#;
        assert_eq!(
            self.ask("PUT", "/config/listeners/*:8443", listener).status,
            200
        );
    }

    fn state_of(&self, ending: &str) -> PathBuf {
        let mut name = self.setup.state.clone().unwrap().into_os_string();
        name.push(ending);
        name.into()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.standin = None;
        let _ = std::fs::remove_file(self.state_of(""));
        let _ = std::fs::remove_dir_all(self.state_of(".certs"));
        let _ = std::fs::remove_dir_all(self.state_of(".scripts"));
    }
}

#[test]
fn certificates_and_modules_outlive_the_server_with_the_configuration() {
    let mut server = Server::start("kept");
    server.furnish();
    let before = server.gets("/");
    let stored = || {
        json::parse_own(&std::fs::read(server.state_of("")).unwrap_or_default())
            .is_ok_and(|stored| stored["listeners"]["*:8443"].is_object())
    };
    let late = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !stored() {
        assert!(
            std::time::Instant::now() < late,
            "the configuration is not stored"
        );
        std::thread::yield_now();
    }
    server.standin = None;
    server.standin = Some(StandIn::start(server.setup.clone()).unwrap());
    assert_eq!(server.gets("/"), before);
}

#[test]
fn a_restart_is_on_another_socket_file_and_loses_what_it_is_told_to() {
    let server = Server::start("restart");
    server.furnish();
    let (before, file) = (server.gets("/"), server.file());
    assert_eq!(server.tell("restart"), "restarted");
    assert_eq!(server.gets("/"), before);
    assert_ne!(server.file(), file);
    server.tell("restart-older");
    assert_eq!(server.gets("/config/listeners"), (200, "{}\r\n".to_owned()));
    assert_eq!(
        server.gets("/config/settings/js_module"),
        (200, "\"m\"\r\n".to_owned())
    );
    server.tell("restart-default");
    assert_eq!(server.gets("/config/settings").0, 404);
    assert_eq!(
        server.gets("/certificates/a~0123abcd4567/key"),
        (200, "\"RSA (2048 bits)\"\r\n".to_owned())
    );
    server.tell("restart-wiped");
    assert_eq!(server.gets("/certificates"), (200, "{}\r\n".to_owned()));
    assert_eq!(server.gets("/js_modules"), (200, "{}\r\n".to_owned()));
}

#[test]
fn uploads_can_be_refused_and_a_build_can_lack_what_they_are_for() {
    let server = Server::start("lacking");
    server.tell("refuse-upload bad");
    assert_eq!(
        server
            .ask("PUT", "/certificates/bad~0123", &bundle("a"))
            .status,
        400
    );
    assert_eq!(server.ask("PUT", "/js_modules/bad", "").status, 400);
    assert_eq!(server.ask("PUT", "/js_modules/good", "").status, 200);
    server.tell("ok");
    server.tell("no-tls");
    server.tell("no-js");
    for target in [
        "/certificates",
        "/js_modules",
        "/certificates/x",
        "/js_modules/good",
    ] {
        assert_eq!(
            server.gets(target),
            (
                404,
                "{\r\n\t\"error\": \"Value doesn't exist.\"\r\n}\r\n".to_owned()
            )
        );
        assert_eq!(server.ask("PUT", target, "x").status, 404);
    }
    let all = json::parse_own(server.gets("/").1.as_bytes()).unwrap();
    assert_eq!(
        all.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["config", "status"]
    );
}

#[test]
fn freeunit_says_where_and_talks_to_nobody_it_does_not_know() {
    let server = Server::start("freeunit");
    server.tell("freeunit");
    let reply = server.ask("PUT", "/config/listeners/*:80", r#"{"pass":"routes/nope"}"#);
    let body = json::parse_own(reply.body.as_bytes()).unwrap();
    assert_eq!(
        (reply.header("Server"), body["location"]["path"].as_str()),
        (Some("Unit/1.36.0"), Some("/listeners/*:80/pass"))
    );
    server.tell("stranger");
    let bytes = b"GET /config HTTP/1.1\r\n\r\n";
    let mut stream = Door::Unix(server.setup.socket.clone()).connect();
    let _ = std::io::Write::write_all(&mut stream, bytes);
    assert_eq!(stream.rest(), b"");
    server.tell("ok");
    assert_eq!(server.gets("/config/routes").0, 200);
}

#[test]
fn a_key_of_another_certificate_is_taken_and_cannot_be_used() {
    let server = Server::start("misfit");
    for (name, status) in [
        ("a", 200),
        ("a-renewed", 200),
        ("ec", 200),
        ("expired", 200),
        ("foreign-key", 500),
        ("wrong-order", 500),
    ] {
        assert_eq!(
            server
                .ask("PUT", &format!("/certificates/{name}"), &bundle(name))
                .status,
            200,
            "{name}"
        );
        let listener = format!(r#"{{"pass":"routes","tls":{{"certificate":"{name}"}}}}"#);
        assert_eq!(
            server
                .ask("PUT", "/config/listeners/*:8443", &listener)
                .status,
            status,
            "{name}"
        );
    }
}
