//! Whether the process is well.

use std::collections::BTreeMap;

use flowker_core::time::Timestamp;
use serde_json::{Value, json};

use crate::shape::{Schemas, Shown, shapes};

shapes! {
    /// Whether the process is alive.
    Health {
        /// The verdict.
        status "status": Verdict,
        /// What was looked at.
        checks "checks": HealthChecks,
        /// The version that runs.
        version "version": String,
        /// How long the process has run, such as `1h2m3.5s`.
        uptime "uptime": String,
        /// When this was found.
        timestamp "timestamp": Timestamp,
    }

    /// What liveness depends on.
    HealthChecks {
        /// The store.
        database "database": HealthCheck,
    }

    /// One thing that liveness depends on.
    HealthCheck {
        /// The verdict.
        status "status": Verdict,
        /// For people.
        message "message": String,
    }

    /// Whether the process should get traffic.
    Readiness {
        /// The verdict.
        status "status": Verdict,
        /// What was looked at, by name. Empty while the process drains.
        checks "checks": BTreeMap<String, ReadinessCheck>,
        /// The version that runs.
        version "version": String,
        /// As it was configured.
        deployment_mode "deployment_mode": String,
    }

    /// One thing that readiness depends on.
    ReadinessCheck {
        /// Whether it answers.
        status "status": CheckStatus,
        /// How long the answer took, in milliseconds; left out below one.
        latency_ms "latency_ms": Option<u64>,
        /// Why it is down.
        error "error": Option<String>,
    }

    /// What runs.
    Version {
        /// The version.
        version "version": String,
        /// When this was asked.
        request_date "requestDate": Timestamp,
    }
}

/// Whether all is well.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verdict {
    Healthy,
    Unhealthy,
}

/// Whether something answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CheckStatus {
    Up,
    Down,
}

impl Shown for Verdict {
    fn shown(self) -> Value {
        match self {
            Self::Healthy => "healthy".into(),
            Self::Unhealthy => "unhealthy".into(),
        }
    }

    fn schema(_: &mut Schemas) -> Value {
        let words = [Self::Healthy, Self::Unhealthy].map(Self::shown);
        json!({ "type": "string", "enum": words })
    }
}

impl Shown for CheckStatus {
    fn shown(self) -> Value {
        match self {
            Self::Up => "up".into(),
            Self::Down => "down".into(),
        }
    }

    fn schema(_: &mut Schemas) -> Value {
        let words = [Self::Up, Self::Down].map(Self::shown);
        json!({ "type": "string", "enum": words })
    }
}
