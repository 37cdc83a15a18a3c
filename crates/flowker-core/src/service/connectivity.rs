//! Connectivity tests: whether a provider configuration leads to a service that takes its credentials.

use std::time::Duration;

use super::ProviderConfigs;
use crate::catalog::CatalogProvider;
use crate::code::Code;
use crate::id::ProviderConfigId;
use crate::ports::{Clock, Probe, ProbeFailure, Probed, ProviderConfig};
use crate::refusal::Refusal;
use crate::time::Timestamp;

/// What a test found. Not stored.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectivityReport {
    /// What was tested, secrets included: mask before showing.
    pub config: ProviderConfig,
    /// All of it in a word.
    pub verdict: Verdict,
    /// One for each [`Probe`], in their order.
    pub stages: Vec<StageReport>,
    /// When the test began.
    pub started_at: Timestamp,
    /// When it ended.
    pub completed_at: Timestamp,
}

/// A test in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No stage failed.
    Passed,
    /// No stage passed.
    Failed,
    /// Some stages passed, and one failed.
    Partial,
}

/// What a stage of a test found.
#[derive(Clone, Debug, PartialEq)]
pub struct StageReport {
    /// Which stage.
    pub probe: Probe,
    /// How it went.
    pub status: StageStatus,
    /// How long it took.
    pub duration: Duration,
    /// Why it was skipped.
    pub message: Option<&'static str>,
    /// The answer, if there was one.
    pub answer: Option<Probed>,
    /// Why it failed.
    pub error: Option<String>,
}

/// How a stage of a test went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageStatus {
    /// As it should.
    Passed,
    /// It did not.
    Failed,
    /// Nothing was sent.
    Skipped,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Passed, Self::Failed, Self::Partial];

    /// The word that travels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Partial => "partial",
        }
    }

    /// One sentence for a person.
    pub const fn summary(self) -> &'static str {
        match self {
            Self::Passed => "The service was reached and answered as it should.",
            Self::Failed => "The service could not be reached.",
            Self::Partial => "The service was reached, but did not answer as it should.",
        }
    }

    fn of(stages: &[StageReport]) -> Self {
        let has = |status| stages.iter().any(|stage| stage.status == status);
        match (has(StageStatus::Passed), has(StageStatus::Failed)) {
            (_, false) => Self::Passed,
            (false, true) => Self::Failed,
            (true, true) => Self::Partial,
        }
    }
}

impl StageStatus {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Passed, Self::Failed, Self::Skipped];

    /// The word that travels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

impl ProviderConfigs {
    /// Tests a configuration, be it active or disabled: whether its service is reached, takes its
    /// credentials, and answers with success. Each stage is one request; after one that fails the
    /// others are skipped.
    ///
    /// # Errors
    ///
    /// A refusal if the test cannot begin, since there is no address, or one that may not be called.
    pub async fn test(&self, id: ProviderConfigId) -> Result<ConnectivityReport, Refusal> {
        let config = self.get(id).await?;
        let provider = self.provider(&config.provider_id)?;
        run_stages(provider, config, &*self.clock).await
    }
}

/// Runs the stages of a test.
pub(super) async fn run_stages(
    provider: &CatalogProvider,
    config: ProviderConfig,
    clock: &dyn Clock,
) -> Result<ConnectivityReport, Refusal> {
    let started_at = clock.now();
    let mut stages: Vec<StageReport> = Vec::new();
    for probe in Probe::ALL {
        let has_failed = stages.iter().any(|stage| stage.status == StageStatus::Failed);
        stages.push(if has_failed {
            skipped(probe, "an earlier stage failed")
        } else {
            run_stage(provider, &config, probe, clock).await?
        });
    }
    let verdict = Verdict::of(&stages);
    Ok(ConnectivityReport { config, verdict, stages, started_at, completed_at: clock.now() })
}

async fn run_stage(
    provider: &CatalogProvider,
    config: &ProviderConfig,
    probe: Probe,
    clock: &dyn Clock,
) -> Result<StageReport, Refusal> {
    let began = clock.now();
    let outcome = provider.provider.probe(config, probe).await;
    let duration = clock.now().since(began);
    let failed = |answer, error| StageReport {
        probe,
        status: StageStatus::Failed,
        duration,
        message: None,
        answer,
        error: Some(error),
    };
    // Only the first stage can say that the test cannot begin.
    let is_first = probe == Probe::Connectivity;
    Ok(match outcome {
        Ok(answer) if is_good(probe, answer.status) => StageReport {
            probe,
            status: StageStatus::Passed,
            duration,
            message: None,
            answer: Some(answer),
            error: None,
        },
        Ok(answer) => {
            let error = format!("answered {}", answer.status);
            failed(Some(answer), error)
        }
        Err(ProbeFailure::NoCredentials) => skipped(probe, "the configuration has no credentials"),
        Err(failure @ ProbeFailure::NoAddress) if is_first => {
            return Err(Refusal::new(Code::BaseUrlUnusable, sentence(&failure)));
        }
        Err(failure @ ProbeFailure::Forbidden(_)) if is_first => {
            return Err(Refusal::new(Code::DestinationForbidden, sentence(&failure)));
        }
        Err(failure) => failed(None, failure.to_string()),
    })
}

/// Which statuses let a stage pass (contract).
fn is_good(probe: Probe, status: u16) -> bool {
    match probe {
        Probe::Connectivity => (200..500).contains(&status),
        Probe::Authentication => match status {
            401 | 403 => false,
            _ => (200..300).contains(&status) || (400..500).contains(&status),
        },
        Probe::EndToEnd => (200..300).contains(&status),
    }
}

const fn skipped(probe: Probe, message: &'static str) -> StageReport {
    StageReport {
        probe,
        status: StageStatus::Skipped,
        duration: Duration::ZERO,
        message: Some(message),
        answer: None,
        error: None,
    }
}

fn sentence(failure: &ProbeFailure) -> String {
    format!("The test cannot begin: {failure}.")
}

#[cfg(test)]
mod tests;
