//! The listening sockets that a gateway inherits: whose they are, and who accepts from them once it drains. Accepts nothing.

use std::io;

use mainstay_proxy::{Listener, Listening};
use mainstay_supervisor::os::inherited_fd;

use super::FIRST_SOCKET_FD;
use crate::protocol::{Beginning, Observe, Scope};

/// The inherited sockets: by thread and front, and the one for observers.
#[expect(clippy::type_complexity, reason = "said in one sentence")]
pub(super) fn sockets(
    beginning: &Beginning,
) -> io::Result<(Vec<Vec<Vec<Listener>>>, Option<Listener>)> {
    let mut numbers = FIRST_SOCKET_FD..;
    let mut next = |count: usize| {
        let descriptors = numbers.by_ref().take(count).map(inherited_fd);
        Listener::of_one_address(descriptors)
    };
    let mut sockets: Vec<Vec<Vec<Listener>>> = (0..beginning.threads)
        .map(|_| beginning.sockets.iter().map(|_| Vec::new()).collect())
        .collect();
    for (front, addresses) in beginning.sockets.iter().enumerate() {
        // of more sockets than threads, some serve several
        for count in addresses {
            for (number, listener) in next(*count)?.into_iter().enumerate() {
                sockets[number % beginning.threads][front].push(listener);
            }
        }
    }
    let observe = usize::from(beginning.observe == Observe::Served);
    Ok((sockets, next(observe)?.pop()))
}

/// By front, who accepts afterwards from each socket of one thread; `is_its` says which of an address it has.
pub(super) fn listening(
    sockets: &[Vec<usize>],
    is_its: impl Fn(usize) -> bool,
    scope: Scope,
    closing: &[usize],
) -> Vec<Vec<Listening>> {
    let mut number = 0..;
    let mut of_address = |count: usize| {
        let goes_on = number
            .next()
            .is_some_and(|address| !closing.contains(&address));
        let listening = if goes_on && scope == Scope::Gateway {
            Listening::GoesOn
        } else {
            Listening::Ends
        };
        vec![listening; (0..count).filter(|socket| is_its(*socket)).count()]
    };
    let front = |addresses: &Vec<usize>| {
        addresses
            .iter()
            .flat_map(|count| of_address(*count))
            .collect()
    };
    sockets.iter().map(front).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_listens_on_any_more_is_closed() {
        use Listening::{Ends, GoesOn};
        // two fronts; the second address has more sockets than the two threads
        let sockets = [vec![2, 3], vec![2]];
        let of =
            |thread: usize, scope| listening(&sockets, |socket| socket % 2 == thread, scope, &[1]);
        assert_eq!(
            of(0, Scope::Gateway),
            [vec![GoesOn, Ends, Ends], vec![GoesOn]]
        );
        assert_eq!(of(1, Scope::Gateway), [vec![GoesOn, Ends], vec![GoesOn]]);
        assert_eq!(of(1, Scope::Instance), [vec![Ends, Ends], vec![Ends]]);
    }
}
