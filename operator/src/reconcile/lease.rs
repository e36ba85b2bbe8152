//! One replica works, the others wait: a Lease, as Kubernetes' own controllers hold it.
//!
//! Clocks of different machines are not compared. A candidate counts a Lease as abandoned when it
//! has watched it unchanged for its whole duration by its own clock.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::PostParams;
use tracing::{debug, info, warn};

use crate::error::{Error, status_code};

const DURATION: Duration = Duration::from_secs(15);
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// Well before others may take over.
const GIVE_UP_AFTER: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_secs(2);

pub struct Candidate {
    api: Api<Lease>,
    name: String,
    identity: String,
    /// The version of the Lease last seen, and since when.
    seen: Option<(String, Instant)>,
}

impl Candidate {
    pub fn new(api: Api<Lease>, name: &str, identity: &str) -> Self {
        Self { api, name: name.to_owned(), identity: identity.to_owned(), seen: None }
    }

    /// Waits until the Lease is ours.
    pub async fn acquire(&mut self) {
        loop {
            match self.attempt().await {
                Ok(true) => {
                    info!(lease = self.name, identity = self.identity, "holding the Lease");
                    return;
                }
                Ok(false) => {}
                Err(error) => warn!(lease = self.name, %error, "cannot ask for the Lease"),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Renews until that fails for too long, or another holds it.
    pub async fn hold(&mut self) {
        let mut renewed = Instant::now();
        while renewed.elapsed() < GIVE_UP_AFTER {
            tokio::time::sleep(RENEW_EVERY).await;
            match tokio::time::timeout(RENEW_EVERY, self.attempt()).await {
                Ok(Ok(true)) => renewed = Instant::now(),
                Ok(Ok(false)) => return,
                Ok(Err(error)) => warn!(lease = self.name, %error, "cannot renew the Lease"),
                Err(_) => warn!(lease = self.name, "renewing the Lease takes too long"),
            }
        }
    }

    /// Lets the others have it at once.
    pub async fn release(&mut self) {
        let Ok(Some(mut lease)) = self.api.get_opt(&self.name).await else {
            return;
        };
        if holder(&lease) != Some(self.identity.as_str()) {
            return;
        }
        if let Some(spec) = &mut lease.spec {
            spec.holder_identity = None;
        }
        if let Err(error) = self.api.replace(&self.name, &PostParams::default(), &lease).await {
            debug!(lease = self.name, %error, "cannot release the Lease");
        }
    }

    /// Takes or renews the Lease if that is ours to do.
    async fn attempt(&mut self) -> Result<bool, Error> {
        let post = PostParams::default();
        let Some(known) = self.api.get_opt(&self.name).await? else {
            let lease = Lease {
                metadata: ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
                spec: Some(self.claim(None)),
            };
            return lost_race_is_no(self.api.create(&post, &lease).await);
        };
        if !self.may_take(&known) {
            return Ok(false);
        }
        let next = Lease { spec: Some(self.claim(known.spec.as_ref())), metadata: known.metadata };
        lost_race_is_no(self.api.replace(&self.name, &post, &next).await)
    }

    fn may_take(&mut self, lease: &Lease) -> bool {
        match holder(lease) {
            None => return true,
            Some(holder) if holder == self.identity => return true,
            Some(_) => {}
        }
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        match &self.seen {
            Some((seen, since)) if *seen == version => since.elapsed() > DURATION,
            _ => {
                self.seen = Some((version, Instant::now()));
                false
            }
        }
    }

    fn claim(&self, known: Option<&LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        let ours = known.is_some_and(|spec| spec.holder_identity.as_deref() == Some(&self.identity));
        let transitions = known.and_then(|spec| spec.lease_transitions).unwrap_or(0);
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: if ours {
                known.and_then(|spec| spec.acquire_time.clone())
            } else {
                Some(now.clone())
            },
            renew_time: Some(now),
            lease_transitions: Some(if ours { transitions } else { transitions + 1 }),
            ..LeaseSpec::default()
        }
    }
}

fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

fn lost_race_is_no(result: Result<Lease, kube::Error>) -> Result<bool, Error> {
    match result {
        Ok(_) => Ok(true),
        Err(error) if status_code(&error) == Some(409) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
