//! Payloads of the benches: made from a seed, so that what they hold is known, or read from what the
//! toolchain ships.

#![allow(clippy::indexing_slicing, reason = "indices are below the length they are drawn for")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Xorshift: numbers that are the same in every run (Marsaglia 2003).
pub struct Numbers(u64);

impl Numbers {
    pub fn new() -> Numbers {
        Numbers(0x9e37_79b9_7f4a_7c15)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % bound
    }

    fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'0' + self.below(10) as u8)).collect()
    }

    fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let number = self.below(choices.len() as u64) as usize;
        choices.get(number).expect("a number below their count")
    }

    /// Letters that spell no word, and so no context term.
    fn word(&mut self, letters: u64) -> String {
        let length = 3 + self.below(letters - 2);
        (0..length)
            .map(|_| *self.one_of(&['b', 'd', 'g', 'j', 'k', 'l', 'm', 'p', 'r', 'v', 'z']))
            .collect()
    }
}

/// The categories of the five values in each row of [`customers`].
pub const CUSTOMER_CATEGORIES: [&str; 5] =
    ["fin.iban", "nat.us_ssn", "pci.pan", "pii.email", "pii.phone"];

/// A table of customers of about this many bytes, and its number of rows. Each row holds five values
/// whose checks are right, in about 110 bytes.
pub fn customers(bytes: usize) -> (Vec<u8>, u64) {
    let mut numbers = Numbers::new();
    let mut table = String::from("customer,email,phone,card_number,ssn,iban\n");
    let mut rows = 0;
    while table.len() < bytes {
        rows += 1;
        table.push_str(&numbers.word(10));
        table.push(',');
        table.push_str(&email(&mut numbers));
        table.push(',');
        table.push_str(&phone(&mut numbers));
        table.push(',');
        table.push_str(&card(&mut numbers));
        table.push(',');
        table.push_str(&social_security(&mut numbers));
        table.push(',');
        table.push_str(&iban(&mut numbers));
        table.push('\n');
    }
    (table.into_bytes(), rows)
}

fn email(numbers: &mut Numbers) -> String {
    format!("{}.{}@{}-mail.net", numbers.word(7), numbers.word(9), numbers.word(5))
}

/// A North American number whose exchange code is in use and not that of fiction.
fn phone(numbers: &mut Numbers) -> String {
    let area = numbers.one_of(&["212", "303", "415", "617", "702"]);
    format!(
        "+1 {area} {}{} {}",
        2 + numbers.below(3),
        numbers.digits(2).replace("11", "12"),
        numbers.digits(4)
    )
}

/// Sixteen digits, the last by Luhn's rule (ISO/IEC 7812-1).
fn card(numbers: &mut Numbers) -> String {
    let body = format!("4539{}", numbers.digits(11));
    let sum: u32 = body
        .bytes()
        .rev()
        .zip([2, 1].into_iter().cycle())
        .map(|(byte, weight)| u32::from(byte - b'0') * weight)
        .map(|product| product / 10 + product % 10)
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

/// An area below 666, group and serial not zero.
fn social_security(numbers: &mut Numbers) -> String {
    let (area, group) = (300 + numbers.below(300), 10 + numbers.below(90));
    format!("{area:03}-{group:02}-{:04}", 1000 + numbers.below(9000))
}

/// A German number with its check digits (ISO 7064, MOD 97-10).
fn iban(numbers: &mut Numbers) -> String {
    let account = numbers.digits(18);
    let rest = format!("{account}131400")
        .bytes()
        .fold(0, |rest, byte| (rest * 10 + u64::from(byte - b'0')) % 97);
    format!("DE{:02}{account}", 98 - rest)
}

/// Records in one JSON array of about this many bytes, and their number.
pub fn records(bytes: usize) -> (Vec<u8>, u64) {
    let mut numbers = Numbers::new();
    let mut json = String::from("[");
    let mut count = 0;
    while json.len() < bytes {
        if count > 0 {
            json.push(',');
        }
        count += 1;
        json.push_str(&format!(
            "\n  {{\"id\": {}, \"name\": \"{} \\\"{}\\\"\", \"contact\": {{\"email\": \"{}\", \"tags\": [\"{}\", \"{}\"]}}, \"ssn\": \"{}\"}}",
            numbers.below(1_000_000),
            numbers.word(8),
            numbers.word(8),
            email(&mut numbers),
            numbers.word(6),
            numbers.word(6),
            social_security(&mut numbers),
        ));
    }
    json.push_str("\n]\n");
    (json.into_bytes(), count)
}

/// A prompt of exactly this many bytes, with one e-mail address in each begun 512 bytes, and their
/// number.
pub fn prompt(bytes: usize) -> (Vec<u8>, u64) {
    const PROSE: &str = "Summarise the conversation below for the account team and list what was \
        promised, by whom and until when; keep to three short paragraphs, and quote nothing that the \
        customer has not said. Then draft an answer that thanks her for the patience she has shown. ";
    let mut numbers = Numbers::new();
    let mut text = String::new();
    let mut addresses = 0;
    while text.len() < bytes {
        text.push_str("Write to ");
        text.push_str(&email(&mut numbers));
        text.push_str(". ");
        addresses += 1;
        let end = addresses * 512;
        let mut prose = PROSE.chars().cycle();
        while text.len() < end {
            text.extend(prose.next());
        }
    }
    text.truncate(bytes);
    (text.into_bytes(), addresses as u64)
}

/// Payloads of this many bytes at which an anchor kind is at its worst, by name.
pub fn adversarial(bytes: usize, keywords: &[String]) -> Vec<(&'static str, Vec<u8>)> {
    let repeat = |piece: &[u8]| piece.iter().copied().cycle().take(bytes).collect::<Vec<u8>>();
    vec![
        ("all digits", repeat(b"1")),
        ("digits and spaces", repeat(b"1 ")),
        ("all at", repeat(b"@")),
        ("all keywords", repeat((keywords.join(" ") + " ").as_bytes())),
        ("card-like", repeat(b"4111 1111 1111 1112 ")),
        ("e-mail-like", repeat(b"abcdefghij_klmnop@a")),
        ("jwt-like", repeat(b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0 ")),
        (
            "pem-like",
            repeat(b"-----BEGIN RSA PRIVATE KEY-----\nMIIBOgIBAAJBAKj34GkxFhD90vcNLYLInFEX"),
        ),
        ("iban-like", repeat(b"DE89 3704 0044 0532 0130 01 ")),
        ("token-like", repeat(b"1EG4-TE5-MK7 ")),
        ("address-like", repeat(b"2001:db8:0:0:0:0:0: ")),
    ]
}

/// Ordinary text, one file an entry: the sources of the Python standard library and the HTML
/// documentation of the Rust toolchain, by a sorted walk, up to a number of bytes.
pub fn ordinary_text(bytes: usize) -> Vec<Vec<u8>> {
    let mut paths = Vec::new();
    if let Some(library) =
        said(Command::new("python3").args(["-c", "import os; print(os.path.dirname(os.__file__))"]))
    {
        walk(Path::new(&library), "py", &mut paths);
    }
    if let Some(sysroot) = said(Command::new("rustc").args(["--print", "sysroot"])) {
        walk(&Path::new(&sysroot).join("share/doc/rust/html"), "html", &mut paths);
    }
    let mut files = Vec::new();
    let mut left = bytes;
    for path in paths {
        let Ok(mut text) = fs::read(&path) else { continue };
        text.truncate(left);
        left -= text.len();
        if !text.is_empty() {
            files.push(text);
        }
    }
    files
}

fn said(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// Files with this extension, sorted; packages that were installed besides the library left out.
fn walk(folder: &Path, extension: &str, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut entries: Vec<_> = entries.flatten().collect();
    entries.sort_by_key(|entry| entry.file_name());
    for entry in entries {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && entry.file_name() != "site-packages" => {
                walk(&path, extension, paths);
            }
            Ok(kind) if kind.is_file() && path.extension().is_some_and(|it| it == extension) => {
                paths.push(path);
            }
            _ => {}
        }
    }
}

/// Keywords of a rule set that has grown: prefixes of providers, labels in eight languages, names of
/// drugs, and made-up ones of the same kinds, to a number.
pub fn many_keywords(count: usize) -> Vec<String> {
    let mut keywords: Vec<String> = KEYWORDS.split_whitespace().map(str::to_string).collect();
    let heads = ["ab", "cor", "den", "fal", "gri", "hux", "imo", "jor", "kel", "mor", "oxi", "qui"];
    let tails = [
        "statin", "mab", "pril", "sartan", "azole", "cillin", "tinib", "_live_", "_key_", "-pat-",
        "_secret", "nummer", "ausweis", "numero",
    ];
    let mut numbers = Numbers::new();
    while keywords.len() < count {
        let mut part =
            |parts: &[&str]| parts[numbers.below(parts.len() as u64) as usize].to_string();
        let word = part(&heads) + &part(&["", "a", "e", "i", "o"]) + &part(&heads) + &part(&tails);
        if !keywords.contains(&word) {
            keywords.push(word);
        }
    }
    keywords.truncate(count);
    keywords
}

const KEYWORDS: &str = "\
    ghp_ gho_ ghu_ ghs_ ghr_ glpat- glrt- gldt- glcbt- sk_live_ sk_test_ rk_live_ pk_live_ \
    whsec_ xoxb- xoxp- xapp- akia asia aroa aida dop_v1_ doo_v1_ dor_v1_ shpat_ shpss_ \
    shpca_ shppa_ hooks.slack.com discord.com/api/webhooks npm_ pypi- rubygems_ sk-ant- \
    sk-proj- hf_ lin_api_ figd_ ntn_ secret_ sg. key- pat- atatt3 bbdc- ccipat_ circle- \
    dckr_pat_ dapi eaac eyj fio-u- flwseck fm- gcpsa glsa_ hvs. hvb. pscale_ phc_ pul- r8_ \
    rdme_ sl. sq0atp- sq0csp- tfp_ tskey- v1.0- vercel_ xkeysib- ya29. aiza gocspx- 1// \
    amzn.mws. lc_ nrak- nrjs- pnu- postman pmak- sbp_ supabase sentry sntrys_ snyk_ sonar \
    sqp_ squ_ sumologic telegram tk- twilio uat. yc_ zapier zd- -----begin age-secret-key- \
    putty-user-key client_secret access_token auth_token refresh_token bearer authorization: \
    basic api_key apikey api-key secret_key private_key passwd password passwort kennwort \
    contraseña motdepasse senha wachtwoord hasło lösenord parola steuernummer steuer-id \
    sozialversicherung personalausweis reisepass führerschein krankenversicherung numéro \
    sécurité carte vitale numero identificación pasaporte cédula documento codice fiscale \
    tessera partita iva burgerservicenummer rijbewijs paszport pesel dowód osobisty \
    personnummer körkort número contribuinte cartão cidadão passeport permis conduire \
    adresse naissance geburtsdatum nacimiento nascita geboortedatum urodzenia födelse \
    kontonummer bankleitzahl iban swift bic routing account sort code policy claim member \
    patient diagnosis prescription allergy metformin lisinopril atorvastatin amlodipine \
    omeprazole losartan albuterol gabapentin sertraline simvastatin montelukast escitalopram \
    rosuvastatin bupropion furosemide trazodone fluticasone tamsulosin fluoxetine carvedilol \
    duloxetine meloxicam clopidogrel prednisone citalopram potassium pravastatin tramadol \
    venlafaxine alprazolam warfarin clonazepam zolpidem cyclobenzaprine methylphenidate \
    oxycodone hydrocodone lamotrigine quetiapine aripiprazole risperidone olanzapine lithium \
    clozapine haloperidol insulin semaglutide tirzepatide empagliflozin sitagliptin \
    pioglitazone glipizide methotrexate adalimumab etanercept infliximab rituximab tenofovir \
    emtricitabine efavirenz dolutegravir raltegravir darunavir ritonavir sofosbuvir \
    ledipasvir buprenorphine naloxone naltrexone methadone suboxone disulfiram acamprosate \
    levothyroxine finasteride sildenafil tadalafil estradiol testosterone progesterone \
    letrozole anastrozole tamoxifen imatinib bevacizumab trastuzumab pembrolizumab nivolumab";
