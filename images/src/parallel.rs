//! The same work on many things, a few at a time: downloads that wait for a network, packages that unpack.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use crate::Error;

/// Does the work on each item, on so many threads. The first error stops it, once what has begun is done.
pub(crate) fn each<T: Sync>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    let left = Mutex::new(items.iter());
    let failed = AtomicBool::new(false);
    let next = || left.lock().ok()?.next();
    let run = || {
        while let (false, Some(item)) = (failed.load(Ordering::Relaxed), next()) {
            work(item).inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().expect("the work returns its errors"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn works_on_each_once() {
        let sum = AtomicUsize::new(0);
        let items: Vec<usize> = (1..=100).collect();
        each(&items, 4, |item| {
            sum.fetch_add(*item, Ordering::Relaxed);
            Ok(())
        })
        .unwrap();
        assert_eq!(sum.into_inner(), 5050);
    }

    #[test]
    fn ends_with_the_first_error() {
        let failure = || Error::BadPackage {
            input: "x".into(),
            problem: "y".into(),
        };
        let result = each(&[1, 2, 3], 2, |_| Err(failure()));
        assert!(matches!(result, Err(Error::BadPackage { .. })));
    }
}
