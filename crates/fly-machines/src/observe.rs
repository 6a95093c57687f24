//! A hook for metrics.

use std::time::Duration;

/// One finished call, its retries included.
#[derive(Clone, Copy, Debug)]
pub struct CallRecord {
    /// The call, such as `machines.create`: one of some fifty fixed names.
    pub operation: &'static str,
    /// `ok`, or the error's class such as `throttled`.
    pub outcome: &'static str,
    /// The last HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// How long it took, waiting included.
    pub duration: Duration,
    /// How long of that it waited for the budget.
    pub waited: Duration,
    /// How many requests were sent.
    pub attempts: u32,
}

/// Sees every finished call. Called on the task that made the call: be quick, and don't block.
pub trait Observer: Send + Sync + 'static {
    /// A call has finished.
    fn finished(&self, call: &CallRecord);
}

impl<F: Fn(&CallRecord) + Send + Sync + 'static> Observer for F {
    fn finished(&self, call: &CallRecord) {
        self(call);
    }
}
