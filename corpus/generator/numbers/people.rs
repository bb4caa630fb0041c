//! Contact data, dates, devices and vehicles.

use super::super::random::{Date, Random};
use super::europe::seven_three_one;
use super::{forms, grouped, luhn};

pub fn email(r: &mut Random) -> String {
    let first = r.word("anna john maria lukas sofia peter julia marco elena pierre katarzyna jan inge paulo nina tom");
    let last = r.word("miller schmidt garcia rossi dubois silva jansen nowak keller moreau costa visser lang torres");
    let host = r.word("gmail.com web.de orange.fr outlook.com libero.it sapo.pt ziggo.nl wp.pl northwind-traders.com acme-logistics.net brightlabs.io gmx.de telefonica.net hospital-clinic.org mail.ru t-online.de yahoo.co.uk");
    match r.below(6) {
        0 => format!("{first}{}@{host}", r.between(2, 99)),
        1 => format!("{}{last}@{host}", &first[..1]),
        2 => format!("{first}_{last}@{host}"),
        3 => format!("{first}.{last}+{}@{host}", r.word("news shop work")),
        _ => format!("{first}.{last}@{host}"),
    }
}

/// Looks like an address and is none: an image, a handle, a version, a decorator.
pub fn email_bad(r: &mut Random) -> String {
    match r.below(4) {
        0 => format!("icon@{}x.png", r.between(2, 3)),
        1 => format!("@{}", r.word("support team_lead jane-dev ops")),
        2 => format!(
            "{}@{}.{}",
            r.word("lodash react vue left-pad"),
            r.between(1, 18),
            r.between(0, 30)
        ),
        _ => format!("{}@host", r.word("root deploy git")),
    }
}

pub fn phone(r: &mut Random, language: &str) -> String {
    let tail = |r: &mut Random| format!("{}{}", r.of("23456", 1), r.digits(2).replace("11", "12"));
    match language {
        "en" => match r.below(7) {
            0 => format!("({}) {}-{}", r.word("212 303 415 617 702 512 206"), tail(r), r.digits(4)),
            1 => format!("+1 {} {} {}", r.word("212 303 415 617 702"), tail(r), r.digits(4)),
            2 => format!("{}.{}.{}", r.word("212 303 415 617 702"), tail(r), r.digits(4)),
            3 => format!("+44 20 7{} {}", r.digits(3), r.digits(4)),
            4 => format!("07{} {}", r.between(400, 999), r.number(6)),
            _ => format!("{}-{}-{}", r.word("212 303 415 617 702 512 206"), tail(r), r.digits(4)),
        },
        "de" => match r.below(4) {
            0 => format!("+49 {} {}", r.word("30 89 40 69"), r.number(7)),
            1 => format!("0{}/{}", r.word("171 172 160 151"), r.number(7)),
            2 => format!("0{} {}", r.word("30 89 40 221"), r.number(7)),
            _ => format!("+49 {} {}", r.word("171 172 160 151"), r.number(7)),
        },
        "fr" => {
            let rest = grouped(&r.digits(8), &[2, 2, 2, 2], " ");
            if r.chance(50) {
                format!("0{} {rest}", r.of("123456", 1))
            } else {
                format!("+33 {} {rest}", r.of("123456", 1))
            }
        }
        "es" => match r.below(3) {
            0 => format!("+34 {} {}", r.between(610, 699), grouped(&r.digits(6), &[3, 3], " ")),
            1 => format!("{} {} {} {}", r.between(910, 989), r.digits(2), r.digits(2), r.digits(2)),
            _ => format!("{} {}", r.between(610, 699), grouped(&r.digits(6), &[3, 3], " ")),
        },
        "it" => match r.below(3) {
            0 => format!("+39 3{} {}", r.between(20, 99), r.number(7)),
            1 => format!("06 {}", r.number(7)),
            _ => format!("3{} {}", r.between(20, 99), r.number(7)),
        },
        "pt" => match r.below(3) {
            0 => format!(
                "+351 9{} {}",
                r.of("1236", 1) + &r.digits(1),
                grouped(&r.digits(6), &[3, 3], " ")
            ),
            1 => format!("21{} {}", r.digits(1), grouped(&r.digits(6), &[3, 3], " ")),
            _ => format!(
                "9{} {}",
                r.of("1236", 1) + &r.digits(1),
                grouped(&r.digits(6), &[3, 3], " ")
            ),
        },
        "nl" => match r.below(3) {
            0 => format!("+31 6 {}", r.number(8)),
            1 => format!("06-{}", r.number(8)),
            _ => format!("0{} {}", r.word("20 10 30 70"), r.number(7)),
        },
        "pl" => match r.below(3) {
            0 => format!("+48 {} {}", r.between(501, 799), grouped(&r.digits(6), &[3, 3], " ")),
            1 => format!("22 {}", grouped(&r.number(7), &[3, 2, 2], " ")),
            _ => format!("{} {}", r.between(501, 799), grouped(&r.digits(6), &[3, 3], " ")),
        },
        _ => format!("+81 3 {} {}", r.number(4), r.digits(4)),
    }
}

/// Numbers that no telephone has.
pub fn phone_bad(r: &mut Random) -> String {
    match r.below(3) {
        0 => format!("ext. {}", r.number(3)),
        1 => r.word("n/a none - unlisted private"),
        _ => format!("x{}", r.number(4)),
    }
}

pub fn ip(r: &mut Random) -> String {
    if r.chance(70) {
        let first = r.word("81 89 93 104 185 45 62 77 91 138 151 176");
        format!("{first}.{}.{}.{}", r.between(1, 160), r.between(0, 254), r.between(1, 254))
    } else {
        match r.below(2) {
            0 => format!(
                "2a02:{}:{}:{}::{}",
                r.hex(3).replace("0", "8"),
                r.hex(4),
                r.hex(3),
                r.of("123456789abcdef", 2)
            ),
            _ => format!(
                "2607:f8b0:{}:{}:{}:{}:{}:{}",
                r.of("123456789abcdef", 4),
                r.of("123456789abcdef", 3),
                r.hex(4),
                r.hex(4),
                r.hex(4),
                r.of("123456789abcdef", 4)
            ),
        }
    }
}

/// A number past 255, an object identifier, a version of four parts.
pub fn ip_bad(r: &mut Random) -> String {
    match r.below(3) {
        0 => format!("{}.{}.1.{}", r.between(256, 999), r.between(1, 300), r.between(1, 300)),
        1 => format!("1.3.6.1.4.1.{}.{}", r.number(4), r.number(2)),
        _ => format!("v{}.{}.{}.{}", r.between(1, 20), r.below(100), r.below(100), r.below(100)),
    }
}

pub fn mac(r: &mut Random) -> String {
    let first = r.word("00 3c a4 f0 d8 5c ac 28 b8 44");
    let value = first + &r.hex(10);
    let value = if r.chance(40) { value.to_uppercase() } else { value };
    match r.below(4) {
        0 => grouped(&value, &[2, 2, 2, 2, 2, 2], "-"),
        1 => grouped(&value, &[4, 4, 4], "."),
        _ => grouped(&value, &[2, 2, 2, 2, 2, 2], ":"),
    }
}

/// A fingerprint of a key is longer, and a group address belongs to nobody.
pub fn mac_bad(r: &mut Random) -> String {
    if r.chance(50) { grouped(&r.hex(32), &[2; 16], ":") } else { "ff:ff:ff:ff:ff:ff".to_owned() }
}

pub fn imei(r: &mut Random) -> String {
    let body = r.word("35 86 01") + &r.digits(12);
    let value = format!("{body}{}", luhn(&body));
    forms(r, &value, &[2, 6, 6, 1], &["", "", "-"])
}

pub fn iccid_imsi(r: &mut Random) -> String {
    let body = r.word("8949 8944 8933 8901 8934") + &r.digits(14);
    format!("{body}{}", luhn(&body))
}

pub fn ad_id(r: &mut Random) -> String {
    let value = uuid(r);
    if r.chance(50) { value.to_uppercase() } else { value }
}

pub fn uuid(r: &mut Random) -> String {
    format!("{}-{}-4{}-{}{}-{}", r.hex(8), r.hex(4), r.hex(3), r.of("89ab", 1), r.hex(3), r.hex(12))
}

const VIN: &str = "0123456789ABCDEFGHJKLMNPRSTUVWXYZ";

fn vin_check(value: &str) -> char {
    let rank = |c: char| match c {
        'A' | 'J' => 1,
        'B' | 'K' | 'S' => 2,
        'C' | 'L' | 'T' => 3,
        'D' | 'M' | 'U' => 4,
        'E' | 'N' | 'V' => 5,
        'F' | 'W' => 6,
        'G' | 'P' | 'X' => 7,
        'H' | 'Y' => 8,
        'R' | 'Z' => 9,
        other => other.to_digit(10).unwrap_or(0),
    };
    let weights = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let sum: u32 = value.chars().zip(weights).map(|(c, weight)| rank(c) * weight).sum::<u32>() % 11;
    if sum == 10 { 'X' } else { char::from_digit(sum, 10).unwrap_or('0') }
}

pub fn vin(r: &mut Random) -> String {
    let maker = r.word("1HG 1FT 2T1 3VW 5YJ WBA WVW JHM 1G1 4T1");
    let body = format!(
        "{maker}{}0{}{}",
        r.of(VIN, 5),
        r.of("ABCDEFGHJKLMNPRSTVWXY123456789", 1),
        r.of(VIN, 1) + &r.digits(6)
    );
    format!("{}{}{}", &body[..8], vin_check(&body), &body[9..])
}

/// Only North America demands the check digit (49 CFR 565.15).
pub fn vin_bad(r: &mut Random) -> String {
    let value = super::until(|| Some(vin(r)).filter(|v| v.starts_with(['1', '2', '4', '5'])));
    let wrong = if value.as_bytes().get(8) == Some(&b'7') { '4' } else { '7' };
    format!("{}{wrong}{}", &value[..8], &value[9..])
}

pub fn geo(r: &mut Random) -> String {
    let (lat, long) = (r.between(36, 58), r.between(0, 40));
    let (a, b) = (r.digits(5), r.digits(5));
    let west = if r.chance(40) { "-" } else { "" };
    format!("{lat}.{a}, {west}{long}.{b}")
}

/// Too coarse for a place, or off the globe.
pub fn geo_bad(r: &mut Random) -> String {
    match r.below(3) {
        0 => format!("{}.{}, {}.{}", r.between(36, 58), r.below(10), r.between(0, 40), r.below(10)),
        1 => format!(
            "{}.{}, {}.{}",
            r.between(95, 400),
            r.digits(3),
            r.between(200, 900),
            r.digits(3)
        ),
        _ => format!("{}, {}", r.between(1, 90), r.between(1, 90)),
    }
}

/// A date as people of this language write it.
pub fn written_date(r: &mut Random, date: Date, language: &str) -> String {
    let Date { year, month, day } = date;
    if r.chance(30) {
        return format!("{year}-{month:02}-{day:02}");
    }
    match language {
        "en" if r.chance(60) => format!("{month:02}/{day:02}/{year}"),
        "en" => {
            let name = [
                "January",
                "February",
                "March",
                "April",
                "May",
                "June",
                "July",
                "August",
                "September",
                "October",
                "November",
                "December",
            ][month - 1];
            if r.chance(50) {
                format!("{name} {day}, {year}")
            } else {
                format!("{day} {name} {year}")
            }
        }
        "de" | "pl" => format!("{day:02}.{month:02}.{year}"),
        "nl" => format!("{day:02}-{month:02}-{year}"),
        _ => format!("{day:02}/{month:02}/{year}"),
    }
}

pub fn dob(r: &mut Random, language: &str) -> String {
    let date = r.birth();
    written_date(r, date, language)
}

/// No month has that day.
pub fn dob_bad(r: &mut Random) -> String {
    let year = r.between(1940, 2005);
    match r.below(3) {
        0 => format!("31.02.{year}"),
        1 => format!("{year}-{}-{}", r.between(13, 19), r.between(10, 28)),
        _ => r.word("unknown --/--/---- n/a tbc"),
    }
}

pub fn service_date(r: &mut Random, language: &str) -> String {
    let date = r.date(2019, 2025);
    written_date(r, date, language)
}

pub fn address_us(r: &mut Random) -> String {
    let street = *r.pick(&[
        "Maple Avenue",
        "Oak Street",
        "Washington Blvd",
        "Elm St",
        "Sunset Drive",
        "Cedar Lane",
        "Lakeview Rd",
        "Pine Court",
        "Hillcrest Dr",
        "Main Street",
    ]);
    let unit = match r.below(4) {
        0 => format!(" Apt {}", r.between(1, 40)),
        1 => format!(", Suite {}", r.between(100, 900)),
        _ => String::new(),
    };
    let city = *r.pick(&[
        "Austin, TX 787",
        "Denver, CO 802",
        "Seattle, WA 981",
        "Boston, MA 021",
        "Chicago, IL 606",
        "Portland, OR 972",
        "Miami, FL 331",
        "Phoenix, AZ 850",
        "Columbus, OH 432",
        "Albany, NY 122",
    ]);
    format!("{} {street}{unit}, {city}{:02}", r.between(12, 9800), r.between(1, 30))
}

/// A ZIP code that no such state has.
pub fn address_us_bad(r: &mut Random) -> String {
    format!("{} items shipped, {}", r.between(12, 900), r.word("pallet-3 crate-7 dock-12 bay-4"))
}

pub fn address_intl(r: &mut Random, language: &str) -> String {
    let number = r.between(1, 180);
    match language {
        "de" => format!(
            "{} {number}, {}",
            r.word("Hauptstraße Lindenallee Bahnhofstr. Gartenweg Schillerstraße Marktplatz"),
            r.pick(&[
                "10115 Berlin",
                "80331 München",
                "20095 Hamburg",
                "50667 Köln",
                "70173 Stuttgart"
            ])
        ),
        "fr" => format!(
            "{number} {}, {}",
            r.pick(&[
                "rue de la Paix",
                "avenue Victor Hugo",
                "boulevard Voltaire",
                "rue des Lilas"
            ]),
            r.pick(&["75002 Paris", "69003 Lyon", "13001 Marseille", "31000 Toulouse"])
        ),
        "es" => format!(
            "{} {number}, {}",
            r.pick(&["Calle Mayor", "Avenida de América", "Calle Alcalá", "Paseo de Gracia"]),
            r.pick(&["28013 Madrid", "08007 Barcelona", "41001 Sevilla", "46002 Valencia"])
        ),
        "it" => format!(
            "{} {number}, {}",
            r.pick(&["Via Roma", "Corso Garibaldi", "Via Dante", "Piazza Cavour"]),
            r.pick(&["00184 Roma", "20121 Milano", "10121 Torino", "80133 Napoli"])
        ),
        "pt" => format!(
            "{} {number}, {}",
            r.pick(&["Rua Augusta", "Avenida da Liberdade", "Rua do Ouro"]),
            r.pick(&["1100-053 Lisboa", "4000-322 Porto", "3000-150 Coimbra"])
        ),
        "nl" => format!(
            "{} {number}, {}",
            r.pick(&["Kerkstraat", "Dorpsstraat", "Prinsengracht", "Stationsweg"]),
            r.pick(&["1017 GN Amsterdam", "3011 AB Rotterdam", "3511 CE Utrecht"])
        ),
        "pl" => format!(
            "ul. {} {number}, {}",
            r.pick(&["Marszałkowska", "Długa", "Polna", "Kościuszki"]),
            r.pick(&["00-590 Warszawa", "31-147 Kraków", "80-831 Gdańsk"])
        ),
        _ => format!(
            "{number} {}, London SW1A {}",
            r.pick(&["High Street", "Church Road", "Station Road"]),
            r.digits(1) + &r.of("ABDEFGHJLNPQRSTUWXYZ", 2)
        ),
    }
}

pub fn uk_postcode(r: &mut Random) -> String {
    format!(
        "{}{} {}{}",
        r.word("SW LS M EH B BS CF G NE OX"),
        r.between(1, 20),
        r.digits(1),
        r.of("ABDEFGHJLNPQRSTUWXYZ", 2)
    )
}

pub fn age(r: &mut Random) -> String {
    r.between(90, 104).to_string()
}

/// A passport page (TD3), a card of two lines (TD2) or of three (TD1), after ICAO 9303.
pub fn mrz(r: &mut Random) -> String {
    let surname = r.word("MUELLER GARCIA DUPONT ROSSI SILVA JANSEN NOWAK SMITH");
    let given = r.word("ANNA JOHN<PAUL MARIA LUCA SOFIA PETER");
    let country = r.word("DEU FRA ESP ITA PRT NLD POL GBR USA AUT").replace("DEU", "D<<");
    let fill = |text: String, length: usize| format!("{text:<<length$}");
    let number = r.of("CFGHJKLMNPRTVWXYZ", 1) + &r.of("CFGHJKLMNPRTVWXYZ0123456789", 8);
    let number_check = seven_three_one(&number);
    let birth = r.birth().ymd();
    let expiry = r.date(2027, 2034).ymd();
    let sex = r.of("MF", 1);
    let checked = |text: &str| format!("{text}{}", seven_three_one(text));
    match r.below(3) {
        0 => {
            let first = fill(format!("P<{country}{surname}<<{given}"), 44);
            let optional = "<".repeat(14);
            let composite =
                format!("{number}{number_check}{}{}{optional}0", checked(&birth), checked(&expiry));
            let last = seven_three_one(&composite);
            format!(
                "{first}\n{number}{number_check}{country}{}{sex}{}{optional}0{last}",
                checked(&birth),
                checked(&expiry)
            )
        }
        1 => {
            let first = fill(format!("I<{country}{surname}<<{given}"), 36);
            let optional = "<".repeat(7);
            let composite =
                format!("{number}{number_check}{}{}{optional}", checked(&birth), checked(&expiry));
            format!(
                "{first}\n{number}{number_check}{country}{}{sex}{}{optional}{}",
                checked(&birth),
                checked(&expiry),
                seven_three_one(&composite)
            )
        }
        _ => {
            let optional = "<".repeat(15);
            let first = format!("I<{country}{number}{number_check}{optional}");
            let composite = format!(
                "{number}{number_check}{optional}{}{}{}",
                checked(&birth),
                checked(&expiry),
                "<".repeat(11)
            );
            format!(
                "{first}\n{}{sex}{}{country}{}{}\n{}",
                checked(&birth),
                checked(&expiry),
                "<".repeat(11),
                seven_three_one(&composite),
                fill(format!("{surname}<<{given}"), 30)
            )
        }
    }
}

/// The same with the check digit of the document number changed.
pub fn mrz_bad(r: &mut Random) -> String {
    let value = mrz(r);
    let at = if value.lines().count() == 3 { 14 } else { value.find('\n').unwrap_or(0) + 10 };
    let old = value[at..=at].parse::<usize>().unwrap_or(0);
    format!("{}{}{}", &value[..at], (old + r.between(1, 9)) % 10, &value[at + 1..])
}

pub fn plate(r: &mut Random, language: &str) -> String {
    match language {
        "de" => format!(
            "{}-{} {}",
            r.word("B M HH K S F"),
            r.of("ABCDEFGHJKLMNPRSTUVWXYZ", 2),
            r.between(10, 9999)
        ),
        "fr" => format!(
            "{}-{}-{}",
            r.of("ABCDEFGHJKLMNPRSTVWXYZ", 2),
            r.digits(3),
            r.of("ABCDEFGHJKLMNPRSTVWXYZ", 2)
        ),
        "it" => {
            format!("{}{}{}", r.of("ABCDEFGH", 2), r.digits(3), r.of("ABCDEFGHJKLMNPRSTVWXYZ", 2))
        }
        "es" => format!("{} {}", r.digits(4), r.of("BCDFGHJKLMNPRSTVWXYZ", 3)),
        _ => format!(
            "{}{:02} {}",
            r.of("ABCDEFGHKLMNOPRSVWY", 2),
            r.between(2, 24),
            r.of("ABCDEFGHJKLMNPRSTUVWXYZ", 3)
        ),
    }
}

pub fn security_answer(r: &mut Random) -> String {
    r.word("Whitfield Rex Bramley Fluffy Castellano Okonkwo Buttercup Duval")
}
