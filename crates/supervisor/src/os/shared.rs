//! Memory that several processes have at once: words that are read and written atomically. What they mean is for others.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use rustix::fs::{
    MemfdFlags, SealFlags, SeekFrom, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate,
    memfd_create, seek,
};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Bytes of a word.
const WORD: usize = size_of::<AtomicU64>();

/// Makes shared memory of so many words, all zero, and of this size for ever. `name` is for whoever looks into
/// `/proc`. Pages take memory once they are written.
///
/// # Errors
/// What the kernel says, such as `ENOMEM` or `EMFILE`.
pub fn shared_memory(name: &str, words: usize) -> io::Result<OwnedFd> {
    let descriptor = memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let bytes = words.checked_mul(WORD).ok_or(io::ErrorKind::InvalidInput)?;
    ftruncate(&descriptor, bytes as u64)?;
    fcntl_add_seals(
        &descriptor,
        SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL,
    )?;
    Ok(descriptor)
}

/// Which words of it were ever written, in pages: to look at the others would take memory for them.
///
/// # Errors
/// What the kernel says.
pub fn written_words(descriptor: impl AsFd) -> io::Result<Vec<Range<usize>>> {
    let descriptor = descriptor.as_fd();
    let (mut ranges, mut at) = (Vec::new(), 0);
    loop {
        let start = match seek(descriptor, SeekFrom::Data(at)) {
            Ok(start) => start,
            // nothing follows
            Err(Errno::NXIO) => return Ok(ranges),
            Err(error) => return Err(error.into()),
        };
        at = seek(descriptor, SeekFrom::Hole(start))?;
        ranges.push(start as usize / WORD..at as usize / WORD);
    }
}

/// Shared memory as this process sees it. Unmapped when dropped; others keep theirs.
#[derive(Debug)]
pub struct SharedWords {
    start: NonNull<AtomicU64>,
    words: usize,
}

impl SharedWords {
    /// Maps all of what [`shared_memory`] made.
    ///
    /// # Errors
    /// `InvalidData` for a descriptor of anything else: memory that somebody could shrink under us would end the
    /// process at the next look. Else what the kernel says.
    pub fn map(descriptor: impl AsFd) -> io::Result<Self> {
        let descriptor = descriptor.as_fd();
        let is_fixed =
            fcntl_get_seals(descriptor).is_ok_and(|seals| seals.contains(SealFlags::SHRINK));
        let bytes = usize::try_from(fstat(descriptor)?.st_size).unwrap_or(0);
        if !is_fixed || bytes == 0 || !bytes.is_multiple_of(WORD) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "not shared memory of ours",
            ));
        }
        let (access, kind) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
        let start = unsafe { mmap(std::ptr::null_mut(), bytes, access, kind, descriptor, 0) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self {
            start,
            words: bytes / WORD,
        })
    }
}

impl AsRef<[AtomicU64]> for SharedWords {
    fn as_ref(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is page-aligned, as long as `self`, of this length, and sealed against shrinking; every
        // bit pattern is a word, and whoever else writes does so atomically.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.words) }
    }
}

impl Drop for SharedWords {
    fn drop(&mut self) {
        // SAFETY: this is our own mapping, and no reference to it outlives `self`.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.words * WORD) };
    }
}

// SAFETY: nothing is reached through it but atomic words, and the mapping belongs to no thread.
unsafe impl Send for SharedWords {}
// SAFETY: as above.
unsafe impl Sync for SharedWords {}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;

    #[test]
    fn what_one_writes_the_other_reads() {
        let descriptor = shared_memory("test", 1024).expect("memory");
        let one = SharedWords::map(&descriptor).expect("mapped");
        let other = SharedWords::map(&descriptor).expect("mapped");
        assert_eq!(one.as_ref().len(), 1024);
        one.as_ref()[1023].store(7, Relaxed);
        drop(one);
        assert_eq!(other.as_ref()[1023].load(Relaxed), 7);
    }

    #[test]
    fn what_was_never_written_is_known() {
        let descriptor = shared_memory("test", 1 << 16).expect("memory");
        assert_eq!(written_words(&descriptor).expect("ranges"), []);
        let words = SharedWords::map(&descriptor).expect("mapped");
        words.as_ref()[40_000].store(7, Relaxed);
        let written = written_words(&descriptor).expect("ranges");
        assert!(
            written.len() == 1 && written[0].contains(&40_000),
            "{written:?}"
        );
        assert!(written[0].len() < 1 << 15, "{written:?}");
    }

    #[test]
    fn nothing_else_is_mapped() {
        let file = tempfile::tempfile().expect("a file");
        file.set_len(4096).expect("a length");
        assert!(SharedWords::map(&file).is_err());
        let (read, _write) = rustix::pipe::pipe().expect("a pipe");
        assert!(SharedWords::map(&read).is_err());
    }

    #[test]
    fn its_size_stays() {
        let descriptor = shared_memory("test", 512).expect("memory");
        assert!(ftruncate(&descriptor, 8).is_err());
        assert!(ftruncate(&descriptor, 1 << 20).is_err());
    }
}
