//! Credentials. Nothing here opens anything: every value is drawn at random when it is needed.

use data_encoding::{BASE32, BASE64, BASE64URL_NOPAD};

use super::super::languages::Language;
use super::super::random::Random;
use super::money::{bech32, fives};

const BASE62: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

fn base62(number: u32) -> String {
    let alphabet: Vec<char> = BASE62.chars().collect();
    let mut rest = number;
    let mut digits = Vec::new();
    for _ in 0..6 {
        digits.push(alphabet[(rest % 62) as usize]);
        rest /= 62;
    }
    digits.iter().rev().collect()
}

fn with_sum(prefix: &str, body: &str) -> String {
    format!("{prefix}{body}{}", base62(crc32fast::hash(body.as_bytes())))
}

/// A mix that no person would call a word.
pub fn mixed(r: &mut Random, count: usize) -> String {
    loop {
        let value = r.alphanumeric(count);
        let has = |test: fn(&char) -> bool| value.chars().any(|c| test(&c));
        if has(char::is_ascii_digit)
            && has(char::is_ascii_uppercase)
            && has(char::is_ascii_lowercase)
        {
            return value;
        }
    }
}

pub fn github(r: &mut Random) -> String {
    let prefix = r.word("ghp_ ghp_ gho_ ghu_ ghs_ ghr_");
    let body = mixed(r, 30);
    with_sum(&prefix, &body)
}

pub fn github_bad(r: &mut Random) -> String {
    let value = github(r);
    let last = value.chars().last().unwrap_or('a');
    format!("{}{}", &value[..39], if last == '0' { '1' } else { '0' })
}

pub fn npm(r: &mut Random) -> String {
    let body = mixed(r, 30);
    with_sum("npm_", &body)
}

pub fn npm_bad(r: &mut Random) -> String {
    let value = npm(r);
    let last = value.chars().last().unwrap_or('a');
    format!("{}{}", &value[..39], if last == '0' { '1' } else { '0' })
}

pub fn gitlab(r: &mut Random) -> String {
    let prefix = r.word("glpat- glpat- glrt- gldt-");
    prefix + &mixed(r, 20)
}

pub fn pypi(r: &mut Random) -> String {
    let body =
        [vec![2, 1, 8], b"pypi.org".to_vec(), vec![2, 36], r.hex(36).into_bytes(), r.bytes(60)]
            .concat();
    format!("pypi-{}", BASE64URL_NOPAD.encode(&body))
}

pub fn slack(r: &mut Random) -> String {
    match r.below(3) {
        0 => format!(
            "https://hooks.slack.com/services/T{}/B{}/{}",
            r.of("0123456789ABCDEFGHJKLMNP", 10),
            r.of("0123456789ABCDEFGHJKLMNP", 10),
            mixed(r, 24)
        ),
        1 => format!("xoxp-{}-{}-{}-{}", r.number(12), r.number(12), r.number(13), r.hex(32)),
        _ => format!("xoxb-{}-{}-{}", r.number(12), r.number(13), mixed(r, 24)),
    }
}

pub fn stripe(r: &mut Random) -> String {
    let (prefix, count) =
        *r.pick(&[("sk_live_", 24), ("rk_live_", 24), ("sk_live_51", 97), ("whsec_", 32)]);
    prefix.to_owned() + &mixed(r, count)
}

/// Keys that are meant to be seen.
pub fn stripe_bad(r: &mut Random) -> String {
    r.word("pk_test_ pk_live_") + &mixed(r, 24)
}

pub fn openai(r: &mut Random) -> String {
    match r.below(3) {
        0 => format!("sk-{}T3BlbkFJ{}", mixed(r, 20), mixed(r, 20)),
        1 => format!("sk-proj-{}T3BlbkFJ{}", mixed(r, 74), mixed(r, 74)),
        _ => format!("sk-svcacct-{}T3BlbkFJ{}", mixed(r, 74), mixed(r, 74)),
    }
}

pub fn anthropic(r: &mut Random) -> String {
    format!("sk-ant-{}-{}AA", r.word("api03 api03 admin01"), mixed(r, 93))
}

pub fn huggingface(r: &mut Random) -> String {
    format!("hf_{}", r.of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", 34))
}

/// Tokens that their prefix names, of services without a category of their own.
pub fn provider(r: &mut Random, l: &Language) -> String {
    let lower = "abcdefghijklmnopqrstuvwxyz0123456789";
    if l.held_out {
        return match r.below(9) {
            0 => format!("xai-{}", mixed(r, 80)),
            1 => format!("sbp_{}", r.hex(40)),
            2 => format!("lin_api_{}", mixed(r, 40)),
            3 => format!("PMAK-{}-{}", r.hex(24), r.hex(34)),
            4 => format!("NRAK-{}", r.of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 27)),
            5 => format!("glsa_{}_{}", mixed(r, 32), r.hex(8)),
            6 => format!("rubygems_{}", r.hex(48)),
            7 => format!("shppa_{}", r.hex(32)),
            _ => format!("sk-or-v1-{}", r.hex(64)),
        };
    }
    match r.below(14) {
        0 => format!("gsk_{}", mixed(r, 52)),
        1 => format!("r8_{}", mixed(r, 37)),
        2 => format!("pplx-{}", mixed(r, 48)),
        3 => format!("dop_v1_{}", r.hex(64)),
        4 => format!("shpat_{}", r.hex(32)),
        5 => format!("{}:AA{}", r.number(10), mixed(r, 33)),
        6 => format!("{}-us{}", r.hex(32), r.between(1, 20)),
        7 => format!("nfp_{}", mixed(r, 36)),
        8 => format!("pscale_tkn_{}", mixed(r, 43)),
        9 => format!("dp.pt.{}", mixed(r, 43)),
        10 => format!("dapi{}", r.hex(32)),
        11 => format!("figd_{}", mixed(r, 40)),
        12 => format!("pul-{}", r.hex(40)),
        _ => format!("dckr_pat_{}", r.of(lower, 27)),
    }
}

pub fn twilio_sendgrid(r: &mut Random) -> String {
    if r.chance(40) {
        format!("SK{}", r.hex(32))
    } else {
        format!("SG.{}.{}", mixed(r, 22), mixed(r, 43))
    }
}

pub fn vault_tf(r: &mut Random) -> String {
    if r.chance(50) {
        format!("hvs.{}", mixed(r, 92))
    } else {
        format!("{}.atlasv1.{}", mixed(r, 14), mixed(r, 67))
    }
}

pub fn aws_access_key(r: &mut Random) -> String {
    r.word("AKIA AKIA ASIA") + "Q" + &r.of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 15)
}

/// Too short, or with digits that base 32 does not have.
pub fn aws_access_key_bad(r: &mut Random) -> String {
    if r.chance(50) {
        format!("AKIA{}", r.of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 12))
    } else {
        format!("AKIA{}0189{}", r.of("ABCDEFGH", 6), r.of("ABCDEFGH", 6))
    }
}

pub fn aws_secret(r: &mut Random) -> String {
    loop {
        let value = r.base64(40);
        let has = |test: fn(&char) -> bool| value.chars().any(|c| test(&c));
        if has(char::is_ascii_digit)
            && has(char::is_ascii_uppercase)
            && has(char::is_ascii_lowercase)
        {
            return value;
        }
    }
}

pub fn gcp_api_key(r: &mut Random) -> String {
    format!("AIza{}", "Sy".to_owned() + &mixed(r, 33))
}

pub fn gcp_api_key_bad(r: &mut Random) -> String {
    format!("AIza{}", mixed(r, 12))
}

pub fn azure_storage(r: &mut Random) -> String {
    format!(
        "DefaultEndpointsProtocol=https;AccountName={};AccountKey={};EndpointSuffix=core.windows.net",
        r.word("prodlogs billingstore mediafiles acmebackup"),
        BASE64.encode(&r.bytes(64))
    )
}

pub fn azure_client_secret(r: &mut Random) -> String {
    format!("{}8Q~{}", mixed(r, 3), mixed(r, 34))
}

pub fn jwt(r: &mut Random) -> String {
    let header = format!("{{\"alg\":\"{}\",\"typ\":\"JWT\"}}", r.word("HS256 RS256 ES256"));
    let payload = format!(
        "{{\"sub\":\"{}\",\"iat\":17{},\"role\":\"{}\"}}",
        r.number(10),
        r.number(8),
        r.word("admin user editor")
    );
    format!(
        "{}.{}.{}",
        BASE64URL_NOPAD.encode(header.as_bytes()),
        BASE64URL_NOPAD.encode(payload.as_bytes()),
        BASE64URL_NOPAD.encode(&r.bytes(32))
    )
}

/// Two parts, and a header that is no object.
pub fn jwt_bad(r: &mut Random) -> String {
    format!("eyJ{}.{}", mixed(r, 30), mixed(r, 40))
}

/// What somebody would type as a password who was told to mix.
pub fn password(r: &mut Random) -> String {
    match r.below(4) {
        0 => mixed(r, 14),
        1 => format!(
            "{}{}{}{}",
            r.word("Tr0ub4dor Kx9 Vb7q zQ4 Mn3w"),
            r.of("!#%+-_", 1),
            mixed(r, 5),
            r.of("!#%+*", 1)
        ),
        2 => format!("{}-{}-{}", mixed(r, 5), mixed(r, 5), mixed(r, 5)),
        _ => mixed(r, 20),
    }
}

/// What stands where a password would: references, blanks, stars, words that say so.
pub fn password_bad(r: &mut Random) -> String {
    r.pick(&[
        "${DB_PASSWORD}",
        "<your-password>",
        "********",
        "changeme",
        "xxxxxxxx",
        "{{ vault.password }}",
        "%PASSWORD%",
        "REDACTED",
        "your_password_here",
        "$PASSWORD",
        "<redacted>",
        "placeholder",
        "$(cat /run/secrets/db)",
        "{{password}}",
        "not-set",
        "............",
        "[hidden]",
    ])
    .to_string()
}

pub fn uri_password(r: &mut Random) -> String {
    let scheme = r.word("postgres mysql mongodb+srv amqp redis https ldap postgresql mariadb ftp");
    let host = r.word("db01.northwind.internal cluster0.ab1cd.mongodb.net mq.acme-logistics.net cache.prod.local git.acme-logistics.net db.internal");
    format!(
        "{scheme}://{}:{}@{host}/{}",
        r.word("app svc_billing admin etl reader"),
        mixed(r, 14),
        r.word("orders main inventory v1")
    )
}

pub fn uri_password_bad(r: &mut Random) -> String {
    let scheme = r.word("postgres mysql amqp redis https");
    format!(
        "{scheme}://{}@db.northwind.internal/{}",
        r.pick(&[
            "app:${DB_PASS}",
            "user:<password>",
            "app:$PASSWORD",
            "app:****",
            "user:{{password}}",
            "app",
            "<user>:<pass>"
        ]),
        r.word("orders main")
    )
}

pub fn conn_string(r: &mut Random) -> String {
    let secret = mixed(r, 14);
    match r.below(4) {
        0 => format!(
            "Server=tcp:sql01.northwind.internal,1433;Database=Orders;User ID=svc_orders;Password={secret};Encrypt=True;"
        ),
        1 => format!(
            "jdbc:sqlserver://sql01.northwind.internal:1433;databaseName=Orders;user=svc;password={secret}"
        ),
        2 => format!(
            "Driver={{ODBC Driver 18 for SQL Server}};Server=sql01.northwind.internal;Uid=svc;Pwd={secret};"
        ),
        _ => format!("Data Source=ora01;User Id=billing;Password={secret};"),
    }
}

pub fn conn_string_bad(r: &mut Random) -> String {
    r.pick(&[
        "Server=sql01;Database=Orders;Integrated Security=true;",
        "Server=sql01;Database=Orders;User ID=svc;Password={0};",
        "Server=sql01;Uid=svc;Pwd=${SQL_PWD};",
        "Data Source=ora01;User Id=billing;Password=<password>;",
        "jdbc:sqlserver://sql01:1433;databaseName=Orders;integratedSecurity=true",
    ])
    .to_string()
}

pub fn http_auth(r: &mut Random) -> String {
    match r.below(3) {
        0 => {
            let pair = format!("{}:{}", r.word("api admin svc"), mixed(r, 12));
            format!("Authorization: Basic {}", BASE64.encode(pair.as_bytes()))
        }
        1 => format!("Authorization: Bearer {}", mixed(r, 40)),
        _ => format!("Authorization: Bearer {}", r.hex(40)),
    }
}

pub fn http_auth_bad(r: &mut Random) -> String {
    r.pick(&[
        "Authorization: Bearer <token>",
        "Authorization: Bearer $TOKEN",
        "Authorization: Basic <credentials>",
        "Authorization: Bearer ${ACCESS_TOKEN}",
        "Authorization: Bearer {{token}}",
    ])
    .to_string()
}

pub fn password_hash(r: &mut Random) -> String {
    let crypt = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    match r.below(4) {
        0 => format!("$2b$1{}${}", r.of("0234", 1), r.of(crypt, 53)),
        1 => format!("$6${}${}", r.of(crypt, 16), r.of(crypt, 86)),
        2 => format!("$argon2id$v=19$m=65536,t=3,p=4${}${}", r.base64(22), r.base64(43)),
        _ => format!("$2y$10${}", r.of(crypt, 53)),
    }
}

/// A bare digest, or a hash cut short.
pub fn password_hash_bad(r: &mut Random) -> String {
    match r.below(3) {
        0 => format!("$2b$10${}", r.alphanumeric(12)),
        1 => "$6$rounds".to_owned(),
        _ => r.pick(&["$argon2id$", "$2b$12$<hash>", "*LK*", "!!"]).to_string(),
    }
}

pub fn otp_seed(r: &mut Random) -> String {
    let seed = BASE32.encode(&r.bytes(20));
    format!(
        "otpauth://totp/{}?secret={seed}&issuer={}",
        r.pick(&["Northwind:jan", "ACME:ops", "GitHub:svc"]),
        r.word("Northwind ACME GitHub")
    )
}

pub fn otp_seed_bad(r: &mut Random) -> String {
    r.pick(&[
        "otpauth://totp/ACME:ops?issuer=ACME",
        "otpauth://totp/?secret=<seed>",
        "otpauth://hotp/label",
    ])
    .to_string()
}

pub fn netrc_pgpass(r: &mut Random) -> String {
    let secret = mixed(r, 14);
    if r.chance(50) {
        format!("machine git.acme-logistics.net login deploy password {secret}")
    } else {
        format!("db01.northwind.internal:5432:orders:svc:{secret}")
    }
}

pub fn wireguard_age(r: &mut Random) -> String {
    if r.chance(60) {
        format!("PrivateKey = {}", BASE64.encode(&r.bytes(32)))
    } else {
        bech32("age-secret-key-", &fives(&r.bytes(32)), 1).to_uppercase()
    }
}

pub fn entropy(r: &mut Random) -> String {
    mixed(r, 32)
}

fn wrapped(text: &str, width: usize) -> String {
    let characters: Vec<char> = text.chars().collect();
    characters
        .chunks(width)
        .map(|line| line.iter().collect::<String>())
        .collect::<Vec<_>>()
        .join("\n")
}

/// DER: a sequence with a right length around a version, an algorithm and bytes at random.
fn der(r: &mut Random, head: &[u8], count: usize) -> Vec<u8> {
    let body = [head.to_vec(), r.bytes(count)].concat();
    let length = body.len();
    let mut all = vec![0x30];
    if length < 256 {
        all.extend([0x81, length as u8]);
    } else {
        all.extend([0x82, (length >> 8) as u8, length as u8]);
    }
    all.extend(body);
    all
}

pub fn private_key(r: &mut Random) -> String {
    let (kind, bytes) = match r.below(4) {
        0 => ("RSA PRIVATE KEY", der(r, &[2, 1, 0, 2, 0x82, 1, 1, 0], 1180)),
        1 => ("EC PRIVATE KEY", der(r, &[2, 1, 1, 4, 32], 116)),
        2 => ("PRIVATE KEY", {
            let mut inner = vec![
                2, 1, 0, 0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 1, 5, 0, 4, 0x82,
                4, 0xa6,
            ];
            inner.extend(der(r, &[2, 1, 0, 2, 0x82, 1, 1, 0], 0x4a6 - 12));
            der(r, &inner, 0)
        }),
        _ => ("OPENSSH PRIVATE KEY", {
            let mut all = b"openssh-key-v1\0".to_vec();
            for word in ["none", "none", ""] {
                all.extend((word.len() as u32).to_be_bytes());
                all.extend(word.bytes());
            }
            all.extend([0, 0, 0, 1, 0, 0, 0, 51, 0, 0, 0, 11]);
            all.extend(b"ssh-ed25519");
            all.extend([0, 0, 0, 32]);
            all.extend(r.bytes(32));
            all.extend([0, 0, 0, 144]);
            all.extend(r.bytes(144));
            all
        }),
    };
    let dashes = "-".repeat(5);
    format!(
        "{dashes}BEGIN {kind}{dashes}\n{}\n{dashes}END {kind}{dashes}",
        wrapped(&BASE64.encode(&bytes), 64)
    )
}

/// A public key, a certificate, or a header around words.
pub fn private_key_bad(r: &mut Random) -> String {
    let dashes = "-".repeat(5);
    match r.below(3) {
        0 => format!(
            "{dashes}BEGIN PUBLIC KEY{dashes}\n{}\n{dashes}END PUBLIC KEY{dashes}",
            wrapped(&BASE64.encode(&der(r, &[0x30, 13], 270)), 64)
        ),
        1 => format!(
            "{dashes}BEGIN CERTIFICATE{dashes}\n{}\n{dashes}END CERTIFICATE{dashes}",
            wrapped(&BASE64.encode(&der(r, &[0x30, 0x82], 700)), 64)
        ),
        _ => format!(
            "{dashes}BEGIN RSA PRIVATE KEY{dashes}\n...\n{dashes}END RSA PRIVATE KEY{dashes}"
        ),
    }
}

/// The sum at the end of armour (RFC 4880 section 6.1).
fn crc24(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x00b7_04ce, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte) << 16, |sum, _| {
            let sum = sum << 1;
            if sum & 0x0100_0000 == 0 { sum } else { sum ^ 0x0186_4cfb }
        })
    })
}

fn armour(r: &mut Random, kind: &str, tag: u8) -> String {
    let bytes = [vec![tag, 0xc5, 0x58, 4], r.bytes(420)].concat();
    let sum = crc24(&bytes).to_be_bytes();
    let dashes = "-".repeat(5);
    format!(
        "{dashes}BEGIN PGP {kind} BLOCK{dashes}\n\n{}\n={}\n{dashes}END PGP {kind} BLOCK{dashes}",
        wrapped(&BASE64.encode(&bytes), 64),
        BASE64.encode(&sum[1..])
    )
}

pub fn pgp_private(r: &mut Random) -> String {
    armour(r, "PRIVATE KEY", 0x95)
}

pub fn pgp_private_bad(r: &mut Random) -> String {
    armour(r, "PUBLIC KEY", 0x99)
}

pub fn gcp_service_account(r: &mut Random) -> String {
    let key = private_key(r).replace('\n', "\\n");
    format!(
        "{{\n  \"type\": \"service_account\",\n  \"project_id\": \"acme-prod-{}\",\n  \"private_key_id\": \"{}\",\n  \"private_key\": \"{key}\\n\",\n  \"client_email\": \"svc@acme-prod.iam.gserviceaccount.com\",\n  \"client_id\": \"1{}\"\n}}",
        r.number(4),
        r.hex(40),
        r.digits(20)
    )
}

pub fn gcp_service_account_bad(r: &mut Random) -> String {
    format!(
        "{{\n  \"type\": \"service_account\",\n  \"project_id\": \"acme-prod-{}\",\n  \"private_key\": \"<private key>\"\n}}",
        r.number(4)
    )
}

pub fn k8s_docker(r: &mut Random) -> String {
    if r.chance(50) {
        let pair = format!("deploy:{}", mixed(r, 16));
        format!(
            "{{\n  \"auths\": {{\n    \"registry.acme-logistics.net\": {{\n      \"auth\": \"{}\"\n    }}\n  }}\n}}",
            BASE64.encode(pair.as_bytes())
        )
    } else {
        format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- cluster:\n    server: https://k8s.northwind.internal:6443\n  name: prod\nusers:\n- name: admin\n  user:\n    client-key-data: {}\n",
            BASE64.encode(format!("{}\n", private_key(r)).as_bytes())
        )
    }
}

pub fn k8s_docker_bad(r: &mut Random) -> String {
    r.pick(&[
        "{\n  \"auths\": {},\n  \"credsStore\": \"secretservice\"\n}",
        "apiVersion: v1\nkind: Config\nusers:\n- name: admin\n  user:\n    exec:\n      command: kubelogin\n",
        "{\n  \"auths\": {\"registry.acme-logistics.net\": {}}\n}",
    ])
    .to_string()
}
