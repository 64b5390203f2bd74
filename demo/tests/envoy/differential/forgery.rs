//! Tokens, most of them bent: in their header, their claims, their signature, their text.

use super::draw::Draw;
use super::keys::{Keys, Signer, base64};

pub(crate) const LOGIN: &str = "https://login.example/";
pub(crate) const PARTNER: &str = "https://partner.example/";
pub(crate) const AUDIENCE: &str = "https://api.example";

/// How far both may be off the issuer's clock, in seconds.
pub(crate) const LEEWAY: i64 = 30;

/// The most bends of one token.
const MAX_BENDS: usize = 3;

/// The members of an object, each with the text of its value: any of them twice, if need be.
type Members = Vec<(String, String)>;

/// A token before it is written.
struct Forgery {
    header: Members,
    claims: Members,
    signer: Signer,
    /// What is done to the texts of the parts, to the signature, to the token.
    header_text: fn(&str) -> Vec<u8>,
    claims_text: fn(&str) -> Vec<u8>,
    signature: fn(Vec<u8>) -> Vec<u8>,
    token: fn(&str, &Draw) -> String,
    scheme: &'static str,
}

/// A value of `Authorization`, made at `now`, the same for each number but for the keys and the time.
pub(crate) fn forge(keys: &Keys, number: u64, now: i64) -> String {
    let draw = Draw::new(number);
    let mut forgery = Forgery::good(&draw, number, now);
    // One of eight stays as it is.
    let bends = if draw.one_in(8) { 0 } else { 1 + draw.below(MAX_BENDS) };
    for _ in 0..bends {
        match draw.below(10) {
            0..=2 => forgery.bend_header(&draw),
            3..=6 => forgery.bend_claims(&draw, now),
            7 => forgery.bend_signature(&draw),
            8 => forgery.bend_text(&draw),
            _ => forgery.bend_scheme(&draw),
        }
    }
    forgery.write(keys, &draw)
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

fn put(members: &mut Members, name: &str, value: impl Into<String>) {
    members.retain(|(known, _)| known != name);
    members.push((name.to_owned(), value.into()));
}

fn object(members: &Members) -> String {
    let members: Vec<_> = members.iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
    format!("{{{}}}", members.join(","))
}

impl Forgery {
    fn good(draw: &Draw, number: u64, now: i64) -> Self {
        let signer = draw.of(&[
            Signer::Ec,
            Signer::Ec,
            Signer::Ed,
            Signer::Ed,
            Signer::Ed,
            Signer::Partner,
            Signer::Rs256,
            Signer::Rs384,
            Signer::Rs512,
            Signer::Ps256,
        ]);
        let issuer = if signer == Signer::Partner { PARTNER } else { LOGIN };
        let header = [
            ("alg", quoted(signer.algorithm())),
            ("kid", quoted(signer.kid())),
            ("typ", quoted("at+jwt")),
        ];
        let claims = [
            ("iss", quoted(issuer)),
            ("aud", quoted(AUDIENCE)),
            ("sub", quoted("ada")),
            ("client_id", quoted("web-app")),
            ("scope", quoted("crm.read")),
            ("jti", quoted(&format!("t-{number}"))),
            ("iat", (now - 60).to_string()),
            ("exp", (now + 600).to_string()),
        ];
        let own = |(name, value): (&str, String)| (name.to_owned(), value);
        Self {
            header: header.map(own).into(),
            claims: claims.map(own).into(),
            signer,
            header_text: |text| text.into(),
            claims_text: |text| text.into(),
            signature: |signature| signature,
            token: |token, _| token.to_owned(),
            scheme: "Bearer ",
        }
    }

    fn bend_header(&mut self, draw: &Draw) {
        let header = &mut self.header;
        let text = |text: &str| quoted(text);
        match draw.below(16) {
            0 => put(
                header,
                "typ",
                draw.of(&["\"JWT\"", "\"jwt\"", "null", "5", "\"\"", "[\"at+jwt\"]"]),
            ),
            1 => put(
                header,
                "typ",
                text(draw.of(&[
                    "AT+JWT",
                    "application/at+jwt",
                    "at+jwt; a=b",
                    "dpop+jwt",
                    "logout+jwt",
                ])),
            ),
            2 => header.retain(|(name, _)| name != "typ"),
            3 => put(
                header,
                "alg",
                text(draw.of(&[
                    "none", "None", "noNE", "es256", "ES384", "HS256", "RS256", "Ed25519", "",
                ])),
            ),
            4 => put(header, "alg", draw.of(&["null", "5", "[\"ES256\"]", "{}"])),
            5 => header.retain(|(name, _)| name != "alg"),
            6 => header.retain(|(name, _)| name != "kid"),
            7 => put(
                header,
                "kid",
                text(draw.of(&["ec", "ed", "rsa", "unknown", "", "EC", "../../ec"])),
            ),
            8 => put(header, "kid", draw.of(&["null", "5", "{}"])),
            9 => put(
                header,
                "crit",
                draw.of(&["[]", "[\"exp\"]", "[\"b64\"]", "\"exp\"", "null", "[5]"]),
            ),
            10 => put(header, "b64", draw.of(&["false", "true", "null"])),
            11 => put(header, "cty", text(draw.of(&["JWT", "jwt", "json", ""]))),
            12 => put(header, draw.of(&["jku", "x5u"]), text("https://evil.example/keys")),
            13 => {
                let name = draw.of(&["alg", "kid", "typ", "foo"]);
                let value = header.iter().find(|(known, _)| known == name);
                let value = value.map_or("1".to_owned(), |(_, value)| value.clone());
                let twice = if draw.one_in(2) { value.clone() } else { text("other") };
                put(header, name, value);
                let at = if draw.one_in(2) { 0 } else { header.len() };
                header.insert(at, (name.to_owned(), twice));
            }
            14 => self.signer = Signer::Confused,
            _ => {
                self.header_text = draw.of(&[
                    (|_| b"[]".to_vec()) as fn(&str) -> Vec<u8>,
                    |text| format!(" {text}\n").into(),
                    |text| format!("{text}x").into(),
                    |text| [text.as_bytes(), &[0]].concat(),
                    |text| text.replace('{', "{\u{feff}").into(),
                    |text| [b"\xef\xbb\xbf", text.as_bytes()].concat(),
                    |text| text.replace("at+jwt", "at+jwt\\u0000").into(),
                    |text| text.replace(',', ",,").into(),
                    |text| text.replace('"', "'").into(),
                    |text| text.replace('}', ",}").into(),
                    |text| [text.trim_end_matches('}').as_bytes(), b",\"a\":\"\xff\"}"].concat(),
                    |_| b"{}".to_vec(),
                    |_| Vec::new(),
                ]);
            }
        }
    }

    fn bend_claims(&mut self, draw: &Draw, now: i64) {
        let claims = &mut self.claims;
        let text = |text: &str| quoted(text);
        let odd = ["null", "5", "true", "[]", "{}", "\"\"", "[\"a\"]", "1e400", "-0"];
        match draw.below(20) {
            0 => put(
                claims,
                "iss",
                text(draw.of(&[
                    LOGIN,
                    PARTNER,
                    "https://login.example",
                    "https://LOGIN.example/",
                    "https://evil.example/",
                ])),
            ),
            1 => put(
                claims,
                draw.of(&["iss", "sub", "aud", "client_id", "jti", "iat", "exp", "nbf", "scope"]),
                draw.of(&odd),
            ),
            2 => {
                let name =
                    draw.of(&["iss", "sub", "aud", "client_id", "jti", "iat", "exp", "scope"]);
                claims.retain(|(known, _)| known != name);
            }
            3 => put(
                claims,
                "aud",
                draw.of(&[
                    "[\"https://api.example\"]",
                    "[\"https://other.example\",\"https://api.example\"]",
                    "[\"https://other.example\"]",
                    "\"https://other.example\"",
                    "\"https://api.example/\"",
                    "\"HTTPS://api.example\"",
                    "[[\"https://api.example\"]]",
                    "[\"https://api.example\",5]",
                    "[\"https://api.example\",\"https://api.example\"]",
                    "\" https://api.example\"",
                ]),
            ),
            // Never so near to a bound that the next second is another answer.
            4 => put(
                claims,
                "exp",
                (now + draw.of(&[-90_000, -600, -LEEWAY - 20, -LEEWAY + 20, 20, 3_600, 86_000]))
                    .to_string(),
            ),
            5 => put(claims, "exp", (now + draw.of(&[90_000, 864_000, 4_000_000_000])).to_string()),
            6 => put(
                claims,
                "exp",
                draw.of(&[
                    "0",
                    "-1",
                    "99999999999999",
                    "253402300799999",
                    "18446744073709551616",
                    "1e12",
                    "9007199254740993",
                ]),
            ),
            7 => put(
                claims,
                "exp",
                format!("{}{}", now + 600, draw.of(&[".5", ".0", "e0", ".999999999", "e-2", "E1"])),
            ),
            8 => put(claims, "exp", text(&(now + 600).to_string())),
            9 => put(
                claims,
                "nbf",
                (now + draw.of(&[-600, -20, 0, LEEWAY - 20, LEEWAY + 20, 600])).to_string(),
            ),
            10 => put(
                claims,
                draw.of(&["nbf", "iat"]),
                format!("{}{}", now - 60, draw.of(&[".5", ".0", "e0"])),
            ),
            11 => put(
                claims,
                "iat",
                (now + draw.of(&[-90_000, -600, LEEWAY - 20, LEEWAY + 20, 600])).to_string(),
            ),
            12 => put(
                claims,
                draw.of(&["nonce", "at_hash", "events"]),
                draw.of(&["\"n\"", "{}", "null"]),
            ),
            13 => put(
                claims,
                "cnf",
                draw.of(&["{}", "null", "{\"jkt\":\"x\"}", "{\"x5t#S256\":\"x\"}", "{\"jwk\":{}}"]),
            ),
            14 => {
                put(claims, "act", draw.of(&["{\"sub\":\"bot\"}", "\"bot\"", "{}", "null", "[]"]))
            }
            15 => put(claims, "azp", draw.of(&["\"web-app\"", "\"other\"", "5", "\"\""])),
            16 => {
                let name = draw.of(&["iss", "sub", "aud", "exp", "jti", "foo"]);
                let value = claims.iter().find(|(known, _)| known == name);
                let value = value.map_or("1".to_owned(), |(_, value)| value.clone());
                let twice = if draw.one_in(2) { value.clone() } else { text("other") };
                put(claims, name, value);
                let at = if draw.one_in(2) { 0 } else { claims.len() };
                claims.insert(at, (name.to_owned(), twice));
            }
            17 => {
                let deep = draw.of(&[10, 30, 90, 200]);
                put(claims, "deep", format!("{}{}", "[".repeat(deep), "]".repeat(deep)));
            }
            18 => {
                let many = draw.of(&[50, 300, 1_500]);
                put(claims, "many", format!("[{}]", vec!["1"; many].join(",")));
            }
            _ => {
                self.claims_text = draw.of(&[
                    (|_| b"[]".to_vec()) as fn(&str) -> Vec<u8>,
                    |text| format!(" {text}\n").into(),
                    |text| format!("{text}x").into(),
                    |text| format!("{text}{text}").into(),
                    |text| [b"\xef\xbb\xbf", text.as_bytes()].concat(),
                    |text| text.replace("ada", "a\\u0000da").into(),
                    |text| text.replace("ada", "a\\ud800da").into(),
                    |text| text.replace("ada", "\\u0061da").into(),
                    |text| text.replace("ada", "a\nda").into(),
                    |text| text.replace("ada", "ädä").into(),
                    |text| text.replace("\"exp\"", "\"e\\u0078p\"").into(),
                    |text| text.replace("\"exp\"", "\"Exp\"").into(),
                    |text| text.replace("\"exp\":", "\"exp\":+").into(),
                    |text| text.replace("\"exp\":", "\"exp\":0").into(),
                    |text| text.replace("\"exp\":", "\"exp\":NaN,\"x\":").into(),
                    |text| text.replace(',', ",,").into(),
                    |text| text.replace('"', "'").into(),
                    |text| text.replace('}', ",}").into(),
                    |text| text.replace('{', "{/**/").into(),
                    |text| [text.trim_end_matches('}').as_bytes(), b",\"a\":\"\xff\"}"].concat(),
                    |_| Vec::new(),
                    |text| text.trim_end_matches('}').into(),
                ]);
            }
        }
    }

    fn bend_signature(&mut self, draw: &Draw) {
        self.signature = draw.of(&[
            (|_| Vec::new()) as fn(Vec<u8>) -> Vec<u8>,
            |mut bytes| {
                bytes.pop();
                bytes
            },
            |bytes| [bytes, vec![0]].concat(),
            |bytes| [vec![0], bytes].concat(),
            |mut bytes| {
                let at = bytes.len() / 3;
                bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1);
                bytes
            },
            |bytes| vec![0; bytes.len()],
            |bytes| vec![0xff; bytes.len()],
            |mut bytes| {
                bytes.reverse();
                bytes
            },
            |mut bytes| {
                let half = bytes.len() / 2;
                bytes.rotate_left(half);
                bytes
            },
            // As DER has it, for those that are r and s.
            |bytes| {
                let (r, s) = bytes.split_at(bytes.len() / 2);
                [&[0x30, 0x44, 0x02, 0x20], r, &[0x02, 0x20], s].concat()
            },
        ]);
        if draw.one_in(4) {
            self.signer =
                draw.of(&[Signer::Ec, Signer::Ed, Signer::Partner, Signer::Rs256, Signer::Ps256]);
        }
    }

    fn bend_text(&mut self, draw: &Draw) {
        self.token = draw.of(&[
            (|token, _| format!("{token}.")) as fn(&str, &Draw) -> String,
            |token, _| format!(".{token}"),
            |token, _| format!("{token}.e30"),
            |token, _| format!("{token}.e30.e30"),
            |token, _| format!("{token}="),
            |token, _| format!("{token}=="),
            |token, _| token.replace('.', "=."),
            |token, _| token.rsplit_once('.').map_or(String::new(), |(input, _)| input.to_owned()),
            |token, _| {
                token.rsplit_once('.').map_or(String::new(), |(input, _)| format!("{input}."))
            },
            |token, _| token.replace('.', ".."),
            |token, _| token.replace('-', "+").replace('_', "/"),
            |token, _| token.replacen('.', "%2E", 1),
            |token, _| token.replacen('.', " .", 1),
            |token, _| format!("{token}\t"),
            |token, _| format!("{token},"),
            |token, _| format!("{token}, x"),
            |token, _| format!("\"{token}\""),
            |token, _| token.to_uppercase(),
            |_, _| String::new(),
            |_, _| "..".to_owned(),
            |token, draw| {
                let mut bytes = token.as_bytes().to_vec();
                let at = draw.below(bytes.len());
                bytes[at] = draw.of(b"ABCxyz019-_.=+/ !~");
                String::from_utf8(bytes).unwrap()
            },
            |token, draw| {
                let mut bytes = token.as_bytes().to_vec();
                bytes.remove(draw.below(bytes.len()));
                String::from_utf8(bytes).unwrap()
            },
            |token, draw| {
                let mut bytes = token.as_bytes().to_vec();
                bytes.insert(draw.below(bytes.len()), draw.of(b"ABCxyz019-_.=+/ !~"));
                String::from_utf8(bytes).unwrap()
            },
            // The last character has bits that no byte is made of.
            |token, draw| {
                let mut bytes = token.as_bytes().to_vec();
                let last = bytes.pop().unwrap();
                bytes.push(last + u8::try_from(draw.below(3)).unwrap());
                String::from_utf8(bytes).unwrap()
            },
        ]);
    }

    fn bend_scheme(&mut self, draw: &Draw) {
        self.scheme = draw.of(&[
            "bearer ",
            "BEARER ",
            "Bearer  ",
            "Bearer\t",
            "Bearer",
            " Bearer ",
            "Basic ",
            "Token ",
            "",
            "Bearer Bearer ",
            "Bearer=",
            "Bearer token=",
            "x Bearer ",
            "DPoP ",
            "Bearer,",
            "Bearer: ",
        ]);
    }

    fn write(&self, keys: &Keys, draw: &Draw) -> String {
        let header = (self.header_text)(&object(&self.header));
        let claims = (self.claims_text)(&object(&self.claims));
        let input = format!("{}.{}", base64(&header), base64(&claims));
        let signature = (self.signature)(keys.sign(self.signer, input.as_bytes()));
        let token = (self.token)(&format!("{input}.{}", base64(&signature)), draw);
        format!("{}{token}", self.scheme)
    }
}
