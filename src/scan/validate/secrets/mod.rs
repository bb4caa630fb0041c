//! Keys, tokens and passwords.

mod entropy;
mod hashes;
mod keys;
mod passwords;
mod tokens;

pub(super) use hashes::password_hash;
pub(super) use keys::{
    age_key, encoded_private_key, gcp_service_account, key_32_bytes, key_64_bytes, pem_private_key,
    pgp_private_key,
};
pub(super) use passwords::{
    assigned_password, basic_credentials, otp_seed, spoken_password, uri_password,
};
pub(super) use tokens::{
    aws_access_key, aws_secret_key, checksum_token, generic_secret, github_token, jwt,
    labelled_token, provider_token, pypi_token,
};
