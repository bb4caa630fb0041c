//! The category that a rule of gitleaks falls under, from what its id, description and tags say.

/// Words, all of which have to be there, and the category that they mean; the first line that fits
/// counts.
const WORDS: &[(&[&str], &str)] = &[
    (&["pgp"], "sec.pgp_private"),
    (&["wireguard"], "sec.wireguard_age"),
    (&["age", "secret", "key"], "sec.wireguard_age"),
    (&["private", "key"], "sec.private_key"),
    (&["pkcs"], "sec.private_key"),
    (&["aws", "secret"], "sec.aws_secret"),
    (&["aws"], "sec.aws_access_key"),
    (&["service", "account"], "sec.gcp_service_account"),
    (&["gcp"], "sec.gcp_api_key"),
    (&["google"], "sec.gcp_api_key"),
    (&["azure", "storage"], "sec.azure_storage"),
    (&["azure"], "sec.azure_client_secret"),
    (&["github"], "sec.github"),
    (&["gitlab"], "sec.gitlab"),
    (&["npm"], "sec.npm"),
    (&["pypi"], "sec.pypi"),
    (&["slack"], "sec.slack"),
    (&["stripe"], "sec.stripe"),
    (&["openai"], "sec.openai"),
    (&["anthropic"], "sec.anthropic"),
    (&["huggingface"], "sec.huggingface"),
    (&["twilio"], "sec.twilio_sendgrid"),
    (&["sendgrid"], "sec.twilio_sendgrid"),
    (&["vault"], "sec.vault_tf"),
    (&["terraform"], "sec.vault_tf"),
    (&["hashicorp"], "sec.vault_tf"),
    (&["jwt"], "sec.jwt"),
    (&["web", "token"], "sec.jwt"),
    (&["totp"], "sec.otp_seed"),
    (&["otp"], "sec.otp_seed"),
    (&["kubernetes"], "sec.k8s_docker"),
    (&["docker"], "sec.k8s_docker"),
    (&["netrc"], "sec.netrc_pgpass"),
    (&["pgpass"], "sec.netrc_pgpass"),
    (&["connection", "string"], "sec.conn_string"),
    (&["jdbc"], "sec.conn_string"),
    (&["basic", "auth"], "sec.http_auth"),
    (&["bearer"], "sec.http_auth"),
    (&["authorization"], "sec.http_auth"),
    (&["password", "hash"], "sec.password_hash"),
    (&["password"], "sec.password_assign"),
    (&["passwd"], "sec.password_assign"),
    (&["generic"], "sec.generic_entropy"),
    (&["token"], "sec.provider_token"),
    (&["api", "key"], "sec.provider_token"),
    (&["access", "key"], "sec.provider_token"),
    (&["client", "secret"], "sec.provider_token"),
];

/// What nothing else fits.
const GENERIC: &str = "sec.generic_entropy";

/// The category of a rule.
pub fn category(id: &str, description: &str, tags: &[String]) -> &'static str {
    // What the id says comes before what is written about it.
    let all = format!("{id} {description} {}", tags.join(" "));
    [id, &all].iter().find_map(|text| of(text)).unwrap_or(GENERIC)
}

fn of(text: &str) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let fits = |wanted: &[&str]| wanted.iter().all(|one| words.contains(one));
    WORDS.iter().find(|(wanted, _)| fits(wanted)).map(|(_, category)| *category)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RuleSet;

    #[test]
    fn categories_are_those_of_the_taxonomy() {
        let rules = RuleSet::builtin().unwrap();
        for id in WORDS.iter().map(|(_, category)| category).chain([&GENERIC]) {
            assert!(rules.taxonomy.find(id).is_some(), "{id}");
        }
    }

    #[test]
    fn the_id_says_more_than_the_tags() {
        let tags = ["aws".to_owned()];
        assert_eq!(category("github-pat", "A token", &tags), "sec.github");
        assert_eq!(category("acme", "An AWS key", &[]), "sec.aws_access_key");
        assert_eq!(category("acme-api-token", "", &[]), "sec.provider_token");
        assert_eq!(category("acme", "Something", &[]), GENERIC);
        assert_eq!(category("page", "secret key", &[]), GENERIC);
    }
}
