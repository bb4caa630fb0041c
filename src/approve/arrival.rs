//! Between what is kept on disk and what counts: judges what approvers left, and makes grants of
//! what was kept.

use super::{Approval, Authority, Denial, Grant, GrantRefusal, Statement};
use crate::record::inbox::{Arrival, Kind};
use crate::record::pending::{Bounds, Judgement, Kept};

impl Authority<'_> {
    /// Who may leave something in the inbox: ids of approvers, with the user whose file it has to
    /// be where one is registered.
    pub fn approvers(&self) -> Vec<(&str, Option<u32>)> {
        let approvers = self.policy.approvers().iter();
        approvers.map(|approver| (approver.id.as_str(), approver.uid)).collect()
    }

    /// Judges what was left in the inbox for an escalation.
    pub fn judge(&self, kept: &Kept, arrival: &Arrival) -> Judgement {
        let judged = match arrival.kind {
            Kind::Approval => self.judge_approval(kept, arrival).map(|()| Judgement::Keep),
            Kind::Denial => self.judge_denial(kept, arrival).map(Judgement::Deny),
        };
        judged.unwrap_or_else(|refusal| Judgement::Refuse(refusal.to_string()))
    }

    /// The grant of an escalation that is kept, at a time in seconds since 1970. Whether it was used
    /// already is said when it is used: [`crate::record::pending::Pending::consume`].
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub fn grant(&self, kept: &Kept, now: u64) -> Result<Grant, GrantRefusal> {
        if let Some(end) = &kept.ended {
            return Err(GrantRefusal::Ended(end.describe()));
        }
        let approvals: Vec<Approval> = kept.approvals.iter().map(approval).collect();
        Grant::verify(&kept.statement, &approvals, *self, now)
    }

    fn judge_approval(&self, kept: &Kept, arrival: &Arrival) -> Result<(), GrantRefusal> {
        let approval = Approval {
            approver: arrival.approver.clone(),
            time: arrival.time,
            // What is no text is no armored signature either.
            signature: String::from_utf8_lossy(&arrival.content).into_owned(),
        };
        self.check(&kept.statement, &approval)?;
        // One that counts, and not together with those that are there, would end the grant.
        let before = kept.approvals.iter().map(self::approval);
        let together: Vec<Approval> = before.chain([approval]).collect();
        self.distinct(&together)
    }

    fn judge_denial(&self, kept: &Kept, arrival: &Arrival) -> Result<String, GrantRefusal> {
        let (signed, signature) = Denial::unpack(&arrival.content).ok_or(GrantRefusal::Denial)?;
        let denial = self.check_denial(&kept.statement, signed, signature)?;
        // The file is named after who signed it.
        if denial.approver != arrival.approver {
            return Err(GrantRefusal::Denial);
        }
        Ok(denial.reason)
    }
}

impl Statement {
    /// What the store has to know of it.
    pub fn bounds(&self) -> Bounds {
        Bounds {
            expires: self.expires,
            lifetime: self.lifetime,
            uses: self.uses(),
            bytes: self.most_bytes(),
        }
    }
}

fn approval(signed: &crate::record::pending::Signed) -> Approval {
    Approval {
        approver: signed.approver.clone(),
        time: signed.time,
        signature: signed.signature.clone(),
    }
}
