//! Open descriptors on their way over an exec, known by their numbers. Opens nothing itself.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};

use rustix::io::{FdFlags, fcntl_setfd};

use crate::os::{duplicate, inherited_fd};

/// Descriptors that were put down, by the numbers under which they are to be found again.
#[derive(Debug, Default)]
pub struct Descriptors {
    kept: BTreeMap<RawFd, OwnedFd>,
}

impl Descriptors {
    /// Keeps a descriptor open. Its number is what [`Descriptors::take`] takes it by, in this program and, after
    /// [`Descriptors::pass_on`], in the next.
    pub fn keep(&mut self, descriptor: OwnedFd) -> RawFd {
        let number = descriptor.as_raw_fd();
        self.kept.insert(number, descriptor);
        number
    }

    /// All that are kept, and those of another.
    pub fn extend(&mut self, others: Self) {
        self.kept.extend(others.kept);
    }

    /// Takes one out.
    ///
    /// # Errors
    /// `NotFound`, if none is kept under this number.
    pub fn take(&mut self, number: RawFd) -> io::Result<OwnedFd> {
        self.kept.remove(&number).ok_or_else(|| {
            let why = format!("descriptor {number} was not handed over");
            io::Error::new(io::ErrorKind::NotFound, why)
        })
    }

    /// Takes several out, still by their numbers.
    ///
    /// # Errors
    /// As [`Descriptors::take`].
    pub fn part(&mut self, numbers: &[RawFd]) -> io::Result<Self> {
        let kept = numbers
            .iter()
            .map(|number| Ok((*number, self.take(*number)?)));
        Ok(Self {
            kept: kept.collect::<io::Result<_>>()?,
        })
    }

    /// The numbers of all that are kept.
    pub fn numbers(&self) -> Vec<RawFd> {
        self.kept.keys().copied().collect()
    }

    /// Leaves exactly these open over the next exec. Call it with nothing but the exec to follow: a child would have them
    /// too. [`crate::os::keep_from_children`] takes it back.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn pass_on(&self) -> io::Result<()> {
        for descriptor in self.kept.values() {
            fcntl_setfd(descriptor, FdFlags::empty())?;
        }
        Ok(())
    }

    /// What the program that we were before passed on. Its own stay open as they are, until [`Descriptors::close`]: it
    /// may have to go on with them.
    ///
    /// # Errors
    /// `EBADF`, if one was not passed on.
    pub fn inherit(numbers: &[RawFd]) -> io::Result<Self> {
        let kept = numbers
            .iter()
            .map(|number| Ok((*number, duplicate(*number)?)));
        Ok(Self {
            kept: kept.collect::<io::Result<_>>()?,
        })
    }

    /// Closes what was passed on under these numbers: it was taken over.
    pub fn close(numbers: &[RawFd]) {
        for number in numbers {
            drop(inherited_fd(*number));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    #[test]
    fn what_is_passed_on_is_found_by_its_number_and_stays_open_until_it_is_closed() {
        let (mut reader, writer) = io::pipe().unwrap();
        // high, so that no other test's descriptor can have the number
        let writer = rustix::io::fcntl_dupfd_cloexec(&writer, 900).unwrap();
        let mut put_down = Descriptors::default();
        let number = put_down.keep(writer);
        put_down.pass_on().unwrap();
        let mut taken = Descriptors::inherit(&[number]).unwrap();
        // as if by an exec
        std::mem::forget(put_down);
        let writer = taken.take(number).unwrap();
        assert!(
            rustix::io::fcntl_getfd(&writer)
                .unwrap()
                .contains(FdFlags::CLOEXEC)
        );
        assert!(taken.take(number).is_err(), "once");
        std::fs::File::from(writer)
            .write_all(b"still there")
            .unwrap();
        Descriptors::close(&[number]);
        let mut text = [0; 11];
        reader.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"still there");
        assert!(Descriptors::inherit(&[number]).is_err());
    }
}
