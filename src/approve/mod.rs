//! Escalations and approvals come in; grants that a decision can count come out.
//!
//! [`Statement::of`] says what was escalated, in counts and masks: what approvers see and sign.
//! [`Authority`] checks a signature of it against the register, and [`Grant::verify`] makes a grant
//! of a statement with as many approvals as its workflow asks for; [`Grant::facts`] is what
//! [`crate::policy::decide`] has to know of it. Promised: pure and total; a statement has one byte
//! form, which is what is signed and stored; a grant never covers more than its statement; nobody
//! approves what they asked for or carry out; nothing here holds a byte of a payload.
//!
//! [`Authority::judge`] is what the store asks of a file in the inbox, [`Authority::grant`] what comes
//! of an escalation that is kept.
//!
//! Where statements wait, how signatures arrive and how a use is counted exactly once is in
//! [`crate::record::pending`].

mod arrival;
mod grant;
mod signature;
mod statement;

pub use grant::{Approval, Authority, Denial, Grant, GrantRefusal};
pub use signature::{
    DENIAL_NAMESPACE, GRANT_NAMESPACE, MAX_SIGNATURE, REVEAL_NAMESPACE, SignatureError,
    agent_message, agent_signature, public_key, sign, signer, verify,
};
pub use statement::{
    Held, Hex32, LIFETIME, MAX_STATEMENT, Masked, PENDING, Scope, Statement, StatementError, Terms,
    masks,
};
