//! What all processes of an app may have together. Options and the kernel's words for them; writes nothing.

use serde::{Deserialize, Serialize};

/// Limits of all workers of an app together, old and new ones during a reload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GroupLimits {
    /// Bytes of memory; who wants more is ended by the kernel (`memory.max`).
    pub memory: Option<u64>,
    /// Bytes of memory above which the kernel takes memory back and slows the app down (`memory.high`).
    pub memory_high: Option<u64>,
    /// Thousandths of a CPU (`cpu.max`).
    pub cpu: Option<u32>,
    /// Processes and threads; starting more fails (`pids.max`).
    pub pids: Option<u32>,
}

/// What the kernel can share out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Controller {
    Memory,
    Cpu,
    Pids,
}

impl Controller {
    pub(crate) const ALL: [Self; 3] = [Self::Memory, Self::Cpu, Self::Pids];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Pids => "pids",
        }
    }
}

/// One limit, as the kernel reads it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) controller: Controller,
    /// As settings call it.
    pub(crate) setting: &'static str,
    pub(crate) file: &'static str,
    /// None: nothing was said.
    pub(crate) value: Option<String>,
}

/// Over this time the CPU is shared out, in microseconds: the kernel's own.
const PERIOD: u64 = 100_000;

impl GroupLimits {
    /// Whether there is anything to hold the app to.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn lines(&self) -> [Line; 4] {
        let line = |controller, setting, file, value| Line {
            controller,
            setting,
            file,
            value,
        };
        let number = |number: u64| number.to_string();
        let quota =
            |thousandths: u32| format!("{} {PERIOD}", u64::from(thousandths) * PERIOD / 1_000);
        let memory = Controller::Memory;
        let high = self.memory_high.map(number);
        let pids = self.pids.map(|pids| pids.to_string());
        [
            line(memory, "memory_high", "memory.high", high),
            line(
                memory,
                "memory_limit",
                "memory.max",
                self.memory.map(number),
            ),
            line(Controller::Cpu, "cpu_limit", "cpu.max", self.cpu.map(quota)),
            line(Controller::Pids, "pids_limit", "pids.max", pids),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_written_in_the_kernels_words() {
        let limits = GroupLimits {
            memory: Some(256 << 20),
            memory_high: None,
            cpu: Some(1_500),
            pids: Some(64),
        };
        let said = limits.lines().map(|line| (line.file, line.value));
        let expected = [
            ("memory.high", None),
            ("memory.max", Some("268435456")),
            ("cpu.max", Some("150000 100000")),
            ("pids.max", Some("64")),
        ];
        assert_eq!(
            said,
            expected.map(|(file, value)| (file, value.map(str::to_owned)))
        );
        assert!(GroupLimits::default().is_empty() && !limits.is_empty());
    }
}
